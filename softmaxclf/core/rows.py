"""Reading rows of a data set as floating-point features, a batch at a time.

This is the only place where stored rows (uint8 pixels or floats) become floating-point numbers, so no float copy
of a data set ever exists. Stages that change rows as they are read (core/stages) do it here.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


class Reads(Protocol):
    """A step that turns floating-point rows (n, D) into rows (n, columns)."""

    @property
    def columns(self) -> int: ...
    def read(self, rows: Array, out: Array) -> None: ...


class RowReader:
    """Reads rows of X (N, D) into float buffers of (n, D') columns, through the steps `reading`, in their order.

    Not safe for two threads at once: it owns the buffers in which rows are gathered.
    """

    def __init__(self, X: Array, reading: Sequence[Reads] = (), dtype: DTypeLike = np.float32) -> None:
        self.X = X
        self.reading = tuple(reading)
        self.dtype = np.dtype(dtype)
        self.columns = self.reading[-1].columns if reading else int(X.shape[1])
        self._gathered: Array = np.empty((0, X.shape[1]), X.dtype)
        self._between: list[Array] = [np.empty((0, 0), dtype)] * len(self.reading)

    def read(self, rows: Array | slice, out: Array) -> Array:
        """`out` (n, D'), filled with the rows of those indices, n = len(out). Returns `out`."""
        stored = self.X[rows] if isinstance(rows, slice) else self._gather(rows)
        if not self.reading:
            np.copyto(out, stored)
            return out
        floats = self._buffer(0, len(stored), self.X.shape[1])
        np.copyto(floats, stored)
        for place, step in enumerate(self.reading[:-1], 1):
            following = self._buffer(place, len(stored), step.columns)
            step.read(floats, following)
            floats = following
        self.reading[-1].read(floats, out)
        return out

    def all(self) -> Array:
        """All rows (N, D')."""
        return self.read(slice(None), np.empty((len(self.X), self.columns), self.dtype))

    def chunks(self, rows: Array | slice | None = None, size: int = 512) -> Iterator[tuple[Array, Array]]:
        """Yield (indices, features (n, D')) over `rows` (default all) in order. The features' buffer is reused."""
        every = np.arange(len(self.X))
        indices = every if rows is None else every[rows]
        buffer = np.empty((min(size, len(indices)), self.columns), self.dtype)
        for start in range(0, len(indices), size):
            part = indices[start : start + size]
            yield part, self.read(part, buffer[: len(part)])

    def _gather(self, rows: Array) -> Array:
        if len(self._gathered) < len(rows):
            self._gathered = np.empty((len(rows), self.X.shape[1]), self.X.dtype)
        # mode="clip" lets take() write into `out` without a copy of its own; indices are always in range.
        return self.X.take(rows, axis=0, out=self._gathered[: len(rows)], mode="clip")

    def _buffer(self, place: int, rows: int, columns: int) -> Array:
        if self._between[place].shape[1] != columns or len(self._between[place]) < rows:
            self._between[place] = np.empty((rows, columns), self.dtype)
        return self._between[place][:rows]
