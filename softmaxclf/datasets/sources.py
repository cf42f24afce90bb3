"""From what the user types as SOURCE to a data set.

A source is a pair: what recognizes it, and what reads it. A new one is one file with a reader and one line in
SOURCES; the errors about unknown sources are made from these lines.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from softmaxclf.arrays import NPY_MAGIC, ZIP_MAGICS
from softmaxclf.datasets.cifar.archives import GZIP_MAGIC
from softmaxclf.datasets.cifar.layouts import LAYOUTS, layout_of_folder
from softmaxclf.datasets.cifar.reader import read_cifar_archive, read_cifar_folder
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.datasets.features import read_features
from softmaxclf.datasets.inputs import opened, unreadable
from softmaxclf.datasets.sample import draw_sample
from softmaxclf.errors import DataError

OFFICIAL_NAMES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


class MissingDataError(DataError):
    """The data set that was named is not in the data folder; `softmaxclf data download` fetches it."""


@dataclass(frozen=True)
class DataSettings:
    """The data settings that reading follows. directory: where downloads lie; seed: of what is drawn."""

    directory: Path
    seed: int = 0


@dataclass(frozen=True)
class Candidate:
    """What was typed, and what lies there: a folder's file names, or a file's first bytes; neither for a mere name."""

    text: str
    settings: DataSettings
    path: Path
    names: frozenset[str] | None = None
    magic: bytes | None = None


@dataclass(frozen=True)
class Source:
    """A kind of source. accepts: how messages call it. names: the words by which it is asked for, none for a path."""

    accepts: str
    recognizes: Callable[[Candidate], bool]
    reads: Callable[[Candidate], Dataset]
    names: tuple[str, ...] = ()


def named(*names: str) -> Callable[[Candidate], bool]:
    """Recognizes what is asked for by one of these words."""
    return lambda found: found.text in names


def starting_with(*magic: bytes) -> Callable[[Candidate], bool]:
    """Recognizes a file by its first bytes."""
    return lambda found: found.magic is not None and found.magic.startswith(magic)


def holding(*names: str) -> Callable[[Candidate], bool]:
    """Recognizes a folder that holds at least one of these files."""
    return lambda found: bool(found.names and found.names & set(names))


def _holds_batches(found: Candidate) -> bool:
    homes = (found.path, *(found.path / layout.folder for layout in LAYOUTS))
    return found.names is not None and any(layout_of_folder(home) for home in homes)


def find_official(name: str, directory: Path) -> Path | None:
    """Where in `directory` "CIFAR-10" or "CIFAR-100" lies: a folder of batches first, then an archive; else None."""
    layouts = [layout for layout in LAYOUTS if layout.name == name]
    folders = [directory / layout.folder for layout in layouts]
    archives = [directory / layout.archive for layout in layouts]
    return next((path for path in (*folders, *archives) if path.exists()), None)


def _read_official(found: Candidate) -> Dataset:
    name, directory = OFFICIAL_NAMES[found.text], found.settings.directory
    path = find_official(name, directory)
    if path is None:
        wanted = " or ".join(layout.folder for layout in LAYOUTS if layout.name == name)
        raise MissingDataError(
            f"{directory}: expected {name} as {wanted} or an archive of it, found none; "
            "fetch it with: softmaxclf data download"
        )
    return read_cifar_folder(path) if path.is_dir() else read_cifar_archive(path)


# In the order in which they are asked.
SOURCES = (
    Source("cifar10, cifar100", named(*OFFICIAL_NAMES), _read_official, tuple(OFFICIAL_NAMES)),
    Source("sample", named("sample"), lambda found: draw_sample(found.settings.seed), ("sample",)),
    Source("a folder of CIFAR batches", _holds_batches, lambda found: read_cifar_folder(found.path)),
    Source("a CIFAR .tar.gz", starting_with(GZIP_MAGIC), lambda found: read_cifar_archive(found.path)),
    Source(
        "an .npz with X_train and y_train",
        starting_with(*ZIP_MAGICS),
        lambda found: read_features(found.path),
    ),
    Source(
        "a folder with X_train.npy and y_train.npy",
        holding("X_train.npy", "y_train.npy"),
        lambda found: read_features(found.path),
    ),
)


def accepted() -> str:
    """All that can be given as a source, in words."""
    *first, last = (source.accepts for source in SOURCES)
    return f"{', '.join(first)}, or {last}"


def open_source(source: str, directory: Path, *, seed: int = 0) -> Dataset:
    """The data set that `source` names: one of the names in SOURCES, or a path.

    directory: where downloaded data lies. seed: of the sample. Raises MissingDataError where a named data set is
    not in `directory`, and DataError for all other reasons; those in the batches of CIFAR show when a split is read.
    """
    found = _candidate(source, DataSettings(directory, seed))
    for each in SOURCES:
        if each.recognizes(found):
            return each.reads(found)
    raise _unknown(found)


def _candidate(text: str, settings: DataSettings) -> Candidate:
    path, names = Path(text), [name for source in SOURCES for name in source.names]
    if text in names:
        return Candidate(text, settings, path)
    if not text or not _exists(path):
        near = get_close_matches(text.lower(), names, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        shown = text if text.isprintable() and len(text) < 200 else ascii(text)[:200]
        raise DataError(
            f"{shown or 'an empty source'}: expected a source, found no such file; {hint}give {accepted()}"
        )
    if path.is_dir():
        try:
            return Candidate(text, settings, path, names=frozenset(member.name for member in path.iterdir()))
        except OSError as error:
            raise unreadable(path, error) from error
    with opened(path) as (file, _):
        return Candidate(text, settings, path, magic=file.read(8))


def _unknown(found: Candidate) -> DataError:
    path = found.path
    if found.names is not None:
        return DataError(f"{path}: expected data in this folder, found none that is known; give {accepted()}")
    if starting_with(NPY_MAGIC)(found):
        return DataError(
            f"{path}: expected a folder or an .npz, found one array; give the folder with {path.name}"
        )
    what = "one batch, whose folder is wanted" if layout_of_folder(path.parent) else "another kind of file"
    return DataError(f"{path}: expected a data set, found {what}; give {accepted()}")


def _exists(path: Path) -> bool:
    """Whether something is there; a name that is too long for the system is not."""
    try:
        return path.exists()
    except OSError:
        return False
