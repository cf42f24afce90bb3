"""More features than rows: the same problem with at most N features, from the Gram matrix."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.solvers.lbfgs.sums import ArrayRows

Array = NDArray[Any]
COLUMNS = 2048
NEGLIGIBLE = 1e-13  # of the largest eigenvalue: rounding noise of the Gram matrix


def reduced(features: Callable[[slice], Array], columns: int) -> tuple[Array, Callable[[Array], Array]]:
    """(X' (N, R), back), R <= N, for features X (N, D), given as a function of a slice of the D `columns`.

    With the thin decomposition X = U S V^T (X X^T = U S^2 U^T), the optimum W lies in the span of V (any part outside
    adds to ||W|| and to no score), so W = V W' and X W = (U S) W', ||W|| = ||W'||: the problem with X' = U S is equal,
    and back(W') = V W' = X^T U S^-1 W'. Directions below NEGLIGIBLE are dropped; what that costs is in the proven gap,
    which is computed with X. X' has a diagonal covariance, S^2 / N.
    """
    parts = [slice(start, min(start + COLUMNS, columns)) for start in range(0, columns, COLUMNS)]
    gram = sum(x @ x.T for x in map(features, parts))
    values, U = np.linalg.eigh(gram)
    kept = values > NEGLIGIBLE * values[-1]
    S, U = np.sqrt(values[kept]), U[:, kept]

    def back(W: Array) -> Array:
        alpha = U @ (W / S[:, None])
        return np.concatenate([features(part).T @ alpha for part in parts])

    return U * S, back


def reduced_rows(rows: ArrayRows, fold: int) -> tuple[ArrayRows, Callable[[Array], Array]]:
    """Rows with at most N features for the problem of a fold, and what takes weights (R + 1, K) back to (D + 1, K)."""
    X, back = reduced(lambda part: rows.columns(part, fold), rows.features)
    return rows.replaced(X), lambda weights: np.vstack([back(weights[:-1]), weights[-1]])
