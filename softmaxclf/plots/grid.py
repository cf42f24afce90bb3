"""The figures of a grid of two settings as heat maps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from softmaxclf.core.search import Outcome
from softmaxclf.plots.figure import (
    DPI,
    INK,
    MISSING,
    PAPER,
    SEQUENTIAL,
    SMALL,
    WIDTH,
    WINNER,
    distinct_numbers,
    in_numbers,
    ink_on,
    new_figure,
    number,
    styled,
    text_width,
    title,
)

MOST_ANNOTATED = 150
SIDE_BY_SIDE_COLUMNS = 8
DIVERGED_STYLE: dict[str, Any] = {"fc": PAPER, "ec": "#8a8a8a", "hatch": "////", "lw": 0.6}
LOG_FROM = 3.0  # ratio of the largest to the least value
TITLES = {"accuracy": "accuracy (%)", "loss": "loss"}
TIED_STYLE: dict[str, Any] = {"ls": "none", "marker": ".", "ms": 5, "color": INK}
STOPPED_TEXT = "stopped early, on a smaller budget"
STOPPED_STYLE: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 4, "mfc": PAPER, "mec": INK, "mew": 0.6}


@dataclass(frozen=True)
class GridTable:
    """The cells laid out: rows are the regularizations, columns the learning rates, both ascending.

    figures: (R, C) validation accuracy in percent and loss, by name, NaN where there is none; metric: accuracy or loss,
    which decides. state: "ok", "cut", "diverged", "stopped" or "missing". tied: which cells cannot be told from the
    best. best: (row, column) of the best cell, or None.
    """

    row_name: str
    column_name: str
    row_values: Sequence[float]
    column_values: Sequence[float]
    figures: Mapping[str, NDArray[np.float64]]
    metric: str
    state: NDArray[np.str_]
    tied: NDArray[np.bool_]
    best: tuple[int, int] | None

    @property
    def panels(self) -> tuple[str, ...]:
        """The names of the figures, the one that decides first."""
        return (self.metric, *(name for name in self.figures if name != self.metric))

    @property
    def heading(self) -> str:
        """Which cell was chosen, by what."""
        if self.best is None:
            return ""
        row, column = self.best
        axes = (self.column_name, self.column_values, column), (self.row_name, self.row_values, row)
        chosen = ", ".join(f"{name} {distinct_numbers(values)[place]}" for name, values, place in axes)
        return f"Chosen by validation {self.metric}: {chosen} ({_shown(self, self.metric)(*self.best)})"


def grid_table(
    cells: Sequence[Outcome], *, best: Mapping[str, float] | None = None, metric: str = "accuracy"
) -> GridTable:
    """Return the cells of a grid of two axes as tables. `best` names the winner, if there is one, by its settings."""
    column_name, row_name = cells[0].values
    rows = sorted({cell.values[row_name] for cell in cells})
    columns = sorted({cell.values[column_name] for cell in cells})
    accuracy = np.full((len(rows), len(columns)), np.nan)
    loss, tied = accuracy.copy(), np.zeros(accuracy.shape, bool)
    state = np.full(accuracy.shape, "missing", dtype="<U8")
    found = None
    for cell in cells:
        place = rows.index(cell.values[row_name]), columns.index(cell.values[column_name])
        state[place] = "missing" if cell.state == "not" else cell.state
        if cell.state != "diverged":
            accuracy[place], loss[place] = 100 * cell.validation_accuracy, cell.validation_loss
            tied[place] = cell.tied
        if cell.values == best:
            found = place
    row_name, column_name = (name.replace("_", " ") for name in (row_name, column_name))
    figures = {"accuracy": accuracy, "loss": loss}
    return GridTable(row_name, column_name, rows, columns, figures, metric, state, tied, found)


@styled
def draw_grid(table: GridTable) -> Figure:
    """Return a figure with two heat maps: the validation figure that decides, and the other; bright is better.

    Tiles carry their number where there are at most 150 and it fits. The best cell is outlined, those that cannot be
    told from it have a dot, diverged cells are hatched, cells stopped early carry a white dot, missing cells are grey;
    the legend says which of these occur.
    """
    rows, columns = table.state.shape
    beside = columns <= SIDE_BY_SIDE_COLUMNS
    panel_height = min(max(rows * 0.34, 0.7), 5.5) + 0.75
    figure = new_figure(WIDTH, (panel_height if beside else 2 * panel_height) + 0.9)
    title(figure, table.heading)
    panels = figure.subplots(*((1, 2) if beside else (2, 1)), sharey=beside, squeeze=False).ravel()
    for axes, name in zip(panels, table.panels, strict=True):
        drawn = _draw_panel(axes, table, name)
        decides = " (decides)" if name == table.metric else ""
        axes.set(title=f"Validation {TITLES[name]}{decides}", xlabel=table.column_name)
        bar = figure.colorbar(drawn, ax=axes, aspect=30, pad=0.02, fraction=0.05)
        bar.outline.set_visible(False)
        bar.minorticks_off()
        in_numbers(bar.ax.yaxis, 3)
    for axes in panels[:1] if beside else panels:
        axes.set_ylabel(table.row_name)
    _legend(figure, table)
    figure.draw_without_rendering()  # the layout decides how wide a tile is, and so whether its number fits
    for axes, name in zip(panels, table.panels, strict=True):
        _annotate(axes, table, name)
        _draw_ties(axes, table, name)
    return figure


def scale_of(values: NDArray[np.float64]) -> Normalize:
    """Return the colour range of the values that are known; 0 to 1 if there are none."""
    known = values[np.isfinite(values)]
    if not known.size:
        return Normalize(0.0, 1.0)
    low, high = float(known.min()), float(known.max())
    if low > 0 and high > LOG_FROM * low:  # a loss far off would leave all others one colour
        return LogNorm(low, high)
    return Normalize(low, high) if high > low else Normalize(low - 0.5, high + 0.5)


def _colours(table: GridTable, name: str) -> tuple[Any, Normalize]:
    """The colour map and range of a panel: what is better is brighter."""
    return colormaps[SEQUENTIAL if name == "accuracy" else f"{SEQUENTIAL}_r"], scale_of(table.figures[name])


def _shown(table: GridTable, name: str) -> Callable[[int, int], str]:
    """What writes the figure of a cell."""
    values = table.figures[name]
    return lambda row, column: (
        f"{values[row, column]:.1f} %" if name == "accuracy" else number(values[row, column], 4)
    )


def _draw_panel(axes: Axes, table: GridTable, name: str) -> Any:
    values = table.figures[name]
    rows, columns = values.shape
    colours, scale = _colours(table, name)
    axes.set_facecolor(MISSING)
    numbered = values.size <= MOST_ANNOTATED
    drawn = axes.pcolormesh(
        np.arange(columns + 1) - 0.5,
        np.arange(rows + 1) - 0.5,
        np.ma.masked_invalid(values),
        cmap=colours,
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
        for colour, line_width in ((PAPER, 4.5), (WINNER, 2.4)):
            outline = Rectangle(place, 1, 1, fill=False, edgecolor=colour, linewidth=line_width)
            outline.set(zorder=4, clip_on=False)
            axes.add_patch(outline)
    return drawn


def _draw_ties(axes: Axes, table: GridTable, name: str) -> None:
    """A dot in the corner of each cell that cannot be told from the best."""
    colours, scale = _colours(table, name)
    for row, column in zip(*np.nonzero(table.tied), strict=True):
        value = table.figures[name][row, column]
        axes.plot(column - 0.4, row + 0.3, **{**TIED_STYLE, "color": ink_on(colours(scale(value)))})


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


def _annotate(axes: Axes, table: GridTable, name: str) -> None:
    values = table.figures[name]
    rows, columns = values.shape
    box = axes.get_window_extent()
    texts = {
        place: f"{value:.1f}" if name == "accuracy" else f"{value:.3g}"
        for place, value in np.ndenumerate(values)
        if np.isfinite(value)
    }
    widest = max((text_width(text, SMALL) for text in texts.values()), default=0.0)
    wide_enough = widest < 0.85 * box.width / columns
    high_enough = box.height / rows > 1.2 * SMALL / 72 * DPI
    if values.size > MOST_ANNOTATED or not (wide_enough and high_enough):
        return
    colours, scale = _colours(table, name)
    for (row, column), text in texts.items():
        colour = ink_on(colours(scale(values[row, column])))
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=SMALL)


def _legend(figure: Figure, table: GridTable) -> None:
    handles: list[Any] = [
        Patch(facecolor="none", edgecolor=WINNER, linewidth=2, label=f"best by validation {table.metric}"),
        Line2D([], [], label="cannot be told from it", **TIED_STYLE),
        Patch(label="diverged", **DIVERGED_STYLE),
        Line2D([], [], label=STOPPED_TEXT, **STOPPED_STYLE),
        Patch(facecolor=MISSING, label="not run"),
    ]
    occurs = [
        table.best is not None,
        table.tied.any(),
        *((table.state == each).any() for each in ("diverged", "stopped", "missing")),
    ]
    handles = list(compress(handles, occurs))
    if handles:
        figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), handlelength=1.6)
