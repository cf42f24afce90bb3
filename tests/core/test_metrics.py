import math
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softmaxclf.core.losses.softmax import cross_entropy, log_softmax, softmax
from softmaxclf.core.metrics import (
    ClassScores,
    brier_score,
    confused_pairs,
    confusion_matrix,
    log_loss,
    majority_baseline,
    mcnemar,
    mcnemar_p_value,
    most_wrong,
    neighbours,
    outcome_bins,
    paired_interval,
    precision_recall_f1,
    tied_pairs,
    top_hits,
    weakest,
    wilson_interval,
)


@pytest.fixture(scope="module")
def judged():
    """(scores (500, 6), y, predicted) of a classifier better than chance; class 5 occurs in neither."""
    generator = np.random.default_rng(8)
    y = generator.integers(0, 5, 500)
    scores = generator.normal(size=(500, 6)) + 1.5 * np.eye(6)[y]
    scores[:, 5] = -50
    return scores, y, scores.argmax(axis=1)


def test_the_majority_baseline_takes_its_label_from_training():
    assert majority_baseline([2, 2, 1, 0], [1, 1, 2]) == (2, 1)
    assert majority_baseline([3, 1, 1, 3], [1, 1, 3]) == (1, 2)


@pytest.mark.parametrize(
    ("correct", "rows", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_equal_the_published_ones(correct, rows, low, high):
    # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
    assert wilson_interval(correct, rows) == pytest.approx((low, high), abs=5e-5)


@settings(deadline=None)
@given(st.integers(1, 10**7), st.floats(0, 1))
def test_wilson_limits_are_where_the_score_test_just_rejects(rows, share):
    correct = round(share * rows)
    low, high = wilson_interval(correct, rows)
    assert 0 <= low <= correct / rows <= high <= 1
    assert (low == 0) == (correct == 0)
    assert (high == 1) == (correct == rows)
    z = NormalDist().inv_cdf(0.975)
    for limit in {low, high} - {0.0, 1.0}:
        deviations = (correct - rows * limit) / math.sqrt(rows * limit * (1 - limit))
        assert abs(deviations) == pytest.approx(z, rel=1e-5)


def test_the_interval_mirrors_when_right_and_wrong_change_places():
    low, high = wilson_interval(37, 90)
    assert wilson_interval(53, 90) == pytest.approx((1 - high, 1 - low), rel=1e-12)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_equals_the_binomial_sum_in_fractions(only_a, only_b):
    n, k = only_a + only_b, min(only_a, only_b)
    tail = Fraction(sum(math.comb(n, i) for i in range(k + 1)), 2**n)
    assert mcnemar_p_value(only_a, only_b) == pytest.approx(float(min(Fraction(1), 2 * tail)), rel=1e-12)
    assert mcnemar_p_value(only_b, only_a) == mcnemar_p_value(only_a, only_b)


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(500, 580), (4900, 5100), (24_700, 25_300), (10_000, 40_000), (59_800, 60_200)]
)
def test_mcnemar_equals_the_sign_test_for_many_rows(only_a, only_b):
    binomtest = pytest.importorskip("scipy.stats").binomtest
    with np.errstate(all="raise"):
        p = mcnemar_p_value(only_a, only_b)
    assert p == pytest.approx(binomtest(only_a, only_a + only_b).pvalue, rel=1e-8, abs=1e-300)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    # Newcombe 1998, table II, method 10
    [((36, 12, 2, 0), 0.0569, 0.3404), ((54, 0, 0, 0), -0.0664, 0.0664), ((0, 54, 0, 0), 0.9061, 1.0)],
)
def test_paired_intervals_equal_the_published_ones(counts, low, high):
    assert paired_interval(*counts) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("counts", [(4000, 300, 250, 5450), (900, 40, 80, 980), (30_000, 10, 12, 20_000)])
