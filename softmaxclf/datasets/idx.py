"""IDX, the form of MNIST's files: a header, then the bytes of images (N, H, W) or of labels (N,), packed or not.

A data set is a pair of files called `[DATA-]train-images-idx3-ubyte` and `[DATA-]train-labels-idx1-ubyte`, where `.idx`
and `.gz` are fine too, and perhaps a pair with `t10k` or `test` in place of `train`; in a folder or its `raw`. So are
MNIST, Fashion-MNIST, Kuzushiji-MNIST and each DATA of EMNIST.
"""

import math
import re
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.datasets.dataset import Dataset, Split
from softmaxclf.datasets.gzipped import GZIP_MAGIC, Unpacked
from softmaxclf.datasets.inputs import opened, unreadable
from softmaxclf.datasets.labels import Classes, StoredLabels
from softmaxclf.errors import DataError
from softmaxclf.files import printable

TRAIN, TEST = "train", "test"
FILES = tuple(f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
_NAME = re.compile(r"(|.+-)(train|test|t10k)-(images|labels)[-.]idx[13]-ubyte(?:\.gz)?")
_BYTES = 0x800  # the magic number of unsigned bytes, to which the number of axes is added
_MAX_PIXELS = 10_000_000
_RATIO = 100  # what a packed file may unpack to, see gzipped.py
_REMEDY = "fetch or write the file again"
# The paths of images and labels, by part and kind.
Files = dict[tuple[str, str], Path]


def is_idx(path: Path) -> bool:
    """Whether a file is called as those of MNIST are, or there is one in a folder."""
    return bool(_found(path) if path.is_dir() else _NAME.fullmatch(path.name))


def files_of(path: Path) -> Files:
    """The files of the one data set in the folder `path`, or of the one that the file `path` belongs to.

    Raises DataError where there are none or several, and where an image or label file is missing.
    """
    named = _NAME.fullmatch(path.name) if path.is_file() else None
    found = _found(path.parent if named else path)
    names = [named[1]] if named else [name for name, files in found.items() if (TRAIN, "images") in files]
    if len(names) > 1:
        several = printable(", ".join(found[name][TRAIN, "images"].name for name in names))
        raise _wrong(path, "one data set", several, "name one of these files, with its folder")
    files = found[names[0]] if names else next(iter(found.values()), {})
    parts = {TRAIN, *(part for part, _ in files)}
    lacking = next((each for part in sorted(parts) for each in _pair(part) if each not in files), None)
    if lacking:
        present = printable(", ".join(each.name for each in files.values())) or "none"
        raise _wrong(path, f"a file of {' '.join(lacking)}", present, "put it beside the others")
    return files


def read_idx(path: Path, class_names: tuple[str, ...] | None = None, *, training: bool = True) -> Dataset:
    """The data set of a folder of IDX files, or the one to which the file `path` belongs.

    class_names: of labels from 0; None gives the labels themselves, see datasets/labels.py. training: as of
    DataSettings. Raises DataError.
    """
    files = files_of(path)
    shape = _shape(files[TRAIN, "images"])[1:]

    @cache
    def stored(part: str) -> StoredLabels:
        place = files[part, "labels"]
        return StoredLabels.of(read_array(place, 1), printable(place), "labels")

    @cache
    def classes() -> Classes:
        return Classes.of(stored(TRAIN), class_names, training=training)

    def read(part: str) -> Split:
        place = files[part, "images"]
        X = read_array(place, 3)
        if X.shape[1:] != shape:
            raise _wrong(place, f"images of {shape} pixels as in training", str(X.shape[1:]), _REMEDY)
        return Split(X.reshape(len(X), -1), classes().labels(stored(part), len(X)), printable(place))

    named = _NAME.fullmatch(files[TRAIN, "images"].name)
    home = files[TRAIN, "images"].parent.resolve()
    folder = home.parent.name if home.name == "raw" else home.name
    return Dataset(
        name=printable(named[1].rstrip("-") if named and named[1] else folder),
        path=printable(path),
        read_class_names=lambda: classes().names,
        image_shape=(1, *shape),
        read_train=lambda: read(TRAIN),
        read_test=(lambda: read(TEST)) if (TEST, "images") in files else None,
    )


def _pair(part: str) -> list[tuple[str, str]]:
    return [(part, "images"), (part, "labels")]


def _found(folder: Path) -> dict[str, Files]:
    """The files in a folder or its `raw`, by the name of their data; one that is not packed before its packed form."""
    found: dict[str, Files] = {}
    for home in (folder, folder / "raw"):
        try:
            names = sorted(each.name for each in home.iterdir()) if home.is_dir() else []
        except OSError as error:
            raise unreadable(printable(home), error) from error
        for name in names:
            if match := _NAME.fullmatch(name):
                part = TEST if match[2] == "t10k" else match[2]
                found.setdefault(match[1], {}).setdefault((part, match[3]), home / name)
    return found


def _shape(path: Path) -> tuple[int, int, int]:
    """(N, H, W) as the header of an image file has it."""
    return read_array(path, 3, only_header=True).shape


def read_array(path: Path, axes: int, *, only_header: bool = False) -> NDArray[Any]:
    """The bytes of a file as an array of so many axes. Raises DataError.

    only_header: an array of that shape that takes no memory.
    """
    with opened(path) as (file, size):
        packed = file.read(2) == GZIP_MAGIC
        file.seek(0)
        stream = Unpacked(path, file, size, _RATIO, _REMEDY) if packed else file
        head = stream.read(4 + 4 * axes)
        shape = _checked_shape(path, head, axes)
        if only_header:
            return np.broadcast_to(np.uint8(0), shape)
        wanted = len(head) + math.prod(shape)
        if not packed and size != wanted:
            raise _wrong(path, f"{wanted:,} bytes for {shape}", f"{size:,}", _REMEDY)
        content = bytearray()
        # One byte more than there should be shows a file that goes on.
        while piece := stream.read(min(1 << 20, wanted - len(head) - len(content) + 1)):
            content += piece
            if len(content) > wanted - len(head):
                raise _wrong(path, f"{wanted:,} unpacked bytes for {shape}", "more", _REMEDY)
        if len(content) + len(head) < wanted:
            raise _wrong(
                path, f"{wanted:,} unpacked bytes for {shape}", f"{len(content) + len(head):,}", _REMEDY
            )
        return np.frombuffer(content, np.uint8).reshape(shape)


def _checked_shape(path: Path, head: bytes, axes: int) -> tuple[int, ...]:
    """The lengths of the axes. Raises DataError where the header is none, or an axis is empty or too long."""
    what = "images (magic number 2051)" if axes == 3 else "labels (magic number 2049)"
    if len(head) < 4 + 4 * axes:
        raise _wrong(path, f"an IDX file of {what}", f"{len(head)} bytes", _REMEDY)
    magic, *shape = struct.unpack(f">{1 + axes}I", head)
    if magic != _BYTES + axes:
        raise _wrong(path, f"an IDX file of {what}", f"magic number {magic}", _REMEDY)
    if not min(shape) or math.prod(shape[1:]) > _MAX_PIXELS:
        raise _wrong(path, f"1 to {_MAX_PIXELS:,} pixels a row, and a row", str(tuple(shape)), _REMEDY)
    return tuple(shape)


def _wrong(path: Path, expected: str, found: str, remedy: str) -> DataError:
    return DataError(f"{printable(path)}: expected {expected}, found {found}; {remedy}")
