"""Batch files of a known size, whether they lie in a folder or in an archive."""

import mmap
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from softmaxclf.datasets.cifar.layouts import Layout
from softmaxclf.datasets.inputs import opened
from softmaxclf.errors import DataError
from softmaxclf.files import exists


@dataclass(frozen=True)
class Member:
    """One batch file: its name in the layout, where it is for messages, its size in bytes, its content.

    The stream that `read` takes from may go on behind the content: no more than `size` bytes are read of it.
    """

    name: str
    place: str
    size: int
    read: Callable[[int], bytes]  # gives fewer bytes than asked for only at the end
    file: BinaryIO | None = None  # the file itself where it can be mapped

    def content(self, limit: int) -> bytes | bytearray | mmap.mmap:
        """All bytes: mapped from a folder, collected as they arrive from an archive.

        Raises DataError, also where there are more than `limit`, which no batch has.
        """
        if self.size > limit:
            raise DataError(
                f"{self.place}: expected at most {limit:,} bytes, found {self.size:,}; "
                "this is no CIFAR batch: fetch or write the file again (softmaxclf data download)"
            )
        try:
            if self.file is not None and self.size:
                return mmap.mmap(self.file.fileno(), self.size, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.place}: cannot be read: {error}; check the disk and try again") from error
        collected = bytearray()
        while len(collected) < self.size:
            piece = self.read(min(1 << 20, self.size - len(collected)))
            if not piece:
                raise DataError(
                    f"{self.place}: expected {self.size} bytes, found an earlier end; "
                    "fetch the file again (softmaxclf data download)"
                )
            collected += piece
        return collected


def folder_members(folder: Path, layout: Layout, names: Collection[str]) -> Generator[Member, None, None]:
    """Those of the files `names` that `folder` has, in that order, each open while it is in use. Raises DataError."""
    for path in [folder / name for name in names if exists(folder / name)]:
        with opened(path) as (file, size):
            yield Member(path.name, str(path), size, file.read, file)
