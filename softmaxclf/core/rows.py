"""Reading rows of a data set as floating-point features, a batch at a time.

This is the only place where stored rows (uint8 pixels or floats) become floating-point numbers, so no
float copy of a data set ever exists. Mirror folding happens here too: for an image of even width,

    z[c, r, j] = x[c, r, j] + x[c, r, width - 1 - j]        j < width / 2

which is the fold of DESIGN's "(left half + mirrored right half) / sqrt 2" without the division; the
division is part of `Preprocessing.scale`. The middle column of an odd width is taken as it is.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
ImageShape = tuple[int, int, int]


def folded_width(image_shape: ImageShape) -> int:
    """The number of columns of pixels that remain after mirror folding: ceil(width / 2)."""
    return (image_shape[2] + 1) // 2


def fold_scale(image_shape: ImageShape) -> Array:
    """What folded sums are divided by: (1,) sqrt 2, or (D',) with 1 at the middle column of an odd width."""
    channels, height, width = image_shape
    if width % 2 == 0:
        return np.array([math.sqrt(2)])
    line = np.full(folded_width(image_shape), math.sqrt(2))
    line[-1] = 1
    return np.tile(line, channels * height)


def unfold(columns: Array, image_shape: ImageShape) -> Array:
    """Weights (D, ...) on all pixels that act on images as `columns` (D', ...) act on folded sums."""
    channels, height, width = image_shape
    half = columns.reshape(channels * height, folded_width(image_shape), *columns.shape[1:])
    full = np.concatenate([half, half[:, : width // 2][:, ::-1]], axis=1)
    return full.reshape(channels * height * width, *columns.shape[1:])


class RowReader:
    """Reads rows of X (N, D) into float buffers of (n, D') columns, folded when `mirror` is an image shape.

    Not safe for two threads at once: it owns the buffers in which rows are gathered.
    """

    def __init__(self, X: Array, mirror: ImageShape | None = None, dtype: DTypeLike = np.float32) -> None:
        self.X = X
        self.mirror = mirror
        self.dtype = np.dtype(dtype)
        self._gathered: Array = np.empty((0, X.shape[1]), X.dtype)
        self._cast: Array = np.empty((0, X.shape[1]), self.dtype)

    @property
    def columns(self) -> int:
        """D', the number of features after folding."""
        if self.mirror is None:
            return int(self.X.shape[1])
        return self.mirror[0] * self.mirror[1] * folded_width(self.mirror)

    def read(self, rows: Array | slice, out: Array) -> Array:
        """`out` (n, D'), filled with the rows of those indices, n = len(out). Returns `out`."""
        stored = self.X[rows] if isinstance(rows, slice) else self._gather(rows)
        if self.mirror is None:
            np.copyto(out, stored)
            return out
        return self._fold(stored, out)

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

    def _fold(self, stored: Array, out: Array) -> Array:
        assert self.mirror is not None
        channels, height, width = self.mirror
        if len(self._cast) < len(stored):
            self._cast = np.empty((len(stored), self.X.shape[1]), self.dtype)
        images = self._cast[: len(stored)].reshape(-1, channels * height, width)
        np.copyto(images, stored.reshape(images.shape))
        folded = out.reshape(len(stored), channels * height, folded_width(self.mirror))
        half = width // 2
        np.add(images[:, :, :half], images[:, :, : width - half - 1 : -1], out=folded[:, :, :half])
        if width % 2:
            folded[:, :, half] = images[:, :, half]
        return out
