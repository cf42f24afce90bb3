"""Bars of the largest weights."""

from collections.abc import Callable
from typing import Any

import numpy as np

from softmaxclf.plots.features import draw_features, top_features


def test_the_largest_absolute_weights_come_first_and_ties_by_index() -> None:
    W = np.array([[0.1, 2.0], [-3.0, 2.0], [1.0, -2.0], [2.0, 0.0]])
    assert top_features(W, 3).tolist() == [[1, 3, 2], [0, 1, 2]]


def test_fewer_features_than_asked_for_are_all_given() -> None:
    assert top_features(np.zeros((2, 1)), 10).tolist() == [[0, 1]]


def test_every_class_has_its_bars_with_feature_numbers(check: Any) -> None:
    W = np.array([[0.1, 2.0], [-3.0, 2.0], [1.0, -2.0], [2.0, 0.0]])
    figure = check(lambda: draw_features(W, ["a", "b"]))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "b"]
    first = figure.axes[0]
    assert [bar.get_width() for bar in first.patches] == [-3.0, 2.0, 1.0, 0.1]
    assert [label.get_text() for label in first.get_yticklabels()] == ["1", "3", "2", "0"]


def test_of_many_classes_the_first_are_drawn(texts: Callable[..., list[str]], generator: Any) -> None:
    figure = draw_features(generator.normal(size=(3, 50)), [f"k{k}" for k in range(50)])
    assert len(figure.axes) == 20
    assert any("first 20 of 50 classes" in text for text in texts(figure))


def test_the_bar_charts_stand_in_as_many_columns_as_asked_for() -> None:
    figure = draw_features(np.eye(4), list("abcd"), columns=1)
    assert len({axes.get_position().x0 for axes in figure.axes}) == 1
    assert len({axes.get_position().y0 for axes in figure.axes}) == 4
