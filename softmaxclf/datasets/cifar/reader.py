"""CIFAR-10 and CIFAR-100 (fine labels), from a folder of batches or an official archive read in place."""

from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from softmaxclf.datasets.cifar.archives import archive_members, layout_of_archive
from softmaxclf.datasets.cifar.batches import read_batch, read_class_names
from softmaxclf.datasets.cifar.layouts import IMAGE_SHAPE, LAYOUTS, PIXELS, Layout, layout_of_folder
from softmaxclf.datasets.cifar.members import Member, folder_members
from softmaxclf.datasets.cifar.official import is_official
from softmaxclf.datasets.dataset import Dataset, Split
from softmaxclf.errors import DataError

# The files of the given names, from wherever the data lies.
_Members = Callable[[Collection[str]], Generator[Member, None, None]]


def read_cifar_folder(folder: Path) -> Dataset:
    """The data set whose batches, python or binary, lie in `folder` or in its official subfolder.

    Rows are uint8 (N, 3072) in plane order. Each split is read when it is asked for, and raises DataError where a
    batch is missing or is not what it should be.
    """
    home, layout = find_batches(folder)
    return _dataset(_Files(home, layout, partial(_from_folder, home), packed=False))


def read_cifar_archive(path: Path) -> Dataset:
    """The data set of an official `.tar.gz`, whose members are read in place when a split is asked for.

    Raises DataError where this is no such archive, and when a split is read that is not what it should be.
    """
    layout = layout_of_archive(path)
    return _dataset(_Files(path, layout, partial(archive_members, path, layout), packed=True))


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


def _from_folder(home: Path, names: Collection[str]) -> Generator[Member, None, None]:
    return folder_members(home, [name for name in names if (home / name).exists()])


def _dataset(files: "_Files") -> Dataset:
    return Dataset(
        name=files.layout.name,
        path=str(files.place),
        read_class_names=files.class_names,
        image_shape=IMAGE_SHAPE,
        read_train=files.train,
        read_test=files.test,
        compare_official=partial(is_official, files.place, files.layout),
    )


class _Files:
    """The files of one data set, read when they are asked for.

    An archive is unpacked at most once for each of these: the training rows take along the test batch and the class
    names, and the latter two take along each other and stop there. So whoever asks for the training rows first has
    everything in one pass, in which the archive's checksum is checked too.
    """

    def __init__(self, place: Path, layout: Layout, members: _Members, *, packed: bool) -> None:
        self.place = place
        self.layout = layout
        self._members = members
        self._beside = (layout.test, layout.names) if packed else ()
        self._read: dict[str, Any] = {}  # the test split and the class names, None where there are none

    def train(self) -> Split:
        """All training rows in the layout's order. Raises DataError."""
        batches = _Batches(self.place, self.layout)
        beside = [name for name in self._beside if name not in self._read]
        for member in self._members([*self.layout.train, *beside]):
            if member.name in beside:
                self._keep(member)
            else:
                batches.add(member)
        self._read |= {name: self._read.get(name) for name in beside}
        return batches.split()

    def test(self) -> Split:
        """The test rows. Raises DataError."""
        split: Split | None = self._one(self.layout.test)
        if split is None:
            raise _missing(self.place, [self.layout.test], self.layout)
        return split

    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, the official ones where there is no file of them. Raises DataError."""
        return self._one(self.layout.names) or self.layout.classes

    def _one(self, name: str) -> Any:
        if name not in self._read:
            wanted = self._beside or (name,)
            with closing(self._members(wanted)) as members:
                for member in members:
                    self._keep(member)
                    if all(each in self._read for each in wanted):
                        break
            self._read |= {each: self._read.get(each) for each in wanted}
        return self._read[name]

    def _keep(self, member: Member) -> None:
        read = read_class_names if member.name == self.layout.names else read_batch
        self._read[member.name] = read(member, self.layout)


class _Batches:
    """Training batches put together in the layout's order, whatever order they come in.

    One array holds all rows, made when the first of several batches shows how long they are; so reading all
    of CIFAR-10 never holds more than one batch besides the result. Batches of different lengths are joined
    instead. A single batch stays as it was read, which for a python batch in a folder is a mapping of the
    file.
    """

    def __init__(self, place: Path, layout: Layout) -> None:
        self._place = place
        self._layout = layout
        self._names: Sequence[str] = layout.train
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
