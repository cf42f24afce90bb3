"""The largest weights of each class as bars, for data that are no images."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from softmaxclf.plots.figure import (
    AGAINST,
    DPI,
    FOR,
    INK,
    MEDIUM,
    WIDTH,
    fit_text,
    in_numbers,
    left_out,
    new_figure,
    styled,
    title,
)

MOST_CLASSES = 20
COLUMNS, NAMED_COLUMNS, MOST_COLUMNS = 5, 3, 8
NAME_ROOM = 0.45  # of a panel, for the names of features
BAR_HEIGHT = 0.17  # inches: one line of text
HEADING = "Features of largest weight, as trained (red raises the class's score, blue lowers it)"
HEADINGS = {
    "difference": "Features of largest weight minus the mean of the other classes (red: more, blue: less)",
}


def top_features(W: NDArray[Any], count: int = 10) -> NDArray[np.int64]:
    """Return for each class of W (D, K) the `count` features of largest absolute weight, the largest first: (K, n).

    Of equal ones the lower index comes first.
    """
    return np.argsort(-np.abs(W.T.astype(np.float64)), axis=1, kind="stable")[:, :count]


@styled
def draw_features(
    W: NDArray[Any],
    class_names: Sequence[str],
    *,
    classes: Sequence[int] | None = None,
    columns: int | None = None,
    heading: str = HEADING,
    names: Sequence[str] | None = None,
) -> Figure:
    """Return a figure with one bar chart per class of W (D, K) on one shared scale. names: (D,), else numbers.

    Of more than 20 classes the first are shown, and the heading says so.
    """
    top = top_features(W)
    selected = range(len(top)) if classes is None else classes
    shown = selected[:MOST_CLASSES]
    columns = min(columns or (COLUMNS if names is None else NAMED_COLUMNS), max(1, len(shown)), MOST_COLUMNS)
    room = NAME_ROOM * WIDTH * DPI / columns
    lines = ceil(len(shown) / columns)
    figure = new_figure(WIDTH, 0.45 + lines * (0.75 + BAR_HEIGHT * top.shape[1]))
    title(figure, heading, left_out(len(shown), len(selected)))
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True).ravel()
    places = range(top.shape[1])
    for axes, k in zip(panels, shown, strict=False):
        weights = W[top[k], k]
        axes.barh(places, weights, color=[FOR if w > 0 else AGAINST for w in weights], height=0.75)
        axes.set_yticks(
            places, [str(each) if names is None else fit_text(names[each], room) for each in top[k]]
        )
        axes.invert_yaxis()
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_title(fit_text(class_names[k], figure.bbox.width / columns - 60, MEDIUM))
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(3))
        in_numbers(axes.xaxis, 3)
    for axes in panels[len(shown) :]:
        axes.remove()
    return figure
