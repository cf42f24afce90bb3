"""From what the user types as SOURCE to a data set: `sample`, `cifar10`, `cifar100` or a path.

A path's kind is told by what is in it: a folder by the files it holds, a file by its first bytes.
"""

from difflib import get_close_matches
from pathlib import Path

from softmaxclf.arrays import NPY_MAGIC, ZIP_MAGICS
from softmaxclf.datasets.cifar.archives import GZIP_MAGIC
from softmaxclf.datasets.cifar.layouts import LAYOUTS, layout_of_folder
from softmaxclf.datasets.cifar.reader import read_cifar_archive, read_cifar_folder
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.datasets.features import read_features
from softmaxclf.datasets.inputs import opened, unreadable
from softmaxclf.errors import DataError

SOURCE_NAMES = ("cifar10", "cifar100", "sample")
ACCEPTED = (
    f"{', '.join(SOURCE_NAMES)}, a folder of CIFAR batches, a CIFAR .tar.gz, an .npz with X_train and y_train, "
    "or a folder with X_train.npy and y_train.npy"
)
OFFICIAL_NAMES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


class MissingDataError(DataError):
    """The data set that was named is not in the data folder; `softmaxclf data download` fetches it."""


def open_source(source: str, directory: Path, *, seed: int = 0) -> Dataset:
    """The data set that `source` names: `sample`, `cifar10`, `cifar100` or a path.

    directory: where downloaded data lies. seed: of the sample. Raises MissingDataError where a named data set is
    not in `directory`, and DataError for all other reasons; those in the batches of CIFAR show when a split is read.
    """
    if source == "sample":
        from softmaxclf.datasets.sample import draw_sample

        return draw_sample(seed)
    if source in OFFICIAL_NAMES:
        return _open_official(OFFICIAL_NAMES[source], directory)
    return _open_path(source)


def find_official(name: str, directory: Path) -> Path | None:
    """Where in `directory` "CIFAR-10" or "CIFAR-100" lies: a folder of batches first, then an archive; else None."""
    layouts = [layout for layout in LAYOUTS if layout.name == name]
    folders = [directory / layout.folder for layout in layouts]
    archives = [directory / layout.archive for layout in layouts]
    return next((path for path in (*folders, *archives) if path.exists()), None)


def _open_official(name: str, directory: Path) -> Dataset:
    path = find_official(name, directory)
    if path is None:
        wanted = " or ".join(layout.folder for layout in LAYOUTS if layout.name == name)
        raise MissingDataError(
            f"{directory}: expected {name} as {wanted} or an archive of it, found none; "
            "fetch it with: softmaxclf data download"
        )
    return read_cifar_folder(path) if path.is_dir() else read_cifar_archive(path)


def _open_path(source: str) -> Dataset:
    path = Path(source)
    if not source or not _exists(path):
        near = get_close_matches(source.lower(), SOURCE_NAMES, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        shown = source if source.isprintable() and len(source) < 200 else ascii(source)[:200]
        raise DataError(
            f"{shown or 'an empty source'}: expected a source, found no such file; {hint}give {ACCEPTED}"
        )
    if path.is_dir():
        return _open_folder(path)
    with opened(path) as (file, _):
        magic = file.read(8)
    if magic.startswith(GZIP_MAGIC):
        return read_cifar_archive(path)
    if magic.startswith(ZIP_MAGICS):
        return read_features(path)
    if magic.startswith(NPY_MAGIC):
        raise DataError(
            f"{path}: expected a folder or an .npz, found one array; give the folder with {path.name}"
        )
    found = "one batch, whose folder is wanted" if layout_of_folder(path.parent) else "another kind of file"
    raise DataError(f"{path}: expected a data set, found {found}; give {ACCEPTED}")


def _exists(path: Path) -> bool:
    """Whether something is there; a name that is too long for the system is not."""
    try:
        return path.exists()
    except OSError:
        return False


def _open_folder(path: Path) -> Dataset:
    """A folder of batches, of `.npy` files, or one that holds an official folder."""
    try:
        names = {member.name for member in path.iterdir()}
    except OSError as error:
        raise unreadable(path, error) from error
    homes = (path, *(path / layout.folder for layout in LAYOUTS))
    if any(layout_of_folder(home) for home in homes):
        return read_cifar_folder(path)
    if names & {"X_train.npy", "y_train.npy"}:
        return read_features(path)
    raise DataError(f"{path}: expected data in this folder, found none that is known; give {ACCEPTED}")
