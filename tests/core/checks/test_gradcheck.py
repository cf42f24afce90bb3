import math

import numpy as np
import pytest

from softmaxclf.core.checks.gradcheck import (
    check_directions,
    check_elementwise,
    numeric_gradient,
    relative_error,
    suitable_step,
)
from softmaxclf.core.losses.hinge import hinge_loss_vectorized, hinge_margins
from softmaxclf.core.losses.softmax import softmax_loss_vectorized

REG = 0.1
N, D, K = 25, 6, 4


@pytest.fixture(scope="module")
def problem():
    """(W with a bias row, X with a column of ones, y), drawn."""
    generator = np.random.default_rng(11)
    X = np.hstack([generator.normal(size=(N, D)), np.ones((N, 1))])
    return generator.normal(size=(D + 1, K)), X, generator.integers(0, K, N)


def loss_without_regularized_bias(loss, W, X, y):
    """(loss, gradient) of the project's objective: the last row of W, the bias, is not regularized."""
    value, dW = loss(W, X, y, 0.0)
    free = W.copy()
    free[-1] = 0
    return value + 0.5 * REG * float((free**2).sum()), dW + REG * free


def objective(loss, X, y):
    return lambda W: loss_without_regularized_bias(loss, W, X, y)[0]


def sign_error(dW, W):
    wrong = dW.copy()
    wrong[2, 1] *= -1
    return wrong


BIAS = np.arange(D + 1)[:, None] == D
WRONG = {
    "0.1 % too large": lambda dW, W: dW * 1.001,
    "missing 1/N": lambda dW, W: dW * N,
    "regularized bias": lambda dW, W: dW + REG * np.where(BIAS, W, 0),
    "one wrong sign": sign_error,
    "missing regularization": lambda dW, W: dW - REG * np.where(BIAS, 0, W),
    "one NaN": lambda dW, W: np.where(np.arange(dW.size).reshape(dW.shape) == 3, np.nan, dW),
    "one infinity": lambda dW, W: np.where(np.arange(dW.size).reshape(dW.shape) == 3, np.inf, dW),
}
CHECKS = pytest.mark.parametrize("check", [check_elementwise, check_directions])
LOSSES = pytest.mark.parametrize(
    ("loss", "margins"),
    [(softmax_loss_vectorized, None), (hinge_loss_vectorized, hinge_margins)],
    ids=["softmax", "hinge"],
)


@CHECKS
@LOSSES
def test_the_right_gradient_passes(problem, check, loss, margins):
    W, X, y = problem
    kinks = None if margins is None else lambda w: margins(X @ w, y)
    gradient = loss_without_regularized_bias(loss, W, X, y)[1]
    result = check(objective(loss, X, y), gradient, W, kinks=kinks)
    assert result.passed
    assert result.checked >= 8


@pytest.mark.parametrize("wrong", WRONG)
@CHECKS
@LOSSES
def test_a_wrong_gradient_fails(problem, check, loss, margins, wrong):
    W, X, y = problem
    gradient = WRONG[wrong](loss_without_regularized_bias(loss, W, X, y)[1], W)
    result = check(objective(loss, X, y), gradient, W)
    assert not result.passed
    assert not result.max_relative_error <= 1e-4, "far beyond the tolerance, not by rounding"


def test_the_worst_place_is_named_with_both_derivatives(problem):
    W, X, y = problem
    right = loss_without_regularized_bias(softmax_loss_vectorized, W, X, y)[1]
    result = check_elementwise(objective(softmax_loss_vectorized, X, y), sign_error(right, W), W)
    assert result.worst == (2, 1)
    assert result.analytic == -right[2, 1]
    assert result.numeric == pytest.approx(right[2, 1], rel=1e-6)
    assert result.max_relative_error == pytest.approx(2, rel=1e-6)


def test_a_drawn_subset_is_the_same_for_the_same_seed(problem):
    W, X, y = problem
    f = objective(softmax_loss_vectorized, X, y)
    results = [check_elementwise(f, np.zeros_like(W), W, count=3, seed=seed) for seed in (1, 1, 2, 3, 4)]
    assert all(result.checked == 3 for result in results)
    assert results[0] == results[1]
    assert len({result.worst for result in results}) > 1


