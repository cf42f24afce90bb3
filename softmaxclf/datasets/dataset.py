"""What every source of data becomes: arrays that stay as they are stored, and the names of the classes."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.errors import DataError

Rows = NDArray[Any]  # (N, D) uint8 pixels, or float32/float64 features; may be memory-mapped
Labels = NDArray[np.int64]  # (N,) in [0, K)
Progress = Callable[[int, int], None]  # (done, total), in bytes or rows


@dataclass(frozen=True)
class Split:
    """Rows `X` (N, D) and their labels `y` (N,), int64 in [0, K)."""

    X: Rows
    y: Labels

    def fingerprint(self) -> str:
        """SHA-256 over dtype, shape, rows and labels: the same for the same data in any file form."""
        digest = hashlib.sha256(f"{self.X.dtype.str} {self.X.shape}".encode())
        for start in range(0, len(self.X), 4096):
            digest.update(np.ascontiguousarray(self.X[start : start + 4096]).data)
        digest.update(np.ascontiguousarray(self.y, dtype="<i8").data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Dataset:
    """A training split in memory (or mapped), and the test split that is read only when it is asked for.

    image_shape: (channels, height, width) in CIFAR's plane order when a row is an image, else None.
    """

    name: str
    path: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int] | None
    train: Split
    validation: Split | None = None
    read_test: Callable[[], Split] | None = field(default=None, repr=False)

    @property
    def features(self) -> int:
        """D, the number of columns of a row."""
        return int(self.train.X.shape[1])

    @property
    def empty_classes(self) -> tuple[str, ...]:
        """The names of the classes without a training row, which no model can learn."""
        counts = np.bincount(self.train.y, minlength=len(self.class_names))
        return tuple(self.class_names[label] for label in np.flatnonzero(counts == 0))

    def test(self) -> Split:
        """The test split, read now. Raises DataError when the source has none."""
        if self.read_test is None:
            raise DataError(
                f"{self.path}: no test split found; add X_test and y_test, or use --split validation"
            )
        return self.read_test()
