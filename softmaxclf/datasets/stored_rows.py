"""Rows of bytes that take long to compute: made block by block in a file, which is found again and continued.

Beside `NAME.rows`, the bare bytes (N, D), stands `NAME.json`: how many rows are done and their CRC-32. It is written,
whole, after the bytes it speaks of are on the disk; rows that do not give its checksum are made again.
"""

import json
import math
import os
import shutil
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from softmaxclf.arrays import stored_bytes
from softmaxclf.datasets.dataset import Progress, Rows, ignored
from softmaxclf.errors import DataError, OutputError
from softmaxclf.files import cannot_write, open_regular, own_file, read_bytes, write_text

Fill = Callable[[slice, Rows], None]  # fills rows (n, D) with those of that slice of the N
SAVED_SECONDS = 2.0
BLOCK_BYTES = 2**22


def in_memory(shape: tuple[int, int], fill: Fill, *, progress: Progress = ignored) -> Rows:
    """The rows (N, D) uint8, computed now."""
    rows = np.empty(shape, np.uint8)
    for part in _blocks(0, shape):
        fill(part, rows[part])
        progress(part.stop, len(rows))
    return rows


def in_file(
    place: Path, shape: tuple[int, int], fill: Fill, *, memory: int = 0, progress: Progress = ignored
) -> Rows:
    """The same rows from the file `place`, where those that are missing are added to those that are there.

    Rows of at most `memory` bytes come into memory, others stay in the file and are read as they are wanted. What stops
    the work keeps what was done. Raises OutputError where the file cannot be written or would fill the disk.
    """
    done, check = _done(place, shape)
    if done < shape[0]:
        _check_room(place, (shape[0] - done) * shape[1])
        _append(place, shape, done, check, fill, progress)
    rows: Any = stored_bytes(place, shape, error=DataError)
    return rows if math.prod(shape) > memory else np.asarray(rows)


def _blocks(start: int, shape: tuple[int, int]) -> list[slice]:
    step = max(16, BLOCK_BYTES // shape[1])
    return [slice(at, min(at + step, shape[0])) for at in range(start, shape[0], step)]


def _done(place: Path, shape: tuple[int, int]) -> tuple[int, int]:
    """(rows that are there, their checksum); (0, 0) where that cannot be relied on."""
    try:
        told = json.loads(read_bytes(_facts(place)))
        done, check = told["rows"], told["crc32"]
        with open_regular(place) as (file, _):
            left, found = done * shape[1] if 0 <= done <= shape[0] else -1, 0
            while left > 0 and (some := file.read(min(left, BLOCK_BYTES))):
                found, left = zlib.crc32(some, found), left - len(some)
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0
    return (done, check) if left == 0 and found == check else (0, 0)


def _append(
    place: Path, shape: tuple[int, int], done: int, check: int, fill: Fill, progress: Progress
) -> None:
    handle = own_file(place)
    saved = time.perf_counter()
    try:
        os.ftruncate(handle, done * shape[1])
        with os.fdopen(handle, "r+b", buffering=0) as file:
            file.seek(done * shape[1])
            progress(done, shape[0])
            for part in _blocks(done, shape):
                rows = np.empty((part.stop - part.start, shape[1]), np.uint8)
                fill(part, rows)
                if file.write(rows.data) != rows.nbytes:
                    raise OSError(28, "No space left on device")
                done, check = part.stop, zlib.crc32(rows.data, check)
                if time.perf_counter() - saved > SAVED_SECONDS or done == shape[0]:
                    os.fsync(file.fileno())
                    write_text(_facts(place), json.dumps({"rows": done, "crc32": check}))
                    saved = time.perf_counter()
                progress(done, shape[0])
    except OSError as error:
        raise cannot_write(place, error) from error


def _facts(place: Path) -> Path:
    return place.with_suffix(".json")


def _check_room(place: Path, wanted: int) -> None:
    if (free := shutil.disk_usage(place.parent).free) < wanted:
        raise OutputError(f"{place}: expected {wanted:,} bytes of free space, found {free:,}")
