"""Files: opened only where that cannot block, written so that no reader sees half of one, hashed, named in one line."""

import errno
import glob
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from softmaxclf.errors import OutputError


def printable(text: object) -> str:
    """A path or text as one line that any terminal can show: other characters as Python writes them, as in \\n."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


@contextmanager
def open_regular(path: Path) -> Iterator[tuple[BufferedReader, int]]:
    """A regular file, open for reading, and its size. Raises OSError, for folders, pipes and devices too."""
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, "no name of a file") from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "a folder, pipe or device")
    with os.fdopen(handle, "rb") as file:
        yield file, status.st_size


@contextmanager
def atomic_writer(path: Path, *, make_folder: bool = True) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `path` when the block ends well, and vanishes when it does not.

    The temporary file lies in the same folder, which is made if need be and wanted, is flushed to the disk and then
    renamed over `path`, so `path` always holds either its old or its new content, whole. Raises OutputError where the
    system refuses.
    """
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.umask(mask := os.umask(0))  # the one way to learn it
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):  # a disk that failed may also refuse this; the first error is the one to tell
            Path(name).unlink(missing_ok=True)


def remnants(path: Path) -> list[Path]:
    """The temporary files that `atomic_writer` left of `path` where its process was killed."""
    return [*path.parent.glob(f".{glob.escape(path.name)}.*.tmp")]


def remove(path: Path) -> None:
    """Delete a file, if it is there, and what is left of writing it. Raises OutputError."""
    for each in (path, *remnants(path)):
        try:
            each.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(each, error) from error


def make_folder(path: Path) -> None:
    """Make the folder if need be. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def own_file(path: Path) -> int:
    """A regular file at `path` itself, opened or made, as a handle to read and write. Raises OutputError.

    What another person put there, a link or a pipe, is not followed and not waited for.
    """
    flags = os.O_RDWR | os.O_CREAT
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        raise cannot_write(path, error) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OutputError(f"{path}: expected a regular file, found another kind; move it away")
    return handle


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The one message for an output that the system refuses to take."""
    return OutputError(
        f"{path}: cannot be written: {error.strerror or error}; "
        "free some space, fix the permissions or choose another folder with --out"
    )


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically. Raises OutputError."""
    with atomic_writer(path) as file:
        file.write(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, atomically. Raises OutputError."""
    write_bytes(path, content.encode())


def digest_of_file(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of a regular file's bytes. Raises OSError."""
    with open_regular(path) as (file, _):
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
