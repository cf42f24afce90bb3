"""What a stack of models is: its cells, its settings, its rows, and the state that training carries along."""

import sys
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from softmaxclf.core.preprocessing import Preprocessing
from softmaxclf.core.rows import RowReader

Array = NDArray[Any]


@dataclass(frozen=True)
class Cells:
    """The G models of a stack. learning_rate, regularization: (G,) float64; fold: (G,) int, -1 for none.

    index: (G,) the place of each cell in the grid, which it keeps when other cells leave the stack.
    """

    learning_rate: Array
    regularization: Array
    fold: Array
    index: Array

    def __len__(self) -> int:
        return len(self.learning_rate)

    def keep(self, kept: Array) -> "Cells":
        """The cells at those indices or where that mask is true."""
        return Cells(self.learning_rate[kept], self.regularization[kept], self.fold[kept], self.index[kept])


@dataclass(frozen=True)
class Settings:
    """What all cells share. schedule: constant, or cosine from the learning rate to 0 at `iterations`."""

    iterations: int
    batch_size: int
    loss: str = "softmax"
    momentum: float = 0.0
    schedule: str = "constant"
    regularize_bias: bool = False
    seed: int = 0
    history_points: int = 25

    def rate(self, iteration: int) -> float:
        """The factor on every learning rate at that iteration, counted from 0."""
        if self.schedule == "constant":
            return 1.0
        return 0.5 * (1 + float(np.cos(np.pi * iteration / self.iterations)))

    def next_history_point(self, iteration: int) -> int:
        """The first number of iterations above that one after which a line of the history is written.

        They are evenly spaced, the last iteration included; without any, no number is reached.
        """
        points = min(self.history_points, self.iterations)
        if points == 0:
            return sys.maxsize
        return -(-(iteration * points // self.iterations + 1) * self.iterations // points)


@dataclass(frozen=True)
class Problem:
    """The rows that a stack is trained on.

    X: (N, D) raw rows; y: (N,) labels in [0, classes). train_rows: (n,) indices. validation_rows: indices into
    validation_X, which may be X itself; empty for none. fold_of_row: (N,) ints or None.
    preprocessing: one per fold, or a single one. block: see `epoch_permutation`.
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

    def _inverse_norms(self, X: Array) -> Array | None:
        first = self.preprocessing[0]
        if not first.unit_norm:
            return None
        distinct = self.preprocessing if first.offset is not None else [first]
        table = np.empty((len(X), len(distinct)), np.dtype(self.dtype))
        for part, Z in RowReader(X, first.mirror, self.dtype).chunks():
            table[part] = np.stack([each.inverse_norms(Z) for each in distinct], axis=1)
        return table


@dataclass
class History:
    """One line per history point. iteration: [T]; the others: [T] arrays (G,), NaN where not measured."""

    iteration: list[int] = field(default_factory=list)
    loss: list[Array] = field(default_factory=list)
    train_accuracy: list[Array] = field(default_factory=list)
    validation_accuracy: list[Array] = field(default_factory=list)


@dataclass
class State:
    """Everything that the next iteration depends on. V, velocity: (D', K - 1, G); b, b_velocity: (K, G).

    V is of all classes but the first, whose weights are minus the sum of the others': a row's gradients p - y sum
    to zero over the classes, and so do weights that start at zero.
    The velocities are kept multiplied by the momentum (mu v), which saves a pass over them.
    shrinkage: (G,) float64, what weight decay has left of V: the weights are shrinkage V, see `weights`.
    diverged_at: (G,) the iteration at which a cell left the finite numbers, or -1.
    loss_sum: (G,) batch losses since the last history line, of `loss_count` batches; hits, seen: (2, G) rows
    predicted right and rows counted in the batches before the next line, [0] trained and [1] held out.
    """

    cells: Cells
    V: Array
    b: Array
    velocity: Array
    b_velocity: Array
    shrinkage: Array
    iteration: int
    diverged_at: Array
    loss_sum: Array
    loss_count: int
    hits: Array
    seen: Array
    history: History = field(default_factory=History)

    def weights(self, place: int) -> Array:
        """The weights (D', K) float64 of the cell at that place of the stack, on columns that are not scaled."""
        others = self.V[:, :, place].astype(np.float64) * self.shrinkage[place]
        return np.hstack([-others.sum(axis=1, keepdims=True), others])

    def keep(self, kept: Array) -> "State":
        """The state of the cells at those indices, repacked; the history keeps its lines of them."""
        history = replace(
            self.history,
            iteration=list(self.history.iteration),
            loss=[line[kept] for line in self.history.loss],
            train_accuracy=[line[kept] for line in self.history.train_accuracy],
            validation_accuracy=[line[kept] for line in self.history.validation_accuracy],
        )
        arrays: dict[str, Any] = {
            name: np.ascontiguousarray(getattr(self, name)[..., kept]) for name in STATE_ARRAYS
        }
        return replace(self, cells=self.cells.keep(kept), history=history, **arrays)


STATE_ARRAYS = (
    "V",
    "b",
    "velocity",
    "b_velocity",
    "shrinkage",
    "diverged_at",
    "loss_sum",
    "hits",
    "seen",
)  # each (..., G)


def initial_state(cells: Cells, problem: Problem, settings: Settings) -> State:
    """All weights zero: the objective is convex, so there is no symmetry to break, and the loss starts at log K."""
    columns = RowReader(problem.X, problem.preprocessing[0].mirror).columns
    dtype = problem.dtype
    count = len(cells)
    shape = (columns, problem.classes - 1, count)
    moving = shape if settings.momentum else (0, *shape[1:])
    biases = (problem.classes, count)
    return State(
        cells,
        np.zeros(shape, dtype),
        np.zeros(biases, dtype),
        np.zeros(moving, dtype),
        np.zeros(biases, dtype),
        np.ones(count),
        0,
        np.full(count, -1, np.int64),
        np.zeros(count),
        0,
        np.zeros((2, count)),
        np.zeros((2, count)),
    )
