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
    with os.fdopen(_own_file(path), "r+b", buffering=0) as file:
        part = PartFile(path, file)
        try:
            yield part
        finally:
            if not part.size:
                with suppress(OSError):
                    path.unlink(missing_ok=True)


@contextmanager
def locked(final: Path) -> Iterator[None]:
    """Keep other processes from downloading `final`. Raises DataError while one does, OutputError."""
    if fcntl is None:
        yield
        return
    path = final.with_name(f"{final.name}.lock")
    handle = _locked_handle(path, final)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(handle)


def _locked_handle(path: Path, final: Path) -> int:
    while True:
        handle = _own_file(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            os.close(handle)
            raise DataError(
                f"{final}: expected to download it alone, found another process at it; "
                "wait until that one has ended, then give the same command again"
            ) from error
        except OSError:  # a file system without locks
            return handle
        if _is_still(path, handle):
            return handle
        os.close(handle)  # the last holder removed the file after we had opened it


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _own_file(path: Path) -> int:
    """A regular file at `path` itself, opened or made. Raises OutputError: a link or a pipe is not ours."""
    flags = os.O_RDWR | os.O_CREAT
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, name, 0)
    with _writing(path):
        handle = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OutputError(f"{path}: expected a regular file, found another kind; move it away")
    return handle


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error
