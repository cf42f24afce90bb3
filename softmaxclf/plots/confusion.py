"""The confusion matrix: how the images of each true class were labelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from softmaxclf.plots.figure import (
    SHARES,
    SMALL,
    fit_text,
    in_percent,
    ink_on,
    new_figure,
    styled,
    text_width,
    title,
)

MOST_ANNOTATED = 20
MOST_CLASSES = 100
SELECTED = 40
LABEL_ROOM = 220  # pixels for a class name beside the matrix


@dataclass(frozen=True)
class ConfusionView:
    """What is drawn: `classes` (M,) of K in all, their counts (M, M), and shares (M, M) of each true class.

    Shares refer to all images of the class, also those labelled as a class that is not shown.
    """

    classes: NDArray[np.int64]
    counts: NDArray[np.int64]
    shares: NDArray[np.float64]
    total_classes: int


def confusion_view(counts: NDArray[Any]) -> ConfusionView:
    """Return what to draw of counts (K, K), rows true and columns predicted.

    Of more than 100 classes, the 40 that take part in the most confusions, in their own order.
    """
    counts = np.asarray(counts)
    classes = np.arange(len(counts))
    if len(counts) > MOST_CLASSES:
        wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diagonal(counts)
        classes = np.sort(np.argsort(-wrong, kind="stable")[:SELECTED])
    chosen = np.ix_(classes, classes)
    return ConfusionView(classes, counts[chosen], row_shares(counts)[chosen], len(counts))


def row_shares(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return counts (K, K) divided by the sum of their row; rows without images stay zero."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.maximum(totals, 1), dtype=np.float64)


@styled
def draw_confusion(view: ConfusionView, class_names: Sequence[str], *, heading: str | None = None) -> Figure:
    """Return a figure of the confusion matrix: colour is the share of the true class, text the count.

    `class_names` has all K names. Counts are written for at most 20 classes.
    """
    shown = len(view.classes)
    side = min(max(0.52 * shown, 3.2), 5.6)
    figure = new_figure(side + 2.2, side + 1.7)
    note = f" (the {shown} most confused of {view.total_classes:,} classes)"
    title(figure, heading or "Confusion matrix", note if shown < view.total_classes else "")
    axes = figure.subplots()
    scale = Normalize(0.0, max(float(view.shares.max(initial=0.0)), 1e-9))
    drawn = axes.imshow(view.shares, cmap=SHARES, norm=scale, interpolation="nearest")
    _label(figure, axes, view, class_names, side)
    bar = figure.colorbar(drawn, ax=axes, fraction=0.046, pad=0.03)
    bar.outline.set_visible(False)
    in_percent(bar.ax.yaxis)
    bar.set_label("share of the true class")
    if shown <= MOST_ANNOTATED:
        _write_counts(figure, axes, view, scale)
    return figure


def _label(figure: Figure, axes: Axes, view: ConfusionView, class_names: Sequence[str], side: float) -> None:
    step = max(1, int(np.ceil(len(view.classes) * 1.15 * SMALL / 72 / side)))
    places = range(0, len(view.classes), step)
    names = [fit_text(figure, class_names[view.classes[place]], LABEL_ROOM) for place in places]
    axes.set_yticks(places, names)
    axes.set_xticks(places, names, rotation=45 if len(names) <= MOST_ANNOTATED else 90)
    for label in axes.get_xticklabels():
        if len(names) <= MOST_ANNOTATED:
            label.set(horizontalalignment="right", rotation_mode="anchor")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write_counts(figure: Figure, axes: Axes, view: ConfusionView, scale: Normalize) -> None:
    """Write each count into its cell, unless the largest does not fit."""
    figure.draw_without_rendering()  # the layout decides how wide a cell is
    room = axes.get_window_extent().width / len(view.classes)
    if text_width(figure, f"{view.counts.max(initial=0):,}", SMALL) * 1.15 > room:
        return
    for (row, column), count in np.ndenumerate(view.counts):
        colour = ink_on(colormaps[SHARES](scale(view.shares[row, column])))
        weight = "bold" if row == column else "normal"
        axes.text(
            column,
            row,
            f"{count:,}",
            ha="center",
            va="center",
            color=colour,
            fontsize=SMALL,
            fontweight=weight,
        )
