"""Which rows train, which validate, and in which order they are visited: all drawn from a seed alone.

Every function gives the same answer for the same arguments, as long as NumPy keeps its generator (a test
pins some draws, for runs are resumed from them). The draws of the validation rows, of the folds and of the
epochs come from separate random streams of one seed.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Indices = NDArray[np.int64]

WINDOW_BLOCKS = 8  # consecutive blocks whose rows are mixed with each other by epoch_permutation

# Third words of the seeds: an epoch uses [seed, epoch], which NumPy treats as [seed, epoch, 0].
_VALIDATION_STREAM = 1
_FOLD_STREAM = 2
_TEST_STREAM = 3
_SHOTS_STREAM = 4


def count_of(wanted: float, rows: int) -> int:
    """A number of rows as it is, or a share of them, above 0 and below 1, as a number of at least one."""
    return max(1, round(wanted * rows)) if 0 < wanted < 1 else int(wanted)


def drawn_test_split(y: ArrayLike, wanted: float, seed: int = 0) -> tuple[Indices, Indices]:
    """(training rows, test rows), sorted, drawn within each class as the validation rows are, by other numbers.

    y: (N,) integer labels. wanted: a number of rows or a share. Raises ValueError where nothing is left to train on.
    """
    labels = _labels(y)
    count = count_of(wanted, len(labels))
    if not 0 <= count < len(labels):
        raise ValueError(f"test rows: expected fewer than the {len(labels)} rows, got {count}; ask for fewer")
    held_out = np.zeros(len(labels), bool)
    held_out[_stratified_draw(labels, count, _generator(seed, 0, _TEST_STREAM))] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def validation_split(
    y: ArrayLike, count: int, rows: Literal["drawn", "last"], seed: int = 0
) -> tuple[Indices, Indices]:
    """(training rows, validation rows): two sorted, disjoint index arrays that together hold all N rows.

    y: (N,) integer labels. count: number of validation rows, 0 <= count < N; 0 gives an empty validation.
    rows: "drawn" draws within each class, in proportion to its size (largest remainder; of equal remainders
    the lower label), so a class counts within one row of its share. "last" takes the last rows as they are.
    Raises ValueError when count or rows is anything else, or seed is negative.
    """
    labels = _labels(y)
    if not 0 <= count < len(labels):
        raise ValueError(
            f"validation rows: expected at least 0 and fewer than the {len(labels)} training rows, "
            f"got {count}; ask for fewer or use more data"
        )
    if rows == "last":
        order = np.arange(len(labels), dtype=np.int64)
        return order[: len(labels) - count], order[len(labels) - count :]
    if rows != "drawn":
        raise ValueError(f"validation rows: expected 'drawn' or 'last', got {rows!r}")
    held_out = np.zeros(len(labels), bool)
    held_out[_stratified_draw(labels, count, _generator(seed, 0, _VALIDATION_STREAM))] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def drawn_shots(y: ArrayLike, shots: int, seed: int = 0) -> Indices:
    """The sorted indices of `shots` rows of each class that y (N,) has; of a class that has fewer, all of its rows.

    More shots of the same seed are the fewer ones and others. Raises ValueError when shots or seed is negative.
    """
    labels = _labels(y)
    if shots < 0:
        raise ValueError(f"shots: expected a number >= 0, got {shots}")
    ends = np.cumsum(np.unique_counts(labels).counts)
    members = np.split(_by_class(labels, _generator(seed, 0, _SHOTS_STREAM)), ends[:-1])
    return np.sort(np.concatenate([each[:shots] for each in members]))


def stratified_folds(y: ArrayLike, folds: int, seed: int = 0) -> NDArray[np.int16]:
    """The fold (N,) int16 in [0, folds) of each row.

    y: (N,) integer labels. The folds' counts of each class differ by at most one, and so do their sizes.
    Raises ValueError when folds is below 2 or above N (or what int16 holds), or seed is negative.
    """
    labels = _labels(y)
    most = min(len(labels), np.iinfo(np.int16).max)
    if not 2 <= folds <= most:
        raise ValueError(f"folds: expected 2 to {most} for {len(labels)} rows, got {folds}")
    # Dealing one class after the other, round and round, keeps both the classes and the folds even.
    dealt = _by_class(labels, _generator(seed, 0, _FOLD_STREAM))
    fold = np.empty(len(labels), np.int16)
    fold[dealt] = np.arange(len(labels)) % folds
    return fold


def epoch_permutation(rows: int, seed: int, epoch: int, block: int | None = None) -> Indices:
    """The order (rows,) in which epoch `epoch` visits the rows, drawn from (seed, epoch) alone.

    block: None draws a uniform permutation. A number of rows serves data that is slow to read at random, such
    as a file larger than memory: blocks of that many consecutive rows are visited in random order, and rows
    are shuffled inside windows of WINDOW_BLOCKS such blocks, so a window is read in few long runs. The order
    is then less random: rows close to each other in the file come close to each other in time, so data that
    is sorted by class should be shuffled once on disk.
    Raises ValueError when a number is negative or block is below 1.
    """
    if rows < 0:
        raise ValueError(f"rows: expected a number >= 0, got {rows}")
    generator = _generator(seed, epoch)
    if block is None:
        return generator.permutation(rows)
    if block < 1:
        raise ValueError(f"block: expected at least 1 row, got {block}")
    order = generator.permutation(-(-rows // block))
    windows = [
        _shuffled_window(order[start : start + WINDOW_BLOCKS], block, rows, generator)
        for start in range(0, len(order), WINDOW_BLOCKS)
    ]
    return np.concatenate([np.empty(0, np.int64), *windows])


def _shuffled_window(blocks: Indices, block: int, rows: int, generator: np.random.Generator) -> Indices:
    """The rows of these blocks, mixed; the last block of the data may be short."""
    members = (blocks[:, None] * block + np.arange(block)).ravel()
    return generator.permutation(members[members < rows])


def _stratified_draw(labels: Indices, count: int, generator: np.random.Generator) -> Indices:
    """`count` rows, drawn within each class by largest remainder; whole numbers, so no rounding decides."""
    sizes = np.unique_counts(labels).counts
    quotas, remainders = np.divmod(count * sizes, len(labels))
    quotas[np.argsort(-remainders, kind="stable")[: count - quotas.sum()]] += 1
    by_class = np.split(_by_class(labels, generator), np.cumsum(sizes)[:-1])
    return np.concatenate([members[:quota] for members, quota in zip(by_class, quotas, strict=True)])


def _by_class(labels: Indices, generator: np.random.Generator) -> Indices:
    """All row indices (N,), class after class, shuffled inside each class."""
    shuffled = generator.permutation(len(labels))
    return shuffled[np.argsort(labels[shuffled], kind="stable")]


def _labels(y: ArrayLike) -> NDArray[Any]:
    labels = np.asarray(y)
    if labels.ndim != 1 or (labels.size and labels.dtype.kind not in "iu"):
        raise ValueError(f"y: expected integer labels of shape (N,), got {labels.dtype} {labels.shape}")
    return labels


def _generator(seed: int, *words: int) -> np.random.Generator:
    entropy: Sequence[int] = [seed, *words]
    if min(entropy) < 0:
        raise ValueError(f"seed, epoch: expected numbers >= 0, got {entropy[0]}, {entropy[1]}")
    return np.random.default_rng(entropy)
