"""The losses of a whole stack, computed in place of its scores. The formulas are those of softmax.py and hinge.py.

Scores lie as (K, G, n), rows last: the maximum and the sum over the K classes then run along memory.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def softmax_in_place(scores: Array, y: Array, step: Array) -> Array:
    """Cross-entropies (G, n); scores (K, G, n) become step * (softmax - one-hot of y). step: (G, n) or (G, 1)."""
    rows = np.arange(len(y))
    scores -= scores.max(axis=0)
    of_label = scores[y, :, rows].T
    np.exp(scores, out=scores)
    sums = scores.sum(axis=0)
    scores *= step / sums
    scores[y, :, rows] -= step.T
    losses: Array = np.log(sums) - of_label
    return losses


def hinge_in_place(scores: Array, y: Array, step: Array) -> Array:
    """Hinge losses (G, n), sum over j != y of max(0, s_j - s_y + 1); scores become step * gradient. step as above."""
    rows = np.arange(len(y))
    scores -= scores[y, :, rows].T
    scores += 1
    scores[y, :, rows] = 0
    losses: Array = np.maximum(scores, 0).sum(axis=0)
    violated = scores > 0
    np.multiply(violated, step, out=scores)
    scores[y, :, rows] = -(step * violated.sum(axis=0)).T
    return losses


IN_PLACE = {"softmax": softmax_in_place, "hinge": hinge_in_place}
