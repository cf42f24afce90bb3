"""What the page says, as plain values: read from a run folder and computed from its rows by the caller."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmaxclf.plots.reliability import Reliability

Array = NDArray[Any]


class Setting(NamedTuple):
    """One setting of the run: dotted key, value and default as text, what it means."""

    key: str
    value: str
    default: str
    help: str


class ClassFigures(NamedTuple):
    """How one class fares; None where a share is 0/0."""

    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True)
class Mistakes:
    """The n wrongly labelled rows of highest probability, the surest first.

    rows: (n,) places in the part of the data set that they lie in. truth, predicted: (n,) labels. probability:
    (n,) of the predicted class; truth_probability: (n,) of the true one. images: (n, H, W, C) uint8, or None.
    """

    rows: Array
    truth: Array
    predicted: Array
    probability: Array
    truth_probability: Array
    images: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Scored:
    """What the rows of one split show.

    bins: their calibration. examples: per class images (n, H, W, C) uint8, or None where rows are no images.
    """

    split: str
    confusion: NDArray[np.int64]
    classes: Sequence[ClassFigures]
    bins: Reliability
    log_loss: float
    brier: float
    mistakes: Mistakes
    examples: Sequence[NDArray[np.uint8]] | None


@dataclass(frozen=True)
class Facts:
    """Everything that the page says. `folder` is the run folder as text; `metrics` and `manifest` are its files.

    history: (n, 4) iteration, loss, train and validation accuracy, NaN where not measured. weights: (D, K) on
    raw columns. scored: None when no rows were at hand, and `unscored` says why.
    """

    folder: str
    metrics: Mapping[str, Any]
    manifest: Mapping[str, Any]
    settings: Sequence[Setting]
    config_text: str
    history: Array
    class_names: Sequence[str]
    image_shape: tuple[int, int, int] | None
    weights: Array
    loss: str
    temperature: float
    scored: Scored | None = None
    unscored: str = ""

    @property
    def splits(self) -> Mapping[str, Mapping[str, Any]]:
        """The splits of metrics.json by name."""
        splits: Mapping[str, Mapping[str, Any]] = self.metrics["splits"]
        return splits

    @property
    def headline(self) -> str:
        """The split that the result is quoted on: the one furthest from training that was scored."""
        return headline_split(self.splits)

    def setting_text(self, key: str) -> str:
        """The value of a setting as text."""
        return next(each.value for each in self.settings if each.key == key)

    @property
    def noun(self) -> str:
        """What a row is."""
        return "rows" if self.image_shape is None else "images"


def headline_split(splits: Mapping[str, Any]) -> str:
    """The split that a result is quoted on: test, else validation, else train."""
    return next((name for name in ("test", "validation") if name in splits), "train")
