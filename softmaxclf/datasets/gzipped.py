"""Gzip files as streams that cannot unpack without end."""

import gzip
import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from softmaxclf.datasets.inputs import unreadable
from softmaxclf.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
FREE = 64 << 20  # bytes that any file may unpack to


class Unpacked(io.RawIOBase):
    """The bytes of a gzip file, unpacked as they are asked for; `done` have been.

    ratio: what the file may unpack to beyond FREE, as a multiple of its size. remedy: what to do about a broken one.
    """

    def __init__(self, path: Path, file: BinaryIO, size: int, ratio: int, remedy: str) -> None:
        self.path, self.done = path, 0
        self._most, self._ratio, self._remedy = max(FREE, ratio * size), ratio, remedy
        self._gzip = gzip.GzipFile(fileobj=file, mode="rb")

    def read(self, count: int = -1) -> bytes:
        """The next `count` bytes, fewer only at the end, where the checksum is checked. Raises DataError."""
        try:
            piece = self._gzip.read(count)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self.broken(
                f"a whole gzip file, found damage after {self.done:,} unpacked bytes"
            ) from error
        except OSError as error:
            raise unreadable(self.path, error) from error
        self.done += len(piece)
        if self.done > self._most:
            raise self.broken(f"at most {self._ratio} times its size unpacked, found more")
        return piece

    def readable(self) -> bool:
        """Whether it can be read: a stream for `io`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` as `read` does, and return how many bytes there were."""
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def broken(self, expected_and_found: str) -> DataError:
        """The DataError for what stands here."""
        return DataError(f"{self.path}: expected {expected_and_found}; {self._remedy}")
