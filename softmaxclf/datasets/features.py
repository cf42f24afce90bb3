"""Features or images with labels from an `.npz` file or a folder of `.npy` files.

The arrays `X_train, y_train` and optionally `X_validation, y_validation`, `X_test, y_test`, `class_names` and
`image_shape`. What lies uncompressed on the disk is mapped, not read, so data may be larger than memory.

Rows. `X` (N, D): one row of features each; with `image_shape` = (channels, height, width), pixels in plane
order. (N, H, W): grey images. (N, H, W, C) and (N, C, H, W) with C = 1 or 3 colour planes: the axis of length
1 or 3 is the colour; where both or neither could be, `image_shape` must say. Rows become plane order, (N, C *
H * W). Types: uint8, float32 and float64 stay; float16 becomes float32; other types are refused, as a silent
cast would hide whether they are pixels or quantities. Floats must be finite and fit into float32, in which
training computes.

Labels. Integers (N,) or (N, 1) in [0, K), where K is the number of `class_names` or the largest training
label plus one. Gaps are allowed; fewer than two classes in the training labels are not.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.arrays import open_arrays
from softmaxclf.datasets.checks import MAX_CLASSES, checked_class_names, checked_labels
from softmaxclf.datasets.dataset import Dataset, Rows, Split
from softmaxclf.datasets.inputs import unreadable
from softmaxclf.errors import DataError

MAX_FEATURES = 10_000_000
_AT_ONCE = 1 << 20  # elements looked at together, 4 to 8 MB
_LARGEST = float(np.finfo(np.float32).max)
_COLOURS = (1, 3)

ImageShape = tuple[int, int, int]


class _Arrays:
    """The arrays by name, of a file or a folder, each mapped when it is asked for."""

    def __init__(self, path: Path, names: tuple[str, ...], get: Callable[[str], NDArray[Any]]) -> None:
        self.path = path
        self.names = names
        self._get = get

    def get(self, name: str) -> NDArray[Any]:
        """The array `name`. Raises DataError where it is missing."""
        if name not in self.names:
            found = ", ".join(self.names[:12]) or "none"
            raise DataError(f"{self.path}: expected an array {name}, found {found}; add it to the file")
        return self._get(name)


def read_features(path: Path) -> Dataset:
    """The data set of an `.npz` file or a folder of `.npy` files; the test split is read when asked for.

    Raises DataError naming the array, and the row and column where one value is to blame.
    """
    with _arrays(path) as arrays:
        image_shape, y = _declared_shape(arrays), _label_array(arrays, "y_train")
        names = _class_names(arrays, y)
        X, image_shape = _rows(arrays, "X_train", image_shape)
        train = Split(X, checked_labels(y, len(X), len(names), str(path), "y_train"))
        if train.y.min() == train.y.max():
            raise DataError(
                f"{path}: expected at least 2 classes in y_train, found 1; add rows of another class"
            )
        part = partial(_split, image_shape=image_shape, features=X.shape[1], classes=len(names))
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
            yield _Arrays(path, file.names, file.map)
        return
    try:
        names = tuple(sorted(member.stem for member in path.iterdir() if member.suffix == ".npy"))
    except OSError as error:
        raise unreadable(path, error) from error
    yield _Arrays(path, names, partial(_mapped, path))


def _mapped(folder: Path, name: str) -> NDArray[Any]:
    with open_arrays(folder / f"{name}.npy", error=DataError) as file:
        return file.map(name)


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
    name = f"X_{part}"
    X, _ = _rows(arrays, name, image_shape)
    if X.shape[1] != features:
        raise DataError(
            f"{arrays.path}: {name}: expected {features} features as in X_train, found {X.shape[1]}; write it again"
        )
    return Split(
        X, checked_labels(_label_array(arrays, f"y_{part}"), len(X), classes, str(arrays.path), f"y_{part}")
    )


# Labels and names


def _label_array(arrays: _Arrays, name: str) -> NDArray[Any]:
    """Labels (N,) of an integer type. Raises DataError with the cast that helps where they are whole floats."""
    labels = arrays.get(name)
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


def _rows(arrays: _Arrays, name: str, image_shape: ImageShape | None) -> tuple[Rows, ImageShape | None]:
    """Rows (N, D) of uint8, float32 or float64, finite, and their image shape. Raises DataError."""
    X = arrays.get(name)
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
    rows, shape = _plane_order(arrays, name, X, image_shape)
    rows = rows.astype(np.float32) if rows.dtype == np.float16 else rows
    _check_finite(arrays, name, rows)
    return rows, shape


def _plane_order(
    arrays: _Arrays, name: str, X: NDArray[Any], image_shape: ImageShape | None
) -> tuple[Rows, ImageShape | None]:
    """Images as rows in plane order, without a copy where they are stored so already."""
    if X.ndim == 2:
        if image_shape and math.prod(image_shape) != X.shape[1]:
            raise _wrong(
                arrays, name, f"rows of {image_shape}", f"{X.shape[1]} features", "correct image_shape"
            )
        return X, image_shape
    planes = [X[:, np.newaxis]] if X.ndim == 3 else [X, X.transpose(0, 3, 1, 2)]
    fitting = [option for option in planes if _fits(option.shape[1:], image_shape)]
    if len(fitting) != 1:
        found = f"shape {X.shape}" + (f" and image_shape {image_shape}" if image_shape else "")
        remedy = "add image_shape = np.array([channels, height, width])"
        raise _wrong(arrays, name, "one axis of 1 or 3 colours", found, remedy)
    _, channels, height, width = fitting[0].shape
    return fitting[0].reshape(len(X), -1), (channels, height, width)


def _fits(shape: tuple[int, ...], image_shape: ImageShape | None) -> bool:
    """Whether planes of this shape can be what was declared, or without a declaration grey or colour planes."""
    return shape == image_shape if image_shape else shape[0] in _COLOURS


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


def _check_finite(arrays: _Arrays, name: str, rows: Rows) -> None:
    """Raise DataError with the row and column of the first value that is no number or too large for float32."""
    if rows.dtype == np.uint8:
        return
    # Chunks follow the order in memory, so that a mapped file in Fortran order is not read once per row.
    by_column = rows.flags.f_contiguous and not rows.flags.c_contiguous
    lines = rows.T if by_column else rows
    step = max(1, _AT_ONCE // lines.shape[1])
    for start in range(0, len(lines), step):
        chunk = lines[start : start + step]
        with np.errstate(invalid="ignore"):
            good = chunk.min() >= -_LARGEST and chunk.max() <= _LARGEST
        if not good:
            line, place = (int(axis[0]) for axis in np.nonzero(~(np.abs(chunk) <= _LARGEST)))
            row, column = (place, start + line) if by_column else (start + line, place)
            raise _wrong(
                arrays,
                name,
                "finite numbers within float32",
                f"{rows[row, column]} in row {row}, column {column}",
                "remove or replace such values",
            )


def _wrong(arrays: _Arrays, name: str, expected: str, found: str, remedy: str) -> DataError:
    return DataError(f"{arrays.path}: {name}: expected {expected}, found {found}; {remedy}")
