import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from softmaxclf.core.losses.softmax import (
    as_floats,
    cross_entropy,
    entropy,
    log_softmax,
    score_gradient,
    shifted_powers,
    shifted_scores,
    softmax,
    softmax_jacobian,
    softmax_loss_vectorized,
    with_bias,
)
from tests.core.numeric import errors, numeric_gradient

pytestmark = pytest.mark.usefixtures("floating_point_errors_raise")

ROWS = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-50, 50, width=64)
)


@pytest.fixture(scope="module")
def floating_point_errors_raise():
    with np.errstate(all="raise"):
        yield


def labels_for(scores):
    return np.arange(len(scores)) % scores.shape[1]


@pytest.mark.parametrize(
    ("scores", "expected", "tolerance"),
    [
        ([-3, 2, -1, 0], [0.0057, 0.8390, 0.0418, 0.1135], 5e-5),
        ([2, 3, 5], [0.04201007, 0.11419519, 0.8437947], 5e-8),
        # .59549.. stands in the source as .596, rounded twice.
        ([1.5, 0.8, -0.2], [0.596, 0.296, 0.109], 6e-4),
        ([1, -2, 0], [0.71, 0.04, 0.26], 6e-3),
        ([0.5, -1, 0], [0.55, 0.12, 0.33], 6e-3),
        ([2, 1, 0.5], [0.629, 0.231, 0.140], 6e-4),
    ],
)
def test_softmax_gives_the_worked_numbers(scores, expected, tolerance):
    assert softmax(scores) == pytest.approx(expected, abs=tolerance)


def test_softmax_of_123_456_789_keeps_three_digits_of_every_probability():
    assert softmax([123, 456, 789]) == pytest.approx([5.75e-290, 2.40e-145, 1], rel=2e-3, abs=0)


@pytest.mark.parametrize(
    ("scores", "label", "expected", "tolerance"),
    [
        ([-3, 2, -1, 0], 1, 0.1755, 5e-5),
        ([-3, 2, -1, 0], 0, 5.1755, 5e-5),
        ([4, -4, 3], 2, 1.3135068, 5e-7),
        ([10, -10, -10], 0, 0.00, 5e-3),
        ([10, 9, 9], 0, 0.55, 5e-3),
    ],
)
def test_cross_entropy_gives_the_worked_numbers(scores, label, expected, tolerance):
    loss = cross_entropy(scores, label)
    assert isinstance(loss, float)
    assert loss == pytest.approx(expected, abs=tolerance)


def test_the_score_gradient_gives_the_worked_numbers():
    assert score_gradient([4, -4, 3], 2) == pytest.approx([0.73087937, 0.00024518, -0.73112452], abs=5e-8)


