import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softmaxclf.core.calibration import MAX_TEMPERATURE, MIN_TEMPERATURE, fit_temperature
from softmaxclf.core.losses.softmax import cross_entropy, softmax


def log_loss(scores, y, temperature=1.0):
    return float(np.mean(cross_entropy(np.asarray(scores) / temperature, y)))


def drawn(temperature, rows=400, K=5, seed=0):
    """Scores and labels for which `temperature` is the true one."""
    generator = np.random.default_rng(seed)
    scores = 3 * generator.normal(size=(rows, K))
    chances = softmax(scores / temperature)
    return scores, np.array([generator.choice(K, p=p) for p in chances])


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 20.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_temperature_equals_an_independent_minimization(temperature, seed):
    minimize = pytest.importorskip("scipy.optimize").minimize_scalar
    scores, y = drawn(temperature, seed=seed)
    limits = np.log([MIN_TEMPERATURE, MAX_TEMPERATURE])
    found = minimize(
        lambda t: log_loss(scores, y, np.exp(t)), bounds=limits, method="bounded", options={"xatol": 1e-9}
    )
    assert fit_temperature(scores, y) == pytest.approx(float(np.exp(found.x)), rel=1e-3)


def test_the_true_temperature_is_recovered_from_many_rows():
    assert fit_temperature(*drawn(2.0, rows=6000)) == pytest.approx(2.0, rel=0.05)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(1, 12),
    st.integers(1, 5),
    st.sampled_from([0, 1e-8, 0.1, 1, 30, 1e6, 1e38]),
)
def test_the_log_loss_never_rises(seed, rows, K, size):
    generator = np.random.default_rng(seed)
    scores, y = size * generator.normal(size=(rows, K)), generator.integers(0, K, rows)
    temperature = fit_temperature(scores, y)
    assert MIN_TEMPERATURE <= temperature <= MAX_TEMPERATURE
    before = log_loss(scores, y)
    assert log_loss(scores, y, temperature) <= before + 1e-12 * before


def test_scaled_scores_get_a_scaled_temperature():
    scores, y = drawn(2.0)
    assert fit_temperature(7 * scores, y) == pytest.approx(7 * fit_temperature(scores, y), rel=1e-8)


def test_rows_that_are_all_right_give_the_lower_limit():
    assert fit_temperature(np.eye(4), np.arange(4)) == MIN_TEMPERATURE


def test_scores_that_mislead_give_the_upper_limit():
    assert fit_temperature(-np.eye(4), np.arange(4)) == MAX_TEMPERATURE


@pytest.mark.parametrize(
    "scores", [np.ones((3, 4)), np.full((3, 3), 1e38), np.zeros((3, 1)), 1e5 * np.eye(3)]
)
def test_where_temperature_makes_no_difference_it_is_one(scores):
    assert fit_temperature(scores, np.arange(3) % scores.shape[1]) == 1


def test_the_largest_scores_of_float32_raise_no_warning():
    huge = 3.4e38 * np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, -1.0]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert fit_temperature(huge, np.array([0, 1, 1])) == MAX_TEMPERATURE


def test_float32_scores_are_fitted_in_float64():
    scores, y = drawn(2.0)
    narrow = scores.astype(np.float32)
    assert fit_temperature(narrow, y) == fit_temperature(narrow.astype(np.float64), y)
