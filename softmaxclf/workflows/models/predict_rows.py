"""`softmaxclf predict` for the rows of a table or an array, a block at a time; and the tables that predict writes."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.arrays import StoredArray, open_arrays
from softmaxclf.core.images import ImageShape, UnclearShapeError, as_rows, rows_shape
from softmaxclf.core.model import LinearModel
from softmaxclf.datasets.dataset import Split
from softmaxclf.datasets.patterns import is_pattern, matching
from softmaxclf.datasets.table_files import Table, is_table, open_table
from softmaxclf.datasets.tables import LABELS, left_aside, refuse_lacking
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.files import atomic_writer, is_folder
from softmaxclf.model_file import load_model
from softmaxclf.runs import csv_lines
from softmaxclf.workflows.models.predict import Prediction, named_top, ranked, scored
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.output import refuse_other

Array = NDArray[Any]
BLOCK_ROWS = 4096
FORMATS = ("csv", "jsonl")


def is_rows(path: Path) -> bool:
    """Whether the name is that of a table or an array, or of several by a pattern."""
    return (is_table(path) or path.suffix.lower() == ".npy") and not is_folder(path)


class RowPredictions:
    """The predictions for the rows of a table or `.npy`, or of those of a pattern, made while they are iterated over.

    Raises ModelError and DataError for what can be known before any row is read.
    """

    def __init__(self, path: Path, source: Path, observer: Observer, *, top: int = 3) -> None:
        self.path, self.source, self.top, self._observer = path, source, top, observer
        self.model = load_model(path)
        self._blocks = self._of_table() if is_table(source) else self._of_arrays()
        if self.model.loss_function.caution:
            observer.warn(f"of the probabilities: {self.model.loss_function.caution}")

    def __iter__(self) -> Iterator[Prediction]:
        """The rows in their order, numbered from 0."""
        row = 0
        self._observer.begin("predict", 0, unit="row")
        try:
            for X in self._blocks:
                scores, probabilities = scored(self.path, self.model, X)
                for order, shares in zip(ranked(scores)[:, : self.top], probabilities, strict=True):
                    yield Prediction(row, named_top(self.model, order, shares), shares)
                    row += 1
                self._observer.advance(row)
        finally:
            self._observer.end()
        if not row:
            raise DataError(f"{self.source}: expected rows to predict, found none")

    def raise_if_failed(self) -> None:
        """Nothing: a row that cannot be read ends the command."""

    def _of_table(self) -> Iterator[Array]:
        table = open_table(self.source)
        features = model_columns(self.model, table)
        extra = [name for name in table.columns if name not in features]
        for note in (*table.notes, *left_aside(self.source, extra)):
            self._observer.note(note)
        return _regular(block.X for block in table.blocks(features, None, needed=True))

    def _of_arrays(self) -> Iterator[Array]:
        files = matching(self.source) if is_pattern(self.source) else [self.source]
        return _regular(chain.from_iterable([self._of_array(file) for file in files]))

    def _of_array(self, path: Path) -> Iterator[Array]:
        with open_arrays(path, error=DataError) as file:
            X = file.stored(file.names[0])
        try:
            if X.dtype.kind not in "biuf" or not X.size:
                raise UnclearShapeError("rows of numbers", f"{X.dtype} of shape {X.shape}", "store such")
            shape, image_shape = rows_shape(X, self.model.image_shape)
        except UnclearShapeError as error:
            raise DataError(f"{path}: {error}") from error
        if shape[1] != self.model.features:
            raise DataError(
                f"{path}: expected rows of {self.model.features:,} columns, as the model was trained on, found "
                f"{shape[1]:,}; give rows of the same features"
            )
        return self._checked(path, X, image_shape)

    def _checked(self, path: Path, X: Array | StoredArray, image_shape: ImageShape | None) -> Iterator[Array]:
        for start in range(0, len(X), BLOCK_ROWS):
            block, _ = as_rows(X[start : start + BLOCK_ROWS], image_shape)
            Split(block, np.empty(0, np.int64), str(path)).check(block, start)
            yield block


def _regular(blocks: Iterable[Array]) -> Iterator[Array]:
    """The rows of `blocks` in blocks of BLOCK_ROWS: so the last bit of a score does not depend on who read the row."""
    waiting: list[Array] = []
    for block in blocks:
        waiting.append(block)
        if sum(map(len, waiting)) >= BLOCK_ROWS:
            rows = np.concatenate(waiting)
            end = len(rows) - len(rows) % BLOCK_ROWS
            yield from np.split(rows[:end], end // BLOCK_ROWS)
            waiting = [rows[end:]]
    if any(map(len, waiting)):
        yield np.concatenate(waiting)


def model_columns(model: LinearModel, table: Table) -> Sequence[str]:
    """The columns of the table that are the model's features, in its order. Raises DataError where one is missing."""
    if model.feature_names is not None:
        refuse_lacking(str(table.path), model.feature_names, table.columns)
        return model.feature_names
    if len(table.columns) == model.features:
        return table.columns
    features = [name for name in table.columns if name.casefold() not in LABELS]
    if len(features) != model.features:
        raise DataError(
            f"{table.path}: expected {model.features:,} columns, as the model was trained on, found {len(features):,}; "
            "give rows of the same features"
        )
    return features


