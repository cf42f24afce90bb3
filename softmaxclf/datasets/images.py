"""Image files as rows of the pixels that a model was trained on, read by Pillow.

The rule, in this order:

1. The first frame of the file is turned upright by the orientation in its EXIF, or else its XMP (none where that is
   unreadable).
2. It becomes 8 bits per channel: 16-bit grey is scaled by 255 / 65535 and rounded; palettes, one bit, CMYK and
   YCbCr are converted; what is transparent is laid over white. Colour profiles are not applied. Numbers whose
   range is not known (32-bit integers and floats, as in some TIFF) are refused. Transparency of 16-bit grey is
   ignored.
3. It becomes RGB for a model of three channels, grey by ITU-R 601-2 luma for a model of one.
4. An image that has the model's size is taken pixel for pixel. Of any other the largest centred part with the
   model's aspect ratio is taken and resized: averaged over areas (Pillow's BOX) where it is larger, by bicubic
   interpolation, which at the edges of the part also sees what lies beyond, where it is smaller. A large JPEG is
   averaged by its own decoder first, down to no less than twice the model's longer side. What is transparent is
   resized first, weighted by its opacity, and then laid over white: the same within a rounding.

A file may be hostile: Pillow is asked for six formats, none of which runs code, and decodes a regular file of at
most MAX_BYTES to at most MAX_PIXELS. That takes up to 0.8 GB of memory, a WEBP 1 GB. What lies around the pixels
(texts, profiles, tags, parts) is bounded by Pillow and by MAX_BYTES: 1.2 GB; a TIFF, which may be nothing but a list of
strips, has a bound of its own.
"""

