"""Scores beside probabilities."""

from collections.abc import Callable
from typing import Any

import numpy as np

from softmaxclf.plots.explain import draw_explain, shown_classes

SCORES, CHANCES = np.array([-3.0, 2, -1, 0]), np.array([0.0057, 0.839, 0.0418, 0.1135])


def test_few_classes_are_all_shown_in_their_order() -> None:
    assert shown_classes(SCORES, 0).tolist() == [0, 1, 2, 3]


def test_of_many_classes_the_highest_and_the_label_are_shown() -> None:
    scores = np.arange(1000.0)
    assert shown_classes(scores, 7).tolist() == [7, *range(976, 1000)]
    assert shown_classes(scores).tolist() == shown_classes(scores, 990).tolist() == list(range(975, 1000))


def test_the_label_is_marked_and_the_values_are_written(check: Any, texts: Callable[..., list[str]]) -> None:
    figure = check(lambda: draw_explain(SCORES, CHANCES, list("abcd"), label=0))
    assert {"a (label)", "b", "83.9 %", "-3", "score", "probability"} <= set(texts(figure))
    left, right = figure.axes
    assert [bar.get_width() for bar in left.patches] == [-3, 2, -1, 0]
    colours = [bar.get_facecolor() for bar in right.patches]
    assert colours[0] != colours[1] and len(set(colours[1:])) == 1


def test_a_thousand_classes_are_drawn_and_counted_in_the_heading(texts: Callable[..., list[str]]) -> None:
    scores = np.linspace(-1e30, 1e30, 1000)
    figure = draw_explain(scores, np.full(1000, 1e-3), [f"n{k}" for k in range(1000)])
    assert any("the 25 highest of 1,000 classes" in text for text in texts(figure)) and "n999" in texts(
        figure
    )
