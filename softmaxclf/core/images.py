"""Rows that are images: one row of pixels in plane order, D = channels * height * width.

Arrays of images may also come as (N, H, W), grey; (N, H, W, C) or (N, C, H, W) with C = 1 or 3 colour planes: the
axis of length 1 or 3 is the colour; where both or neither could be, the image shape has to be said.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
ImageShape = tuple[int, int, int]  # channels, height, width
COLOURS = (1, 3)


class UnclearShapeError(ValueError):
    """An array's shape cannot be that of the rows: what was expected, what was found, what helps."""

    def __init__(self, expected: str, found: str, remedy: str) -> None:
        super().__init__(f"expected {expected}, found {found}; {remedy}")
        self.expected, self.found, self.remedy = expected, found, remedy


def as_rows(X: Array, image_shape: ImageShape | None = None) -> tuple[Array, ImageShape | None]:
    """(rows (N, D) in plane order, their image shape or None), without a copy where X is stored so already.

    image_shape: (channels, height, width), where it is known. Raises UnclearShapeError.
    """
    if X.ndim == 2:
        if image_shape and math.prod(image_shape) != X.shape[1]:
            raise UnclearShapeError(f"rows of {image_shape}", f"{X.shape[1]} features", "correct image_shape")
        return X, image_shape
    if X.ndim not in (3, 4):
        remedy = "give rows of features (N, D) or images (N, height, width, 3)"
        raise UnclearShapeError("2 to 4 axes", f"shape {X.shape}", remedy)
    planes = [X[:, None]] if X.ndim == 3 else [X, X.transpose(0, 3, 1, 2)]
    fitting = [
        each
        for each in planes
        if (each.shape[1:] == image_shape if image_shape else each.shape[1] in COLOURS)
    ]
    if len(fitting) != 1:
        found = f"shape {X.shape}" + (f" and image_shape {image_shape}" if image_shape else "")
        raise UnclearShapeError(
            "one axis of 1 or 3 colours", found, "say image_shape = (channels, height, width)"
        )
    _, channels, height, width = fitting[0].shape
    return fitting[0].reshape(len(X), -1), (channels, height, width)


def rows_shape(X: Any, image_shape: ImageShape | None = None) -> tuple[tuple[int, int], ImageShape | None]:
    """The shapes of what `as_rows` makes of X, of which no value is looked at. Raises UnclearShapeError."""
    rows, shape = as_rows(np.broadcast_to(np.zeros((), X.dtype), X.shape), image_shape)
    return (len(rows), rows.shape[1]), shape


def has_colours(image_shape: ImageShape | None) -> bool:
    """Whether rows of that shape can be shown as pictures: grey or red, green and blue."""
    return image_shape is not None and image_shape[0] in COLOURS
