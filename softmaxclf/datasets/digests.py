"""Hashing large files in pieces, with progress."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from softmaxclf.datasets.members import opened, unreadable

PIECE = 1 << 18  # bytes read at a time


class Digest(Protocol):
    """What takes bytes and gives their hash."""

    def update(self, content: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


def digest(path: Path, algorithm: str, advance: Callable[[int], None] | None = None) -> str:
    """The hexadecimal hash of a regular file. Raises DataError where it cannot be read.

    advance: called with the number of bytes of each piece that was read.
    """
    hasher = hashlib.new(algorithm)
    with opened(path) as (file, _):
        try:
            feed(hasher, file, advance)
        except OSError as error:
            raise unreadable(path, error) from error
    return hasher.hexdigest()


def feed(hasher: Digest, file: BinaryIO, advance: Callable[[int], None] | None = None) -> None:
    """Give the rest of `file` to `hasher`, in pieces. Raises OSError."""
    while piece := file.read(PIECE):
        hasher.update(piece)
        if advance:
            advance(len(piece))
