"""The losses of a whole stack, computed in place of its scores. The formulas are those of softmax.py and hinge.py."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def softmax_in_place(scores: Array, y: Array, step: Array) -> Array:
    """Cross-entropies (n, G); scores (n, K, G) become step * (softmax - one-hot of y), step (n, 1, G)."""
    rows = np.arange(len(y))
    scores -= scores.max(axis=1, keepdims=True)
    of_label = scores[rows, y]
    np.exp(scores, out=scores)
    sums = scores.sum(axis=1, keepdims=True)
    scores *= step / sums
    scores[rows, y] -= step[:, 0]
    losses: Array = np.log(sums[:, 0]) - of_label
    return losses


def hinge_in_place(scores: Array, y: Array, step: Array) -> Array:
    """Hinge losses (n, G), sum over j != y of max(0, s_j - s_y + 1); scores become step * their gradient."""
    rows = np.arange(len(y))
    scores -= scores[rows, y][:, None]
    scores += 1
    scores[rows, y] = 0
    losses: Array = np.maximum(scores, 0).sum(axis=1)
    violated = scores > 0
    np.multiply(violated, step, out=scores)
    scores[rows, y] = -step[:, 0] * violated.sum(axis=1)
    return losses


IN_PLACE = {"softmax": softmax_in_place, "hinge": hinge_in_place}
