"""Reading known members of a `.tar.gz` in place, as a stream: nothing is extracted, nothing else is read.

What is accepted, byte by byte. The file is one gzip member (1f 8b ...; its checksum and length are checked)
that holds a tar archive: headers of 512 bytes, each with a checksum, followed by the content rounded up to
512 bytes; at the end zero bytes only. Of a header, the name (and `ustar` prefix), size, checksum and type are
looked at:

- type `0`, NUL or `7`, a regular file: given to the caller if it is asked for by its exact name in the known
  folder, else passed over (and then at most 16 MiB long);
- type `5`, a folder of size 0;
- type `x` or `g`, a note of at most 64 KiB that may hold times, owners and comments, but no other name or
  size.

Everything else ends in a DataError: links, devices, pipes, sparse files, long-name records, absolute names or
names with `..`, a wanted member met twice, sizes that do not fit, more than 1,000 members, a wrong checksum.
Nothing else can happen: there is no file system operation besides reading the archive itself, output is
produced in pieces of at most 1 MiB, and an archive that unpacks to more than 20 times its size is refused
once it has given 64 MiB, so neither memory nor time grows with what a header declares.
"""

import re
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from softmaxclf.datasets.dataset import Progress
from softmaxclf.datasets.layouts import LAYOUTS, Layout
from softmaxclf.datasets.members import Member, opened, unreadable
from softmaxclf.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 512
_PIECE = 1 << 20  # bytes unpacked at a time
_FREE = 64 << 20  # bytes that any archive may unpack to
_RATIO = 20  # photographs hardly shrink; beyond _FREE an archive may unpack to this multiple of its size
_MAX_MEMBERS = 1000
_MAX_OTHER = 16 << 20  # bytes of a member that is passed over
_MAX_NOTE = 1 << 16  # bytes of an extended header
_MAX_PADDING = 1 << 20  # zero bytes after the last member
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
    b"K": "a long link name",
    b"L": "a long name",
    b"S": "a sparse file",
}
_RENAMING = re.compile(rb"(?:^|\n)[0-9]+ (?:path|linkpath|size|GNU\.sparse[^=]*)=")


@dataclass(frozen=True)
class _Header:
    name: str
    size: int
    kind: bytes


class _Unpacker:
    """The bytes of a gzip file, unpacked as they are asked for."""

    def __init__(self, path: Path, file: BinaryIO, size: int, progress: Progress | None) -> None:
        self.path = path
        self._file = file
        self._size = size
        self._progress = progress
        self._inflater = zlib.decompressobj(wbits=31)
        self._ready = bytearray()
        self._packed = self._unpacked = 0

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer only at the end. Raises DataError."""
        while len(self._ready) < count and not self._inflater.eof:
            self._unpack()
        piece = bytes(self._ready[:count])
        del self._ready[:count]
        return piece

    def _unpack(self) -> None:
        packed = self._inflater.unconsumed_tail or self._packed_bytes()
        try:
            piece = self._inflater.decompress(packed, _PIECE)
        except zlib.error as error:
            raise self.broken(f"a whole gzip file, found damage after {self._packed:,} bytes") from error
        self._ready += piece
        self._unpacked += len(piece)
        if self._unpacked > max(_FREE, _RATIO * self._packed):
            raise self.broken(f"at most {_RATIO} times its size unpacked, found more")

    def _packed_bytes(self) -> bytes:
        try:
            packed = self._file.read(1 << 18)
        except OSError as error:
            raise unreadable(self.path, error) from error
        if not packed:
            raise self.broken(f"a whole gzip file, found its end after {self._packed:,} bytes")
        self._packed += len(packed)
        if self._progress:
            self._progress(self._packed, self._size)
        return packed

    def finish(self) -> None:
        """Check that zeros and the end of the gzip file follow, with its checksum."""
        padding = self.read(_MAX_PADDING + 1)
        if len(padding) > _MAX_PADDING or padding.strip(b"\0"):
            raise self.broken("nothing after the last member, found more")
        if self._inflater.unused_data.strip(b"\0") or self._file.read(_PIECE).strip(b"\0"):
            raise self.broken("nothing after the gzip data, found more")

    def broken(self, expected_and_found: str) -> DataError:
        """The DataError for what stands here."""
        return DataError(
            f"{self.path}: expected {expected_and_found}; "
            "this is no whole CIFAR archive: fetch it again (softmaxclf data download)"
        )


class _Content:
    """The content of one member; what the reader leaves is passed over."""

    def __init__(self, unpacker: _Unpacker, size: int) -> None:
        self._unpacker = unpacker
        self._left = size
        self._padding = -size % _BLOCK

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer only at the end."""
        piece = self._unpacker.read(min(count, self._left))
        self._left -= len(piece)
        return piece

    def skip(self) -> None:
        """Pass over the rest and the padding. Raises DataError where the archive ends before."""
        left = self._left + self._padding
        while left:
            piece = self._unpacker.read(min(_PIECE, left))
            if not piece:
                raise self._unpacker.broken("a whole tar archive, found its end inside a member")
            left -= len(piece)
        self._left = self._padding = 0


