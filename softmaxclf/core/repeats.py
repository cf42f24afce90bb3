"""What repeats with other seeds tell: the smallest difference of means that is more than chance, at the 5 % level.

J figures of one setting, or J differences of two settings on the same draws (the same rows, folds and batches), with
standard deviation s: their mean is told from 0 where it is above

    t(J - 1) s sqrt(1 / J + q / (1 - q)).

t is the 97.5 % quantile of Student's distribution, q the share of the rows that is held out at a time, where each
draw holds out others. Such draws share most of their rows and are no independent trials, which q / (1 - q) makes up
for (Nadeau & Bengio, "Inference for the generalization error", Machine Learning 52, 2003; for repeated folds Bouckaert
& Frank, 2004). q is 0 where all have the same rows, and their order alone differs.

Means of n and m figures that do not pair up, of other settings on the same test rows, are told apart by Student's test
of two samples: above t(n + m - 2) s sqrt(1 / n + 1 / m), s from both samples together.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
SIGNIFICANCE = 0.05


def standard_error(figures: Array, held_out: float) -> float:
    """s sqrt(1 / J + q / (1 - q)) of figures (J,), q = held_out; NaN of fewer than two."""
    if len(figures) < 2:
        return math.nan
    return float(figures.std(ddof=1)) * math.sqrt(1 / len(figures) + held_out / (1 - held_out))


def least_difference(differences: Array, held_out: float) -> float:
    """The mean of differences (J,) from which on it is told from 0; NaN of fewer than two."""
    if len(differences) < 2:
        return math.nan
    return t_quantile(len(differences) - 1) * standard_error(differences, held_out)


def told_apart(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """(difference of the means of two samples, the least that is told from 0); the latter NaN of one figure each."""
    samples = [np.asarray(each, np.float64) for each in (first, second)]
    difference = float(samples[0].mean() - samples[1].mean())
    degrees = sum(map(len, samples)) - 2
    if degrees < 1:
        return difference, math.nan
    squares = sum(float(np.square(each - each.mean()).sum()) for each in samples)
    spread = math.sqrt(squares / degrees * sum(1 / len(each) for each in samples))
    return difference, t_quantile(degrees) * spread


def t_quantile(degrees: int) -> float:
    """What Student's t of so many degrees of freedom exceeds, to either side, with a chance of 5 %; by bisection."""
    low, high = 0.0, 13.0  # above that of one degree
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _chance_within(middle, degrees) < 1 - SIGNIFICANCE else (low, middle)
    return high


def _chance_within(t: float, degrees: int) -> float:
    """P(|T| <= t): a finite sum over powers of a cosine (Abramowitz & Stegun, 26.7.3 and 26.7.4)."""
    odd = degrees % 2
    angle = math.atan2(t, math.sqrt(degrees))
    term, total = math.cos(angle) if odd else 1.0, 0.0
    for n in range(2 + odd, degrees + 1, 2):
        total += term
        term *= math.cos(angle) ** 2 * (n - 1) / n
    total *= math.sin(angle)
    return 2 / math.pi * (angle + total) if odd else total
