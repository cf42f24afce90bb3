"""Mirror folding: training on every image and its mirror image, at half the arithmetic.

For a linear model with an L2 penalty that has a flip-symmetric optimum, and equals training on (left half +
mirrored right half) / sqrt 2. Read are the sums

    z[c, r, j] = x[c, r, j] + x[c, r, width - 1 - j]        j < width / 2

without the division, which is part of the scale. The middle column of an odd width is taken as it is.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from softmaxclf.core.images import ImageShape
from softmaxclf.core.namespace import namespace_of
from softmaxclf.core.stages.fitting import FittingRows
from softmaxclf.core.stages.stage import Array, Preprocessing, Reading
from softmaxclf.errors import ConfigError


@dataclass(frozen=True)
class Mirror(Reading):
    """Folds images of one shape: rows of D pixels become D' = channels * height * ceil(width / 2) sums."""

    shape: ImageShape
    name = "mirror"
    linear = True

    @classmethod
    def check(cls, image_shape: ImageShape | None) -> None:
        """Raise ConfigError where rows are no images."""
        if image_shape is None:
            raise ConfigError("preprocessing.mirror: expected rows that are images, got others; write false")

    @classmethod
    def fit(cls, before: list[Preprocessing], rows: FittingRows) -> list[Preprocessing]:
        """Folding after the stages `before`."""
        assert rows.image_shape is not None, "see check"
        mirror = cls(rows.image_shape)
        return [replace(each, reading=(*each.reading, mirror), scale=mirror.scale) for each in before]

    @property
    def width(self) -> int:  # type: ignore[override]
        """D, the number of pixels."""
        return math.prod(self.shape)

    @property
    def columns(self) -> int:
        """D', the number of folded sums."""
        return self.shape[0] * self.shape[1] * self._half

    @cached_property
    def scale(self) -> Array:
        """What folded sums are divided by: (1,) sqrt 2, or (D',) with 1 at the middle column of an odd width."""
        if self.shape[2] % 2 == 0:
            return np.array([math.sqrt(2)])
        return self._tiled(math.sqrt(2))

    def most(self, value: int) -> int:
        """The largest sum of two pixels."""
        return 2 * value

    def read(self, rows: Array, out: Array) -> None:
        """Fill `out` (n, D') with the folded sums of pixels (n, D)."""
        channels, height, width = self.shape
        images = rows.reshape(-1, channels * height, width)
        folded = out.reshape(len(rows), channels * height, self._half)
        half, xp = width // 2, namespace_of(rows)
        xp.add(images[:, :, :half], xp.flip(images[:, :, width - half :], (2,)), out=folded[:, :, :half])
        if width % 2:
            folded[:, :, half] = images[:, :, half]

    def unfold(self, weights: Array) -> Array:
        """Weights (D, ...) on all pixels that act on images as `weights` (D', ...) act on folded sums."""
        channels, height, width = self.shape
        half = weights.reshape(channels * height, self._half, *weights.shape[1:])
        full = np.concatenate([half, half[:, : width // 2][:, ::-1]], axis=1)
        return full.reshape(channels * height * width, *weights.shape[1:])

    def spread(self, columns: Array) -> Array:
        """The image (D,) whose folded sums are `columns` (D',) and whose halves mirror each other."""
        return self.unfold(columns * self._tiled(0.5))

    @property
    def reflection(self) -> Array:
        """(D,) where each pixel's mirror image stands in the row."""
        channels, height, width = self.shape
        return np.arange(self.width).reshape(channels * height, width)[:, ::-1].ravel()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], image_shape: ImageShape | None) -> "Mirror":
        """The folding of a model's image shape. Raises ValueError without one."""
        if image_shape is None:
            raise ValueError("an image_shape in a mirror-folded model")
        return cls(image_shape)

    @property
    def _half(self) -> int:
        return (self.shape[2] + 1) // 2

    def _tiled(self, value: float) -> Array:
        """`value` (D',) for every folded sum, and 1 in the middle column of an odd width."""
        line = np.full(self._half, value)
        if self.shape[2] % 2:
            line[-1] = 1
        return np.tile(line, self.shape[0] * self.shape[1])
