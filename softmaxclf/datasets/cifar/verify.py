"""What of CIFAR lies in a folder, and whether it is what the official hashes say."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from softmaxclf.datasets.cifar.layouts import LAYOUTS, Layout, layout_of_folder
from softmaxclf.datasets.cifar.official import BATCH_MD5, OfficialFile, archive_of, part_path
from softmaxclf.datasets.dataset import Progress
from softmaxclf.datasets.inputs import unreadable
from softmaxclf.files import digest_of_file


class Status(StrEnum):
    """What can be said of a file without reading it as data."""

    OFFICIAL = "official"
    DIFFERS = "differs from the official file"
    UNKNOWN = "no official hash is known"
    INCOMPLETE = "incomplete"
    MISSING = "missing member"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Finding:
    """One file: where it is (or should be), what it is of, its status, and what stands behind that."""

    path: Path
    what: str  # such as "CIFAR-10 python archive" or "CIFAR-10 python batch"
    status: Status
    detail: str


@dataclass(frozen=True)
class _Check:
    """A file that is to be hashed, and the hash that it should have where one is known."""

    path: Path
    what: str
    algorithm: str
    expected: str | None


def verify(directory: Path, progress: Progress | None = None) -> list[Finding]:
    """What is known about every CIFAR file in `directory`; empty where there is none.

    Looks for the official archives, downloads that were cut (`.part`) and folders of unpacked batches, in
    `directory` or `directory` itself. progress: called with the bytes that were hashed and their total.
    A file that differs may still be sound data in the same form: reading it is the caller's affair.
    """
    known = [*_of_archives(directory), *_of_folders(directory)]
    total = sum(_size(item.path) for item in known if isinstance(item, _Check))
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(min(done, total), total)

    return [_checked(item, advance) if isinstance(item, _Check) else item for item in known]


def _of_archives(directory: Path) -> Iterator[_Check | Finding]:
    for layout in LAYOUTS:
        entry, what = archive_of(layout), f"{layout.name} {layout.form} archive"
        path = directory / entry.name
        if os.path.lexists(path):
            yield _Check(path, what, "sha256", entry.sha256)
        if part_path(path).is_file():
            yield Finding(part_path(path), what, Status.INCOMPLETE, _progress_of(part_path(path), entry))


def _progress_of(part: Path, entry: OfficialFile) -> str:
    size = _size(part)
    percent = 100 * size // entry.size
    return f"{size:,} of {entry.size:,} bytes ({percent} %); softmaxclf data download continues it"


def _of_folders(directory: Path) -> Iterator[_Check | Finding]:
    for home, layout in _batch_folders(directory):
        md5, what = BATCH_MD5.get(layout.folder, {}), f"{layout.name} {layout.form} batch"
        for name in (*layout.train, layout.test, layout.names):
            path = home / name
            if os.path.lexists(path):
                yield _Check(path, what, "md5", md5.get(name))
            else:
                yield Finding(path, what, Status.MISSING, f"expected beside the other files of {home}")


def _batch_folders(directory: Path) -> Iterator[tuple[Path, Layout]]:
    """Every folder with at least one batch, and the form of its batches."""
    for home in (directory, *(directory / layout.folder for layout in LAYOUTS)):
        layout = layout_of_folder(home)
        if layout is not None:
            yield home, layout


def _checked(check: _Check, advance: Callable[[int], None]) -> Finding:
    try:
        found = digest_of_file(check.path, check.algorithm, advance)
    except OSError as error:
        return Finding(check.path, check.what, Status.UNREADABLE, str(unreadable(check.path, error)))
    if check.expected in (None, found):
        status = Status.OFFICIAL if check.expected else Status.UNKNOWN
        return Finding(check.path, check.what, status, f"{check.algorithm} {found}")
    detail = f"expected {check.algorithm} {check.expected}, found {found}"
    return Finding(check.path, check.what, Status.DIFFERS, detail)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
