"""Image files from anywhere, decoded by Pillow within bounds that are checked before anything is decoded.

Pillow is asked for seven formats and no other: PNG, JPEG, GIF, BMP, WEBP, TIFF and PPM (with PGM and PBM). The
first frame of an animation is decoded, the others are not looked at.

A format may state any size in a few bytes, or any number of parts in a small file, so these are bounded:

    the kind of file      a regular one, as a pipe could block for ever
    bytes of the file     MAX_BYTES (these two and the next but one in `image_file`)
    pixels                MAX_PIXELS, by decoder: what is worst of its memory and its time; MAX_SIDE on each side
    reads from the file   MAX_READS calls and four times the file's size in all: chunks and blocks without end
    PNG                   MAX_PROFILES colour profiles: Pillow unpacks each of them
    JPEG                  MAX_SCANS: each is a pass over the whole image; EXIF and lists of further pictures are
                          hidden from Pillow, which would unpack every tag (the orientation is read by `image_tags`)
    TIFF                  no more tags than the file has bytes, MAX_NUMBERS bytes of them numbers, which would be
                          unpacked one by one; MAX_TILES tiles, none larger than MAX_PIXELS; the compressions of
                          cameras and scanners; no BigTIFF
    PPM                   MAX_COMMENTS: Pillow takes time quadratic in them

So an answer needs less than 200 MB and, on a common machine, less than two seconds. Whatever Pillow raises
while it reads becomes a DataError; only calls of Pillow stand where that is caught.
"""

import logging
import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from softmaxclf.datasets.image_file import START_OF_JPEG, CountedFile, opened, wrong
from softmaxclf.datasets.image_tags import BYTE_ORDERS, orientation, stated_sizes
from softmaxclf.errors import DataError
from softmaxclf.files import printable

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
MAX_SIDE = 32_768  # Pillow keeps a pointer for every line
# A decoded pixel takes 4 bytes. JPEG is decoded at 1/2, 1/4 or 1/8 of its size, but a progressive one keeps 6
# bytes of coefficients; WEBP keeps four copies; "python" stands for the decoders that are loops in Python.
MAX_PIXELS = {"JPEG": 64_000_000, "progressive JPEG": 25_000_000, "WEBP": 10_000_000, "python": 250_000}
OTHER_PIXELS = 36_000_000
PYTHON_DECODERS = ("ppm", "ppm_plain", "bmp_rle")
MAX_PROFILES, MAX_SCANS, MAX_NUMBERS, MAX_TILES, MAX_COMMENTS = 10, 100, 1 << 20, 20_000, 100
TIFF_COMPRESSIONS = (
    "raw", "tiff_ccitt", "group3", "group4", "tiff_lzw", "jpeg", "tiff_adobe_deflate", "tiff_deflate", "packbits",
)  # fmt: skip
OTHER_TIFF = (b"II\0*", b"MM*\0", b"II+\0", b"MM\0+")  # BigTIFF, and wrong byte orders that Pillow would take
TILE_WIDTH, TILE_LENGTH = 322, 323  # TIFF 6.0, section 15
START_OF_PNG, PLAIN_PPM = b"\x89PNG", (b"P1", b"P2", b"P3")
START_OF_SCAN = b"\xff\xda"  # ITU-T T.81, table B.1; entropy-coded bytes cannot look like it
SMALLER = "make a smaller copy"

# What Pillow logs about a file stands in the error too; without a handler Python would print it a second time.
logging.getLogger("PIL").addHandler(logging.NullHandler())

# All that Pillow's readers were seen to raise on broken bytes, and what their arithmetic on them can raise.
PILLOW_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError, MemoryError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip


@contextmanager
def decoded(path: Path, least_side: int) -> Iterator[tuple["ImageFile", int]]:
    """(image, orientation) of a file: loaded, in its own mode, and the EXIF orientation that it still needs.

    A JPEG may come smaller than it is, but no side under `least_side`. Raises DataError: one line with the
    file, what was expected, what was found and what to do.
    """
    with opened(path) as file:
        with pillow(path, file.start):
            _check_file(path, file)
            from PIL import Image

            image = Image.open(file, formats=FORMATS)
        with image:
            _check_image(path, image)
            with pillow(path), _libtiff_silenced(image):
                image.draft(None, (least_side, least_side))
                image.load()
            _check_image(path, image)
            yield image, _orientation(image, file)


