"""The one reader of `.npz` and `.npy` files, for feature data and for model files, that no file can hurt.

`zipfile` finds the members, `numpy.lib.format` reads headers and elements, never with pickle. Ours are the
checks that come before either takes memory or believes a number:

- A header is read from the first 4 KiB, as a literal. Types are booleans, integers, floats of 2, 4 or 8 bytes
  and text of a fixed width; objects, structures, byte strings, complex numbers and dates are refused.
- Header and data must fill the file or member exactly. All arrays together may take 64 MiB unpacked, 100 times
  the file where that is more, or `limit_bytes`, so a zip bomb ends with a message.
- At most 1,000 members, stored or deflated, each with a plain name of its own.

The checksum of a member is checked when it is read. It is not when it stays in the file: that would read the user's
own data once more, and whoever uses such values checks them anyway.

Arrays are native in byte order and C-contiguous.
"""

import hashlib
import io
import math
import os
import re
import struct
import warnings
import weakref
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from softmaxclf.errors import SoftmaxclfError
from softmaxclf.files import open_regular, printable
from softmaxclf.memory import free_memory

NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")  # a first member, or an empty archive
_FREE = 64 << 20  # bytes that any file may unpack to
_RATIO = 100  # beyond _FREE, the multiple of its size that a file may unpack to
_MAX_MEMBERS = 1000
_MAX_HEADER = 4096
_PIECE = 64 << 20  # bytes read, or arranged, at a time
_MAX_EMPTY = 1_000_000  # product of the other axes of an array with an axis of length 0: no bytes bound it
_VERSIONS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    (3, 0): npy.read_array_header_2_0,  # differs from 2.0 in the names of fields, which no array here has
}
_NAME = re.compile(r"[A-Za-z0-9_. -]{1,100}\.npy")
_ITEM_SIZES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8), "U": range(4, 4_000_001, 4)}


# An array's shape, type and order, and where its elements start.
Header = tuple[tuple[int, ...], np.dtype[Any], Literal["C", "F"], int]


def read_arrays(
    path: Path, *, error: type[SoftmaxclfError], limit_bytes: int | None = None
) -> dict[str, NDArray[Any]]:
    """All arrays of a `.npz`, or the one of a `.npy` under the file's stem, in memory.

    Raises `error` for a file that is missing, broken, unsafe, or larger than `limit_bytes` unpacked.
    """
    with open_arrays(path, error=error, limit_bytes=limit_bytes) as arrays:
        return {name: arrays.read(name) for name in arrays.names}


@contextmanager
def open_arrays(
    path: Path, *, error: type[SoftmaxclfError], limit_bytes: int | None = None
) -> Iterator["ArrayFile"]:
    """The arrays of a file, to be read or kept for later one by one inside the block. Raises `error` as needed."""
    with ExitStack() as stack:
        with _refusing(path, error):
            file, size = stack.enter_context(open_regular(path))
            arrays = ArrayFile(path, file, size, error)
            limit = max(_FREE, _RATIO * size) if limit_bytes is None else limit_bytes
            if arrays.unpacked_size > limit:
                raise _Refused(f"expected at most {limit:,} bytes unpacked, found {arrays.unpacked_size:,}")
        yield arrays


def stored_bytes(
    path: Path, shape: tuple[int, int], *, error: type[SoftmaxclfError]
) -> "NDArray[np.uint8] | StoredArray":
    """The bare bytes of a file as rows (N, D) uint8, read when they are wanted; now where the system cannot do that.

    Raises `error` for a file that is missing or too short.
    """
    with _refusing(path, error), open_regular(path) as (file, size):
        if size < math.prod(shape):
            raise _Refused(f"expected {math.prod(shape):,} bytes, found {size:,}")
        if not hasattr(os, "preadv"):
            return np.frombuffer(file.read(math.prod(shape)), np.uint8).reshape(shape)
        source = _StillFile(file.fileno(), (size, os.fstat(file.fileno()).st_mtime_ns), str(path), error)
        return StoredArray(source, 0, shape, np.dtype(np.uint8))


