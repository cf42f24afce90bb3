"""What a solver is given: the cells of a stack and the rows that they are trained on; and the history it keeps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.stage import Preprocessing

if TYPE_CHECKING:
    from softmaxclf.core.torch_device import TorchDevice

Array = NDArray[Any]


@dataclass(frozen=True)
class Cells:
    """The G models of a stack. values: (G,) float64 of each setting that a grid varies, its axes.

    fold: (G,) int, -1 for none. index: (G,) the place of each cell in the grid, kept when others leave the stack.
    """

    values: Mapping[str, Array]
    fold: Array
    index: Array

    def __len__(self) -> int:
        return len(self.index)

    def at(self, place: int) -> dict[str, float]:
        """The settings of the cell at that place."""
        return {name: float(column[place]) for name, column in self.values.items()}

    def keep(self, kept: Array) -> "Cells":
        """The cells at those indices or where that mask is true."""
        values = {name: column[kept] for name, column in self.values.items()}
        return Cells(values, self.fold[kept], self.index[kept])


@dataclass(frozen=True)
class Problem:
    """The rows that a stack is trained on.

    X: (N, D) raw rows; y: (N,) labels in [0, classes). train_rows: (n,) indices. validation_rows: indices into
    validation_X, which may be X itself; empty for none. fold_of_row: (N,) ints or None.
    preprocessing: one per fold, or a single one; whole: that of all training rows, beside those of
    folds. block: see `epoch_permutation`. weights: (N,) how much each row of X counts in every mean, or None.
    device: where products are made, if not by NumPy; see devices.device_of.
    summing: what sums over rows in place of sums.ArrayRows, with its arguments, for solvers that need nothing else.
    """

    X: Array
    y: Array
    classes: int
    train_rows: Array
    preprocessing: list[Preprocessing]
    validation_X: Array | None = None
    validation_y: Array | None = None
    validation_rows: Array | None = None
    fold_of_row: Array | None = None
    block: int | None = None
    dtype: DTypeLike = np.float32
    whole: Preprocessing | None = None
    weights: Array | None = None
    device: "TorchDevice | None" = None
    summing: Callable[..., Any] | None = None

    @property
    def columns(self) -> int:
        """D', the columns of rows as the stages read them."""
        return RowReader(self.X, self.preprocessing[0].reading).columns

    def fitted(self, fold: int) -> Preprocessing:
        """The preprocessing of the cells of that fold; -1: of those without folds."""
        return self.preprocessing[fold if len(self.preprocessing) > 1 else 0]

    @cached_property
    def norms(self) -> Array | None:
        """1 / norm of all rows of X, (N, 1) or (N, F), for unit-norm preprocessing; None without it."""
        return self._inverse_norms(self.X)

    @cached_property
    def validation_norms(self) -> Array | None:
        """The same of validation_X."""
        if self.validation_X is None or self.validation_X is self.X:
            return self.norms
        return self._inverse_norms(self.validation_X)

    def norms_of(self, fitted: Preprocessing) -> Array:
        """1 / norm (N,) of all rows of X by one preprocessing."""
        norms = np.empty(len(self.X), np.dtype(self.dtype))
        for part, Z in RowReader(self.X, fitted.reading, self.dtype).chunks():
            norms[part] = fitted.inverse_norms(Z)
        return norms

    def _inverse_norms(self, X: Array) -> Array | None:
        first = self.preprocessing[0]
        if not first.unit_norm:
            return None
        distinct = self.preprocessing if first.offset is not None else [first]
        table = np.empty((len(X), len(distinct)), np.dtype(self.dtype))
        for part, Z in RowReader(X, first.reading, self.dtype).chunks():
            table[part] = np.stack([each.inverse_norms(Z) for each in distinct], axis=1)
        return table


MEASURED = ("loss", "train_accuracy", "validation_accuracy", "validation_loss")
HISTORY_COLUMNS = ("iteration", *MEASURED)


@dataclass
class History:
    """One line per history point. iteration: [T]; the others: [T] arrays (G,), NaN where not measured."""

    iteration: list[int] = field(default_factory=list)
    loss: list[Array] = field(default_factory=list)
    train_accuracy: list[Array] = field(default_factory=list)
    validation_accuracy: list[Array] = field(default_factory=list)
    validation_loss: list[Array] = field(default_factory=list)

    def keep(self, kept: Array) -> "History":
        """The lines of those cells."""
        measured = {name: [line[kept] for line in getattr(self, name)] for name in MEASURED}
        return History(list(self.iteration), **measured)

    def lines(self, place: int) -> list[tuple[float, ...]]:
        """The history of the cell at that place, a row of HISTORY_COLUMNS per line."""
        measured = [[float(line[place]) for line in getattr(self, name)] for name in MEASURED]
        return list(zip(self.iteration, *measured, strict=True))

    def arrays(self) -> dict[str, Array]:
        """It as arrays (T,) and (T, G), for a checkpoint."""
        return {name: np.array(getattr(self, name)) for name in HISTORY_COLUMNS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], cells: int) -> "History":
        """The history of `cells` models out of `arrays`. Raises KeyError, ValueError where they are something else."""
        iteration = [int(each) for each in arrays["iteration"]]
        lines = {name: list(arrays[name]) for name in MEASURED}
        if any(len(each) != len(iteration) for each in lines.values()):
            raise ValueError("lines of the history are missing")
        if any(np.shape(line) != (cells,) for each in lines.values() for line in each):
            raise ValueError("the history is of other cells")
        return cls(iteration, **lines)


def joined(histories: list[History]) -> History:
    """The history of all cells, out of those of groups of them."""
    together = {
        name: [
            np.concatenate(line) for line in zip(*(getattr(each, name) for each in histories), strict=True)
        ]
        for name in MEASURED
    }
    return History(list(histories[0].iteration), **together)
