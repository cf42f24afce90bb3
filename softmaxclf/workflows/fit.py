"""`softmaxclf.fit`: a model from arrays, by the settings, the checks and the training of the command line."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from softmaxclf.config import load_config
from softmaxclf.config.schema import SCHEMA
from softmaxclf.core.images import ImageShape, as_rows
from softmaxclf.core.model import LinearModel
from softmaxclf.core.search import grid_cells
from softmaxclf.datasets.dataset import Dataset, Split
from softmaxclf.datasets.labels import Classes, StoredLabels
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.automatic import decided
from softmaxclf.workflows.runs.extraction import extracted
from softmaxclf.workflows.runs.training import Recipe, build_problem, only_model
from softmaxclf.workflows.runs.training_data import split_up

SECTIONS = ("training", "preprocessing")


def fit(
    X: ArrayLike,
    y: ArrayLike,
    *,
    class_names: Sequence[str] | None = None,
    image_shape: ImageShape | None = None,
    features: Mapping[str, object] | None = None,
    **settings: object,
) -> LinearModel:
    """The model trained on all rows X with labels y, as `softmaxclf train` trains it.

    X: (N, D) rows, or images (N, H, W), (N, H, W, C), (N, C, H, W) with C = 1 or 3; uint8, float32 or float64. Where
    the shape cannot tell which axis is the colour, say image_shape = (channels, height, width), which also makes
    rows (N, D) images. y: (N,) integers, truth values or text, as datasets/labels.py takes them.
    features: keys of the section features, as {"kind": "patches", "filters": 200}.
    settings: keys of the sections training and preprocessing by their own names, as learning_rate=1e-3,
    scale="standardize". Nothing is written, and the same arguments give the same bits.

    Raises ConfigError for settings, ValueError for arrays, DataError for values that are no finite numbers, and
    AllDivergedError where the learning rate is too large.
    """
    options = {"data.validation": 0, "data.cache": False, **_keys(settings)}
    options |= {f"features.{name}": value for name, value in _known(features or {}, "features").items()}
    config = load_config(options=options)
    data = split_up(config, dataset_of(X, y, class_names, image_shape), Observer(), fit=True)
    data = extracted(config, data, Observer())
    config = decided(config, lambda: data, "train", Observer())
    recipe = Recipe.of(config)
    solver = recipe.start(build_problem(config, data), grid_cells(recipe.point(config)))
    solver.run(solver.length)
    return data.deployed(only_model(solver, config, data))


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


def _keys(settings: Mapping[str, object]) -> dict[str, Any]:
    """Settings by dotted key. Raises ConfigError for names that are no settings of one model."""
    known = {key.split(".")[1]: key for section in SECTIONS for key in SCHEMA if key.startswith(section)}
    return {known[name]: value for name, value in _known(settings, *SECTIONS).items()}


def _known(settings: Mapping[str, object], *sections: str) -> Mapping[str, object]:
    """The settings, if all are keys of those sections. Raises ConfigError."""
    known = [key.split(".")[1] for section in sections for key in SCHEMA if key.startswith(f"{section}.")]
    if unknown := [name for name in settings if name not in known]:
        raise ConfigError(f"fit: expected settings out of {', '.join(known)}, got {', '.join(unknown)}")
    return settings
