"""The reliability diagram: whether a stated probability of 70 % comes true 70 times in 100."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from softmaxclf.core.metrics import ReliabilityBins
from softmaxclf.plots.figure import BAR, COLOURS, INK, PAPER, in_percent, new_figure, styled, title


@styled
def draw_reliability(
    bins: ReliabilityBins,
    *,
    after: ReliabilityBins | None = None,
    temperature: float | None = None,
    heading: str = "",
) -> Figure:
    """Return a figure: accuracy against confidence, and beneath it which share of the rows each bin has.

    `after` (the same rows after temperature scaling) is laid over it as a line.
    """
    figure = new_figure(5, 5.4)
    error = f"expected calibration error {100 * bins.expected_error():.1f} %"
    title(figure, f"{heading}: {error}" if heading else error.capitalize())
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
    _draw_bars(upper, bins)
    scaled = "after temperature scaling" if temperature is None else f"after temperature {temperature:.3g}"
    if after is not None:
        label = f"{scaled}: error {100 * after.expected_error():.1f} %"
        upper.plot(after.confidence, after.accuracy, color=COLOURS[2], marker="o", markersize=4, label=label)
    figure.legend(*upper.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    upper.set_ylabel("accuracy in the bin")
    _draw_counts(lower, bins, after)
    return figure


def _draw_bars(axes: Axes, bins: ReliabilityBins) -> None:
    left, widths = bins.edges[:-1], np.diff(bins.edges)
    accuracy, confidence = np.nan_to_num(bins.accuracy), np.nan_to_num(bins.confidence)
    style: dict[str, Any] = {"width": widths, "align": "edge", "linewidth": 0.8}
    axes.bar(left, accuracy, color=BAR, edgecolor=PAPER, label="accuracy", **style)
    gap: dict[str, Any] = {"facecolor": "none", "edgecolor": COLOURS[1], "hatch": "////"}
    height = np.abs(confidence - accuracy)
    axes.bar(left, height, bottom=np.minimum(accuracy, confidence), label="gap to confidence", **gap, **style)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1.2, linestyle=(0, (4, 3)), label="perfectly calibrated")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.grid(visible=True)
    in_percent(axes.yaxis)


def _draw_counts(axes: Axes, bins: ReliabilityBins, after: ReliabilityBins | None) -> None:
    shares = bins.counts / max(bins.counts.sum(), 1)
    axes.bar(bins.edges[:-1], shares, np.diff(bins.edges), align="edge", color=BAR, edgecolor=PAPER)
    if after is not None:
        after_shares = after.counts / max(after.counts.sum(), 1)
        axes.stairs(after_shares, after.edges, color=COLOURS[2], linewidth=1.8)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    in_percent(axes.xaxis)
    in_percent(axes.yaxis)
    axes.set_xlabel("confidence: probability of the predicted class")
    axes.set_ylabel("share of rows")
    axes.grid(visible=True, axis="y")
