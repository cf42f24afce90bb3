"""The confusion matrix: how the images of each true class were labelled."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from softmaxclf.core.metrics import FEW_CLASSES, neighbours
from softmaxclf.plots.figure import (
    INK,
    SHARES,
    SMALL,
    fit_text,
    in_percent,
    ink_on,
    left_out,
    new_figure,
    styled,
    text_width,
    title,
)

MOST_CLASSES = 100
SELECTED = 40
FRAME = 0.9  # of an entry's side, so that frames of neighbours do not touch
LABEL_ROOM = 220  # pixels for a class name beside the matrix


def shown_classes(counts: NDArray[Any]) -> NDArray[np.int64]:
    """Return the classes to draw of counts (K, K), rows true and columns predicted, in their order.

    Of more than 20, so that classes which are often confused stand side by side; of more than 100, the 40 that take
    part in the most confusions.
    """
    if len(counts) <= FEW_CLASSES:
        return np.arange(len(counts))
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diagonal(counts)
    chosen = np.sort(np.argsort(-wrong, kind="stable")[: SELECTED if len(counts) > MOST_CLASSES else None])
    return chosen[neighbours(counts[np.ix_(chosen, chosen)])]


def row_shares(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return counts (K, K) divided by the sum of their row; rows without images stay zero."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.maximum(totals, 1), dtype=np.float64)


@styled
def draw_confusion(
    counts: NDArray[Any],
    class_names: Sequence[str],
    *,
    heading: str,
    links: Mapping[tuple[int, int], str] | None = None,
) -> Figure:
    """Return a figure of the confusion matrix (K, K): colour is the share of the true class, text the count.

    Shares refer to all images of the class, also those labelled as a class that is not shown. Counts are written
    for at most 20 classes; of more, the diagonal is left out, beside which no confusion would be seen.
    links: anchors of a page to which entries (true, predicted) lead, which are framed.
    """
    classes = shown_classes(counts)
    chosen = np.ix_(classes, classes)
    counts, shares = counts[chosen], row_shares(counts)[chosen]
    few = len(class_names) <= FEW_CLASSES
    if not few:
        np.fill_diagonal(shares, 0.0)
        heading = f"{heading}, without the diagonal"
    side = min(max(0.52 * len(classes), 3.2), 5.6)
    figure = new_figure(side + 2.2, side + 1.3)
    title(figure, heading, left_out(len(classes), len(class_names), which="the {} most confused"))
    axes = figure.subplots()
    scale = Normalize(0.0, max(float(shares.max(initial=0.0)), 1e-9))
    drawn = axes.imshow(shares, cmap=SHARES, norm=scale, interpolation="none")
    _label(axes, [class_names[k] for k in classes], side)
    bar = figure.colorbar(drawn, ax=axes, fraction=0.046, pad=0.03)
    bar.outline.set_visible(False)
    in_percent(bar.ax.yaxis)
    bar.set_label("share of the true class")
    if few:
        figure.draw_without_rendering()  # the layout decides how wide a cell is
        _write_counts(axes, counts, SHARES(scale(shares)))
    _link(axes, classes.tolist(), links or {})
    return figure


def _link(axes: Axes, classes: list[int], links: Mapping[tuple[int, int], str]) -> None:
    """Frame the entries of shown classes that lead to an anchor."""
    for (true, predicted), anchor in links.items():
        if true in classes and predicted in classes:
            corner = classes.index(predicted) - FRAME / 2, classes.index(true) - FRAME / 2
            frame = Rectangle(corner, FRAME, FRAME, fill=False, edgecolor=INK, url=f"#{anchor}")
            axes.add_patch(frame).set_zorder(4)  # above the count, which would catch the click


def _label(axes: Axes, names: Sequence[str], side: float) -> None:
    step = max(1, int(np.ceil(len(names) * 1.15 * SMALL / 72 / side)))
    places = range(0, len(names), step)
    fitted = [fit_text(names[place], LABEL_ROOM) for place in places]
    axes.set_yticks(places, fitted)
    slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(places, fitted, **(slanted if len(fitted) <= FEW_CLASSES else {"rotation": 90}))
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _write_counts(axes: Axes, counts: NDArray[Any], colours: NDArray[Any]) -> None:
    """Write each count into its cell of that colour, unless the largest does not fit."""
    room = axes.get_window_extent().width / len(counts)
    if text_width(f"{counts.max(initial=0):,}", SMALL) * 1.15 > room:
        return
    for (row, column), count in np.ndenumerate(counts):
        text = axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=SMALL)
        text.set(color=ink_on(colours[row, column]), fontweight="bold" if row == column else "normal")
