"""Sanity checks before training, as courses teach them: each says what was expected and what was found.

They take a loss with the classic signature: softmax_loss_vectorized, hinge_loss_vectorized, or your own.
Source: CS231n notes, "Before learning: sanity checks tips/tricks" and "Ratio of weights:updates".
"""

import math
from dataclasses import dataclass

import numpy as np

from softmaxclf.core.checks.gradcheck import TOLERANCE, Array, relative_error, rounding
from softmaxclf.core.losses import LOSSES
from softmaxclf.core.losses.loss import Loss, LossFunction

INDEPENDENT = 0.05  # of a row's size that the rows before it must leave unexplained


@dataclass(frozen=True)
class SanityCheck:
    """One check of common sense: what was expected (in words), what was found, and whether they agree."""

    name: str
    expected: str
    found: float
    passed: bool


def check_loss_at_zero(loss: LossFunction, X: Array, y: Array, K: int, name: str) -> SanityCheck:
    """At W = 0, without regularization, all scores are equal and the loss must be what it is then."""
    known: Loss = LOSSES.load(name)
    expected = known.at_zero(K)
    found = loss(np.zeros((X.shape[1], K)), X, y, 0.0)[0]
    passed = bool(relative_error(found, expected, 1.0) <= TOLERANCE)
    return SanityCheck(
        "loss at W = 0", f"{known.at_zero_formula.format(K=K)} = {expected:.6g}", found, passed
    )


def check_regularization(
    loss: LossFunction, W: Array, X: Array, y: Array, reg: float, more: float
) -> SanityCheck:
    """Raising reg to `more` must raise the loss, by 0.5 (more - reg) ||W||^2; found is by how much it rose.

    Raises ValueError when more <= reg or W is zero, where nothing could be seen.
    """
    expected = 0.5 * (more - reg) * float(np.square(W, dtype=np.float64).sum())
    if not expected > 0:
        raise ValueError(f"regularization check: expected more > reg and W other than 0, got {reg} to {more}")
    before, after = loss(W, X, y, reg)[0], loss(W, X, y, more)[0]
    floor = rounding(after) / TOLERANCE
    passed = after > before and bool(relative_error(after - before, expected, floor) <= TOLERANCE)
    return SanityCheck("more regularization raises the loss", f"+{expected:.6g}", after - before, passed)


def check_overfit(
    loss: LossFunction,
    X: Array,
    y: Array,
    K: int,
    *,
    rows: int = 20,
    iterations: int = 3000,
    target: float = 0.01,
) -> SanityCheck:
    """Plain full-batch gradient descent without regularization must fit `rows` rows almost exactly.

    Taken are the first rows that do not follow from those before them (at most D + 1), for so many can be
    separated whatever their labels. They are centered and scaled together and get a column of ones. The step is
    `largest_rate`. Passes when the loss falls below `target`; found is the last loss.
    """
    chosen = independent_rows(X, rows)
    taken = len(chosen)
    features, labels = _with_ones(np.asarray(X[chosen], np.float64)), y[chosen]
    rate = largest_rate(features)
    W = np.zeros((features.shape[1], K))
    found, dW = loss(W, features, labels, 0.0)
    for _ in range(iterations):
        if found < target or not math.isfinite(found):
            break
        W -= rate * dW
        found, dW = loss(W, features, labels, 0.0)
    return SanityCheck(f"{taken} rows can be overfitted", f"loss below {target:g}", found, found < target)


def check_update_ratio(
    loss: LossFunction,
    W: Array,
    X: Array,
    y: Array,
    reg: float,
    learning_rate: float,
    *,
    limits: tuple[float, float] = (1e-4, 1e-1),
) -> SanityCheck:
    """learning_rate ||dW|| / ||W|| of the first step from (small, random) W: about 1e-3 in a healthy start.

    Passes within `limits`; below them training crawls, above them it jumps. Raises ValueError when W is zero.
    """
    size = float(np.linalg.norm(W))
    if size == 0:
        raise ValueError("update ratio: expected W other than 0, got all zeros; draw it small and random")
    found = learning_rate * float(np.linalg.norm(loss(W, X, y, reg)[1])) / size
    expected = f"{limits[0]:g} to {limits[1]:g}, ideally about 0.001"
    return SanityCheck(
        "update-to-weight ratio of the first step", expected, found, limits[0] <= found <= limits[1]
    )


def largest_rate(X: Array) -> float:
    """The largest learning rate with which no step on all rows X (N, D) can raise the softmax loss.

    2 N / (largest eigenvalue of X X^T), since the loss bends by at most half that eigenvalue / N; 1 if X is zero.
    """
    greatest = float(np.linalg.eigvalsh(X @ X.T)[-1])
    return 2 * len(X) / greatest if greatest > 0 else 1.0


def independent_rows(X: Array, most: int) -> Array:
    """Indices of the first rows of X (N, D), at most `most`, of which none is an affine combination of the others.

    By Gram-Schmidt on the distances from the first row; one is taken when what the rows before it leave of it is
    more than INDEPENDENT of its length.
    """
    basis: list[Array] = []
    chosen = [0]
    for place in range(1, len(X)):
        if len(chosen) >= min(most, X.shape[1] + 1):
            break
        step = X[place].astype(np.float64) - X[0]
        rest = step.copy()
        for direction in basis:
            rest -= (direction @ rest) * direction
        size = float(np.linalg.norm(rest))
        if size > INDEPENDENT * float(np.linalg.norm(step)):
            basis.append(rest / size)
            chosen.append(place)
    return np.array(chosen)


def _with_ones(X: Array) -> Array:
    """Rows centered, divided by their root mean square, with a column of ones: (n, D + 1)."""
    centered = X - X.mean(axis=0)
    size = math.sqrt(float(np.mean(np.square(centered))))
    return np.hstack([centered / size if size > 0 else centered, np.ones((len(X), 1))])
