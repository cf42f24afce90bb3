"""Softmax, cross-entropy and their derivatives: exact for scores of any size, silent for any input.

    p_k = exp(s_k) / sum_j exp(s_j)         loss = -log p_y = log sum_j exp(s_j) - s_y
    dp_i/ds_j = p_i (1[i = j] - p_j)        dloss/ds_k = p_k - 1[k = y]

Adding one constant to all scores of a row changes none of these, so every row is shifted by its maximum
before exp: the largest term is exp(0) = 1, nothing overflows, and what underflows is 0 to machine precision.

Infinite and missing scores: -inf is an impossible class, probability 0. A row that holds +inf or NaN, or
nothing but -inf, has no distribution; all its probabilities are NaN, and no warning is given. So a model
that diverged cannot pass for one that decides.

Types: float32 gives float32, float64 gives float64, other real numbers are computed as float64.
Source: C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.3.4.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmaxclf.core.losses.loss import Array, Loss, LossFunction, label_places, of_labels
from softmaxclf.core.namespace import namespace_of

Labels = NDArray[np.int64]
BiasedLoss = Callable[[Array, Array, Array, float, bool], tuple[float, Array]]  # ..., regularize_bias


def softmax(scores: ArrayLike, axis: int = -1) -> Array:
    """Probabilities along `axis`, of the shape of `scores`: non-negative, with sum 1.

    Raises ValueError when scores are no real numbers or `axis` is empty or missing.
    """
    with np.errstate(all="ignore"):
        powers = shifted_powers(scores, axis)
        powers /= powers.sum(axis=axis, keepdims=True)
    return powers


def shifted_scores(scores: ArrayLike, axis: int = -1) -> Array:
    """`scores` minus their maximum along `axis`: the highest becomes 0, and no probability changes.

    Raises ValueError as softmax does.
    """
    values = as_scores(scores, axis)
    shifted: Array = values - values.max(axis=axis, keepdims=True)
    return shifted


def shifted_powers(scores: ArrayLike, axis: int = -1) -> Array:
    """exp of the shifted scores, in [0, 1]: what softmax divides by its sum. Raises ValueError as softmax does."""
    powers: Array = np.exp(shifted_scores(scores, axis))
    return powers


def log_softmax(scores: ArrayLike, axis: int = -1) -> Array:
    """Logarithms of the probabilities along `axis`: finite where softmax itself underflows to 0.

    Raises ValueError as softmax does.
    """
    with np.errstate(all="ignore"):
        shifted = shifted_scores(scores, axis)
        shifted -= np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return shifted


def cross_entropy(scores: ArrayLike, y: ArrayLike) -> Any:
    """-log p_y of each row, in nats: (N,) for scores (N, K) and y (N,); a float for scores (K,) and one y.

    Raises ValueError when the shapes do not fit or a label is outside [0, K).
    """
    rows, labels = score_rows(scores, y)
    losses = -np.take_along_axis(log_softmax(rows), labels[:, None], axis=1)[:, 0]
    losses += 0.0  # -0.0, the loss of a certain answer, becomes 0.0
    return float(losses[0]) if np.ndim(scores) == 1 else losses


def entropy(scores: ArrayLike) -> Any:
    """-sum_k p_k log p_k of each row, in nats: (N,) for scores (N, K), a float for (K,); from 0 to log K.

    exp of it is the number of equally likely classes that would be as uncertain. A row without a distribution
    gives NaN. Raises ValueError as softmax does.
    """
    logs = log_softmax(scores)
    with np.errstate(all="ignore"):
        powers = np.exp(logs)
        terms = powers * logs
    terms[powers == 0] = 0  # the limit of p log p, also where log p is -inf
    sums = 0.0 - terms.sum(axis=-1)
    return float(sums) if np.ndim(scores) == 1 else sums


def score_gradient(scores: ArrayLike, y: ArrayLike) -> Array:
    """dloss/dscores = p - onehot(y), of the shape of `scores` (N, K) or (K,): push all down, pull one up.

    Each row sums to 0. Raises ValueError as cross_entropy does.
    """
    rows, labels = score_rows(scores, y)
    gradient = softmax(rows)
    gradient[np.arange(len(rows)), labels] -= 1
    return gradient.reshape(np.shape(scores))


def softmax_jacobian(scores: ArrayLike) -> Array:
    """diag(p) - p p^T: entry [i, j] is dp_i/ds_j. (K, K) for scores (K,), (..., K, K) for (..., K).

    Symmetric, with rows and columns that sum to 0. Raises ValueError as softmax does.
    """
    p = softmax(scores)
    jacobian: Array = p[..., :, None] * (np.eye(p.shape[-1], dtype=p.dtype) - p[..., None, :])
    return jacobian


def softmax_loss_vectorized(W: ArrayLike, X: ArrayLike, y: ArrayLike, reg: float) -> tuple[float, Array]:
    """(loss, dW) of a linear softmax classifier without Python loops; the twin of softmax_loss_naive.

        loss = mean_i cross_entropy(x_i W, y_i) + 0.5 reg ||W||^2        dW = X^T (P - Y) / N + reg W

    W: (D, K). X: (N, D), preprocessed; with a column of ones, the bias is the last row of W, and
    regularized like the rest. y: (N,) in [0, K). reg >= 0: other texts write reg ||W||^2, twice this penalty.
    dW: (D, K), float32 if W and X both are, else float64.
    Raises ValueError when shapes, labels or reg do not fit or there are no rows.
    """
    weights, rows, strength = as_problem(W, X, reg)
    scores = rows @ weights
    dW = rows.T @ score_gradient(scores, y)
    dW /= len(rows)
    dW += strength * weights
    loss = float(np.mean(cross_entropy(scores, y), dtype=np.float64))
    return loss + l2_penalty(weights, strength), dW


def l2_penalty(weights: Array, reg: float) -> float:
    """0.5 reg ||W||^2, summed in float64."""
    return 0.5 * reg * float(np.square(weights, dtype=np.float64).sum())


def with_bias(loss: LossFunction) -> BiasedLoss:
    """The objective (W, X, y, reg, regularize_bias) -> (loss, dW) of rows whose last column is ones.

    The last row of W (D + 1, K) is the bias. It is not regularized unless `regularize_bias`, which gives the
    classic bias trick, `loss` itself. loss: with the classic signature, as softmax_loss_vectorized.
    """

    def biased(W: Array, X: Array, y: Array, reg: float, regularize_bias: bool) -> tuple[float, Array]:
        if regularize_bias:
            return loss(W, X, y, reg)
        value, dW = loss(W, X, y, 0.0)
        dW[:-1] += reg * W[:-1]
        return value + l2_penalty(W[:-1], reg), dW

    return biased


def as_scores(scores: ArrayLike, axis: int = -1) -> Array:
    """`scores` as a float32 or float64 array with at least one entry along `axis`, else ValueError."""
    values = as_floats(scores, "scores")
    if not -values.ndim <= axis < values.ndim:
        raise ValueError(f"scores: expected (N, K) or (K,) with axis {axis}, got shape {values.shape}")
    if values.shape[axis] == 0:
        raise ValueError(f"scores: expected at least one class along axis {axis}, got shape {values.shape}")
    return values


def as_floats(values: ArrayLike, name: str) -> Array:
    """`values` as they are if float32 or float64, other real numbers as float64, else ValueError."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name}: expected an array of real numbers, got rows of unequal length") from error
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name}: expected real numbers, got dtype {array.dtype}; convert them first")
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def as_labels(y: ArrayLike, rows: int, classes: int, name: str = "y") -> Labels:
    """`y` as (rows,) int64 in [0, classes), else ValueError saying what was found."""
    labels = np.asarray(y)
    if labels.shape != (rows,):
        raise ValueError(f"{name}: expected one label per row, shape ({rows},), got shape {labels.shape}")
    if labels.dtype.kind not in "iu" and rows:
        raise ValueError(
            f"{name}: expected integer labels, got dtype {labels.dtype}; convert them to int first"
        )
    if rows and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"{name}: expected labels in [0, {classes}), got {labels.min()} to {labels.max()}")
    return labels.astype(np.int64)


