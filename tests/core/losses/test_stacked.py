"""The losses of a stack, in place of its scores, against those of one model."""

import numpy as np
import pytest
from softmaxclf.core.losses.in_place import hinge_in_place, softmax_in_place

from softmaxclf.core.losses.hinge import hinge_score_gradient
from softmaxclf.core.losses.softmax import score_gradient, softmax

K, G, N = 5, 3, 40


@pytest.fixture(autouse=True)
def silent():
    """As the engine calls them: with no warnings of numbers that leave the range."""
    with np.errstate(all="ignore"):
        yield


def case(size, shift=0.0, dtype=np.float64, seed=0):
    generator = np.random.default_rng(seed)
    scores = (size * generator.standard_normal((K, G, N)) + shift).astype(dtype)
    return scores, generator.integers(0, K, N), generator.uniform(0.1, 2, (G, N)).astype(dtype)


def expected_of(gradient_of, scores, y, step):
    """step * gradient (K, G, n), one model after another, in float64."""
    return np.stack(
        [gradient_of(scores[:, cell].T.astype(float), y).T * step[cell] for cell in range(G)], axis=1
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [0, -300, 300, 1e4])
@pytest.mark.parametrize("size", [1e-3, 1, 30, 1e3])
def test_softmax_is_that_of_one_model_for_scores_of_any_size(size, shift, dtype):
    scores, y, step = case(size, shift, dtype)
    expected = expected_of(score_gradient, scores, y, step)
    of_label = [softmax(scores[:, cell].T.astype(float))[np.arange(N), y] for cell in range(G)]
    rounding = np.finfo(dtype).eps * (np.abs(scores).max() + 8)
    losses = softmax_in_place(scores, y, step)
    np.testing.assert_allclose(scores, expected, rtol=4 * rounding, atol=4 * rounding)
    np.testing.assert_allclose(np.exp(-losses), of_label, rtol=4 * rounding, atol=4 * rounding)
    assert (losses >= 0).all() and scores.dtype == losses.dtype == dtype


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_score_that_is_no_number_shows_in_the_loss_and_stays_in_its_cell(bad):
    scores, y, step = case(1.0)
    expected = expected_of(score_gradient, scores, y, step)
    scores[y[7], 1, 7] = bad
    losses = softmax_in_place(scores, y, step)
    assert not np.isfinite(losses[1, 7])
    for cell in (0, 2):
        np.testing.assert_allclose(scores[:, cell], expected[:, cell], rtol=1e-12)
        assert np.isfinite(losses[cell]).all()


@pytest.mark.parametrize("loss", [softmax_in_place, hinge_in_place])
def test_one_step_for_all_rows_may_be_given_as_a_column(loss):
    scores, y, _ = case(2.0)
    other = scores.copy()
    step = np.array([[0.5], [1.0], [0.0]])
    losses = loss(scores, y, step)
    np.testing.assert_array_equal(losses, loss(other, y, np.repeat(step, N, axis=1)))
    np.testing.assert_array_equal(scores, other)
    assert not scores[:, 2].any()


@pytest.mark.parametrize("size", [1e-3, 1, 1e3])
def test_hinge_is_that_of_one_model(size):
    scores, y, step = case(size)
    expected = expected_of(hinge_score_gradient, scores, y, step)
    hinge_in_place(scores, y, step)
    np.testing.assert_allclose(scores, expected, rtol=1e-12)