@settings(deadline=None)
@given(ROWS)
def test_probabilities_equal_the_plain_formula_where_exp_is_safe(scores):
    plain = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert softmax(scores) == pytest.approx(plain, rel=1e-12)
    assert log_softmax(scores) == pytest.approx(np.log(plain), rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(ROWS, st.floats(-1e3, 1e3))
def test_adding_a_constant_to_a_row_changes_nothing(scores, constant):
    y = labels_for(scores)
    assert softmax(scores + constant) == pytest.approx(softmax(scores), rel=1e-9)
    assert cross_entropy(scores + constant, y) == pytest.approx(cross_entropy(scores, y), rel=1e-9, abs=1e-9)


@settings(deadline=None)
@given(ROWS)
def test_score_gradients_sum_to_zero_over_the_classes(scores):
    assert score_gradient(scores, labels_for(scores)).sum(axis=1) == pytest.approx(0, abs=1e-14)


@settings(deadline=None)
@given(ROWS)
def test_the_score_gradient_is_the_derivative_of_the_loss(scores):
    scores = np.clip(scores, -5, 5)
    y = labels_for(scores)
    numeric = numeric_gradient(lambda s: float(cross_entropy(s, y).sum()), scores)
    assert errors(score_gradient(scores, y), numeric, floor=1e-2).max() < 1e-6


@settings(deadline=None)
@given(hnp.arrays(np.float64, st.integers(1, 6), elements=st.floats(-5, 5)))
def test_the_jacobian_is_the_derivative_of_softmax(scores):
    columns = [numeric_gradient(lambda s, i=i: float(softmax(s)[i]), scores) for i in range(len(scores))]
    jacobian = softmax_jacobian(scores)
    assert errors(jacobian, np.array(columns), floor=1e-3).max() < 1e-6
    assert jacobian.sum(axis=0) == pytest.approx(0, abs=1e-15)
    assert (jacobian == jacobian.T).all()


def test_the_jacobian_of_several_rows_is_that_of_each_row():
    scores = np.array([[1.0, 2, 3], [0, 0, 5]])
    assert (softmax_jacobian(scores)[1] == softmax_jacobian(scores[1])).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_types_stay_as_they_are(dtype):
    scores, y = np.array([[1, 2, 3], [3, 2, 1]], dtype), [0, 1]
    results = [softmax(scores), log_softmax(scores), cross_entropy(scores, y)]
    results += [score_gradient(scores, y), softmax_jacobian(scores[0])]
    loss, dW = softmax_loss_vectorized(np.ones((3, 3), dtype), scores, y, 0.5)
    assert {result.dtype for result in [*results, dW]} == {np.dtype(dtype)}
    assert isinstance(loss, float)


@pytest.mark.parametrize("scores", [[1, 2], np.array([1, 2], np.uint8), np.array([1, 2], np.float16)])
def test_other_real_numbers_become_float64(scores):
    assert softmax(scores).dtype == np.float64
    assert softmax(scores) == pytest.approx(softmax(np.array([1.0, 2.0])))


def test_arguments_are_not_changed():
    scores = np.array([[1.0, 2.0], [3.0, 1.0]])
    kept = scores.copy()
    for function in (softmax, log_softmax, softmax_jacobian):
        function(scores)
    cross_entropy(scores, [0, 1])
    score_gradient(scores, [0, 1])
    assert (scores == kept).all()


@pytest.mark.parametrize(
    ("scores", "probabilities", "logs"),
    [
        (np.array([1e300, -1e300]), [1, 0], [0, -2e300]),
        (np.array([1.7e308, -1.7e308]), [1, 0], [0, -np.inf]),
        (np.array([-1e300, -1e300]), [0.5, 0.5], [-math.log(2)] * 2),
        (np.array([1e4, -1e4], np.float32), [1, 0], [0, -2e4]),
        (np.array([1e4, 1e4], np.float32), [0.5, 0.5], [-math.log(2)] * 2),
        (np.array([-np.inf, 0.0]), [0, 1], [-np.inf, 0]),
    ],
)
def test_huge_scores_give_exact_answers_and_no_warning(scores, probabilities, logs):
    assert (softmax(scores) == np.array(probabilities, scores.dtype)).all()
    assert (log_softmax(scores) == np.array(logs, scores.dtype)).all()
    assert cross_entropy(scores, 1) == -np.array(logs, scores.dtype)[1]
    assert np.isfinite(score_gradient(scores, 0)).all()


@pytest.mark.parametrize("row", [[np.nan, 1], [np.inf, 1], [-np.inf, -np.inf]])
def test_a_row_without_a_distribution_gives_nan_and_leaves_the_others_alone(row):
    scores = np.array([row, [0.0, 0.0]])
    assert np.isnan(softmax(scores)[0]).all()
    assert np.isnan(cross_entropy(scores, [1, 1])[0])
    assert (softmax(scores)[1] == 0.5).all()


def test_a_certain_answer_costs_positive_zero():
    assert math.copysign(1, cross_entropy([1000, 0], 0)) == 1


def test_softmax_works_along_any_axis():
    scores = np.arange(24.0).reshape(2, 3, 4) % 5
    for axis in (0, 1, 2, -1):
        moved = np.moveaxis(softmax(np.moveaxis(scores, axis, -1)), -1, axis)
        assert softmax(scores, axis) == pytest.approx(moved)
        assert log_softmax(scores, axis) == pytest.approx(np.log(moved))


def test_the_loss_at_zero_weights_is_log_k():
    X = np.random.default_rng(0).normal(size=(12, 5))
    for K in (2, 3, 10, 1000):
        loss, _ = softmax_loss_vectorized(np.zeros((5, K)), X, np.arange(12) % K, reg=7.0)
        assert loss == pytest.approx(math.log(K), rel=1e-14)


def test_regularization_adds_half_reg_times_squared_weights():
    W, X, y = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[1.0, 2.0]]), [1]
    plain, strong = softmax_loss_vectorized(W, X, y, 0), softmax_loss_vectorized(W, X, y, 10)
    assert strong[0] - plain[0] == pytest.approx(5 * (1 + 4 + 0.25 + 9))
    assert strong[1] - plain[1] == pytest.approx(10 * W)


