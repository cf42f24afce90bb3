"""Rows of pixels as images, and images as sharp tiles on a page.

A row holds an image as CIFAR does: planes (C, H, W) flattened row by row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from softmaxclf.plots.figure import DPI


def planes_last(rows: NDArray[Any], image_shape: tuple[int, int, int]) -> NDArray[Any]:
    """Return rows (N, C·H·W) in plane order as images (N, H, W, C). Raises ValueError for another length."""
    channels, height, width = image_shape
    if rows.ndim != 2 or rows.shape[1] != channels * height * width:
        raise ValueError(f"expected rows of {channels} x {height} x {width} values, got shape {rows.shape}")
    return rows.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)


def image_pixels(rows: NDArray[Any], image_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return rows (N, D) of image data as uint8 images (N, H, W, C).

    uint8 stays as it is; numbers within 0..1 are multiplied by 255; other numbers are stretched from their
    least to their largest value over all rows, since their range is unknown.
    """
    images = planes_last(rows, image_shape)
    if images.dtype == np.uint8:
        return images
    values = images.astype(np.float64)
    if values.size and values.min() >= 0 and values.max() <= 1:
        return np.rint(values * 255).astype(np.uint8)
    return stretched(values, values.min(initial=0.0), values.max(initial=0.0))


def image_groups(
    groups: Sequence[NDArray[Any]], image_shape: tuple[int, int, int]
) -> list[NDArray[np.uint8]]:
    """Return groups of rows (n, D) as groups of images (n, H, W, C), all on one brightness scale."""
    images = image_pixels(np.concatenate(groups), image_shape)
    return np.split(images, np.cumsum([len(group) for group in groups])[:-1])


def stretched(values: NDArray[np.float64], low: Any, high: Any) -> NDArray[np.uint8]:
    """Map low..high (numbers, or arrays that broadcast) to 0..255; where low equals high, to mid-grey 128."""
    span = np.asarray(high) - np.asarray(low)
    share = np.where(span > 0, (values - low) / np.where(span > 0, span, 1.0), 128 / 255)
    levels: NDArray[np.float64] = np.rint(np.clip(share, 0.0, 1.0) * 255)
    return levels.astype(np.uint8)


def show(axes: Axes, image: NDArray[Any], **colours: Any) -> Any:
    """Draw one image (H, W, C) or (H, W) with hard pixel edges and no frame; return matplotlib's image.

    One-channel bytes are drawn as grey. An image with more pixels than its place on the page is averaged.
    """
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim == 2 and not colours:
        colours = {"cmap": "gray", "vmin": 0, "vmax": 255}
    shrunk = image.shape[1] > axes.get_window_extent().width
    drawn = axes.imshow(image, interpolation="antialiased" if shrunk else "nearest", **colours)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return drawn


@dataclass(frozen=True)
class Tiling:
    """Equal tiles in rows and columns, in whole pixels of the page, so that image pixels are equally wide.

    `left`, `top` place the first tile; `step_x`, `step_y` lead from one tile to the next.
    """

    columns: int
    tile_width: int
    tile_height: int
    left: int
    top: int
    step_x: int
    step_y: int

    def axes(self, figure: Figure, position: int) -> Axes:
        """Return new axes that cover tile number `position`, counted along the rows."""
        row, column = divmod(position, self.columns)
        page_width, page_height = figure.bbox.width, figure.bbox.height
        x = self.left + column * self.step_x
        y = page_height - self.top - row * self.step_y - self.tile_height
        box = (x / page_width, y / page_height, self.tile_width / page_width, self.tile_height / page_height)
        return figure.add_axes(box)


def tile_size(image_size: tuple[int, int], width: int) -> tuple[int, int]:
    """Return (width, height) in pixels of a tile for images of (H, W), at most `width` wide, twice as high.

    It is a whole multiple of the image where the image is smaller than the room.
    """
    image_height, image_width = image_size
    scale = min(width / image_width, 2 * width / image_height)
    scale = int(scale) if scale >= 1 else scale
    return max(1, round(scale * image_width)), max(1, round(scale * image_height))


def pixels(inches: float) -> int:
    """Return a length in inches as whole pixels of the page."""
    return round(inches * DPI)
