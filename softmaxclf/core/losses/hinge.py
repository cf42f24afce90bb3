"""The multi-class hinge loss (Weston and Watkins), for comparison with softmax.

    loss = sum_{j != y} max(0, m_j)     m_j = s_j - s_y + 1, the margin of class j
    dloss/ds_j = 1[m_j > 0] for j != y  dloss/ds_y = -(number of j != y with m_j > 0)

A row is content, with loss 0, once its class leads every other by 1; softmax always wants more.

Kinks: where a margin is exactly 0 the loss bends and has no derivative. There we take the slope of the flat
side, 0, which is one of the valid subgradients; a gradient check must keep away from such places
(`hinge_margins` finds them).

NaN scores give NaN losses and gradients, without a warning. Types are as in softmax.
Source: J. Weston and C. Watkins, "Support vector machines for multi-class pattern recognition", ESANN 1999.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from softmaxclf.core.losses.loss import Array, Loss, label_places, of_labels
from softmaxclf.core.losses.softmax import Labels, as_problem, l2_penalty, score_rows
from softmaxclf.core.namespace import namespace_of

MARGIN = 1.0  # how far the right class must lead


def hinge_margins(scores: ArrayLike, y: ArrayLike) -> Array:
    """m_j = s_j - s_y + 1 of every class, of the shape of `scores` (N, K) or (K,).

    At the label itself the entry is -1, so that it never counts: that term has no kink.
    Raises ValueError when the shapes do not fit or a label is outside [0, K).
    """
    return _margins(*score_rows(scores, y)).reshape(np.shape(scores))


def hinge(scores: ArrayLike, y: ArrayLike) -> Any:
    """The loss of each row, >= 0: (N,) for scores (N, K) and y (N,); a float for scores (K,) and one y.

    Raises ValueError as hinge_margins does.
    """
    with np.errstate(over="ignore"):
        losses = np.maximum(_margins(*score_rows(scores, y)), 0).sum(axis=1)
    return float(losses[0]) if np.ndim(scores) == 1 else losses


def hinge_score_gradient(scores: ArrayLike, y: ArrayLike) -> Array:
    """dloss/dscores, whole numbers, of the shape of `scores` (N, K) or (K,); each row sums to 0.

    At a kink it is the flat side's. Raises ValueError as hinge_margins does.
    """
    rows, labels = score_rows(scores, y)
    margins = _margins(rows, labels)
    gradient = (margins > 0).astype(rows.dtype)
    gradient[np.arange(len(rows)), labels] = -gradient.sum(axis=1)
    gradient[np.isnan(margins).any(axis=1)] = np.nan
    return gradient.reshape(np.shape(scores))


def hinge_loss_vectorized(W: ArrayLike, X: ArrayLike, y: ArrayLike, reg: float) -> tuple[float, Array]:
    """(loss, dW) of a linear hinge classifier without Python loops; the twin of hinge_loss_naive.

        loss = mean_i hinge(x_i W, y_i) + 0.5 reg ||W||^2

    Shapes, types, the meaning of reg and errors are those of softmax_loss_vectorized.
    """
    weights, rows, strength = as_problem(W, X, reg)
    scores = rows @ weights
    dW = rows.T @ hinge_score_gradient(scores, y)
    dW /= len(rows)
    dW += strength * weights
    loss = float(np.mean(hinge(scores, y), dtype=np.float64))
    return loss + l2_penalty(weights, strength), dW


def _margins(rows: Array, labels: Labels) -> Array:
    """Margins (N, K) of scores (N, K), -1 at the label, NaN throughout a row whose own score is NaN."""
    places = np.arange(len(rows)), labels
    with np.errstate(over="ignore", invalid="ignore"):
        margins: Array = rows - rows[places][:, None] + rows.dtype.type(MARGIN)
    margins[places] = np.where(np.isnan(rows[places]), np.nan, -1)
    return margins


def stacked_hinge(scores: Array, y: Array) -> Array:
    """Hinge losses (G, n) of a stack's scores (K, G, n), which become margins, 0 at the label."""
    scores -= of_labels(scores, y)
    scores += MARGIN
    scores[label_places(scores, y)] = namespace_of(scores).zeros_like(scores[0, 0, :1])  # a 0 that is there
    losses: Array = scores.clip(0).sum(axis=0)
    return losses


def descend_hinge(scores: Array, y: Array, step: Array) -> Array:
    """Hinge losses (G, n); scores (K, G, n) become step * gradient. step: (G, n) or (G, 1)."""
    losses = stacked_hinge(scores, y)
    violated = scores > 0
    namespace_of(scores).multiply(violated, step, out=scores)
    scores[label_places(scores, y)] = -(step * violated.sum(axis=0)).T
    return losses


HINGE = Loss(
    name="hinge",
    title="multi-class hinge loss",
    of_rows=hinge,
    vectorized=hinge_loss_vectorized,
    stacked=stacked_hinge,
    descend=descend_hinge,
    at_zero=lambda K: K - 1.0,
    at_zero_formula="{K} - 1",
    kinks=hinge_margins,
    caution="the hinge loss trains margins, not probabilities: these are the softmax of its scores",
)
