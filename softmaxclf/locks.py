"""The one lock: a file that keeps two processes from the same work."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from softmaxclf.errors import OutputError, SoftmaxclfError
from softmaxclf.files import make_folder, own_file

try:
    import fcntl
except ImportError:  # a system without flock: two processes at the same work are then not noticed
    fcntl = None  # type: ignore[assignment]


MOST_ATTEMPTS = 100


@contextmanager
def held(path: Path, busy: SoftmaxclfError) -> Iterator[Callable[[], bool]]:
    """Hold the lock file `path`, made here with its folder and gone afterwards; the system frees it even after SIGKILL.

    Yields what tells whether the lock is held still, or somebody removed the file.
    Raises `busy` while another process holds it, and OutputError where the file cannot be made. On a file system
    without locks nobody is kept out.
    """
    handle = _locked(path, busy)
    try:
        yield partial(_is_still, path, handle)
    finally:
        if _is_still(path, handle):  # only the holder gets here, so nobody loses a lock of theirs
            with suppress(OSError):
                path.unlink()
        os.close(handle)


def _locked(path: Path, busy: SoftmaxclfError) -> int:
    while True:
        handle = _opened(path)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(handle)
            raise busy from None
        except OSError:
            return handle
        if _is_still(path, handle):
            return handle
        os.close(handle)  # the last holder removed the file after we had opened it


def _opened(path: Path) -> int:
    for attempt in range(MOST_ATTEMPTS + 1):
        try:
            make_folder(path.parent)
            return own_file(path)
        except OutputError as error:
            # The last holder may remove the folder, empty as it was, while we make sure of it.
            vanished = isinstance(error.__cause__, FileNotFoundError | FileExistsError)
            if attempt == MOST_ATTEMPTS or not vanished:
                raise
    raise AssertionError


def _is_still(path: Path, handle: int) -> bool:
    """Whether the file at `path` is the one that was opened."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except OSError:
        return False
