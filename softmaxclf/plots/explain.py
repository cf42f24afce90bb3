"""Scores beside the probabilities that softmax makes of them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from softmaxclf.plots.figure import (
    BAR,
    FAINT,
    TRUE,
    WIDTH,
    fit_text,
    in_numbers,
    in_percent,
    left_out,
    new_figure,
    number,
    percentage,
    styled,
    title,
)

MOST_CLASSES = 25
NAME_ROOM = 280  # pixels


def shown_classes(scores: NDArray[np.float64], label: int | None = None) -> NDArray[np.int64]:
    """Return the classes to draw of scores (K,), in their order.

    Of more than 25 classes, those of highest score and the label's.
    """
    chosen = np.argsort(-scores, kind="stable")[:MOST_CLASSES]
    if label is not None and label not in chosen:
        chosen[-1] = label
    return np.sort(chosen)


@styled
def draw_explain(
    scores: ArrayLike, probabilities: ArrayLike, class_names: Sequence[str], *, label: int | None = None
) -> Figure:
    """Return a figure with scores (K,) on the left and probabilities (K,) on the right; the label stands out."""
    scores, probabilities = np.asarray(scores, np.float64), np.asarray(probabilities, np.float64)
    classes = shown_classes(scores, label)
    figure = new_figure(WIDTH, 1.35 + 0.3 * len(classes))
    note = left_out(len(classes), len(scores), which="the {} highest")
    title(figure, "Scores and what softmax makes of them", note)
    left, right = figure.subplots(1, 2, sharey=True)
    colours = [TRUE if k == label else BAR for k in classes]
    _draw_bars(left, scores[classes], colours, [number(score, 4) for score in scores[classes]])
    _draw_bars(right, probabilities[classes], colours, [percentage(each) for each in probabilities[classes]])
    names = [fit_text(class_names[k], NAME_ROOM) + (" (label)" if k == label else "") for k in classes]
    left.set_yticks(range(len(classes)), names)
    left.axvline(0, color=FAINT, linewidth=0.8)
    left.set_title("score")
    right.set_title("probability")
    left.set_ylim(len(classes) - 0.4, -0.6)
    left.xaxis.set_major_locator(MaxNLocator(6))
    in_numbers(left.xaxis)
    right.set(xlim=(0, 1.2), xticks=[0, 0.25, 0.5, 0.75, 1])
    in_percent(right.xaxis)
    return figure


def _draw_bars(axes: Axes, values: NDArray[np.float64], colours: Sequence[str], texts: Sequence[str]) -> None:
    """Draw the bars, write each text at the end of its bar, and make room for it."""
    axes.barh(np.arange(len(values)), values, color=colours, height=0.7)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    low, high = min(0.0, float(values.min(initial=0.0))), max(0.0, float(values.max(initial=0.0)))
    span = (high - low) or 1.0
    for place, (value, text) in enumerate(zip(values, texts, strict=True)):
        beyond, side = (-0.015, "right") if value < 0 else (0.015, "left")
        axes.text(value + beyond * span, place, text, ha=side, va="center")
    axes.set_xlim(low - 0.25 * span if low < 0 else 0.0, high + 0.25 * span)
