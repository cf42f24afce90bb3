"""Temperature scaling: one number T that makes probabilities as sure as they are right.

    p = softmax(scores / T),    T = argmin over validation rows of mean -log p_y

T > 1 softens, T < 1 sharpens; predicted labels do not change. In b = 1/T the objective is convex, with
derivative mean_i sum_j p_ij (s_ij - s_iy), which is bisected in log T: no step size, no failure.
Source: C. Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2.
"""

import math

import numpy as np

from softmaxclf.core.losses.loss import Array
from softmaxclf.core.losses.softmax import cross_entropy, softmax

MIN_TEMPERATURE = 1e-3  # also the answer for rows that are all predicted right: the optimum is 0 there
MAX_TEMPERATURE = 1e3  # also the answer for scores that mislead: the optimum is infinite (or negative) there
_LOG_WIDTH = 1e-9  # relative width of the last bracket


def fit_temperature(scores: Array, y: Array) -> float:
    """The temperature in [MIN_TEMPERATURE, MAX_TEMPERATURE] of least log-loss, within 1e-9 relative.

    scores: (N, K), finite and within the range of float32, of rows that the model was not trained on. y: (N,) in
    [0, K). N >= 1. Where T makes no difference (scores constant in each row, or a loss that is 0 already) it is
    exactly 1. The log-loss is never above that at T = 1, which is kept should rounding make it so.
    """
    rows = scores.astype(np.float64)
    leads = rows - rows[np.arange(len(rows)), y][:, None]
    fitted = _bisect(leads)
    return fitted if _log_loss(leads, y, fitted) <= _log_loss(leads, y, 1.0) else 1.0


def _bisect(leads: Array) -> float:
    """The root in log T of the slope, which falls as T grows; the nearer limit if it has no root between."""
    if _slope(leads, 1.0) == 0:
        return 1.0
    if _slope(leads, MIN_TEMPERATURE) <= 0:
        return MIN_TEMPERATURE
    if _slope(leads, MAX_TEMPERATURE) >= 0:
        return MAX_TEMPERATURE
    low, high = math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE)
    while high - low > _LOG_WIDTH:
        middle = (low + high) / 2
        if _slope(leads, math.exp(middle)) > 0:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def _slope(leads: Array, temperature: float) -> float:
    """d(mean log-loss)/d(1/T) for leads s_j - s_y (N, K); positive where a larger T would help."""
    return float((softmax(leads / temperature) * leads).mean(axis=0).sum())


def _log_loss(leads: Array, y: Array, temperature: float) -> float:
    return float(np.mean(cross_entropy(leads / temperature, y)))
