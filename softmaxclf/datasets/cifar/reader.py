"""CIFAR-10 and CIFAR-100 (fine labels), from a folder of batches or an official archive read in place."""

from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from softmaxclf.datasets.cifar.archives import archive_members, layout_of_archive
from softmaxclf.datasets.cifar.batches import read_batch, read_class_names
from softmaxclf.datasets.cifar.layouts import IMAGE_SHAPE, LAYOUTS, Layout, batch_folders
from softmaxclf.datasets.cifar.members import folder_members
from softmaxclf.datasets.cifar.verify import is_official
from softmaxclf.datasets.dataset import Dataset, Split
from softmaxclf.errors import DataError


def read_cifar(path: Path) -> Dataset:
    """The data set whose batches, python or binary, lie in the folder `path`, in its official subfolder, or in an
    official `.tar.gz`, whose members are read in place.

    Rows are uint8 (N, 3072) in plane order. Each split is read when it is asked for, and raises DataError where a
    batch is missing or is not what it should be. Raises DataError where this is no such folder or archive.
    """
    found = next(batch_folders(path), None) if path.is_dir() else (path, layout_of_archive(path))
    if found is None:
        raise DataError(
            f"{path}: expected CIFAR batches such as {LAYOUTS[0].train[0]}, found none; "
            "choose another folder or fetch the data (softmaxclf data download)"
        )
    home, layout = found
    files = _Files(home, layout)
    return Dataset(
        name=layout.name,
        path=str(home),
        read_class_names=files.class_names,
        image_shape=IMAGE_SHAPE,
        read_train=files.train,
        read_test=files.test,
        is_official=lambda: is_official(home, layout),
    )


class _Files:
    """The files of one data set, read when they are asked for.

    An archive is unpacked at most once for each of these: the training rows take along the test batch and the class
    names, and the latter two take along each other and stop there. So whoever asks for the training rows first has
    everything in one pass, in which the archive's checksum is checked too.
    """

    def __init__(self, place: Path, layout: Layout) -> None:
        self.place, self.layout, self._packed = place, layout, place.is_file()
        self._kept: dict[str, Any] = {}  # the test split and the class names, None where there are none

    def train(self) -> Split:
        """All training rows in the layout's order. Raises DataError naming the batches that are missing."""
        names = self.layout.train
        beside = (self.layout.test, self.layout.names) if self._packed and not self._kept else ()
        found = self._read([*names, *beside], to_the_end=True)
        self._kept |= {name: found.get(name) for name in beside}
        missing = [name for name in names if name not in found]
        if missing:
            raise self._missing(missing)
        parts: list[Split] = [found.pop(name) for name in names]
        rows = parts[0].X if len(parts) == 1 else np.concatenate([part.X for part in parts])
        return Split(np.ascontiguousarray(rows), np.concatenate([part.y for part in parts]))

    def test(self) -> Split:
        """The test rows. Raises DataError."""
        split: Split | None = self._one(self.layout.test)
        if split is None:
            raise self._missing([self.layout.test])
        return split

    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, the official ones where there is no file of them. Raises DataError."""
        return self._one(self.layout.names) or self.layout.classes

    def _one(self, name: str) -> Any:
        if name not in self._kept:
            wanted = (self.layout.test, self.layout.names) if self._packed else (name,)
            found = self._read(wanted)
            self._kept |= {each: found.get(each) for each in wanted}
        return self._kept[name]

    def _read(self, names: Collection[str], *, to_the_end: bool = False) -> dict[str, Any]:
        """What the files `names` hold, those that are there. to_the_end: look at the whole of an archive."""
        found: dict[str, Any] = {}
        members = archive_members if self._packed else folder_members
        with closing(members(self.place, self.layout, names)) as stream:
            for member in stream:
                read = read_class_names if member.name == self.layout.names else read_batch
                found[member.name] = read(member, self.layout)
                if len(found) == len(names) and not to_the_end:
                    break
        return found

    def _missing(self, names: Iterable[str]) -> DataError:
        expected = ", ".join((*self.layout.train, self.layout.test))
        return DataError(
            f"{self.place}: expected {self.layout.name} batches {expected}, found no {', '.join(names)}; "
            "fetch the data again (softmaxclf data download)"
        )
