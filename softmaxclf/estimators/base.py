"""What an estimator is made of: scikit-learn's own parts where it is installed, else as much of them as is needed."""

try:
    from softmaxclf.estimators.scikit import (
        BaseEstimator,
        ClassifierMixin,
        TransformerMixin,
        checked_labels,
        checked_rows,
        refuse_unfitted,
    )
except ImportError:
    from softmaxclf.estimators.minimal import (
        BaseEstimator,
        ClassifierMixin,
        TransformerMixin,
        checked_labels,
        checked_rows,
        refuse_unfitted,
    )

__all__ = [
    "BaseEstimator",
    "ClassifierMixin",
    "TransformerMixin",
    "checked_labels",
    "checked_rows",
    "refuse_unfitted",
]
