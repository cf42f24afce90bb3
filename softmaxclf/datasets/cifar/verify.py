"""What of CIFAR lies in a folder, and whether it is what the official hashes say."""

import os
from pathlib import Path
from typing import NamedTuple

from softmaxclf.datasets.cifar.layouts import LAYOUTS, Layout, batch_folders, part_path
from softmaxclf.datasets.inputs import unreadable
from softmaxclf.files import digest_of_file

OFFICIAL, DIFFERS = "official", "differs from the official file"


class Finding(NamedTuple):
    """One file: where it is (or should be), what it is of, what is to say of it and what shows that."""

    file: str
    what: str  # such as "CIFAR-10 python archive" or "CIFAR-10 python batch"
    status: str
    detail: str


def verify(directory: Path) -> list[Finding]:
    """What is known about every CIFAR file in `directory`; empty where there is none.

    Looks for the official archives, downloads that were cut (`.part`) and folders of unpacked batches, in
    `directory` or `directory` itself. A file that differs may still be sound data in the same form: reading it is
    the caller's affair.
    """
    found = []
    for layout in LAYOUTS:
        path, what = directory / layout.archive, f"{layout.name} {layout.form} archive"
        part = part_path(path)
        if os.path.lexists(path):
            found.append(_compared(path, what, "sha256", layout.sha256))
        if part.is_file():
            size = part.stat().st_size
            detail = f"{size:,} of {layout.size:,} bytes ({100 * size // layout.size} %)"
            found.append(
                Finding(str(part), what, "incomplete", f"{detail}; softmaxclf data download continues it")
            )
    return found + [each for home, layout in batch_folders(directory) for each in _of_folder(home, layout)]


def is_official(place: Path, layout: Layout) -> bool:
    """Whether an archive, or all batches of a folder, are the official ones, as far as hashes of them are known."""
    if place.is_file():
        return _compared(place, "", "sha256", layout.sha256).status == OFFICIAL
    return not layout.md5 or all(each.status == OFFICIAL for each in _of_folder(place, layout)[:-1])


def _of_folder(home: Path, layout: Layout) -> list[Finding]:
    """Each batch, and the class names last."""
    what, known = f"{layout.name} {layout.form} batch", layout.md5 or [""] * len(layout.files)
    return [_compared(home / name, what, "md5", md5) for name, md5 in zip(layout.files, known, strict=True)]


def _compared(path: Path, what: str, algorithm: str, expected: str) -> Finding:
    """What is to say of a file that should have this hash, which is empty where none is known."""
    if not os.path.lexists(path):
        return Finding(str(path), what, "missing member", f"expected beside the other files of {path.parent}")
    try:
        found = digest_of_file(path, algorithm)
    except OSError as error:
        return Finding(str(path), what, "unreadable", str(unreadable(path, error)))
    if expected in ("", found):
        status = OFFICIAL if expected else "no official hash is known"
        return Finding(str(path), what, status, f"{algorithm} {found}")
    return Finding(str(path), what, DIFFERS, f"expected {algorithm} {expected}, found {found}")
