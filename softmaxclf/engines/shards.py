"""Rows that workers read themselves from the files that hold them, where these are under the same path there.

The client knows the SHA-256 of the rows of each file, for it has read all of them once. A worker reads those rows too,
and keeps those that are of its block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from softmaxclf.arrays import JoinedArray
from softmaxclf.core.problem import Array
from softmaxclf.datasets.dataset import BLOCK_BYTES
from softmaxclf.datasets.shards import open_shards
from softmaxclf.engines.cluster import Refused, other_rows

READ, KEPT = 1, 2  # what becomes of a row; of others nothing


@dataclass(frozen=True)
class Shard:
    """A file of rows. fate: (N,) uint8, READ, KEPT or 0. fingerprint: the SHA-256 of those that are READ or KEPT."""

    path: Path
    fate: Array
    fingerprint: str


def bounds_at_shards(X: Any, rows: Array | None, count: int) -> list[int] | None:
    """Where so many runs of whole shards begin and end among those rows of X, nearly even; None where X has too few.

    rows: ascending, or None for all.
    """
    if not (isinstance(X, JoinedArray) and X.paths and X.fingerprints):
        return None
    borders = np.unique(X.borders if rows is None else rows.searchsorted(X.borders))
    if len(borders) <= count:
        return None
    each, even = np.arange(count + 1), np.linspace(0, borders[-1], count + 1)
    nearest = np.abs(borders[:, None] - even).argmin(axis=0)
    different = np.maximum.accumulate(nearest - each).clip(max=len(borders) - 1 - count) + each
    found: list[int] = borders[different].tolist()
    return found


def shards_of(X: Any, rows: Array) -> list[Shard]:
    """The shards that hold those rows of the JoinedArray X, ascending."""
    found = []
    for n, path in enumerate(X.paths):
        kept = X.within(n, rows)
        if len(kept):
            fate = np.zeros(len(X.parts[n]), np.uint8)
            fate[X.within(n, np.arange(X.borders[n], X.borders[n + 1]))] = READ
            fate[kept] = KEPT
            found.append(Shard(path.absolute(), fate, X.fingerprints[n]))
    return found


def read_block(shards: Sequence[Shard], columns: int, dtype: np.dtype[Any]) -> Array:
    """The rows (n, columns) that are kept. Raises Refused where they are others, DataError where there are none."""
    X, done = np.empty((sum(int((each.fate == KEPT).sum()) for each in shards), columns), dtype), 0
    for shard in shards:
        rows = open_shards([shard.path])[0]
        _compare(
            shard, f"{len(shard.fate):,} x {columns} {dtype}", f"{len(rows):,} x {rows.shape[1]} {rows.dtype}"
        )
        rows, kept = rows.chosen(np.flatnonzero(shard.fate)), shard.fate[shard.fate > 0] == KEPT
        step = max(1, BLOCK_BYTES // rows[:1].nbytes)
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            rows.examined(block, start)
            own = block[kept[start : start + step]]
            X[done : done + len(own)] = own
            done += len(own)
        _compare(shard, *(f"fingerprint {each[:8]}" for each in (shard.fingerprint, *rows.fingerprints)))
    return X


def _compare(shard: Shard, expected: str, found: str) -> None:
    if found != expected:
        raise Refused(other_rows(shard.path, expected, found))
