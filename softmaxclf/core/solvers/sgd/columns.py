"""What an iteration needs of the cells of a stack, in the dtype and the shape in which it is used.

It is worked out by NumPy in float64, from settings and rows alone, and then put where the weights are: an array, or a
tensor on a device.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.namespace import beside, like
from softmaxclf.core.problem import Problem
from softmaxclf.core.solvers.sgd.state import SGDState

Array = NDArray[Any]


class Columns:
    """The cells as columns of the stack: their rates, folds, offsets and scales.

    offset_parts: how many rows of a batch each offset takes.
    """

    def __init__(self, problem: Problem, state: SGDState, offset_parts: int = 1) -> None:
        self._bias = state.b  # it is where the weights are, and of their dtype
        self.learning_rate = state.cells.values["learning_rate"].copy()
        self.regularization = state.cells.values["regularization"]
        self.folds, place = np.unique(state.cells.fold, return_inverse=True)
        self._place_of_cell, self._fold_of_cell = (
            beside(each, state.b) for each in (place, state.cells.fold)
        )
        self.learning_rate[state.diverged_at >= 0] = 0
        self._fold_of_row = problem.fold_of_row
        self._weigh(problem)
        self._scales(problem, state.cells.fold)
        count = len([each for each in problem.preprocessing if each.offset is not None])
        own = np.ones((1, count)) if count <= 1 else state.cells.fold[:, None] == np.arange(count)
        self.minus_own_center = self.cast(-np.tile(own, (1, offset_parts)).astype(float))  # (G or 1, F)

    def cast(self, values: Array) -> Array:
        """Values in the dtype of the weights, where these are."""
        cast: Array = like(values, self._bias)
        return cast

    def _scales(self, problem: Problem, folds: Array) -> None:
        """Split 1 / scale^2 into a common factor of the step and, where it differs by feature, an array."""
        scales = [each.scale for each in problem.preprocessing]
        self.step_factor, self.inverse_square = 1.0, None
        if scales[0] is not None and len(scales[0]) == 1:
            self.step_factor = float(1 / scales[0][0] ** 2)
        elif scales[0] is not None:
            features = np.stack([1 / scale**2 for scale in scales if scale is not None], axis=1)
            features = features[:, folds] if len(scales) > 1 else features
            self.inverse_square = self.cast(features[:, None, :])  # (D', 1, G or 1)

    def _weigh(self, problem: Problem) -> None:
        """Weights of rows of mean 1 over the rows that a cell is trained on: so a batch's mean is right on average."""
        self._row_weights = problem.weights
        if problem.weights is not None:
            kept = self._kept(problem.train_rows)
            kept = np.ones((1, len(problem.train_rows))) if kept is None else kept
            self._mean_weights = (kept @ problem.weights[problem.train_rows] / kept.sum(axis=1))[:, None]

    def freeze(self, cells: Array) -> None:
        """Let those cells (G,) bool learn no more."""
        self.learning_rate[cells] = 0

    def step(self, rate: float, weights: Array, shrinkage: Array) -> Array:
        """What p - y is multiplied by for a step of V: -eta * weight of the row / shrinkage; (G, n) or (G, 1)."""
        eta = self.cast(-rate * self.step_factor * self.learning_rate / shrinkage)
        product: Array = eta[:, None] * weights
        return product

    def bias_factor(self, shrinkage: Array) -> Array:
        """What turns the sums of these steps into steps of the bias, (G,): it has neither scale nor shrinkage."""
        return self.cast(shrinkage / self.step_factor)

    def decay(self, rate: float) -> Array:
        """eta * lambda (G,) float64: the share of the weights that the L2 penalty takes in this iteration."""
        decay: Array = rate * self.learning_rate * self.regularization
        return decay

    def flat(self, values: Array, columns: int) -> Array:
        """Values (G,) for rows of V as they lie in memory, whose inner loop is not as short as G; (1,) for one cell."""
        cast = self.cast(values)
        return cast if len(cast) == 1 else np.resize(cast, columns)

    def trained(self, rows: Array) -> Array | None:
        """Which of these rows each cell is trained on (G, n), or None when there are no folds."""
        kept = self._kept(rows)
        return None if kept is None else beside(kept, self._bias)[self._place_of_cell]

    def _kept(self, rows: Array) -> Array | None:
        """The same of each fold that has cells."""
        if self._fold_of_row is None:
            return None
        kept: Array = self._fold_of_row[rows] != self.folds[:, None]
        return kept

    def weights(self, rows: Array) -> Array:
        """Each row's share in each cell's mean: (1, 1), (1, n) of weighted rows, or (G, n) with 0 for held-out rows."""
        kept = self._kept(rows)
        if kept is None:
            shares = np.full((1, 1), 1 / len(rows))
        else:
            shares = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1)
        if self._row_weights is not None:
            shares = shares * (self._row_weights[rows] / self._mean_weights)
        shares = self.cast(shares)
        return shares if kept is None else shares[self._place_of_cell]

    def factors(self, norms: Array | None, rows: Array) -> Array | None:
        """The factors (1, n) or (G, n) of these rows out of a table of inverse norms, or None."""
        if norms is None:
            return None
        own = self.cast(norms[rows].T)
        return own[self._fold_of_cell] if len(own) > 1 else own
