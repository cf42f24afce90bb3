"""Labels as people keep them, as numbers in [0, K): one rule for arrays, tables and lines of text.

Without class names:

- Integers that begin at 0 stay as they are, gaps and all, so that a model predicts the numbers that were given; K is
  the largest plus one, which must be below 1,000 or the number of rows.
- All others (texts, truth values, integers from 1 or below 0, codes such as 10 and 250) are classes by name: the
  distinct ones, sorted, by number where all are integers. Text that is an integer counts as one, so that a table,
  which is text, and an array give the same classes, and so does 1.0, as pandas writes integers of a column that lacked
  some. Other numbers are refused: they are quantities.

With class names: integers count the names from 0, other labels are among them.

The rule is made from the training labels. Those of validation and test follow it, and one that training lacks is an
error, since no model could ever be right about it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.datasets.checks import MAX_CLASSES, MAX_NAME, checked_class_names
from softmaxclf.datasets.dataset import Labels
from softmaxclf.errors import DataError

MAX_GAPPED = 1000  # labels below this stay as they are, however few the rows
_INTEGER = re.compile(r"(0|-?[1-9][0-9]{0,17})(\.0*)?")
Value = int | str


class Coder:
    """Counts distinct labels in the order in which they come, block by block. Raises DataError where they are too many.

    place: where they come from, for messages.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.values: dict[Value, int] = {}

    def codes(self, labels: Iterable[Value]) -> NDArray[np.int64]:
        """The places (n,) of these labels among `values`."""
        values = self.values
        codes = [values.setdefault(label, len(values)) for label in labels]
        if len(values) > MAX_CLASSES:
            raise DataError(
                f"{self.place}: expected at most {MAX_CLASSES:,} classes, found more; name the labels"
            )
        return np.array(codes, np.int64)


@dataclass(frozen=True)
class StoredLabels:
    """Labels (N,) as a source has them: `values[codes]`, the values different. name: what they are called there."""

    place: str
    name: str
    values: Sequence[Value]
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, labels: NDArray[Any], place: str, name: str) -> "StoredLabels":
        """Those of an array (N,) of integers, truth values or text."""
        if labels.dtype.kind in "iu":
            values, codes = np.unique(labels, return_inverse=True)
            return cls(place, name, values.tolist(), codes)
        coder = Coder(f"{place}: {name}")
        codes = coder.codes(labels.astype(str).tolist())
        return cls(place, name, list(coder.values), codes)

    @classmethod
    def joined(cls, parts: "Sequence[StoredLabels]", place: str) -> "StoredLabels":
        """Those of several files, one after another; values that stand in more than one stand there as often."""
        starts = np.cumsum([0, *(len(each.values) for each in parts)])
        codes = [start + each.codes for start, each in zip(starts, parts, strict=False)]
        values = [value for each in parts for value in each.values]
        return cls(place, parts[0].name, values, np.concatenate(codes))


@dataclass(frozen=True)
class Classes:
    """The names (K,), and which number each stored label has. integers: whether text may be one."""

    names: tuple[str, ...]
    numbers: Mapping[Value, int]
    integers: bool
    found: str

    @classmethod
    def of(
        cls, train: StoredLabels, given: Sequence[str] | None = None, *, training: bool = True
    ) -> "Classes":
        """The classes of the training labels, by the rule above. Raises DataError.

        training: whether a model is to be trained on them, which takes two classes.
        """
        place = f"{train.place}: {train.name}"
        read = [_integer(value) for value in train.values]
        integers = all(isinstance(value, int) for value in read)
        values: list[Any] = sorted(set(read if integers else map(str, train.values)))
        if training and len(values) < 2:
            raise DataError(
                f"{train.place}: expected at least 2 classes in {train.name}, found {len(values)}; "
                "add rows of another class"
            )
        if given is None and not (integers and _stay(values, len(train.codes))):
            _refuse_quantities(place, values)
            names = checked_class_names([*map(str, values)], place)
            return cls(names, _numbered(values), integers, f"among the {len(names)} of the training rows")
        names = checked_class_names(
            given or [*map(str, range(int(values[-1]) + 1))], f"{train.place}: class_names"
        )
        if integers:
            return cls(names, _numbered(range(len(names))), True, f"from 0 to {len(names) - 1}")
        return cls(names, _numbered(names), False, "among the class names")

    def labels(self, stored: StoredLabels, rows: int, where: Any = "row {}".format) -> Labels:
        """The labels (rows,) in [0, K). Raises DataError, naming the first that is none by `where`."""
        place = f"{stored.place}: "
        if len(stored.codes) != rows:
            raise DataError(
                f"{place}expected {rows:,} {stored.name}, one per row, found {len(stored.codes):,}; write both again"
            )
        values = [_integer(value) if self.integers else value for value in stored.values]
        table = np.array([self.numbers.get(value, -1) for value in values], np.int64)
        y: Labels = table[stored.codes]
        if len(outside := np.flatnonzero(y < 0)):
            row = int(outside[0])
            found = ascii(stored.values[stored.codes[row]])[: MAX_NAME + 2]
            raise DataError(
                f"{place}expected {stored.name} {self.found}, found {found} in {where(row)}; "
                "check that this belongs to the same data, or give training rows of that class"
            )
        return y


def integers_of(names: Iterable[str]) -> list[int] | None:
    """The names of classes as integers; None where one of them is none."""
    read = [_integer(name) for name in names]
    return (
        [value for value in read if isinstance(value, int)] if all(isinstance(v, int) for v in read) else None
    )


def _integer(value: Value) -> Value:
    found = _INTEGER.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) if found else value


def _numbered(values: Iterable[Value]) -> dict[Value, int]:
    return {value: number for number, value in enumerate(values)}


def _stay(values: Sequence[Any], rows: int) -> bool:
    return bool(values[0] == 0 and values[-1] < min(MAX_CLASSES, max(MAX_GAPPED, rows)))


def _refuse_quantities(place: str, values: Sequence[Any]) -> None:
    """Raise DataError for too many labels, and where all are numbers, but not all of them integers."""
    if len(values) > MAX_CLASSES:
        raise DataError(f"{place}: expected at most {MAX_CLASSES:,} classes, found more; name the labels")
    broken = next((value for value in values if isinstance(_integer(value), str)), None)
    if broken is not None and all(map(_is_number, values)):
        raise DataError(
            f"{place}: expected classes, found numbers such as {ascii(broken)[:40]}; name other labels, or write "
            "classes as integers or text"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