def test_paired_intervals_of_many_rows_are_those_of_the_normal_approximation(counts):
    both, only_a, only_b, neither = counts
    rows = sum(counts)
    difference = (only_a - only_b) / rows
    deviation = np.sqrt((only_a + only_b) / rows - difference**2) / np.sqrt(rows)
    expected = difference - 1.959964 * deviation, difference + 1.959964 * deviation
    assert paired_interval(*counts) == pytest.approx(expected, abs=0.03 * deviation + 1e-4)
    turned = paired_interval(both, only_b, only_a, neither)
    assert paired_interval(*counts) == pytest.approx((-turned[1], -turned[0]))


def test_paired_intervals_hold_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(0)
    shares = np.array([0.5, 0.12, 0.08, 0.3])
    drawn = generator.multinomial(200, shares, 2000)
    bounds = np.array([paired_interval(*counts) for counts in drawn.tolist()])
    held = (bounds[:, 0] <= 0.04) & (bounds[:, 1] >= 0.04)
    assert 0.93 < held.mean() < 0.98


def test_mcnemar_counts_only_rows_on_which_the_two_differ():
    a = np.array([True] * 9 + [False] * 3 + [True] * 50)
    b = np.array([False] * 9 + [True] * 3 + [True] * 50)
    assert mcnemar(a, b) == mcnemar_p_value(9, 3) == pytest.approx(2 * (1 + 12 + 66 + 220) / 2**12)


def test_equal_models_have_p_value_one():
    assert mcnemar(np.ones(5, bool), np.ones(5, bool)) == 1
    assert mcnemar_p_value(7, 7) == 1


def test_confusion_rows_are_the_truth():
    assert confusion_matrix([0, 0, 2], [1, 0, 2], 3).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_confusion_and_class_scores_equal_scikit_learn(judged):
    peer = pytest.importorskip("sklearn.metrics")
    _, y, predicted = judged
    confusion = confusion_matrix(y, predicted, 6)
    assert (confusion == peer.confusion_matrix(y, predicted, labels=range(6))).all()
    expected = peer.precision_recall_fscore_support(y, predicted, labels=range(6), zero_division=np.nan)
    for k, scores in enumerate(precision_recall_f1(confusion)):
        found = [scores.precision, scores.recall, scores.f1, scores.support]
        np.testing.assert_allclose([math.nan if v is None else v for v in found], [e[k] for e in expected])


def test_zero_over_zero_is_none():
    never_seen, never_predicted, never_either = precision_recall_f1([[0, 0, 0], [4, 0, 0], [0, 0, 0]])
    assert never_seen == ClassScores(precision=0.0, recall=None, f1=0.0, support=0)
    assert never_predicted == ClassScores(precision=None, recall=0.0, f1=0.0, support=4)
    assert never_either == ClassScores(precision=None, recall=None, f1=None, support=0)


def test_log_loss_and_brier_score_equal_scikit_learn(judged):
    peer = pytest.importorskip("sklearn.metrics")
    scores, y, _ = judged
    assert log_loss(log_softmax(scores), y) == pytest.approx(
        peer.log_loss(y, softmax(scores), labels=range(6)), rel=1e-9
    )
    assert brier_score(softmax(scores), y) == pytest.approx(
        peer.brier_score_loss(y, softmax(scores), labels=range(6), scale_by_half=False), rel=1e-12
    )


def test_log_loss_is_the_mean_cross_entropy(judged):
    scores, y, _ = judged
    assert log_loss(log_softmax(scores), y) == pytest.approx(cross_entropy(scores, y).mean(), rel=1e-12)
    assert log_loss(np.array([[0.0, -np.inf]]), [1]) == math.inf


def test_brier_scores_of_certainty_and_ignorance():
    assert brier_score(np.eye(2), [0, 1]) == 0
    assert brier_score(np.eye(2), [1, 0]) == 2
    assert brier_score(np.full((3, 4), 0.25), [0, 1, 2]) == pytest.approx(0.75**2 + 3 * 0.25**2)


def test_bins_hold_their_upper_edge_and_empty_ones_are_nan():
    found = outcome_bins(np.array([0.0, 0.5, 0.51, 1.0]), np.array([True, False, True, True]), bins=4)
    assert found.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.counts.tolist() == [1, 1, 1, 1]
    found = outcome_bins(np.array([0.6, 0.7]), np.array([True, False]), bins=2)
    np.testing.assert_allclose(found.accuracy, [np.nan, 0.5])
    np.testing.assert_allclose(found.confidence, [np.nan, 0.65])
    assert found.expected_error() == pytest.approx(0.15)


