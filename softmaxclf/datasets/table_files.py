"""Tables on disk, read in blocks of rows: .csv and .tsv, also .gz, and .parquet.

CSV and TSV are UTF-8 with a header line; truth values are 1 and 0, as Parquet's are; fields may be quoted as
Python's csv module does it, which reads small files and those that pyarrow is not there for. A large file is read
by pyarrow, several times faster; where pyarrow refuses anything, the csv module goes on in its place and says which
line and column is wrong, so that both readers accept the same files and give the same numbers. Numbers are read in
float64 and rounded to float32.

What a file may ask for is bounded: lines, fields, names, and what a compressed file unpacks to. Parquet is decoded by
pyarrow, in C++; only numbers and labels are asked for.
"""

import csv
import io
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from softmaxclf.datasets.checks import MAX_NAME, checked_name, refuse_twice
from softmaxclf.datasets.dataset import LARGEST
from softmaxclf.datasets.gzipped import FREE, Unpacked
from softmaxclf.datasets.inputs import opened
from softmaxclf.datasets.patterns import is_pattern, matching
from softmaxclf.errors import DataError, lacking
from softmaxclf.files import printable

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
FAST_BYTES = 8 << 20  # from which pyarrow is worth its import
BLOCK_CELLS, BLOCK_BYTES = 1 << 19, 1 << 20
MAX_LINE = 16 << 20  # characters
RATIO = 100  # what a compressed table may unpack to, as a multiple of its size
MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "-")
UNPACK = "unpack it first, or write it again"
DELIMITERS = {"\t": "tabs", ";": "semicolons", "|": "vertical bars", ",": "commas"}
TRUTH = {"true": 1.0, "false": 0.0}
_GROUPED = re.compile(  # 13,49 and 1,234.5, 1.234.567 or 1'234
    r"[+-]?(\d+,\d+|\d{1,3}([,.' \xa0\u2009\u202f])\d{3}(\2\d{3})*([.,]\d+)?)([eE][+-]?\d{1,3})?"
)
_NO_UTF8 = re.compile("[\udc80-\udcff]")  # what the error handler surrogateescape makes of such bytes


class Block(NamedTuple):
    """Rows X (n, D) in float32 and their labels (n,) as text; none where no label was asked for."""

    X: NDArray[np.float32]
    labels: list[str]


class Table(Protocol):
    """A table that was opened: the names of its columns, spaces around them left out, and its rows.

    A first column without a name is none of them: it is the index that pandas and R write. Columns that are asked for
    have different names; others need not. notes: what its owner may not expect, a line each.
    """

    path: Path
    columns: tuple[str, ...]
    notes: tuple[str, ...]

    def blocks(self, features: Sequence[str], label: str | None, *, needed: bool = False) -> Iterator[Block]:
        """The rows, with these columns as features in this order. Raises DataError, with row and column.

        needed: whether no feature can be left out, since a model wants them, so that no message says so.
        """


def is_table(path: Path) -> bool:
    """Whether the name is that of a table."""
    return path.name.lower().endswith(SUFFIXES)


def open_table(path: Path) -> Table:
    """The table at `path`, or the tables of that pattern as one. Raises DataError where that is none."""
    if is_pattern(path):
        return JoinedTable(path, [open_table(each) for each in matching(path)])
    return ParquetTable(path) if path.name.lower().endswith(".parquet") else TextTable(path)


