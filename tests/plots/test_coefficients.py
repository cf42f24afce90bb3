"""The paths of the weights of few features: which are drawn, named and coloured."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from softmaxclf.core.search import Outcome
from softmaxclf.plots.coefficients import apart, coefficients, draw_coefficients
from softmaxclf.plots.figure import COLOURS, FAINT

W = np.random.default_rng(3).normal(size=(13, 3))
CELLS = [
    Outcome({"regularization": value}, status="ok", weights=W / (1 + value)) for value in (10.0, 0.1, 1.0)
]


def test_paths_ascend_and_the_strongest_features_have_a_colour_each() -> None:
    paths = coefficients(CELLS, best={"regularization": 10.0})
    assert paths is not None and paths.best == 2 and paths.weights.shape == (3, 13, 3)
    assert np.array_equal(paths.weights[0], W / 1.1)
    strongest = int(np.abs(W).max(axis=1).argmax())
    assert paths.colours[strongest] == COLOURS[0] and paths.colours.count(FAINT) == 7


def test_cells_without_weights_are_gaps_and_none_with_weights_no_picture() -> None:
    paths = coefficients([CELLS[0], replace(CELLS[1], weights=None), CELLS[2]])
    assert paths is not None and np.isnan(paths.weights).all(axis=(1, 2)).tolist() == [True, False, False]
    assert draw_coefficients(paths, ["a", "b", "c"])
    assert coefficients([replace(cell, weights=None) for cell in CELLS]) is None
    rates = [replace(cell, values={"learning_rate": cell.values["regularization"]}) for cell in CELLS]
    assert coefficients(rates) is None


def test_each_class_has_a_panel_that_names_its_strongest_features(
    check: Any, texts: Callable[..., list[str]]
) -> None:
    paths = coefficients(CELLS, best={"regularization": 1.0})
    assert paths is not None
    figure = check(lambda: draw_coefficients(paths, ["ale", "bitter", "cider", "draught"]))
    assert [axes.get_title("left") for axes in figure.axes] == ["ale", "bitter", "cider"]
    assert any("first 3 of 4 classes" in text for text in texts(figure))
    for k, axes in enumerate(figure.axes):
        named = {text.get_text() for text in axes.texts}
        assert named == {f"feature {feature}" for feature in np.argsort(-np.abs(W[:, k]))[:4]}


def test_names_move_no_further_than_they_must() -> None:
    assert apart(np.array([0.0, 5.0]), 1.0) == pytest.approx([0, 5])
    assert apart(np.array([-9.0, 0.0, 0.0]), 1.0) == pytest.approx([-9, -0.5, 0.5])
