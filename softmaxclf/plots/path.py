"""A grid of one axis as curves over its values: accuracy, loss, and how large the weights are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from softmaxclf.core.metrics import TWO_SIDED_95
from softmaxclf.core.search import FURTHER, MEASURED, Outcome, only_axis
from softmaxclf.plots.figure import (
    DPI,
    FAINT,
    INK,
    LOG_FROM,
    MISSING,
    PAPER,
    SMALL,
    TRAIN,
    VALIDATION,
    WIDTH,
    distinct_numbers,
    logarithmic,
    new_figure,
    number,
    spread,
    styled,
    text_width,
    title,
)
from softmaxclf.plots.grid import DIVERGED_STYLE, STOPPED_TEXT, TIED_STYLE, draw_grid, grid_table

Array = NDArray[np.float64]
DECADES_FROM = 100.0  # ratio of the largest to the least value from which powers of ten are labelled
DOTS_TO = 24  # values; of more, training has a line alone
CHOSEN_LINE: dict[str, Any] = {"color": FAINT, "linewidth": 1.0, "linestyle": (0, (4, 3)), "zorder": 1}
CHOSEN_STAR: dict[str, Any] = {"marker": "*", "ms": 13, "mfc": INK, "mec": PAPER, "mew": 0.8, "ls": "none"}
HOLLOW = {"unproven": "not proven", "stopped": STOPPED_TEXT}


@dataclass(frozen=True)
class PathTable:
    """The n cells of a grid of one axis, by ascending value.

    figures: (n,) each by its name in Outcome, accuracies in percent, NaN where there is none. bands: (2, n) low and
    high of the validation figures; `band` says of what. state: (n,) "ok", "cut", "unproven", "stopped", "diverged" or
    "not" (started). tied: (n,) which cannot be told from the chosen cell. best: the place of that, or None. metric:
    accuracy or loss, by which it was chosen.
    """

    name: str
    values: Sequence[float]
    figures: Mapping[str, Array]
    bands: Mapping[str, Array]
    band: str
    state: NDArray[np.str_]
    tied: NDArray[np.bool_]
    best: int | None
    metric: str

    @property
    def heading(self) -> str:
        """Which cell was chosen, by what."""
        if self.best is None:
            return ""
        chosen = distinct_numbers(self.values)[self.best]
        reached = self.figures[f"validation_{self.metric}"][self.best]
        figure = f"{reached:.2f} %" if self.metric == "accuracy" else f"{reached:.4f}"
        return f"Chosen by validation {self.metric}: {self.name} {chosen} ({figure})"


def draw_cells(
    cells: Sequence[Outcome],
    *,
    best: Mapping[str, float],
    metric: str = "accuracy",
    folds: int = 0,
    repeats: int = 1,
) -> Figure:
    """Return the picture of a grid: curves along its one axis, or heat maps of two."""
    axis = only_axis(cells)
    if axis is None:
        return draw_grid(grid_table(cells, best=best, metric=metric))
    return draw_path(path_table(cells, axis, best=best, metric=metric, folds=folds, repeats=repeats))


def path_table(
    cells: Sequence[Outcome],
    axis: str,
    *,
    best: Mapping[str, float] | None = None,
    metric: str = "accuracy",
    folds: int = 0,
    repeats: int = 1,
) -> PathTable:
    """Return the cells of a grid in which nothing but `axis` varies as curves.

    Bands are 95 % intervals; with folds one standard error, with repeats one standard deviation to either side. `best`
    names the winner by its settings.
    """
    cells = sorted(cells, key=lambda cell: cell.values[axis])
    known = np.array([cell.state not in ("diverged", "not") for cell in cells])
    held = {n: np.array([getattr(cell, n) for cell in cells], np.float64) for n in (*MEASURED, *FURTHER)}
    figures = {
        name: np.where(known & np.isfinite(column), column, np.nan) * (100 if "accuracy" in name else 1)
        for name, column in held.items()
    }
    times = 1 if folds else TWO_SIDED_95
    intervals = 100 * np.array([cell.interval for cell in cells]).T
    around = {"accuracy": 100 * figures["error"], "loss": times * figures["loss_error"]}
    if repeats > 1:
        around = {"accuracy": figures["validation_accuracy_sd"], "loss": figures["validation_loss_sd"]}
    bands = {f"validation_{n}": figures[f"validation_{n}"] + np.outer((-1, 1), e) for n, e in around.items()}
    # No loss is below 0. This is out of sight on a logarithmic axis, and 0 to the eye on another.
    least = np.fmin.reduce([figures["train_loss"], figures["validation_loss"]], axis=None) / 10
    bands["validation_loss"] = np.maximum(bands["validation_loss"], least)
    if not folds and repeats == 1:
        bands["validation_accuracy"] = np.where(known, intervals, np.nan)
    return PathTable(
        axis.replace("_", " "),
        [cell.values[axis] for cell in cells],
        figures,
        bands,
        _band(folds, repeats),
        np.array(["unproven" if cell.figures.get("proven") is False else cell.state for cell in cells]),
        np.array([cell.tied for cell in cells]),
        next((place for place, cell in enumerate(cells) if cell.values == best), None),
        metric,
    )


def _band(folds: int, repeats: int) -> str:
    """What the bands are."""
    if repeats > 1:
        return f"± standard deviation over {repeats} repeats"
    return f"± standard error over {folds} folds" if folds else "95 % interval"


@styled
def draw_path(table: PathTable) -> Figure:
    """Return a figure of panels over one logarithmic axis: accuracy, loss, norm of the weights where it is known.

    The star sits on the curve by which the winner was chosen. Values without figures are gaps, hatched where cells
    diverged and grey where they were not run; a hollow marker is a cell that was not brought to its end.
    """
    panels: list[tuple[str, tuple[str, ...]]] = [("Accuracy (%)", ("train_accuracy", "validation_accuracy")),
              ("Loss", ("train_loss", "validation_loss"))]  # fmt: skip
    if (table.figures["weight_norm"] > 0).any():
        panels.append(("Norm of the weights ‖W‖", ("weight_norm",)))
    figure = new_figure(WIDTH, 0.9 + 1.95 * len(panels))
    title(figure, table.heading)
    places = log_places(table.values)
    for axes, (name, shown) in zip(figure.subplots(len(panels), sharex=True), panels, strict=True):
        axes.set_title(name)
        axes.grid(visible=True)
        _draw_gaps(axes, table, places)
        for each in shown:
            _draw_curve(axes, table, places, each)
        if spread(table.figures[shown[-1]]) >= LOG_FROM or shown == ("weight_norm",):
            logarithmic(axes)
            axes.set_ylim(bottom=0.7 * np.fmin.reduce([table.figures[each] for each in shown], axis=None))
        if table.best is not None:
            axes.axvline(places[table.best], **CHOSEN_LINE)
            if f"validation_{table.metric}" in shown:
                star = table.figures[shown[-1]][table.best]
                axes.plot(places[table.best], star, zorder=5, **CHOSEN_STAR)
                for tied in places[table.tied]:
                    axes.plot(tied, 0.03, transform=axes.get_xaxis_transform(), **TIED_STYLE)
    axes.set_xlim(*borders(places)[[0, -1]])
    label_values(axes, table.values, places, room=0.85 * WIDTH * DPI)
    axes.set_xlabel(f"{table.name} (logarithmic)")
    _legend(figure, table)
    return figure


def log_places(values: Sequence[float]) -> Array:
    """Where ascending values (n,) stand on a logarithmic axis; 0 stands one step before the others."""
    above = np.log10([value for value in values if value > 0] or [1.0])
    step = float(np.median(np.diff(above))) if len(above) > 1 else 1.0
    return np.concatenate([[above[0] - step] * (len(values) - len(above)), above])


def borders(places: Array) -> Array:
    """The borders (n + 1,) between ascending places, and half a step beyond the outer ones."""
    inner = (places[1:] + places[:-1]) / 2
    first, last = (places[0] - inner[0], inner[-1] - places[-1]) if len(inner) else (-0.5, -0.5)
    return np.concatenate([[places[0] + first], inner, [places[-1] - last]])


def label_values(axes: Axes, values: Sequence[float], places: Array, room: float) -> None:
    """Label powers of ten, or the values themselves where they span less, as many as fit `room` pixels."""
    above = [value for value in values if value > 0]
    marks, texts = list(places), distinct_numbers(values)
    if above and above[-1] >= DECADES_FROM * above[0]:
        powers = range(int(np.ceil(places[-len(above)] - 1e-9)), int(np.floor(places[-1] + 1e-9)) + 1)
        marks = [*places[: -len(above)], *powers]
        texts = [*(["0"] * (len(values) - len(above))), *(number(10.0**power) for power in powers)]
    width = (max(text_width(text, SMALL) for text in texts) + 12) * np.ptp(borders(places)[[0, -1]]) / room
    kept: list[int] = []
    for mark in range(len(marks)):
        if not kept or marks[mark] - marks[kept[-1]] >= width:
            kept.append(mark)
    axes.set_xticks([marks[mark] for mark in kept], [texts[mark] for mark in kept])


def _draw_gaps(axes: Axes, table: PathTable, places: Array) -> None:
    """What there are no figures of, from border to border."""
    edges = borders(places)
    for place, state in enumerate(table.state):
        if state in ("diverged", "not"):
            style = DIVERGED_STYLE if state == "diverged" else {"fc": MISSING, "lw": 0}
            axes.axvspan(edges[place], edges[place + 1], zorder=0.5, **style)


def _draw_curve(axes: Axes, table: PathTable, places: Array, name: str) -> None:
    """One curve with its band. Cells that were stopped on a smaller budget are not joined to the others."""
    values = table.figures[name]
    colour = TRAIN if name.startswith("train") else VALIDATION if name.startswith("validation") else INK
    joined = np.where(table.state == "stopped", np.nan, values)
    if name in table.bands:
        low, high = table.bands[name]
        alone = _alone(low + joined) & np.isfinite(low)
        axes.fill_between(places, low, high, where=np.isfinite(joined), color=colour, alpha=0.18, linewidth=0)
        axes.vlines(places[alone], low[alone], high[alone], color=colour, alpha=0.5, linewidth=1.5)
    axes.plot(places, joined, color=colour, linewidth=1.6, ls="--" if colour == TRAIN else "-")
    hollow = np.isin(table.state, list(HOLLOW))
    size = 4.0 if len(places) <= DOTS_TO else 2.8
    dotted = ~hollow & (_alone(joined) | (colour != TRAIN) | (len(places) <= DOTS_TO))
    for which, face in ((dotted, colour), (hollow, PAPER)):
        dots: dict[str, Any] = {"ls": "none", "marker": "o", "ms": size + (face == PAPER), "zorder": 3}
        axes.plot(places[which], values[which], mfc=face, mec=colour, mew=1.0, **dots)


def _alone(values: Array) -> NDArray[np.bool_]:
    """Which places (n,) no line reaches: without a figure, or without one on either side."""
    known = np.isfinite(values)
    reached: NDArray[np.bool_] = known & (np.append(known[1:], False) | np.append(False, known[:-1]))
    return ~reached


def _legend(figure: Figure, table: PathTable) -> None:
    line: dict[str, Any] = {"marker": "o", "ms": 4, "linewidth": 1.6}
    hollow = [text for state, text in HOLLOW.items() if (table.state == state).any()]
    handles: list[Any] = [
        Line2D([], [], color=VALIDATION, label="validation", **line),
        Patch(facecolor=VALIDATION, alpha=0.25, label=table.band),
        Line2D([], [], color=TRAIN, label="training", ls="--", **line),
        Line2D([], [], label=f"best by validation {table.metric}", **CHOSEN_STAR),
        Line2D([], [], label="cannot be told from it", **TIED_STYLE),
        Line2D([], [], ls="none", marker="o", ms=5, mfc=PAPER, mec=INK, label=" or ".join(hollow)),
        Patch(label="diverged", **DIVERGED_STYLE),
        Patch(facecolor=MISSING, label="not run"),
    ]
    occurs = [
        True,
        any(np.isfinite(band).any() for band in table.bands.values()),
        True,
        table.best is not None,
        table.tied.any(),
        bool(hollow),
        *((table.state == state).any() for state in ("diverged", "not")),
    ]
    figure.legend(handles=list(compress(handles, occurs)), loc="outside lower left", ncols=4)
