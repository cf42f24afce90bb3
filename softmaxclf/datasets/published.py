"""Files that are published under a name, a size and a hash: what is on disk is compared with that."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from softmaxclf.datasets.inputs import unreadable
from softmaxclf.files import digest_of_file, look

OFFICIAL, DIFFERS = "official", "differs from the official file"


@dataclass(frozen=True)
class Published:
    """A file as its publisher has it. algorithm: of the hexadecimal digest."""

    name: str
    size: int
    algorithm: str
    digest: str


class Finding(NamedTuple):
    """One file: where it is (or should be), what it is of, what is to say of it and what shows that."""

    file: str
    what: str  # such as "CIFAR-10 python archive" or "CIFAR-10 python batch"
    status: str
    detail: str


def part_path(final: Path) -> Path:
    """Where the download of `final` grows: beside it, so that a rename puts it into place."""
    return final.with_name(f"{final.name}.part")


def findings(directory: Path, file: Published, what: str) -> Iterator[Finding]:
    """What is to say of a published file, and of its download, where they are in `directory`."""
    path = directory / file.name
    part = part_path(path)
    if os.path.lexists(path):
        yield compared(path, what, file.algorithm, file.digest)
    if (growing := look(part)) is not None:
        size = growing.st_size
        detail = f"{size:,} of {file.size:,} bytes ({100 * size // file.size} %)"
        yield Finding(str(part), what, "incomplete", f"{detail}; softmaxclf data download continues it")


def compared(path: Path, what: str, algorithm: str, expected: str) -> Finding:
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
