"""`softmaxclf evaluate`: how a saved model does on one split."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from softmaxclf.config import Config, load_config
from softmaxclf.core.metrics import confusion_matrix, precision_recall_f1
from softmaxclf.core.model import LinearModel
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.model_file import load_model
from softmaxclf.workflows.material import load_dataset, prepare
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.scoring import score_models

Array = NDArray[Any]
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Rows:
    """The rows of one split: X (N, D), y (N,), rows (n,) indices or None for all."""

    dataset: Dataset
    X: Array
    y: Array
    rows: Array | None


def model_config(model: LinearModel, source: str | None) -> Config:
    """The configuration that a model was made with, its data taken from `source` when given."""
    stored = model.provenance.get("config", {})
    settings: dict[str, Any] = {}
    if isinstance(stored, dict):
        data = stored.get("data", {})
        settings = {f"data.{key}": value for key, value in data.items() if isinstance(value, int | str)}
    if source is not None:
        settings["data.source"] = source
    return load_config(options=settings)


def split_rows(model: LinearModel, split: str, source: str | None, observer: Observer) -> Rows:
    """The rows of that split of the model's own data set, or of `source`. Raises DataError when they do not fit."""
    config = model_config(model, source)
    if split == "test":
        dataset = load_dataset(config, observer)
        _check(model, dataset)
        test = dataset.test()
        return Rows(dataset, test.X, test.y, None)
    refit = bool(model.provenance.get("refit"))
    material = prepare(config, observer, folds=0)
    _check(model, material.dataset)
    if material.fingerprint != model.provenance.get("data", {}).get("fingerprint"):
        observer.warn(f"{material.dataset.path}: these are not the rows that the model was trained on")
    if split == "train":
        train = material.dataset.train
        return Rows(material.dataset, train.X, train.y, None if refit else material.train_rows)
    if refit or not len(material.validation_rows):
        why = "it was refitted on all training rows" if refit else "there are none"
        raise ConfigError(f"--split validation: expected validation rows, but {why}; use --split test")
    return Rows(material.dataset, material.validation_X, material.validation_y, material.validation_rows)


def evaluate(path: Path, split: str, source: str | None, observer: Observer) -> dict[str, Any]:
    """Accuracy with interval, loss, per class figures and confusion counts (rows true, columns predicted)."""
    model = load_model(path)
    rows = split_rows(model, split, source, observer)
    score = score_models([model], rows.X, rows.y, rows.rows)[0]
    confusion = confusion_matrix(score.truth, score.predicted, model.classes)
    return {
        "model": str(path),
        "split": split,
        "data": rows.dataset.name,
        **score.summary(),
        "per_class": [
            {
                "class": name,
                "precision": each.precision,
                "recall": each.recall,
                "f1": each.f1,
                "support": each.support,
            }
            for name, each in zip(model.class_names, precision_recall_f1(confusion), strict=True)
        ],
        "confusion": confusion.tolist(),
    }


def _check(model: LinearModel, dataset: Dataset) -> None:
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
