"""What the page says, as plain values: read from a run folder and computed from its rows by the caller."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.metrics import ClassScores, ReliabilityBins
from softmaxclf.core.model import LinearModel
from softmaxclf.core.search import Outcome, axes_of

Array = NDArray[Any]


class Setting(NamedTuple):
    """One setting of the run: dotted key, value and default as text, what it means, whether it counted."""

    key: str
    value: str
    default: str
    help: str
    counted: bool = True


@dataclass(frozen=True)
class Mistakes:
    """The n wrongly labelled rows of highest probability, the surest first.

    rows: (n,) places in the part of the data set that they lie in. truth, predicted: (n,) labels. probability:
    (n,) of the predicted class; truth_probability: (n,) of the true one. images: (n, H, W, C) uint8, or None.
    evidence: (n, H, W, 3) uint8, see plots.mistakes.difference_maps, or None.
    """

    rows: Array
    truth: Array
    predicted: Array
    probability: Array
    truth_probability: Array
    images: NDArray[np.uint8] | None
    evidence: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Scored:
    """What the rows of one split show.

    bins: their calibration. confused: the most confused pairs of classes (true, predicted), the most frequent first,
    with images (n, H, W, C) uint8 of each, the surest errors first. examples: the same per class. None where rows are
    no images.
    """

    split: str
    confusion: NDArray[np.int64]
    classes: Sequence[ClassScores]
    bins: ReliabilityBins
    log_loss: float
    brier: float
    mistakes: Mistakes
    confused: Mapping[tuple[int, int], NDArray[np.uint8] | None]
    examples: Sequence[NDArray[np.uint8]] | None


@dataclass(frozen=True)
class Facts:
    """Everything that the page says. `folder` is the run folder as text; `metrics` and `manifest` are its files.

    beside: the run folder as seen from the page, and files: the names of those in it. history: (n, 5) HISTORY_COLUMNS,
    NaN where not measured. histories: the same of other cells, each line behind the cell's settings. cells: of a grid,
    as metrics.json lists them. scored: None when no rows were at hand, and `unscored` says why.
    """

    folder: str
    metrics: Mapping[str, Any]
    manifest: Mapping[str, Any]
    settings: Sequence[Setting]
    config_text: str
    history: Array
    histories: Array
    model: LinearModel
    cells: Sequence[Outcome] = ()
    beside: str = ""
    files: Sequence[str] = ()
    scored: Scored | None = None
    unscored: str = ""

    @property
    def best(self) -> dict[str, float]:
        """The settings of the chosen cell of a grid by axis."""
        best = self.metrics["best"]
        return {name: best[name] for name in axes_of(best)}

    @property
    def repeats(self) -> Mapping[str, Any]:
        """What other seeds made of the chosen settings; empty of a run without repeats."""
        repeats: Mapping[str, Any] = self.metrics.get("repeats", {})
        return repeats

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
        return "rows" if self.model.image_shape is None else "images"


def headline_split(splits: Mapping[str, Any]) -> str:
    """The split that a result is quoted on: test, else validation, else train."""
    return next((name for name in ("test", "validation") if name in splits), "train")
