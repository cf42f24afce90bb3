"""Scores beside the probabilities that softmax makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from softmaxclf.plots.figure import (
    AGAINST,
    COLOURS,
    FAINT,
    WIDTH,
    fit_text,
    in_percent,
    new_figure,
    number,
    styled,
    title,
)

MOST_CLASSES = 25


@dataclass(frozen=True)
class ScoreBars:
    """Bars (M,): the `classes` shown of `total`, ascending, their `scores`, `probabilities`, the `label`."""

    classes: NDArray[np.int64]
    scores: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    label: int | None
    total: int


def score_bars(scores: ArrayLike, probabilities: ArrayLike, *, label: int | None = None) -> ScoreBars:
    """Return the bars of scores (K,) and probabilities (K,).

    Of more than 25 classes, those of highest score and the label's, in the order of the classes.
    """
    all_scores = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-all_scores, kind="stable")
    chosen = order[:MOST_CLASSES]
    if label is not None and label not in chosen:
        chosen[-1] = label
    classes = np.sort(chosen)
    chances = np.asarray(probabilities, dtype=np.float64)
    return ScoreBars(classes, all_scores[classes], chances[classes], label, len(all_scores))


@styled
def draw_explain(
    bars: ScoreBars, *, class_names: Sequence[str] | None = None, heading: str | None = None
) -> Figure:
    """Return a figure with scores on the left and probabilities on the right; the label's bars stand out."""
    count = len(bars.classes)
    figure = new_figure(WIDTH, 1.35 + 0.3 * count)
    text = heading or "Scores and what softmax makes of them"
    note = f" (the {count} highest of {bars.total:,} classes)"
    title(figure, text, note if count < bars.total else "")
    left, right = figure.subplots(1, 2, sharey=True)
    colours = [COLOURS[1] if k == bars.label else AGAINST for k in bars.classes]
    places = np.arange(count)
    left.barh(places, bars.scores, color=colours, height=0.7)
    right.barh(places, bars.probabilities, color=colours, height=0.7)
    left.set_yticks(places, [_name(figure, bars, k, class_names) for k in bars.classes])
    left.axvline(0, color=FAINT, linewidth=0.8)
    _write_values(left, bars.scores, [number(score, 4) for score in bars.scores])
    _write_values(right, bars.probabilities, [percentage(chance) for chance in bars.probabilities])
    left.set_title("score")
    right.set_title("probability")
    left.set_ylim(count - 0.4, -0.6)
    left.xaxis.set_major_locator(MaxNLocator(6))
    left.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x)))
    right.set_xlim(0, 1.2)
    right.set_xticks([0, 0.25, 0.5, 0.75, 1])
    in_percent(right.xaxis)
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=True, axis="x")
    return figure


def percentage(share: float) -> str:
    """Return a probability in percent; one that percent would hide (below 0.01 %) as the plain number."""
    if 0 < share < 1e-4:
        return number(share, 3)
    return f"{100 * share:.1f} %" if share >= 0.001 else f"{100 * share:.2g} %"


def _name(figure: Figure, bars: ScoreBars, k: int, names: Sequence[str] | None) -> str:
    name = fit_text(figure, f"class {k}" if names is None else names[k], 280)
    return f"{name} (label)" if k == bars.label else name


def _write_values(axes: Axes, values: NDArray[np.float64], texts: Sequence[str]) -> None:
    """Write each text at the end of its bar, and make room for it."""
    low, high = min(0.0, float(values.min(initial=0.0))), max(0.0, float(values.max(initial=0.0)))
    span = (high - low) or 1.0
    for place, (value, text) in enumerate(zip(values, texts, strict=True)):
        beyond = -0.015 if value < 0 else 0.015
        side = "right" if value < 0 else "left"
        axes.text(value + beyond * span, place, text, ha=side, va="center")
    axes.set_xlim(low - 0.25 * span if low < 0 else 0.0, high + 0.25 * span)
