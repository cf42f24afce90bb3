"""What repeats tell: held to SciPy's tests where they have no rows in common, to a simulation where they have."""

import math

import numpy as np
import pytest

from softmaxclf.core.repeats import least_difference, standard_error, t_quantile, told_apart

stats = pytest.importorskip("scipy.stats")


def test_the_quantile_of_student_is_that_of_the_tables():
    degrees = [1, 2, 3, 4, 5, 8, 9, 30, 99, 2000]
    assert [t_quantile(each) for each in degrees] == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-12)
    assert t_quantile(1) == pytest.approx(12.706, abs=1e-3) and t_quantile(4) == pytest.approx(
        2.776, abs=1e-3
    )


def test_of_the_same_rows_the_least_difference_is_where_a_paired_test_gives_five_percent():
    differences = np.random.default_rng(0).normal(size=6)
    centered = differences - differences.mean()
    at_the_edge = centered + least_difference(differences, 0.0)
    assert stats.ttest_1samp(at_the_edge, 0).pvalue == pytest.approx(0.05, rel=1e-9)


def test_of_two_samples_the_least_difference_is_where_a_test_of_two_samples_gives_five_percent():
    generator = np.random.default_rng(1)
    first, second = generator.normal(size=5), generator.normal(size=3)
    difference, least = told_apart(first, second)
    assert difference == pytest.approx(first.mean() - second.mean())
    assert stats.ttest_ind(first + least - difference, second).pvalue == pytest.approx(0.05, rel=1e-9)


def test_one_figure_against_several_is_told_by_the_deviation_of_these():
    first = [0.40, 0.42, 0.41]
    difference, least = told_apart(first, [0.50])
    assert difference == pytest.approx(-0.09)
    assert least == pytest.approx(stats.t.ppf(0.975, 2) * np.std(first, ddof=1) * math.sqrt(1 / 3 + 1))


@pytest.mark.parametrize("figures", [[], [0.4]])
def test_fewer_than_two_figures_tell_nothing(figures):
    assert math.isnan(standard_error(np.array(figures), 0.1))
    assert math.isnan(least_difference(np.array(figures), 0.1))
    assert math.isnan(told_apart([0.4], [0.5])[1])


def test_draws_that_share_rows_seldom_tell_equal_settings_apart():
    """Two rules that are equally right guess the same held-out fifth of 50 rows, drawn 10 times from the same rows.

    Without the share that is held out, more than a quarter of such pairs would be told apart.
    """
    generator = np.random.default_rng(2)
    told, told_naively, tries = 0, 0, 1000
    for _ in range(tries):
        gains = generator.choice([-1, 0, 1], 50)
        differences = np.array([gains[generator.permutation(50)[:10]].mean() for _ in range(10)])
        told += abs(differences.mean()) > least_difference(differences, 0.2)
        told_naively += abs(differences.mean()) > least_difference(differences, 0.0)
    assert told / tries < 0.1 < 0.25 < told_naively / tries
