"""`softmaxclf.fit`: a model from arrays, by the settings, the checks and the training of the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmaxclf.config import Config, load_config
from softmaxclf.config.schema import SCHEMA
from softmaxclf.core.images import ImageShape, as_rows
from softmaxclf.core.model import LinearModel
from softmaxclf.core.search import grid_cells
from softmaxclf.core.solvers.solver import Solver
from softmaxclf.datasets.dataset import Dataset, Split
from softmaxclf.datasets.labels import Classes, StoredLabels
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.automatic import decided
from softmaxclf.workflows.runs.extraction import extracted
from softmaxclf.workflows.runs.training import Recipe, build_problem, only_model
from softmaxclf.workflows.runs.training_data import TrainingData, split_up

Array = NDArray[Any]
SECTIONS = ("training", "preprocessing")


@dataclass(frozen=True)
class Trained:
    """A solver that has trained the one cell of `config` on the rows of `data`."""

    solver: Solver
    config: Config
    data: TrainingData

    def model(self) -> LinearModel:
        """The model, in float32. Raises AllDivergedError."""
        return self.data.deployed(only_model(self.solver, self.config, self.data))


def fit(
    X: ArrayLike,
    y: ArrayLike,
    *,
    class_names: Sequence[str] | None = None,
    image_shape: ImageShape | None = None,
    features: Mapping[str, object] | None = None,
    sample_weight: ArrayLike | None = None,
    **settings: object,
) -> LinearModel:
    """The model trained on all rows X with labels y, as `softmaxclf train` trains it.

    X: (N, D) rows, or images (N, H, W), (N, H, W, C), (N, C, H, W) with C = 1 or 3; uint8, float32 or float64. Where
    the shape cannot tell which axis is the colour, say image_shape = (channels, height, width), which also makes
    rows (N, D) images. y: (N,) integers, truth values or text, as datasets/labels.py takes them.
    features: keys of the section features, as {"kind": "patches", "filters": 200}.
    sample_weight: (N,) how much each row counts, as if it stood there so often, in the means that preprocessing and
    training take; 0 leaves it out.
    settings: keys of the sections training and preprocessing by their own names, as learning_rate=1e-3,
    scale="standardize". Nothing is written, and the same arguments give the same bits.

    Raises ConfigError for settings, ValueError for arrays, DataError for values that are no finite numbers, and
    AllDivergedError where the learning rate is too large.
    """
    dataset = dataset_of(X, y, class_names, image_shape)
    weights = row_weights(sample_weight, len(dataset.train.y))
    return trained(dataset, settings, features, weights=weights).model()


def trained(
    dataset: Dataset,
    settings: Mapping[str, object],
    features: Mapping[str, object] | None = None,
    *,
    weights: Array | None = None,
    polish: float = 0.0,
) -> Trained:
    """What `fit` does, on all rows of a data set, with all that came of it.

    polish: of the optimum, see core/solvers/lbfgs/minimizer.py. Raises ConfigError, DataError.
    """
    options = {
        "data.validation": 0,
        "data.cache": False,
        **keys(settings),
        **keys(features or {}, ["features"]),
    }
    config = load_config(options=options)
    data = split_up(config, dataset, Observer(), fit=True, weights=weights)
    data = extracted(config, data, Observer())
    config = decided(config, lambda: data, "train", Observer())
    recipe = Recipe.of(config).polished(polish)
    solver = recipe.start(build_problem(config, data), grid_cells(recipe.point(config)))
    solver.run(solver.length)
    return Trained(solver, config, data)


def row_weights(sample_weight: ArrayLike | None, rows: int) -> Array | None:
    """Weights (rows,), float64, or None. Raises ValueError for any that cannot be one, or where all are 0."""
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, np.float64)
    if weights.shape != (rows,):
        raise ValueError(f"sample_weight: expected {rows:,} numbers, one per row, got shape {weights.shape}")
    wrong = np.flatnonzero(~((weights >= 0) & np.isfinite(weights)))
    if len(wrong):
        raise ValueError(
            f"sample_weight: expected finite numbers >= 0, got {weights[wrong[0]]} in row {wrong[0]}; correct it"
        )
    if not weights.any():
        raise ValueError("sample_weight: expected a weight above zero, got zero for every row; leave it out")
    return weights


def dataset_of(
    X: ArrayLike, y: ArrayLike, class_names: Sequence[str] | None, image_shape: ImageShape | None
) -> Dataset:
    """Arrays as a data set of training rows alone. Raises ValueError where they do not fit."""
    rows, shape = as_rows(np.asarray(X), image_shape)
    if rows.dtype == np.float16:
        rows = rows.astype(np.float32)
    if rows.dtype not in (np.uint8, np.float32, np.float64) or not rows.size:
        raise ValueError(
            f"X: expected rows of uint8, float32 or float64, got {rows.dtype} of shape {rows.shape}; convert them"
        )
    labels = np.asarray(y)
    if labels.shape != (len(rows),) or labels.dtype.kind not in "biuU":
        raise ValueError(
            f"y: expected {len(rows):,} labels of integers or text, got {labels.dtype} of shape {labels.shape}"
        )
    try:
        stored = StoredLabels.of(labels, "fit", "y")
        classes = Classes.of(stored, class_names)
        train = Split(np.ascontiguousarray(rows), classes.labels(stored, len(rows)))
    except DataError as error:
        raise ValueError(str(error)) from error
    return Dataset("arrays", "X", lambda: classes.names, shape, lambda: train)


def keys(settings: Mapping[str, object], sections: Sequence[str] = SECTIONS) -> dict[str, Any]:
    """Settings by dotted key. Raises ConfigError for names that are no settings of these sections."""
    known = {
        key.split(".")[1]: key for section in sections for key in SCHEMA if key.startswith(f"{section}.")
    }
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ConfigError(f"fit: expected settings out of {', '.join(known)}, got {', '.join(unknown)}")
    return {known[name]: value for name, value in settings.items()}
