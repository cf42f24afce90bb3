"""The directory of a zip archive: where each member lies, checked against the file before it is read."""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from softmaxclf.arrays.header import Broken

ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")  # a first member, or an empty archive
_MAX_MEMBERS = 1000
_MAX_TAIL = 20 + 22 + 0xFFFF  # bytes from the zip64 locator to the end: the end record and its comment
_HARMLESS_FLAGS = 0x80E  # compression level, sizes after the data, UTF-8 names
_NAME = re.compile(r"[A-Za-z0-9_. -]{1,100}\.npy")

ReadAt = Callable[
    [int, int], bytes
]  # (start, count) to bytes; raises Broken where the file has not that many


@dataclass(frozen=True)
class Member:
    """A `.npy`: its `packed` bytes from `start` on become `size`. checksum: CRC-32, None outside a zip."""

    start: int
    packed: int
    size: int
    deflated: bool
    checksum: int | None


@dataclass(frozen=True)
class _Entry:
    """What the zip directory tells of one member. start: of its local header."""

    name: str
    method: int
    checksum: int
    packed: int
    size: int
    start: int


def read_directory(read_at: ReadAt, size: int) -> dict[str, Member]:
    """The members of the zip archive of `size` bytes by array name. Raises Broken."""
    count, start, length = _end_record(read_at, size)
    if count > _MAX_MEMBERS or length > _MAX_MEMBERS * 1024:
        raise Broken(f"expected at most {_MAX_MEMBERS:,} arrays, found {count:,}")
    members: dict[str, Member] = {}
    places = [(start, start)]
    for entry in _entries(read_at(start, length), count):
        member, end = _located(entry, read_at)
        places.append((entry.start, end))
        name = entry.name.removesuffix(".npy")
        if name in members:
            raise Broken(f"expected each array once, found {name} twice")
        members[name] = member
    if any(after[0] < before[1] for before, after in pairwise(sorted(places))):
        raise Broken("expected arrays one after another, found some that overlap")
    return members


def _end_record(read_at: ReadAt, size: int) -> tuple[int, int, int]:
    """How many members there are, and where their directory starts and how long it is."""
    tail = read_at(max(0, size - _MAX_TAIL), min(size, _MAX_TAIL))
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < 22:
        raise Broken("expected a whole zip archive, found no end record")
    count, length, start, comment = struct.unpack_from("<HIIH", tail, place + 10)
    if place + 22 + comment != len(tail):
        raise Broken("expected a whole zip archive, found no end record at its end")
    if place >= 20 and tail[place - 20 : place - 16] == b"PK\x06\x07":
        (far,) = struct.unpack_from("<Q", tail, place - 12)
        record = read_at(far, 56)
        if record[:4] != b"PK\x06\x06":
            raise Broken("expected a whole zip archive, found a damaged end record")
        count, length, start = struct.unpack_from("<QQQ", record, 32)
    return count, start, length


def _entries(directory: bytes, count: int) -> Iterator[_Entry]:
    position = 0
    for _ in range(count):
        entry, position = _entry(directory, position)
        yield entry


def _located(entry: _Entry, read_at: ReadAt) -> tuple[Member, int]:
    """The member that a directory entry tells of, and where its bytes end. Its local header must agree."""
    local = read_at(entry.start, 30)
    flags, method = struct.unpack_from("<HH", local, 6)
    name_length, extra_length = struct.unpack_from("<HH", local, 26)
    name = read_at(entry.start + 30, name_length)
    if local[:4] != ZIP_MAGICS[0] or flags & ~_HARMLESS_FLAGS or method != entry.method:
        raise Broken(f"{entry.name}: expected a plain header, found a damaged or encrypted one")
    if name != entry.name.encode() or (method == 0 and entry.packed != entry.size):
        raise Broken(f"{entry.name}: expected a header as in the directory, found another")
    start = entry.start + 30 + name_length + extra_length
    return Member(start, entry.packed, entry.size, method == 8, entry.checksum), start + entry.packed


def _entry(directory: bytes, position: int) -> tuple[_Entry, int]:
    """The entry at `position` and the position of the next. Raises Broken."""
    if len(directory) - position < 46 or directory[position : position + 4] != b"PK\x01\x02":
        raise Broken("expected a zip directory, found other bytes")
    flags, method = struct.unpack_from("<HH", directory, position + 8)
    checksum, packed, size, *lengths = struct.unpack_from("<IIIHHH", directory, position + 16)
    (start,) = struct.unpack_from("<I", directory, position + 42)
    name_end = position + 46 + lengths[0]
    extra_end = name_end + lengths[1]
    name = directory[position + 46 : name_end].decode("ascii", "replace")
    if not _NAME.fullmatch(name):
        raise Broken(f"expected arrays with plain names, found {ascii(name)[:60]}")
    if flags & ~_HARMLESS_FLAGS or method not in (0, 8):
        raise Broken(f"{name}: expected a stored or deflated array, found method {method}, flags {flags:#x}")
    size, packed, start = _wide(directory[name_end:extra_end], size, packed, start)
    return _Entry(name, method, checksum, packed, size, start), extra_end + lengths[2]


def _wide(extra: bytes, *numbers: int) -> list[int]:
    """The size, packed size and start, those that are all ones taken from the zip64 field of `extra`."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1:
            field = extra[4 : 4 + length]
            values = (value for (value,) in struct.iter_unpack("<Q", field[: len(field) // 8 * 8]))
            return [next(values, number) if number == 0xFFFFFFFF else number for number in numbers]
        extra = extra[4 + length :]
    return list(numbers)
