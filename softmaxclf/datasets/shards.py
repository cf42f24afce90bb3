"""Rows in shards, `--data 'features/*.npy'`: each file (N_i, D), one after another in natural order of their names.

Labels lie beside them: `part-1.labels.npy`, or `part-1.labels.txt` with a label a line, beside each `part-1.npy`, or
those of all rows in that order in `labels.npy` or `labels.txt` of the folder; `class_names.npy` or `.txt` as well.
Types, labels and names are those of datasets/features.py. Rows stay in the files where they do not fit into memory.
Test rows are drawn as those of a table.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from softmaxclf.arrays import JoinedArray, open_arrays
from softmaxclf.core.images import ImageShape
from softmaxclf.core.splits import Indices
from softmaxclf.datasets.dataset import Dataset, Split
from softmaxclf.datasets.features import cast_note, class_names_of, labels_of, rows_of
from softmaxclf.datasets.inputs import read_lines
from softmaxclf.datasets.labels import Classes, StoredLabels
from softmaxclf.datasets.patterns import matching, title_of
from softmaxclf.datasets.tables import Settings, drawn_rows
from softmaxclf.errors import DataError
from softmaxclf.files import exists, printable, room_for_files


def read_shards(path: Path, settings: Settings) -> Dataset:
    """The data set of the shards of a pattern; data.test of its rows are drawn as test rows. Raises DataError."""
    if path.suffix != ".npy":
        found = path.suffix or "no ending"
        raise DataError(
            f"{printable(path)}: expected a pattern that ends in .npy, or as tables do, found {found}; add it"
        )
    X, image_shape, notes = open_shards(matching(path))
    beside = _label_files(X)
    stored = [labels_of(file, "labels", {"labels": _values(file)}) for file in beside]
    named = _beside(path.parent, "class_names")
    names = None if named is None else class_names_of(named, {"class_names": _values(named)})
    classes = Classes.of(StoredLabels.joined(stored, str(path)), names, training=settings.training)
    counts = np.diff(X.starts).tolist() if len(stored) == len(X.parts) else [len(X)]
    y = np.concatenate([classes.labels(*each) for each in zip(stored, counts, strict=True)])
    train_rows, test_rows = drawn_rows(path, y, settings)

    def split(rows: Indices) -> Split:
        return Split.of(X.chosen(rows), y[rows], str(path))

    def read_test() -> Split:
        test = split(test_rows)
        test.examine()
        return test

    return Dataset(
        name=title_of(path),
        path=str(path),
        read_class_names=lambda: classes.names,
        image_shape=image_shape,
        read_train=lambda: split(train_rows),
        read_test=read_test if len(test_rows) else None,
        notes=notes,
        drawn=(len(test_rows), len(y)),
        columns=X.shape[1],
        is_unchanged=X.unchanged,
    )


def open_shards(files: Sequence[Path]) -> tuple[JoinedArray, ImageShape | None, tuple[str, ...]]:
    """The rows (N, D) of these files, their image shape, and notes. Raises DataError."""
    parts, kinds, shape = [], [], None
    if (room := room_for_files(len(files))) < len(files):
        raise DataError(
            f"{files[0].parent}: expected at most {room:,} shards, which are kept open, found {len(files):,}; raise "
            "the limit with ulimit -n, or join some"
        )
    for file in files:
        with open_arrays(file, error=DataError) as arrays:
            stored = arrays.stored(arrays.names[0])
        kinds.append(f"{stored.dtype} of shape (N{''.join(f', {length}' for length in stored.shape[1:])})")
        if kinds[-1] != kinds[0]:
            raise DataError(
                f"{file}: expected rows as in {files[0].name}, {kinds[0]}, found {kinds[-1]}; write them alike"
            )
        rows, shape = rows_of(file, "rows", stored, None)
        parts.append(rows)
    return JoinedArray(parts, files), shape, cast_note(str(files[0]), stored.dtype)


def _label_files(X: JoinedArray) -> Sequence[Path]:
    """The labels beside each shard, or those of all. Raises DataError where there are none."""
    own = [_beside(file.parent, f"{file.stem}.labels") for file in X.paths]
    whole = _beside(X.paths[0].parent, "labels")
    if whole is not None and any(own):
        one = next(file for file in own if file is not None)
        raise DataError(
            f"{whole}: expected labels beside each shard or those of all, found {one.name} too; remove one of both"
        )
    if whole is not None:
        return [whole]
    for file, labels in zip(X.paths, own, strict=True):
        if labels is None:
            raise DataError(
                f"{file}: expected its labels in {file.stem}.labels.npy or .txt, or those of all shards in labels.npy "
                "or .txt, found none; write them there"
            )
    return [file for file in own if file is not None]


def _beside(folder: Path, stem: str) -> Path | None:
    """The `.npy` or `.txt` of that name, if there is one."""
    return next((file for ending in (".npy", ".txt") if exists(file := folder / f"{stem}{ending}")), None)


def _values(file: Path) -> Any:
    if file.suffix == ".txt":
        return read_lines(file)
    with open_arrays(file, error=DataError) as arrays:
        return arrays.read(arrays.names[0])
