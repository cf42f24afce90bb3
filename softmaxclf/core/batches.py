"""The minibatches of a run: which rows, gathered as floats, one batch ahead of the arithmetic."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.preprocessing import Preprocessing
from softmaxclf.core.rows import RowReader
from softmaxclf.core.splits import epoch_permutation
from softmaxclf.core.stack import Problem, Settings

Array = NDArray[Any]


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
        # Two buffers: one is computed with while the other is filled.
        self._buffers = [offset_rows(problem.preprocessing, size, self._reader) for _ in range(2)]
        self._epoch = -1
        self._order: Array = np.empty(0, np.int64)

    def between(self, start: int, stop: int) -> Iterator[Batch]:
        """Yield the batches of iterations start..stop-1; each is valid until the next one is asked for."""
        with ThreadPoolExecutor(1, thread_name_prefix="next-batch") as pool:
            pending = pool.submit(self._prepare, start)
            for iteration in range(start, stop):
                batch = pending.result()
                if iteration + 1 < stop:
                    pending = pool.submit(self._prepare, iteration + 1)
                yield batch

    def _prepare(self, iteration: int) -> Batch:
        rows = self._rows(iteration)
        Z, offsets = self._buffers[iteration % 2]
        Z = Z[: offsets + len(rows)]
        self._reader.read(rows, Z[offsets:])
        return Batch(rows, self.problem.y[rows], Z)

    def _rows(self, iteration: int) -> Array:
        epoch, place = divmod(iteration, self.per_epoch)
        if epoch != self._epoch:
            count = len(self.problem.train_rows)
            order = epoch_permutation(count, self.settings.seed, epoch, self.problem.block)
            self._order, self._epoch = self.problem.train_rows[order], epoch
        size = self.settings.batch_size
        return self._order[place * size : (place + 1) * size]


def offset_rows(preprocessing: list[Preprocessing], rows: int, reader: RowReader) -> tuple[Array, int]:
    """(buffer (F + rows, D') whose first F rows hold the offsets, F); F = 0 when nothing is centered."""
    offsets = [each.offset for each in preprocessing if each.offset is not None]
    buffer = np.zeros((len(offsets) + rows, reader.columns), reader.dtype)
    for place, offset in enumerate(offsets):
        buffer[place] = offset
    return buffer, len(offsets)
