"""`PatchFeatures`: patch features of images as a scikit-learn transformer."""

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmaxclf.config import load_config
from softmaxclf.config.schema import SCHEMA
from softmaxclf.core.images import COLOURS, ImageShape, as_rows
from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.patches.dictionary import Recipe, learn
from softmaxclf.core.stages.patches.stage import Patches
from softmaxclf.estimators.base import BaseEstimator, TransformerMixin, checked_rows, refuse_unfitted
from softmaxclf.estimators.parameters import as_value_errors, given
from softmaxclf.workflows.fit import keys

Array = NDArray[Any]
# The parameters that are settings of the command line, by the names that they have there.
SETTINGS = (
    *(name for name in Recipe._fields if f"features.{name}" in SCHEMA and name != "seed"),
    "mirror",
)


class PatchFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """What filters find in all small patches of an image, averaged over regions of it; learned without labels.

    Every parameter but the last two is a setting of `features` in a configuration, or `preprocessing.mirror`, by its
    name there, and None leaves it to the default, for small images to what they have room for of it.
    mirror: whether an image and its mirror image have the same features, half as many, as if a classifier with an L2
    penalty had seen both. image_shape: (channels, height, width) of rows; None takes rows for square images of 3 or 1
    colours, and those that cannot be for one patch of all their columns. random_state: seed of the patches that filters
    are learned from; None is the same as 0.

    Attributes: stage_: the stage as a model file has it. n_features_in_: D.
    """

    stage_: Patches
    n_features_in_: int

    def __init__(
        self,
        *,
        filters: int | Sequence[int] | None = None,
        patch: int | None = None,
        scales: int | Sequence[int] | None = None,
        threshold: float | None = None,
        pooling: int | None = None,
        contrast: float | None = None,
        whitening: float | None = None,
        mirror: bool | None = None,
        image_shape: ImageShape | None = None,
        random_state: Any = None,
    ) -> None:
        self.filters, self.patch, self.scales = filters, patch, scales
        self.threshold, self.pooling = threshold, pooling
        self.contrast, self.whitening, self.mirror = contrast, whitening, mirror
        self.image_shape, self.random_state = image_shape, random_state

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Itself, with filters learned from X: rows of pixels (N, D) in plane order, or images as `fit` takes them.

        y is not looked at. Raises ValueError for arrays and parameters that cannot be.
        """
        rows, known = self._rows(X, self.image_shape, reset=True)
        shape = _guessed(rows.shape[1]) if known is None else known
        with as_value_errors():
            recipe = self._recipe(shape)
            recipe.check(shape)
            self.stage_ = learn(rows, np.arange(len(rows)), shape, recipe)
        return self

    def transform(self, X: ArrayLike) -> Array:
        """The features (N, D'), float32, of images X as `fit` takes them. Raises ValueError for others."""
        refuse_unfitted(self, "stage_")
        rows, _ = self._rows(X, self.stage_.shape)
        features = np.empty((len(rows), self.stage_.columns), np.float32)
        for part, block in RowReader(rows, (self.stage_,)).chunks():
            features[part] = block
        return features

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> Array:
        """(D',) names of the features: scale, filter, sign and region. input_features: names of the columns of X, which
        are only checked. Raises ValueError.
        """
        refuse_unfitted(self, "stage_")
        if input_features is not None:
            names, own = np.asarray(input_features, object), getattr(self, "feature_names_in_", None)
            if len(names) != self.n_features_in_:
                raise ValueError(
                    f"input_features should have length equal to {self.n_features_in_}, as X, got {len(names)}"
                )
            if own is not None and not np.array_equal(names, own):
                raise ValueError("input_features is not equal to feature_names_in_; leave it out")
        return np.array(self.stage_.names(), object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _rows(
        self, X: Any, shape: ImageShape | None, *, reset: bool = False
    ) -> tuple[Array, ImageShape | None]:
        """(rows (N, D) in plane order, their image shape where it is known). Raises ValueError."""
        shape = None if shape is None else tuple(shape)  # type: ignore[assignment]
        if getattr(X, "ndim", 2) > 2:
            X, shape = as_rows(np.asarray(X), shape)
        return as_rows(checked_rows(self, X, reset=reset), shape)

    def _recipe(self, shape: ImageShape) -> Recipe:
        """The recipe of the parameters, its defaults no larger than images have room for. Raises ConfigError."""
        config = load_config(options=keys(given(self, SETTINGS), ["features", "preprocessing"]))
        recipe, side = Recipe.of(config.features, fold=config.preprocessing.mirror), min(shape[1:])
        if self.scales is None:
            fitting = tuple(factor for factor in recipe.scales if side // factor >= recipe.patch)
            recipe = recipe._replace(scales=fitting or (1,))
        if self.patch is None:
            room = max(side // max(recipe.scales), 1)
            recipe = recipe._replace(patch=min(recipe.patch, room))
        if self.pooling is None:
            positions = max(side // min(recipe.scales) - recipe.patch + 1, 1)
            recipe = recipe._replace(pooling=min(recipe.pooling, positions))
        return recipe


def _guessed(columns: int) -> ImageShape:
    """The square image whose pixels are so many columns; else one pixel that has them for channels."""
    for channels in sorted(COLOURS, reverse=True):
        side = math.isqrt(columns // channels)
        if channels * side**2 == columns:
            return channels, side, side
    return columns, 1, 1
