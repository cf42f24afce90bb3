"""`softmaxclf predict`: labels and probabilities for image files, and sheets with the evidence behind them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.model import LinearModel
from softmaxclf.datasets.images import MODES, find_images, read_image
from softmaxclf.errors import ConfigError, DataError, ModelError
from softmaxclf.files import cannot_write, write_text
from softmaxclf.model_file import load_model
from softmaxclf.runs import csv_text
from softmaxclf.workflows.observer import Observer

Array = NDArray[Any]
CHUNK_IMAGES, CHUNK_BYTES = 256, 64 << 20  # what is read before it is scored
TABLE = "predictions.csv"
TABLE_COLUMNS = ("file", "label", "probability", "runner_up", "runner_up_probability", "sheet", "error")
MAX_STEM = 80  # characters of a file's name that its sheet's name keeps


@dataclass(frozen=True)
class Request:
    """What to predict: a model, image files and folders of them, how many labels each, where sheets go."""

    model: Path
    images: tuple[Path, ...]
    top: int = 3
    out: Path | None = None


@dataclass(frozen=True)
class Prediction:
    """What became of one file: its most probable labels, best first, or the error that it met."""

    file: Path
    top: tuple[tuple[str, float], ...] = ()
    sheet: Path | None = None
    error: DataError | None = None

    def summary(self) -> dict[str, Any]:
        """What --json prints of it. Bytes of a name that are no UTF-8 are written as escapes."""
        file = str(self.file).encode("utf-8", "backslashreplace").decode()
        if self.error is not None:
            return {"file": file, "error": str(self.error)}
        label, probability = self.top[0]
        found = {"file": file, "label": label, "probability": probability}
        found["top"] = [{"label": each, "probability": share} for each, share in self.top]
        return found if self.sheet is None else {**found, "sheet": str(self.sheet)}


class Predictions:
    """The predictions of a request, made while they are iterated over, in the order of `files`.

    Raises ModelError, DataError, ConfigError and OutputError for what can be known before any image is read.
    """

    def __init__(self, request: Request, observer: Observer) -> None:
        self.request, self._observer = request, observer
        self.model = load_image_model(request.model)
        self.files = find_images(request.images)
        self._failed: list[DataError] = []
        self._rows: list[tuple[Any, ...]] = []
        self._sheets = sheet_names(self.files)
        if request.out is not None:
            _prepare_folder(request.out, self.files)
        for note in _cautions(self.model):
            observer.warn(note)

    def __iter__(self) -> Iterator[Prediction]:
        """Read, score and draw a chunk of images at a time; a file that cannot be read is told and passed over."""
        size = max(1, min(CHUNK_IMAGES, CHUNK_BYTES // self.model.features))
        self._observer.begin("predict", len(self.files), unit="image")
        try:
            for start in range(0, len(self.files), size):
                yield from self._chunk(range(start, min(start + size, len(self.files))))
            if self.request.out is not None:
                write_text(self.request.out / TABLE, csv_text(TABLE_COLUMNS, self._rows))
        finally:
            self._observer.end()

    def raise_if_failed(self) -> None:
        """Raise DataError when files could not be read: the error of the only one, or their number."""
        if len(self.files) == 1 and self._failed:
            raise self._failed[0]
        if self._failed:
            raise DataError(
                f"{len(self._failed):,} of {len(self.files):,} files could not be read; each is named above with what "
                "to do, and the others are done"
            )

    def _chunk(self, places: range) -> Iterator[Prediction]:
        rows, read, errors = self._read(places)
        scores, probabilities = _scored(self.request.model, self.model, rows) if read else (rows, rows)
        done = 0
        for place in places:
            if place in errors:
                prediction = Prediction(self.files[place], error=errors[place])
                self._failed.append(errors[place])
                if len(self.files) > 1:
                    self._observer.warn(str(errors[place]))
            else:
                prediction = self._prediction(place, rows[done], scores[done], probabilities[done])
                done += 1
            if self.request.out is not None:
                self._rows.append(_table_row(prediction))
                self._observer.advance(place + 1)
            yield prediction

    def _read(self, places: range) -> tuple[Array, int, dict[int, DataError]]:
        """(rows (n, D) uint8, n, the errors of the other files by place)."""
        assert self.model.image_shape is not None
        rows = np.empty((len(places), self.model.features), np.uint8)
        done, errors = 0, {}
        for place in places:
            try:
                rows[done] = read_image(self.files[place], self.model.image_shape)
                done += 1
            except DataError as error:
                errors[place] = error
            if self.request.out is None:
                self._observer.advance(place + 1)
        return rows[:done], done, errors

    def _prediction(self, place: int, row: Array, scores: Array, probabilities: Array) -> Prediction:
        # By score, since of two probabilities that round to 0 or 1 the order cannot be told.
        order = np.argsort(-scores, kind="stable")
        names = self.model.class_names
        top = tuple((names[k], float(probabilities[k])) for k in order[: self.request.top])
        sheet = None
        if self.request.out is not None:
            sheet = self.request.out / self._sheets[place]
            draw_sheet(self.model, row, order[:2], probabilities, self.files[place], sheet)
        return Prediction(self.files[place], top, sheet)


def load_image_model(path: Path) -> LinearModel:
    """The model at `path`. Raises ModelError when it is broken or its rows are no grey or RGB images."""
    model = load_model(path)
    if model.image_shape is None or model.image_shape[0] not in MODES:
        found = (
            f"{model.features:,} features"
            if model.image_shape is None
            else f"{model.image_shape[0]} channels"
        )
        raise ModelError(
            f"{path}: expected a model of grey or RGB images, found one of {found}; "
            f"score its rows with: softmaxclf evaluate {path} --data FILE.npz"
        )
    return model


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


def sheet_names(files: Sequence[Path]) -> list[str]:
    """A file name for the sheet of each file: different ones also where letter case does not count.

    Letters, digits and .-_ of the file's own name stay; others become _.
    """
    taken: Counter[str] = Counter()
    names = []
    for file in files:
        stem = "".join(letter if letter.isalnum() or letter in ".-_" else "_" for letter in file.stem)[
            :MAX_STEM
        ]
        name = stem
        while taken[name.casefold()]:
            taken[stem.casefold()] += 1
            name = f"{stem}-{taken[stem.casefold()]}"
        taken[name.casefold()] += 1
        names.append(f"{name}-evidence.png")
    return names


def _scored(path: Path, model: LinearModel, rows: Array) -> tuple[Array, Array]:
    """Scores and probabilities (n, K) of `rows`. Raises ModelError where they leave the range of numbers."""
    with np.errstate(all="ignore"):
        scores, probabilities = model.scores(rows), model.predict_proba(rows)
    if not (np.isfinite(scores).all() and np.isfinite(probabilities).all()):
        raise ModelError(
            f"{path}: expected weights that give finite scores, found infinite ones; train the model again"
        )
    return scores, probabilities


def _prepare_folder(out: Path, files: Sequence[Path]) -> None:
    """Make the folder of the sheets. Raises OutputError, or ConfigError when the images themselves lie in it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(out, error) from error
    for parent in {file.parent for file in files}:
        if _is_same(parent, out):
            raise ConfigError(
                f"--out {out}: expected a folder apart from the images, found some of them in it; choose another folder"
            )


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # what does not exist is told when its image is read
        return False


def _cautions(model: LinearModel) -> Iterator[str]:
    """What a user should know before trusting this model's answers."""
    if model.loss_function.caution:
        yield f"of the probabilities: {model.loss_function.caution}"
    offset = model.preprocessing.offset
    if offset is not None and 0 <= offset.min() <= offset.max() <= 1:
        yield (
            f"the model's pixels have a mean of at most {offset.max():.2g}, as if it was trained on 0 to 1; images are "
            "read as 0 to 255, so its answers may mean nothing: train it on bytes"
        )


def _table_row(prediction: Prediction) -> tuple[Any, ...]:
    file = prediction.summary()["file"]
    if prediction.error is not None:
        return file, "", "", "", "", "", str(prediction.error)
    labels = [value for pair in prediction.top[:2] for value in pair]
    sheet = "" if prediction.sheet is None else prediction.sheet.name
    return file, *labels, *[""] * (4 - len(labels)), sheet, ""
