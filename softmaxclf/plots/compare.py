"""Several runs side by side: their accuracies, each with its interval."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from softmaxclf.plots.figure import COLOURS, WIDTH, fit_text, left_out, new_figure, styled, title

MOST_RUNS = 40
NAME_ROOM = 330  # pixels


@styled
def draw_compare(names: Sequence[str], splits: Sequence[Mapping[str, Any]], *, heading: str) -> Figure:
    """Return a figure with one line per run: accuracy as a dot, interval as a bar, the number beside its end.

    `splits` are what metrics.json holds of each run's split. At most 40 runs are shown, and the heading says so.
    """
    shown = splits[:MOST_RUNS]
    figure = new_figure(WIDTH, 1.2 + 0.34 * len(shown))
    title(figure, heading, left_out(len(shown), len(splits), "runs"))
    axes = figure.subplots()
    places = np.arange(len(shown))
    centre = 100 * np.array([split["accuracy"] for split in shown])
    low, high = 100 * np.array([split["interval"] for split in shown]).T
    look: dict[str, Any] = {"fmt": "o", "markersize": 6, "capsize": 4, "linewidth": 1.8}
    axes.errorbar(centre, places, xerr=[centre - low, high - centre], color=COLOURS[0], **look)
    span = max(high.max() - low.min(), 1.0)
    axes.set_xlim(max(0.0, low.min() - 0.08 * span), high.max() + 0.3 * span)
    for place, accuracy in enumerate(centre):
        axes.text(high[place] + 0.03 * span, place, f"{accuracy:.2f} %", va="center")
    axes.set_yticks(places, [fit_text(name, NAME_ROOM) for name in names[:MOST_RUNS]])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlabel("accuracy (%)")
    axes.grid(visible=True, axis="x")
    axes.tick_params(axis="y", length=0)
    return figure
