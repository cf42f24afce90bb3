"""Both losses written as the formulas read: a loop over rows and a loop over classes.

Slow on purpose. This is the oracle that the vectorized twins and the training engine are tested against, and
the place to read first; nothing that trains may import it. Both functions minimize

    loss = (1/N) sum_i loss_i + 0.5 reg sum_{d,k} W_dk^2        with scores s = x_i W

Since s_k = sum_d x_d W_dk, the chain rule gives dloss_i/dW_dk = x_d dloss_i/ds_k: each row adds its own x,
times one number per class, to the columns of dW.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from softmaxclf.core.losses.loss import Array
from softmaxclf.core.losses.softmax import as_labels, as_problem


def softmax_loss_naive(W: ArrayLike, X: ArrayLike, y: ArrayLike, reg: float) -> tuple[float, Array]:
    """(loss, dW) of the softmax loss by explicit loops. Arguments and errors as softmax_loss_vectorized.

    W: (D, K). X: (N, D). y: (N,) in [0, K). reg >= 0. dW: (D, K).
    """
    weights, rows, strength = as_problem(W, X, reg)
    N, K = len(rows), weights.shape[1]
    labels = as_labels(y, N, K)
    loss, dW = 0.0, np.zeros_like(weights)
    for i in range(N):
        scores = rows[i] @ weights
        scores -= scores.max()  # changes no probability, and no exp can overflow
        total = 0.0
        for k in range(K):
            total += math.exp(scores[k])
        loss += math.log(total) - float(scores[labels[i]])  # loss_i = -log p_y = log sum_j exp(s_j) - s_y
        for k in range(K):
            probability = math.exp(scores[k]) / total
            slope = probability - (k == labels[i])  # dloss_i/ds_k = p_k - 1[k = y]
            dW[:, k] += slope * rows[i]  # dloss_i/dW_dk = x_d (p_k - 1[k = y])
    loss /= N
    dW /= N
    return _regularized(loss, dW, weights, strength)


def hinge_loss_naive(W: ArrayLike, X: ArrayLike, y: ArrayLike, reg: float) -> tuple[float, Array]:
    """(loss, dW) of the multi-class hinge by explicit loops. Arguments and errors as softmax_loss_naive."""
    weights, rows, strength = as_problem(W, X, reg)
    N, K = len(rows), weights.shape[1]
    labels = as_labels(y, N, K)
    loss, dW = 0.0, np.zeros_like(weights)
    for i in range(N):
        scores = rows[i] @ weights
        for j in range(K):
            if j == labels[i]:
                continue
            margin = float(scores[j] - scores[labels[i]] + 1)  # m_j = s_j - s_y + 1
            if margin > 0:
                loss += margin  # loss_i = sum_{j != y} max(0, m_j)
                dW[:, j] += rows[i]  # dm_j/ds_j = 1
                dW[:, labels[i]] -= rows[i]  # dm_j/ds_y = -1
    loss /= N
    dW /= N
    return _regularized(loss, dW, weights, strength)


def _regularized(loss: float, dW: Array, weights: Array, reg: float) -> tuple[float, Array]:
    """(loss, dW) with the L2 term added, weight by weight."""
    D, K = weights.shape
    for d in range(D):
        for k in range(K):
            loss += 0.5 * reg * float(weights[d, k]) ** 2
            dW[d, k] += reg * weights[d, k]  # d(0.5 reg w^2)/dw = reg w
    return loss, dW
