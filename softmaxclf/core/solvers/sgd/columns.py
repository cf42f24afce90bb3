"""What an iteration needs of the cells of a stack, in the dtype and the shape in which it is used.

It is worked out by NumPy in float64, from settings and rows alone, and then put where the weights are: an array, or a
tensor on a device.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.namespace import beside
from softmaxclf.core.problem import Problem
from softmaxclf.core.solvers.sgd.state import SGDState

Array = NDArray[Any]


@dataclass(frozen=True)
class StepInputs:
    """What a step takes beside its rows. F: folds that have cells, or 1.

    y: (n,) labels. shares: (F or 1, n or 1) each row's share in a mean: 0 for held-out rows. kept: (F, n) bool, which
    rows are trained on, or None. norms: (F or 1, n) factors of the rows, or None. eta: (G,) what p - y is multiplied by
    for a step of V, beside the shares. bias_factor: (G,) what turns the sums of these steps into steps of the bias.
    decay: (G,) the share of the weights that the L2 penalty takes. shrinkage: (G,) what V is multiplied by for scores.
    multiplied: (G,) what V itself is multiplied by before it moves, or None.
    """

    y: Array
    shares: Array
    kept: Array | None
    norms: Array | None
    eta: Array
    bias_factor: Array
    decay: Array
    shrinkage: Array
    multiplied: Array | None


class Columns:
    """The cells as columns of the stack: their rates, folds, offsets and scales.

    offset_parts: how many rows of a batch each offset takes; blank: how many rows of zeros follow them.
    """

    def __init__(self, problem: Problem, state: SGDState, offset_parts: int = 1, blank: int = 0) -> None:
        self._problem, self._bias = problem, state.b  # it is where the weights are
        self.dtype = np.dtype(problem.dtype)
        self.learning_rate = state.cells.values["learning_rate"].copy()
        self.regularization = state.cells.values["regularization"]
        self.folds, self.place = np.unique(state.cells.fold, return_inverse=True)
        self._place_of_cell, self._fold_of_cell = map(self.placed, (self.place, state.cells.fold))
        self.learning_rate[state.diverged_at >= 0] = 0
        self._weigh(problem)
        self._scales(problem, state.cells.fold)
        count = len([each for each in problem.preprocessing if each.offset is not None])
        own = np.ones((1, count)) if count <= 1 else state.cells.fold[:, None] == np.arange(count)
        minus = np.pad(-np.tile(own, (1, offset_parts)).astype(self.dtype), ((0, 0), (0, blank)))
        self.minus_own_center = self.placed(minus)  # (G or 1, rows of offsets)

    def cast(self, values: Array) -> Array:
        """Values in the dtype of the weights."""
        return values.astype(self.dtype, copy=False)

    def placed(self, values: Array) -> Any:
        """Values where the weights are."""
        return beside(values, self._bias)

    def _scales(self, problem: Problem, folds: Array) -> None:
        """Split 1 / scale^2 into a common factor of the step and, where it differs by feature, an array."""
        scales = [each.scale for each in problem.preprocessing]
        self.step_factor, self.inverse_square = 1.0, None
        if scales[0] is not None and len(scales[0]) == 1:
            self.step_factor = float(1 / scales[0][0] ** 2)
        elif scales[0] is not None:
            features = np.stack([1 / scale**2 for scale in scales if scale is not None], axis=1)
            features = features[:, folds] if len(scales) > 1 else features
            self.inverse_square = self.placed(self.cast(features[:, None, :]))  # (D', 1, G or 1)

    def _weigh(self, problem: Problem) -> None:
        """Weights of rows of mean 1 over the rows that a cell is trained on: so a batch's mean is right on average."""
        if problem.weights is not None:
            kept = self.kept(problem.train_rows)
            kept = np.ones((1, len(problem.train_rows))) if kept is None else kept
            self._mean_weights = (kept @ problem.weights[problem.train_rows] / kept.sum(axis=1))[:, None]

    def freeze(self, cells: Array) -> None:
        """Let those cells (G,) bool learn no more."""
        self.learning_rate[cells] = 0

    def inputs(
        self, rows: Array, rate: float, before: Array, after: Array, multiplied: Array | None
    ) -> StepInputs:
        """Those of a step on these rows. before, after: (G,) the shrinkage before the step and with its penalty."""
        kept = self.kept(rows)
        return StepInputs(
            y=self._problem.y[rows],
            shares=self._shares(rows, kept),
            kept=kept,
            norms=self.norms(self._problem.norms, rows),
            eta=self.cast(-rate * self.step_factor * self.learning_rate / after),
            bias_factor=self.cast(after / self.step_factor),
            decay=self.cast(self.decay(rate)),
            shrinkage=self.cast(before),
            multiplied=None if multiplied is None else self.cast(multiplied),
        )

    def decay(self, rate: float) -> Array:
        """eta * lambda (G,) float64: the share of the weights that the L2 penalty takes in this iteration."""
        decay: Array = rate * self.learning_rate * self.regularization
        return decay

    def kept(self, rows: Array) -> Array | None:
        """Which of these rows each fold that has cells is trained on (F, n), or None when there are no folds."""
        if self._problem.fold_of_row is None:
            return None
        kept: Array = self._problem.fold_of_row[rows] != self.folds[:, None]
        return kept

    def _shares(self, rows: Array, kept: Array | None) -> Array:
        if kept is None:
            shares = np.full((1, 1), 1 / len(rows))
        else:
            shares = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1)
        if self._problem.weights is not None:
            shares = shares * (self._problem.weights[rows] / self._mean_weights)
        return self.cast(shares)

    def norms(self, table: Array | None, rows: Array) -> Array | None:
        """The factors (1, n), or of each fold, of these rows out of a table of inverse norms, or None."""
        return None if table is None else self.cast(table[rows].T)

    # Of each cell, where the weights are

    def of_cells(self, lines: Any) -> Any:
        """(G, n) of lines (F, n), one for each fold that has cells; None as it is."""
        return None if lines is None else lines[self._place_of_cell]

    def norms_of_cells(self, norms: Any) -> Any:
        """(1, n) or (G, n) of `norms`; None as it is."""
        return norms if norms is None or len(norms) == 1 else norms[self._fold_of_cell]


def flat(values: Array, columns: int) -> Array:
    """Values (G,) for rows of V as they lie in memory, whose inner loop is not as short as G; (1,) for one cell."""
    return values if len(values) == 1 else np.resize(values, columns)
