"""The rows of a batch as floats, divided among a thread and its helpers, and the two products with them.

Each gathers its rows into a buffer of its own and computes with these only, so that they stay in its core's cache.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.helpers import Helper
from softmaxclf.core.row_buffer import RowBuffer
from softmaxclf.core.stack import Problem

Array = NDArray[Any]
OWN_SHARE = 1.35  # rows of the thread itself for 1 of each helper: it does not wait for the last helper then


class Parts:
    """Up to `rows` rows of X at once, after the F offsets of the preprocessing: Z (F + n, D')."""

    def __init__(self, problem: Problem, X: Array, rows: int, helpers: Sequence[Helper] = ()) -> None:
        self._helpers = helpers
        self._own = RowBuffer(problem, X, rows)
        self._others = [RowBuffer(problem, X, rows, offsets=False) for _ in helpers]
        self.offsets = self._own.offsets
        self._sums: Array = np.empty((len(helpers), 0, 0), problem.dtype)
        self._coming: Array = np.empty(0, np.int64)
        self._Z: list[Array] = []

    def load(self, rows: Array) -> None:
        """What the next `forward` is about. Helpers gather their part of it at once."""
        self._coming = rows
        for helper, buffer, part in self._of_helpers(rows):
            helper.begin(partial(buffer.gather, rows[part]))

    def forward(self, V: Array, out: Array) -> None:
        """out (F + n, columns) = Z V, of the rows that were loaded."""
        rows = self._coming
        own = len(rows) - len(self._helpers) * self._share(rows)
        others = []
        for helper, buffer, part in self._of_helpers(rows):
            others.append(buffer.view(part.stop - part.start))
            place = slice(self.offsets + part.start, self.offsets + part.stop)
            helper.begin(partial(np.matmul, others[-1], V, out=out[place]))
        self._Z = [self._own.gather(rows[:own]), *others]
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

    def _of_helpers(self, rows: Array) -> list[tuple[Helper, RowBuffer, slice]]:
        share, count = self._share(rows), len(self._helpers)
        starts = range(len(rows) - count * share, len(rows), share) if share else [len(rows)] * count
        parts = [slice(start, start + share) for start in starts]
        return list(zip(self._helpers, self._others, parts, strict=True))
