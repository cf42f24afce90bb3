import math

import numpy as np
import pytest

from softmaxclf.core.checks.sanity import (
    independent_rows,
    loss_at_zero,
    overfit,
    regularization,
    sanity_checks,
    update_ratio,
)
from softmaxclf.core.checks.selfcheck import make_subject
from softmaxclf.core.losses import LOSSES
from softmaxclf.core.losses.softmax import softmax_loss_vectorized, with_bias

K = 10
BOTH = pytest.mark.parametrize("loss", ["softmax", "hinge"])


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(5)
    return generator.integers(0, 256, (60, 48)).astype(np.float64), generator.integers(0, K, 60)


def subject(data, loss="softmax", classical=None):
    """What is checked, with the loss of that name or another one of the classic signature."""
    return make_subject(*data, K, loss=loss, seed=0, objective=classical and with_bias(classical))


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
def test_the_loss_at_zero_weights_is_as_expected(data, loss):
    check = loss_at_zero(subject(data, loss))
    assert check.passed
    assert check.value == pytest.approx(LOSSES.load(loss).at_zero(K))
    assert check.expected in ("log 10 = 2.30259", "10 - 1 = 9")


def test_a_loss_without_its_mean_is_noticed_at_zero_weights(data):
    check = loss_at_zero(subject(data, classical=without_mean))
    assert (check.passed, check.value) == (False, pytest.approx(60 * math.log(10)))


@BOTH
def test_twice_the_regularization_raises_the_loss_by_the_penalty(data, loss):
    checked = subject(data, loss)
    check = regularization(checked)
    assert check.passed
    assert check.value == pytest.approx(0.5 * checked.regularization * (checked.W**2).sum())


@pytest.mark.parametrize("loss", [forgetting_reg, twice_the_penalty])
def test_a_forgotten_or_doubled_penalty_is_noticed(data, loss):
    assert not regularization(subject(data, classical=loss)).passed


@BOTH
def test_twenty_rows_can_be_overfitted(data, loss):
    check = overfit(subject(data, loss))
    assert check.passed
    assert check.name == "20 rows can be overfitted"
    assert 0 <= check.value < 0.01


def test_few_features_take_no_more_rows_than_they_can_separate(data):
    check = overfit(subject((data[0][:, :3], data[1]), "hinge"))
    assert check.name == "4 rows can be overfitted"
    assert check.passed


def test_a_gradient_of_the_wrong_sign_cannot_overfit(data):
    check = overfit(subject(data, classical=climbing))
    assert not check.passed
    assert not check.value < math.log(K)


def test_a_loss_of_nan_ends_the_descent_and_fails(data):
    calls = []

    def broken(W, X, y, reg):
        calls.append(1)
        return math.nan, W

    assert not overfit(subject(data, classical=broken)).passed
    assert len(calls) < 5


@BOTH
def test_the_first_step_is_a_thousandth_of_the_weights(data, loss):
    check = update_ratio(subject(data, loss))
    assert check.passed
    assert check.value == pytest.approx(1e-3)


def test_a_gradient_a_thousand_times_too_large_or_too_small_makes_an_unhealthy_first_step(data):
    for factor in (1e3, 1e-3):

        def wrong(W, X, y, reg, factor=factor):
            loss, dW = softmax_loss_vectorized(W, X, y, reg)
            return loss, factor * dW

        assert not update_ratio(subject(data, classical=wrong)).passed


def test_all_four_are_made(data):
    assert [check.passed for check in sanity_checks(subject(data))] == [True] * 4


def test_rows_that_follow_from_others_are_not_taken():
    X = np.array([[0, 0, 0], [0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 3, 0], [5, 1, 0], [0, 0, 1], [7, 7, 7.0]])
    assert independent_rows(X, 20) == [0, 2, 4, 6]
    assert independent_rows(X, 2) == [0, 2]
    assert independent_rows(np.ones((5, 3)), 20) == [0]


def test_repeated_rows_with_other_labels_do_not_keep_the_rest_from_being_overfitted(data):
    X, y = np.vstack([data[0][:5], data[0]]), np.concatenate([(data[1][:5] + 1) % K, data[1]])
    check = overfit(subject((X, y)))
    assert (check.name, check.passed) == ("20 rows can be overfitted", True)
