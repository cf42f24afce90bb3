"""The accuracies of a grid of two settings as heat maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from softmaxclf.core.search import Outcome
from softmaxclf.plots.figure import (
    COLOURS,
    DPI,
    INK,
    MISSING,
    PAPER,
    SEQUENTIAL,
    SMALL,
    WIDTH,
    distinct_numbers,
    ink_on,
    new_figure,
    styled,
    text_width,
)

MOST_ANNOTATED = 150
SIDE_BY_SIDE_COLUMNS = 8
BEST_COLOUR = COLOURS[1]
DIVERGED_STYLE: dict[str, Any] = {"fc": PAPER, "ec": "#8a8a8a", "hatch": "////", "lw": 0.6}
STOPPED_TEXT = "stopped early, on a smaller budget"
STOPPED_STYLE: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 4, "mfc": PAPER, "mec": INK, "mew": 0.6}


@dataclass(frozen=True)
class GridTable:
    """The cells laid out: rows are `row_values`, columns `column_values`, both ascending.

    `train` and `validation` hold percent, NaN where there is none;
    `state` holds "ok", "cut", "diverged", "stopped" or "missing"; `best` is the (row, column) of the best cell, or
    None.
    """

    row_name: str
    column_name: str
    row_values: Sequence[float]
    column_values: Sequence[float]
    train: NDArray[np.float64]
    validation: NDArray[np.float64]
    state: NDArray[np.str_]
    best: tuple[int, int] | None


def grid_table(cells: Sequence[Outcome], *, best: Mapping[str, float] | None = None) -> GridTable:
    """Return the cells of a grid of two axes as tables.

    The axis with more values becomes the rows, so that tiles stay wide enough. `best` names the winner, if there
    is one, by its settings.
    """
    column_name, row_name = sorted(cells[0].values, key=lambda name: len({c.values[name] for c in cells}))
    rows = sorted({cell.values[row_name] for cell in cells})
    columns = sorted({cell.values[column_name] for cell in cells})
    train = np.full((len(rows), len(columns)), np.nan)
    validation, state = train.copy(), np.full(train.shape, "missing", dtype="<U8")
    found = None
    for cell in cells:
        place = rows.index(cell.values[row_name]), columns.index(cell.values[column_name])
        state[place] = "missing" if cell.state == "not" else cell.state
        if cell.state != "diverged":
            train[place], validation[place] = 100 * cell.train_accuracy, 100 * cell.validation_accuracy
        if cell.values == best:
            found = place
    row_name, column_name = (name.replace("_", " ") for name in (row_name, column_name))
    return GridTable(row_name, column_name, rows, columns, train, validation, state, found)


@styled
def draw_grid(table: GridTable) -> Figure:
    """Return a figure with two heat maps on one colour scale, train and validation accuracy in percent.

    Tiles carry their number where there are at most 150 and it fits. The best cell is outlined, diverged
    cells are hatched, cells stopped early carry a white dot, missing cells are grey; the legend says which of
    these occur.
    """
    rows, columns = table.validation.shape
    beside = columns <= SIDE_BY_SIDE_COLUMNS
    panel_height = min(max(rows * 0.34, 0.7), 5.5) + 0.75
    figure = new_figure(WIDTH, (panel_height if beside else 2 * panel_height) + 0.55)
    panels = figure.subplots(*((1, 2) if beside else (2, 1)), sharey=beside, squeeze=False).ravel()
    scale = accuracy_scale(table)
    for axes, values, name in zip(
        panels, (table.train, table.validation), ("Train", "Validation"), strict=True
    ):
        drawn = _draw_panel(axes, table, values, scale)
        axes.set(title=f"{name} accuracy (%)", xlabel=table.column_name)
    for axes in panels[:1] if beside else panels:
        axes.set_ylabel(table.row_name)
    bar = figure.colorbar(drawn, ax=list(panels), aspect=30, pad=0.02, fraction=0.05)
    bar.outline.set_visible(False)
    _legend(figure, table)
    figure.draw_without_rendering()  # the layout decides how wide a tile is, and so whether its number fits
    for axes, values in zip(panels, (table.train, table.validation), strict=True):
        _annotate(axes, values, scale)
    return figure


def accuracy_scale(table: GridTable) -> Normalize:
    """Return one colour range (percent) over the accuracies of both panels; 0 to 100 if there are none."""
    values = np.concatenate([table.train.ravel(), table.validation.ravel()])
    values = values[np.isfinite(values)]
    if not values.size:
        return Normalize(0.0, 100.0)
    low, high = float(values.min()), float(values.max())
    return Normalize(low, high) if high > low else Normalize(low - 0.5, high + 0.5)


def _draw_panel(axes: Axes, table: GridTable, values: NDArray[np.float64], scale: Normalize) -> Any:
    rows, columns = values.shape
    axes.set_facecolor(MISSING)
    numbered = values.size <= MOST_ANNOTATED
    drawn = axes.pcolormesh(
        np.arange(columns + 1) - 0.5,
        np.arange(rows + 1) - 0.5,
        np.ma.masked_invalid(values),
        cmap=SEQUENTIAL,
        norm=scale,
        edgecolor=PAPER if numbered else "none",
        linewidth=1.0 if numbered else 0.0,
        rasterized=not numbered,
    )
    _label_axis(axes, table)
    for row, column in zip(*np.nonzero(table.state == "diverged"), strict=True):
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **DIVERGED_STYLE))
    for row, column in zip(*np.nonzero(table.state == "stopped"), strict=True):
        axes.plot(column + 0.42, row + 0.34, **STOPPED_STYLE)
    if table.best is not None:
        place = (table.best[1] - 0.5, table.best[0] - 0.5)
        for colour, line_width in ((PAPER, 4.5), (BEST_COLOUR, 2.4)):
            outline = Rectangle(place, 1, 1, fill=False, edgecolor=colour, linewidth=line_width)
            outline.set(zorder=4, clip_on=False)
            axes.add_patch(outline)
    return drawn


def _label_axis(axes: Axes, table: GridTable) -> None:
    rows, columns = distinct_numbers(table.row_values), distinct_numbers(table.column_values)
    step = -(-len(rows) // 25)
    axes.set_yticks(range(0, len(rows), step), rows[::step])
    step = -(-len(columns) // 16)
    slanted: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    straight = max(map(len, columns)) * len(columns) / step <= 34
    axes.set_xticks(range(0, len(columns), step), columns[::step], **({} if straight else slanted))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _annotate(axes: Axes, values: NDArray[np.float64], scale: Normalize) -> None:
    rows, columns = values.shape
    box = axes.get_window_extent()
    wide_enough = text_width("100.0", SMALL) < 0.95 * box.width / columns
    high_enough = box.height / rows > 1.2 * SMALL / 72 * DPI
    if values.size > MOST_ANNOTATED or not (wide_enough and high_enough):
        return
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = ink_on(colormaps[SEQUENTIAL](scale(value)))
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", color=colour, fontsize=SMALL)


def _legend(figure: Figure, table: GridTable) -> None:
    handles: list[Any] = [
        Patch(facecolor="none", edgecolor=BEST_COLOUR, linewidth=2, label="best"),
        Patch(label="diverged", **DIVERGED_STYLE),
        Line2D([], [], label=STOPPED_TEXT, **STOPPED_STYLE),
        Patch(facecolor=MISSING, label="not run"),
    ]
    occurs = [
        table.best is not None,
        *((table.state == each).any() for each in ("diverged", "stopped", "missing")),
    ]
    handles = list(compress(handles, occurs))
    if handles:
        figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), handlelength=1.6)