def layout_of_archive(path: Path) -> Layout:
    """Which of the four official archives this is, by its first known folder. Raises DataError."""
    folders = {layout.folder: layout for layout in LAYOUTS}
    with opened(path) as (file, size):
        unpacker = _Unpacker(path, file, size, None)
        for header, content in _members(unpacker):
            layout = folders.get(header.name.split("/")[0])
            if layout is not None:
                return layout
            content.skip()
    raise unpacker.broken(f"a folder {' or '.join(folders)}, found none")


def archive_members(
    path: Path, layout: Layout, names: Collection[str], progress: Progress | None = None
) -> Iterator[Member]:
    """The files `names` of the archive, in its order; each is to be read before the next is asked for.

    The archive is read to its end, so that its checksum is checked and a second file of a wanted name is
    found; whether all names came is for the caller to check. progress: called with packed bytes done and in
    total. Raises DataError.
    """
    wanted = {f"{layout.folder}/{name}": name for name in names}
    seen: set[str] = set()
    with opened(path) as (file, size):
        unpacker = _Unpacker(path, file, size, progress)
        for header, content in _members(unpacker):
            name = wanted.get(header.name)
            if name is not None and header.kind != b"5":
                if name in seen:
                    raise unpacker.broken(f"{header.name} once, found it twice")
                seen.add(name)
                yield Member(name, f"{path}: {header.name}", header.size, content)
            elif header.size > (layout.max_bytes if header.name in _official(layout) else _MAX_OTHER):
                raise unpacker.broken(
                    f"only CIFAR files, found {ascii(header.name)[:60]} of {header.size:,} bytes"
                )
            content.skip()


def _official(layout: Layout) -> set[str]:
    return {f"{layout.folder}/{name}" for name in (*layout.train, layout.test)}


def _members(unpacker: _Unpacker) -> Iterator[tuple[_Header, _Content]]:
    """Each regular file or folder of the archive; ends after its end was checked. Raises DataError."""
    for _ in range(_MAX_MEMBERS):
        block = unpacker.read(_BLOCK)
        if not block.strip(b"\0"):
            if len(block) < _BLOCK:
                raise unpacker.broken("a whole tar archive, found its end without a last block")
            unpacker.finish()
            return
        header = _parsed(block, unpacker)
        content = _Content(unpacker, header.size)
        if header.kind in (b"x", b"g"):
            _check_note(header, content, unpacker)
            content.skip()
            continue
        yield header, content
        content.skip()
    raise unpacker.broken(f"at most {_MAX_MEMBERS} members, found more")


def _parsed(block: bytes, unpacker: _Unpacker) -> _Header:
    """The header in a block of 512 bytes. Raises DataError where it is damaged or unsafe."""
    checksum, size = _octal(block[148:156]), _octal(block[124:136])
    if len(block) < _BLOCK or checksum != sum(block) - sum(block[148:156]) + 8 * 0x20 or size is None:
        raise unpacker.broken("a tar header, found other bytes")
    prefix = block[345:500].split(b"\0")[0] + b"/" if block[257:263] == b"ustar\0" and block[345] else b""
    name = (prefix + block[:100].split(b"\0")[0]).decode("latin-1").removeprefix("./")
    kind = block[156:157]
    kind = b"5" if kind in (b"0", b"\0") and name.endswith("/") else kind
    if kind not in (b"0", b"\0", b"7", b"5", b"x", b"g"):
        raise unpacker.broken(
            f"only files and folders, found {_KINDS.get(kind, 'another kind')} {ascii(name)[:60]}"
        )
    if name.startswith("/") or "\\" in name or ".." in name.split("/"):
        raise unpacker.broken(f"only names inside its folder, found {ascii(name)[:60]}")
    if kind == b"5" and size:
        raise unpacker.broken(f"folders without content, found {ascii(name)[:60]} of {size:,} bytes")
    return _Header(name, size, kind)


def _octal(field: bytes) -> int | None:
    """A tar header's number, None for anything but octal digits (8 GiB and more are written otherwise)."""
    digits = field.strip(b" \0")
    return int(digits, 8) if re.fullmatch(rb"[0-7]{1,11}", digits) else None


def _check_note(header: _Header, content: _Content, unpacker: _Unpacker) -> None:
    """Refuse an extended header that could give the next member another name, size or target."""
    if header.size > _MAX_NOTE:
        raise unpacker.broken(f"notes of at most {_MAX_NOTE:,} bytes, found one of {header.size:,}")
    if _RENAMING.search(content.read(header.size)):
        raise unpacker.broken("plain names and sizes, found a note that changes them")
