"""The reliability diagram: whether a stated probability of 70 % comes true 70 times in 100."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from softmaxclf.core.metrics import ReliabilityBins, wilson_interval
from softmaxclf.plots.figure import (
    BAR,
    CALIBRATED,
    FAINT,
    INK,
    PAPER,
    in_percent,
    left_out,
    new_figure,
    styled,
    title,
)

THIN = 10  # rows: what fewer say is noise, and is not drawn
LARGEST, LEAST = 130.0, 12.0  # areas of points, in points squared: of the bin with most rows, and of any


@styled
def draw_reliability(
    bins: ReliabilityBins,
    *,
    after: ReliabilityBins | None = None,
    temperature: float | None = None,
    heading: str = "",
) -> Figure:
    """Return a figure: accuracy against confidence, and beneath it which share of the rows each bin has.

    A point is a bin of at least THIN rows, the larger the more rows it has, with the 95 % interval of its accuracy.
    `after` (the same rows after temperature scaling) is laid over it.
    """
    figure = new_figure(5.4, 5.8)
    error = f"expected calibration error {100 * bins.expected_error():.1f} %"
    thick = int((bins.counts >= min(THIN, bins.counts.max())).sum())
    filled = int((bins.counts > 0).sum())
    note = left_out(thick, filled, "bins", f"{{}}, of {THIN} rows or more,")
    title(figure, f"{heading}: {error}" if heading else error.capitalize(), note)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.6, 1))
    upper.plot(
        [0, 1], [0, 1], color=FAINT, linewidth=1.2, linestyle=(0, (4, 3)), label="as sure as it is right"
    )
    _draw_points(upper, bins, INK, "the model, with 95 % intervals")
    if after is not None:
        scaled = (
            "after temperature scaling" if temperature is None else f"after temperature {temperature:.3g}"
        )
        _draw_points(
            upper, after, CALIBRATED, f"{scaled}: error {100 * after.expected_error():.1f} %", hollow=True
        )
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that is right")
    upper.text(0.03, 0.96, "less sure than it is right", color=FAINT, va="top")
    upper.text(0.97, 0.04, "surer than it is right", color=FAINT, ha="right")
    upper.grid(visible=True)
    in_percent(upper.yaxis)
    handles = upper.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2, markerscale=0.6)
    _draw_counts(lower, bins, after)
    return figure


def _draw_points(axes: Axes, bins: ReliabilityBins, colour: str, label: str, *, hollow: bool = False) -> None:
    shown = np.flatnonzero(bins.counts >= min(THIN, bins.counts.max()))
    counts, accuracy, confidence = bins.counts[shown], bins.accuracy[shown], bins.confidence[shown]
    right = np.rint(accuracy * counts).astype(int)
    bounds = [wilson_interval(int(hits), int(rows)) for hits, rows in zip(right, counts, strict=True)]
    low, high = np.array(bounds).reshape(-1, 2).T
    axes.vlines(confidence, low, high, color=colour, linewidth=1.4)
    axes.scatter(
        confidence,
        accuracy,
        np.maximum(LARGEST * counts / counts.max(initial=1), LEAST),
        color=PAPER if hollow else colour,
        edgecolors=colour if hollow else PAPER,
        linewidths=1.6 if hollow else 0.8,
        zorder=3,
        label=label,
    )


def _draw_counts(axes: Axes, bins: ReliabilityBins, after: ReliabilityBins | None) -> None:
    shares = bins.counts / max(bins.counts.sum(), 1)
    axes.bar(bins.edges[:-1], shares, np.diff(bins.edges), align="edge", color=BAR, edgecolor=PAPER)
    if after is not None:
        after_shares = after.counts / max(after.counts.sum(), 1)
        axes.stairs(after_shares, after.edges, color=CALIBRATED, linewidth=1.8)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    in_percent(axes.xaxis)
    in_percent(axes.yaxis)
    axes.set_xlabel("confidence: probability of the predicted class")
    axes.set_ylabel("share of rows")
    axes.grid(visible=True, axis="y")
