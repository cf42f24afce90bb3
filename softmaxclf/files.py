"""Files: looked at, opened only where that cannot block, written so that no reader sees half of one, hashed, named in
one line. What the system refuses is an OSError that names the file, or an OutputError where one is written."""

import errno
import glob
import hashlib
import os
import resource
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, BinaryIO

from softmaxclf.errors import OutputError

OTHER_FILES = 200  # that a command has open besides those of its data: libraries, a run's files, connections


def printable(text: object) -> str:
    """A path or text as one line that any terminal can show: other characters as Python writes them, as in \\n."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def look(path: Path) -> os.stat_result | None:
    """What the system says of `path`, links followed; None where nothing is or can be. Raises OSError for permissions
    and links in a circle.

    The one question whether a path exists; pathlib raises for some of the system's reasons and hides others.
    """
    try:
        return path.stat()
    except ValueError:  # a NUL, or letters that the system's encoding lacks
        return None
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return None
        raise


def exists(path: Path) -> bool:
    """Whether something is at `path`. Raises OSError as `look` does."""
    return look(path) is not None


def is_folder(path: Path) -> bool:
    """Whether a folder, or a link to one, is at `path`. Raises OSError as `look` does."""
    found = look(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def is_file(path: Path) -> bool:
    """Whether a regular file, or a link to one, is at `path`. Raises OSError as `look` does."""
    found = look(path)
    return found is not None and stat.S_ISREG(found.st_mode)


class _Reading(FileIO):
    """A file whose errors name it, also those of a disk that fails at the first read or later."""

    def __init__(self, handle: int, path: Path) -> None:
        super().__init__(handle)
        self._path = path

    def readinto(self, buffer: Any) -> int:
        with _naming(self._path):
            return super().readinto(buffer) or 0

    def readall(self) -> bytes:
        with _naming(self._path):
            return super().readall() or b""


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


@contextmanager
def open_regular(path: Path) -> Iterator["tuple[BufferedReader[Any], int]"]:
    """A regular file, open for reading, and its size. Raises OSError, for folders, pipes and devices too."""
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:
        raise OSError(errno.EINVAL, "no name of a file", str(path)) from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "a folder, pipe or device", str(path))
    with BufferedReader(_Reading(handle, path)) as file:
        yield file, status.st_size


def room_for_files(count: int) -> int:
    """How many of `count` more files this process may have open at once, after raising its limit to that if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + OTHER_FILES
    if 0 <= soft < wanted:  # a limit of -1 is none
        with suppress(OSError, ValueError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard < 0 else min(wanted, hard), hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return count if soft < 0 else min(count, soft - OTHER_FILES)


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file. Raises OSError as `open_regular` does."""
    with open_regular(path) as (file, _):
        return file.read()


@contextmanager
def atomic_writer(path: Path, *, make_folder: bool = True) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `path` when the block ends well, and vanishes when it does not.

    The temporary file lies in the same folder, which is made if need be and wanted, is flushed to the disk and then
    renamed over `path`, so `path` always holds either its old or its new content, whole. Raises OutputError where the
    system refuses, and for a pipe, socket or device, which would be replaced.
    """
    refuse_no_file(path)
    with writing(path):
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with writing(path):
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.umask(mask := os.umask(0))  # the one way to learn it
            Path(name).chmod(0o666 & ~mask)
            Path(name).replace(path)
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
    with writing(path):
        handle = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OutputError(f"{path}: expected a regular file, found another kind; move it away")
    return handle


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system refuses in the block, where `path` is written or looked at before, into OutputError."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def refuse_no_file(path: Path) -> None:
    """Raise OutputError where no file can be put, because of a folder, pipe, socket or device or for permissions."""
    with writing(path):
        found = look(path)
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "a pipe, socket or device is there")
        if found is None:
            with suppress(FileNotFoundError):  # anything else, as a name that is too long, will not change
                path.stat()


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
