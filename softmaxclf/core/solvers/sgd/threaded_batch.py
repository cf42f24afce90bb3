"""The rows of a batch as floats, divided among a thread and its workers, and the two products with them.

Each gathers its rows into a buffer of its own and computes with these only, so that they stay in its core's cache.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.problem import Problem
from softmaxclf.core.solvers.sgd.row_buffer import RowBuffer
from softmaxclf.core.solvers.sgd.worker import Worker

Array = NDArray[Any]
OWN_SHARE = 1.35  # rows of the thread itself for 1 of each worker: it does not wait for the last worker then


class ThreadedBatch:
    """Up to `rows` rows of X at once, after the F offsets of the preprocessing: Z (F + n, D')."""

    def __init__(self, problem: Problem, X: Array, rows: int, workers: Sequence[Worker] = ()) -> None:
        self._workers = workers
        self._own = RowBuffer(problem, X, rows)
        self._others = [RowBuffer(problem, X, rows, offsets=False) for _ in workers]
        self.offsets = self._own.offsets
        self._sums: Array = np.empty((len(workers), 0, 0), problem.dtype)
        self._coming: Array = np.empty(0, np.int64)
        self._Z: list[Array] = []

    def load(self, rows: Array) -> None:
        """What the next `forward` is about. Workers gather their part of it at once."""
        self._coming = rows
        for worker, buffer, part in self._of_workers(rows):
            worker.begin(partial(buffer.gather, rows[part]))

    def forward(self, V: Array, out: Array) -> None:
        """out (F + n, columns) = Z V, of the rows that were loaded."""
        rows = self._coming
        own = len(rows) - len(self._workers) * self._share(rows)
        others = []
        for worker, buffer, part in self._of_workers(rows):
            others.append(buffer.view(part.stop - part.start))
            place = slice(self.offsets + part.start, self.offsets + part.stop)
            worker.begin(partial(np.matmul, others[-1], V, out=out[place]))
        self._Z = [self._own.gather(rows[:own]), *others]
        np.matmul(self._Z[0], V, out=out[: self.offsets + own])
        for worker in self._workers:
            worker.end()

    def backward(self, dS: Array, block: slice, out: Array, coming: Array | None = None) -> None:
        """out = Z[:, block]^T dS, dS (F + n, columns). With `coming`, these rows are loaded meanwhile."""
        if self._sums.shape[1:] != out.shape:
            self._sums = np.empty((len(self._workers), *out.shape), out.dtype)
        start = len(self._Z[0])
        for worker, Z, part_sum in zip(self._workers, self._Z[1:], self._sums, strict=True):
            worker.begin(partial(np.matmul, Z[:, block].T, dS[start : start + len(Z)], out=part_sum))
            start += len(Z)
        own = self._Z[0]
        if coming is not None:
            self.load(coming)
        np.matmul(own[:, block].T, dS[: len(own)], out=out)
        for worker, part_sum in zip(self._workers, self._sums, strict=True):
            worker.end(left=0 if coming is None else 1)
            out += part_sum

    def _share(self, rows: Array) -> int:
        """How many of the rows are each worker's; the first ones are this thread's."""
        return int(len(rows) / (len(self._workers) + OWN_SHARE))

    def _of_workers(self, rows: Array) -> list[tuple[Worker, RowBuffer, slice]]:
        share, count = self._share(rows), len(self._workers)
        starts = range(len(rows) - count * share, len(rows), share) if share else [len(rows)] * count
        parts = [slice(start, start + share) for start in starts]
        return list(zip(self._workers, self._others, parts, strict=True))
