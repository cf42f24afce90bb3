"""CIFAR-10 and CIFAR-100 (fine labels), from a folder of batches or an official archive read in place."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from softmaxclf.datasets.archives import archive_members, layout_of_archive
from softmaxclf.datasets.batches import read_batch, read_class_names
from softmaxclf.datasets.dataset import Dataset, Progress, Split
from softmaxclf.datasets.layouts import IMAGE_SHAPE, LAYOUTS, PIXELS, Layout, layout_of_folder
from softmaxclf.datasets.members import Member, folder_members
from softmaxclf.errors import DataError

# The files of the given names, from wherever the data lies.
_Source = Callable[[Sequence[str], Progress | None], Iterator[Member]]


def read_cifar_folder(folder: Path, *, progress: Progress | None = None) -> Dataset:
    """The data set whose batches, python or binary, lie in `folder` or in its official subfolder.

    Rows are uint8 (N, 3072) in plane order; the test split is read when it is asked for. Raises DataError
    where a batch is missing or is not what it should be.
    """
    home, layout = find_batches(folder)
    missing = [name for name in layout.train if not (home / name).is_file()]
    if missing:
        raise _missing(home, missing, layout)
    return _dataset(home, layout, partial(_from_folder, home), progress)


def read_cifar_archive(path: Path, *, progress: Progress | None = None) -> Dataset:
    """The data set of an official `.tar.gz`, whose members are read in place. Raises DataError."""
    layout = layout_of_archive(path)
    return _dataset(path, layout, partial(_from_archive, path, layout), progress)


def find_batches(folder: Path) -> tuple[Path, Layout]:
    """Where batches lie, in `folder` or an official subfolder of it, and their form. Raises DataError."""
    for home in (folder, *(folder / layout.folder for layout in LAYOUTS)):
        layout = layout_of_folder(home)
        if layout is not None:
            return home, layout
    raise DataError(
        f"{folder}: expected CIFAR batches such as {LAYOUTS[0].train[0]}, found none; "
        "choose another folder or fetch the data (softmaxclf data download)"
    )


def _from_folder(home: Path, names: Sequence[str], progress: Progress | None) -> Iterator[Member]:
    return folder_members(home, [name for name in names if (home / name).exists()], progress)


def _from_archive(
    path: Path, layout: Layout, names: Sequence[str], progress: Progress | None
) -> Iterator[Member]:
    return archive_members(path, layout, names, progress)


def _dataset(place: Path, layout: Layout, source: _Source, progress: Progress | None) -> Dataset:
    """The data set from a place's files: batches and class names now, the test batch later."""
    class_names = layout.classes
    batches = _Batches(place, layout, layout.train)
    for member in source((*layout.train, layout.names), progress):
        if member.name == layout.names:
            class_names = read_class_names(member, layout)
        else:
            batches.add(member)
    return Dataset(
        name=layout.name,
        path=str(place),
        class_names=class_names,
        image_shape=IMAGE_SHAPE,
        train=batches.split(),
        read_test=partial(_read_test, place, layout, source),
    )


def _read_test(place: Path, layout: Layout, source: _Source) -> Split:
    batches = _Batches(place, layout, (layout.test,))
    for member in source((layout.test,), None):
        batches.add(member)
    return batches.split()


class _Batches:
    """Batches put together in the layout's order, whatever order they come in.

    One array holds all rows, made when the first of several batches shows how long they are; so reading all
    of CIFAR-10 never holds more than one batch besides the result. Batches of different lengths are joined
    instead. A single batch stays as it was read, which for a python batch in a folder is a mapping of the
    file.
    """

    def __init__(self, place: Path, layout: Layout, names: Sequence[str]) -> None:
        self._place = place
        self._layout = layout
        self._names = names
        self._parts: dict[str, Split] = {}
        self._rows: np.ndarray[tuple[int, int], np.dtype[np.uint8]] | None = None

    def add(self, member: Member) -> None:
        """Read and keep one batch. Raises DataError."""
        batch = read_batch(member, self._layout)
        rows = batch.X
        if len(self._names) == 1:
            self._parts[member.name] = Split(np.ascontiguousarray(rows), batch.y)
            return
        length = len(rows)
        if self._rows is None:
            self._rows = np.empty((len(self._names) * length, PIXELS), np.uint8)
        if length * len(self._names) == len(self._rows):
            start = self._names.index(member.name) * length
            kept = self._rows[start : start + length]
            kept[:] = rows
        else:
            kept = np.array(rows, order="C")
        self._parts[member.name] = Split(kept, batch.y)

    def split(self) -> Split:
        """All rows and labels in order. Raises DataError naming the batches that did not come."""
        missing = [name for name in self._names if name not in self._parts]
        if missing:
            raise _missing(self._place, missing, self._layout)
        parts = [self._parts[name] for name in self._names]
        labels = np.concatenate([part.y for part in parts])
        if len(parts) == 1:
            return Split(parts[0].X, labels)
        if self._rows is not None and all(part.X.base is self._rows for part in parts):
            return Split(self._rows, labels)
        return Split(np.concatenate([part.X for part in parts]), labels)


def _missing(place: Path, names: Iterable[str], layout: Layout) -> DataError:
    expected = ", ".join((*layout.train, layout.test))
    return DataError(
        f"{place}: expected {layout.name} batches {expected}, found no {', '.join(names)}; "
        "fetch the data again (softmaxclf data download)"
    )
