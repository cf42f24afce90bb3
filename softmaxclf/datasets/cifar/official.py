"""The official CIFAR files: names, sizes, hashes, where they are offered and how they ask to be cited.

Sizes and hashes are facts of the files at https://www.cs.toronto.edu/~kriz/cifar.html. Only the hash says that
a file is the official one; where it came from says nothing.
"""

from dataclasses import dataclass
from pathlib import Path

from softmaxclf.datasets.cifar.layouts import LAYOUTS, Layout
from softmaxclf.errors import DataError
from softmaxclf.files import digest_of_file

# The first is reported to redirect to the second.
MIRRORS = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")

CITATION = (
    "please cite: Alex Krizhevsky, Learning Multiple Layers of Features from Tiny Images, "
    "technical report, University of Toronto, 2009"
)


@dataclass(frozen=True)
class OfficialFile:
    """One archive as it is offered: its name, its size in bytes and its hash in hexadecimal."""

    name: str
    size: int
    sha256: str


OFFICIAL_FILES = (
    OfficialFile(
        "cifar-10-python.tar.gz",
        170_498_071,
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ),
    OfficialFile(
        "cifar-10-binary.tar.gz",
        170_052_171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
    OfficialFile(
        "cifar-100-python.tar.gz",
        169_001_437,
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    ),
    OfficialFile(
        "cifar-100-binary.tar.gz",
        168_513_733,
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    ),
)

# Of the unpacked python batches, by the folder of their archive. No md5 of the binary ones is published.
BATCH_MD5 = {
    "cifar-10-batches-py": {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
        "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    },
    "cifar-100-python": {
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        "meta": "7973b15100ade9c7d40fb424638fde48",
    },
}


def part_path(final: Path) -> Path:
    """Where the download of `final` grows: beside it, so that a rename puts it into place."""
    return final.with_name(f"{final.name}.part")


def is_official(place: Path, layout: Layout) -> bool | None:
    """Whether an archive, or all batches of a folder, are the official ones; None where no hash of them is known."""
    if place.is_file():
        return digest_of_file(place) == archive_of(layout).sha256
    known = BATCH_MD5.get(layout.folder)
    if known is None:
        return None
    names = (*layout.train, layout.test)
    return all(
        (place / name).is_file() and digest_of_file(place / name, "md5") == known[name] for name in names
    )


def source_name(layout: Layout) -> str:
    """What the user types for a layout's data set: `cifar10` or `cifar100`."""
    return layout.name.replace("-", "").lower()


def archive_of(layout: Layout) -> OfficialFile:
    """The official archive that holds a layout's files."""
    return next(file for file in OFFICIAL_FILES if file.name == layout.archive)


def official_file(source: str, form: str) -> OfficialFile:
    """The archive of `source` (cifar10, cifar100) in `form` (python, binary). Raises DataError for others."""
    for layout in LAYOUTS:
        if (source_name(layout), layout.form) == (source, form):
            return archive_of(layout)
    known = ", ".join(f"{source_name(layout)} ({layout.form})" for layout in LAYOUTS)
    raise DataError(f"{source} ({form}): expected data that can be downloaded: {known}; choose one of these")