class TextTable:
    """A CSV or TSV file, packed by gzip or not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._delimiter = "\t" if ".tsv" in path.name.lower() else ","
        self._header: list[str] = next((fields for _, fields in self._lines()), [])
        if len(self._header) < 2:
            raise self._no_header()
        self.columns, self.notes = _column_names(path, self._header)
        self._first = len(self._header) - len(self.columns)

    def blocks(self, features: Sequence[str], label: str | None, *, needed: bool = False) -> Iterator[Block]:
        """See Table."""
        _refuse_twice(self, features, label)
        done: int | None = 0
        if self.path.stat().st_size >= FAST_BYTES:
            done = yield from self._fast_blocks(features, label)
        if done is not None:
            yield from self._careful_blocks(features, label, done, needed)

    def _no_header(self) -> DataError:
        """What to say of a first line that is one column, or none."""
        kind, other = (
            ("tabs", ".csv with commas") if self._delimiter == "\t" else ("commas", ".tsv with tabs")
        )
        found, remedy = "an empty file", "write it so"
        if self._header:
            between = next((name for sign, name in DELIMITERS.items() if sign in self._header[0]), None)
            found = f"one column, {self._header[0]!a:.60}"
            if between is not None:
                found, remedy = f"{between} in line 1", f"save it with {kind}, or as {other}"
        return _wrong(self.path, f"a header line of column names with {kind} between", found, remedy)

    @contextmanager
    def _bytes(self) -> Iterator[BinaryIO]:
        with opened(self.path) as (file, size):
            packed = self.path.name.lower().endswith(".gz")
            unpacked: Any = Unpacked(self.path, file, size, RATIO, UNPACK) if packed else None
            yield io.BufferedReader(unpacked, 1 << 20) if packed else file

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """The line number, from 1, and the fields of each line that is not empty, the header's first."""
        with self._bytes() as stream:
            text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
            reader = csv.reader(self._bounded(text), delimiter=self._delimiter)
            try:
                for fields in reader:
                    if fields:
                        yield reader.line_num, fields
            except UnicodeDecodeError as error:
                raise _wrong(self.path, "UTF-8 text", self._no_utf8(), "save it as UTF-8") from error
            except csv.Error as error:
                found = f"{error} near line {reader.line_num:,}"
                raise _wrong(
                    self.path, "fields as Python's csv module reads them", found, "write it again"
                ) from error

    def _no_utf8(self) -> str:
        """What the file holds that is no UTF-8."""
        with self._bytes() as stream:
            text = io.TextIOWrapper(stream, "utf-8", "surrogateescape", newline="")
            for number, line in enumerate(self._bounded(text), 1):
                if number == 1 and line.startswith(("\udcff\udcfe", "\udcfe\udcff")):
                    return "UTF-16"
                if byte := _NO_UTF8.search(line):
                    return f"byte {ord(byte[0]) & 0xFF:#x} in line {number:,}"
        raise AssertionError

    def _bounded(self, text: io.TextIOWrapper) -> Iterator[str]:
        while line := text.readline(MAX_LINE):
            if len(line) == MAX_LINE:
                raise _wrong(self.path, f"lines of less than {MAX_LINE:,} characters", "a longer one", UNPACK)
            yield line

    def _place(self, name: str) -> int:
        """Where the column stands in each line."""
        return self._first + self.columns.index(name)

    def _careful_blocks(
        self, features: Sequence[str], label: str | None, skipped: int, needed: bool
    ) -> Iterator[Block]:
        """The rows after the first `skipped` ones, by the csv module."""
        places = [self._place(name) for name in features]
        own = None if label is None else self._place(label)
        take: Callable[[list[str]], Sequence[str]] = (
            itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))
        )
        lines = islice(self._lines(), skipped + 1, None)
        while part := list(islice(lines, _block_rows(self.columns))):
            for line, fields in part:
                if len(fields) != len(self._header):
                    found = f"{len(fields):,} in line {line:,}"
                    raise _wrong(
                        self.path, f"{len(self._header):,} fields, one per column", found, "correct the line"
                    )
            try:
                values = np.array([[*map(float, take(fields))] for _, fields in part], np.float64)
            except ValueError:
                values = np.array([[*map(_number, take(fields))] for _, fields in part], np.float64)
            if not np.abs(values).max() <= LARGEST:
                raise self._no_number(part, places, own, needed)
            labels = [] if own is None else [fields[own].strip() for _, fields in part]
            if not all(labels):
                line = part[labels.index("")][0]
                raise _missing_label(self.path, f"line {line:,}, column {label!r}")
            yield Block(values.astype(np.float32), labels)

    def _no_number(
        self, part: Sequence[tuple[int, list[str]]], places: Sequence[int], own: int | None, needed: bool
    ) -> DataError:
        """What to say of the first line of `part` with a field that is no number."""
        line, wrong = next(
            (line, wrong)
            for line, fields in part
            if (wrong := [place for place in places if not abs(_number(fields[place])) <= LARGEST])
        )
        fields = dict(part)[line]
        used, names = {*places, own} - {*wrong}, [name.strip() for name in self._header]
        left_out = [name for place, name in enumerate(names) if name and place not in used]
        return _no_number(
            self.path,
            f"line {line:,}, column {names[wrong[0]]!r}",
            fields[wrong[0]],
            left_out if len(wrong) < len(places) and not needed else (),
        )

    def _fast_blocks(self, features: Sequence[str], label: str | None) -> Generator[Block, None, int | None]:
        """As many rows from the first on as pyarrow reads without an objection; returns their number, None for all."""
        try:
            import pyarrow
            from pyarrow import csv as arrow
        except ImportError:
            return 0
        done = 0
        raw = [self._header[self._place(name)] for name in features]
        own = [] if label is None else [self._header[self._place(label)]]
        types = {**dict.fromkeys(raw, pyarrow.float64()), **dict.fromkeys(own, pyarrow.string())}
        with self._bytes() as stream:
            try:
                reader = arrow.open_csv(
                    stream,
                    arrow.ReadOptions(block_size=BLOCK_BYTES),
                    arrow.ParseOptions(delimiter=self._delimiter, newlines_in_values=True),
                    arrow.ConvertOptions(include_columns=[*raw, *own], column_types=types, null_values=[""]),
                )
                for batch in reader:
                    X = _matrix(batch.columns[: len(raw)])
                    labels = [text.strip() for text in batch.column(len(raw)).to_pylist()] if own else []
                    if X is None or not all(0 < len(text) <= MAX_NAME for text in labels):
                        return done
                    yield Block(X, labels)
                    done += len(X)
            except (pyarrow.lib.ArrowException, DataError, UnicodeError):
                return done
        return None


