"""The one lock: a file that keeps two processes from the same work."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from softmaxclf.errors import SoftmaxclfError
from softmaxclf.files import own_file

try:
    import fcntl
except ImportError:  # a system without flock: two processes at the same work are then not noticed
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held(path: Path, busy: SoftmaxclfError) -> Iterator[None]:
    """Hold the lock file `path`, which is made here and gone afterwards; the system frees it even after SIGKILL.

    Raises `busy` while another process holds it, and OutputError where the file cannot be made. On a file system
    without locks nobody is kept out.
    """
    handle = _locked(path, busy)
    try:
        yield
    finally:
        if _is_still(path, handle):  # only the holder gets here, so nobody loses a lock of theirs
            with suppress(OSError):
                path.unlink()
        os.close(handle)


def _locked(path: Path, busy: SoftmaxclfError) -> int:
    while True:
        handle = own_file(path)
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


def _is_still(path: Path, handle: int) -> bool:
    """Whether the file at `path` is the one that was opened."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except OSError:
        return False
