"""Features or images with labels from an `.npz` file or a folder of `.npy` files.

The arrays `X_train, y_train` and optionally `X_validation, y_validation`, `X_test, y_test`, `class_names` and
`image_shape`. Rows that lie uncompressed on the disk are read when they are asked for, and stay there where they
would take more than half of the free memory, so data may be larger than that.

Rows. `X` (N, D): one row of features each; with `image_shape` = (channels, height, width), pixels in plane
order; or images as core/images.py takes them.
Types: uint8, float32 and float64 stay; float16, truth values and other integers become float32, which is noted,
and is refused where an integer is beyond 2**24, so that float32 might not hold it. Floats must be finite and fit into
float32, in which training computes.

Labels (N,) or (N, 1): integers, truth values or text as datasets/labels.py takes them; in a folder also as lines of
`y_train.txt`, UTF-8.

Other arrays are ignored, unless one is called almost as an array that is missing: X_val would be training
without validation, and nobody would notice.
"""

import difflib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from softmaxclf.arrays import ArrayFile, StoredArray, open_arrays
from softmaxclf.core.images import ImageShape, UnclearShapeError, as_rows, rows_shape
from softmaxclf.datasets.checks import MAX_CLASSES
from softmaxclf.datasets.dataset import Dataset, Rows, Split
from softmaxclf.datasets.inputs import read_lines
from softmaxclf.datasets.labels import Classes, StoredLabels
from softmaxclf.errors import DataError
from softmaxclf.files import is_folder, printable

MAX_FEATURES = 10_000_000
EXACT = 2**24  # up to which float32 holds every integer
STAYING = (np.uint8, np.float32, np.float64)
PARTS = ("train", "validation", "test")
_NAMES = (
    "X_train", "y_train", "X_validation", "y_validation", "X_test", "y_test", "class_names", "image_shape",
)  # fmt: skip
# What other programs call them, by our names in small letters.
_SYNONYMS = {
    "x_train": ("x", "data", "features", "images", "inputs", "arr_0"),
    "y_train": ("y", "label", "labels", "target", "targets", "arr_1"),
}
Arrays = dict[str, Any]  # arrays, of which those of rows may be a StoredArray


def read_features(path: Path, *, training: bool = True) -> Dataset:
    """The data set of an `.npz` file or a folder of `.npy` files.

    The values of the test rows are looked at when they are asked for; before, only their shape and type are.
    training: as of DataSettings.

    Raises DataError naming the array, and the row and column where one value is to blame.
    """
    arrays = _opened(path)
    stored = {part: labels_of(path, f"y_{part}", arrays) for part in PARTS if f"y_{part}" in arrays}
    classes = Classes.of(stored["train"], class_names_of(path, arrays), training=training)
    X, image_shape = rows_of(path, "X_train", arrays["X_train"], _declared_shape(path, arrays))
    # Whether the training values are finite is seen when they are read for training, once.
    y_train = classes.labels(stored["train"], len(X))

    def reader(part: str) -> Callable[[], Split] | None:
        """What reads a split, whose labels, width and shape match those of the training rows."""
        name = f"X_{part}"
        if name not in arrays:
            return None
        rows, _ = rows_of(path, name, arrays[name], image_shape, X.shape[1])
        y = classes.labels(stored[part], len(rows))

        def read() -> Split:
            split = Split.of(rows, y, f"{path}: {name}")
            split.examine()
            return split

        return read

    read_validation, read_test = reader("validation"), reader("test")
    return Dataset(
        name=path.stem or str(path),
        path=str(path),
        read_class_names=lambda: classes.names,
        image_shape=image_shape,
        read_train=lambda: Split.of(X, y_train, f"{path}: X_train"),
        validation=read_validation() if read_validation else None,
        read_test=read_test,
        columns=X.shape[1],
        notes=cast_note(f"{path}: X_train", arrays["X_train"].dtype),
        is_unchanged=lambda: all(
            each.unchanged() for each in arrays.values() if isinstance(each, StoredArray)
        ),
    )


def cast_note(place: str, dtype: np.dtype[Any]) -> tuple[str, ...]:
    """A note of rows that are stored in a type other than the one that they are read as."""
    return (f"{place} of {dtype} is read as float32",) if dtype.kind in "biu" and dtype != np.uint8 else ()


def _opened(path: Path) -> Arrays:
    """The arrays of _NAMES that a file or a folder holds; rows stay there where they lie ready for use."""
    if not is_folder(path):
        with open_arrays(path, error=DataError) as file:
            _check_names(path, file.names)
            return {name: _array(file, name) for name in file.names if name in _NAMES}
    texts = {member.stem: member for member in path.glob("y_*.txt") if member.stem in _NAMES}
    members = texts | {member.stem: member for member in path.glob("*.npy")}
    _check_names(path, sorted(members))
    arrays = {}
    for name, member in members.items():
        if member.suffix == ".txt":
            arrays[name] = read_lines(member)
        elif name in _NAMES:
            with open_arrays(member, error=DataError) as file:
                arrays[name] = _array(file, name)
    return arrays


def _array(file: ArrayFile, name: str) -> Any:
    return file.stored(name) if name.startswith("X_") else file.read(name)


def _check_names(path: Path, names: Sequence[str]) -> None:
    """Raise DataError for an array that is missing, and for one that is called almost as one that is."""
    missing = {name.casefold(): name for name in _NAMES if name not in names}
    for found in names:
        if found not in _NAMES and (meant := almost(found.casefold(), tuple(missing))):
            raise DataError(
                f"{path}: expected arrays with their exact names, found {printable(found)}; "
                f"did you mean {missing[meant]}? rename it"
            )
    for part in PARTS:
        pair = {f"X_{part}", f"y_{part}"}
        lacking = sorted(pair.difference(names))
        if lacking and (part == "train" or len(lacking) == 1):
            found = printable(", ".join(names[:12]) or "none")
            raise DataError(f"{path}: expected an array {lacking[0]}, found {found}; add it to the file")


