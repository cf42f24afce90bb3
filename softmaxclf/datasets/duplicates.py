"""Rows that stand in the data more than once, byte for byte.

Each row has a 64-bit hash: its words times random odd numbers, summed modulo 2**64, one product per block. Rows of
equal hash are then compared themselves, so that what is found is true.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.datasets.dataset import BLOCK_BYTES, Rows

Places = NDArray[np.int64]


def shared_rows(X: Rows, others: Rows) -> Places:
    """Which of the rows `others` (n, D) stand in X (N, D) too. None do where the types differ."""
    if X.dtype != others.dtype or not len(X):
        return np.empty(0, np.int64)
    hashes = row_hashes(X)
    order = np.argsort(hashes)
    wanted = row_hashes(others)
    found: Places = order[np.minimum(np.searchsorted(hashes[order], wanted), len(X) - 1)]
    places = np.flatnonzero(hashes[found] == wanted)
    shared: Places = places[_equal(X, found[places], others, places)]
    return shared


def repeated_rows(X: Rows) -> int:
    """How many rows of X (N, D) stand in it before."""
    hashes = row_hashes(X)
    order = np.argsort(hashes, kind="stable")
    again = np.flatnonzero(hashes[order][1:] == hashes[order][:-1])
    return int(_equal(X, order[again], X, order[again + 1]).sum())


def row_hashes(X: Rows) -> NDArray[np.uint64]:
    """A hash (N,) of the bytes of each row; the same in every run."""
    width = X.shape[1] * X.dtype.itemsize
    size = next(size for size in (8, 4, 2, 1) if width % size == 0)
    factors = np.random.default_rng(0).integers(0, 2**64, width // size, np.uint64) | np.uint64(1)
    hashes = np.empty(len(X), np.uint64)
    step = max(1, BLOCK_BYTES // width)
    for start in range(0, len(X), step):
        words = np.ascontiguousarray(X[start : start + step]).view(f"u{size}").astype(np.uint64, copy=False)
        if X.dtype.kind == "f":  # the low bits of round numbers are zeros, which a product keeps
            words = words ^ (words >> np.uint64(32))
            words ^= words >> np.uint64(16)
        hashes[start : start + step] = words @ factors
    return hashes


def _equal(X: Rows, rows: Places, others: Rows, places: Places) -> NDArray[Any]:
    """Which of the pairs X[rows], others[places] are equal (n,) bool."""
    equal = np.zeros(len(rows), bool)
    step = max(1, BLOCK_BYTES // max(1, X[:1].nbytes))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        equal[part] = (X[rows[part]] == others[places[part]]).all(axis=1)
    return equal
