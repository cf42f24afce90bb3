"""Loss and accuracy over the iterations of one run, or of several runs laid over each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from softmaxclf.plots.figure import (
    COLOURS,
    FAINT,
    SEQUENTIAL,
    WIDTH,
    fit_text,
    new_figure,
    number,
    styled,
    title,
)

Series = tuple[NDArray[np.float64], NDArray[np.float64]]
SMOOTH_FROM = 40  # points of the loss from which its running mean is drawn over it
LOG_FROM = 30.0  # ratio of largest to least loss from which the axis is logarithmic


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
    iteration, loss, train_accuracy, validation_accuracy = np.reshape(history, (-1, 4)).T
    losses = finite_points(iteration, loss)
    width = len(losses[0]) // 25 if len(losses[0]) >= SMOOTH_FROM else 0
    return LearningCurves(
        name=name,
        loss=losses,
        smooth_loss=(losses[0], running_mean(losses[1], width)),
        train=percent(finite_points(iteration, train_accuracy)),
        validation=percent(finite_points(iteration, validation_accuracy)),
    )


def finite_points(x: ArrayLike, y: ArrayLike) -> Series:
    """Return x and y as float64 without the places where y is not finite."""
    positions, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    keep = np.isfinite(values)
    return positions[keep], values[keep]


def percent(series: Series) -> Series:
    """Return the series with its values times 100."""
    return series[0], series[1] * 100


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
def draw_curves(runs: Sequence[LearningCurves], *, heading: str | None = None) -> Figure:
    """Return a figure with the loss on the left, and train and validation accuracy on the right.

    One run: train and validation have a colour each. Several: a colour per run, training dashed.
    """
    figure = new_figure(WIDTH, 3.3)
    title(figure, heading)
    loss_axes, accuracy_axes = figure.subplots(1, 2)
    colours = run_colours(len(runs))
    for run, colour in zip(runs, colours, strict=True):
        _draw_loss(loss_axes, run, colour)
    if len(runs) == 1:
        _draw_one_accuracy(accuracy_axes, runs[0])
    elif runs:
        _draw_accuracies(accuracy_axes, runs, colours)
        _legend_of_runs(figure, runs, colours)
    _finish(loss_axes, "Training loss", "loss")
    _finish(accuracy_axes, "Accuracy", "accuracy (%)")
    _scale_loss(loss_axes, runs)
    return figure


def run_colours(count: int) -> list[str]:
    """Return `count` colours to tell apart; beyond the seven named ones, steps of one colour scale."""
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    from matplotlib import colormaps

    return [to_hex(colour) for colour in colormaps[SEQUENTIAL](np.linspace(0.0, 0.93, count))]


def _line(axes: Axes, series: Series, **style: Any) -> None:
    axes.plot(*series, marker="o" if len(series[0]) <= 12 else None, markersize=3.5, **style)


def _draw_loss(axes: Axes, run: LearningCurves, colour: str) -> None:
    if len(run.loss[0]) >= SMOOTH_FROM:
        axes.plot(*run.loss, color=colour, alpha=0.25, linewidth=0.8)
    _line(axes, run.smooth_loss, color=colour, linewidth=1.8)


def _draw_one_accuracy(axes: Axes, run: LearningCurves) -> None:
    for series, label, colour in (
        (run.train, "train", COLOURS[0]),
        (run.validation, "validation", COLOURS[1]),
    ):
        if len(series[0]):
            text = f"{label} (last {series[1][-1]:.1f} %)"
            _line(axes, series, color=colour, linewidth=1.8, label=text)
    if axes.lines:
        axes.legend(loc="lower right")


def _draw_accuracies(axes: Axes, runs: Sequence[LearningCurves], colours: Sequence[str]) -> None:
    for run, colour in zip(runs, colours, strict=True):
        _line(axes, run.train, color=colour, linewidth=1.2, linestyle=(0, (3, 2)))
        _line(axes, run.validation, color=colour, linewidth=1.8)
    handles = [
        Line2D([], [], color=FAINT, linewidth=1.8, label="validation"),
        Line2D([], [], color=FAINT, linewidth=1.2, linestyle=(0, (3, 2)), label="train"),
    ]
    axes.legend(handles=handles, loc="lower right")


def _legend_of_runs(figure: Figure, runs: Sequence[LearningCurves], colours: Sequence[str]) -> None:
    columns = min(len(runs), 4)
    room = figure.bbox.width / columns - 90
    handles = [
        Line2D([], [], color=colour, linewidth=2.5, label=fit_text(figure, run.name, room))
        for run, colour in zip(runs, colours, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def _finish(axes: Axes, heading: str, value: str) -> None:
    axes.set_title(heading)
    axes.set_xlabel("iteration")
    axes.set_ylabel(value)
    axes.grid(visible=True)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x)))


def _scale_loss(axes: Axes, runs: Sequence[LearningCurves]) -> None:
    values = np.concatenate([run.loss[1] for run in runs] or [np.empty(0)])
    if values.size and values.min() > 0 and values.max() / values.min() >= LOG_FROM:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: number(y)))
