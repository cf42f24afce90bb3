"""The reliability diagram and its expected calibration error."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from softmaxclf.core.metrics import ReliabilityBins, wilson_interval
from softmaxclf.plots.reliability import LARGEST, LEAST, draw_reliability

NAN = float("nan")


def bins_of(counts: list[int], confidence: list[float], accuracy: list[float]) -> ReliabilityBins:
    return ReliabilityBins(
        np.array([0, 0.5, 0.75, 1]), np.array(counts), np.array(confidence), np.array(accuracy)
    )


def bins() -> ReliabilityBins:
    """Of 10 rows none is right at 40 %, of 30 two thirds at 90 %: (10 * 0.4 + 30 * (0.9 - 2/3)) / 40 = 0.275."""
    return bins_of([10, 0, 30], [0.4, NAN, 0.9], [0.0, NAN, 2 / 3])


def points(figure: Figure, series: int = 0) -> PathCollection:
    """The points of a series of the upper panel."""
    return [each for each in figure.axes[0].collections if isinstance(each, PathCollection)][series]


def test_the_error_is_in_the_heading_and_points_stand_where_their_bins_are(
    check: Any, texts: Callable[..., list[str]]
) -> None:
    figure = check(lambda: draw_reliability(bins()))
    assert "Expected calibration error 27.5 %" in texts(figure)
    np.testing.assert_allclose(points(figure).get_offsets(), [[0.4, 0], [0.9, 2 / 3]])
    np.testing.assert_allclose(points(figure).get_sizes(), [max(LARGEST / 3, LEAST), LARGEST])
    bars = next(each for each in figure.axes[0].collections if isinstance(each, LineCollection))
    spans = [(line[0][1], line[1][1]) for line in bars.get_segments()]
    assert spans == [pytest.approx(wilson_interval(0, 10)), pytest.approx(wilson_interval(20, 30))]
    assert [bar.get_height() for bar in figure.axes[1].containers[0]] == pytest.approx([0.25, 0, 0.75])


def test_bins_of_few_rows_are_left_out_and_said(texts: Callable[..., list[str]]) -> None:
    figure = draw_reliability(bins_of([10, 9, 30], [0.4, 0.6, 0.9], [0.0, 0.5, 2 / 3]))
    assert len(points(figure).get_offsets()) == 2
    assert any("(2, of 10 rows or more, of 3 bins)" in each for each in texts(figure))


def test_of_few_rows_altogether_the_fullest_bins_are_drawn() -> None:
    figure = draw_reliability(bins_of([1, 0, 3], [0.4, NAN, 0.9], [0.0, NAN, 2 / 3]))
    assert len(points(figure).get_offsets()) == 1


def test_the_bins_after_temperature_scaling_are_laid_over(texts: Callable[..., list[str]]) -> None:
    after = bins_of([0, 20, 20], [NAN, 0.6, 0.8], [NAN, 0.5, 0.5])  # (0.1 + 0.3) / 2
    figure = draw_reliability(bins(), after=after, temperature=1.5, heading="Test rows")
    assert "after temperature 1.5: error 20.0 %" in texts(figure)
    assert "Test rows: expected calibration error 27.5 %" in texts(figure)
    np.testing.assert_allclose(points(figure, 1).get_offsets(), [[0.6, 0.5], [0.8, 0.5]])
