"""`softmaxclf predict` for image files: labels, probabilities, and a sheet or page with the evidence behind them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.images import ImageShape
from softmaxclf.core.losses.softmax import softmax
from softmaxclf.core.model import LinearModel
from softmaxclf.datasets.images import MODES, find_images, read_image
from softmaxclf.errors import ConfigError, DataError, ModelError
from softmaxclf.files import make_folder, write_text
from softmaxclf.model_file import load_model
from softmaxclf.runs import csv_text
from softmaxclf.workflows.models.contact_sheet import PAGE, ContactSheet
from softmaxclf.workflows.observer import Observer

Array = NDArray[Any]
TABLE = "predictions.csv"
TABLE_COLUMNS = ("file", "label", "probability", "runner_up", "runner_up_probability", "sheet", "error")
MAX_STEM = 80  # characters of a file's name that its sheet's name keeps


@dataclass(frozen=True)
class Prediction:
    """What became of a file, or row of a table: its most probable labels, best first, or the error that it met.

    probabilities: (K,) of all classes.
    """

    item: Path | int
    top: tuple[tuple[str, float], ...] = ()
    probabilities: Array = field(default_factory=lambda: np.empty(0))
    sheet: Path | None = None
    error: DataError | None = None

    @property
    def place(self) -> dict[str, str | int]:
        """Its file or row. Bytes of a name that are no UTF-8 are written as escapes."""
        if isinstance(self.item, int):
            return {"row": self.item}
        return {"file": str(self.item).encode("utf-8", "backslashreplace").decode()}

    def answer(self) -> dict[str, Any]:
        """What is said of it in a line: label and probability, or the error."""
        if self.error is not None:
            return {**self.place, "error": str(self.error)}
        return {**self.place, **dict(zip(("label", "probability"), self.top[0], strict=True))}

    def summary(self) -> dict[str, Any]:
        """What --json prints of it."""
        if self.error is not None:
            return self.answer()
        found = {**self.answer(), "top": [{"label": each, "probability": share} for each, share in self.top]}
        return found if self.sheet is None else {**found, "sheet": str(self.sheet)}


class Predictions:
    """The predictions for image files and folders of them, made while they are iterated over, in the order of `files`.

    top: labels of each. out: a folder for the table, and the sheet of a single image or the page of several. Raises
    ModelError, DataError, ConfigError and OutputError for what can be known before any image is read.
    """

    def __init__(
        self, path: Path, images: Sequence[Path], observer: Observer, *, top: int = 3, out: Path | None = None
    ) -> None:
        self.path, self.top, self.out, self._observer = path, top, out, observer
        self.model, self._shape = load_image_model(path)
        self.files = find_images(images)
        self._failed: list[DataError] = []
        if out is not None:
            _prepare_folder(out, self.files)
        notes = list(cautions(self.model))
        for note in notes:
            observer.warn(note)
        several = out is not None and len(self.files) > 1
        self._contacts = ContactSheet(self.model, str(path), notes) if several else None

    @property
    def picture(self) -> Path | None:
        """What is drawn in `out`: the page of several images, or the sheet of the only one. None where none is read."""
        if self.out is None or len(self._failed) == len(self.files):
            return None
        return self.out / (sheet_name(self.files[0]) if self._contacts is None else PAGE)

    def __iter__(self) -> Iterator[Prediction]:
        """Read, score and draw an image at a time; a file that cannot be read is told and passed over."""
        table = []
        self._observer.begin("predict", len(self.files), unit="image")
        try:
            for place, file in enumerate(self.files):
                prediction = self._prediction(place, file)
                table.append(_table_row(prediction))
                self._observer.advance(place + 1)
                yield prediction
            if self.out is not None:
                self._write(self.out, table)
        finally:
            self._observer.end()

    def _write(self, out: Path, table: list[list[Any]]) -> None:
        """The page, if it is one, and the table, which says where on it an image is."""
        if self._contacts is not None:
            for place, anchor in self._contacts.anchors():
                table[place][TABLE_COLUMNS.index("sheet")] = f"{PAGE}#{anchor}"
            write_text(out / PAGE, self._contacts.page())
        write_text(out / TABLE, csv_text(TABLE_COLUMNS, table))

    def raise_if_failed(self) -> None:
        """Raise DataError when files could not be read: the error of the only one, or their number."""
        if len(self.files) == 1 and self._failed:
            raise self._failed[0]
        if self._failed:
            raise DataError(
                f"{len(self._failed):,} of {len(self.files):,} files could not be read; each is named above with what "
                "to do, and the others are done"
            )

    def _prediction(self, place: int, file: Path) -> Prediction:
        try:
            row = read_image(file, self._shape)
        except DataError as error:
            return self._unread(file, error)
        scores, probabilities = (each[0] for each in scored(self.path, self.model, row[None]))
        order = ranked(scores)
        found = Prediction(file, named_top(self.model, order[: self.top], probabilities), probabilities)
        if self._contacts is not None:
            self._contacts.add(place, str(found.place["file"]), found.top, order, row)
        elif self.picture is not None:
            draw_sheet(self.model, row, order[:2], probabilities, file, self.picture)
            found = replace(found, sheet=self.picture)
        return found

    def _unread(self, file: Path, error: DataError) -> Prediction:
        self._failed.append(error)
        if len(self.files) > 1:
            self._observer.warn(str(error))
        if self._contacts is not None:
            self._contacts.unread.append(str(error))
        return Prediction(file, error=error)


def load_image_model(path: Path) -> tuple[LinearModel, ImageShape]:
    """The model at `path` and the shape of its images, grey or RGB. Raises ModelError on any other."""
    model = load_model(path)
    shape = model.image_shape
    if shape is None or shape[0] not in MODES:
        found = f"{model.features:,} features" if shape is None else f"{shape[0]} channels"
        raise ModelError(
            f"{path}: expected a model of grey or RGB images, found one of {found}; "
            "give predict a table (.csv) or an array (.npy) of such rows"
        )
    return model, shape


def draw_sheet(
    model: LinearModel, row: Array, classes: Array, probabilities: Array, image: Path, path: Path
) -> None:
    """Write the sheet of one image to `path`: the evidence for `classes` (n,), all `probabilities` (K,)."""
    from softmaxclf.plots import evidence, figure

    # A model of these classes alone: the contributions (D, K) to a thousand classes would fill the memory.
    shown = replace(
        model,
        W=model.W[:, classes],
        b=model.b[classes],
        class_names=tuple(model.class_names[k] for k in classes),
    )
    contributions, biases = shown.evidence(row)
    assert model.image_shape is not None
    sheet = evidence.evidence(row, contributions, biases, classes, probabilities, model.image_shape)
    heading = image.name + (
        "" if model.loss_function.trains_probabilities else " (probabilities: softmax of margins)"
    )
    drawn = evidence.draw_evidence(sheet, model.class_names, heading=heading)
    figure.save(drawn, path, made_by=f"softmaxclf predict {image.name}")


def sheet_name(file: Path) -> str:
    """A file name for the sheet of an image: letters, digits and .-_ of its own name stay, others become _."""
    stem = "".join(letter if letter.isalnum() or letter in ".-_" else "_" for letter in file.stem)[:MAX_STEM]
    return f"{stem}-evidence.png"


def ranked(scores: Array) -> Array:
    """The classes (..., K) by score: of two probabilities that round to 0 or 1 the order cannot be told."""
    return np.argsort(-scores, axis=-1, kind="stable")


def named_top(model: LinearModel, order: Array, probabilities: Array) -> tuple[tuple[str, float], ...]:
    """Name and probability of the classes in `order`, best first."""
    return tuple((model.class_names[k], float(probabilities[k])) for k in order)


def scored(path: Path, model: LinearModel, rows: Array) -> tuple[Array, Array]:
    """Scores and probabilities (n, K) of `rows` (n, D). Raises ModelError where they leave the range of numbers."""
    with np.errstate(all="ignore"):
        scores = model.scores(rows)
        probabilities = softmax(scores / np.float32(model.temperature))
    if not (np.isfinite(scores).all() and np.isfinite(probabilities).all()):
        raise ModelError(
            f"{path}: expected weights that give finite scores, found infinite ones; train the model again"
        )
    return scores, probabilities


def _prepare_folder(out: Path, files: Sequence[Path]) -> None:
    """Make the folder of the pictures. Raises OutputError, or ConfigError when the images themselves lie in it."""
    make_folder(out)
    if out.resolve() in {file.parent.resolve() for file in files}:
        raise ConfigError(
            f"--out {out}: expected a folder apart from the images, found some of them in it; choose another folder"
        )


def cautions(model: LinearModel) -> Iterator[str]:
    """What a user should know before trusting this model's answers."""
    if model.loss_function.caution:
        yield f"of the probabilities: {model.loss_function.caution}"
    offset = model.preprocessing.offset
    if offset is not None and model.preprocessing.linear and 0 <= offset.min() <= offset.max() <= 1:
        yield (
            f"the model's pixels have a mean of at most {offset.max():.2g}, as if it was trained on 0 to 1; images are "
            "read as 0 to 255, so its answers may mean nothing: train it on bytes"
        )


def _table_row(prediction: Prediction) -> list[Any]:
    labels = [value for pair in prediction.top[:2] for value in pair]
    sheet = "" if prediction.sheet is None else prediction.sheet.name
    error = "" if prediction.error is None else str(prediction.error)
    return [*prediction.place.values(), *labels, *[""] * (4 - len(labels)), sheet, error]
