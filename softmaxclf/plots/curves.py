"""Loss and accuracy over the iterations of one run, or of several runs laid over each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from softmaxclf.core.problem import HISTORY_COLUMNS
from softmaxclf.plots.figure import (
    COLOURS,
    FAINT,
    LOG_FROM,
    PAPER,
    SEQUENTIAL,
    TRAIN,
    VALIDATION,
    WIDTH,
    fit_text,
    in_numbers,
    logarithmic,
    new_figure,
    number,
    spread,
    styled,
    title,
)

Series = tuple[NDArray[np.float64], NDArray[np.float64]]
SMOOTH_FROM = 40  # points of the loss from which its running mean is drawn over it
PANELS = ("loss", "accuracy")
MOST_THICK = 2.4  # of the first of several runs, so that others that lie on it do not hide it
SOLID: dict[str, Any] = {"linewidth": 1.8}
END: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 6.5}
DASHED: dict[str, Any] = {"linewidth": 1.2, "linestyle": (0, (3, 2))}


@dataclass(frozen=True)
class LearningCurves:
    """One run's curves, each a pair (iterations, values) without gaps; accuracies in percent.

    `smooth_loss` and `smooth_train` are the centred running means of `loss` and `train`, or these themselves where they
    have few points. `final`: accuracy (percent) and loss on all rows in the end, of "train" and "validation".
    """

    name: str
    loss: Series
    smooth_loss: Series
    train: Series
    smooth_train: Series
    validation: Series
    validation_loss: Series
    final: Mapping[str, tuple[float, float]]


def learning_curves(
    history: ArrayLike, *, name: str = "", splits: Mapping[str, Mapping[str, Any]] | None = None
) -> LearningCurves:
    """Return the curves of a history: lines (T, 5) of HISTORY_COLUMNS, accuracies as shares.

    splits: accuracy and loss of the finished model by split. Values that are not finite (not measured, or after
    divergence) are left out, so that a line joins the measured points.
    """
    columns = np.reshape(history, (-1, len(HISTORY_COLUMNS))).astype(np.float64).T
    iteration, loss, train, validation, validation_loss = columns
    final = {
        split: (100 * figures["accuracy"], figures["loss"])
        for split, figures in (splits or {}).items()
        if split in ("train", "validation")
        and figures["accuracy"] is not None
        and figures["loss"] is not None
    }
    losses, trained = _measured(iteration, loss), _measured(iteration, 100 * train)
    return LearningCurves(
        name=name,
        loss=losses,
        smooth_loss=_smooth(losses),
        train=trained,
        smooth_train=_smooth(trained),
        validation=_measured(iteration, 100 * validation),
        validation_loss=_measured(iteration, validation_loss),
        final=final,
    )


def curves_of_cells(lines: ArrayLike) -> list[LearningCurves]:
    """Return the curves of several cells: lines (T, n + 5), the settings of the cell before those of its history."""
    table = np.array(lines, np.float64, ndmin=2)
    if not table.size:
        return []
    settings, history = np.split(table, [-len(HISTORY_COLUMNS)], axis=1)
    cells = dict.fromkeys(map(tuple, settings.tolist()))
    return [learning_curves(history[(settings == cell).all(axis=1)]) for cell in cells]


def _smooth(series: Series) -> Series:
    places, values = series
    return places, running_mean(values, len(values) // 25 if len(values) >= SMOOTH_FROM else 0)


def _measured(x: NDArray[np.float64], y: NDArray[np.float64]) -> Series:
    known = np.isfinite(y)
    return x[known], y[known]


def running_mean(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return for each place the mean over up to `width` places on either side.

    At the start, where a loss falls fast, the window shrinks on both sides alike, so that the first value
    and any straight line stay as they are; at the end it looks back only.
    """
    # Not by differences of one running sum: a single loss of 1e30 in it would drown all others.
    means = np.empty(len(values))
    for place in range(len(values)):
        back = min(width, place)
        means[place] = values[place - back : place + back + 1].mean()
    return means


@styled
def draw_curves(
    runs: Sequence[LearningCurves],
    *,
    panels: Sequence[str] = PANELS,
    heading: str | None = None,
    others: Sequence[LearningCurves] = (),
    along: str = "iteration",
) -> Figure:
    """Return a figure with the loss on the left, and train and validation accuracy on the right, or one of them.

    One run: train and validation have a colour each, noisy lines are drawn smooth over pale ones, points at the end are
    the figures on all rows, and pale lines those of the `others`, by validation. Several: a colour per run, training
    dashed, and each thinner than the one before it, so that none hides another. along: what the histories count.
    """
    figure = new_figure(WIDTH * len(panels) / 2, 3.5)
    title(figure, heading)
    colours = run_colours(len(runs))
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for other in others:
            validated = other.validation_loss if panel == "loss" else other.validation
            axes.plot(*validated, color=FAINT, alpha=0.3, linewidth=0.8, zorder=1)
        if len(runs) == 1:
            _draw_one(axes, runs[0], panel, bool(others))
        else:
            (_draw_losses if panel == "loss" else _draw_accuracies)(axes, runs, colours)
        axes.set_xlabel(along)
        axes.grid(visible=True)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        in_numbers(axes.xaxis)
        _reveal(axes, colours)
    if len(runs) > 1:
        _legend_of_runs(figure, runs, colours)
    return figure