def test_a_float32_penalty_is_summed_in_float64():
    W = np.full((1000, 10), 0.1, np.float32)
    X = np.zeros((1, 1000), np.float32)
    loss, _ = softmax_loss_vectorized(W, X, [0], 2.0)
    assert loss - math.log(10) == pytest.approx(1e4 * float(np.float32(0.1)) ** 2, rel=1e-7)


W, X = np.ones((3, 2)), np.ones((4, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: softmax(3.0), r"scores: expected \(N, K\) or \(K,\) with axis -1, got shape \(\)"),
        (lambda: softmax([[1, 2]], axis=2), "with axis 2"),
        (lambda: softmax(np.empty((3, 0))), "at least one class"),
        (lambda: softmax(["a"]), "expected real numbers, got dtype <U1"),
        (lambda: softmax([1j]), "expected real numbers"),
        (lambda: softmax([[1, 2], [3]]), "unequal length"),
        (lambda: cross_entropy([[1, 2]], [2]), r"labels in \[0, 2\), got 2 to 2"),
        (lambda: cross_entropy([[1, 2]], [-1]), "got -1 to -1"),
        (lambda: cross_entropy([[1, 2]], [0.0]), "integer labels, got dtype float64"),
        (lambda: cross_entropy([[1, 2]], [True]), "integer labels, got dtype bool"),
        (lambda: cross_entropy([[1, 2]], [0, 1]), r"shape \(1,\), got shape \(2,\)"),
        (lambda: cross_entropy([1, 2], [0]), "expected one integer"),
        (lambda: cross_entropy(np.ones((2, 2, 2)), [0, 1]), r"got \(2, 2, 2\)"),
        (lambda: score_gradient([1, 2], 2), r"labels in \[0, 2\)"),
        (lambda: softmax_loss_vectorized(W, X[:, :2], [0] * 4, 0), r"got \(3, 2\) and \(4, 2\)"),
        (lambda: softmax_loss_vectorized(W[0], X, [0] * 4, 0), r"got \(2,\) and \(4, 3\)"),
        (lambda: softmax_loss_vectorized(W, X[:0], [], 0), "at least one row"),
        (lambda: softmax_loss_vectorized(W, X, [0] * 3, 0), "one label per row"),
        (lambda: softmax_loss_vectorized(W, X, [0] * 4, -1), "reg: expected a finite number >= 0, got -1"),
        (lambda: softmax_loss_vectorized(W, X, [0] * 4, math.nan), "reg: .* got nan"),
    ],
)
def test_wrong_arguments_are_refused_with_what_was_found(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_numbers_of_another_byte_order_are_understood():
    assert as_floats(np.array([1.5], ">f8"), "scores").tolist() == [1.5]


def test_no_rows_give_no_losses():
    assert cross_entropy(np.empty((0, 3)), []).shape == (0,)


@given(ROWS)
def test_shifted_scores_are_at_most_0_and_their_powers_give_the_probabilities(scores):
    shifted = shifted_scores(scores)
    assert (shifted.max(axis=1) == 0).all()
    powers = shifted_powers(scores)
    assert powers / powers.sum(axis=1, keepdims=True) == pytest.approx(softmax(scores), rel=1e-14)


def test_entropy_is_0_for_a_certain_answer_and_that_of_the_classes_for_none():
    assert entropy([[1e4, 0, -1e4], [7, 7, 7]]) == pytest.approx([0, math.log(3)])
    assert entropy([0, -math.inf]) == 0
    assert entropy([1.0, 2.0]) == pytest.approx(-sum(p * math.log(p) for p in softmax([1.0, 2.0])))
    assert math.isnan(entropy([math.nan, 1]))


def test_the_bias_is_regularized_only_when_asked():
    generator = np.random.default_rng(0)
    W, X = generator.normal(size=(4, 3)), np.hstack([generator.normal(size=(9, 3)), np.ones((9, 1))])
    y = generator.integers(0, 3, 9)
    objective = with_bias(softmax_loss_vectorized)
    data_loss, data_dW = softmax_loss_vectorized(W, X, y, 0)
    loss, dW = objective(W, X, y, 0.3, False)
    assert loss == pytest.approx(data_loss + 0.15 * (W[:3] ** 2).sum())
    assert dW == pytest.approx(data_dW + 0.3 * np.vstack([W[:3], np.zeros((1, 3))]))
    classic = softmax_loss_vectorized(W, X, y, 0.3)
    assert objective(W, X, y, 0.3, True)[0] == classic[0]
    assert objective(W, X, y, 0.3, True)[1] == pytest.approx(classic[1], abs=0)
