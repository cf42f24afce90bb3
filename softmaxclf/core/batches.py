"""The minibatches of a run: which rows, gathered as floats."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.preprocessing import Preprocessing
from softmaxclf.core.rows import RowReader
from softmaxclf.core.splits import epoch_permutation
from softmaxclf.core.stack import Problem, Settings

Array = NDArray[Any]
CACHE_LINE = 64  # bytes


@dataclass(frozen=True)
class Batch:
    """n rows. Z: (F + n, D') the F offsets, then the rows; y: (n,); rows: (n,) indices into X."""

    rows: Array
    y: Array
    Z: Array


class Batches:
    """The batches of a problem in order. Epoch e visits the training rows in a permutation drawn from (seed, e)."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.problem = problem
        self.settings = settings
        self.per_epoch = -(-len(problem.train_rows) // settings.batch_size)
        self._reader = RowReader(problem.X, problem.preprocessing[0].mirror, problem.dtype)
        size = min(settings.batch_size, len(problem.train_rows))
        self._buffer, self._offsets = offset_rows(problem.preprocessing, size, self._reader)
        self._epoch = -1
        self._order: Array = np.empty(0, np.int64)

    def between(self, start: int, stop: int) -> Iterator[Batch]:
        """Yield the batches of iterations start..stop-1; each is valid until the next one is asked for."""
        for iteration in range(start, stop):
            rows = self._rows(iteration)
            Z = self._buffer[: self._offsets + len(rows)]
            self._reader.read(rows, Z[self._offsets :])
            yield Batch(rows, self.problem.y[rows], Z)

    def _rows(self, iteration: int) -> Array:
        epoch, place = divmod(iteration, self.per_epoch)
        if epoch != self._epoch:
            count = len(self.problem.train_rows)
            order = epoch_permutation(count, self.settings.seed, epoch, self.problem.block)
            self._order, self._epoch = self.problem.train_rows[order], epoch
        size = self.settings.batch_size
        return self._order[place * size : (place + 1) * size]


def offset_rows(preprocessing: list[Preprocessing], rows: int, reader: RowReader) -> tuple[Array, int]:
    """(buffer (F + rows, D') whose first F rows hold the offsets, F); F = 0 when nothing is centered.

    In memory a row takes an odd number of cache lines. At 3,072 floats it would be three pages, and rows that
    lie whole pages apart evict each other from the cache when BLAS reads down the columns.
    """
    offsets = [each.offset for each in preprocessing if each.offset is not None]
    numbers = CACHE_LINE // reader.dtype.itemsize
    lines = -(-reader.columns // numbers) | 1
    buffer = np.zeros((len(offsets) + rows, lines * numbers), reader.dtype)[:, : reader.columns]
    for place, offset in enumerate(offsets):
        buffer[place] = offset
    return buffer, len(offsets)
