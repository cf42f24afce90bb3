"""Sanity checks before training, as courses teach them: each says what was expected and what was found.

They take a loss with the classic signature: softmax_loss_vectorized, hinge_loss_vectorized, or your own.
Source: CS231n notes, "Before learning: sanity checks tips/tricks" and "Ratio of weights:updates".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from softmaxclf.core.gradcheck import TOLERANCE, Array, relative_error, rounding

Loss = Callable[[Array, Array, Array, float], tuple[float, Array]]  # (W, X, y, reg) -> (loss, dW)


@dataclass(frozen=True)
class SanityCheck:
    """One check of common sense: what was expected (in words), what was found, and whether they agree."""

    name: str
    expected: str
    found: float
    passed: bool


def loss_at_zero(name: str, K: int) -> float:
    """The loss of all-zero scores: log K for "softmax", K - 1 for "hinge"; any other name is a ValueError."""
    if name not in ("softmax", "hinge"):
        raise ValueError(f"loss: expected 'softmax' or 'hinge', got {name!r}")
    return math.log(K) if name == "softmax" else K - 1.0


def check_loss_at_zero(loss: Loss, X: Array, y: Array, K: int, name: str) -> SanityCheck:
    """At W = 0, without regularization, every class is equally likely and the loss must be `loss_at_zero`."""
    expected = loss_at_zero(name, K)
    found = loss(np.zeros((X.shape[1], K)), X, y, 0.0)[0]
    formula = f"log {K}" if name == "softmax" else f"{K} - 1"
    passed = bool(relative_error(found, expected, 1.0) <= TOLERANCE)
    return SanityCheck("loss at W = 0", f"{formula} = {expected:.6g}", found, passed)


def check_regularization(loss: Loss, W: Array, X: Array, y: Array, reg: float, more: float) -> SanityCheck:
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
    loss: Loss, X: Array, y: Array, K: int, *, rows: int = 20, iterations: int = 3000, target: float = 0.01
) -> SanityCheck:
    """Plain full-batch gradient descent without regularization must fit the first `rows` rows almost exactly.

    The rows are centered and scaled together and get a column of ones. At most D + 1 are taken, for so many
    can be separated whatever their labels (unless rows repeat or one follows from others). The step is 2 N /
    (largest eigenvalue of X X^T): the softmax loss bends by at most half that eigenvalue / N, so no step
    raises it. Passes when the loss falls below `target`; found is the last loss.
    """
    taken = min(rows, X.shape[1] + 1, len(X))
    features, labels = _with_ones(np.asarray(X[:taken], np.float64)), y[:taken]
    rate = 2 * taken / float(np.linalg.eigvalsh(features @ features.T)[-1])
    W = np.zeros((features.shape[1], K))
    found, dW = loss(W, features, labels, 0.0)
    for _ in range(iterations):
        if found < target or not math.isfinite(found):
            break
        W -= rate * dW
        found, dW = loss(W, features, labels, 0.0)
    return SanityCheck(f"{taken} rows can be overfitted", f"loss below {target:g}", found, found < target)


def check_update_ratio(
    loss: Loss,
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


def _with_ones(X: Array) -> Array:
    """Rows centered, divided by their root mean square, with a column of ones: (n, D + 1)."""
    centered = X - X.mean(axis=0)
    size = math.sqrt(float(np.mean(np.square(centered))))
    return np.hstack([centered / size if size > 0 else centered, np.ones((len(X), 1))])
