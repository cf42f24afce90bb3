"""The tags of TIFF files and of the EXIF blocks in other images: what they state, read without trusting it.

A directory is a count (2 bytes), then entries of 12 bytes: tag, type, number of values (4 bytes) and 4 bytes that
hold the values or, where they need more room, say where they are (TIFF 6.0, section 2).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

ReadAt = Callable[[int, int], bytes]  # (offset, size): the bytes there, fewer at the end
BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
ORIENTATION = 0x0112
DIRECTORIES = (0x8769, 0x8825, 0xA005)  # EXIF, GPS and interoperability: tags that point to more directories
SHORT, LONG = 3, 4
SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
}  # bytes by type
TEXTS = (1, 2, 7)  # types that stay bytes when they are read


@dataclass(frozen=True)
class Entry:
    """One tag: its type, how many values it states, and its last 4 bytes as one number of that type."""

    tag: int
    type: int
    count: int
    value: int

    @property
    def size(self) -> int:
        """Bytes that the values state to take."""
        return self.count * SIZES.get(self.type, 0)


def orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, that an EXIF block states; 1 when there is none that can be read."""

    def read_at(offset: int, size: int) -> bytes:
        return block[offset : offset + size]

    block = exif.removeprefix(b"Exif\0\0")
    for entry in first_directory(read_at):
        if entry.tag == ORIENTATION and entry.type == SHORT and 1 <= entry.value <= 8:
            return entry.value
    return 1


def stated_sizes(read_at: ReadAt) -> tuple[int, int]:
    """(bytes of numbers, bytes in all) that the tags of the first image state, its EXIF and GPS ones included."""
    numbers = total = 0
    pending, seen = [first_directory(read_at)], set[int]()
    while pending:
        for entry in pending.pop():
            total += entry.size
            numbers += 0 if entry.type in TEXTS else entry.size
            if entry.tag in DIRECTORIES and entry.value not in seen:
                seen.add(entry.value)
                if len(seen) <= len(DIRECTORIES):  # a reader follows each of them once
                    pending.append(directory(read_at, entry.value, byte_order(read_at)))
    return numbers, total


def first_directory(read_at: ReadAt) -> list[Entry]:
    """The entries of the first directory; none where there is no valid header."""
    order, place = byte_order(read_at), read_at(4, 4)
    return (
        directory(read_at, struct.unpack(f"{order}L", place)[0], order) if order and len(place) == 4 else []
    )


def byte_order(read_at: ReadAt) -> str:
    """ "<" or ">" as the header says, or nothing where it is no header."""
    return BYTE_ORDERS.get(read_at(0, 4), "")


def directory(read_at: ReadAt, offset: int, order: str) -> list[Entry]:
    """The entries of the directory at `offset`, as far as the bytes reach."""
    count = read_at(offset, 2)
    if len(count) < 2:
        return []
    content = read_at(offset + 2, 12 * struct.unpack(f"{order}H", count)[0])
    return [_entry(content[place : place + 12], order) for place in range(0, len(content) - 11, 12)]


def _entry(content: bytes, order: str) -> Entry:
    tag, kind, count = struct.unpack(f"{order}HHL", content[:8])
    (value,) = struct.unpack(
        f"{order}H" if kind == SHORT else f"{order}L", content[8 : 10 if kind == SHORT else 12]
    )
    return Entry(tag, kind, count, value)
