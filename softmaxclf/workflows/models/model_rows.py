"""The rows of a saved model: its own data set, or another of the same kind, split as it was for training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.arrays import JoinedArray
from softmaxclf.config import Config, load_config
from softmaxclf.config.schema import SCHEMA
from softmaxclf.config.yaml_reader import shown
from softmaxclf.core.model import LinearModel
from softmaxclf.core.scoring import SplitRows
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.datasets.labels import integers_of
from softmaxclf.datasets.tables import refuse_lacking
from softmaxclf.errors import ConfigError, DataError, ModelError
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.training_data import TrainingData, load_dataset, prepare

Array = NDArray[Any]
FEW = 5  # classes that a message lists
SPLITS = ("train", "validation", "test")
CALIBRATION = "calibration"  # what the provenance of a model with a fitted temperature says of it


@dataclass(frozen=True)
class ModelRows:
    """A model with a data set that fits it. data: the set's training rows split up, None if only the test is.

    labels: the model's number of each class of the data set, and columns: where the model's features stand in it;
    None where they are the same. strange: whether the data set is another than the model's, and undivided.
    """

    model: LinearModel
    dataset: Dataset
    data: TrainingData | None
    labels: Array | None = None
    columns: Array | None = None
    strange: bool = False

    def rows(self, split: str) -> SplitRows:
        """The rows of that split. Raises ConfigError where it does not exist, DataError where it is empty."""
        refit = was_refit(self.model)
        if split == "validation" and self.data is not None and (refit or not len(self.data.validation_rows)):
            why = "it was refitted on all training rows" if refit else "there are none"
            raise ConfigError(
                f"validation rows: expected some that the model was not trained on, but {why}; use --split test"
            )
        if self.data is None:
            parts = [self.dataset.train] if self.strange else []
            if not parts or self.dataset.read_test is not None:
                parts.append(self.dataset.test())
            X: Any = parts[0].X if len(parts) == 1 else JoinedArray([part.X for part in parts])
            found = SplitRows(split, self.dataset.path, X, np.concatenate([part.y for part in parts]))
        else:
            found = self.data.split(split)
        if self.labels is not None:
            found = replace(found, y=self.labels[found.y])
        if self.columns is not None:
            found = replace(found, X=found.X[:, self.columns])
        if not len(found.labels):
            raise DataError(
                f"{self.dataset.path}: expected {split} rows, found none; choose another with --split"
            )
        return found


def open_rows(
    model: LinearModel,
    source: str | None,
    observer: Observer,
    *,
    only_test: bool = False,
    dataset: Dataset | None = None,
    settings: Sequence[str] = (),
) -> ModelRows:
    """The model's own data set, or `source`, or `dataset` if that is read already; split unless only_test.

    settings: `data.key=value` texts over the model's own.

    Warns of rows other than the model's. Raises DataError when the rows or their classes do not fit the model.
    """
    config = data_config(model, source, settings)
    try:
        reading: dict[str, Any] = {"features": model.feature_names, "training": False}
        data = None if only_test else prepare(config, observer, **reading)
        dataset = data.dataset if data is not None else dataset or load_dataset(config, observer, **reading)
    except DataError as error:
        if source is not None:
            raise
        raise DataError(f"{error} (the model's own data; name others with --data)") from error
    columns, labels = _columns(model, dataset), _labels(model, dataset, observer)
    if data is not None and data.fingerprint != fingerprint_of(model):
        observer.warn(f"{dataset.path}: these are not the rows that the model was trained on")
    other = bool(source is not None or settings) and only_test and dataset.drawn is not None
    other = other and dataset.train.examine() != fingerprint_of(model)
    strange = other and source is not None
    if other and not strange:
        observer.warn(
            f"{dataset.path}: --set divides these rows otherwise, so some may be rows of the training"
        )
    if strange:
        observer.note(f"{dataset.path}: the model was not made from these rows, so all of them are scored")
    elif data is None and dataset.drawing():
        observer.note(dataset.drawing())
    return ModelRows(model, dataset, data, labels, columns, strange)


def data_config(model: LinearModel, source: str | None, settings: Sequence[str] = ()) -> Config:
    """The settings that say which rows a model was made with; the data set is `source` when given.

    settings: `data.key=value` texts that replace the model's own. Raises ModelError when the model's own settings are
    none, ConfigError for others of `settings`.
    """
    _refuse_other_keys(settings)
    stored = provenance_of(model, "config").get("data", {})
    own = {f"data.{key}": value for key, value in stored.items()} if isinstance(stored, Mapping) else {}
    if was_refit(model):
        own["data.validation"] = 0  # none was split off
    own = {key: value for key, value in own.items() if key in SCHEMA}
    try:
        config = load_config(options=own)
    except ConfigError as error:
        raise ModelError(
            f"the model's own settings: {error.problems[0]}; its provenance is damaged, train the model again"
        ) from error
    given = {_key(text) for text in settings}
    config = load_config(settings=settings, options={k: v for k, v in own.items() if k not in given})
    if source is None:  # nothing is fetched because a model file names it
        return replace(config, data=replace(config.data, download=False))
    named = load_config(options={"data.source": source}).data
    places = {name: getattr(named, name) for name in ("source", "directory", "download")}
    return replace(config, data=replace(config.data, **places))


def _key(assignment: str) -> str:
    return assignment.partition("=")[0].strip()


def _refuse_other_keys(settings: Sequence[str]) -> None:
    """Raise ConfigError for a setting that is none of data, and for the data set, which --data names."""
    for key in map(_key, settings):
        if key == "data.source":
            raise ConfigError(
                "--set data.source: expected another key of data; name the data set with --data"
            )
        if not key.startswith("data."):
            raise ConfigError(
                f"--set {shown(key)}: expected a key of data, as data.label; all others are the model's own"
            )


def was_refit(model: LinearModel) -> bool:
    """Whether the model was trained on all training rows after cross-validation."""
    return bool(model.provenance.get("refit"))


def fingerprint_of(model: LinearModel) -> str | None:
    """The fingerprint of the rows that the model was made from, or None when it does not say."""
    found = provenance_of(model, "data").get("fingerprint")
    return found if isinstance(found, str) else None


def provenance_of(model: LinearModel, part: str) -> Mapping[str, Any]:
    """A part of the model's provenance; empty when it is missing or of another kind."""
    found = model.provenance.get(part)
    return found if isinstance(found, Mapping) else {}