def almost(name: str, known: Sequence[str]) -> str | None:
    """Which of the `known` names is meant: one that `name` begins or ends, as in x_val, that is alike, or a synonym."""
    part = (each for each in known if len(name) >= 3 and (each.startswith(name) or each.endswith(name)))
    synonym = next((meant for meant, names in _SYNONYMS.items() if meant in known and name in names), None)
    return next(part, None) or next(iter(difflib.get_close_matches(name, known, 1, 0.77)), synonym)


# Labels and names


def labels_of(path: Path, name: str, arrays: Arrays) -> StoredLabels:
    """The labels of a split. Raises DataError with the cast that helps where they are whole floats."""
    labels = arrays[name]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not len(labels):
        raise _wrong(path, name, "labels (N,)", f"shape {labels.shape}", f"store one label per row in {name}")
    if labels.dtype.kind not in "biuU":
        remedy = f"store {name}.astype(np.int64), or text"
        raise _wrong(path, name, "labels of integers or text", f"type {labels.dtype}", remedy)
    return StoredLabels.of(labels, str(path), name)


def class_names_of(path: Path, arrays: Arrays) -> list[str] | None:
    """The names in the file, if there are any."""
    if "class_names" not in arrays:
        return None
    names = arrays["class_names"]
    if names.ndim != 1 or names.dtype.kind != "U":
        found = f"shape {names.shape} of {names.dtype}"
        raise _wrong(path, "class_names", "a list of texts", found, "store np.array(['cat', 'dog'])")
    if not 2 <= len(names) <= MAX_CLASSES:
        raise _wrong(path, "class_names", f"2 to {MAX_CLASSES:,} names", str(len(names)), "name each class")
    return [*map(str, names.tolist())]


# Rows


def rows_of(
    path: Path, name: str, X: Any, image_shape: ImageShape | None, features: int | None = None
) -> tuple[Any, ImageShape | None]:
    """`X` as rows (N, D) of uint8 or floats, where given of as many `features`, and their image shape.

    Raises DataError. Of a StoredArray no value is looked at until it is read.
    """
    if X.dtype.kind not in "biuf":
        remedy = f"store {name}.astype(np.uint8) for pixels, or .astype(np.float32) for other features"
        raise _wrong(path, name, "integers or floats", str(X.dtype), remedy)
    if not 2 <= X.ndim <= 4 or not X.size:
        remedy = "store rows of features (N, D) or images (N, height, width, 3)"
        raise _wrong(path, name, "2 to 4 axes, none empty", f"shape {X.shape}", remedy)
    if math.prod(X.shape[1:]) > MAX_FEATURES:
        raise _wrong(
            path, name, f"at most {MAX_FEATURES:,} features", f"shape {X.shape}", "use fewer columns"
        )
    try:
        size, shape = rows_shape(X, image_shape)
    except UnclearShapeError as error:
        raise _wrong(path, name, error.expected, error.found, error.remedy) from error
    if features is not None and size[1] != features:
        raise _wrong(path, name, f"{features} features as in X_train", str(size[1]), "write it again")
    return _arranged(path, name, X, size, shape), shape


def _arranged(path: Path, name: str, X: Any, shape: tuple[int, ...], image_shape: ImageShape | None) -> Any:
    """`X` as rows of that shape, of a type that is trained on: now, or block by block when a StoredArray is read."""

    def arrange(block: Rows, start: int) -> Rows:
        rows, _ = as_rows(block, image_shape)
        if rows.dtype in STAYING:
            return rows
        if rows.dtype.kind in "iu" and rows.dtype.itemsize > 2:
            _check_exact(path, name, rows, start)
        return rows.astype(np.float32)

    if not isinstance(X, StoredArray):
        return arrange(X, 0)
    dtype = X.dtype if X.dtype in STAYING else np.float32
    return X if X.ndim == 2 and X.dtype == dtype else X.arranged(shape, dtype, arrange)


def _check_exact(path: Path, name: str, rows: Rows, start: int) -> None:
    """Raise DataError for an integer that float32 might not hold, in the rows from `start` on."""
    if max(-int(rows.min()), int(rows.max())) <= EXACT:
        return
    row, column = (int(axis[0]) for axis in np.nonzero((rows > EXACT) | (rows < -EXACT)))
    found = f"{rows[row, column]} in row {start + row}, column {column}"
    raise _wrong(
        path, name, "integers that float32 holds exactly, up to 2**24", found, "store them as float64"
    )


def _declared_shape(path: Path, arrays: Arrays) -> ImageShape | None:
    """(channels, height, width) as the file states it, or None."""
    if "image_shape" not in arrays:
        return None
    shape = arrays["image_shape"]
    if (
        shape.shape != (3,)
        or shape.dtype.kind not in "iu"
        or not (0 < shape.min() <= shape.max() <= MAX_FEATURES)
    ):
        remedy = "store np.array([channels, height, width])"
        raise _wrong(
            path, "image_shape", "three whole numbers", f"shape {shape.shape} of {shape.dtype}", remedy
        )
    channels, height, width = shape.tolist()
    return channels, height, width


def _wrong(path: Path, name: str, expected: str, found: str, remedy: str) -> DataError:
    return DataError(f"{path}: {name}: expected {expected}, found {found}; {remedy}")
