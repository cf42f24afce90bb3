"""Features or images with labels from an `.npz` file or a folder of `.npy` files.

The arrays `X_train, y_train` and optionally `X_validation, y_validation`, `X_test, y_test`, `class_names` and
`image_shape`. What lies uncompressed on the disk is mapped, not read, so data may be larger than memory.

Rows. `X` (N, D): one row of features each; with `image_shape` = (channels, height, width), pixels in plane
order; or images as core/images.py takes them.
Types: uint8, float32 and float64 stay; float16 becomes float32; other types are refused, as a silent
cast would hide whether they are pixels or quantities. Floats must be finite and fit into float32, in which
training computes.

Labels. Integers (N,) or (N, 1) in [0, K), where K is the number of `class_names` or the largest training
label plus one. Gaps are allowed; fewer than two classes in the training labels are not.

Other arrays are ignored, unless one is called almost as an array that is missing: X_val would be training
without validation, and nobody would notice.
"""

import difflib
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.arrays import ArrayFile, open_arrays
from softmaxclf.core.images import ImageShape, UnclearShapeError, as_rows
from softmaxclf.datasets.checks import MAX_CLASSES, checked_class_names, checked_labels
from softmaxclf.datasets.dataset import Dataset, Rows, Split
from softmaxclf.datasets.inputs import unreadable
from softmaxclf.errors import DataError
from softmaxclf.files import printable

MAX_FEATURES = 10_000_000
_NAMES = (
    "X_train", "y_train", "X_validation", "y_validation", "X_test", "y_test", "class_names", "image_shape",
)  # fmt: skip


class _Arrays:
    """The arrays by name, of a file or a folder, each mapped when it is asked for."""

    def __init__(
        self, path: Path, names: tuple[str, ...], opened: Callable[[str], AbstractContextManager[ArrayFile]]
    ) -> None:
        self.path = path
        self.names = names
        self._opened = opened

    def get(self, name: str) -> NDArray[Any]:
        """The array `name`. Raises DataError where it is missing."""
        with self._containing(name) as file:
            return file.map(name)

    def outline(self, name: str) -> NDArray[Any]:
        """Zeros of the shape and type of `name`, from its header alone. Raises DataError where it is missing."""
        with self._containing(name) as file:
            return file.outline(name)

    def _containing(self, name: str) -> AbstractContextManager[ArrayFile]:
        if name not in self.names:
            found = printable(", ".join(self.names[:12]) or "none")
            raise DataError(f"{self.path}: expected an array {name}, found {found}; add it to the file")
        return self._opened(name)


def read_features(path: Path) -> Dataset:
    """The data set of an `.npz` file or a folder of `.npy` files.

    The test split is read when it is asked for; before, only its shapes and types are checked.

    Raises DataError naming the array, and the row and column where one value is to blame.
    """
    with _arrays(path) as arrays:
        _check_names(arrays)
        image_shape = _declared_shape(arrays)
        y = _label_array(arrays, "y_train", arrays.get("y_train"))
        names = _class_names(arrays, y)
        X, image_shape = _rows(arrays, "X_train", image_shape)
        # Whether its values are finite is seen when they are read for training, once.
        train = Split(
            X, checked_labels(y, len(X), len(names), str(path), "y_train"), _place(arrays, "X_train")
        )
        if train.y.min() == train.y.max():
            raise DataError(
                f"{path}: expected at least 2 classes in y_train, found 1; add rows of another class"
            )
        part = partial(_split, image_shape=image_shape, features=X.shape[1], classes=len(names))
        if _holds(arrays, "test"):
            _check_outlines(arrays, "test", image_shape, X.shape[1])
        return Dataset(
            name=path.stem or str(path),
            path=str(path),
            read_class_names=lambda: names,
            image_shape=image_shape,
            read_train=lambda: train,
            validation=part(arrays, "validation") if _holds(arrays, "validation") else None,
            read_test=partial(_read_test, path, part) if _holds(arrays, "test") else None,
        )


@contextmanager
def _arrays(path: Path) -> Iterator[_Arrays]:
    """The arrays of a file, or of the `.npy` files of a folder."""
    if not path.is_dir():
        with open_arrays(path, error=DataError) as file:
            yield _Arrays(path, file.names, lambda name: nullcontext(file))
        return
    try:
        names = tuple(sorted(member.stem for member in path.iterdir() if member.suffix == ".npy"))
    except OSError as error:
        raise unreadable(path, error) from error
    yield _Arrays(path, names, lambda name: open_arrays(path / f"{name}.npy", error=DataError))


def _check_names(arrays: _Arrays) -> None:
    """Raise DataError for an array that is called almost as one that is missing."""
    missing = {name.casefold(): name for name in _NAMES if name not in arrays.names}
    for found in arrays.names:
        if found not in _NAMES and (meant := _meant(found.casefold(), tuple(missing))):
            raise DataError(
                f"{arrays.path}: expected arrays with their exact names, found {printable(found)}; "
                f"did you mean {missing[meant]}? rename it"
            )


def _meant(name: str, known: tuple[str, ...]) -> str | None:
    """Which of the `known` names is meant: one that `name` begins or ends, as in x_val, or that is alike."""
    part = (each for each in known if len(name) >= 4 and (each.startswith(name) or each.endswith(name)))
    return next(part, None) or next(iter(difflib.get_close_matches(name, known, 1, 0.77)), None)


def _holds(arrays: _Arrays, part: str) -> bool:
    """Whether there is a split `part`; half of one is an error that `get` reports."""
    return f"X_{part}" in arrays.names or f"y_{part}" in arrays.names


