"""Numbers as they are shown, each with the whole number beside it."""

import numpy as np
import pytest

from softmaxclf.report.figures import count, decimal, interval, percent, setting


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (percent(0.35274, "a.b"), '<data value="0.35274" data-of="a.b">35.27\u00a0%</data>'),
        (percent(np.float64(0.5), "a", 0), '<data value="0.5" data-of="a">50\u00a0%</data>'),
        (count(10000, "a"), '<data value="10000" data-of="a">10,000</data>'),
        (decimal(1.90734, "a"), '<data value="1.90734" data-of="a">1.9073</data>'),
        (setting(1.5e-7, "a"), '<data value="1.5e-07" data-of="a">1.5e-7</data>'),
        (setting(9000.0, "a"), '<data value="9000.0" data-of="a">9,000</data>'),
    ],
)
def test_a_figure_carries_its_whole_value_and_its_place(made, expected):
    assert made == expected


def test_an_interval_is_two_figures():
    low, high = (
        '<data value="0.343" data-of="a.0">34.3</data>',
        '<data value="0.362" data-of="a.1">36.2</data>',
    )
    assert interval([0.343, 0.362], "a") == f"{low} to {high}\u00a0%"


@pytest.mark.parametrize("nothing", [None, float("nan"), float("inf")])
def test_what_is_not_known_is_a_dash(nothing):
    assert percent(nothing, "a") == decimal(nothing, "a") == interval([nothing, 0.5], "a") == "–"