class ParquetTable:
    """A Parquet file, read by pyarrow."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            told = lacking(path, "pyarrow", "reads Parquet", "parquet")
            raise DataError(f"{told}, or write the table as .csv") from error
        self.path = path
        with self._opened() as (file, size):
            self._types = dict(zip(file.schema_arrow.names, file.schema_arrow.types, strict=True))
            self.columns, self.notes = _column_names(path, file.schema_arrow.names)
            needed, limit = 4 * file.metadata.num_rows * len(self.columns), max(FREE, RATIO * size)
            if needed > limit:
                raise _wrong(
                    path, f"at most {limit:,} bytes of numbers in a file of this size", f"{needed:,}", UNPACK
                )

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, int]]:
        import pyarrow
        from pyarrow import parquet

        with opened(self.path) as (stream, size):
            try:
                yield parquet.ParquetFile(stream), size
            except (pyarrow.lib.ArrowException, OSError, UnicodeError) as error:
                found = printable((str(error) or type(error).__name__).splitlines()[0])[:120]
                raise _wrong(self.path, "a whole Parquet file", found, "write it again") from error

    def blocks(self, features: Sequence[str], label: str | None, *, needed: bool = False) -> Iterator[Block]:
        """See Table."""
        _refuse_twice(self, features, label)
        stored = {name.strip(): name for name in self._types}
        features, label = [stored[name] for name in features], None if label is None else stored[label]
        self._check_types(features, label, needed)
        done = 0
        with self._opened() as (file, _):
            columns = [*features, *([] if label is None else [label])]
            for batch in file.iter_batches(_block_rows(columns), columns=columns, use_threads=False):
                numbers = [batch.column(name) for name in features]
                X = _matrix(numbers)
                if X is None:
                    raise self._no_number(numbers, features, label, done, needed)
                found = [] if label is None else batch.column(label).to_pylist()
                labels = ["" if value is None else str(value).strip() for value in found]
                if not all(labels):
                    raise _missing_label(self.path, f"row {done + labels.index(''):,}, column {label!r}")
                yield Block(X, labels)
                done += len(X)

    def _check_types(self, features: Sequence[str], label: str | None, needed: bool) -> None:
        from pyarrow import types

        def numbers(kind: Any) -> bool:
            kind = kind.value_type if types.is_dictionary(kind) else kind
            return any(
                is_(kind) for is_ in (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
            )

        def text(kind: Any) -> bool:
            kind = kind.value_type if types.is_dictionary(kind) else kind
            return bool(types.is_string(kind) or types.is_large_string(kind)) or numbers(kind)

        if label is not None and not text(self._types[label]):
            found = f"{self._types[label]!s:.60} in column {label!r}"
            raise _wrong(
                self.path, "labels of text or integers", printable(found), "name another with data.label"
            )
        wrong = [name for name in features if not numbers(self._types[name])]
        if wrong:
            found = printable(self._types[wrong[0]])[:60]
            left = [] if needed else self._left_out(wrong, features, label)
            raise _no_number(self.path, f"column {wrong[0]!r}", found, left)

    def _no_number(
        self, columns: Sequence[Any], features: Sequence[str], label: str | None, done: int, needed: bool
    ) -> DataError:
        """What to say of the first value of these columns that is no number."""
        for name, column in zip(features, columns, strict=True):
            for row, value in enumerate(column.to_pylist()):
                if value is None or not abs(float(value)) <= LARGEST:
                    where, found = f"row {done + row:,}, column {name!r}", "" if value is None else str(value)
                    left = [] if needed else self._left_out([name], features, label)
                    return _no_number(self.path, where, found, left)
        raise AssertionError

    def _left_out(self, wrong: Sequence[str], features: Sequence[str], label: str | None) -> list[str]:
        used = {*features, label} - {*wrong}
        return [name for name in self.columns if name not in used] if len(wrong) < len(features) else []


class JoinedTable:
    """Tables of the same columns, in any order, as one."""

    def __init__(self, path: Path, tables: Sequence[Table]) -> None:
        self.path, self._tables, first = path, tables, tables[0]
        self.columns, self.notes = first.columns, tuple(note for table in tables for note in table.notes)
        for table in tables[1:]:
            strange = [name for name in table.columns if name not in first.columns]
            lacking = [name for name in first.columns if name not in table.columns]
            if strange or lacking:
                found = f"{strange[0]!r} beside them" if strange else f"none called {lacking[0]!r}"
                raise _wrong(table.path, f"the columns of {first.path.name}", found, "write them alike")

    def blocks(self, features: Sequence[str], label: str | None, *, needed: bool = False) -> Iterator[Block]:
        """See Table."""
        for table in self._tables:
            yield from table.blocks(features, label, needed=needed)


def _block_rows(columns: Sequence[str]) -> int:
    return max(1, BLOCK_CELLS // len(columns))


def _matrix(columns: Sequence[Any]) -> NDArray[np.float32] | None:
    """Arrow's columns of numbers as rows (n, D); None where a value is missing or beyond float32."""
    if any(column.null_count for column in columns):
        return None
    X = np.empty((len(columns[0]), len(columns)), np.float32)
    for place, column in enumerate(columns):
        values = column.cast("float64", safe=False).to_numpy(zero_copy_only=False)
        if len(values) and not (values.min() >= -LARGEST and values.max() <= LARGEST):
            return None
        X[:, place] = values
    return X


