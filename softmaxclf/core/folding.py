"""A model as one map of raw rows, with its preprocessing folded in: what other programs can take."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.model import LinearModel
from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.mirror import Mirror
from softmaxclf.core.stages.patches.stage import Patches
from softmaxclf.core.stages.stage import Preprocessing

Array = NDArray[Any]
CHUNK_ROWS = 4096
SINGLE = 1e-4  # what scores in float32 may be off by, at the most


@dataclass(frozen=True, eq=False)
class FoldedModel:
    """scores = x W + b of raw rows x (N, D), with the steps before it that cannot be folded in, as `formula` says.

    W: (D, K) on raw columns; b: (K,). center: (D,) that is subtracted from x before, or None. unit: whether each row is
    then divided by its Euclidean norm, a row of zeros staying as it is. reflection: (D,) the columns of the mirror
    image, of which x is first made the mean with itself, or None: of a mirror-folded model with unit norm alone.
    patches: what first makes features of x (N, D), or None; the other columns D are then those features.
    """

    W: Array
    b: Array
    center: Array | None = None
    unit: bool = False
    reflection: Array | None = None
    patches: Patches | None = None

    @classmethod
    def of(cls, model: LinearModel, *, single: bool = False, centered: bool = False) -> "FoldedModel":
        """The model's own scores, in float64. Raises ValueError for stages that are neither linear nor patch features.

        single: whether it is to be computed in float32: columns so far from 0 that scores could be off by more than
        SINGLE then stay centered. centered: whether all do, so that a column's part in a score is that of the evidence.
        """
        preprocessing = model.preprocessing
        if reason := unfoldable(preprocessing):
            raise ValueError(reason)
        W, b, unit = model.pixel_weights(), model.b.astype(np.float64), preprocessing.unit_norm
        center = None if preprocessing.offset is None else preprocessing.spread(preprocessing.offset)
        far = center is not None and single and np.abs(center) @ np.abs(W) * np.finfo(np.float32).eps > SINGLE
        if center is not None and not (unit or centered or np.any(far)):
            b, center = b - center @ W, None
        first = preprocessing.reading[0] if preprocessing.reading else None
        reflection = first.reflection if unit and isinstance(first, Mirror) else None
        return cls(W, b, center, unit, reflection, first if isinstance(first, Patches) else None)

    @property
    def formula(self) -> str:
        """How the scores come about, in the notation of NumPy."""
        steps = [
            "x = patch features of x" if self.patches is not None else "",
            "x = (x + x[:, reflection]) / 2" if self.reflection is not None else "",
            "x = x - center" if self.center is not None else "",
            "x = x / |x|, row by row, 0 where |x| is 0" if self.unit else "",
            "scores = x @ W + b",
        ]
        return "; ".join(filter(None, steps))

    def scores(self, X: Array) -> Array:
        """Scores (N, K), float64, of raw rows X (N, D)."""
        starts = range(0, len(X), CHUNK_ROWS)
        parts = [self._prepared(X[start : start + CHUNK_ROWS]) @ self.W for start in starts]
        return np.concatenate([*parts, np.empty((0, self.W.shape[1]))]) + self.b

    def _prepared(self, X: Array) -> Array:
        stages = [] if self.patches is None else [self.patches]
        x = RowReader(X, stages, np.float64).all()
        if self.reflection is not None:
            x = (x + x[:, self.reflection]) / 2
        if self.center is not None:
            x = x - self.center
        if self.unit:
            norms = np.linalg.norm(x, axis=1, keepdims=True)
            x = np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)
        return x


def unfoldable(preprocessing: Preprocessing) -> str:
    """Why these stages are no map that a FoldedModel can be; empty where they are."""
    reading = preprocessing.reading
    known = not reading or (len(reading) == 1 and isinstance(reading[0], Mirror | Patches))
    if not (known or preprocessing.linear):
        return f"expected stages that are linear, found {', '.join(stage.name for stage in reading)}"
    own = reading[0].scale if reading else None
    # Patch features were kept as bytes: their scale of 1 is rounded.
    plain = known and np.allclose(preprocessing.divisor, 1 if own is None else own, rtol=1e-12, atol=0)
    if preprocessing.unit_norm and not plain:
        return "expected unit norm of rows as they are, found it after other scales"
    return ""