def _read_test(path: Path, part: Callable[[_Arrays, str], Split]) -> Split:
    with _arrays(path) as arrays:
        return part(arrays, "test")


def _split(
    arrays: _Arrays, part: str, *, image_shape: ImageShape | None, features: int, classes: int
) -> Split:
    """A split that must match the training rows' width, shape and classes."""
    X, _ = _rows(arrays, f"X_{part}", image_shape, features)
    y = _label_array(arrays, f"y_{part}", arrays.get(f"y_{part}"))
    split = Split(
        X, checked_labels(y, len(X), classes, str(arrays.path), f"y_{part}"), _place(arrays, f"X_{part}")
    )
    split.examine()
    return split


def _check_outlines(arrays: _Arrays, part: str, image_shape: ImageShape | None, features: int) -> None:
    """Raise DataError where the headers alone show that a split cannot match the training rows."""
    X, y = f"X_{part}", f"y_{part}"
    rows = len(_in_rows(arrays, X, arrays.outline(X), image_shape, features)[0])
    labels = len(_label_array(arrays, y, arrays.outline(y)))
    if rows != labels:
        raise _wrong(arrays, y, f"{rows:,} labels, one per row of {X}", f"{labels:,}", "write both again")


# Labels and names


def _label_array(arrays: _Arrays, name: str, labels: NDArray[Any]) -> NDArray[Any]:
    """Labels (N,) of an integer type. Raises DataError with the cast that helps where they are whole floats."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not len(labels):
        raise _wrong(
            arrays, name, "labels (N,)", f"shape {labels.shape}", f"store one integer per row in {name}"
        )
    if labels.dtype.kind not in "iu":
        remedy = f"store {name}.astype(np.int64), numbering the classes from 0"
        raise _wrong(arrays, name, "integer labels", f"type {labels.dtype}", remedy)
    return labels


def _class_names(arrays: _Arrays, y: NDArray[Any]) -> tuple[str, ...]:
    """The names in the file, or the numbers 0 to the largest training label."""
    if "class_names" in arrays.names:
        names = arrays.get("class_names")
        if names.ndim != 1 or names.dtype.kind != "U":
            found = f"shape {names.shape} of {names.dtype}"
            raise _wrong(arrays, "class_names", "a list of texts", found, "store np.array(['cat', 'dog'])")
        if not 2 <= len(names) <= MAX_CLASSES:
            raise _wrong(
                arrays, "class_names", f"2 to {MAX_CLASSES:,} names", str(len(names)), "name each class"
            )
        return checked_class_names(names.tolist(), f"{arrays.path}: class_names")
    largest = int(y.max())
    if not 1 <= largest < MAX_CLASSES:
        expected = f"labels whose largest is 1 to {MAX_CLASSES - 1:,}"
        raise _wrong(arrays, "y_train", expected, str(largest), "number two or more classes from 0")
    return tuple(str(label) for label in range(largest + 1))


# Rows


def _rows(
    arrays: _Arrays, name: str, image_shape: ImageShape | None, features: int | None = None
) -> tuple[Rows, ImageShape | None]:
    """Rows (N, D) of uint8, float32 or float64, and their image shape. Raises DataError."""
    rows, shape = _in_rows(arrays, name, arrays.get(name), image_shape, features)
    return rows.astype(np.float32) if rows.dtype == np.float16 else rows, shape


def _in_rows(
    arrays: _Arrays, name: str, X: NDArray[Any], image_shape: ImageShape | None, features: int | None
) -> tuple[Rows, ImageShape | None]:
    """`X` as rows (N, D), where given of as many `features`, and their image shape; no value is looked at."""
    if X.dtype not in (np.uint8, np.float16, np.float32, np.float64):
        remedy = f"store {name}.astype(np.uint8) for pixels, or .astype(np.float32) for other features"
        raise _wrong(arrays, name, "uint8, float32 or float64", str(X.dtype), remedy)
    if not 2 <= X.ndim <= 4 or not X.size:
        remedy = "store rows of features (N, D) or images (N, height, width, 3)"
        raise _wrong(arrays, name, "2 to 4 axes, none empty", f"shape {X.shape}", remedy)
    if math.prod(X.shape[1:]) > MAX_FEATURES:
        raise _wrong(
            arrays, name, f"at most {MAX_FEATURES:,} features", f"shape {X.shape}", "use fewer columns"
        )
    try:
        rows, shape = as_rows(X, image_shape)
    except UnclearShapeError as error:
        raise _wrong(arrays, name, error.expected, error.found, error.remedy) from error
    if features is not None and rows.shape[1] != features:
        raise _wrong(arrays, name, f"{features} features as in X_train", str(rows.shape[1]), "write it again")
    return rows, shape


def _declared_shape(arrays: _Arrays) -> ImageShape | None:
    """(channels, height, width) as the file states it, or None."""
    if "image_shape" not in arrays.names:
        return None
    shape = arrays.get("image_shape")
    if (
        shape.shape != (3,)
        or shape.dtype.kind not in "iu"
        or not (0 < shape.min() <= shape.max() <= MAX_FEATURES)
    ):
        remedy = "store np.array([channels, height, width])"
        raise _wrong(
            arrays, "image_shape", "three whole numbers", f"shape {shape.shape} of {shape.dtype}", remedy
        )
    channels, height, width = shape.tolist()
    return channels, height, width


def _place(arrays: _Arrays, name: str) -> str:
    return f"{arrays.path}: {name}"


def _wrong(arrays: _Arrays, name: str, expected: str, found: str, remedy: str) -> DataError:
    return DataError(f"{_place(arrays, name)}: expected {expected}, found {found}; {remedy}")
