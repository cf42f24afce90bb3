"""Reading known members of a `.tar.gz` in place, as a stream: nothing is extracted, nothing else is read.

`gzip` unpacks in pieces and checks the checksum, `tarfile` parses each header; what follows a header is decided
here. A regular file is given to the caller if it is asked for by its exact name in the known folder, else passed
over, as are folders and the notes (extended headers) about times and owners, which so have no power over names and
sizes. Links, devices, sparse files, long-name records, names outside their folder and a wanted member met twice
end in a DataError. An archive that unpacks to more than 20 times its size is refused once it has given 64 MiB, and
nothing is collected but the batches asked for, so neither memory nor time grows with what a header declares.
"""

import tarfile
from collections.abc import Collection, Generator, Iterator
from pathlib import Path
from tarfile import BLOCKSIZE, TarInfo
from typing import BinaryIO

from softmaxclf.datasets.cifar.layouts import LAYOUTS, Layout
from softmaxclf.datasets.cifar.members import Member
from softmaxclf.datasets.gzipped import Unpacked
from softmaxclf.datasets.inputs import opened

_PIECE = 1 << 20  # bytes unpacked at a time
_RATIO = (
    20  # photographs hardly shrink; beyond gzipped.FREE an archive may unpack to this multiple of its size
)
_NOTES = (tarfile.XHDTYPE, tarfile.XGLTYPE)


def _unpacked(path: Path, file: BinaryIO, size: int) -> Unpacked:
    remedy = "this is no whole CIFAR archive: fetch it again (softmaxclf data download)"
    return Unpacked(path, file, size, _RATIO, remedy)


def layout_of_archive(path: Path) -> Layout:
    """Which of the four official archives this is, by its first known folder. Raises DataError."""
    folders = {layout.folder: layout for layout in LAYOUTS}
    with opened(path) as (file, size):
        unpacked = _unpacked(path, file, size)
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
        unpacked = _unpacked(path, file, size)
        for info in _headers(unpacked):
            if info.name not in wanted or info.isdir():
                continue
            if info.name in seen:
                raise unpacked.broken(f"{info.name} once, found it twice")
            seen.add(info.name)
            yield Member(wanted[info.name], f"{path}: {info.name}", info.size, unpacked.read)


def _headers(unpacked: Unpacked) -> Iterator[TarInfo]:
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


def _check_harmless(info: TarInfo, unpacked: Unpacked) -> None:
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
