"""Reading and mapping the arrays of an `.npz` or `.npy` file."""

import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from softmaxclf.arrays.header import MAX_START, NPY_MAGIC, Broken, Header, parsed_header
from softmaxclf.arrays.zipped import ZIP_MAGICS, Member, read_directory
from softmaxclf.errors import SoftmaxclfError
from softmaxclf.files import open_regular

_FREE = 64 << 20  # bytes that any file may unpack to
_RATIO = 100  # beyond _FREE, the multiple of its size that a file may unpack to
_CHUNK = 1 << 20  # bytes read or unpacked at a time


def read_arrays(
    path: Path, *, error: type[SoftmaxclfError], limit_bytes: int | None = None
) -> dict[str, NDArray[Any]]:
    """All arrays of a `.npz`, or the one of a `.npy` under the file's stem, in memory.

    Raises `error` for a file that is missing, broken, unsafe, or larger than `limit_bytes` unpacked.
    """
    with open_arrays(path, error=error, limit_bytes=limit_bytes) as arrays:
        return {name: arrays.read(name) for name in arrays.names}


def map_arrays(path: Path, *, error: type[SoftmaxclfError]) -> dict[str, NDArray[Any]]:
    """As `read_arrays`, but arrays that lie uncompressed in the file are mapped read-only instead of read."""
    with open_arrays(path, error=error) as arrays:
        return {name: arrays.map(name) for name in arrays.names}


@contextmanager
def open_arrays(
    path: Path, *, error: type[SoftmaxclfError], limit_bytes: int | None = None
) -> Iterator["ArrayFile"]:
    """The arrays of a file, to be read or mapped one by one inside the block. Raises `error` as needed."""
    try:
        with open_regular(path) as (file, size):
            yield ArrayFile(path, file, size, limit_bytes)
    except (Broken, OSError, zlib.error, MemoryError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        found = reason if isinstance(problem, Broken) else f"expected a readable file, found: {reason}"
        raise error(f"{path}: {found}; check the path, or write the file again with numpy.savez") from problem


class ArrayFile:
    """An open `.npz` or `.npy`: the names of its arrays, each read or mapped when it is asked for."""

    def __init__(self, path: Path, file: BinaryIO, size: int, limit_bytes: int | None) -> None:
        self._file = file
        self._size = size
        magic = self._at(0, min(size, len(NPY_MAGIC)))
        if magic == NPY_MAGIC:
            self._members = {path.stem: Member(0, size, size, False, None)}
        elif magic[:4] in ZIP_MAGICS:
            self._members = read_directory(self._at, size)
        else:
            raise Broken("expected an .npz or .npy file, found other bytes")
        total = sum(member.size for member in self._members.values())
        limit = max(_FREE, _RATIO * size) if limit_bytes is None else limit_bytes
        if total > limit:
            raise Broken(f"expected at most {limit:,} bytes unpacked, found {total:,}")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the arrays, in the file's order."""
        return tuple(self._members)

    def read(self, name: str) -> NDArray[Any]:
        """The array in memory, C-contiguous and native."""
        member = self._members[name]
        pieces = self._unpacked(member, name)
        start = bytearray()
        for piece in pieces:
            start += piece
            if len(start) >= MAX_START:
                break
        header = parsed_header(bytes(start[:MAX_START]), member.size, name)
        flat = np.empty(header.count, header.dtype)
        target, filled = flat.view(np.uint8), 0
        for piece in chain((bytes(start[header.size :]),), pieces):
            target[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
            filled += len(piece)
        return _finished(flat, header, name)

    def map(self, name: str) -> NDArray[Any]:
        """The array as a read-only view of the file where it lies there ready for use, else read."""
        member = self._members[name]
        if member.deflated:
            return self.read(name)
        header = parsed_header(self._at(member.start, min(member.size, MAX_START)), member.size, name)
        if not header.dtype.isnative or header.dtype.kind in "bU" or not header.shape or not header.count:
            return self.read(name)
        if member.checksum is not None:
            deque(self._unpacked(member, name), maxlen=0)
        place = member.start + header.size
        order: Literal["C", "F"] = "F" if header.fortran else "C"
        mapped = np.memmap(self._file, header.dtype, "r", place, header.shape, order)
        return np.asarray(mapped)

    def _at(self, start: int, count: int) -> bytes:
        """The `count` bytes at `start`. Raises Broken where the file has not that many."""
        if start + count <= self._size:
            self._file.seek(start)
            content = self._file.read(count)
            if len(content) == count:
                return content
        raise Broken(f"expected {count} bytes at byte {start}, found the end of the file")

    def _unpacked(self, member: Member, name: str) -> Iterator[bytes]:
        """The member's bytes in pieces of at most 1 MiB; then its size and checksum are checked."""
        inflater = zlib.decompressobj(-15) if member.deflated else None
        size = checksum = 0
        for start in range(member.start, member.start + member.packed, _CHUNK):
            packed = self._at(start, min(_CHUNK, member.start + member.packed - start))
            for piece in _inflated(inflater, packed) if inflater else (packed,):
                size += len(piece)
                checksum = zlib.crc32(piece, checksum)
                if size > member.size:
                    raise Broken(f"{name}: expected {member.size:,} bytes, found more")
                yield piece
        if size != member.size or (inflater and (not inflater.eof or inflater.unused_data)):
            raise Broken(f"{name}: expected {member.size:,} bytes in one piece, found {size:,}")
        if member.checksum not in (None, checksum):
            raise Broken(f"{name}: expected the checksum {member.checksum:08x}, found {checksum:08x}")


def _inflated(inflater: "zlib._Decompress", packed: bytes) -> Iterator[bytes]:
    """What `packed` unpacks to, in pieces of at most 1 MiB."""
    while True:
        piece = inflater.decompress(packed, _CHUNK)
        packed = inflater.unconsumed_tail
        yield piece
        if not packed and len(piece) < _CHUNK:
            return


def _finished(flat: NDArray[Any], header: Header, name: str) -> NDArray[Any]:
    """The array of its elements in file order: native, C-contiguous, its booleans and texts checked."""
    native = flat.astype(header.dtype.newbyteorder("="), copy=False)
    if header.dtype.kind == "b" and native.size and native.view(np.uint8).max() > 1:
        raise Broken(f"{name}: expected booleans of 0 or 1, found another byte")
    if header.dtype.kind == "U" and native.size:
        points = native.view(np.uint32)
        if points.max() > 0x10FFFF or ((points >= 0xD800) & (points < 0xE000)).any():
            raise Broken(f"{name}: expected text, found a number that is no character")
    return np.asarray(native.reshape(header.shape, order="F" if header.fortran else "C"), order="C")
