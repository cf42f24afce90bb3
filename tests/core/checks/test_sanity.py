import math
from itertools import pairwise

import numpy as np
import pytest

from softmaxclf.core.checks.sanity import (
    check_loss_at_zero,
    check_overfit,
    check_regularization,
    check_update_ratio,
    independent_rows,
    largest_rate,
)
from softmaxclf.core.losses import LOSSES
from softmaxclf.core.losses.hinge import hinge_loss_vectorized
from softmaxclf.core.losses.softmax import softmax_loss_vectorized

K = 10
BOTH = pytest.mark.parametrize(
    ("loss", "name"), [(softmax_loss_vectorized, "softmax"), (hinge_loss_vectorized, "hinge")]
)


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(5)
    return generator.integers(0, 256, (60, 48)).astype(np.uint8), generator.integers(0, K, 60)


def without_mean(W, X, y, reg):
    loss, dW = softmax_loss_vectorized(W, X, y, reg)
    return loss * len(y), dW * len(y)


def climbing(W, X, y, reg):
    loss, dW = softmax_loss_vectorized(W, X, y, reg)
    return loss, -dW


def forgetting_reg(W, X, y, reg):
    return softmax_loss_vectorized(W, X, y, 0)


def twice_the_penalty(W, X, y, reg):
    return softmax_loss_vectorized(W, X, y, 2 * reg)


@BOTH
def test_the_loss_at_zero_weights_is_as_expected(data, loss, name):
    check = check_loss_at_zero(loss, *data, K, name)
    assert check.passed
    assert check.found == pytest.approx(LOSSES.load(name).at_zero(K))
    assert check.expected in ("log 10 = 2.30259", "10 - 1 = 9")


def test_a_loss_without_its_mean_is_noticed_at_zero_weights(data):
    check = check_loss_at_zero(without_mean, *data, K, "softmax")
    assert (check.passed, check.found) == (False, pytest.approx(60 * math.log(10)))


@BOTH
def test_regularization_raises_the_loss(data, loss, name):
    W = np.random.default_rng(0).normal(size=(48, K)) * 1e-3
    check = check_regularization(loss, W, *data, 0.0, 100.0)
    assert check.passed
    assert check.found == pytest.approx(50 * (W**2).sum())


@pytest.mark.parametrize("loss", [forgetting_reg, twice_the_penalty])
def test_a_forgotten_or_doubled_penalty_is_noticed(data, loss):
    assert not check_regularization(loss, np.ones((48, K)), *data, 0.0, 1.0).passed


@BOTH
def test_twenty_rows_can_be_overfitted(data, loss, name):
    check = check_overfit(loss, *data, K)
    assert check.passed
    assert check.name == "20 rows can be overfitted"
    assert 0 <= check.found < 0.01


def test_few_features_take_no_more_rows_than_they_can_separate(data):
    check = check_overfit(hinge_loss_vectorized, data[0][:, :3], data[1], K)
    assert check.name == "4 rows can be overfitted"
    assert check.passed


def test_a_gradient_of_the_wrong_sign_cannot_overfit(data):
    check = check_overfit(climbing, *data, K, iterations=50)
    assert not check.passed
    assert check.found > math.log(K)


def test_a_loss_of_nan_ends_the_descent_and_fails(data):
    calls = []

    def broken(W, X, y, reg):
        calls.append(1)
        return math.nan, W

    assert not check_overfit(broken, *data, K).passed
    assert len(calls) < 5


def test_the_update_ratio_is_the_first_step_over_the_weights(data):
    X, y = data[0] - data[0].mean(axis=0), data[1]
    W = np.random.default_rng(0).normal(size=(48, K)) * 1e-3
    dW = softmax_loss_vectorized(W, X, y, 0.0)[1]
    check = check_update_ratio(softmax_loss_vectorized, W, X, y, 0.0, 1e-6)
    assert check.found == pytest.approx(1e-6 * np.linalg.norm(dW) / np.linalg.norm(W))
    assert check.passed
    assert not check_update_ratio(softmax_loss_vectorized, W, X, y, 0.0, 1e-10).passed
    assert not check_update_ratio(softmax_loss_vectorized, W, X, y, 0.0, 1.0).passed


def test_checks_that_could_see_nothing_are_refused(data):
    zero = np.zeros((48, K))
    with pytest.raises(ValueError, match="W other than 0"):
        check_regularization(softmax_loss_vectorized, zero, *data, 0.0, 1.0)
    with pytest.raises(ValueError, match="more > reg"):
        check_regularization(softmax_loss_vectorized, zero + 1, *data, 1.0, 1.0)
    with pytest.raises(ValueError, match="W other than 0"):
        check_update_ratio(softmax_loss_vectorized, zero, *data, 0.0, 1e-3)
    with pytest.raises(KeyError, match="huber"):
        check_loss_at_zero(softmax_loss_vectorized, *data, K, "huber")


def test_the_loss_at_zero_is_log_k_of_softmax_and_k_less_1_of_hinge():
    assert LOSSES.load("softmax").at_zero(K) == math.log(10)
    assert LOSSES.load("hinge").at_zero(K) == 9


def test_rows_that_follow_from_others_are_not_taken():
    X = np.array([[0, 0, 0], [0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 3, 0], [5, 1, 0], [0, 0, 1], [7, 7, 7.0]])
    assert independent_rows(X, 20).tolist() == [0, 2, 4, 6]
    assert independent_rows(X, 2).tolist() == [0, 2]
    assert independent_rows(np.ones((5, 3)), 20).tolist() == [0]


def test_repeated_rows_with_other_labels_do_not_keep_the_rest_from_being_overfitted(data):
    X, y = np.vstack([data[0][:5], data[0]]), np.concatenate([(data[1][:5] + 1) % K, data[1]])
    check = check_overfit(softmax_loss_vectorized, X, y, K)
    assert (check.name, check.passed) == ("20 rows can be overfitted", True)


def test_no_step_at_the_largest_rate_raises_the_loss(data):
    X = data[0] - data[0].mean(axis=0)
    rate = largest_rate(X)
    W = np.random.default_rng(1).normal(size=(48, K)) * 0.1
    losses = []
    for _ in range(30):
        value, dW = softmax_loss_vectorized(W, X, data[1], 0.0)
        losses.append(value)
        W = W - rate * dW
    assert all(after <= before for before, after in pairwise(losses))
    assert largest_rate(np.zeros((3, 2))) == 1
