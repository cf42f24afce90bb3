"""Regions of a line or an image that are equal parts of it, with pixels split where they must be."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def shares(length: int, parts: int) -> Array:
    """(parts, length): how much of each of `length` cells lies in each of `parts` equal parts, divided by its size.

    Each row sums to 1, so that a product with it gives the means of the parts.
    """
    edges = np.linspace(0, length, parts + 1)
    cells = np.arange(length)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    size: Array = np.maximum(overlap, 0) * (parts / length)
    return size


def grid_shares(height: int, width: int, parts: int) -> Array:
    """(height * width, parts * parts): the same of an image that is divided in both directions."""
    rows, columns = shares(height, parts), shares(width, parts)
    both: Array = np.einsum("ah,bw->hwab", rows, columns).reshape(height * width, parts * parts)
    return both
