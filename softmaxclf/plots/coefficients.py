"""How the weights of few features grow from class to class as the regularization lets go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from softmaxclf.core.search import STRENGTH, Outcome, only_axis
from softmaxclf.plots.figure import (
    COLOURS,
    DPI,
    FAINT,
    INK,
    MEDIUM,
    SMALL,
    WIDTH,
    distinct_numbers,
    fit_text,
    in_numbers,
    left_out,
    new_figure,
    styled,
    text_width,
    title,
)
from softmaxclf.plots.path import CHOSEN_LINE, borders, label_values, log_places

Array = NDArray[np.float64]
NAMED = 4  # features of a class with a label
LINE = 1.25 * SMALL / 72  # inches: the least distance between labels
PANEL = 1.9  # inches: a panel's height
LEADER = 20  # pixels from a line to its name
MOST_NAME = 170  # pixels of a feature's name
PALETTE = COLOURS[:6]  # without black, which a dark page swallows
DASHED = PALETTE[4:]  # which a dark page brings close to the first two
GREY: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.6, "zorder": 2}


@dataclass(frozen=True)
class Coefficients:
    """weights: (n, D, K) at n ascending regularizations, NaN where there are none. best: the place of the chosen one.

    colours: (D,) the same in every class.
    """

    values: Sequence[float]
    weights: Array
    colours: Sequence[str]
    best: int | None


def coefficients(cells: Sequence[Outcome], *, best: Mapping[str, float] | None = None) -> Coefficients | None:
    """Return the paths of the weights of cells that differ in their regularization; None where none has weights.

    The features of largest absolute weight anywhere have a colour each, the others are grey.
    """
    shape = next((cell.weights.shape for cell in cells if cell.weights is not None), None)
    if shape is None or only_axis(cells) != STRENGTH:
        return None
    cells = sorted(cells, key=lambda cell: cell.values[STRENGTH])
    weights = np.array([np.full(shape, np.nan) if cell.weights is None else cell.weights for cell in cells])
    strongest = np.argsort(-np.abs(np.nan_to_num(weights)).max(axis=(0, 2)), kind="stable")
    colours = dict(zip(strongest.tolist(), PALETTE, strict=False))
    return Coefficients(
        [cell.values[STRENGTH] for cell in cells],
        weights,
        [colours.get(feature, FAINT) for feature in range(shape[0])],
        next((place for place, cell in enumerate(cells) if cell.values == best), None),
    )


@styled
def draw_coefficients(
    paths: Coefficients, class_names: Sequence[str], feature_names: Sequence[str] | None = None
) -> Figure:
    """Return a figure with one panel per class on one scale; its strongest features are named where weights are free.

    class_names: of all classes, of which `paths` may hold the first. feature_names: (D,), numbers where there are none.
    """
    called = feature_names or [f"feature {feature}" for feature in range(len(paths.colours))]
    classes = paths.weights.shape[2]
    columns = 2 if classes in (2, 4) else min(classes, 3)
    lines = -(-classes // columns)
    figure = new_figure(WIDTH, 0.8 + (PANEL + 0.35) * lines)
    heading = "Weights of each class by regularization"
    if paths.best is not None:
        heading += f"; dashed: the chosen one, {distinct_numbers(paths.values)[paths.best]}"
    title(figure, heading, left_out(classes, len(class_names)))
    places = log_places(paths.values)
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    ends = borders(places)[[0, -1]]
    shown = [fit_text(name, MOST_NAME) for name in called]
    names = max(text_width(name, SMALL) for name in shown) + LEADER  # pixels on the left
    pixel = np.ptp(ends) / (WIDTH * DPI / columns - 40 - names)
    for k, axes in enumerate(panels[:classes]):
        _draw_class(axes, paths, places, k)
        axes.set_title(fit_text(class_names[k], figure.bbox.width / columns - 60, MEDIUM))
        last = k % columns == columns - 1 or k == classes - 1
        axes.tick_params(left=False, labelleft=False, right=True, labelright=last)
        axes.spines["left"].set_visible(False)
        axes.spines["right"].set_visible(True)
        axes.tick_params(labelbottom=k + columns >= classes)
        if k + columns >= classes:
            axes.set_xlabel("regularization (logarithmic)")
    in_numbers(axes.yaxis, 3)
    axes.set_xlim(ends[0] - pixel * names, ends[1])
    label_values(axes, paths.values, places, room=np.ptp(ends) / pixel)
    for axes in panels[classes:]:
        axes.remove()
    for k, axes in enumerate(panels[:classes]):
        _name_strongest(axes, paths, places, k, LEADER * pixel, shown)
    return figure


def _draw_class(axes: Axes, paths: Coefficients, places: Array, k: int) -> None:
    axes.grid(visible=True, axis="y")
    axes.margins(y=0.12)
    axes.axhline(0, color=INK, linewidth=0.8)
    for feature, colour in enumerate(paths.colours):
        style: dict[str, Any] = {"linewidth": 1.8, "ls": "--" if colour in DASHED else "-", "zorder": 3}
        style = GREY if colour == FAINT else style
        axes.plot(places, paths.weights[:, feature, k], color=colour, **style)
    if paths.best is not None:
        axes.axvline(places[paths.best], **CHOSEN_LINE)


def _name_strongest(
    axes: Axes, paths: Coefficients, places: Array, k: int, leader: float, names: Sequence[str]
) -> None:
    """Names beside the ends of the strongest lines, from bottom to top, apart from each other."""
    weights = paths.weights[:, :, k]
    strongest = np.argsort(-np.abs(np.nan_to_num(weights)).max(axis=0), kind="stable")[:NAMED]
    start = int(np.flatnonzero(np.isfinite(weights).all(axis=1))[0])
    low, high = axes.get_ylim()
    heights = weights[start, strongest]
    order = np.argsort(heights)
    for place, height in zip(order, apart(heights[order], (high - low) * LINE / PANEL), strict=True):
        feature = int(strongest[place])
        axes.annotate(
            names[feature], (places[start], heights[place]), (places[0] - leader, height), va="center",
            ha="right", fontsize=SMALL,
            arrowprops={"arrowstyle": "-", "color": paths.colours[feature], "lw": 1.2, "shrinkA": 1, "shrinkB": 0,
                        "relpos": (1, 0.5)},
        )  # fmt: skip


def apart(heights: Array, gap: float) -> Array:
    """Ascending heights (n,) moved as little as it takes that they are `gap` from each other: isotonic regression."""
    count, ranks = len(heights), gap * np.arange(len(heights))
    free = heights - ranks
    best = [
        max(min(free[a : b + 1].mean() for b in range(i, count)) for a in range(i + 1)) for i in range(count)
    ]
    moved: Array = ranks + best
    return moved