@contextmanager
def pillow(path: Path, start: bytes = b"") -> Iterator[None]:
    """Turn what Pillow raises on bytes that it cannot read into a DataError, and keep its warnings quiet.

    start: the first bytes of the file, from which a message about an unknown format is made.
    """
    from PIL.Image import DecompressionBombError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except DataError:
            raise
        except DecompressionBombError as error:
            most = MAX_PIXELS["JPEG"] if start.startswith(START_OF_JPEG) else OTHER_PIXELS
            found = re.search(r"\d+", str(error))
            raise wrong(
                path, _megapixels(most), f"{int(found[0]):,} pixels" if found else "more", SMALLER
            ) from error
        except PILLOW_ERRORS as error:
            raise wrong(path, "a whole image", _reason(error, start)) from error


@contextmanager
def _libtiff_silenced(image: "ImageFile") -> Iterator[None]:
    """Keep libtiff, which writes its complaints past Python, from the standard error while it decodes."""
    if image.format != "TIFF":
        yield
        return
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


def _check_file(path: Path, file: CountedFile) -> None:
    """Raise DataError when Pillow would take too long or too much memory for what lies around the pixels."""
    if file.start.startswith(START_OF_PNG):
        _check_count(path, file, b"iCCP", MAX_PROFILES, "colour profiles")
    elif file.start.startswith(START_OF_JPEG):
        _check_count(path, file, START_OF_SCAN, MAX_SCANS, "scans")
    elif file.start.startswith(PLAIN_PPM):
        _check_count(path, file, b"#", MAX_COMMENTS, "comments")
    elif file.start.startswith(OTHER_TIFF):
        raise wrong(path, "plain TIFF", "BigTIFF or a wrong byte order")
    elif file.start[:4] in BYTE_ORDERS:
        numbers, total = stated_sizes(file.read_at)
        if numbers > MAX_NUMBERS or total > file.size:
            expected = f"TIFF tags within {min(MAX_NUMBERS, file.size):,} bytes"
            raise wrong(path, expected, f"{max(numbers, total):,}")


def _check_count(path: Path, file: CountedFile, marker: bytes, most: int, what: str) -> None:
    if (found := file.count(marker)) > most:
        raise wrong(path, f"at most {most} {what}", f"{found:,}")


def _check_image(path: Path, image: "ImageFile") -> None:
    """Raise DataError when the image is larger than its decoder may be asked for, or not made for us."""
    most = MAX_PIXELS.get(_decoder_kind(image), OTHER_PIXELS)
    width, height = image.size
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= most):
        expected = f"{_megapixels(most)} and {MAX_SIDE:,} pixels a side"
        raise wrong(path, expected, f"{width:,} x {height:,} pixels ({image.format})", SMALLER)
    if len(image.tile) > MAX_TILES:
        raise wrong(path, f"at most {MAX_TILES:,} tiles", f"{len(image.tile):,}")
    if image.format == "TIFF":
        _check_tiff(path, image)


def _decoder_kind(image: "ImageFile") -> str:
    if image.tile and image.tile[0][0] in PYTHON_DECODERS:
        return "python"
    progressive = image.format == "JPEG" and image.info.get("progressive")
    return "progressive JPEG" if progressive else str(image.format)


def _check_tiff(path: Path, image: "ImageFile") -> None:
    compression = image.info.get("compression")
    if compression not in TIFF_COMPRESSIONS:
        raise wrong(path, f"TIFF compressed as {', '.join(TIFF_COMPRESSIONS)}", printable(compression))
    width, length = (image.tag_v2.get(tag, 1) for tag in (TILE_WIDTH, TILE_LENGTH))  # type: ignore[attr-defined]
    # libtiff fills a whole tile, whatever part of it the image needs
    if not (isinstance(width, int) and isinstance(length, int) and width * length <= OTHER_PIXELS):
        raise wrong(
            path, f"tiles of {_megapixels(OTHER_PIXELS)}", f"{printable(width)} x {printable(length)}"
        )


def _orientation(image: "ImageFile", file: CountedFile) -> int:
    if image.format == "TIFF":
        return 1  # Pillow turns these itself as it loads them
    exif = file.exif or image.info.get("exif")
    return orientation(exif) if isinstance(exif, bytes) else 1


def _megapixels(count: int) -> str:
    return f"at most {count / 1e6:g} megapixels"


def _reason(error: BaseException, start: bytes) -> str:
    """What is wrong with a file that Pillow does not take, in a few words."""
    from PIL import UnidentifiedImageError

    if not isinstance(error, UnidentifiedImageError):
        text = printable(" ".join(str(error).split()))[:100] or type(error).__name__
        return f"a broken one ({text})"
    if start[4:8] == b"ftyp":
        return "HEIC, AVIF or a video"
    if (
        start.decode("ascii", "replace")
        .replace("\n", " ")
        .replace("\r", " ")
        .replace("\t", " ")
        .isprintable()
    ):
        return f"text that begins with {start[:16].decode('ascii', 'replace')!r}"
    return f"no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} that can be read"
