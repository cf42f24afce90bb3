"""Batch files of a known size, whether they lie in a folder or in an archive."""

from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from pathlib import Path

from softmaxclf.datasets.cifar.layouts import Layout
from softmaxclf.datasets.inputs import opened, unreadable
from softmaxclf.errors import DataError


@dataclass(frozen=True)
class Member:
    """One batch file: its name in the layout, where it is for messages, its size in bytes, its content.

    The stream that `read` takes from may go on behind the content: no more than `size` bytes are read of it.
    """

    name: str
    place: str
    size: int
    read: Callable[[int], bytes]  # gives fewer bytes than asked for only at the end

    def content(self, limit: int) -> bytes:
        """All bytes. Raises DataError, also for more than `limit`, which no batch has."""
        if self.size > limit:
            raise DataError(
                f"{self.place}: expected at most {limit:,} bytes, found {self.size:,}; "
                "this is no CIFAR batch: fetch or write the file again (softmaxclf data download)"
            )
        try:
            content = self.read(self.size)
        except OSError as error:
            raise unreadable(self.place, error) from error
        if len(content) < self.size:
            raise DataError(
                f"{self.place}: expected {self.size} bytes, found an earlier end; "
                "fetch the file again (softmaxclf data download)"
            )
        return content


def folder_members(folder: Path, layout: Layout, names: Collection[str]) -> Generator[Member, None, None]:
    """Those of the files `names` that `folder` has, in that order, each open while it is in use. Raises DataError."""
    for path in [folder / name for name in names if (folder / name).exists()]:
        with opened(path) as (file, size):
            yield Member(path.name, str(path), size, file.read)