class _Refused(Exception):  # noqa: N818 - becomes the caller's error with the file's name
    """The file is not what it should be; the message is `expected ..., found ...`."""


@contextmanager
def _refusing(place: object, error: type[SoftmaxclfError]) -> Iterator[None]:
    """Turn whatever goes wrong in the block into `error` with one line about `place`."""
    try:
        yield
    except Exception as problem:  # hostile bytes make zipfile, zlib, ast and NumPy raise almost any
        if isinstance(problem, _Refused):
            found = str(problem)
        elif isinstance(problem, OSError):
            found = f"expected a readable file, found: {problem.strerror or problem}"
        else:
            said = printable((str(problem) or type(problem).__name__).splitlines()[0])
            found = f"expected a whole file as numpy.savez writes it, found: {said[:120]}"
        raise error(
            f"{place}: {found}; check the path, or write the file again with numpy.savez"
        ) from problem


class ArrayFile:
    """An open `.npz` or `.npy`: the names of its arrays, each read when it is asked for, or later."""

    def __init__(self, path: Path, file: BinaryIO, size: int, error: type[SoftmaxclfError]) -> None:
        self._path, self._file, self._size, self._error = path, file, size, error
        self._stamp = (size, os.fstat(file.fileno()).st_mtime_ns)
        magic = file.read(len(NPY_MAGIC))
        if magic != NPY_MAGIC and magic[:4] not in ZIP_MAGICS:
            raise _Refused("expected an .npz or .npy file, found other bytes")
        self._archive = None if magic == NPY_MAGIC else zipfile.ZipFile(file)
        self._members = _members(self._archive) if self._archive else {path.stem: None}
        self.unpacked_size = sum(info.file_size if info else size for info in self._members.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the arrays, in the file's order."""
        return tuple(self._members)

    def read(self, name: str) -> NDArray[Any]:
        """The array in memory, C-contiguous and native."""
        self._header(name)
        with self._opened(name) as (stream, _):
            array = npy.read_array(stream, allow_pickle=False, max_header_size=_MAX_HEADER)
            native = np.asarray(array, array.dtype.newbyteorder("="), order="C")
            _check_values(native)
            return native

    def check(self, name: str) -> None:
        """Read the array once without keeping it, so that its checksum is compared, where there is one."""
        with self._opened(name) as (stream, _):
            while stream.read(1 << 20):
                pass

    def stored(self, name: str) -> "NDArray[Any] | StoredArray":
        """The array, to be read when it is wanted where it lies in the file ready for use; else read now."""
        (shape, dtype, order, place), info = self._header(name), self._members[name]
        deflated = info is not None and info.compress_type != zipfile.ZIP_STORED
        unfit = (
            deflated or not dtype.isnative or dtype.kind in "bU" or 0 in shape or order == "F" or not shape
        )
        if unfit or not hasattr(os, "preadv"):
            return self.read(name)
        with self._opened(name) as (_, size):
            start = self._start(info) if info else 0
            if start + size > self._size:
                raise _Refused(f"expected {size:,} bytes at byte {start:,}, found the end of the file")
            source = _StillFile(self._file.fileno(), self._stamp, f"{self._path}: {name}", self._error)
            return StoredArray(source, start + place, shape, dtype)

    @contextmanager
    def _opened(self, name: str) -> Iterator[tuple[IO[bytes], int]]:
        """The bytes of the `.npy` called `name` from its beginning, and their number."""
        info = self._members[name]
        with ExitStack() as stack, _refusing(f"{self._path}: {name}", self._error):
            if info is not None and self._archive is not None:
                yield stack.enter_context(self._archive.open(info)), info.file_size
            else:
                self._file.seek(0)
                yield self._file, self._size

    def _header(self, name: str) -> Header:
        with self._opened(name) as (stream, size):
            return _header(stream.read(_MAX_HEADER + 12), size)

    def _start(self, info: zipfile.ZipInfo) -> int:
        """Where the member's bytes start: behind its local header, which `zipfile` has checked."""
        self._file.seek(info.header_offset + 26)
        name_length, extra_length = struct.unpack("<HH", self._file.read(4))
        return int(info.header_offset + 30 + name_length + extra_length)


class _StillFile:
    """An open file whose size and time must stay what they are, its stamp: whoever reads it is told by `error` else.

    It is read and not mapped: whoever touches a mapped file that was cut short is killed by the system (SIGBUS), which
    no look at its size beforehand can prevent, since products work inside a block for most of the time.
    """

    def __init__(self, handle: int, stamp: tuple[int, int], place: str, error: type[SoftmaxclfError]) -> None:
        self.place, self.error, self._stamp, self._handle = place, error, stamp, os.dup(handle)
        weakref.finalize(self, os.close, self._handle)

    def read(self, start: int, out: NDArray[np.uint8]) -> None:
        """Fill `out` with the bytes from `start` on."""
        done = 0
        while done < len(out):
            try:
                count = os.preadv(self._handle, [out[done : done + _PIECE]], start + done)  # type: ignore[list-item]
            except OSError as error:
                raise self.error(
                    f"{self.place}: expected a readable file, found: {error.strerror}; check the disk and try again"
                ) from error
            if not count:
                raise self._changed()
            done += count

    def check(self) -> None:
        """Raise the error where the file is no longer what it was when it was opened."""
        if not self.unchanged():
            raise self._changed()

    def unchanged(self) -> bool:
        """Whether the file has the size and the time that it had."""
        return self._now() == self._stamp

    def _now(self) -> tuple[int, int]:
        status = os.fstat(self._handle)
        return status.st_size, status.st_mtime_ns

    def _changed(self) -> SoftmaxclfError:
        return self.error(
            f"{self.place}: expected the file to stay as it was when it was opened, found it changed "
            f"({self._now()[0]:,} of {self._stamp[0]:,} bytes); run the command again when nothing writes to it"
        )


class StoredArray:
    """An array that stays in its file until rows of it are wanted: of an array it has what readers of rows use.

    arrange: what becomes of rows (n, ...) read from row `start` on, or None for nothing. Raises the error of its file
    where that is cut short or written to after it was opened.
    """

    def __init__(
        self,
        source: _StillFile,
        begin: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        arrange: Callable[[NDArray[Any], int], NDArray[Any]] | None = None,
        raw: tuple[tuple[int, ...], np.dtype[Any]] | None = None,
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self._source, self._begin, self._arrange = source, begin, arrange
        self._raw_shape, self._raw_dtype = raw or (shape, dtype)
        self._width = math.prod(self._raw_shape[1:]) * self._raw_dtype.itemsize

    def arranged(
        self, shape: tuple[int, ...], dtype: Any, arrange: Callable[[NDArray[Any], int], NDArray[Any]]
    ) -> "StoredArray":
        """The same rows, each block made into one of that shape and type by `arrange` when it is read."""
        raw = (self._raw_shape, self._raw_dtype)
        return StoredArray(self._source, self._begin, shape, np.dtype(dtype), arrange, raw)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes that it would take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Rows as an array: by a slice, by indices, and of those the columns that the rest of a tuple says."""
        if isinstance(key, tuple):
            return self[key[0]][(slice(None), *key[1:])]
        return self.take(np.arange(*key.indices(len(self))) if isinstance(key, slice) else np.asarray(key))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        whole = np.empty(self.shape, self.dtype)
        step = max(1, _PIECE // max(1, self._width))
        for start in range(0, len(self), step):
            self.take(np.arange(start, min(start + step, len(self))), out=whole[start : start + step])
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def take(
        self, rows: NDArray[Any], axis: int = 0, out: NDArray[Any] | None = None, mode: str = "raise"
    ) -> NDArray[Any]:
        """The rows of those indices, each in range: numpy.take along the first axis."""
        direct = self._arrange is None and out is not None and out.flags.c_contiguous
        raw = (
            out
            if direct and out is not None
            else np.empty((len(rows), *self._raw_shape[1:]), self._raw_dtype)
        )
        self._gather(rows, raw.reshape(-1).view(np.uint8))
        found = raw if self._arrange is None or not len(rows) else self._arrange(raw, int(rows[0]))
        if out is None or direct:
            return found
        out[:] = found
        return out

    def load(self) -> Any:
        """It in memory, where that takes at most half of what is free; else itself. The values are the same."""
        return np.asarray(self) if self.nbytes <= free_memory() // 2 else self

    def unchanged(self) -> bool:
        """Whether the file is still as it was when it was opened, as far as its size and time tell."""
        return self._source.unchanged()

    def _gather(self, rows: NDArray[Any], out: NDArray[np.uint8]) -> None:
        """Fill `out` with the bytes of the rows: a reading for each run of rows that lie one after another."""
        width, ends = self._width, [*(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        first = 0
        for last in ends:
            if last > first:
                start = self._begin + int(rows[first]) * width
                self._source.read(start, out[first * width : last * width])
            first = last
        self._source.check()


class JoinedArray(StoredArray):
    """The rows of several arrays of one type and width, one after another, or some of them; read as a StoredArray is.

    parts: the arrays, or StoredArrays. paths: the file of each, where there are such. rows: (n,) which rows of all,
    ascending, default all. held: these rows, where they are in memory.
    """

    def __init__(
        self,
        parts: Sequence[Any],
        paths: Sequence[Path] = (),
        rows: NDArray[Any] | None = None,
        held: NDArray[Any] | None = None,
    ) -> None:
        self.parts, self.paths, self.rows, self._held = parts, paths, rows, held
        self.starts = np.cumsum([0, *map(len, parts)])  # of the parts among all rows
        self.borders = self.starts if rows is None else np.searchsorted(rows, self.starts)  # among these rows
        self.shape, self.dtype = (int(self.borders[-1]), *parts[0].shape[1:]), parts[0].dtype
        self._width = math.prod(self.shape[1:]) * self.dtype.itemsize
        self._digests: list[Any] = []

    def chosen(self, rows: NDArray[Any]) -> "JoinedArray":
        """Those of these rows, by their indices, ascending."""
        own = rows if self.rows is None else self.rows[rows]
        return JoinedArray(self.parts, self.paths, own if len(own) < self.starts[-1] else None)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if self._held is None else self._held[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return super().__array__(dtype) if self._held is None else np.array(self._held, dtype, copy=copy)

    def take(
        self, rows: NDArray[Any], axis: int = 0, out: NDArray[Any] | None = None, mode: str = "raise"
    ) -> NDArray[Any]:
        if self._held is not None:
            return self._held.take(rows, axis, out, mode)  # type: ignore[call-overload, no-any-return]
        found = np.empty((len(rows), *self.shape[1:]), self.dtype) if out is None else out
        rows = rows if self.rows is None else self.rows[rows]
        owners = self.starts.searchsorted(rows, "right") - 1
        first = 0
        for last in [*(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(rows)]:
            if last > first:
                owner = owners[first]
                own, room = rows[first:last] - self.starts[owner], found[first:last]
                self.parts[owner].take(own, axis=0, out=room, mode=mode)
            first = last
        return found

    def load(self) -> Any:
        found = super().load()
        return self if found is self else JoinedArray(self.parts, self.paths, self.rows, found)

    def unchanged(self) -> bool:
        return all(each.unchanged() for each in self.parts if isinstance(each, StoredArray))

    def within(self, part: int, rows: NDArray[Any]) -> NDArray[Any]:
        """Which rows of that part those of these rows are that lie in it, of indices that ascend."""
        first, last = rows.searchsorted(self.borders[part : part + 2])
        own = rows[first:last]
        found: NDArray[Any] = (own if self.rows is None else self.rows[own]) - self.starts[part]
        return found

    def origin(self, row: int) -> tuple[Path, int]:
        """The file of one of these rows, and which row of that it is."""
        place = row if self.rows is None else int(self.rows[row])
        part = int(self.starts.searchsorted(place, "right")) - 1
        return self.paths[part], place - int(self.starts[part])

    def examined(self, block: NDArray[Any], start: int) -> None:
        """Take `block`, the rows from `start` on, into the fingerprints of the parts: all rows once, in their order."""
        if start == 0:
            self._digests = [hashlib.sha256() for _ in self.parts]
        first, last = self.borders.searchsorted([start, start + len(block) - 1], "right") - 1
        for n in range(first, last + 1):
            own = block[max(0, self.borders[n] - start) : self.borders[n + 1] - start]
            self._digests[n].update(own.data)

    @property
    def fingerprints(self) -> list[str]:
        """The SHA-256 of the rows of each part; none before all were examined."""
        return [each.hexdigest() for each in self._digests]


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo | None]:
    """The members by array name. Raises _Refused for those that no numpy.savez writes."""
    found = archive.infolist()
    if len(found) > _MAX_MEMBERS:
        raise _Refused(f"expected at most {_MAX_MEMBERS:,} arrays, found {len(found):,}")
    members: dict[str, zipfile.ZipInfo | None] = {}
    for info in found:
        name = info.orig_filename.removesuffix(".npy")
        if not _NAME.fullmatch(info.orig_filename):
            raise _Refused(f"expected arrays with plain names, found {ascii(info.orig_filename)[:60]}")
        if name in members:
            raise _Refused(f"expected each array once, found {name} twice")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _Refused(f"{name}: expected a stored or deflated array, found method {info.compress_type}")
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
            raise _Refused(f"{name}: expected {info.file_size:,} bytes, found {info.compress_size:,} stored")
        members[name] = info
    return members


def _header(start: bytes, size: int) -> Header:
    """The header at the start of a `.npy` of `size` bytes, whose data must fill the rest exactly."""
    stream = io.BytesIO(start)  # bounds what NumPy may read for a header that claims to be long
    version = npy.read_magic(stream)
    if version not in _VERSIONS:
        raise _Refused(f"expected version 1.0 to 3.0 of the .npy format, found {version}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a header that NumPy takes only with a warning is refused
            shape, fortran, dtype = _VERSIONS[version](stream, max_header_size=_MAX_HEADER)
    except Exception as problem:  # what NumPy says of it may be long, or hold addresses of objects
        raise _Refused(f"expected a header as NumPy writes it, found {start[10:60]!a}") from problem
    if dtype.itemsize not in _ITEM_SIZES.get(dtype.kind, ()):
        found = f"type {printable(dtype)[:60]}"
        raise _Refused(f"expected numbers, booleans or text of a fixed width, found {found}")
    if min(shape, default=0) < 0 or (0 in shape and math.prod(filter(None, shape)) > _MAX_EMPTY):
        raise _Refused(f"expected the shape of an array, found {str(shape)[:60]}")
    if stream.tell() + math.prod(shape) * dtype.itemsize != size:
        raise _Refused(f"expected {str(shape)[:60]} elements of {dtype}, found {size:,} bytes in all")
    return shape, dtype, "F" if fortran else "C", stream.tell()


def _check_values(array: NDArray[Any]) -> None:
    """Raise _Refused for booleans and texts whose bytes are none."""
    flat = array.reshape(-1)
    if array.dtype.kind == "b" and array.size and flat.view(np.uint8).max() > 1:
        raise _Refused("expected booleans of 0 or 1, found another byte")
    if array.dtype.kind == "U" and array.size:
        points = flat.view(np.uint32)
        if points.max() > 0x10FFFF or ((points >= 0xD800) & (points < 0xE000)).any():
            raise _Refused("expected text, found a number that is no character")
