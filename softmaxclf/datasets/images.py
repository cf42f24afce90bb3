"""Image files as rows of the pixels that a model was trained on.

The rule, in this order:

1. The first frame of the file is turned upright by its EXIF orientation (unreadable EXIF counts as none).
2. It becomes 8 bits per channel: 16-bit grey is scaled by 255 / 65535 and rounded; palettes, one bit, CMYK and
   YCbCr are converted; what is transparent is laid over white. Colour profiles are not applied. Numbers whose
   range is not known (32-bit integers and floats, as in some TIFF) are refused. Transparency of 16-bit grey is
   ignored.
3. It becomes RGB for a model of three channels, grey by ITU-R 601-2 luma for a model of one.
4. An image that has the model's size is taken pixel for pixel. Of any other the largest centred part with the
   model's aspect ratio is taken and resized: averaged over areas (Pillow's BOX) where it is larger, by bicubic
   interpolation where it is smaller. A large JPEG is averaged by its own decoder first, down to no less than
   twice the model's longer side.

Which files are taken, and why no file can do harm, stands in `image_decoder`.
"""

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from softmaxclf.datasets.image_decoder import decoded, pillow
from softmaxclf.datasets.image_file import wrong
from softmaxclf.errors import DataError
from softmaxclf.files import printable

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = "png jpg jpeg jpe jfif gif bmp webp tif tiff ppm pgm pbm pnm"
SUFFIXES = tuple(f".{ending}" for ending in ENDINGS.split())
MODES = {1: "L", 3: "RGB"}
MODES_16_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
READABLE_MODES = ("1", "L", "P", "LA", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", *MODES_16_BIT)
BAND_PIXELS = 1 << 20  # of a large image that are converted together

ImageShape = tuple[int, int, int]
Box = tuple[float, float, float, float]


def read_image(path: Path, image_shape: ImageShape) -> NDArray[np.uint8]:
    """The row (C * H * W,) uint8 in CIFAR's plane order that an image file becomes by the rule above.

    image_shape: (C, H, W) of the model, C = 1 or 3, else ValueError. Raises DataError, one line, for a file
    that is missing, broken, too large or no image.
    """
    channels, height, width = image_shape
    if channels not in MODES:
        raise ValueError(f"expected images of 1 or 3 channels, got {channels}")
    with decoded(path, 2 * max(height, width)) as (image, orientation):
        if image.mode not in READABLE_MODES and (image.mode, image.format) != ("I", "PPM"):
            raise wrong(path, "8 or 16 bits per channel", f"pixels of mode {image.mode}")
        turned = orientation >= 5
        size = (height, width) if turned else (width, height)
        upright = _upright(_fitted(path, image, size, MODES[channels]), orientation)
    pixels = np.asarray(upright, np.uint8).reshape(height, width, channels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)).reshape(-1)


def find_images(paths: Iterable[Path]) -> list[Path]:
    """The image files that `paths` stand for: each file as it is named, and those inside each folder.

    A folder gives its files whose ending is one of SUFFIXES, sorted by name, then those of its folders, sorted.
    What is hidden (its name begins with a dot) is skipped; links to files are followed, links to folders inside
    a folder are not, so a loop of links ends. A folder that cannot be read is listed itself, for `read_image` to
    say why. Raises DataError for a folder without any image.
    """
    found: list[Path] = []
    for path in paths:
        inside = list(_images_in(path)) if path.is_dir() else [path]
        if not inside:
            raise DataError(
                f"{printable(path)}: expected image files ({', '.join(SUFFIXES)}), found none in this folder; "
                "name another folder or a file"
            )
        found += inside
    return found


def _images_in(folder: Path) -> Iterator[Path]:
    unreadable: list[Path] = []
    walk = os.walk(folder, onerror=lambda error: unreadable.append(Path(error.filename)))
    for place, folders, files in walk:
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(place, name)
    yield from unreadable


def _upright(image: "Image", orientation: int) -> "Image":
    """`image` turned and mirrored as its orientation tells (EXIF 2.32, table 6)."""
    from PIL.Image import Transpose

    turns = (
        None, None, Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM,
        Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90,
    )  # fmt: skip
    turn = turns[orientation]
    return image if turn is None else image.transpose(turn)


def _fitted(path: Path, image: "Image", size: tuple[int, int], mode: str) -> "Image":
    """`image` in `mode` and of `size` (width, height), cropped and resized as the rule says.

    An averaged output line depends on its own source lines alone. So a large image is averaged some lines at a
    time, which gives the same as all at once, and no converted copy of it is ever made.
    """
    from PIL import Image

    if image.size == size:
        return _flat(path, image, mode)
    scale = min(have / want for have, want in zip(image.size, size, strict=True))
    left, top = ((have - scale * want) / 2 for have, want in zip(image.size, size, strict=True))
    right = min(left + scale * size[0], float(image.width))
    enlarging = scale < 1
    step = size[1] if enlarging else max(1, int(BAND_PIXELS / (scale * scale * size[0])))
    picture = Image.new(mode, size)
    for line in range(0, size[1], step):
        lines = min(step, size[1] - line)
        upper, lower = (top + scale * each for each in (line, line + lines))
        band, box = _cut(path, image, mode, (left, upper, right, min(lower, float(image.height))))
        filter_ = Image.Resampling.BICUBIC if enlarging else Image.Resampling.BOX
        picture.paste(band.resize((size[0], lines), filter_, box), (0, line))
    return picture


def _cut(path: Path, image: "Image", mode: str, box: Box) -> tuple["Image", Box]:
    """The pixels of `image` that `box` (left, upper, right, lower) touches, in `mode`, and where it lies in them."""
    left, upper = math.floor(box[0]), math.floor(box[1])
    part = image.crop((left, upper, math.ceil(box[2]), math.ceil(box[3])))
    return _flat(path, part, mode), (box[0] - left, box[1] - upper, box[2] - left, box[3] - upper)


def _flat(path: Path, image: "Image", mode: str) -> "Image":
    """`image` with 8 bits per channel, over white where it is transparent, in `mode` L or RGB."""
    from PIL import Image

    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.float64)
        return Image.fromarray(np.rint(np.clip(values, 0, 65535) * (255 / 65535)).astype(np.uint8)).convert(
            mode
        )
    with pillow(path):
        if image.mode.endswith("A") or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert(mode)
