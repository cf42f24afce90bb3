"""The reliability diagram and its expected calibration error."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from softmaxclf.plots.reliability import Reliability, draw_reliability, reliability


def bins() -> Reliability:
    return reliability([0, 0.5, 0.75, 1], [1, 0, 3], [0.4, 0.0, 0.9], [0.0, 0.0, 2 / 3], 0.275)


def test_empty_bins_have_no_value() -> None:
    assert np.isnan(bins().accuracy[1]) and np.isnan(bins().confidence[1])


def test_bins_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 2 values"):
        reliability([0, 0.5, 1], [1, 2], [0.1, 0.2], [0.5], 0.1)


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
    after = reliability([0, 0.5, 0.75, 1], [0, 2, 2], [0, 0.6, 0.8], [0, 0.5, 0.5], 0.2)
    figure = draw_reliability(bins(), after=after, temperature=1.5, heading="Test rows")
    assert "after temperature 1.5: error 20.0 %" in texts(figure)
    assert "Test rows: expected calibration error 27.5 %" in texts(figure)
