"""What the estimators share: parameters, labels and weights on the way in, predictions on the way out, model files."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmaxclf.config.schema import SCHEMA
from softmaxclf.core.folding import FoldedModel
from softmaxclf.core.images import ImageShape, as_rows
from softmaxclf.core.losses.softmax import log_softmax, softmax
from softmaxclf.core.model import LinearModel
from softmaxclf.datasets.checks import checked_class_names, checked_names
from softmaxclf.datasets.dataset import Dataset, Split
from softmaxclf.datasets.labels import integers_of
from softmaxclf.errors import DataError, ModelError
from softmaxclf.estimators.base import (
    BaseEstimator,
    ClassifierMixin,
    checked_labels,
    checked_rows,
    refuse_unfitted,
)
from softmaxclf.estimators.parameters import given
from softmaxclf.files import printable
from softmaxclf.model_file import load_model, save_model
from softmaxclf.workflows.fit import SECTIONS, Trained, row_weights

Array = NDArray[Any]
POLISH = 2e9  # N (D K)^2 up to which the optimum is found to the last digits: a second at the most
LABELS = "labels"  # in the provenance of a model: the classes as they were given
# The parameters that are settings of the command line, by the names that they have there.
SETTINGS = tuple(
    key.split(".")[1] for key in SCHEMA if key.split(".")[0] in SECTIONS and key != "training.seed"
)


class LinearClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted linear classifier as scikit-learn knows them. See SoftmaxClassifier for its attributes."""

    model_: LinearModel
    classes_: Array
    n_features_in_: int

    def __init__(
        self,
        *,
        solver: str | None = None,
        tolerance: float | None = None,
        max_passes: int | None = None,
        iterations: int | None = None,
        batch_size: int | None = None,
        momentum: float | None = None,
        schedule: str | None = None,
        loss: str | None = None,
        regularize_bias: bool | None = None,
        center: bool | None = None,
        scale: str | None = None,
        mirror: bool | None = None,
        image_shape: ImageShape | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        random_state: Any = None,
    ) -> None:
        self.solver, self.tolerance, self.max_passes = solver, tolerance, max_passes
        self.iterations, self.batch_size = iterations, batch_size
        self.momentum, self.schedule = momentum, schedule
        self.loss, self.regularize_bias = loss, regularize_bias
        self.center, self.scale, self.mirror, self.image_shape = center, scale, mirror, image_shape
        self.class_weight, self.random_state = class_weight, random_state

    def decision_function(self, X: ArrayLike) -> Array:
        """Scores (N, K) of rows X (N, D); of two classes (N,), the second's less the first's. float64."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: ArrayLike) -> Array:
        """The class (N,) with the highest score of each row of X."""
        best = self._scores(X).argmax(axis=1)
        labels: Array = self.classes_[best]
        return labels

    def predict_proba(self, X: ArrayLike) -> Array:
        """Probabilities (N, K) of rows X: the softmax of their scores, which the hinge loss does not train."""
        return softmax(self._scores(X) / self.model_.temperature)

    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Logarithms of the probabilities, finite where those underflow."""
        return log_softmax(self._scores(X) / self.model_.temperature)

    def save(self, path: str | Path) -> None:
        """Write the model file that the command line reads, with weights in float32. Raises OutputError."""
        refuse_unfitted(self)
        columns = getattr(self, "feature_names_in_", None)
        try:
            columns = None if columns is None else checked_names(columns.tolist(), "X", "names of columns")
        except DataError:  # names that no table could have
            columns = None
        save_model(Path(path), replace(self.model_, feature_names=columns))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The fitted estimator of a model file or run folder, with the parameters that it was made with, if any.

        Raises ModelError.
        """
        model = load_model(path)
        if not model.preprocessing.linear:
            raise ModelError(
                f"{path}: expected a model of rows as they are, found one of patch features; use load_model, or train "
                "PatchFeatures and a classifier in a Pipeline"
            )
        sections = model.provenance.get("config", {})
        stored = {
            name: value for section in SECTIONS for name, value in dict(sections.get(section, {})).items()
        }
        own = cls()
        known = own.get_params()
        own.set_params(
            **{name: value for name, value in stored.items() if name in SETTINGS and name in known}
        )
        own.set_params(image_shape=model.image_shape, random_state=stored.get("seed"))
        if model.feature_names is not None:
            own.feature_names_in_ = np.array(model.feature_names, object)
        own.n_features_in_ = model.features
        return own._settle(model, _labels_of(model))

    def _scores(self, X: ArrayLike) -> Array:
        refuse_unfitted(self)
        return self._folded.scores(checked_rows(self, X))

    def _settings(self) -> dict[str, Any]:
        """Those that are given, by the names of the command line."""
        return given(self, SETTINGS)

    def _training_set(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[Dataset, Array, Array | None]:
        """(rows with numbers for classes, the classes (K,), weights (N,) or None). Raises ValueError."""
        rows, labels = checked_labels(self, X, y)
        classes, codes = np.unique(labels, return_inverse=True)
        weights = weighed(self.class_weight, classes, codes, row_weights(sample_weight, len(rows)))
        trained = codes if weights is None else codes[weights > 0]
        if (found := len(np.unique(trained))) < 2:
            raise ValueError(f"y: expected at least 2 classes, got {found} class; add rows of another")
        return self._dataset(rows, codes, classes), classes, weights

    def _dataset(self, rows: Array, codes: Array, classes: Array) -> Dataset:
        names, split = names_of(classes), Split(np.ascontiguousarray(rows), codes.astype(np.int64))
        shape = as_rows(rows, self.image_shape)[1]
        return Dataset("arrays", "X", lambda: names, shape, lambda: split)

    def _finish(self, trained: Trained, classes: Array) -> Self:
        """Become the model that was trained, with weights in float64."""
        solver, model = trained.solver, trained.model()
        W, b = solver.weights(0)
        labels = classes.tolist()
        known = {LABELS: labels} if all(isinstance(label, str | int | float) for label in labels) else {}
        self._settle(replace(model, W=W, b=b, provenance={**model.provenance, **known}), classes)
        self.n_iter_ = int(solver.report(0).get("passes", solver.state.iteration))
        self.loss_curve_ = solver.loss_curve(0)
        return self

    def _settle(self, model: LinearModel, classes: Array) -> Self:
        self._folded = folded = FoldedModel.of(model)
        self.model_, self.classes_ = model, classes
        self.coef_, self.intercept_ = folded.W.T.copy(), folded.b.copy()
        if len(classes) == 2:
            self.coef_, self.intercept_ = np.diff(self.coef_, axis=0), np.diff(self.intercept_)
        return self


def weighed(
    class_weight: Mapping[Any, float] | str | None, classes: Array, codes: Array, weights: Array | None
) -> Array | None:
    """Weights (N,) of rows times those of their classes. "balanced": as if all classes had equal weight.

    Raises ValueError for another word, and for a label that is none of the classes.
    """
    if class_weight is None:
        return weights
    weights = np.ones(len(codes)) if weights is None else weights
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(f"class_weight: expected balanced or a mapping of classes, got {class_weight!r}")
        totals = np.bincount(codes, weights, len(classes))
        factors = np.divide(
            weights.sum() / len(classes), totals, out=np.zeros(len(classes)), where=totals > 0
        )
    else:
        if unknown := [label for label in class_weight if label not in classes]:
            raise ValueError(
                f"class_weight: expected classes among those of y, got {unknown[0]!r}; correct it"
            )
        factors = np.array([class_weight.get(label, 1.0) for label in classes.tolist()], np.float64)
    return row_weights(weights * factors[codes], len(codes))


def names_of(classes: Array) -> tuple[str, ...]:
    """Names of classes that a model file can hold: the labels as text, or their numbers where they cannot be one."""
    names = [printable(label) for label in classes.tolist()]
    try:
        return checked_class_names(names, "y")
    except DataError:
        return tuple(map(str, range(len(classes))))


def _labels_of(model: LinearModel) -> Array:
    """The classes as they were given; of a model of the command line its names, by number where all are integers."""
    stored = model.provenance.get(LABELS)
    if isinstance(stored, list) and len(stored) == model.classes:
        return np.array(stored)
    numbers = integers_of(model.class_names)
    return np.array(model.class_names if numbers is None else numbers)
