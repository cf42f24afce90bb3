"""Images in class folders, as torchvision and Keras read them: a folder for each class, whose name is the class name.

`MINE/train/<class>/**/*.png`, and beside `train` perhaps `validation` (or `val`) and `test`; or `MINE/<class>/**/*.png`
alone, from which a test part is drawn. Classes are sorted by name; the rows of a split lie class by class, those of a
class in the order of `find_images` (datasets/images.py), which also says what is hidden and which links are followed; a
class folder, or that of a split, may be a link. A file becomes the row that `predict` would make of it.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from softmaxclf.core.images import ImageShape
from softmaxclf.core.splits import drawn_test_split
from softmaxclf.datasets.checks import checked_class_names
from softmaxclf.datasets.dataset import Dataset, Labels, Split, ignored
from softmaxclf.datasets.image_rows import FOLDER, ImageRows
from softmaxclf.datasets.images import SUFFIXES, files_in, is_image
from softmaxclf.datasets.inputs import unreadable
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.files import printable

if TYPE_CHECKING:
    from softmaxclf.datasets.sources import DataSettings

PARTS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
CHANNELS = {"grey": 1, "rgb": 3}
Images = dict[str, list[os.DirEntry[str]]]  # by class
ENDINGS = ", ".join(SUFFIXES)


def is_image_folder(path: Path) -> bool:
    """Whether there is an image file in the folder `path`, those in it, or behind a link that may be a class."""
    if not path.is_dir():
        return False
    inside = [path, *_folders(path)]
    linked = (each for home in inside for each in _folders(home) if each.is_symlink())
    homes = chain([path], linked)
    return any(is_image(each.name) for home in homes for each in files_in(home, ignored))


def read_image_folder(path: Path, settings: "DataSettings") -> Dataset:
    """The data set of the class folders in `path`. Images are decoded when their split is read, or come from the cache.

    Raises DataError, and ConfigError where data.test leaves nothing to train on.
    """
    homes, notes = _homes(path)
    found = {part: _images(home, notes) for part, home in homes.items()}
    names = _class_names(homes, found, training=settings.training)
    parts = {part: _rows_of(images, names) for part, images in found.items()}
    if homes["train"] == path:
        parts |= _drawn(path, *parts["train"], settings)
    size = settings.image_size
    height, width = (size, size) if isinstance(size, int) else size
    shape = (CHANNELS[settings.color], height, width)

    def reader(part: str) -> Callable[[], Split] | None:
        return partial(_read, path, part, *parts[part], shape, settings) if part in parts else None

    read_train, read_validation = reader("train"), reader("validation")
    assert read_train is not None
    return Dataset(
        name=printable(path.resolve().name),
        path=printable(path),
        read_class_names=lambda: names,
        image_shape=shape,
        read_train=read_train,
        validation=read_validation() if read_validation else None,
        read_test=reader("test"),
        notes=tuple(notes),
    )


def _folders(path: Path) -> list[Path]:
    """The folders in `path` that are not hidden, sorted. Raises DataError."""
    try:
        return sorted(each for each in path.iterdir() if each.name[0] != "." and each.is_dir())
    except OSError as error:
        raise unreadable(printable(path), error) from error


def _homes(path: Path) -> tuple[dict[str, Path], list[str]]:
    """The folders of the splits by their names, `path` itself where it holds the classes, and what is to be noted."""
    inside = {each.name: each for each in _folders(path)}
    # A class may be called train: then it is a folder of images among others.
    if "train" not in inside or not (_folders(inside["train"]) or set(inside) <= set(PARTS)):
        return {"train": path}, []
    if {"validation", "val"} <= set(inside):
        raise _wrong(path, "validation or val", "both", "join them")
    others = printable(", ".join(name for name in inside if name not in PARTS))
    notes = (
        [f"{printable(path)}: not read: {others} (train, validation or val, and test are)"] if others else []
    )
    return {PARTS[name]: home for name, home in inside.items() if name in PARTS}, notes


def _images(home: Path, notes: list[str]) -> Images:
    """The images of each class folder of a split. Raises DataError for a folder that cannot be read."""

    def failed(error: OSError) -> None:
        raise unreadable(printable(error.filename), error) from error

    images, others = Images(), Counter[str]()
    for folder in _folders(home):
        images[folder.name] = []
        for each in files_in(folder, failed):
            if is_image(each.name):
                images[folder.name].append(each)
            else:
                others[Path(each.name).suffix.lower() or "no ending"] += 1
    outside = sum(is_image(each.name) and each.is_file() for each in home.iterdir() if each.name[0] != ".")
    if outside and not images:
        raise _wrong(
            home, "a folder for each class", "images without one", "move those of a class into a folder"
        )
    if outside:
        notes.append(f"{printable(home)}: images in no class folder, left out: {outside:,}")
    if others:
        kinds = printable(", ".join(f"{ending} {count:,}" for ending, count in others.most_common(4)))
        notes.append(f"{printable(home)}: files that do not end as images do, left out: {kinds}")
    return images


def _class_names(
    homes: Mapping[str, Path], found: Mapping[str, Images], *, training: bool
) -> tuple[str, ...]:
    """The names of the training folders, sorted. Raises DataError where a class has no image, or no training image."""
    train, home = found["train"], homes["train"]
    names = checked_class_names(sorted(train), printable(home))
    if len(names) < (2 if training else 1):
        raise _wrong(home, "at least 2 class folders", str(len(names)), "add a folder for each class")
    if empty := next((name for name in names if not train[name]), None):
        raise _wrong(home / empty, f"image files ({ENDINGS})", "none", "add some, or remove the folder")
    for part in found.keys() - {"train"}:
        if strange := sorted(name for name in found[part].keys() - train.keys() if found[part][name]):
            remedy = f"add training images of that class, or remove {printable(homes[part] / strange[0])}"
            raise _wrong(
                homes[part], "the classes of the training images", printable(repr(strange[0])), remedy
            )
        if not any(found[part].values()):
            raise _wrong(homes[part], "images in class folders", "none", "add some, or remove the folder")
    return names


def _rows_of(images: Images, names: Sequence[str]) -> tuple[list[os.DirEntry[str]], Labels]:
    files = [each for name in names for each in images.get(name, ())]
    counts = [len(images.get(name, ())) for name in names]
    return files, np.repeat(np.arange(len(names)), counts)


def _drawn(
    path: Path, files: Sequence[os.DirEntry[str]], y: Labels, settings: "DataSettings"
) -> dict[str, tuple[list[os.DirEntry[str]], Labels]]:
    """The training and the test part of images that no folder divides; no test part where none is wanted."""
    try:
        train, test = drawn_test_split(y, settings.test, settings.seed)
    except ValueError as error:
        raise ConfigError(f"data.test: {printable(path)}: {error}") from error

    def chosen(rows: Iterable[int]) -> tuple[list[os.DirEntry[str]], Labels]:
        return [files[row] for row in rows], y[np.asarray(rows)]

    return {"train": chosen(train), **({"test": chosen(test)} if len(test) else {})}


def _read(
    path: Path,
    part: str,
    files: Sequence[os.DirEntry[str]],
    y: Labels,
    shape: ImageShape,
    settings: "DataSettings",
) -> Split:
    cache = settings.directory / FOLDER if settings.cache else None
    reading = ImageRows(
        path,
        part,
        files,
        shape,
        cache,
        settings.skip_unreadable,
        settings.progress,
        settings.note,
        settings.warn,
    )
    rows, places = reading.read()
    return Split.of(rows, y[places], printable(path))


def _wrong(path: Path, expected: str, found: str, remedy: str) -> DataError:
    return DataError(f"{printable(path)}: expected {expected}, found {found}; {remedy}")