def written(
    out: Path, predictions: Iterable[Prediction], class_names: Sequence[str], *, probabilities: bool
) -> int:
    """Write the table `out`, .csv or .jsonl, atomically and as it comes; returns the number of its lines.

    probabilities: of all classes. Raises ConfigError where the file is another's, and what `predictions` raise.
    """
    begins = {"csv": (b"file,label,prob", b"row,label,prob"), "jsonl": (b'{"file": ', b'{"row": ')}
    refuse_other(out, begins[out.suffix[1:].lower()], "something that is no table of predictions")
    counted = _Counted(predictions)
    with atomic_writer(out) as file:
        for text in lines(counted, out.suffix[1:].lower(), class_names, probabilities=probabilities):
            file.write(text.encode())
    return counted.count


def lines(
    predictions: Iterable[Prediction], form: str, class_names: Sequence[str], *, probabilities: bool
) -> Iterator[str]:
    """The table as text of one of FORMATS, many lines at a time."""
    waiting = iter(predictions)
    names = [f"probability of {name}" for name in class_names] if probabilities else []
    first = next(waiting, None)
    if first is None:
        return
    if form == "csv":
        yield csv_lines([[*first.place, "label", "probability", *names]])
    waiting = chain([first], waiting)
    while part := list(islice(waiting, BLOCK_ROWS)):
        if form == "csv":
            yield csv_lines(_fields(each, len(names)) for each in part)
        else:
            yield "".join(_document(each, class_names if probabilities else ()) for each in part)


def _fields(prediction: Prediction, classes: int) -> list[Any]:
    if prediction.error is not None:
        return [*prediction.place.values(), *[""] * (2 + classes)]
    return [*prediction.answer().values(), *prediction.probabilities[:classes].tolist()]


def _document(prediction: Prediction, class_names: Sequence[str]) -> str:
    shares = dict(zip(class_names, prediction.probabilities.tolist(), strict=False))
    return json.dumps({**prediction.answer(), **({"probabilities": shares} if shares else {})}) + "\n"


class _Counted:
    """An iterable that counts what it gave."""

    def __init__(self, items: Iterable[Prediction]) -> None:
        self.items, self.count = items, 0

    def __iter__(self) -> Iterator[Prediction]:
        for item in self.items:
            self.count += 1
            yield item


def chosen_format(form: str | None, out: Path | None) -> str:
    """table, csv or jsonl: as asked, or as the ending of `out` says. Raises ConfigError where they disagree."""
    ending = "" if out is None else out.suffix[1:].lower()
    if ending in FORMATS and form not in (None, ending):
        raise ConfigError(f"--out {out}: expected a file ending in .{form}, as --format says; change one")
    return form or "table"
