"""MNIST and Fashion-MNIST: their published files, where those are offered and looked for, how they ask to be cited.

The hashes are those of torchvision's lists.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from softmaxclf.datasets.dataset import Dataset
from softmaxclf.datasets.idx import FILES, files_of, read_idx
from softmaxclf.datasets.published import DIFFERS, Finding, Published, findings
from softmaxclf.errors import DataError


@dataclass(frozen=True)
class Mnist:
    """A data set of MNIST's form. source: what the user types, and the folder in the data folder."""

    source: str
    name: str
    mirrors: tuple[str, ...]
    citation: str
    files: tuple[Published, ...]  # in the order of FILES
    class_names: tuple[str, ...]


def _published(*facts: tuple[int, str]) -> tuple[Published, ...]:
    return tuple(
        Published(f"{name}.gz", size, "md5", digest)
        for name, (size, digest) in zip(FILES, facts, strict=True)
    )


MNISTS = (
    Mnist(
        "mnist",
        "MNIST",
        ("https://ossci-datasets.s3.amazonaws.com/mnist/",),
        "please cite: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document "
        "recognition, Proceedings of the IEEE 86, 1998",
        _published(
            (9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            (28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
            (1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
            (4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
        ),
        tuple("0123456789"),
    ),
    Mnist(
        "fashion-mnist",
        "Fashion-MNIST",
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        "please cite: H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine "
        "Learning Algorithms, arXiv:1708.07747, 2017",
        _published(
            (26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            (29_515, "25c81989df183df01b3e8a0aad5dffbe"),
            (4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
            (5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        (
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ),
    ),
)  # fmt: skip


def find_mnist(mnist: Mnist, directory: Path) -> Path | None:
    """The folder of that name in `directory` where all four files are in it, packed or not; else None."""
    folder = directory / mnist.source
    try:
        return folder if len(files_of(folder)) == len(FILES) else None
    except DataError:
        return None


def read_mnist(mnist: Mnist, folder: Path) -> Dataset:
    """The data set in `folder`, with the names that its classes have. Raises DataError as `read_idx` does."""

    def is_official() -> bool:
        return all(each.status != DIFFERS for each in _verify(mnist, folder))

    dataset = read_idx(folder, mnist.class_names)
    return replace(dataset, name=mnist.name, is_official=is_official)


def verify_mnist(directory: Path) -> list[Finding]:
    """What is known about the published files of each of MNISTS in its folder in `directory`."""
    return [each for mnist in MNISTS for each in _verify(mnist, directory / mnist.source)]


def _verify(mnist: Mnist, folder: Path) -> Iterator[Finding]:
    for home in (folder, folder / "raw"):
        for file in mnist.files:
            yield from findings(home, file, f"{mnist.name} file")
