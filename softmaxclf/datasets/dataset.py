"""What every source of data becomes: arrays that stay as they are stored, and the names of the classes."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.arrays import JoinedArray, StoredArray
from softmaxclf.errors import DataError

Rows = NDArray[Any]  # (N, D) uint8 pixels, or float32/float64 features; may be a StoredArray, see arrays.py
Labels = NDArray[np.int64]  # (N,) in [0, K)
Progress = Callable[[int, int], None]  # (done, total), in bytes or images
Log = Callable[[str], None]  # takes a line for people


def ignored(*_: object) -> None:
    """The Progress or Log of one who does not listen."""


LARGEST = float(np.finfo(np.float32).max)
BLOCK_BYTES = 4 << 20  # of rows looked at together


@dataclass(frozen=True)
class Split:
    """Rows `X` (N, D) and their labels `y` (N,), int64 in [0, K). place: where X comes from, for messages.

    stored: whether X lies in a file as it is, from where it is read row by row if it does not fit into memory.
    """

    X: Rows
    y: Labels
    place: str = "X"
    stored: bool = False

    @classmethod
    def of(cls, rows: Rows | StoredArray, y: Labels, place: str) -> "Split":
        """The split, its rows in memory where they fit there."""
        if isinstance(rows, StoredArray):
            return cls(rows.load(), y, place, stored=True)
        return cls(rows, y, place)

    def examine(self, *visitors: Callable[[int, int], None]) -> str:
        """SHA-256 over dtype, shape, rows and labels: the same for the same data in any file form.

        The rows are read once: what else wants to see them is a visitor, called with (start, stop) of each block
        while that is in the cache. Raises DataError, with row and column, for a value that is no number or too
        large for float32, in which training computes.
        """
        digest = hashlib.sha256(f"{self.X.dtype.str} {self.X.shape}".encode())
        step = max(1, BLOCK_BYTES // max(1, self.X[:1].nbytes))
        for start in range(0, len(self.X), step):
            block = np.ascontiguousarray(self.X[start : start + step])
            self.check(block, start)
            digest.update(block.data)
            if isinstance(self.X, JoinedArray):
                self.X.examined(block, start)
            for visit in visitors:
                visit(start, start + len(block))
        digest.update(np.ascontiguousarray(self.y, dtype="<i8").data)
        return digest.hexdigest()

    def check(self, block: Rows, start: int) -> None:
        """Raise DataError, as `examine` does, for a value in `block`, the rows from `start` on."""
        if block.dtype.kind != "f":
            return
        with np.errstate(invalid="ignore"):
            if block.min() >= -LARGEST and block.max() <= LARGEST:
                return
            row, column = (int(axis[0]) for axis in np.nonzero(~(np.abs(block) <= LARGEST)))
        place, there = self.place, start + row
        if isinstance(self.X, JoinedArray):
            place, there = self.X.origin(there)
        raise DataError(
            f"{place}: expected finite numbers within float32, found {block[row, column]} in row {there}, "
            f"column {column}; remove or replace such values"
        )


@dataclass(frozen=True)
class Dataset:
    """A data set whose splits are read only when they are asked for.

    image_shape: (channels, height, width) in CIFAR's plane order when a row is an image, else None.
    read_class_names, read_train, read_test: what gives the class names and the splits, and raises DataError where
    the source is broken; a source that is open anyway gives what it has. is_official: whether the files are those
    that are published under that name, byte for byte, as far as that is known. feature_names: (D,) of rows that have
    them. notes: what was done to the source that its owner may not expect, a line each. drawn: of a
    source without splits of its own how many rows were drawn here as test rows, and how many it has. columns: D, where
    that is known before a row is read. is_unchanged: whether the files of the rows are still what was read, as far as
    it can tell.
    """

    name: str
    path: str
    read_class_names: Callable[[], tuple[str, ...]] = field(repr=False)
    image_shape: tuple[int, int, int] | None
    read_train: Callable[[], Split] = field(repr=False)
    validation: Split | None = None
    read_test: Callable[[], Split] | None = field(default=None, repr=False)
    is_official: Callable[[], bool] = field(default=lambda: True, repr=False)
    feature_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    drawn: tuple[int, int] | None = None
    columns: int | None = None
    is_unchanged: Callable[[], bool] = field(default=lambda: True, repr=False)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The K names, by label."""
        return self.read_class_names()

    @cached_property
    def train(self) -> Split:
        """The training split; read once."""
        return self.read_train()

    @property
    def features(self) -> int:
        """D, the number of columns of a row."""
        if self.columns is not None:
            return self.columns
        return math.prod(self.image_shape) if self.image_shape else int(self.train.X.shape[1])

    def drawing(self) -> str:
        """A note of the test rows that were drawn; empty where none were."""
        count, rows = self.drawn or (0, 0)
        if not count:
            return ""
        return f"{self.path}: {count:,} of its {rows:,} rows are drawn as test rows (data.test)"

    def remark(self) -> str:
        """What a reader of results should know of the data's origin; empty where there is nothing to say.

        Reads the files again to hash them.
        """
        return "" if self.is_official() else f"{self.name} layout, not the official files"

    @property
    def empty_classes(self) -> tuple[str, ...]:
        """The names of the classes without a training row, which no model can learn."""
        counts = np.bincount(self.train.y, minlength=len(self.class_names))
        return tuple(self.class_names[label] for label in np.flatnonzero(counts == 0))

    def test(self) -> Split:
        """The test split, read now. Raises DataError when the source has none."""
        if self.read_test is None:
            raise DataError(
                f"{self.path}: no test split found; add one, as data/README.md says, or use --split validation"
            )
        return self.read_test()
