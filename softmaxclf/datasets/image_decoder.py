"""Image files from anywhere, decoded by Pillow within bounds that are checked before anything is decoded.

Pillow is asked for eight formats and no other: PNG, JPEG (with MPO, its form with several pictures), GIF, BMP,
WEBP, TIFF and PPM (with PGM and PBM). The first frame of an animation is decoded, the others are not looked at.

A format may state any size in a few bytes, or any number of parts in a small file, so these are bounded:

    the kind of file      a regular one, as a pipe could block for ever
    bytes of the file     MAX_BYTES
    pixels                MAX_PIXELS, by decoder: what is worst of its memory and its time; MAX_SIDE on each side
    reads from the file   MAX_READS calls, MAX_READ bytes in one call of a format that reads in parts, and twice
                          the file's size in all: chunks, tags and blocks without end, tags that share their bytes
    scans of a JPEG       MAX_SCANS: each costs a pass over the whole image
    tiles of a TIFF       MAX_TILES, none larger than MAX_PIXELS, and only compressions that cameras and scanners use
    comments of a PPM     MAX_COMMENTS: Pillow takes time quadratic in them

So an answer needs less than 200 MB and, on a common machine, less than two seconds. Whatever Pillow raises
while it reads becomes a DataError; only calls of Pillow stand where that is caught.
"""

import io
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from softmaxclf.errors import DataError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "MPO")
MAX_BYTES = 48 << 20
MAX_SIDE = 32_768  # Pillow keeps a pointer for every line
# A decoded pixel takes 4 bytes. JPEG is decoded at 1/2, 1/4 or 1/8 of its size, but a progressive one keeps 6
# bytes of coefficients; WEBP keeps four copies; "python" stands for the decoders that are loops in Python.
MAX_PIXELS = {"JPEG": 64_000_000, "progressive JPEG": 25_000_000, "WEBP": 10_000_000, "python": 500_000}
OTHER_PIXELS = 36_000_000
PYTHON_DECODERS = ("ppm", "ppm_plain", "bmp_rle")
MAX_READS, MAX_READ = 1_000_000, 4 << 20
MAX_SCANS, MAX_TILES, MAX_COMMENTS = 100, 20_000, 100
TIFF_COMPRESSIONS = (
    "raw", "tiff_ccitt", "group3", "group4", "tiff_lzw", "jpeg", "tiff_adobe_deflate", "tiff_deflate", "packbits",
)  # fmt: skip
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+")
TILE_WIDTH, TILE_LENGTH = 322, 323  # TIFF 6.0, section 15
START_OF_SCAN = b"\xff\xda"  # ITU-T T.81, table B.1; entropy-coded bytes cannot look like it
SMALLER = "make a smaller copy"
REMEDY = "name another file, or save this image again as PNG"

# All that Pillow's readers were seen to raise on broken bytes, and what their arithmetic on them can raise.
PILLOW_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError, MemoryError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip


@contextmanager
def decoded(path: Path, least_side: int) -> Iterator["ImageFile"]:
    """The image of a file, loaded, in its own mode; a JPEG perhaps smaller, but no side under `least_side`.

    Raises DataError: one line with the file, what was expected, what was found and what to do.
    """
    with _opened(path) as file:
        with pillow(path, file.start):
            from PIL import Image

            image = Image.open(file, formats=FORMATS)
        with image:
            _check_size(path, image)
            with pillow(path):
                _check_parts(path, image, file)
                image.draft(None, (least_side, least_side))
                image.load()
            _check_size(path, image)
            yield image


def printable(path: object) -> str:
    """A path as one line that any terminal can show: other characters as Python writes them, as in \\n."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in str(path)
    )


def wrong(path: Path, expected: str, found: str, remedy: str = REMEDY) -> DataError:
    """The one message for an image file that is not taken."""
    return DataError(f"{printable(path)}: expected {expected}, found {found}; {remedy}")


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
            raise wrong(path, _megapixels(max(MAX_PIXELS.values())), "far more", SMALLER) from error
        except PILLOW_ERRORS as error:
            raise wrong(path, "a whole image", _reason(error, start)) from error


class _CountedFile(io.BufferedReader):
    """A file that refuses to be read in too many or too large pieces."""

    def __init__(self, path: Path, raw: io.FileIO, size: int) -> None:
        super().__init__(raw)
        self.path, self.size = path, size
        self.start = self.peek(32)[:32]
        # A larger tag would be unpacked into numbers one by one; libtiff reads the pixels past this class.
        self.most_at_once = MAX_READ if self.start[:4] in TIFF_STARTS else size
        self._reads, self._left = MAX_READS, 2 * size + (1 << 16)

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self._reads -= 1
        self._left -= len(content)
        if self._reads < 0 or self._left < 0 or len(content) > self.most_at_once:
            raise wrong(self.path, "an image in a few parts", "parts without end")
        return content


@contextmanager
def _opened(path: Path) -> Iterator[_CountedFile]:
    """A regular file within MAX_BYTES, open for reading. Raises DataError."""
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        handle = os.open(path, flags)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or str(error)
        raise wrong(path, "a readable image file", reason, "check the path and its permissions") from error
    with io.FileIO(handle) as raw:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            found = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or device"
            raise wrong(path, "an image file", found, "name a file")
        if not 0 < status.st_size <= MAX_BYTES:
            expected = f"an image file of 1 to {MAX_BYTES:,} bytes"
            raise wrong(path, expected, f"{status.st_size:,} bytes" if status.st_size else "an empty file")
        with pillow(path):
            file = _CountedFile(path, raw, status.st_size)
        with file:
            yield file


def _check_size(path: Path, image: "ImageFile") -> None:
    """Raise DataError when the stated size is more than its decoder may be asked for."""
    kind = _decoder_kind(image)
    most = MAX_PIXELS.get(kind, OTHER_PIXELS)
    width, height = image.size
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= most):
        expected = f"{_megapixels(most)} and {MAX_SIDE:,} pixels a side"
        raise wrong(path, expected, f"{width:,} x {height:,} pixels ({image.format})", SMALLER)


def _decoder_kind(image: "ImageFile") -> str:
    if image.tile and image.tile[0][0] in PYTHON_DECODERS:
        return "python"
    if image.format in ("JPEG", "MPO"):
        return "progressive JPEG" if image.info.get("progressive") else "JPEG"
    return str(image.format)


def _check_parts(path: Path, image: "ImageFile", file: _CountedFile) -> None:
    """Raise DataError when an image of a fair size would still take its decoder too long or too much memory."""
    if len(image.tile) > MAX_TILES:
        raise wrong(path, f"at most {MAX_TILES:,} tiles", f"{len(image.tile):,}")
    if image.format == "TIFF":
        _check_tiff(path, image)
    if image.format in ("JPEG", "MPO") and _count(file, START_OF_SCAN) > MAX_SCANS:
        raise wrong(path, f"at most {MAX_SCANS} scans", "more")
    if image.tile and image.tile[0][0] == "ppm_plain" and _count(file, b"#") > MAX_COMMENTS:
        raise wrong(path, f"at most {MAX_COMMENTS} comments", "more")


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


def _count(file: _CountedFile, marker: bytes) -> int:
    """How often `marker` stands in the file; the position is put back."""
    place = file.tell()
    file.seek(0)
    found, last = 0, b""
    while piece := file.raw.read(1 << 20):
        found += (last + piece).count(marker)
        last = piece[len(piece) - len(marker) + 1 :]
    file.seek(place)
    return found


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
    return f"no {', '.join(FORMATS[:-2])} or {FORMATS[-2]} that can be read"
