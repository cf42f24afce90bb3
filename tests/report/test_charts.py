"""Charts: values lie where they belong."""

import re

import numpy as np
import pytest

from softmaxclf.core.metrics import ReliabilityBins
from softmaxclf.plots.curves import learning_curves
from softmaxclf.report.charts import Frame, accuracy_chart, loss_chart, reliability_chart


def points(chart: str) -> list[np.ndarray]:
    """The points (n, 2) of every line."""
    lines = re.findall(r'<polyline points="([^"]+)"', chart)
    return [np.array([pair.split(",") for pair in line.split()], float) for line in lines]


def test_a_frame_maps_its_range_to_its_box():
    frame = Frame((0, 10), (1, 3), (50, 20, 450, 220))
    assert frame.across([0, 5, 10]) == pytest.approx([50, 250, 450])
    assert frame.down([1, 2, 3]) == pytest.approx([220, 120, 20])
    assert Frame((0, 1), (1, 100), (0, 0, 1, 200), logarithmic=True).down(10) == pytest.approx(100)


def test_lines_run_through_their_values():
    curves = learning_curves([(10, 2.0, 0.1, 0.1), (20, 1.5, 0.2, np.nan), (30, 1.0, 0.3, 0.2)])
    (loss,) = points(loss_chart(curves, "loss"))
    assert loss[:, 0] == pytest.approx(
        [loss[0, 0] + k * (loss[1, 0] - loss[0, 0]) for k in range(3)], abs=0.11
    )
    assert np.all(np.diff(loss[:, 1]) > 0)  # down the page
    train, validation = points(accuracy_chart(curves, "accuracy"))
    assert len(train) == 3 and len(validation) == 2
    assert train[0, 1] == pytest.approx(validation[0, 1])


def test_a_loss_that_spans_much_is_logarithmic():
    falling = learning_curves(
        [(1, 100.0, np.nan, np.nan), (2, 10.0, np.nan, np.nan), (3, 1.0, np.nan, np.nan)]
    )
    (loss,) = points(loss_chart(falling, "loss"))
    assert loss[2, 1] - loss[1, 1] == pytest.approx(loss[1, 1] - loss[0, 1], abs=0.11)


@pytest.mark.parametrize("rows", [0, 1])
def test_next_to_no_history_is_drawn_all_the_same(rows):
    curves = learning_curves(np.full((rows, 4), 0.5))
    chart = loss_chart(curves, "a title <&>")
    assert "<title>a title &lt;&amp;&gt;</title>" in chart
    assert ("nothing was measured" in chart) == (rows == 0)


def test_bars_of_the_reliability_diagram_are_as_high_as_the_accuracy():
    edges, counts = np.array([0, 0.5, 1]), np.array([10, 30])
    bins = ReliabilityBins(edges, counts, np.array([0.4, 0.8]), np.array([0.4, 0.6]))
    chart = reliability_chart(bins, "calibration")
    drawn = re.findall(r'height="([\d.]+)" class="(bar|gap)"', chart)
    heights = [float(height) for height, _ in drawn]
    kinds = [kind for _, kind in drawn]
    upper = heights[: kinds.index("gap")]
    assert upper[1] / upper[0] == pytest.approx(0.6 / 0.4, rel=0.01)
    gaps = heights[2:4]
    assert gaps[0] == 0 and gaps[1] / upper[0] == pytest.approx(0.2 / 0.4, rel=0.01)
    assert heights[-1] / heights[-2] == pytest.approx(3, rel=0.02)