def score_rows(scores: ArrayLike, y: ArrayLike) -> tuple[Array, Labels]:
    """(scores (N, K), labels (N,)); scores (K,) with one label become one row. Else ValueError."""
    values = as_scores(scores)
    if values.ndim > 2:
        raise ValueError(f"scores: expected shape (N, K) or (K,), got {values.shape}")
    if values.ndim == 1 and np.ndim(y) != 0:
        raise ValueError(f"y: expected one integer for scores of shape (K,), got shape {np.shape(y)}")
    rows = np.atleast_2d(values)
    return rows, as_labels(np.atleast_1d(np.asarray(y)) if values.ndim == 1 else y, *rows.shape)


def as_problem(W: ArrayLike, X: ArrayLike, reg: float) -> tuple[Array, Array, float]:
    """Weights (D, K) and rows (N, D) of one float type, and reg as a float, else ValueError."""
    weights, rows = as_floats(W, "W"), as_floats(X, "X")
    if weights.ndim != 2 or rows.ndim != 2 or rows.shape[1] != weights.shape[0]:
        raise ValueError(f"W, X: expected shapes (D, K) and (N, D), got {weights.shape} and {rows.shape}")
    if len(rows) == 0:
        raise ValueError(f"X: expected at least one row to take a mean over, got shape {rows.shape}")
    if not 0 <= reg < np.inf:
        raise ValueError(f"reg: expected a finite number >= 0, got {reg}")
    dtype = np.result_type(weights, rows)
    return weights.astype(dtype, copy=False), rows.astype(dtype, copy=False), float(reg)


def stacked_softmax(scores: Array, y: Array) -> Array:
    """Cross-entropies (G, n) of a stack's scores (K, G, n), which become exp(scores - maximum)."""
    own, sums = _exponentials(scores, y)
    losses: Array = namespace_of(sums).log(sums) - own
    return losses


def descend_softmax(scores: Array, y: Array, step: Array) -> Array:
    """Cross-entropies (G, n); scores (K, G, n) become step * (softmax - one-hot of y). step: (G, n) or (G, 1)."""
    own, sums = _exponentials(scores, y)
    scores *= step / sums
    scores[label_places(scores, y)] -= step.T
    losses: Array = namespace_of(sums).log(sums) - own
    return losses


def _exponentials(scores: Array, y: Array) -> tuple[Array, Array]:
    """(shifted scores of the labels, sums), both (G, n); scores (K, G, n) become exp(scores - maximum).

    Rows lie last, so that the maximum and the sum over the classes run along memory.
    """
    xp = namespace_of(scores)
    scores -= xp.amax(scores, axis=0)
    own = of_labels(scores, y)
    xp.exp(scores, out=scores)
    return own, scores.sum(axis=0)


SOFTMAX = Loss(
    name="softmax",
    title="cross-entropy",
    of_rows=cross_entropy,
    vectorized=softmax_loss_vectorized,
    stacked=stacked_softmax,
    descend=descend_softmax,
    at_zero=lambda K: float(np.log(K)),
    at_zero_formula="log {K}",
)
