"""The most confused pairs of classes; apart from the drawing of them, so that counting needs no matplotlib."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def confused_pairs(counts: NDArray[Any], count: int) -> list[tuple[int, int]]:
    """Return the `count` pairs (true, predicted) of most errors in counts (K, K), the most first."""
    errors = np.array(counts)
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    pairs = [(int(place) // len(errors), int(place) % len(errors)) for place in order]
    return [pair for pair in pairs if errors[pair] > 0]
