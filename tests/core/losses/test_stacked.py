"""The losses of a stack, in place of its scores, against those of one model."""

import numpy as np
import pytest

from softmaxclf.core.losses import LOSSES
from softmaxclf.core.losses.hinge import HINGE, hinge_score_gradient
from softmaxclf.core.losses.softmax import SOFTMAX, score_gradient, softmax

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
    losses = SOFTMAX.descend(scores, y, step)
    np.testing.assert_allclose(scores, expected, rtol=4 * rounding, atol=4 * rounding)
    np.testing.assert_allclose(np.exp(-losses), of_label, rtol=4 * rounding, atol=4 * rounding)
    assert (losses >= 0).all() and scores.dtype == losses.dtype == dtype


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_score_that_is_no_number_shows_in_the_loss_and_stays_in_its_cell(bad):
    scores, y, step = case(1.0)
    expected = expected_of(score_gradient, scores, y, step)
    scores[y[7], 1, 7] = bad
    losses = SOFTMAX.descend(scores, y, step)
    assert not np.isfinite(losses[1, 7])
    for cell in (0, 2):
        np.testing.assert_allclose(scores[:, cell], expected[:, cell], rtol=1e-12)
        assert np.isfinite(losses[cell]).all()


@pytest.mark.parametrize("loss", [SOFTMAX, HINGE], ids=["softmax", "hinge"])
def test_one_step_for_all_rows_may_be_given_as_a_column(loss):
    scores, y, _ = case(2.0)
    other = scores.copy()
    step = np.array([[0.5], [1.0], [0.0]])
    losses = loss.descend(scores, y, step)
    np.testing.assert_array_equal(losses, loss.descend(other, y, np.repeat(step, N, axis=1)))
    np.testing.assert_array_equal(scores, other)
    assert not scores[:, 2].any()


@pytest.mark.parametrize("size", [1e-3, 1, 1e3])
def test_hinge_is_that_of_one_model(size):
    scores, y, step = case(size)
    expected = expected_of(hinge_score_gradient, scores, y, step)
    HINGE.descend(scores, y, step)
    np.testing.assert_allclose(scores, expected, rtol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-3, 1, 30, 1e3])
def test_losses_alone_are_those_with_the_gradient_and_those_of_one_model(size, dtype, name):
    loss = LOSSES.load(name)
    scores, y, step = case(size, dtype=dtype)
    expected = np.stack([loss.of_rows(scores[:, cell].T.astype(float), y) for cell in range(G)])
    rounding = 4 * np.finfo(dtype).eps * (np.abs(scores).max() + 8)
    with_gradient = loss.descend(scores.copy(), y, step)
    alone = loss.stacked(scores.copy(), y)
    assert alone.shape == (G, N) and alone.dtype == dtype
    np.testing.assert_array_equal(alone, with_gradient)
    np.testing.assert_allclose(alone, expected, rtol=rounding, atol=rounding)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_score_of_the_label_that_is_no_number_shows_in_its_own_loss_only(bad, name):
    loss = LOSSES.load(name)
    scores, y, _ = case(1.0)
    expected = loss.stacked(scores.copy(), y)
    scores[y[7], 1, 7] = bad
    losses = loss.stacked(scores, y)
    if name == "softmax" or bad != np.inf:  # a hinge loss is content with a label's score without end
        assert not np.isfinite(losses[1, 7])
    losses[1, 7] = expected[1, 7]
    np.testing.assert_array_equal(losses, expected)


@pytest.mark.parametrize("name", LOSSES)
def test_equal_scores_give_the_loss_at_zero(name):
    loss = LOSSES.load(name)
    losses = loss.stacked(np.full((K, G, N), 3.0), case(1.0)[1])
    np.testing.assert_allclose(losses, loss.at_zero(K), rtol=1e-14)
