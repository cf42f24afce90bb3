"""What happens to a row before it meets the weights: mirror folding, centering, scaling.

    z = x, or the folded sums of x (see rows.py)
    features = (z - offset) / scale, then divided by its Euclidean norm when `unit_norm`

`offset` and `scale` are fitted on training rows only and travel inside the model file. Since the model is
linear, nobody ever computes the features of a data set: with A = W / scale,

    scores = features W + b = z A + (b - offset A)

so a batch is only cast to float, and centering and scaling cost D x K instead of B x D operations. Tests
hold this to the plain formula in `apply`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.rows import ImageShape, RowReader, fold_scale
from softmaxclf.errors import DataError

Array = NDArray[Any]
SCALES = ("none", "standardize", "unit-norm")
DEVIATIONS = (1e-18, 1e18)  # the engine needs 1 / deviation^2 in float32


@dataclass(frozen=True)
class Preprocessing:
    """offset: (D',) or None; scale: (D',) or (1,), positive, or None. mirror: the image shape if folded."""

    offset: Array | None = None
    scale: Array | None = None
    unit_norm: bool = False
    mirror: ImageShape | None = None

    def apply(self, X: Array) -> Array:
        """The features (n, D') of raw rows (n, D), in float64, by the plain formula: the oracle of the fast path."""
        reader = RowReader(np.atleast_2d(X), self.mirror, np.float64)
        features = reader.read(slice(None), np.empty((len(reader.X), reader.columns)))
        if self.offset is not None:
            features -= self.offset
        if self.scale is not None:
            features /= self.scale
        if self.unit_norm:
            norms = np.linalg.norm(features, axis=1, keepdims=True)
            features = np.divide(features, norms, out=np.zeros_like(features), where=norms > 0)
        return features

    def inverse_norms(self, Z: Array) -> Array:
        """1 / norm (n,) of the centered rows of raw features Z (n, D'), in float64; 0 for a row of zeros."""
        features = Z.astype(np.float64) if self.offset is None else Z - self.offset.astype(np.float64)
        if self.scale is not None:
            features /= self.scale
        norms = np.sqrt(np.einsum("ij,ij->i", features, features))
        inverse: Array = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        return inverse


def fit_preprocessing(
    reader: RowReader,
    rows: Array,
    groups: Array | None = None,
    *,
    center: bool,
    scale: str,
) -> list[Preprocessing]:
    """One Preprocessing per fold, fitted on the rows outside it; or a single one fitted on all `rows`.

    rows: (n,) indices of training rows. groups: (n,) the fold of each row in [0, F), or None.
    The moments are sums in float64; a feature that is constant on its rows is divided by 1. Raises DataError for a
    deviation whose square float32 cannot hold.
    """
    fixed = None if reader.mirror is None else fold_scale(reader.mirror)
    standardize = scale == "standardize"
    count = 1 if groups is None else int(groups.max()) + 1
    if not center and not standardize:
        return [Preprocessing(None, fixed, scale == "unit-norm", reader.mirror)] * count
    moments = _leave_out(_moments(reader, rows, groups, squares=standardize), groups is not None)
    fitted = []
    for mean, deviation in moments:
        if deviation is not None:
            _check_deviations(deviation)
        divisor = np.where(deviation > 0, deviation, 1.0) if deviation is not None else fixed
        offset = mean if center else None
        fitted.append(Preprocessing(offset, divisor, scale == "unit-norm", reader.mirror))
    return fitted


def _check_deviations(deviations: Array) -> None:
    low, high = DEVIATIONS
    wrong = np.flatnonzero((deviations > 0) & ~((deviations >= low) & (deviations <= high)))
    if len(wrong):
        raise DataError(
            f"feature {wrong[0]} (counted from 0): expected a standard deviation of 0 or from {low:g} to {high:g}, "
            f"found {deviations[wrong[0]]:.3g}; multiply the feature by a constant, or do not standardize"
        )


@dataclass(frozen=True)
class _Moments:
    """Per group: counts (F, 1), sums (F, D') and, about `center` (D',), sums of squares (F, D') or None."""

    counts: Array
    sums: Array
    center: Array
    squares: Array | None


def _moments(reader: RowReader, rows: Array, groups: Array | None, *, squares: bool) -> _Moments:
    groups = np.zeros(len(rows), np.int64) if groups is None else groups
    members = np.arange(int(groups.max()) + 1)[:, None] == groups
    counts = members.sum(axis=1, keepdims=True).astype(np.float64)
    sums = _grouped_sums(reader, rows, members, None)
    center = sums.sum(axis=0) / len(rows)
    return _Moments(counts, sums, center, _grouped_sums(reader, rows, members, center) if squares else None)


def _grouped_sums(reader: RowReader, rows: Array, members: Array, center: Array | None) -> Array:
    """Sums (F, D') per group of z, or of (z - center)^2, over chunks of 256 rows."""
    total = np.zeros((len(members), reader.columns))
    # 256 pixels of at most 255 (or folded pairs of at most 510) add up exactly even in float32; other values do not.
    exact = reader.X.dtype == np.uint8
    done = 0
    for part, Z in reader.chunks(rows, size=256):
        values = np.square(Z - center) if center is not None else Z if exact else Z.astype(np.float64)
        total += members[:, done : done + len(part)].astype(values.dtype) @ values
        done += len(part)
    return total


def _leave_out(moments: _Moments, folds: bool) -> Sequence[tuple[Array, Array | None]]:
    """(mean, deviation or None) of the rows outside each group when `folds`, else of all rows."""

    def kept(sums: Array) -> Array:
        return sums.sum(axis=0) - sums if folds else sums

    counts = kept(moments.counts)
    means = kept(moments.sums) / counts
    if moments.squares is None:
        return [(mean, None) for mean in means]
    shifts = np.square(means - moments.center)
    variances = kept(moments.squares) / counts - shifts
    floor = 1e-12 * (
        np.square(means) + shifts
    )  # below this a variance is rounding noise of a constant feature
    deviations = np.sqrt(np.where(variances > floor, variances, 0.0))
    return list(zip(means, deviations, strict=True))
