"""The rows of a saved model: its own data set, or another of the same kind, split as it was for training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from numpy.typing import NDArray

from softmaxclf.config import Config, load_config
from softmaxclf.config.schema import SCHEMA
from softmaxclf.core.model import LinearModel
from softmaxclf.core.scoring import SplitRows
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.errors import ConfigError, DataError, ModelError
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.training_data import TrainingData, load_dataset, prepare

Array = NDArray[Any]
T = TypeVar("T")
SPLITS = ("train", "validation", "test")
_PLACES = ("data.directory", "data.download")
CALIBRATION = "calibration"  # what the provenance of a model with a fitted temperature says of it


@dataclass(frozen=True)
class ModelRows:
    """A model with a data set that fits it. data: the set's training rows split up, None if only the test is."""

    model: LinearModel
    dataset: Dataset
    data: TrainingData | None

    def rows(self, split: str) -> SplitRows:
        """The rows of that split. Raises ConfigError where it does not exist, DataError where it is empty."""
        if split == "test":
            test = self.dataset.test()
            found = SplitRows(split, self.dataset.path, test.X, test.y)
        else:
            found = self._split_off(split)
        if not len(found.labels):
            raise DataError(
                f"{self.dataset.path}: expected {split} rows, found none; choose another with --split"
            )
        return found

    def _split_off(self, split: str) -> SplitRows:
        data = self.data
        assert data is not None, "open_rows was told which splits are wanted"
        refit = was_refit(self.model)
        if split == "train":
            return replace(data.split(split), rows=None) if refit else data.split(split)
        if refit or not len(data.validation_rows):
            why = "it was refitted on all training rows" if refit else "there are none"
            raise ConfigError(
                f"validation rows: expected some that the model was not trained on, but {why}; use --split test"
            )
        return data.split(split)


def open_rows(
    model: LinearModel,
    source: str | None,
    observer: Observer,
    *,
    only_test: bool = False,
    dataset: Dataset | None = None,
) -> ModelRows:
    """The model's own data set, or `source`, or `dataset` if that is read already; split unless only_test.

    Warns of rows and class names other than the model's. Raises DataError when the rows do not fit the model.
    """
    config = data_config(model, source)
    data: TrainingData | None = None
    if not only_test:
        data = _read(lambda: prepare(config, observer), source)
        dataset = data.dataset
    elif dataset is None:
        dataset = _read(lambda: load_dataset(config, observer), source)
    assert dataset is not None
    _check(model, dataset, observer)
    if data is not None and data.fingerprint != fingerprint_of(model):
        observer.warn(f"{dataset.path}: these are not the rows that the model was trained on")
    return ModelRows(model, dataset, data)


def data_config(model: LinearModel, source: str | None) -> Config:
    """The settings that say which rows a model was made with; the data set is `source` when given.

    Raises ModelError when the model's own settings are none.
    """
    stored = provenance_of(model, "config").get("data", {})
    settings = {f"data.{key}": value for key, value in stored.items()} if isinstance(stored, Mapping) else {}
    settings = {key: value for key, value in settings.items() if key in SCHEMA}
    if was_refit(model):
        settings["data.validation"] = 0  # none was split off
    try:
        load_config(options=settings)
    except ConfigError as error:
        raise ModelError(
            f"the model's own settings: {error.problems[0]}; its provenance is damaged, train the model again"
        ) from error
    if source is None:
        settings["data.download"] = False  # nothing is fetched because a model file names it
    else:
        settings = {key: value for key, value in settings.items() if key not in _PLACES} | {
            "data.source": source
        }
    return load_config(options=settings)


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


def _read(read: Callable[[], T], source: str | None) -> T:
    """What read() gives; where the model's own data are not found, the error says that another can be named."""
    try:
        return read()
    except DataError as error:
        if source is not None:
            raise
        raise DataError(f"{error} (the model's own data; name others with --data)") from error


def _check(model: LinearModel, dataset: Dataset, observer: Observer) -> None:
    if dataset.features != model.features:
        raise DataError(
            f"{dataset.path}: expected rows of {model.features:,} columns, as the model was trained on, found "
            f"{dataset.features:,}; name the model's data with --data"
        )
    if len(dataset.class_names) != model.classes:
        raise DataError(
            f"{dataset.path}: expected {model.classes} classes, as the model has, found "
            f"{len(dataset.class_names)}; name the model's data with --data"
        )
    for place, (own, other) in enumerate(zip(model.class_names, dataset.class_names, strict=True)):
        if own != other:
            observer.warn(
                f"{dataset.path}: class {place} is called {other!r} there and {own!r} in the model; "
                "labels are compared by number and shown with the model's names"
            )
            return
