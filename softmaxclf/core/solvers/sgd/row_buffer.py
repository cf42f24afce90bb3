"""A place in memory for gathered rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.problem import Problem
from softmaxclf.core.rows import RowReader

Array = NDArray[Any]
CACHE_LINE = 64  # bytes


class RowBuffer:
    """Up to `rows` rows of X at once as Z (F + n, D'), after the F offsets of the preprocessing.

    In memory a row takes an odd number of cache lines. At 3,072 floats it would be three pages, and rows that
    lie whole pages apart evict each other from the cache when BLAS reads down the columns.
    """

    offset_parts, blank = 1, 0  # rows of Z for each offset, and rows of zeros after them

    def __init__(self, problem: Problem, X: Array, rows: int) -> None:
        self._reader = RowReader(X, problem.preprocessing[0].reading, problem.dtype)
        first = [each.offset for each in problem.preprocessing if each.offset is not None]
        self.offsets = len(first)
        numbers = CACHE_LINE // self._reader.dtype.itemsize
        lines = -(-self._reader.columns // numbers) | 1
        memory = np.zeros((self.offsets + rows, lines * numbers), self._reader.dtype)
        self._rows = memory[:, : self._reader.columns]
        for place, offset in enumerate(first):
            self._rows[place] = offset

    def gather(self, rows: Array) -> Array:
        """Z of the rows of those indices, valid until others are gathered."""
        Z = self._rows[: self.offsets + len(rows)]
        self._reader.read(rows, Z[self.offsets :])
        return Z
