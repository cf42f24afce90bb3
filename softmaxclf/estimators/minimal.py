"""The same parts where scikit-learn is not installed: parameters, checks of arrays, the accuracy as score."""

import html
import inspect
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
DTYPES = (np.float64, np.float32, np.uint8)


class NotFittedError(ValueError, AttributeError):
    """An estimator was asked before it was fitted."""


class BaseEstimator:
    """Parameters by the names in the signature of `__init__`."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Every parameter by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Itself with other parameters. Raises ValueError for a name that it has not."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ValueError(
                    f"{type(self).__name__}: expected parameters out of {', '.join(known)}, got {name}"
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        default = inspect.signature(type(self)).parameters
        changed = {name: value for name, value in self.get_params().items() if value != default[name].default}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in changed.items())})"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


class ClassifierMixin:
    """The score of a classifier."""

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The share of the rows X that is labelled as y says, by their weights."""
        right = np.asarray(self.predict(X)) == np.asarray(y)  # type: ignore[attr-defined]
        return float(np.average(right, weights=None if sample_weight is None else np.asarray(sample_weight)))


class TransformerMixin:
    """Both steps of a transformer in one."""

    def fit_transform(self, X: ArrayLike, y: Any = None) -> Array:
        """The features of the rows that it is fitted on."""
        found: Array = self.fit(X, y).transform(X)  # type: ignore[attr-defined]
        return found


def checked_rows(estimator: Any, X: Any, *, reset: bool = False) -> Array:
    """X as rows (N, D) of DTYPES that fit the estimator, whose features they become with `reset`. Raises ValueError."""
    if hasattr(X, "toarray"):
        raise TypeError("X: expected a dense array, got sparse data; convert it with X.toarray()")
    rows = np.asarray(X)
    if rows.dtype not in DTYPES:
        rows = rows.astype(np.float64)
    if rows.ndim != 2 or not rows.size:
        raise ValueError(
            f"X: expected rows of features (N, D), got shape {rows.shape}; give at least one of each"
        )
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        raise ValueError("X: expected finite numbers, got NaN or inf; remove or replace such values")
    if reset:
        estimator.n_features_in_ = rows.shape[1]
    if rows.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X: expected {estimator.n_features_in_} features, as {type(estimator).__name__} was fitted on, got "
            f"{rows.shape[1]}"
        )
    return rows


def checked_labels(estimator: Any, X: Any, y: Any, *, reset: bool = True) -> tuple[Array, Array]:
    """(rows, labels (N,)) to train on. Raises ValueError."""
    rows, labels = checked_rows(estimator, X, reset=reset), np.asarray(y)
    if labels.shape != (len(rows),):
        raise ValueError(f"y: expected {len(rows):,} labels, one per row, got shape {labels.shape}")
    if labels.dtype.kind == "f" and (labels != np.round(labels)).any():
        raise ValueError("y: expected classes, got continuous numbers; write classes as integers or text")
    return rows, labels


def refuse_unfitted(estimator: Any, attribute: str = "classes_") -> None:
    """Raise NotFittedError for an estimator that is not fitted, and so has no such attribute."""
    if not hasattr(estimator, attribute):
        raise NotFittedError(f"this {type(estimator).__name__} is not fitted yet; call fit first")
