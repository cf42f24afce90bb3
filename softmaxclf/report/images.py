"""Small images inside the page, as PNG in data: URIs."""

import base64
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from softmaxclf.report.markup import Markup, element

STRIP_GAP = 16  # the gap between images is this part of their width
ROOM = 8  # images that a strip has room for at the least, so that few are shown no larger than many
MOST_PIXELS = 96  # per side of an image: large ones are shrunk, or the page would grow without bound


def picture(image: NDArray[np.uint8], alt: str) -> Markup:
    """An `<img>` of uint8 pixels (H, W, C) with C = 1, 3, or 4 with opacity; of other C the mean is shown in grey."""
    height, width = image.shape[:2]
    return _element(_drawn(image, MOST_PIXELS), alt, "pixels", width, height)


def strip(images: NDArray[np.uint8], alt: str, most: int = MOST_PIXELS // 2) -> Markup:
    """An `<img>` of the images (n, H, W, C) side by side, each of at most `most` pixels per side, with clear gaps."""
    tiles = [_drawn(image, most).convert("RGBA") for image in images]
    width, height = tiles[0].size
    gap = max(1, width // STRIP_GAP)
    room = max(len(tiles), ROOM)
    whole = Image.new("RGBA", (room * (width + gap) - gap, height), (0, 0, 0, 0))
    for place, tile in enumerate(tiles):
        whole.paste(tile, (place * (width + gap), 0))
    return _element(whole, alt, "strip", *whole.size)


def _drawn(image: NDArray[np.uint8], most: int) -> Image.Image:
    """The image with at most `most` pixels per side."""
    grey: NDArray[Any] = image.mean(axis=2).astype(np.uint8)
    drawn = Image.fromarray(np.ascontiguousarray(image) if image.shape[2] in (3, 4) else grey)
    drawn.thumbnail((most, most))
    return drawn


def _element(image: Image.Image, alt: str, class_: str, width: int, height: int) -> Markup:
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=9)
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return element("img", src=source, alt=alt, width=width, height=height, class_=class_)