def _columns(model: LinearModel, dataset: Dataset) -> Array | None:
    """Where the model's features stand in the data's rows, by name where both have names. Raises DataError."""
    names, found = model.feature_names, dataset.feature_names
    if names is not None and found is not None:
        refuse_lacking(dataset.path, names, found)
        return None if names == found else np.array([found.index(name) for name in names])
    if dataset.features != model.features:
        raise DataError(
            f"{dataset.path}: expected rows of {model.features:,} columns, as the model was trained on, found "
            f"{dataset.features:,}; name the model's data with --data"
        )
    return None


def _labels(model: LinearModel, dataset: Dataset, observer: Observer) -> Array | None:
    """The model's number of each class of the data: by name; by number where only one of them has numbers for names.

    None where the numbers are the same. Raises DataError for a class that the model does not know.
    """
    names, known = dataset.class_names, {name: k for k, name in enumerate(model.class_names)}
    unknown = [name for name in names if name not in known]
    if not unknown:
        if names == model.class_names[: len(names)]:
            return None
        observer.note(f"{dataset.path}: its classes are found among the model's by name")
        return np.array([known[name] for name in names])
    numbers = _numbers(model, names)
    if numbers is None or any(known.get(name, k) != k for name, k in zip(names, numbers, strict=True)):
        raise DataError(
            f"{dataset.path}: expected classes that the model knows ({_listed(model.class_names)}), found "
            f"{_listed(list(map(repr, unknown)))}; leave such rows out, or name the classes as the model does"
        )
    place = numbers[names.index(unknown[0])]
    observer.warn(
        f"{dataset.path}: class {place} is called {unknown[0]!r} there and {model.class_names[place]!r} in the model; "
        "labels are compared by number and shown with the model's names"
    )
    return None if numbers == list(range(len(names))) else np.array(numbers)


def _numbers(model: LinearModel, names: Sequence[str]) -> list[int] | None:
    """The numbers of classes of which either the data or the model has no other names; None where that cannot be."""
    numbers = integers_of(names)
    if (numbers is None) == (integers_of(model.class_names) is None):
        return None
    if numbers is not None and min(numbers) >= 0 and max(numbers) < model.classes:
        return numbers
    return list(range(model.classes)) if len(names) == model.classes else None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - FEW:,} more" if len(names) > FEW else ""
    return f"{', '.join(names[:FEW])}{more}"
