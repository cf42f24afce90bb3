"""Tables as data sets: one row an example, one column its label, all others features with names.

One file, from which test rows are drawn, several by a pattern (patterns.py), or a folder with `train`, and optionally
`validation` and `test`, each as .csv, .tsv (also .gz) or .parquet. The label column is the one that data.label names,
or else the only one called label, target, class or y. data.ignore leaves columns out.
"""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

import numpy as np

from softmaxclf.core.splits import Indices, drawn_test_split
from softmaxclf.datasets.checks import MAX_NAME
from softmaxclf.datasets.dataset import Dataset, Labels, Log, Rows, Split
from softmaxclf.datasets.features import PARTS, almost
from softmaxclf.datasets.labels import Classes, Coder, StoredLabels
from softmaxclf.datasets.patterns import title_of
from softmaxclf.datasets.table_files import SUFFIXES, Table, open_table
from softmaxclf.errors import DataError
from softmaxclf.files import exists

LABELS = ("label", "target", "class", "y")
SHOWN = 12  # columns that a message lists
MOVED_ROWS = 65_536


class Settings(Protocol):
    """The data settings that tables follow."""

    @property
    def seed(self) -> int: ...
    @property
    def test(self) -> float: ...
    @property
    def label(self) -> str | None: ...
    @property
    def ignore(self) -> tuple[str, ...]: ...
    @property
    def features(self) -> tuple[str, ...] | None: ...
    @property
    def training(self) -> bool: ...
    @property
    def warn(self) -> Log: ...


def read_table(path: Path, settings: Settings) -> Dataset:
    """The data set of one table; data.test of its rows are drawn as test rows. Raises DataError."""
    table = open_table(path)
    label, features = chosen_columns(table, settings)
    X, stored = _rows(table, label, features, settings)
    classes = Classes.of(stored, training=settings.training)
    y = classes.labels(stored, len(X))
    train_rows, test_rows = drawn_rows(path, y, settings)
    notes = table.notes + _notes(table, X, label, features, settings)
    test = Split(X[test_rows], y[test_rows], str(path))
    train = Split(_moved_up(X, train_rows), y[train_rows], str(path))
    read_test = (lambda: test) if len(test.y) else None
    drawn = len(test_rows), len(y)
    return _dataset(path, train, classes, features, notes, read_test=read_test, drawn=drawn)


def drawn_rows(path: Path, y: Labels, settings: Settings) -> tuple[Indices, Indices]:
    """(training rows, test rows) of a source that has no splits, by data.test. Raises DataError."""
    try:
        return drawn_test_split(y, settings.test, settings.seed)
    except ValueError as error:
        if settings.training:
            raise DataError(f"{path}: data.test: {error}") from error
        return np.arange(len(y)), np.empty(0, np.int64)  # nothing need be left to train on


def read_table_folder(path: Path, settings: Settings) -> Dataset:
    """The data set of a folder with a table for each split, all read now. Raises DataError."""
    tables = {part: open_table(file) for part in PARTS if (file := part_of(path, part))}
    _refuse_other_names(path, tables)
    label, features = chosen_columns(tables["train"], settings)
    read = {
        part: _rows(table, label, _found_in(table, label, features), settings)
        for part, table in tables.items()
    }
    classes = Classes.of(read["train"][1], training=settings.training)
    splits = {
        part: Split(X, classes.labels(stored, len(X), "data row {}".format), stored.place)
        for part, (X, stored) in read.items()
    }
    notes = tuple(note for table in tables.values() for note in table.notes)
    notes += _notes(tables["train"], splits["train"].X, label, features, settings)
    test = splits.get("test")
    return _dataset(
        path,
        splits["train"],
        classes,
        features,
        notes,
        splits.get("validation"),
        (lambda: test) if test else None,
    )


def _dataset(
    path: Path,
    train: Split,
    classes: Classes,
    features: Sequence[str],
    notes: tuple[str, ...],
    validation: Split | None = None,
    read_test: Callable[[], Split] | None = None,
    *,
    drawn: tuple[int, int] | None = None,
) -> Dataset:
    return Dataset(
        name=title_of(path),
        path=str(path),
        read_class_names=lambda: classes.names,
        image_shape=None,
        read_train=lambda: train,
        validation=validation,
        read_test=read_test,
        feature_names=tuple(features),
        notes=notes,
        drawn=drawn,
    )


def part_of(folder: Path, part: str) -> Path | None:
    """The table of that split in a folder, if there is one. Raises DataError where there are several."""
    found = [file for suffix in SUFFIXES if exists(file := folder / f"{part}{suffix}")]
    if len(found) > 1:
        raise DataError(
            f"{folder}: expected one table called {part}, found {', '.join(file.name for file in found)}; "
            "move the others away"
        )
    return found[0] if found else None


def _refuse_other_names(folder: Path, tables: dict[str, Table]) -> None:
    """Raise DataError for a table called almost as a split that is missing, as val.csv."""
    missing = [part for part in PARTS if part not in tables]
    for file in sorted(folder.iterdir()):
        name, suffix = file.name.partition(".")[::2]
        if f".{suffix}" in SUFFIXES and name not in PARTS and (meant := almost(name.casefold(), missing)):
            raise DataError(
                f"{folder}: expected tables called {', '.join(PARTS)}, found {file.name!a}; "
                f"did you mean {meant}.{suffix}? rename it"
            )


