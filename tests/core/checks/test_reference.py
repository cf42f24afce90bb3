import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softmaxclf.core.checks.gradcheck import axes, check_gradient
from softmaxclf.core.checks.reference import hinge_loss_naive, softmax_loss_naive
from softmaxclf.core.losses.hinge import hinge_loss_vectorized, hinge_margins
from softmaxclf.core.losses.softmax import softmax_loss_vectorized
from tests.core.numeric import errors

PAIRS = [(softmax_loss_naive, softmax_loss_vectorized), (hinge_loss_naive, hinge_loss_vectorized)]
BOTH = pytest.mark.parametrize(("naive", "vectorized"), PAIRS, ids=["softmax", "hinge"])


@st.composite
def problems(draw):
    """(W, X, y, reg) of any shape from 1 x 1 x 1, with features and weights of very different sizes."""
    N, D, K = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(1, 7))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    X = generator.normal(size=(N, D)) * draw(st.sampled_from([0.01, 1, 100]))
    W = generator.normal(size=(D, K)) * draw(st.sampled_from([0, 0.01, 1, 10]))
    return W, X, generator.integers(0, K, N), draw(st.sampled_from([0.0, 0.5, 1e4]))


@BOTH
@settings(deadline=None)
@given(problem=problems())
def test_naive_and_vectorized_agree(naive, vectorized, problem):
    W, X, _, reg = problem
    (loss, dW), (fast_loss, fast_dW) = naive(*problem), vectorized(*problem)
    # Sums of N terms of this size are rounded, so a sum that cancels is judged by the size of its terms.
    terms = np.abs(X).max() * W.shape[1] + reg * np.abs(W).max()
    assert errors(loss, fast_loss, floor=1e-3) < 1e-9
    assert errors(dW, fast_dW, floor=1e-3 * terms).max() < 1e-9


@pytest.mark.parametrize(
    ("naive", "margins"), [(softmax_loss_naive, None), (hinge_loss_naive, hinge_margins)]
)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), reg=st.sampled_from([0.0, 0.3, 10.0]))
def test_the_naive_gradient_equals_the_numeric_one(naive, margins, seed, reg):
    generator = np.random.default_rng(seed)
    W, X, y = generator.normal(size=(4, 3)), generator.normal(size=(6, 4)), generator.integers(0, 3, 6)
    kinks = None if margins is None else lambda w: margins(X @ w, y)
    lines = axes(np.ones(W.shape, bool))
    check = check_gradient(lambda w: naive(w, X, y, reg)[0], naive(W, X, y, reg)[1], W, lines, kinks=kinks)
    assert check.passed, check
    assert int(check.found.split(", ")[-1 if not check.kinks else -2].split()[0]) >= 10


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_types_stay_as_they_are(naive, vectorized, dtype):
    W, X = np.ones((2, 3), dtype), np.ones((4, 2), dtype)
    loss, dW = naive(W, X, [0, 1, 2, 0], 0.5)
    assert dW.dtype == dtype
    assert isinstance(loss, float)
    assert loss == pytest.approx(vectorized(W, X, [0, 1, 2, 0], 0.5)[0], rel=1e-6)


def test_the_naive_losses_at_zero_weights_are_log_k_and_k_minus_one():
    X, y = np.ones((3, 2)), [0, 4, 9]
    assert softmax_loss_naive(np.zeros((2, 10)), X, y, 1.0)[0] == pytest.approx(math.log(10), rel=1e-14)
    assert hinge_loss_naive(np.zeros((2, 10)), X, y, 1.0)[0] == 9


def test_scores_that_overflow_exp_give_the_exact_naive_loss():
    loss, dW = softmax_loss_naive(np.array([[1e5, -1e5]]), np.array([[1.0]]), [1], 0)
    assert loss == 2e5
    assert dW.tolist() == [[1, -1]]


@BOTH
def test_wrong_arguments_are_refused(naive, vectorized):
    for function in (naive, vectorized):
        with pytest.raises(ValueError, match=r"labels in \[0, 2\), got 0 to 2"):
            function(np.ones((3, 2)), np.ones((2, 3)), [0, 2], 0)
        with pytest.raises(ValueError, match="reg"):
            function(np.ones((3, 2)), np.ones((2, 3)), [0, 1], -1)
