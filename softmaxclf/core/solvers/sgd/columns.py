"""What an iteration needs of the cells of a stack, in the dtype and the shape in which it is used."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.problem import Problem
from softmaxclf.core.solvers.sgd.state import SGDState

Array = NDArray[Any]


class Columns:
    """The cells as columns of the stack: their rates, folds, offsets and scales."""

    def __init__(self, problem: Problem, state: SGDState) -> None:
        self.dtype = state.V.dtype
        self.learning_rate = state.cells.values["learning_rate"].copy()
        self.regularization = state.cells.values["regularization"]
        self.folds = state.cells.fold
        self.learning_rate[state.diverged_at >= 0] = 0
        self._fold_of_row = problem.fold_of_row
        self._weigh(problem)
        self._scales(problem)
        count = len([each for each in problem.preprocessing if each.offset is not None])
        own = np.ones((1, 1)) if count <= 1 else np.arange(count)[:, None] == self.folds
        self.minus_own_center = -own.T.astype(self.dtype)  # (G or 1, F)

    def _scales(self, problem: Problem) -> None:
        """Split 1 / scale^2 into a common factor of the step and, where it differs by feature, an array."""
        scales = [each.scale for each in problem.preprocessing]
        self.step_factor, self.inverse_square = 1.0, None
        if scales[0] is not None and len(scales[0]) == 1:
            self.step_factor = float(1 / scales[0][0] ** 2)
        elif scales[0] is not None:
            features = np.stack([1 / scale**2 for scale in scales if scale is not None], axis=1)
            features = features[:, self.folds] if len(scales) > 1 else features
            self.inverse_square = features[:, None, :].astype(self.dtype)  # (D', 1, G or 1)

    def _weigh(self, problem: Problem) -> None:
        """Weights of rows of mean 1 over the rows that a cell is trained on: so a batch's mean is right on average."""
        self._row_weights = problem.weights
        if problem.weights is not None:
            kept = self.trained(problem.train_rows)
            kept = np.ones((1, len(problem.train_rows))) if kept is None else kept
            self._mean_weights = (kept @ problem.weights[problem.train_rows] / kept.sum(axis=1))[:, None]

    def freeze(self, cells: Array) -> None:
        """Let those cells (G,) bool learn no more."""
        self.learning_rate[cells] = 0

    def step(self, rate: float, weights: Array, shrinkage: Array) -> Array:
        """What p - y is multiplied by for a step of V: -eta * weight of the row / shrinkage; (G, n) or (G, 1)."""
        eta = (-rate * self.step_factor * self.learning_rate / shrinkage).astype(self.dtype)
        product: Array = eta[:, None] * weights
        return product

    def bias_factor(self, shrinkage: Array) -> Array:
        """What turns the sums of these steps into steps of the bias, (G,): it has neither scale nor shrinkage."""
        factor: Array = (shrinkage / self.step_factor).astype(self.dtype)
        return factor

    def decay(self, rate: float) -> Array:
        """eta * lambda (G,) float64: the share of the weights that the L2 penalty takes in this iteration."""
        decay: Array = rate * self.learning_rate * self.regularization
        return decay

    def flat(self, values: Array, columns: int) -> Array:
        """Values (G,) for rows of V as they lie in memory, whose inner loop is not as short as G; (1,) for one cell."""
        cast = values.astype(self.dtype)
        return cast if len(cast) == 1 else np.resize(cast, columns)

    def own_center(self, centers: Array) -> Array:
        """offset V (K, G) of each cell's own fold, out of those of all folds (K, G, F)."""
        if centers.shape[2] <= 1:
            return centers[:, :, 0] if centers.size else np.zeros((1, 1), self.dtype)
        own: Array = centers[:, np.arange(len(self.folds)), self.folds]
        return own

    def trained(self, rows: Array) -> Array | None:
        """Which of these rows each cell is trained on (G, n), or None when there are no folds."""
        if self._fold_of_row is None:
            return None
        kept: Array = self._fold_of_row[rows] != self.folds[:, None]
        return kept

    def weights(self, rows: Array) -> Array:
        """Each row's share in each cell's mean: (1, 1), (1, n) of weighted rows, or (G, n) with 0 for held-out rows."""
        kept = self.trained(rows)
        if kept is None:
            shares = np.full((1, 1), 1 / len(rows))
        else:
            shares = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1)
        if self._row_weights is not None:
            shares = shares * (self._row_weights[rows] / self._mean_weights)
        return shares.astype(self.dtype)

    def factors(self, norms: Array | None, rows: Array) -> Array | None:
        """The factors (1, n) or (G, n) of these rows out of a table of inverse norms, or None."""
        if norms is None:
            return None
        own = norms[rows].T
        return own[self.folds] if len(own) > 1 else own
