"""The file that a download grows in before it gets its name, and the lock that keeps two of them apart."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from softmaxclf.datasets.digests import PIECE
from softmaxclf.errors import DataError, OutputError
from softmaxclf.files import cannot_write

try:
    import fcntl
except ImportError:  # a system without flock: two downloads into one folder are then not noticed
    fcntl = None  # type: ignore[assignment]


def part_path(final: Path) -> Path:
    """Where the download of `final` grows: beside it, so that a rename puts it into place."""
    return final.with_name(f"{final.name}.part")


class PartFile:
    """A growing file, its size in bytes and the SHA-256 of its content. Methods raise OutputError.

    Written without a buffer: what has been appended stays, however the program ends.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.size = 0
        self._file = file
        self._hasher = hashlib.sha256()

    def reread(self, limit: int, report: Callable[[int], None]) -> None:
        """Take over what an earlier download left, unless it is more than `limit` bytes."""
        with _writing(self.path):
            if os.fstat(self._file.fileno()).st_size > limit:
                self.restart()
            while piece := self._file.read(PIECE):
                self._hasher.update(piece)
                self.size += len(piece)
                report(self.size)

    def append(self, piece: bytes) -> None:
        """Write `piece` at the end."""
        left = memoryview(piece)
        with _writing(self.path):
            while left:
                written = self._file.write(left)
                self._hasher.update(left[:written])
                self.size += written
                left = left[written:]

    def restart(self) -> None:
        """Forget everything."""
        with _writing(self.path):
            self._file.seek(0)
            self._file.truncate()
        self.size = 0
        self._hasher = hashlib.sha256()

    def sha256(self) -> str:
        """The hash of all that has been appended, in hexadecimal."""
        return self._hasher.hexdigest()

    def move_to(self, final: Path) -> None:
        """Give the file its name, after its content has reached the disk."""
        with _writing(final):
            os.fsync(self._file.fileno())
            self._file.close()
            self.path.replace(final)


@contextmanager
def part_file(final: Path) -> Iterator[PartFile]:
    """The part of `final`, open; it stays for the next attempt unless it is empty. Raises OutputError."""
    path = part_path(final)
    flags = os.O_RDWR | os.O_CREAT
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):  # a link or a pipe is no part of ours
        flags |= getattr(os, name, 0)
    with _writing(path):
        handle = os.open(path, flags, 0o666)
    with os.fdopen(handle, "r+b", buffering=0) if _is_regular(handle, path) else _refused(path) as file:
        part = PartFile(path, file)
        try:
            yield part
        finally:
            if not part.size and not file.closed:
                with suppress(OSError):
                    path.unlink(missing_ok=True)


@contextmanager
def locked(final: Path) -> Iterator[None]:
    """Keep other processes from downloading `final`. Raises DataError while one does, OutputError."""
    path = final.with_name(f"{final.name}.lock")
    if fcntl is None:
        yield
        return
    handle = _locked_handle(path)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(handle)
