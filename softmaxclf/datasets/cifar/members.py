"""Batch files as streams of a known size, whether they lie in a folder or in an archive."""

import mmap
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from softmaxclf.datasets.inputs import opened, unreadable
from softmaxclf.errors import DataError


class Stream(Protocol):
    """What is read from a batch: `read` gives fewer bytes than asked for only at the end."""

    def read(self, count: int) -> bytes: ...


@dataclass(frozen=True)
class Member:
    """One batch file: its name in the layout, where it is for messages, its size in bytes, its content.

    The stream may go on behind the content: no more than `size` bytes are read of it.
    """

    name: str
    place: str
    size: int
    stream: Stream
    file: BinaryIO | None = None  # the file itself where it can be mapped

    def content(self, limit: int) -> bytes | bytearray | mmap.mmap:
        """All bytes: mapped from a folder, collected as they arrive from an archive. Raises DataError."""
        self.check(limit)
        if self.file is not None and self.size > 1 << 16:
            try:
                return mmap.mmap(self.file.fileno(), self.size, access=mmap.ACCESS_READ)
            except (OSError, ValueError) as error:
                raise DataError(
                    f"{self.place}: cannot be read: {error}; check the disk and try again"
                ) from error
        collected = bytearray()
        while len(collected) < self.size:
            collected += self.exactly(min(1 << 20, self.size - len(collected)))
        return collected

    def exactly(self, count: int) -> bytes:
        """The next `count` bytes. Raises DataError where the file ends before."""
        try:
            content = self.stream.read(count)
        except OSError as error:
            raise unreadable(self.place, error) from error
        if len(content) != count:
            raise DataError(
                f"{self.place}: expected {self.size} bytes, found an earlier end; "
                "fetch the file again (softmaxclf data download)"
            )
        return content

    def check(self, limit: int) -> None:
        """Raise DataError when the file is larger than any batch can be."""
        if self.size > limit:
            raise DataError(
                f"{self.place}: expected at most {limit:,} bytes, found {self.size:,}; "
                "this is no CIFAR batch: fetch or write the file again (softmaxclf data download)"
            )


def folder_members(folder: Path, names: Iterable[str]) -> Generator[Member, None, None]:
    """The files `names` of `folder`, in that order, each open while it is in use. Raises DataError."""
    for name in names:
        with opened(folder / name) as (file, size):
            yield Member(name, str(folder / name), size, file, file)
