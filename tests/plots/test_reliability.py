"""The reliability diagram and its expected calibration error."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from softmaxclf.core.metrics import ReliabilityBins
from softmaxclf.plots.reliability import draw_reliability

NAN = float("nan")


def bins_of(counts: list[int], confidence: list[float], accuracy: list[float]) -> ReliabilityBins:
    return ReliabilityBins(
        np.array([0, 0.5, 0.75, 1]), np.array(counts), np.array(confidence), np.array(accuracy)
    )


def bins() -> ReliabilityBins:
    """The first row is wrong at 40 %, two of three are right at 90 %: (0.4 + 3 * (0.9 - 2/3)) / 4 = 0.275."""
    return bins_of([1, 0, 3], [0.4, NAN, 0.9], [0.0, NAN, 2 / 3])


def test_the_error_is_in_the_heading_and_the_bars_are_the_accuracies(
    check: Any, texts: Callable[..., list[str]]
) -> None:
    figure = check(lambda: draw_reliability(bins()))
    assert "Expected calibration error 27.5 %" in texts(figure)
    accuracy = figure.axes[0].containers[0]
    assert [bar.get_height() for bar in accuracy] == pytest.approx([0, 0, 2 / 3])
    gap = figure.axes[0].containers[1]
    assert [(bar.get_y(), bar.get_height()) for bar in gap][2] == pytest.approx((2 / 3, 0.9 - 2 / 3))
    assert [bar.get_height() for bar in figure.axes[1].containers[0]] == pytest.approx([0.25, 0, 0.75])


def test_the_bins_after_temperature_scaling_are_laid_over(texts: Callable[..., list[str]]) -> None:
    after = bins_of([0, 2, 2], [NAN, 0.6, 0.8], [NAN, 0.5, 0.5])  # (0.1 + 0.3) / 2
    figure = draw_reliability(bins(), after=after, temperature=1.5, heading="Test rows")
    assert "after temperature 1.5: error 20.0 %" in texts(figure)
    assert "Test rows: expected calibration error 27.5 %" in texts(figure)
