"""Scores beside probabilities."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from softmaxclf.plots.explain import draw_explain, percentage, score_bars


def test_few_classes_are_all_shown_in_their_order() -> None:
    bars = score_bars([-3, 2, -1, 0], [0.0057, 0.839, 0.0418, 0.1135], label=0)
    assert bars.classes.tolist() == [0, 1, 2, 3] and bars.scores.tolist() == [-3, 2, -1, 0]
    assert (bars.label, bars.total) == (0, 4)


def test_of_many_classes_the_highest_and_the_label_are_shown() -> None:
    scores = np.arange(1000.0)
    bars = score_bars(scores, scores / scores.sum(), label=7)
    assert bars.classes.tolist() == [7, *range(976, 1000)]
    assert score_bars(scores, scores / scores.sum()).classes.tolist() == list(range(975, 1000))
    assert score_bars(scores, scores / scores.sum(), label=990).classes.tolist() == list(range(975, 1000))


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.8390, "83.9 %"), (1.0, "100.0 %"), (0.0, "0 %"), (0.00057, "0.057 %"), (5.75e-290, "5.75e-290")],
)
def test_probabilities_are_percent_unless_that_would_hide_them(share: float, text: str) -> None:
    assert percentage(share) == text


def test_the_label_is_marked_and_the_values_are_written(check: Any, texts: Callable[..., list[str]]) -> None:
    bars = score_bars([-3, 2, -1, 0], [0.0057, 0.839, 0.0418, 0.1135], label=0)
    figure = check(lambda: draw_explain(bars))
    assert {"class 0 (label)", "class 1", "83.9 %", "-3", "score", "probability"} <= set(texts(figure))
    left, right = figure.axes
    assert [bar.get_width() for bar in left.patches] == [-3, 2, -1, 0]
    colours = [bar.get_facecolor() for bar in right.patches]
    assert colours[0] != colours[1] and len(set(colours[1:])) == 1


def test_a_thousand_classes_are_drawn_and_counted_in_the_heading(texts: Callable[..., list[str]]) -> None:
    scores = np.linspace(-1e30, 1e30, 1000)
    figure = draw_explain(score_bars(scores, np.full(1000, 1e-3)), class_names=[f"n{k}" for k in range(1000)])
    assert any("the 25 highest of 1,000 classes" in text for text in texts(figure)) and "n999" in texts(
        figure
    )
