"""The largest weights of each class as bars, for data that are no images."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from softmaxclf.plots.figure import AGAINST, FOR, MEDIUM, WIDTH, fit_text, new_figure, number, styled, title

MOST_CLASSES = 20
COLUMNS, MOST_COLUMNS = 5, 8
BAR_HEIGHT = 0.17  # inches: one line of text
HEADINGS = {
    "difference": "Features of largest weight minus the mean of the other classes (red: more, blue: less)",
}


@dataclass(frozen=True)
class TopFeatures:
    """Per class k the features `indices[k]` (K, n) of largest absolute weight, and their `weights` (K, n)."""

    indices: NDArray[np.int64]
    weights: NDArray[np.float64]


def top_features(W: NDArray[Any], count: int = 10) -> TopFeatures:
    """Return for each class of W (D, K) the `count` features of largest absolute weight, the largest first.

    Of equal ones the lower index comes first.
    """
    weights = np.asarray(W, dtype=np.float64).T
    indices = np.argsort(-np.abs(weights), axis=1, kind="stable")[:, :count]
    return TopFeatures(indices, np.take_along_axis(weights, indices, axis=1))


@styled
def draw_features(
    top: TopFeatures,
    class_names: Sequence[str],
    *,
    classes: Sequence[int] | None = None,
    columns: int | None = None,
    feature_names: Sequence[str] | None = None,
    heading: str | None = None,
) -> Figure:
    """Return a figure with one bar chart per class on one shared scale; features are named or numbered.

    Of more than 20 classes the first are shown, and the heading says so.
    """
    selected = list(range(len(top.indices))) if classes is None else list(classes)
    shown = selected[:MOST_CLASSES]
    columns = min(columns or (COLUMNS if feature_names is None else 2), max(1, len(shown)), MOST_COLUMNS)
    lines = ceil(len(shown) / columns)
    figure = new_figure(WIDTH, 0.45 + lines * (0.75 + BAR_HEIGHT * top.indices.shape[1]))
    text = heading or "Features of largest weight (red raises the class's score, blue lowers it)"
    cut = len(shown) < len(selected)
    title(figure, text, f" (first {len(shown)} of {len(selected):,} classes)" if cut else "")
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True).ravel()
    for axes, k in zip(panels, shown, strict=False):
        places = np.arange(top.indices.shape[1])
        axes.barh(
            places, top.weights[k], color=[FOR if w > 0 else AGAINST for w in top.weights[k]], height=0.75
        )
        axes.set_yticks(places, _labels(figure, top.indices[k], feature_names))
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_title(fit_text(figure, class_names[k], figure.bbox.width / columns - 60, MEDIUM))
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x, 3)))
    for axes in panels[len(shown) :]:
        axes.remove()
    return figure


def _labels(figure: Figure, indices: NDArray[np.int64], names: Sequence[str] | None) -> list[str]:
    return [str(i) if names is None else fit_text(figure, names[i], 220) for i in indices]
