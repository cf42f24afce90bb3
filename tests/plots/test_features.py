"""Bars of the largest weights."""

from collections.abc import Callable
from typing import Any

import numpy as np

from softmaxclf.plots.features import draw_features, top_features


def test_the_largest_absolute_weights_come_first_and_ties_by_index() -> None:
    W = np.array([[0.1, 2.0], [-3.0, 2.0], [1.0, -2.0], [2.0, 0.0]])
    top = top_features(W, 3)
    assert top.indices.tolist() == [[1, 3, 2], [0, 1, 2]]
    assert top.weights.tolist() == [[-3.0, 2.0, 1.0], [2.0, 2.0, -2.0]]


def test_fewer_features_than_asked_for_are_all_given() -> None:
    assert top_features(np.zeros((2, 1)), 10).indices.tolist() == [[0, 1]]


def test_every_class_has_its_bars_with_feature_numbers(check: Any) -> None:
    W = np.array([[0.1, 2.0], [-3.0, 2.0], [1.0, -2.0], [2.0, 0.0]])
    figure = check(lambda: draw_features(top_features(W, 2), ["a", "b"]))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "b"]
    first = figure.axes[0]
    assert [bar.get_width() for bar in first.patches] == [-3.0, 2.0]
    assert [label.get_text() for label in first.get_yticklabels()] == ["1", "3"]


def test_named_features_and_many_classes(texts: Callable[..., list[str]], generator: Any) -> None:
    top = top_features(generator.normal(size=(3, 50)), 2)
    figure = draw_features(top, [f"k{k}" for k in range(50)], feature_names=["length", "width", "mass"])
    assert len(figure.axes) == 20
    assert any("first 20 of 50 classes" in text for text in texts(figure))
    assert {"length", "width"} & set(texts(figure))


def test_the_bar_charts_stand_in_as_many_columns_as_asked_for() -> None:
    figure = draw_features(top_features(np.eye(4)), list("abcd"), columns=1)
    assert len({axes.get_position().x0 for axes in figure.axes}) == 1
    assert len({axes.get_position().y0 for axes in figure.axes}) == 4