def chosen_columns(table: Table, settings: Settings) -> tuple[str, list[str]]:
    """The label column, and the features. Raises DataError where the settings name others than there are."""
    columns = [name for name in table.columns if name not in settings.ignore]
    known = settings.features
    if known is not None:
        refuse_lacking(str(table.path), known, columns)
    wanted = (settings.label,) if settings.label is not None else LABELS
    labels = [
        name
        for name in columns
        if name in wanted
        or (settings.label is None and name.casefold() in wanted and name not in (known or ()))
    ]
    if len(labels) != 1:
        expected = " or ".join(wanted)
        found = " and ".join(dict.fromkeys(labels)) or "none"
        if len(labels) > len(set(labels)):
            found, remedy = f"{labels[0]} twice", "rename one"
        elif settings.label in settings.ignore:
            remedy = "it is in data.ignore: take it out there"
        else:
            remedy = "name it with data.label" + _meant(table, settings.label or "")
        raise _wrong_column(table, f"expected one column of labels, {expected}, found {found}; {remedy}")
    features = [name for name in columns if name != labels[0] and (known is None or name in known)]
    if not features:
        raise _wrong_column(table, "expected columns beside the labels, found none")
    return labels[0], features


def refuse_lacking(place: str, features: Sequence[str], found: Sequence[str]) -> None:
    """Raise DataError where a model's features are not among the columns that were found."""
    if lacking := [name for name in features if name not in found]:
        more = f" and {len(lacking) - 1:,} more" if len(lacking) > 1 else ""
        raise DataError(
            f"{place}: expected the column {lacking[0]!r}{more}, which the model was trained on, found "
            f"{', '.join(found[:SHOWN])}; add it, or rename the column that it is"
        )


def left_aside(place: object, extra: Sequence[str]) -> tuple[str, ...]:
    """A note of columns that a model does not know."""
    more = f" and {len(extra) - SHOWN:,} more" if len(extra) > SHOWN else ""
    told = f"{place}: columns that the model does not know are ignored: {', '.join(extra[:SHOWN])}{more}"
    return (told,) if extra else ()


def _wrong_column(table: Table, told: str) -> DataError:
    """The error, with the columns: where they are many, the first ones and the last, which often has the labels."""
    columns = list(table.columns)
    if len(columns) > SHOWN:
        columns[SHOWN - 2 : -2] = [f"{len(columns) - SHOWN:,} more"]
    return DataError(f"{table.path}: {told} (its columns: {', '.join(columns)})")


def _meant(table: Table, name: str, before: str = "; ", after: str = "") -> str:
    """A hint at the column of the table whose name is almost `name`, if there is one."""
    known = {column.casefold(): column for column in table.columns}
    close = get_close_matches(name.casefold()[:MAX_NAME], known, n=1)
    return f"{before}did you mean {known[close[0]]}?{after}" if close else ""


def _found_in(table: Table, label: str, features: Sequence[str]) -> Sequence[str]:
    """`features`. Raises DataError where the table lacks one, or the labels."""
    lacking = [name for name in (label, *features) if name not in table.columns]
    if lacking:
        what = "the label column" if lacking[0] == label else "a column"
        hint = _meant(table, lacking[0])
        if lacking[0] == label and not hint:
            hint = "; rows without labels are for softmaxclf predict: move them away"
        raise _wrong_column(table, f"expected {what} {lacking[0]!r} as in train, found none{hint}")
    return features


def _rows(table: Table, label: str, features: Sequence[str], settings: Settings) -> tuple[Rows, StoredLabels]:
    """The rows (N, D) in float32, in an array that grows where it stands, and the labels."""
    name = f"column {label!r}"
    X, done, codes, coder = np.empty((0, len(features)), np.float32), 0, [], Coder(f"{table.path}: {name}")
    for block in table.blocks(features, label, needed=settings.features is not None):
        end = done + len(block.X)
        if end > len(X):
            X.resize((max(end, len(X) + len(X) // 4), len(features)), refcheck=False)
        X[done:end], done = block.X, end
        codes.append(coder.codes(block.labels))
    X.resize((done, len(features)), refcheck=False)
    if not done:
        raise DataError(f"{table.path}: expected rows under the header, found none; add some")
    return X, StoredLabels(str(table.path), name, list(coder.values), np.concatenate(codes))


def _moved_up(X: Rows, rows: Indices) -> Rows:
    """The rows X[rows], sorted, without a second array of that size: X itself, shortened."""
    for start in range(0, len(rows), MOVED_ROWS):
        part = rows[start : start + MOVED_ROWS]
        X[start : start + len(part)] = X[part]
    X.resize((len(rows), X.shape[1]), refcheck=False)
    return X


def _notes(table: Table, X: Rows, label: str, features: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """What the owner of the table may not expect: of a model's features, which cannot be left out, another thing."""
    _warn_of_unknown(table, settings)
    if settings.features is None:
        return _constant(table, X, features)
    used = {label, *features, *settings.ignore}
    return left_aside(table.path, [name for name in table.columns if name not in used])


def _warn_of_unknown(table: Table, settings: Settings) -> None:
    """Warn of columns to leave out that are not there: an error would stop evaluate on a table without them."""
    names = [name for name in settings.ignore if name not in table.columns]
    if names:
        told = ", ".join(name + _meant(table, name, " (", ")") for name in names)
        settings.warn(f"{table.path}: data.ignore names columns that it lacks: {told}")


def _constant(table: Table, X: Rows, features: Sequence[str]) -> tuple[str, ...]:
    """Notes of columns that hold one value only."""
    names = [
        name for name, low, high in zip(features, X.min(axis=0), X.max(axis=0), strict=True) if low == high
    ]
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    told = f"{table.path}: columns of one value, which tell nothing: {', '.join(names[:SHOWN])}{more} (data.ignore)"
    return (told,) if names else ()
