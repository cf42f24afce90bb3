"""The rows of a batch as floats, divided among a thread and its helpers, and the two products with them.

Each gathers its rows into a buffer of its own and computes with these only, so that they stay in its core's cache.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.helpers import Helper
from softmaxclf.core.rows import RowReader
from softmaxclf.core.stack import Problem

Array = NDArray[Any]
CACHE_LINE = 64  # bytes
OWN_SHARE = 1.35  # rows of the thread itself for 1 of each helper: it does not wait for the last helper then


class Parts:
    """Up to `rows` rows of X at once, after the F offsets of the preprocessing: Z (F + n, D')."""

    def __init__(self, problem: Problem, X: Array, rows: int, helpers: Sequence[Helper] = ()) -> None:
        self._helpers = helpers
        mirror = problem.preprocessing[0].mirror
        offsets = [each.offset for each in problem.preprocessing if each.offset is not None]
        self.offsets = len(offsets)
        self._readers = [RowReader(X, mirror, problem.dtype) for _ in range(1 + len(helpers))]
        self._buffers = [_row_buffer(self.offsets + rows, reader) for reader in self._readers]
        for place, offset in enumerate(offsets):
            self._buffers[0][place] = offset
        self._sums: Array = np.empty((len(helpers), 0, 0), problem.dtype)
        self._coming: Array = np.empty(0, np.int64)
        self._Z: list[Array] = []

    def load(self, rows: Array) -> None:
        """What the next `forward` is about. Helpers gather their part of it at once."""
        self._coming = rows
        for helper, reader, buffer, part in self._of_helpers(rows):
            helper.begin(partial(reader.read, rows[part], buffer[: part.stop - part.start]))

    def forward(self, V: Array, out: Array) -> None:
        """out (F + n, columns) = Z V, of the rows that were loaded."""
        rows, own = self._coming, len(self._coming) - len(self._helpers) * self._share(self._coming)
        self._Z = [self._buffers[0][: self.offsets + own]]
        for helper, _, buffer, part in self._of_helpers(rows):
            self._Z.append(buffer[: part.stop - part.start])
            place = slice(self.offsets + part.start, self.offsets + part.stop)
            helper.begin(partial(np.matmul, self._Z[-1], V, out=out[place]))
        self._readers[0].read(rows[:own], self._Z[0][self.offsets :])
        np.matmul(self._Z[0], V, out=out[: self.offsets + own])
        for helper in self._helpers:
            helper.end()

    def backward(self, dS: Array, block: slice, out: Array, coming: Array | None = None) -> None:
        """out = Z[:, block]^T dS, dS (F + n, columns). With `coming`, these rows are loaded meanwhile."""
        if self._sums.shape[1:] != out.shape:
            self._sums = np.empty((len(self._helpers), *out.shape), out.dtype)
        start = len(self._Z[0])
        for helper, Z, part_sum in zip(self._helpers, self._Z[1:], self._sums, strict=True):
            helper.begin(partial(np.matmul, Z[:, block].T, dS[start : start + len(Z)], out=part_sum))
            start += len(Z)
        own = self._Z[0]
        if coming is not None:
            self.load(coming)
        np.matmul(own[:, block].T, dS[: len(own)], out=out)
        for helper, part_sum in zip(self._helpers, self._sums, strict=True):
            helper.end(left=0 if coming is None else 1)
            out += part_sum

    def _share(self, rows: Array) -> int:
        """How many of the rows are each helper's; the first ones are this thread's."""
        return int(len(rows) / (len(self._helpers) + OWN_SHARE))

    def _of_helpers(self, rows: Array) -> list[tuple[Helper, RowReader, Array, slice]]:
        share, count = self._share(rows), len(self._helpers)
        starts = range(len(rows) - count * share, len(rows), share) if share else [len(rows)] * count
        parts = [slice(start, start + share) for start in starts]
        return list(zip(self._helpers, self._readers[1:], self._buffers[1:], parts, strict=True))


def _row_buffer(rows: int, reader: RowReader) -> Array:
    """(rows, D'), in memory each row on an odd number of cache lines.

    At 3,072 floats it would be three pages, and rows that lie whole pages apart evict each other from the cache
    when BLAS reads down the columns.
    """
    numbers = CACHE_LINE // reader.dtype.itemsize
    lines = -(-reader.columns // numbers) | 1
    return np.zeros((rows, lines * numbers), reader.dtype)[:, : reader.columns]
