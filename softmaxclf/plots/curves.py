"""Loss and accuracy over the iterations of one run, or of several runs laid over each other."""

from collections.abc import Sequence
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

from softmaxclf.plots.figure import (
    COLOURS,
    FAINT,
    LOG_FROM,
    SEQUENTIAL,
    WIDTH,
    fit_text,
    in_numbers,
    logarithmic,
    new_figure,
    spread,
    styled,
    title,
)

Series = tuple[NDArray[np.float64], NDArray[np.float64]]
SMOOTH_FROM = 40  # points of the loss from which its running mean is drawn over it
PANELS = ("loss", "accuracy")
MOST_THICK = 2.4  # of the first of several runs, so that others that lie on it do not hide it
SOLID: dict[str, Any] = {"linewidth": 1.8}
DASHED: dict[str, Any] = {"linewidth": 1.2, "linestyle": (0, (3, 2))}


@dataclass(frozen=True)
class LearningCurves:
    """One run's curves, each a pair (iterations, values) without gaps; accuracies in percent.

    `smooth_loss` is the centred running mean of `loss`, or `loss` itself where it has few points.
    """

    name: str
    loss: Series
    smooth_loss: Series
    train: Series
    validation: Series


def learning_curves(history: ArrayLike, *, name: str = "") -> LearningCurves:
    """Return the curves of a history: lines (T, 4) of iteration, loss, train and validation accuracy (shares).

    Values that are not finite (not measured, or after divergence) are left out, so that a line joins the
    measured points.
    """
    iteration, loss, train, validation = np.reshape(history, (-1, 4)).astype(np.float64).T
    places, losses = _measured(iteration, loss)
    width = len(losses) // 25 if len(losses) >= SMOOTH_FROM else 0
    return LearningCurves(
        name=name,
        loss=(places, losses),
        smooth_loss=(places, running_mean(losses, width)),
        train=_measured(iteration, 100 * train),
        validation=_measured(iteration, 100 * validation),
    )


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
    along: str = "iteration",
) -> Figure:
    """Return a figure with the loss on the left, and train and validation accuracy on the right, or one of them.

    One run: train and validation have a colour each. Several: a colour per run, training dashed, and each thinner than
    the one before it, so that none hides another. along: what the histories count.
    """
    figure = new_figure(WIDTH * len(panels) / 2, 3.3)
    title(figure, heading)
    colours = run_colours(len(runs))
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        (_draw_losses if panel == "loss" else _draw_accuracies)(axes, runs, colours)
        axes.set_xlabel(along)
        axes.grid(visible=True)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        in_numbers(axes.xaxis)
        _reveal(axes, colours)
    if len(runs) > 1:
        _legend_of_runs(figure, runs, colours)
    return figure


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
    alone = {"train": {"color": COLOURS[0], **SOLID}, "validation": {"color": COLOURS[1], **SOLID}}
    styles = alone if len(runs) == 1 else {"train": DASHED, "validation": SOLID}
    handles = []
    for name, style in styles.items():
        measured = [series for run in runs if len((series := getattr(run, name))[0])]
        for run, colour in zip(runs, colours, strict=True):
            _line(axes, getattr(run, name), **{"color": colour, **style})
        if measured:
            label = f"{name} (last {measured[0][1][-1]:.1f} %)" if len(runs) == 1 else name
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
