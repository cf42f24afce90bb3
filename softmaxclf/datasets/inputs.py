"""Input files: opened, or refused in one line."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

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
    """A regular file, open for reading, and its size. Raises DataError."""
    with ExitStack() as stack:
        try:
            file, size = stack.enter_context(open_regular(path))
        except OSError as error:
            raise unreadable(path, error) from error
        yield file, size
