"""Fitting stages on training rows: what they ask of the rows, in one reading."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from softmaxclf.core import blas
from softmaxclf.core.images import ImageShape
from softmaxclf.core.rows import Reads, RowReader
from softmaxclf.core.stages.stage import Array, Preprocessing, Reading, Stage

MOMENT_ROWS = 256  # 256 pixels of at most 255 (or folded pairs of at most 510) add up exactly even in float32


NOISE = {"f": 1e-12, "d": 1e-26}  # the share of its mean square up to which a variance is rounding


class Moments:
    """Sums of rows and of their squares, per group, gathered while the rows of X are read once in any blocks.

    rows: (n,) indices of training rows. groups: (n,) the fold of each in [0, F), or None. weights: (N,) how much each
    row of X counts, or None. The squares are taken about the mean of the first rows met, so that nothing cancels; all
    sums are in float64.
    """

    def __init__(
        self,
        X: Array,
        rows: Array,
        groups: Array | None,
        reading: Sequence[Reads] = (),
        *,
        squares: bool,
        weights: Array | None = None,
    ) -> None:
        self.reading, self.squares, self._folds = tuple(reading), squares, groups is not None
        self._reader = RowReader(X, reading, np.float64 if X.dtype == np.float64 else np.float32)
        self._group = np.full(len(X), -1)
        self._group[rows] = 0 if groups is None else groups
        count = 1 if groups is None else int(groups.max()) + 1
        self._counts = np.zeros((count, 1))
        self._sums, self._squares = np.zeros((2, count, self._reader.columns))
        self._center: Array | None = None
        self._weights = weights
        self._exact = X.dtype == np.uint8 and weights is None

    def read_all(self, rows: Array) -> "Moments":
        """Itself, after reading those rows of X."""
        with blas.single_threaded():  # these products are too small to be divided
            for start in range(0, len(rows), MOMENT_ROWS):
                self._add(rows[start : start + MOMENT_ROWS])
        return self

    def add(self, start: int, stop: int) -> None:
        """Take the rows `start` to `stop` of X into the sums; those that do not train are passed over."""
        used = start + np.flatnonzero(self._group[start:stop] >= 0)
        self.read_all(used)

    def _add(self, rows: Array) -> None:
        Z = self._reader.read(rows, np.empty((len(rows), self._reader.columns), self._reader.dtype))
        members = np.arange(len(self._counts))[:, None] == self._group[rows]
        if self._weights is not None:
            members = members * self._weights[rows]
        if self._center is None:
            self._center = Z.mean(axis=0, dtype=np.float64)
        values = Z if self._exact else Z.astype(np.float64)
        self._counts += members.sum(axis=1, keepdims=True)
        self._sums += members.astype(values.dtype) @ values
        if self.squares:
            self._squares += members.astype(np.float64) @ np.square(Z - self._center)

    def outside(self) -> list[tuple[Array, Array]]:
        """(mean (D',), deviation (D',)) of the rows outside each group when there are folds, else of all rows.

        Without squares the deviations are 0.
        """
        assert self._center is not None

        def kept(sums: Array) -> Array:
            return sums.sum(axis=0) - sums if self._folds else sums

        counts = kept(self._counts)
        means = kept(self._sums) / counts
        shifts = np.square(means - self._center)
        variances = kept(self._squares) / counts - shifts * self.squares
        # Below the floor a variance is rounding noise of a constant feature.
        noise = NOISE[self._reader.dtype.char]
        floor = noise * (np.square(means) + shifts)
        deviations = np.sqrt(np.where(variances > floor, variances, 0.0))
        return list(zip(means, deviations, strict=True))


@dataclass
class FittingRows:
    """The training rows that stages are fitted on.

    X: (N, D) raw rows; rows: (n,) indices; groups: (n,) fold of each, or None. image_shape: (channels, height,
    width) of a row, or None. base: what is done to rows before the stages. squares: whether a stage needs deviations.
    weights: (N,) how much each row of X counts, or None. gathered: moments that were summed up already while the rows
    were read. outside: the moments found, by reading stages.
    """

    X: Array
    rows: Array
    groups: Array | None = None
    image_shape: ImageShape | None = None
    base: Preprocessing = Preprocessing()  # noqa: RUF009 - frozen
    squares: bool = False
    weights: Array | None = None
    gathered: Moments | None = None
    outside: dict[Any, list[tuple[Array, Array]]] = field(default_factory=dict, repr=False)

    def moments(self, reading: Sequence[Reads]) -> list[tuple[Array, Array]]:
        """(mean (D',), deviation (D',)) of the rows as they are read, outside each fold, or of all."""
        key = (tuple(reading), self.squares)
        if key not in self.outside:
            found = self.gathered
            if found is None or found.reading != key[0] or found.squares < self.squares:
                found = self.summing(reading, squares=self.squares)
                found.read_all(self.rows)
            self.outside[key] = found.outside()
        return self.outside[key]

    def summing(self, reading: Sequence[Reads], *, squares: bool) -> Moments:
        """The moments of these rows before any is read."""
        return Moments(self.X, self.rows, self.groups, reading, squares=squares, weights=self.weights)


def fit_stages(stages: Sequence[type[Stage]], rows: FittingRows) -> list[Preprocessing]:
    """One Preprocessing per fold, fitted on the rows outside it; or a single one fitted on all rows.

    stages: classes of core/stages in their order. Raises DataError, ConfigError.
    """
    count = 1 if rows.groups is None else int(rows.groups.max()) + 1
    rows.squares = any(stage.squares for stage in stages)
    fitted = [rows.base] * count
    for stage in stages:
        fitted = stage.fit(fitted, rows)
    return fitted


def gather(stages: Sequence[type[Stage]], rows: FittingRows) -> list[Callable[[int, int], None]]:
    """Visitors that sum up, while the rows of X are read for another purpose, what these stages ask of them later."""
    if not any(stage.moments for stage in stages):
        return []
    reading = fit_stages([stage for stage in stages if issubclass(stage, Reading)], rows)[0].reading
    squares = any(stage.squares for stage in stages)
    rows.gathered = rows.summing(reading, squares=squares)
    return [rows.gathered.add]
