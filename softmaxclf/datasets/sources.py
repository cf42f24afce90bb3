"""From what the user types as SOURCE to a data set.

A source is a pair: what recognizes it, and what reads it. A new one is one file with a reader and one line in
SOURCES, or in NAMED for one that is asked for by name; the errors about unknown sources are made from these lines.
"""

import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from softmaxclf.arrays import NPY_MAGIC, ZIP_MAGICS
from softmaxclf.datasets.cifar.layouts import LAYOUTS, OFFICIAL_SOURCES, batch_folders, layout_of_folder
from softmaxclf.datasets.cifar.reader import read_cifar
from softmaxclf.datasets.dataset import Dataset, Log, Progress, ignored
from softmaxclf.datasets.features import read_features
from softmaxclf.datasets.gzipped import GZIP_MAGIC
from softmaxclf.datasets.idx import is_idx, read_idx
from softmaxclf.datasets.image_folders import is_image_folder, read_image_folder
from softmaxclf.datasets.inputs import opened, unreadable
from softmaxclf.datasets.mnist import MNISTS, Mnist, find_mnist, read_mnist
from softmaxclf.datasets.patterns import is_pattern
from softmaxclf.datasets.sample import draw_sample
from softmaxclf.datasets.shards import read_shards
from softmaxclf.datasets.table_files import is_table
from softmaxclf.datasets.tables import part_of, read_table, read_table_folder
from softmaxclf.errors import DataError
from softmaxclf.files import exists, is_folder


@dataclass(frozen=True)
class DataSettings:
    """The data settings that reading follows, by the names that they have in a configuration, and who listens.

    features: the columns of a table that a model knows; None where all are wanted. training: whether a model is to be
    trained on the rows, which takes two classes, or they are only scored.
    """

    directory: Path
    seed: int = 0
    test: float = 0.2
    image_size: int | tuple[int, int] = 32
    color: str = "rgb"
    skip_unreadable: bool = False
    cache: bool = True
    label: str | None = None
    ignore: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    training: bool = True
    progress: Progress = ignored
    note: Log = ignored
    warn: Log = ignored


class MissingDataError(DataError):
    """The data set that was named is not in the data folder; `softmaxclf data download` fetches it."""


def find_official(source: str, directory: Path) -> Path | None:
    """Where in `directory` the data of a name lie, None where they do not.

    cifar10 or cifar100: a folder of batches first, then an archive; mnist or fashion-mnist: the folder of its files.
    """
    for mnist in MNISTS:
        if mnist.source == source:
            return find_mnist(mnist, directory)
    layouts = [layout for layout in LAYOUTS if layout.source == source]
    folders = [directory / layout.folder for layout in layouts]
    archives = [directory / layout.archive for layout in layouts]
    return next((path for path in (*folders, *archives) if exists(path)), None)


def _read_official(source: str, settings: DataSettings) -> Dataset:
    directory = settings.directory
    path = find_official(source, directory)
    if path is None:
        layouts = [layout for layout in LAYOUTS if layout.source == source]
        raise MissingDataError(
            f"{directory}: expected {layouts[0].name} as {' or '.join(layout.folder for layout in layouts)} or an "
            "archive of it, found none; fetch it with: softmaxclf data download"
        )
    return read_cifar(path)


def _read_mnist(mnist: Mnist, settings: DataSettings) -> Dataset:
    path = find_mnist(mnist, settings.directory)
    if path is None:
        raise MissingDataError(
            f"{settings.directory / mnist.source}: expected the {len(mnist.files)} files of {mnist.name}, found fewer; "
            f"fetch them with: softmaxclf data download {mnist.source}"
        )
    return read_mnist(mnist, path)


# Asked for by name.
NAMED: dict[str, Callable[[DataSettings], Dataset]] = {
    **{source: partial(_read_official, source) for source in OFFICIAL_SOURCES},
    **{mnist.source: partial(_read_mnist, mnist) for mnist in MNISTS},
    "sample": lambda settings: draw_sample(settings.seed),
}


@dataclass(frozen=True)
class Source:
    """A kind of file or folder. accepts: how messages call it. recognizes: by the path and a file's first 8 bytes."""

    accepts: str
    recognizes: Callable[[Path, bytes], bool]
    reads: Callable[[Path, DataSettings], Dataset]


def _read_cifar(path: Path, settings: DataSettings) -> Dataset:
    return read_cifar(path)


def _read_arrays(path: Path, settings: DataSettings) -> Dataset:
    return read_features(path, training=settings.training)


