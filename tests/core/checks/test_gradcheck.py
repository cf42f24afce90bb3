import math
import re

import numpy as np
import pytest

from softmaxclf.core.checks.gradcheck import (
    COORDINATES,
    axes,
    check_gradient,
    numeric_slope,
    random_directions,
    relative_error,
    suitable_step,
)
from softmaxclf.core.losses.hinge import hinge_loss_vectorized, hinge_margins
from softmaxclf.core.losses.softmax import softmax_loss_vectorized
from tests.core.numeric import numeric_gradient

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
LINES = pytest.mark.parametrize("lines", [axes, random_directions])
LOSSES = pytest.mark.parametrize(
    ("loss", "margins"),
    [(softmax_loss_vectorized, None), (hinge_loss_vectorized, hinge_margins)],
    ids=["softmax", "hinge"],
)


def check(f, gradient, W, lines=axes, *, seed=0, **choices):
    """The check of a gradient along lines through all of W."""
    W = np.array(W, np.float64)
    gradient = np.array(gradient, np.float64)
    return check_gradient(f, gradient, W, lines(np.ones(W.shape, bool), seed), **choices)


def checked(result):
    """How many lines a check says that it followed."""
    return int(re.search(r"(\d+) checked", result.found)[1])


@LINES
@LOSSES
def test_the_right_gradient_passes(problem, lines, loss, margins):
    W, X, y = problem
    kinks = None if margins is None else lambda w: margins(X @ w, y)
    gradient = loss_without_regularized_bias(loss, W, X, y)[1]
    result = check(objective(loss, X, y), gradient, W, lines, kinks=kinks)
    assert result.passed
    assert checked(result) >= 8


@pytest.mark.parametrize("wrong", WRONG)
@LINES
@LOSSES
def test_a_wrong_gradient_fails(problem, lines, loss, margins, wrong):
    W, X, y = problem
    gradient = WRONG[wrong](loss_without_regularized_bias(loss, W, X, y)[1], W)
    result = check(objective(loss, X, y), gradient, W, lines)
    assert not result.passed
    assert result.value > 1e-4, "far beyond the tolerance, not by rounding"


def test_the_worst_place_is_named_with_both_derivatives(problem):
    W, X, y = problem
    right = loss_without_regularized_bias(softmax_loss_vectorized, W, X, y)[1]
    result = check(objective(softmax_loss_vectorized, X, y), sign_error(right, W), W)
    slope = right[2, 1]
    assert result.found == f"2.0e+00 at W[2, 1], 28 checked; analytic {-slope:.6g}, numeric {slope:.6g}"
    assert result.value == pytest.approx(2, rel=1e-6)


@LINES
def test_lines_are_unit_directions_through_their_part_and_the_same_for_the_same_seed(lines):
    part = np.zeros((4, 200), bool)
    part[1:] = True
    drawn, same, others = (list(lines(part, seed)) for seed in (1, 1, 2))
    assert len(drawn) == (COORDINATES if lines is axes else 10)
    for (name, direction), (same_name, same_direction) in zip(drawn, same, strict=True):
        assert (name == same_name) and (direction == same_direction).all()
        assert np.linalg.norm(direction) == pytest.approx(1)
        assert not direction[0].any()
    assert any((one != other).any() for (_, one), (_, other) in zip(drawn, others, strict=True))


def test_lines_that_cross_a_kink_are_left_out_and_counted():
    def f(w):
        return float(np.maximum(w, 0).sum())

    W = [1.0, 1e-7, -2.0]
    blind = check(f, [1, 1, 0], W)
    aware = check(f, [1, 1, 0], W, kinks=lambda w: w)
    assert not blind.passed and "at W[1], 3 checked" in blind.found
    assert aware.passed and aware.found.endswith("2 checked, 1 left out at kinks")
    along = check(f, [1, 1, 0], W, random_directions, kinks=lambda w: w)
    assert along.found == "nothing could be checked: kinks at all 10"


def test_the_kinks_that_were_met_are_named_once_and_in_order():
    def bends(w):
        return np.array([[w[1], 1.0], [w[0], w[1]]])

    result = check(lambda w: float(w.sum()), [1, 1, 1], [1e-7, 1e-7, 1.0], kinks=bends)
    assert result.kinks == ((0, 0), (1, 0), (1, 1))
    assert result.found.endswith("1 checked, 2 left out at kinks")
    assert check(lambda w: float(w.sum()), [1], [1e-7]).kinks == ()


def test_nothing_checked_does_not_pass():
    result = check(lambda w: float(abs(w[0])), [0.0], [0.0], kinks=lambda w: w)
    assert (result.passed, result.found) == (False, "nothing could be checked: kinks at all 1")


def test_a_loss_that_is_not_finite_fails():
    for value in (math.nan, math.inf):
        assert not check(lambda w, v=value: v, [0.0], [1.0]).passed


@pytest.mark.parametrize("scale", [0.01, 1, 100])
@LINES
def test_a_suitable_step_serves_features_of_any_scale(problem, scale, lines):
    W, X, y = problem[0] / scale, problem[1] * scale, problem[2]
    f, gradient = lambda w: softmax_loss_vectorized(w, X, y, 0)[0], softmax_loss_vectorized(W, X, y, 0)[1]
    h = suitable_step(X)
    assert check(f, gradient, W, lines, h=h).passed
    assert not check(f, gradient * 1.001, W, lines, h=h).passed
    assert suitable_step(np.zeros((2, 2))) > 0


def test_slopes_of_a_known_function_leave_the_weights_as_they_were():
    W = np.array([[1.0, -2.0], [0.5, 3.0]])
    before = W.copy()
    assert numeric_gradient(lambda w: float((w**3).sum()), W) == pytest.approx(3 * W**2, rel=1e-8)
    assert numeric_slope(lambda w: float((w**3).sum()), W, np.eye(2)) == pytest.approx(30, rel=1e-8)
    assert (before == W).all()


def test_relative_errors_are_of_the_largest_value_or_of_the_floor():
    assert relative_error([1.0, 4.0], [2.0, 4.0]) == 0.25
    assert relative_error(1e-7, 5e-7, 1e-12) == pytest.approx(0.8)
    assert relative_error(1.0, 2.0, 10) == 0.1
    assert relative_error(1.0, 0.0) == 1
    assert relative_error([math.nan], [1.0]) == relative_error(math.inf, math.inf) == math.inf
