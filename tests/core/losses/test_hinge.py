import math

import numpy as np
import pytest

from softmaxclf.core.losses.hinge import hinge, hinge_loss_vectorized, hinge_margins, hinge_score_gradient
from softmaxclf.core.losses.softmax import cross_entropy
from tests.core.numeric import errors, numeric_gradient


@pytest.mark.parametrize("scores", [[10, -10, -10], [10, 9, 9]])
def test_a_row_that_leads_by_one_costs_nothing_in_hinge(scores):
    assert hinge(scores, 0) == 0
    assert isinstance(hinge(scores, 0), float)


def test_softmax_still_tells_apart_what_hinge_finds_equally_good():
    assert cross_entropy([10, 9, 9], 0) > 0.5 > 0.005 > cross_entropy([10, -10, -10], 0)


def test_hinge_adds_the_margins_of_the_other_classes():
    # 3.2, 5.1, -1.7 with class 0: max(0, 5.1 - 3.2 + 1) + max(0, -1.7 - 3.2 + 1) = 2.9 (CS231n notes).
    assert hinge([3.2, 5.1, -1.7], 0) == pytest.approx(2.9)
    assert hinge([[1.3, 4.9, 2.0], [2.2, 2.5, -3.1]], [1, 2]) == pytest.approx([0, 12.9])


def test_the_score_gradient_counts_the_violated_margins():
    assert hinge_score_gradient([2.2, 2.5, -3.1], 2).tolist() == [1, 1, -2]
    assert hinge_score_gradient([[10, 9.5, 0], [10, 0, 0]], [0, 0]).tolist() == [[-1, 1, 0], [0, 0, 0]]


def test_score_gradients_sum_to_zero_and_equal_numeric_ones():
    generator = np.random.default_rng(3)
    scores, y = generator.normal(size=(20, 6)) * 3, generator.integers(0, 6, 20)
    assert np.abs(hinge_margins(scores, y)).min() > 1e-4, "no kink is near these scores"
    gradient = hinge_score_gradient(scores, y)
    assert (gradient.sum(axis=1) == 0).all()
    numeric = numeric_gradient(lambda s: float(hinge(s, y).sum()), scores)
    assert errors(gradient, numeric, floor=1e-2).max() < 1e-6


def test_at_a_kink_the_gradient_is_that_of_the_flat_side():
    scores = np.array([1.0, 0.0, -5.0])
    assert hinge_margins(scores, 0)[1] == 0
    assert hinge_score_gradient(scores, 0).tolist() == [0, 0, 0]
    assert hinge_score_gradient(np.array([1.0, 1e-9, -5.0]), 0).tolist() == [-1, 1, 0]


def test_margins_are_minus_one_at_the_label():
    assert hinge_margins([[3.0, 1.0, 4.0]], [0]).tolist() == [[-1, -1, 2]]


def test_the_loss_at_zero_weights_is_k_minus_one():
    for K in (1, 2, 10, 1000):
        loss, _ = hinge_loss_vectorized(np.zeros((3, K)), np.ones((4, 3)), np.zeros(4, int), reg=5.0)
        assert loss == K - 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_types_stay_as_they_are(dtype):
    scores = np.eye(3, dtype=dtype)
    loss, dW = hinge_loss_vectorized(scores, scores, [0, 1, 2], 0.5)
    results = [hinge(scores, [0, 1, 2]), hinge_score_gradient(scores, [0, 1, 2]), dW]
    assert {result.dtype for result in results} == {np.dtype(dtype)}
    assert isinstance(loss, float)


def test_huge_scores_give_their_loss_and_gradient_without_a_warning():
    assert hinge([1e300, -1e300], 1) == 2e300
    assert hinge([1.7e308, -1.7e308], 1) == math.inf
    assert hinge_score_gradient([1.7e308, -1.7e308], 1).tolist() == [1, -1]


def test_missing_scores_give_nan_and_leave_other_rows_alone():
    for row, label in (([np.nan, 0.0], 0), ([np.nan, 0.0], 1), ([np.inf, np.inf], 0)):
        scores = np.array([row, [0.0, 0.0]])
        assert np.isnan(hinge(scores, [label, 0])[0])
        assert np.isnan(hinge_score_gradient(scores, [label, 0])[0]).all()
        assert hinge(scores, [label, 0])[1] == 1


def test_wrong_labels_and_shapes_are_refused():
    with pytest.raises(ValueError, match=r"labels in \[0, 2\), got 5 to 5"):
        hinge([[0.0, 1.0]], [5])
    with pytest.raises(ValueError, match=r"got \(3, 2\) and \(4, 2\)"):
        hinge_loss_vectorized(np.ones((3, 2)), np.ones((4, 2)), [0] * 4, 0)
