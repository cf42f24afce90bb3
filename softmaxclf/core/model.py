"""A trained linear classifier: weights, bias and the preprocessing that they expect."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.preprocessing import Preprocessing
from softmaxclf.core.rows import ImageShape, RowReader, unfold
from softmaxclf.core.softmax import softmax

Array = NDArray[Any]
CHUNK_ROWS = 512  # one size everywhere: the same row then has the same score, bit for bit, in every report


@dataclass(frozen=True, eq=False)
class LinearModel:
    """scores = features W + b, with features as `preprocessing` makes them from raw rows.

    W: (D', K) float32 in units of the features; b: (K,) float32. D' is D, or half of it when folded.
    image_shape: (channels, height, width) of a raw row, or None. temperature: divides the scores before
    softmax in `predict_proba`; it never changes a label. provenance: how the model was made.
    """

    W: Array
    b: Array
    class_names: tuple[str, ...]
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    image_shape: ImageShape | None = None
    loss: str = "softmax"
    temperature: float = 1.0
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """K."""
        return int(self.W.shape[1])

    @property
    def features(self) -> int:
        """D, the number of columns of a raw row."""
        if self.preprocessing.mirror is None:
            return int(self.W.shape[0])
        channels, height, width = self.preprocessing.mirror
        return channels * height * width

    def scores(self, X: Array) -> Array:
        """Scores (N, K), float32, of raw rows X (N, D). Raises ValueError on a wrong D."""
        X = self._checked(X)
        out = np.empty((len(X), self.classes), np.float32)
        for rows, scores in chunked_scores([self], X):
            out[rows] = scores[0]
        return out

    def predict(self, X: Array) -> NDArray[np.int64]:
        """The label with the highest score (N,) of raw rows X (N, D); the first of equals."""
        labels: NDArray[np.int64] = self.scores(X).argmax(axis=1)
        return labels

    def predict_proba(self, X: Array) -> Array:
        """Probabilities (N, K) of raw rows X (N, D): softmax of scores / temperature."""
        return softmax(self.scores(X) / np.float32(self.temperature))

    def pixel_weights(self) -> Array:
        """Weights (D, K), float64, on raw columns: unfolded and divided by the scale. The templates.

        With `unit_norm` a row's scores use these divided by that row's norm.
        """
        if self.preprocessing.mirror is None:
            return self._raw_weights
        return unfold(self._raw_weights, self.preprocessing.mirror)

    def evidence(self, x: Array) -> tuple[Array, Array]:
        """(contributions (D, K), bias (K,)) of one raw row x (D,): each pixel's share of each score.

        contributions[:, k].sum() + bias[k] is the score of class k. A pixel contributes its weight times its
        distance from the training mean.
        """
        weights = self.pixel_weights()
        preprocessing = self.preprocessing
        offset = np.zeros(len(weights))
        if preprocessing.offset is not None:
            offset = preprocessing.offset
            if preprocessing.mirror is not None:
                offset = unfold(offset * fold_share(preprocessing.mirror), preprocessing.mirror)
        contributions = (x.astype(np.float64) - offset)[:, None] * weights
        if preprocessing.unit_norm:
            reader = RowReader(x[None], preprocessing.mirror, np.float64)
            Z = reader.read(slice(None), np.empty((1, reader.columns)))
            contributions *= preprocessing.inverse_norms(Z)[0]
        return contributions, self.b.astype(np.float64)

    def _checked(self, X: Array) -> Array:
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != self.features:
            raise ValueError(f"expected rows of {self.features} columns, got an array of shape {X.shape}")
        return X

    @cached_property
    def _raw_weights(self) -> Array:
        """A (D', K), float64: weights on z, the folded but unscaled columns."""
        scale = self.preprocessing.scale
        W = self.W.astype(np.float64)
        return W if scale is None else W / np.broadcast_to(scale, len(W))[:, None]

    @cached_property
    def _on_raw_columns(self) -> tuple[Array, Array]:
        """(A (D', K) float32, offset scores (K,) float32) with which `chunked_scores` works."""
        offset = self.preprocessing.offset
        shift = np.zeros(self.classes) if offset is None else offset @ self._raw_weights
        return np.ascontiguousarray(self._raw_weights, np.float32), shift.astype(np.float32)


def fold_share(image_shape: ImageShape) -> Array:
    """The share (D',) of a folded column that each of its pixels carries: 1/2, or 1 in a middle column."""
    channels, height, width = image_shape
    line = np.full((width + 1) // 2, 0.5)
    if width % 2:
        line[-1] = 1
    return np.tile(line, channels * height)


def chunked_scores(
    models: Sequence[LinearModel], X: Array, rows: Array | None = None
) -> Iterator[tuple[Array, list[Array]]]:
    """Yield (row indices (n,), [scores (n, K) of each model]) over raw rows X (N, D), default all of them.

    The models share one folding, so each chunk is read once. Every score in this program that is reported
    comes from here, and a model's scores do not depend on which other models are scored with it.
    """
    mirror = models[0].preprocessing.mirror
    for part, Z in RowReader(X, mirror).chunks(rows, CHUNK_ROWS):
        yield part, [_scores(model, Z) for model in models]


def _scores(model: LinearModel, Z: Array) -> Array:
    A, shift = model._on_raw_columns
    scores = Z @ A
    scores -= shift
    if model.preprocessing.unit_norm:
        scores *= model.preprocessing.inverse_norms(Z)[:, None].astype(np.float32)
    scores += model.b
    return scores
