"""Accuracies of several runs with their intervals."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from softmaxclf.plots.compare import accuracies, draw_compare, draw_templates_compared


def split(accuracy: float, low: float, high: float) -> dict[str, Any]:
    """What metrics.json holds of a split, of which the picture shows a part."""
    return {"accuracy": accuracy, "interval": [low, high], "loss": 1.0, "rows": 100, "correct": 40}


def test_the_interval_becomes_a_reach_in_percent() -> None:
    runs = accuracies(["a", "b"], [split(0.4, 0.39, 0.42), split(1.0, 0.98, 1.0)])
    assert runs.names == ("a", "b") and runs.centre == pytest.approx([40, 100])
    assert runs.below == pytest.approx([1, 2]) and runs.above == pytest.approx([2, 0])


def test_each_run_has_its_dot_and_number(check: Any, texts: Callable[..., list[str]]) -> None:
    runs = accuracies(["first", "second"], [split(0.4, 0.39, 0.41), split(0.4125, 0.4, 0.42)])
    figure = check(lambda: draw_compare(runs, split="validation"))
    assert {"first", "second", "40.00 %", "41.25 %"} <= set(texts(figure))
    assert "Accuracy on the validation images, with 95 % intervals" in texts(figure)
    assert np.allclose(figure.axes[0].lines[0].get_xydata(), [[40, 0], [41.25, 1]])


def test_very_many_runs_are_cut_and_the_heading_says_so(texts: Callable[..., list[str]]) -> None:
    figure = draw_compare(accuracies([f"r{k}" for k in range(60)], [split(0.5, 0.4, 0.6)] * 60))
    assert "r39" in texts(figure) and "r40" not in texts(figure)
    assert any("first 40 of 60 runs" in text for text in texts(figure))


def test_templates_of_runs_stand_under_each_other(
    check: Any, texts: Callable[..., list[str]], generator: Any
) -> None:
    templates = list(generator.integers(0, 256, (2, 3, 4, 5, 3), dtype=np.uint8))
    figure = check(lambda: draw_templates_compared(templates, ["first", "second"], ["a", "b", "c"]))
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    assert all(
        np.array_equal(one, other) for one, other in zip(shown, [*templates[0], *templates[1]], strict=True)
    )
    assert {"first", "second", "a", "b", "c"} <= set(texts(figure))
    boxes = [axes.get_position() for axes in figure.axes]
    assert boxes[0].y0 > boxes[3].y1 and boxes[0].x0 == boxes[3].x0 < boxes[1].x0


def test_of_very_many_classes_the_first_are_compared_and_the_heading_says_so(
    texts: Callable[..., list[str]],
) -> None:
    names = [f"k{k}" for k in range(100)]
    figure = draw_templates_compared(
        [np.zeros((100, 2, 2, 1), np.uint8)], ["a run with a long name " * 9], names
    )
    assert "k11" in texts(figure) and "k12" not in texts(figure)
    assert any("first 12 of 100 classes" in text for text in texts(figure))
