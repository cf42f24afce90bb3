"""What a stage is, and what a chain of fitted stages does to a row.

    z = raw row, as the reading stages change it          mirror folding, patch features
    features = (z - offset) / scale, then divided by its Euclidean norm when `unit_norm`

Everything is fitted on training rows only and travels inside the model file. Since the model is linear, nobody
ever computes the features of a data set: with A = W / scale,

    scores = features W + b = z A + (b - offset A)

so a batch is only read, and centering and scaling cost D x K instead of B x D operations. Tests hold this to
the plain formula in `Preprocessing.apply`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.images import ImageShape
from softmaxclf.core.rows import RowReader

Array = NDArray[Any]
NEAR = 8.0  # deviations from 0 up to which float32 has digits enough: the offset need not be subtracted from rows


class Stage:
    """A kind of stage, which adds its part to what was fitted before it.

    moments, squares: whether it needs the means of the columns, and their deviations.
    """

    moments: ClassVar[bool] = False
    squares: ClassVar[bool] = False

    @classmethod
    def fit(cls, before: list["Preprocessing"], rows: Any) -> list["Preprocessing"]:
        """A Preprocessing per fold, or a single one, after those `before`, fitted on rows: fitting.FittingRows."""
        raise NotImplementedError

    @classmethod
    def check(cls, image_shape: ImageShape | None) -> None:
        """Raise ConfigError where rows of that image shape (None: no images) cannot go through it."""


class Reading(Stage):
    """A stage that changes rows as they are read. This one changes nothing; others say what they do.

    width: D, the columns of the rows that it takes. linear: whether `unfold` and `spread` exist, so that weights
    and means can be shown on these columns. One that is not may have `contributions(x, weights, offset)`: (D, K) shares
    of the columns of x (D,) in (what is read of x - offset) @ weights (D', K). costly: whether reading takes so long
    that what is read is better kept.
    """

    name: ClassVar[str]
    linear: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    width: int

    @property
    def columns(self) -> int:
        """D', the number of columns that it gives."""
        return self.width

    @property
    def scale(self) -> Array | None:
        """What belongs to it and is divided by later: (1,) or (D',), or None."""
        return None

    def most(self, value: int) -> int | None:
        """The largest number that it makes of whole numbers from 0 to a value; None where it makes fractions too."""
        return None

    def read(self, rows: Array, out: Array) -> None:
        """Fill `out` (n, D') from floating-point rows (n, D); a linear stage takes tensors of PyTorch too."""
        raise NotImplementedError

    def unfold(self, weights: Array) -> Array:
        """Weights (D, ...) that act on rows as `weights` (D', ...) act on what is read of them."""
        raise NotImplementedError

    def spread(self, columns: Array) -> Array:
        """The row (D,), of those that are read as `columns` (D',), that is shared out evenly."""
        raise NotImplementedError

    def arrays(self) -> Mapping[str, Array]:
        """What the model file keeps of it."""
        return {}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], image_shape: ImageShape | None) -> "Reading":
        """The stage of a model file. Raises ValueError, saying what was expected, where that cannot be its own."""
        raise NotImplementedError


@dataclass(frozen=True)
class Preprocessing:
    """Fitted stages as one: offset (D',) or None; scale (D',) or (1,), positive, or None; the reading stages."""

    offset: Array | None = None
    scale: Array | None = None
    unit_norm: bool = False
    reading: tuple[Reading, ...] = ()

    @cached_property
    def divisor(self) -> Array:
        """The scale as (1,) or (D',): 1 where there is none."""
        return np.ones(1) if self.scale is None else self.scale

    @cached_property
    def center(self) -> Array | None:
        """The offset (D',) where a column lies so far from 0 that a product of raw rows would lose float32's digits."""
        offset = self.offset
        return None if offset is None or (np.abs(offset) <= NEAR * self.divisor).all() else offset

    def reader(self, X: Array) -> RowReader:
        """What reads rows of X for scoring: in float32, or in float64 where they are that and have a center."""
        exact = self.center is not None and X.dtype == np.float64
        return RowReader(X, self.reading, np.float64 if exact else np.float32)

    def apply(self, X: Array) -> Array:
        """The features (n, D') of raw rows (n, D), in float64, by the plain formula: the oracle of the fast path."""
        features = RowReader(np.atleast_2d(X), self.reading, np.float64).all()
        if self.offset is not None:
            features -= self.offset
        if self.scale is not None:
            features /= self.scale
        if self.unit_norm:
            norms = np.linalg.norm(features, axis=1, keepdims=True)
            features = np.divide(features, norms, out=np.zeros_like(features), where=norms > 0)
        return features

    def inverse_norms(self, Z: Array) -> Array:
        """1 / norm (n,) of the centered rows of read rows Z (n, D'), in float64; 0 for a row of zeros."""
        features = Z.astype(np.float64) if self.offset is None else Z - self.offset.astype(np.float64)
        if self.scale is not None:
            features /= self.scale
        norms = np.sqrt(np.einsum("ij,ij->i", features, features))
        inverse: Array = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        return inverse

    def width(self, columns: int) -> int:
        """D, the columns of a raw row of a model with `columns` (D') weights per class."""
        return self.reading[0].width if self.reading else columns

    def unfold(self, weights: Array) -> Array:
        """Weights (D, ...) on raw rows of weights (D', ...) on z, as far back as the reading stages are linear."""
        for stage in reversed(self._linear_end()):
            weights = stage.unfold(weights)
        return weights

    def contributions(self, x: Array, weights: Array) -> Array:
        """(n, K): how the scores (z - offset) @ weights (D', K) of the row x (D,) come about, as a sum over n parts.

        Parts are the columns of `unfold`, each its weight times its distance from the offset; or those of `Reading.
        contributions` of a stage that has it.
        """
        front = self.reading[: len(self.reading) - len(self._linear_end())]
        weights, offset = self.unfold(weights), np.zeros(len(weights)) if self.offset is None else self.offset
        offset = self.spread(offset)
        if front and (parts := getattr(front[-1], "contributions", None)):
            return np.asarray(parts(RowReader(x[None], front[:-1], np.float64).all()[0], weights, offset))
        departures = RowReader(x[None], front, np.float64).all()[0] - offset
        return np.asarray(departures[:, None] * weights)

    def spread(self, columns: Array) -> Array:
        """The row (D,) that is read as `columns` (D',), as far back as the reading stages are linear."""
        for stage in reversed(self._linear_end()):
            columns = stage.spread(columns)
        return columns

    @property
    def linear(self) -> bool:
        """Whether all reading stages are linear: the model is one linear map of raw rows, but for a unit norm."""
        return len(self._linear_end()) == len(self.reading)

    def _linear_end(self) -> Sequence[Reading]:
        """The last stages, all of them linear."""
        count = next(
            (n for n, each in enumerate(reversed(self.reading)) if not each.linear), len(self.reading)
        )
        return self.reading[len(self.reading) - count :]


def less(Z: Array, center: Array | None) -> Array:
    """Read rows Z (n, D') minus a center, if any, in float32."""
    if center is None:
        return Z
    centered: Array = (Z - center).astype(np.float32)
    return centered