import logging
import math
import os
import struct
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from softmaxclf.core.images import ImageShape
from softmaxclf.errors import DataError
from softmaxclf.files import is_folder, open_regular, printable

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
SUFFIXES = tuple(
    f".{ending}" for ending in ["png", "jpg", "jpeg", "jpe", "jfif", "gif", "bmp", "webp", "tif", "tiff"]
)
MAX_BYTES, MAX_TIFF_BYTES = 48 << 20, 12 << 20
TIFF_MAGICS = (b"II*\0", b"MM\0*")
MAX_PIXELS = 64_000_000
MAX_SIDE = 65_535  # Pillow keeps a pointer for every line
MODES = {1: "L", 3: "RGB"}
MODES_16_BIT = ("I;16", "I;16B")
READABLE_MODES = ("1", "L", "P", "LA", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", *MODES_16_BIT)
BYTES_OF_16_BITS = [round(value / 257) for value in range(1 << 16)]
TILE_WIDTH, TILE_LENGTH = 322, 323  # TIFF 6.0, section 15
UNREADABLE_EXIF = (LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error)
SMALLER = "make a smaller copy"
REMEDY = "name another file, or save this image again as PNG"
MOST_THREADS = 8  # each may hold an image of the size of a photograph
BLOCK_FILES, BLOCK_BYTES = 64, 4 << 20  # read by a thread at a time; rows that they make
_alone = (
    Lock()
)  # held by the one thread that decodes what takes much memory, or whose decoder has to be silenced
LARGE_PIXELS = 16_000_000

_Block = tuple[NDArray[np.uint8], dict[int, DataError]]  # rows, and the errors of those that are zero

# What Pillow logs about a file stands in the error too; without a handler Python would print it a second time.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def read_image(path: Path, image_shape: ImageShape) -> NDArray[np.uint8]:
    """The row (C * H * W,) uint8 in CIFAR's plane order that an image file becomes by the rule above.

    image_shape: (C, H, W) of the model, C = 1 or 3, else ValueError. Raises DataError, one line, for a file
    that is missing, broken, too large or no image.
    """
    with _quiet():
        return _row(path, image_shape)


def read_images(
    paths: Sequence[Path], image_shape: ImageShape, take: Callable[[NDArray[np.uint8]], object]
) -> dict[int, DataError]:
    """Read many image files, several at a time, each as `read_image` does.

    take: gets their rows (n, C * H * W) in order, block by block; the row of a file that cannot be read is zero.
    Returns the errors of those files by their place in `paths`.
    """
    size = max(1, min(BLOCK_FILES, BLOCK_BYTES // math.prod(image_shape)))
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    pool, pending = ThreadPoolExecutor(threads), deque[Future[_Block]]()
    errors: dict[int, DataError] = {}

    def finish() -> None:
        rows, failed = pending.popleft().result()
        errors.update(failed)
        take(rows)

    try:
        with _quiet():
            for start in range(0, len(paths), size):
                pending.append(
                    pool.submit(_block, paths, range(start, min(start + size, len(paths))), image_shape)
                )
                if len(pending) > 2 * threads:
                    finish()
            while pending:
                finish()
    finally:
        pool.shutdown(cancel_futures=True)
    return errors


def _block(paths: Sequence[Path], places: range, image_shape: ImageShape) -> _Block:
    rows, errors = np.zeros((len(places), math.prod(image_shape)), np.uint8), {}
    for row, place in zip(rows, places, strict=True):
        try:
            row[:] = _row(paths[place], image_shape)
        except DataError as error:
            errors[place] = error
    return rows, errors


def _row(path: Path, image_shape: ImageShape) -> NDArray[np.uint8]:
    channels, height, width = image_shape
    if channels not in MODES:
        raise ValueError(f"expected images of 1 or 3 channels, got {channels}")
    try:
        with open_regular(path) as (file, size):
            if not 0 < size <= MAX_BYTES:
                found = f"{size:,} bytes" if size else "an empty file"
                raise _wrong(path, f"an image file of 1 to {MAX_BYTES:,} bytes", found)
            if size > MAX_TIFF_BYTES and file.read(4) in TIFF_MAGICS:
                raise _wrong(path, f"a TIFF of at most {MAX_TIFF_BYTES:,} bytes", f"{size:,} bytes", SMALLER)
            file.seek(0)
            with _pillow(path, file):
                picture = _picture(path, file, (width, height), MODES[channels])
    except OSError as error:
        found = printable(error.strerror or error)
        raise _wrong(path, "a readable image file", found, "check the path and its permissions") from error
    pixels = np.asarray(picture, np.uint8).reshape(height, width, channels)
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
        inside = list(_images_in(path)) if is_folder(path) else [path]
        if not inside:
            raise DataError(
                f"{printable(path)}: expected image files ({', '.join(SUFFIXES)}), found none in this folder; "
                "name another folder or a file"
            )
        found += inside
    return found


def _images_in(folder: Path) -> Iterator[Path]:
    unreadable: list[Path] = []
    for entry in files_in(folder, lambda error: unreadable.append(Path(error.filename))):
        if is_image(entry.name):
            yield Path(entry.path)
    yield from unreadable


def is_image(name: str) -> bool:
    """Whether a file is called as an image is."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - for the names of many thousand files


def files_in(folder: Path, failed: Callable[[OSError], object]) -> Iterator[os.DirEntry[str]]:
    """The files of a folder, sorted by name, then those of its folders, sorted, as `find_images` says.

    failed: is told of a folder that cannot be read, its name in the error's filename.
    """
    pending = [str(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                visible = sorted(
                    (each for each in entries if each.name[0] != "."), key=lambda each: each.name
                )
        except OSError as error:
            failed(error)
            continue
        yield from (each for each in visible if not _is_folder(each))
        pending += [each.path for each in reversed(visible) if each.is_dir(follow_symlinks=False)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for example
        return False


def _picture(path: Path, file: BinaryIO, size: tuple[int, int], mode: str) -> Image.Image:
    """The image in `file` as the rule says, in `mode` (L or RGB) and of `size` (width, height)."""
    with Image.open(file, formats=FORMATS) as image:
        _check(path, image)
        image.draft(None, (2 * max(size), 2 * max(size)))
        is_tiff = image.format == "TIFF"
        is_large = math.prod(image.size) > LARGE_PIXELS
        with _alone if is_tiff or is_large else nullcontext():
            with _libtiff_silenced() if is_tiff else nullcontext():
                image.load()
            with suppress(*UNREADABLE_EXIF):
                ImageOps.exif_transpose(image, in_place=True)
            return _fitted(image, size, mode)


def _check(path: Path, image: Image.Image) -> None:
    """Raise DataError for an image that takes too much memory, or whose numbers have no known range."""
    width, height = image.size
    if not (0 < width * height <= MAX_PIXELS and max(image.size) <= MAX_SIDE):
        raise _too_large(path, f"{width:,} x {height:,} pixels")
    if image.mode not in READABLE_MODES:
        raise _wrong(path, "8 or 16 bits per channel", f"pixels of mode {image.mode}")
    if image.format == "TIFF":
        # A whole tile is unpacked, whatever part of it the image needs.
        width, height = (image.tag_v2.get(tag, 1) for tag in (TILE_WIDTH, TILE_LENGTH))  # type: ignore[attr-defined]
        if width * height > MAX_PIXELS:
            raise _too_large(path, f"a tile of {width:,} x {height:,} pixels")


def _fitted(image: Image.Image, size: tuple[int, int], mode: str) -> Image.Image:
    """`image` with 8 bits per channel, cropped, resized and over white where it is transparent, in `mode`."""
    if image.mode in MODES_16_BIT:
        image.info.pop("transparency", None)
        image = image.convert("I").point(BYTES_OF_16_BITS, "L")
    wanted = "RGBA" if image.has_transparency_data else mode
    if image.mode != wanted:
        image = image.convert(wanted)
    if image.size != size:
        larger = image.width >= size[0] and image.height >= size[1]
        image = ImageOps.fit(image, size, Image.Resampling.BOX if larger else Image.Resampling.BICUBIC)
    if wanted == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", size, "white"), image)
    return image.convert(mode)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings quiet; not to be entered by several threads, since the filters are the process's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _pillow(path: Path, file: BinaryIO) -> Iterator[None]:
    """Turn all that broken bytes make Pillow raise into a DataError."""
    try:
        yield
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(path, "more") from error
    except Exception as error:  # its readers have raised nearly every kind there is
        raise _wrong(path, "a whole image", _reason(error, file)) from error


@contextmanager
def _libtiff_silenced() -> Iterator[None]:
    """Keep libtiff, which writes its complaints past Python, from the standard error while it decodes."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error to keep clean
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _reason(error: Exception, file: BinaryIO) -> str:
    """What is wrong with a file that Pillow does not take, in a few words."""
    if not isinstance(error, UnidentifiedImageError):
        return f"a broken one ({printable(' '.join(str(error).split()))[:100] or type(error).__name__})"
    file.seek(0)
    start = file.read(16)
    if start[4:8] == b"ftyp":
        return "HEIC, AVIF or a video"
    if start.isascii() and "".join(start.decode().split()).isprintable():
        return f"text that begins with {start.decode()!r}"
    return f"no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} that can be read"


def _too_large(path: Path, found: str) -> DataError:
    return _wrong(
        path, f"at most {MAX_PIXELS / 1e6:g} megapixels and {MAX_SIDE:,} pixels a side", found, SMALLER
    )


def _wrong(path: Path, expected: str, found: str, remedy: str = REMEDY) -> DataError:
    """The one message for an image file that is not taken."""
    return DataError(f"{printable(path)}: expected {expected}, found {found}; {remedy}")
