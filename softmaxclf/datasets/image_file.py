"""Image files as Pillow gets to see them: regular, of a bounded size, and not read for ever."""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from softmaxclf.errors import DataError
from softmaxclf.files import printable

MAX_BYTES = 48 << 20
MAX_READS = 400_000
EXIF = b"Exif\0\0"
HIDDEN = (EXIF, b"MPF\0")  # starts of JPEG segments
START_OF_JPEG = b"\xff\xd8"
_PIECE = 1 << 20
REMEDY = "name another file, or save this image again as PNG"


def wrong(path: Path, expected: str, found: str, remedy: str = REMEDY) -> DataError:
    """The one message for an image file that is not taken."""
    return DataError(f"{printable(path)}: expected {expected}, found {found}; {remedy}")


class CountedFile(io.BufferedReader):
    """A file that refuses to be read in too many pieces, and keeps back the `exif` of a JPEG."""

    def __init__(self, path: Path, raw: io.FileIO, size: int) -> None:
        super().__init__(raw)
        self.path, self.size = path, size
        self.start = self.read_at(0, 32)
        self.exif = b""
        self._hiding = self.start.startswith(START_OF_JPEG)
        self._reads, self._left = MAX_READS, 4 * size + (1 << 16)

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self._reads -= 1
        self._left -= len(content)
        if self._reads < 0 or self._left < 0:
            raise wrong(self.path, "an image in a few parts", "parts without end")
        if self._hiding and content.startswith(HIDDEN):
            self.exif = self.exif or content * content.startswith(EXIF)
            return bytes(len(content))
        return content

    def read_at(self, offset: int, size: int) -> bytes:
        """`size` bytes at `offset`, not counted; fewer at the end."""
        self.seek(offset)
        return super().read(size)

    def count(self, marker: bytes) -> int:
        """How often `marker` stands in the file."""
        found, overlap = 0, len(marker) - 1
        for start in range(0, self.size, _PIECE):
            found += self.read_at(start, _PIECE + overlap).count(marker)
        return found


@contextmanager
def opened(path: Path) -> Iterator[CountedFile]:
    """A regular file within MAX_BYTES, open for reading. Raises DataError."""
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        handle = os.open(path, flags)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise _unreadable(path, error) from error
    with _closing(handle):
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            found = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or device"
            raise wrong(path, "an image file", found, "name a file")
        if not 0 < status.st_size <= MAX_BYTES:
            expected = f"an image file of 1 to {MAX_BYTES:,} bytes"
            raise wrong(path, expected, f"{status.st_size:,} bytes" if status.st_size else "an empty file")
        try:
            file = CountedFile(path, io.FileIO(handle, closefd=False), status.st_size)
        except OSError as error:
            raise _unreadable(path, error) from error
        with file:
            yield file


def _unreadable(path: Path, error: OSError | ValueError) -> DataError:
    reason = getattr(error, "strerror", None) or str(error)
    return wrong(path, "a readable image file", reason, "check the path and its permissions")


@contextmanager
def _closing(handle: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(handle)
