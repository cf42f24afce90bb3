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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.arrays import open_arrays
from softmaxclf.core.images import ImageShape, UnclearShapeError, as_rows
from softmaxclf.datasets.checks import MAX_CLASSES, checked_class_names, checked_labels
from softmaxclf.datasets.dataset import Dataset, Labels, Rows, Split
from softmaxclf.errors import DataError
from softmaxclf.files import printable

MAX_FEATURES = 10_000_000
_NAMES = (
    "X_train", "y_train", "X_validation", "y_validation", "X_test", "y_test", "class_names", "image_shape",
)  # fmt: skip
Arrays = dict[str, NDArray[Any]]


def read_features(path: Path) -> Dataset:
    """The data set of an `.npz` file or a folder of `.npy` files.

    The values of the test rows are looked at when they are asked for; before, only their shape and type are.

    Raises DataError naming the array, and the row and column where one value is to blame.
    """
    arrays = _mapped(path)
    names = _class_names(path, arrays)
    X, image_shape = _rows(path, "X_train", arrays["X_train"], _declared_shape(path, arrays))
    # Whether the training values are finite is seen when they are read for training, once.
    train = _split(path, "X_train", X, _labels(path, "train", arrays, len(names)))
    if train.y.min() == train.y.max():
        raise DataError(f"{path}: expected at least 2 classes in y_train, found 1; add rows of another class")

    def reader(part: str) -> Callable[[], Split] | None:
        """What reads a split, whose labels, width and shape match those of the training rows."""
        name = f"X_{part}"
        if name not in arrays:
            return None
        outline = np.broadcast_to(np.zeros((), arrays[name].dtype), arrays[name].shape)  # takes no memory
        _rows(path, name, outline, image_shape, X.shape[1])
        y = _labels(path, part, arrays, len(names))

        def read() -> Split:
            split = _split(path, name, _rows(path, name, arrays[name], image_shape, X.shape[1])[0], y)
            split.examine()
            return split

        return read

    read_validation, read_test = reader("validation"), reader("test")
    return Dataset(
        name=path.stem or str(path),
        path=str(path),
        read_class_names=lambda: names,
        image_shape=image_shape,
        read_train=lambda: train,
        validation=read_validation() if read_validation else None,
        read_test=read_test,
    )


def _split(path: Path, name: str, rows: Rows, y: Labels) -> Split:
    return Split(rows.astype(np.float32) if rows.dtype == np.float16 else rows, y, f"{path}: {name}")


def _mapped(path: Path) -> Arrays:
    """The arrays of _NAMES that a file or a folder holds, mapped where they lie on the disk ready for use."""
    if not path.is_dir():
        with open_arrays(path, error=DataError) as file:
            _check_names(path, file.names)
            return {name: file.map(name) for name in file.names if name in _NAMES}
    names = sorted(member.stem for member in path.glob("*.npy"))
    _check_names(path, names)
    arrays = {}
    for name in names:
        if name in _NAMES:
            with open_arrays(path / f"{name}.npy", error=DataError) as file:
                arrays[name] = file.map(name)
    return arrays


def _check_names(path: Path, names: Sequence[str]) -> None:
    """Raise DataError for an array that is missing, and for one that is called almost as one that is."""
    missing = {name.casefold(): name for name in _NAMES if name not in names}
    for found in names:
        if found not in _NAMES and (meant := _meant(found.casefold(), tuple(missing))):
            raise DataError(
                f"{path}: expected arrays with their exact names, found {printable(found)}; "
                f"did you mean {missing[meant]}? rename it"
            )
    for part in ("train", "validation", "test"):
        pair = {f"X_{part}", f"y_{part}"}
        lacking = sorted(pair.difference(names))
        if lacking and (part == "train" or len(lacking) == 1):
            found = printable(", ".join(names[:12]) or "none")
            raise DataError(f"{path}: expected an array {lacking[0]}, found {found}; add it to the file")


def _meant(name: str, known: tuple[str, ...]) -> str | None:
    """Which of the `known` names is meant: one that `name` begins or ends, as in x_val, or that is alike."""
    part = (each for each in known if len(name) >= 4 and (each.startswith(name) or each.endswith(name)))
    return next(part, None) or next(iter(difflib.get_close_matches(name, known, 1, 0.77)), None)


# Labels and names


def _labels(path: Path, part: str, arrays: Arrays, classes: int) -> Labels:
    """The labels of a split, one per row in [0, classes). Raises DataError."""
    name = f"y_{part}"
    labels = _label_array(path, name, arrays[name])
    return checked_labels(labels, len(arrays[f"X_{part}"]), classes, str(path), name)


def _label_array(path: Path, name: str, labels: NDArray[Any]) -> NDArray[Any]:
    """Labels (N,) of an integer type. Raises DataError with the cast that helps where they are whole floats."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not len(labels):
        remedy = f"store one integer per row in {name}"
        raise _wrong(path, name, "labels (N,)", f"shape {labels.shape}", remedy)
    if labels.dtype.kind not in "iu":
        remedy = f"store {name}.astype(np.int64), numbering the classes from 0"
        raise _wrong(path, name, "integer labels", f"type {labels.dtype}", remedy)
    return labels


def _class_names(path: Path, arrays: Arrays) -> tuple[str, ...]:
    """The names in the file, or the numbers 0 to the largest training label."""
    if "class_names" in arrays:
        names = arrays["class_names"]
        if names.ndim != 1 or names.dtype.kind != "U":
            found = f"shape {names.shape} of {names.dtype}"
            raise _wrong(path, "class_names", "a list of texts", found, "store np.array(['cat', 'dog'])")
        if not 2 <= len(names) <= MAX_CLASSES:
            raise _wrong(
                path, "class_names", f"2 to {MAX_CLASSES:,} names", str(len(names)), "name each class"
            )
        return checked_class_names(names.tolist(), f"{path}: class_names")
    largest = int(_label_array(path, "y_train", arrays["y_train"]).max())
    if not 1 <= largest < MAX_CLASSES:
        expected = f"labels whose largest is 1 to {MAX_CLASSES - 1:,}"
        raise _wrong(path, "y_train", expected, str(largest), "number two or more classes from 0")
    return tuple(str(label) for label in range(largest + 1))


# Rows


def _rows(
    path: Path, name: str, X: NDArray[Any], image_shape: ImageShape | None, features: int | None = None
) -> tuple[Rows, ImageShape | None]:
    """`X` as rows (N, D) of uint8 or floats, where given of as many `features`, and their image shape.

    Raises DataError. No value is looked at.
    """
    if X.dtype not in (np.uint8, np.float16, np.float32, np.float64):
        remedy = f"store {name}.astype(np.uint8) for pixels, or .astype(np.float32) for other features"
        raise _wrong(path, name, "uint8, float32 or float64", str(X.dtype), remedy)
    if not 2 <= X.ndim <= 4 or not X.size:
        remedy = "store rows of features (N, D) or images (N, height, width, 3)"
        raise _wrong(path, name, "2 to 4 axes, none empty", f"shape {X.shape}", remedy)
    if math.prod(X.shape[1:]) > MAX_FEATURES:
        raise _wrong(
            path, name, f"at most {MAX_FEATURES:,} features", f"shape {X.shape}", "use fewer columns"
        )
    try:
        rows, shape = as_rows(X, image_shape)
    except UnclearShapeError as error:
        raise _wrong(path, name, error.expected, error.found, error.remedy) from error
    if features is not None and rows.shape[1] != features:
        raise _wrong(path, name, f"{features} features as in X_train", str(rows.shape[1]), "write it again")
    return rows, shape


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