def _number(field: str) -> float:
    """The number in a field, 1 and 0 for truth values in any case, or NaN."""
    try:
        return float(field)
    except ValueError:
        return TRUTH.get(field.strip().casefold(), np.nan)


def _column_names(path: Path, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the columns, without a first one that has none, and what to say of that."""
    stripped = [name.strip() for name in names]
    unnamed = stripped[:1] == [""]
    columns = tuple(
        checked_name(name, str(path), "column names", "rename the column") for name in stripped[unnamed:]
    )
    return columns, (f"{path}: column 1 has no name and is left out, as an index",) if unnamed else ()


def _refuse_twice(table: Table, features: Sequence[str], label: str | None) -> None:
    """Raise DataError where one of these columns is there twice."""
    asked = {*features, label}
    remedy = "rename the column, or leave it out (data.ignore)"
    refuse_twice([name for name in table.columns if name in asked], str(table.path), "column names", remedy)


def _no_number(path: Path, where: str, found: str, left_out: Sequence[str]) -> DataError:
    """left_out: all columns that are to be left out then; none where a model needs the column."""
    remedies = ["turn it into numbers"]
    if found.strip().casefold() in MISSING:
        remedies = ["fill it in, delete the row"] if left_out else ["fill it in", "delete the row"]
        found = f"none ({found!a:.30})" if found else "none"
    elif _GROUPED.fullmatch(found.strip()):
        remedies, found, left_out = (
            ["write a decimal point, and nothing between thousands"],
            f"{found!a:.60}",
            (),
        )
    else:
        found = f"{found!a:.60}"
    if left_out:
        remedies.append(f"leave it out: --set 'data.ignore={','.join(dict.fromkeys(left_out))}'")
    remedy = (", or " if left_out else " or ").join(remedies)
    return _wrong(path, "numbers that fit float32", f"{found} in {where}", remedy)


def _missing_label(path: Path, where: str) -> DataError:
    return _wrong(path, "a label in each row", f"none in {where}", "fill it in or delete the row")


def _wrong(path: Path, expected: str, found: str, remedy: str) -> DataError:
    return DataError(f"{path}: expected {expected}, found {found}; {remedy}")