def _draw_one(axes: Axes, run: LearningCurves, panel: str, others: bool) -> None:
    """Training and validation of one run."""
    losses = panel == "loss"
    axes.set(title="Loss" if losses else "Accuracy", ylabel="loss" if losses else "accuracy (%)")
    drawn = {
        "train": (run.smooth_loss, run.loss) if losses else (run.smooth_train, run.train),
        "validation": (run.validation_loss if losses else run.validation, None),
    }
    handles = []
    for (name, (series, raw)), colour in zip(drawn.items(), (TRAIN, VALIDATION), strict=True):
        if not len(series[0]):
            continue
        if raw is not None and len(raw[0]) >= SMOOTH_FROM:
            axes.plot(*raw, color=colour, alpha=0.25, linewidth=0.8)
        _line(axes, series, color=colour, **SOLID)
        told = name
        if name in run.final:
            end = run.final[name][losses]
            axes.plot(series[0][-1], end, color=colour, mec=PAPER, mew=0.8, clip_on=False, zorder=4, **END)
            told = f"{name} ({number(end, 4)} on all rows)" if losses else f"{name} ({end:.1f} % on all rows)"
        handles.append(Line2D([], [], label=told, color=colour, **SOLID))
    if others:
        handles.append(Line2D([], [], label="other cells, validation", color=FAINT, alpha=0.5, linewidth=0.8))
    if losses and (own := np.concatenate([run.loss[1], run.validation_loss[1]])).size:
        if spread(own) >= LOG_FROM:
            logarithmic(axes)
        room = 0.06 * np.ptp(own) or 0.1  # whatever the losses of other cells are
        axes.set_ylim(0.8 * own.min() if spread(own) >= LOG_FROM else own.min() - room, own.max() + room)
    if handles:
        axes.legend(handles=handles, loc="upper right" if losses else "lower right")


def _reveal(axes: Axes, colours: Sequence[str]) -> None:
    """Draw the unbroken lines of each of several colours thinner than those of the one before, which show beside it."""
    most = MOST_THICK if 1 < len(colours) <= len(COLOURS) else 1.0
    factors = dict(zip(colours, np.linspace(most, 1.0, len(colours)), strict=True))
    for line in axes.lines:
        if line.get_linestyle() == "-":
            line.set_linewidth(line.get_linewidth() * factors.get(str(line.get_color()), 1.0))


def run_colours(count: int) -> list[str]:
    """Return `count` colours to tell apart; beyond the seven named ones, steps of one colour scale."""
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    return [to_hex(colour) for colour in colormaps[SEQUENTIAL](np.linspace(0.0, 0.93, count))]


def _line(axes: Axes, series: Series, **style: Any) -> None:
    axes.plot(*series, marker="o" if len(series[0]) <= 12 else None, markersize=3.5, **style)


def _draw_losses(axes: Axes, runs: Sequence[LearningCurves], colours: Sequence[str]) -> None:
    axes.set(title="Training loss", ylabel="loss")
    for run, colour in zip(runs, colours, strict=True):
        if len(run.loss[0]) >= SMOOTH_FROM:
            axes.plot(*run.loss, color=colour, alpha=0.25, linewidth=0.8)
        _line(axes, run.smooth_loss, color=colour, **SOLID)
    if spread(np.concatenate([run.loss[1] for run in runs] or [np.empty(0)])) >= LOG_FROM:
        logarithmic(axes)


def _draw_accuracies(axes: Axes, runs: Sequence[LearningCurves], colours: Sequence[str]) -> None:
    axes.set(title="Accuracy", ylabel="accuracy (%)")
    handles = []
    for name, style in {"smooth_train": DASHED, "validation": SOLID}.items():
        for run, colour in zip(runs, colours, strict=True):
            _line(axes, getattr(run, name), **{"color": colour, **style})
        if any(len(getattr(run, name)[0]) for run in runs):
            label = name.removeprefix("smooth_")
            handles.append(Line2D([], [], label=label, **{"color": FAINT, **style}))
    if handles:
        axes.legend(handles=handles, loc="lower right")


def _legend_of_runs(figure: Figure, runs: Sequence[LearningCurves], colours: Sequence[str]) -> None:
    columns = min(len(runs), 4)
    room = figure.bbox.width / columns - 90
    handles = [
        Line2D([], [], color=colour, linewidth=2.5, label=fit_text(run.name, room))
        for run, colour in zip(runs, colours, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