def top_label_bins(p, y):
    return outcome_bins(p.max(axis=1), p.argmax(axis=1) == y)


def test_calibration_error_equals_a_loop_over_the_bins(judged):
    scores, y, _ = judged
    p = softmax(scores)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    expected = 0.0
    for i in range(15):
        inside = (confidence > i / 15) & (confidence <= (i + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert top_label_bins(p, y).expected_error() == pytest.approx(expected, rel=1e-12)
    assert top_label_bins(p, y).counts.sum() == 500


def test_calibration_error_is_zero_for_the_truth_and_large_for_a_boaster():
    assert top_label_bins(np.array(np.eye(3)), [0, 1, 2]).expected_error() == 0
    assert top_label_bins(np.array(np.eye(3)), [1, 2, 0]).expected_error() == 1
    assert top_label_bins(np.array([[0.75, 0.25]] * 4), [0, 0, 0, 1]).expected_error() == 0


def test_float32_probabilities_serve_as_well(judged):
    scores, y, _ = judged
    assert brier_score(softmax(scores.astype(np.float32)), y) == pytest.approx(
        brier_score(softmax(scores), y), rel=1e-6
    )


@pytest.mark.parametrize(
    ("y", "predicted", "message"),
    [
        ([0], [3], r"predicted: expected labels in \[0, 3\), got 3"),
        ([-1], [0], "y: expected labels"),
        ([0], [0, 1], "predicted: expected one label per row"),
    ],
)
def test_labels_that_fit_no_confusion_matrix_are_refused(y, predicted, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(y, predicted, 3)


def test_the_most_wrong_rows_are_the_surest_errors():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
    assert most_wrong(probabilities, [0, 0, 1, 0], 5).tolist() == [1, 3]
    assert most_wrong(probabilities, [1, 0, 0, 0], 2).tolist() == [0, 1]
    assert most_wrong(probabilities, [0, 1, 1, 1], 5).tolist() == []


def test_the_most_confused_pairs_come_first_without_the_diagonal_or_empty_ones():
    counts = np.array([[90, 1, 5], [7, 80, 0], [0, 0, 70]])
    assert confused_pairs(counts, 9) == [(1, 0), (0, 2), (0, 1)]
    assert confused_pairs(counts, 1) == [(1, 0)]
    assert counts[0, 0] == 90


# Many classes


def test_the_right_label_is_looked_for_among_the_five_highest() -> None:
    scores = np.array([[6, 5, 4, 3, 2, 1], [6, 5, 4, 3, 2, 1], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 9]])
    assert [top_hits(scores[[row]], [label]) for row, label in ((0, 4), (1, 5), (2, 0), (3, 5))] == [
        1,
        0,
        0,
        1,
    ]
    assert top_hits(scores, [4, 5, 0, 5]) == 2


def test_pairs_that_tie_with_the_last_one_listed_are_counted() -> None:
    counts = np.array([[9, 3, 2], [2, 9, 2], [0, 1, 9]])
    assert [tied_pairs(counts, listed) for listed in (1, 2, 3, 4, 5, 9)] == [
        (0, 0), (2, 2), (1, 2), (0, 0), (0, 0), (0, 0),
    ]  # fmt: skip


def test_the_weakest_classes_come_first_and_those_without_rows_last() -> None:
    classes = precision_recall_f1(np.array([[2, 2, 0], [0, 0, 0], [1, 0, 9]]))
    assert weakest(classes, 3) == [0, 2, 1] and weakest(classes, 1) == [0]


def test_an_order_of_neighbours_is_one_of_all_classes_whatever_the_counts() -> None:
    for counts in (np.zeros((5, 5), int), np.eye(4, dtype=int), np.ones((3, 3), int), np.array([[4]])):
        assert sorted(neighbours(counts)) == list(range(len(counts)))
