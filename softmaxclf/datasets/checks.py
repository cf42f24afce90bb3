"""Checks that labels and class names of every source go through."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.datasets.dataset import Labels
from softmaxclf.errors import DataError

MAX_CLASSES = 100_000
MAX_NAME = 100  # characters of a class name


def checked_labels(labels: NDArray[Any], rows: int, classes: int, place: str, name: str = "labels") -> Labels:
    """`labels` as (rows,) int64 in [0, classes). Raises DataError naming the first that is not.

    name: what the labels are called in the file.
    """
    if len(labels) != rows:
        raise DataError(
            f"{place}: expected {rows:,} {name}, one per row, found {len(labels):,}; write both again"
        )
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        row = int(outside[0])
        raise DataError(
            f"{place}: expected {name} from 0 to {classes - 1}, found {labels[row]} in row {row}; "
            "number the classes from 0, or check that this file belongs to the same data"
        )
    return labels.astype(np.int64)


def checked_class_names(names: Sequence[object], place: str, classes: int | None = None) -> tuple[str, ...]:
    """`names` as different printable texts, `classes` of them where that is given. Raises DataError."""
    if classes is not None and len(names) != classes:
        raise DataError(
            f"{place}: expected {classes} class names, found {len(names)}; fetch or write it again"
        )
    return checked_names(names, place, "class names")


def checked_names(
    names: Sequence[object], place: str, what: str, remedy: str = "rename it"
) -> tuple[str, ...]:
    """`names` as different printable texts. Raises DataError, which calls them `what`."""
    texts = tuple(checked_name(name, place, what, remedy) for name in names)
    refuse_twice(texts, place, what, remedy)
    return texts


def refuse_twice(texts: Sequence[str], place: str, what: str, remedy: str) -> None:
    """Raise DataError where two of `texts` are the same."""
    twice = next((text for text, count in Counter(texts).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{place}: expected different {what}, found {twice!r} twice; {remedy}")


def checked_name(name: object, place: str, what: str, remedy: str) -> str:
    """`name` as printable text that is not too long. Raises DataError."""
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    if not isinstance(text, str) or not 0 < len(text) <= MAX_NAME or not text.isprintable():
        shown = ascii(text)[:60] if isinstance(text, str | int) else f"a {type(text).__name__}"
        raise DataError(
            f"{place}: expected {what} of 1 to {MAX_NAME} printable characters, found {shown}; {remedy}"
        )
    return str(text)