def test_coordinates_whose_interval_crosses_a_kink_are_skipped_and_counted():
    def f(w):
        return float(np.maximum(w, 0).sum())

    W = np.array([1.0, 1e-7, -2.0])
    blind = check_elementwise(f, [1, 1, 0], W)
    aware = check_elementwise(f, [1, 1, 0], W, kinks=lambda w: w)
    assert (blind.passed, blind.worst) == (False, (1,))
    assert (aware.passed, aware.checked, aware.skipped) == (True, 2, 1)
    assert check_directions(f, [1, 1, 0], W, kinks=lambda w: w, count=5).skipped == 5


def test_the_kinks_that_were_met_are_named_once_and_in_order():
    def bends(w):
        return np.array([[w[1], 1.0], [w[0], w[1]]])

    result = check_elementwise(lambda w: float(w.sum()), [1, 1, 1], [1e-7, 1e-7, 1.0], kinks=bends)
    assert (result.checked, result.skipped, result.kinks) == (1, 2, ((0, 0), (1, 0), (1, 1)))
    assert check_elementwise(lambda w: float(w.sum()), [1], [1e-7]).kinks == ()


def test_nothing_checked_does_not_pass():
    result = check_elementwise(lambda w: float(abs(w[0])), [0.0], [0.0], kinks=lambda w: w)
    assert (result.checked, result.skipped, result.worst, result.passed) == (0, 1, None, False)
    assert math.isnan(result.numeric)


def test_a_loss_that_is_not_finite_fails():
    for value in (math.nan, math.inf):
        assert not check_elementwise(lambda w, v=value: v, [0.0], [1.0]).passed


@pytest.mark.parametrize("scale", [0.01, 1, 100])
def test_a_suitable_step_serves_features_of_any_scale(problem, scale):
    W, X, y = problem[0] / scale, problem[1] * scale, problem[2]
    f, gradient = lambda w: softmax_loss_vectorized(w, X, y, 0)[0], softmax_loss_vectorized(W, X, y, 0)[1]
    h = suitable_step(X)
    for check in (check_elementwise, check_directions):
        assert check(f, gradient, W, h=h).passed
        assert not check(f, gradient * 1.001, W, h=h).passed
    assert suitable_step(np.zeros((2, 2))) > 0


def test_the_floor_is_far_below_the_gradient_it_judges(problem):
    W, X, y = problem
    gradient = softmax_loss_vectorized(W, X, y, 0)[1]
    result = check_elementwise(lambda w: softmax_loss_vectorized(w, X, y, 0)[0], gradient, W)
    assert result.floor < np.abs(gradient).mean() / 100


def test_numeric_gradients_of_a_known_function():
    W = np.array([[1.0, -2.0], [0.5, 3.0]])
    numeric = numeric_gradient(lambda w: float((w**3).sum()), W)
    assert numeric == pytest.approx(3 * W**2, rel=1e-8)
    assert numeric_gradient(lambda w: float((w**3).sum()), W, coordinates=[3, 0]) == pytest.approx([27, 3])


def test_the_weights_are_left_as_they_were():
    W = np.array([1.0, 2.0])
    numeric_gradient(lambda w: float(w.sum()), W)
    check_directions(lambda w: float(w.sum()), [1, 1], W)
    assert W.tolist() == [1, 2]


def test_relative_error_uses_the_stated_floor():
    assert relative_error(1e-7, 5e-7, floor=1e-12) == pytest.approx(0.8)
    assert relative_error([1.0, 0.0], [1.1, 1e-9], floor=1e-3) == pytest.approx([0.1 / 1.1, 1e-6])
    assert math.isnan(relative_error(math.inf, math.inf, floor=1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: check_elementwise(f, [1.0], [1.0, 2.0]), r"shape \(2,\) of W, not empty, got \(1,\)"),
        (lambda f: check_elementwise(f, [], []), "not empty"),
        (lambda f: check_elementwise(f, [1.0], [1.0], h=0), "step above 0, got 0"),
        (lambda f: check_directions(f, [1.0], [1.0], count=0), "count: expected at least 1"),
        (lambda f: numeric_gradient(f, [1.0], h=-1), "step above 0"),
        (lambda f: relative_error(1, 2, 0), "floor"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(lambda w: float(w.sum()))
