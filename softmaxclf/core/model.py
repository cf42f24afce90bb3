"""A trained linear classifier: weights, bias and the preprocessing that they expect."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.images import ImageShape, as_rows
from softmaxclf.core.losses import LOSSES
from softmaxclf.core.losses.loss import Loss
from softmaxclf.core.losses.softmax import softmax
from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.stage import Preprocessing, less

Array = NDArray[Any]
CHUNK_ROWS = 512


@dataclass(frozen=True, eq=False)
class LinearModel:
    """scores = features W + b, with features as `preprocessing` makes them from raw rows.

    W: (D', K) float32 in units of the features; b: (K,) float32.
    image_shape: (channels, height, width) of a raw row, or None. temperature: divides the scores before
    softmax in `predict_proba`; it never changes a label. provenance: how the model was made. feature_names: (D,) of
    the columns of a raw row, or None.
    """

    W: Array
    b: Array
    class_names: tuple[str, ...]
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    image_shape: ImageShape | None = None
    loss: str = "softmax"
    temperature: float = 1.0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    feature_names: tuple[str, ...] | None = None

    @property
    def classes(self) -> int:
        """K."""
        return int(self.W.shape[1])

    @property
    def features(self) -> int:
        """D, the number of columns of a raw row."""
        return self.preprocessing.width(len(self.W))

    def column_name(self, column: int) -> str:
        """What the column of a raw row is called: its number where it has no name."""
        names = self.column_names
        return str(column) if names is None else names[column]

    @property
    def column_names(self) -> Sequence[str] | None:
        """(n,) names of the columns of `pixel_weights`, where they have some."""
        stages = [] if self.preprocessing.linear else self.preprocessing.reading
        return next((stage.names() for stage in stages if hasattr(stage, "names")), self.feature_names)

    @property
    def loss_function(self) -> Loss:
        """The loss that it was trained with."""
        found: Loss = LOSSES.load(self.loss)
        return found

    def scores(self, X: Array) -> Array:
        """Scores (N, K), float32, of raw rows X (N, D), or images as `images.as_rows` takes them.

        Raises ValueError on another shape.
        """
        X = self._checked(X)
        out = np.empty((len(X), self.classes), np.float32)
        for rows, scores in chunked_scores(self, X):
            out[rows] = scores
        return out

    def predict(self, X: Array) -> NDArray[np.int64]:
        """The label with the highest score (N,) of raw rows X, as in `scores`; the first of equals."""
        labels: NDArray[np.int64] = self.scores(X).argmax(axis=1)
        return labels

    def predict_proba(self, X: Array) -> Array:
        """Probabilities (N, K) of raw rows X, as in `scores`: softmax of scores / temperature."""
        return softmax(self.scores(X) / np.float32(self.temperature))

    def pixel_weights(self) -> Array:
        """Weights (D, K), float64, on raw columns: unfolded and divided by the scale. The templates.

        With `unit_norm` a row's scores use these divided by that row's norm.
        """
        return self.preprocessing.unfold(self._raw_weights)

    @property
    def shown_weights(self) -> Array:
        """Weights (D, K), float64, as pictures and tables show them: of images on raw columns, `pixel_weights`.

        Of other rows as they were trained: what a deviation of a standardized column is worth, whatever its unit.
        """
        images = self.template_shape is not None or (self.preprocessing.reading and self.preprocessing.linear)
        return self.pixel_weights() if images else self.W.astype(np.float64)

    def evidence(self, x: Array) -> tuple[Array, Array]:
        """(contributions (D, K), bias (K,)) of one raw row x (D,): each pixel's share of each score.

        contributions[:, k].sum() + bias[k] is the score of class k. A pixel contributes its weight times its
        distance from the training mean; with patch features, its share of what the patches around it add.
        """
        preprocessing = self.preprocessing
        contributions = preprocessing.contributions(x, self._raw_weights)
        if preprocessing.unit_norm:
            Z = RowReader(x[None], preprocessing.reading, np.float64).all()
            contributions *= preprocessing.inverse_norms(Z)[0]
        return contributions, self.b.astype(np.float64)

    @property
    def digest(self) -> bytes:
        """The same for models of equal scores, in any process."""
        digest = hashlib.sha256()
        stages = [array for stage in self.preprocessing.reading for array in stage.arrays().values()]
        for array in (self.W, self.b, self.preprocessing.divisor, self.preprocessing.offset, *stages):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.digest()

    @property
    def template_shape(self) -> ImageShape | None:
        """The image shape of `pixel_weights`; None where they are no images."""
        return self.image_shape if self.preprocessing.linear else None

    def _checked(self, X: Array) -> Array:
        X = np.asarray(X)
        if X.ndim != 2:
            X, _ = as_rows(X, self.image_shape)
        if X.shape[1] != self.features:
            raise ValueError(f"expected rows of {self.features} columns, found {X.shape[1]} features")
        return X

    @cached_property
    def _raw_weights(self) -> Array:
        """A (D', K), float64: weights on z, the rows as they are read, not scaled."""
        W = self.W.astype(np.float64)
        return (
            W
            if self.preprocessing.scale is None
            else W / np.broadcast_to(self.preprocessing.divisor, len(W))[:, None]
        )

    def on_raw_columns(self, center: Array | None = None) -> tuple[Array, Array]:
        """(A (D', K), shift (K,)), float32: scores = (z - center) A - shift + b, before unit norm."""
        offset = self.preprocessing.offset
        rest = None if offset is None else offset if center is None else offset - center
        shift = np.zeros(self.classes) if rest is None else rest @ self._raw_weights
        return np.ascontiguousarray(self._raw_weights, np.float32), shift.astype(np.float32)


def chunked_scores(model: LinearModel, X: Array, rows: Array | None = None) -> Iterator[tuple[Array, Array]]:
    """Yield (row indices (n,), scores (n, K)) over raw rows X (N, D), default all of them.

    Every score of a single model that is reported comes from here, in chunks of one size, so that the same row has
    the same score, bit for bit, everywhere.
    """
    preprocessing = model.preprocessing
    A, shift = model.on_raw_columns(preprocessing.center)
    for part, Z in preprocessing.reader(X).chunks(rows, CHUNK_ROWS):
        scores = less(Z, preprocessing.center) @ A
        scores -= shift
        if preprocessing.unit_norm:
            scores *= preprocessing.inverse_norms(Z)[:, None].astype(np.float32)
        scores += model.b
        yield part, scores
