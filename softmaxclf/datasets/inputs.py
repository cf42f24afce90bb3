"""Input files: opened, or refused in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from softmaxclf.datasets.checks import MAX_NAME
from softmaxclf.errors import DataError
from softmaxclf.files import open_regular


def unreadable(place: object, error: OSError) -> DataError:
    """The one message for an input that the system refuses to give."""
    return DataError(
        f"{place}: expected a readable file, found: {error.strerror or error}; "
        "check the path and its permissions, or fetch the data again (softmaxclf data download)"
    )


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file, open for reading, and its size. Raises DataError, also where a read fails."""
    try:
        with open_regular(path) as (file, size):
            yield file, size
    except OSError as error:
        if error.filename != str(path):
            raise
        raise unreadable(path, error) from error


def read_lines(path: Path) -> NDArray[Any]:
    """The lines (N,) of a text file in UTF-8, without the spaces around them. Raises DataError."""
    with opened(path) as (file, _):
        try:
            lines = [line.strip() for line in file.read().decode("utf-8-sig").splitlines()]
        except UnicodeDecodeError as error:
            found = f"byte {error.object[error.start]:#x} at {error.start:,}"
            raise DataError(f"{path}: expected UTF-8 text, found {found}; save it as UTF-8") from error
    wrong = next((place for place, line in enumerate(lines, 1) if not 0 < len(line) <= MAX_NAME), None)
    if wrong is not None:
        raise DataError(
            f"{path}: expected one label a line, of 1 to {MAX_NAME} characters, found {len(lines[wrong - 1]):,} "
            f"in line {wrong}; write a label there"
        )
    return np.array(lines, str)
