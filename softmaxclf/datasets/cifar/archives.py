"""Reading known members of a `.tar.gz` in place, as a stream: nothing is extracted, nothing else is read.

`gzip` unpacks in pieces and checks the checksum, `tarfile` parses each header; what follows a header is decided
here. A regular file is given to the caller if it is asked for by its exact name in the known folder, else passed
over, as are folders and the notes (extended headers) about times and owners, which so have no power over names and
sizes. Links, devices, sparse files, long-name records, names outside their folder and a wanted member met twice
end in a DataError. An archive that unpacks to more than 20 times its size is refused once it has given 64 MiB, and
nothing is collected but the batches asked for, so neither memory nor time grows with what a header declares.
"""

import gzip
import tarfile
import zlib
from collections.abc import Collection, Generator, Iterator
from pathlib import Path
from tarfile import BLOCKSIZE, TarInfo
from typing import BinaryIO

from softmaxclf.datasets.cifar.layouts import LAYOUTS, Layout
from softmaxclf.datasets.cifar.members import Member
from softmaxclf.datasets.inputs import opened, unreadable
from softmaxclf.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 20  # bytes unpacked at a time
_FREE = 64 << 20  # bytes that any archive may unpack to
_RATIO = 20  # photographs hardly shrink; beyond _FREE an archive may unpack to this multiple of its size
_NOTES = (tarfile.XHDTYPE, tarfile.XGLTYPE)


class _Unpacked:
    """The bytes of a gzip file, unpacked as they are asked for; `done` have been."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.path = path
        self.done = 0
        self._most = max(_FREE, _RATIO * size)
        self._gzip = gzip.GzipFile(fileobj=file, mode="rb")

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer only at the end, where the checksum is checked. Raises DataError."""
        try:
            piece = self._gzip.read(count)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self.broken(
                f"a whole gzip file, found damage after {self.done:,} unpacked bytes"
            ) from error
        except OSError as error:
            raise unreadable(self.path, error) from error
        self.done += len(piece)
        if self.done > self._most:
            raise self.broken(f"at most {_RATIO} times its size unpacked, found more")
        return piece

    def broken(self, expected_and_found: str) -> DataError:
        """The DataError for what stands here."""
        return DataError(
            f"{self.path}: expected {expected_and_found}; "
            "this is no whole CIFAR archive: fetch it again (softmaxclf data download)"
        )


def layout_of_archive(path: Path) -> Layout:
    """Which of the four official archives this is, by its first known folder. Raises DataError."""
    folders = {layout.folder: layout for layout in LAYOUTS}
    with opened(path) as (file, size):
        unpacked = _Unpacked(path, file, size)
        for info in _headers(unpacked):
            layout = folders.get(info.name.split("/")[0])
            if layout is not None:
                return layout
    raise unpacked.broken(f"a folder {' or '.join(folders)}, found none")


def archive_members(path: Path, layout: Layout, names: Collection[str]) -> Generator[Member, None, None]:
    """The files `names` of the archive, in its order; each is to be read before the next is asked for.

    Whoever asks until there are no more has the whole archive checked, its checksum and that no wanted name comes
    twice; whether all names came is for the caller to check. Raises DataError.
    """
    wanted = {f"{layout.folder}/{name}": name for name in names}
    seen: set[str] = set()
    with opened(path) as (file, size):
        unpacked = _Unpacked(path, file, size)
        for info in _headers(unpacked):
            if info.name not in wanted or info.isdir():
                continue
            if info.name in seen:
                raise unpacked.broken(f"{info.name} once, found it twice")
            seen.add(info.name)
            yield Member(wanted[info.name], f"{path}: {info.name}", info.size, unpacked.read)


def _headers(unpacked: _Unpacked) -> Iterator[TarInfo]:
    """The header of each regular file or folder; ends after the archive's end was checked. Raises DataError.

    What its reader leaves of a member is passed over.
    """
    while (block := unpacked.read(BLOCKSIZE)).strip(b"\0"):
        try:
            info = TarInfo.frombuf(block, "latin-1", "strict")
        except tarfile.HeaderError as error:
            raise unpacked.broken("a tar header, found other bytes") from error
        end = unpacked.done + info.size + -info.size % BLOCKSIZE
        if info.type not in _NOTES:
            info.name = info.name.removeprefix("./")
            _check_harmless(info, unpacked)
            yield info
        while unpacked.done < end:
            if not unpacked.read(min(_PIECE, end - unpacked.done)):
                raise unpacked.broken("a whole tar archive, found its end inside a member")
    if len(block) < BLOCKSIZE:
        raise unpacked.broken("a whole tar archive, found its end without a last block")
    while padding := unpacked.read(_PIECE):
        if padding.strip(b"\0"):
            raise unpacked.broken("nothing after the last member, found more")


def _check_harmless(info: TarInfo, unpacked: _Unpacked) -> None:
    """Refuse what is neither a file nor a folder, and names that lead elsewhere."""
    shown = ascii(info.name)[:60]
    if info.size < 0 or not (
        info.type in (tarfile.REGTYPE, tarfile.AREGTYPE) or (info.isdir() and not info.size)
    ):
        raise unpacked.broken(
            f"only files and empty folders, found {shown} of tar type {ascii(info.type)[1:]}"
        )
    if info.name.startswith("/") or "\\" in info.name or ".." in info.name.split("/"):
        raise unpacked.broken(f"only names inside its folder, found {shown}")
