"""The parts of an estimator that scikit-learn has."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

Array = NDArray[Any]
DTYPES = (np.float64, np.float32, np.uint8)  # others become the first
__all__ = [
    "BaseEstimator",
    "ClassifierMixin",
    "TransformerMixin",
    "checked_labels",
    "checked_rows",
    "refuse_unfitted",
]


def checked_rows(estimator: Any, X: Any, *, reset: bool = False) -> Array:
    """X as rows (N, D) of DTYPES that fit the estimator, whose features they become with `reset`. Raises ValueError."""
    rows: Array = validate_data(estimator, X, dtype=DTYPES, reset=reset)
    return rows


def checked_labels(estimator: Any, X: Any, y: Any, *, reset: bool = True) -> tuple[Array, Array]:
    """(rows, labels (N,)) to train on. Raises ValueError."""
    rows, labels = validate_data(estimator, X, y, dtype=DTYPES, reset=reset)
    check_classification_targets(labels)
    return rows, labels


def refuse_unfitted(estimator: Any, attribute: str = "classes_") -> None:
    """Raise NotFittedError for an estimator that is not fitted, and so has no such attribute."""
    check_is_fitted(estimator, attribute)
