"""Accuracies of several runs side by side, each with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from softmaxclf.plots.figure import COLOURS, WIDTH, fit_text, new_figure, styled, title

MOST_RUNS = 40


@dataclass(frozen=True)
class Accuracies:
    """Accuracies of R runs in percent: `centre` (R,) and the reach of the interval `below` and `above` it."""

    names: tuple[str, ...]
    centre: NDArray[np.float64]
    below: NDArray[np.float64]
    above: NDArray[np.float64]


def accuracies(names: Sequence[str], accuracy: ArrayLike, low: ArrayLike, high: ArrayLike) -> Accuracies:
    """Return the runs' accuracies with their intervals low..high, all given as shares in 0..1, as percent.

    Raises ValueError where an accuracy lies outside its interval or the lengths disagree.
    """
    centre, bottom, top = (100 * np.asarray(values, dtype=np.float64) for values in (accuracy, low, high))
    if not len(names) == len(centre) == len(bottom) == len(top):
        lengths = f"{len(centre)}, {len(bottom)} and {len(top)}"
        raise ValueError(f"expected {len(names)} accuracies, lows and highs, got {lengths}")
    if (centre < bottom).any() or (centre > top).any():
        raise ValueError("expected every accuracy within its interval")
    return Accuracies(tuple(names), centre, centre - bottom, top - centre)


@styled
def draw_compare(runs: Accuracies, *, split: str = "test", heading: str | None = None) -> Figure:
    """Return a figure with one line per run: accuracy as a dot, interval as a bar, number beside them.

    At most 40 runs are shown, and the heading says so.
    """
    count = min(len(runs.names), MOST_RUNS)
    figure = new_figure(WIDTH, 1.2 + 0.34 * count)
    text = heading or f"Accuracy on the {split} images, with 95 % intervals"
    note = f" (first {count} of {len(runs.names)} runs)"
    title(figure, text, note if count < len(runs.names) else "")
    axes = figure.subplots()
    places = np.arange(count)
    reach = np.stack([runs.below[:count], runs.above[:count]])
    axes.errorbar(
        runs.centre[:count],
        places,
        xerr=reach,
        fmt="o",
        color=COLOURS[0],
        markersize=6,
        capsize=4,
        linewidth=1.8,
    )
    right = float((runs.centre + runs.above)[:count].max(initial=0.0))
    left = float((runs.centre - runs.below)[:count].min(initial=right))
    span = max(right - left, 1.0)
    axes.set_xlim(max(0.0, left - 0.08 * span), right + 0.3 * span)
    for place in range(count):
        axes.text(right + 0.04 * span, place, f"{runs.centre[place]:.2f} %", va="center")
    axes.set_yticks(places, [fit_text(figure, name, 330) for name in runs.names[:count]])
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_xlabel("accuracy (%)")
    axes.grid(visible=True, axis="x")
    axes.tick_params(axis="y", length=0)
    return figure
