"""Accuracies of several runs with their intervals."""

from collections.abc import Callable
from typing import Any

import numpy as np

from softmaxclf.plots.compare import draw_compare


def split(accuracy: float, low: float, high: float) -> dict[str, Any]:
    """What metrics.json holds of a split, of which the picture shows a part."""
    return {"accuracy": accuracy, "interval": [low, high], "loss": 1.0, "rows": 100, "correct": 40}


def test_each_run_has_its_dot_its_interval_and_its_number(
    check: Any, texts: Callable[..., list[str]]
) -> None:
    splits = [split(0.4, 0.39, 0.41), split(0.4125, 0.4, 0.42)]
    figure = check(lambda: draw_compare(["first", "second"], splits, heading="Accuracy"))
    assert {"Accuracy", "first", "second", "40.00 %", "41.25 %"} <= set(texts(figure))
    assert np.allclose(figure.axes[0].lines[0].get_xydata(), [[40, 0], [41.25, 1]])
    (reach,) = figure.axes[0].collections
    assert np.allclose(reach.get_segments(), [[[39, 0], [41, 0]], [[40, 1], [42, 1]]])


def test_very_many_runs_are_cut_and_the_heading_says_so(texts: Callable[..., list[str]]) -> None:
    figure = draw_compare([f"r{k}" for k in range(60)], [split(0.5, 0.4, 0.6)] * 60, heading="Accuracy")
    assert "r39" in texts(figure) and "r40" not in texts(figure)
    assert any("first 40 of 60 runs" in text for text in texts(figure))