# In the order in which they are asked.
SOURCES = (
    Source(
        "a .csv, .tsv or .parquet table",
        lambda path, magic: is_table(path) and not is_folder(path),
        read_table,
    ),
    Source(
        "'features/*.npy'",
        lambda path, magic: is_pattern(path),
        read_shards,
    ),
    Source(
        "a folder with train.csv", lambda path, magic: part_of(path, "train") is not None, read_table_folder
    ),
    Source("a folder of CIFAR batches", lambda path, magic: any(batch_folders(path)), _read_cifar),
    Source(
        "a folder of IDX files such as MNIST's",
        lambda path, magic: is_idx(path),
        lambda path, settings: read_idx(path, training=settings.training),
    ),
    Source("a CIFAR .tar.gz", lambda path, magic: magic.startswith(GZIP_MAGIC), _read_cifar),
    Source(
        "an .npz with X_train and y_train", lambda path, magic: magic.startswith(ZIP_MAGICS), _read_arrays
    ),
    Source(
        "a folder with X_train.npy and y_train.npy",
        lambda path, magic: exists(path / "X_train.npy") or exists(path / "y_train.npy"),
        _read_arrays,
    ),
    Source(
        "a folder with a folder of images (.png, .jpg, ...) for each class",
        lambda path, magic: is_image_folder(path),
        read_image_folder,
    ),
)


def accepted() -> str:
    """All that can be given as a source, in words."""
    *first, last = (*NAMED, *(source.accepts for source in SOURCES))
    return f"{', '.join(first)}, or {last}"


def open_source(source: str, directory: Path, **settings: Any) -> Dataset:
    """The data set that `source` names: one of NAMED, or a path to one of SOURCES.

    directory: where downloaded data lies. settings: those of DataSettings. Raises MissingDataError where a named
    data set is not in `directory`, and DataError for all other reasons; those in the batches of CIFAR show when a
    split is read.
    """
    wanted = DataSettings(directory, **settings)
    if source in NAMED:
        return NAMED[source](wanted)
    try:
        return _recognized(Path(source), _first_bytes(source), wanted)
    except OSError as error:
        raise unreadable(error.filename or source, error) from error


def _recognized(path: Path, magic: bytes, settings: DataSettings) -> Dataset:
    if magic.startswith(ZIP_MAGICS):
        _refuse_other_archives(path)
    for each in SOURCES:
        if each.recognizes(path, magic):
            return each.reads(path, settings)
    raise _unknown(path, magic)


def _first_bytes(source: str) -> bytes:
    """The first 8 bytes of a file, none of a folder or pattern. Raises DataError where there is none to read."""
    path = Path(source)
    if is_pattern(path):
        return b""
    if not source or not exists(path):  # a path of no letters is the folder that one is in
        near = get_close_matches(source.lower(), NAMED, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        shown = source if source.isprintable() and len(source) < 200 else ascii(source)[:200]
        raise DataError(
            f"{shown or 'an empty source'}: expected a source, found no such file; {hint}give {accepted()}"
        )
    if is_folder(path):
        next(path.iterdir(), None)
        return b""
    with opened(path) as (file, _):
        return file.read(8)


def _refuse_other_archives(path: Path) -> None:
    """Raise DataError for a ZIP that is no `.npz`; one whose members cannot be listed is left to its reader."""
    names = None
    with opened(path) as (file, _), suppress(Exception):  # hostile bytes make zipfile raise almost any
        names = zipfile.ZipFile(file).namelist()
    if names is None or any(name.endswith(".npy") for name in names):
        return
    found, remedy = "a .zip archive without arrays", "unpack it, and give what it held"
    if any(name.startswith("xl/") or name == "[Content_Types].xml" for name in names):
        found, remedy = "an Excel workbook", "export the sheet as CSV"
    raise DataError(f"{path}: expected a data set, found {found}; {remedy}")


def _unknown(path: Path, magic: bytes) -> DataError:
    if is_folder(path) and any(path.glob("*.npy")):
        return DataError(
            f"{path}: expected X_train.npy and y_train.npy in this folder, found other .npy files; rows in "
            f"several files are given as '{path}/*.npy', in quotes"
        )
    if is_folder(path):
        return DataError(f"{path}: expected data in this folder, found none that is known; give {accepted()}")
    if magic.startswith(NPY_MAGIC):
        return DataError(
            f"{path}: expected a folder or an .npz, found one array; give the folder with {path.name}"
        )
    what = "one batch, whose folder is wanted" if layout_of_folder(path.parent) else "another kind of file"
    return DataError(f"{path}: expected a data set, found {what}; give {accepted()}")
