"""The four official forms of CIFAR: files, keys, sizes and hashes, where they are offered, how they ask to be cited.

These are facts of the files at https://www.cs.toronto.edu/~kriz/cifar.html. Only the hash says that a file is the
official one; where it came from says nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from softmaxclf.datasets.published import Published
from softmaxclf.files import is_file

# The first is reported to redirect to the second.
MIRRORS = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")
CITATION = (
    "please cite: Alex Krizhevsky, Learning Multiple Layers of Features from Tiny Images, "
    "technical report, University of Toronto, 2009"
)

IMAGE_SHAPE = (3, 32, 32)  # planes red, green, blue; each row by row
PIXELS = 3 * 32 * 32  # bytes of an image, D
MAX_ROWS = 100_000  # of one batch file; the official ones hold 10,000 or 50,000

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CIFAR100 = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
    lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
    pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal
    shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank
    telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
CIFAR100_CLASSES = tuple(_CIFAR100.split())


@dataclass(frozen=True)
class Layout:
    """One of the four official forms: what its archive and its files are called and what they hold."""

    source: str  # what the user types, "cifar10" or "cifar100"
    form: str  # "python" or "binary"
    folder: str  # the folder inside the archive
    train: tuple[str, ...]
    test: str
    names: str  # the file with the class names, which may be missing
    archive: str
    size: int  # of the archive, in bytes
    sha256: str  # of the archive
    md5: tuple[str, ...] = ()  # of `files`; none of the binary ones are published

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all files of the folder."""
        return (*self.train, self.test, self.names)

    @property
    def published(self) -> Published:
        """The archive, as `download` and `verify` take it."""
        return Published(self.archive, self.size, "sha256", self.sha256)

    @property
    def name(self) -> str:
        """ "CIFAR-10" or "CIFAR-100"."""
        return self.source.upper().replace("CIFAR", "CIFAR-")

    @property
    def classes(self) -> tuple[str, ...]:
        """The official names, by label."""
        return CIFAR10_CLASSES if self.source == "cifar10" else CIFAR100_CLASSES

    @property
    def key(self) -> str:
        """What the keys `labels` and `label_names` of the python form begin with: CIFAR-100 has coarse ones too."""
        return "" if self.source == "cifar10" else "fine_"

    @property
    def label_bytes(self) -> int:
        """Bytes before the pixels of a record of the binary form; the last of them is the label."""
        return 1 if self.source == "cifar10" else 2

    @property
    def record(self) -> int:
        """Bytes of one image in a binary batch."""
        return self.label_bytes + PIXELS

    @property
    def max_bytes(self) -> int:
        """Most bytes of a batch: a text pickle needs up to four per pixel, and 500 per row for the labels."""
        return MAX_ROWS * (self.record if self.form == "binary" else 4 * PIXELS + 500)


_FIVE = tuple(f"data_batch_{number}" for number in range(1, 6))
LAYOUTS = (
    Layout(
        "cifar10", "python", "cifar-10-batches-py", _FIVE, "test_batch", "batches.meta",
        "cifar-10-python.tar.gz", 170_498_071,
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        (
            "c99cafc152244af753f735de768cd75f",
            "d4bba439e000b95fd0a9bffe97cbabec",
            "54ebc095f3ab1f0389bbae665268c751",
            "634d18415352ddfa80567beed471001a",
            "482c414d41f54cd18b22e5b47cb7c3cb",
            "40351d587109b95175f43aff81a1287e",
            "5ff9c542aee3614f3951f8cda6e48888",
        ),
    ),
    Layout(
        "cifar10", "binary", "cifar-10-batches-bin",
        tuple(f"{name}.bin" for name in _FIVE), "test_batch.bin", "batches.meta.txt",
        "cifar-10-binary.tar.gz", 170_052_171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
    Layout(
        "cifar100", "python", "cifar-100-python", ("train",), "test", "meta",
        "cifar-100-python.tar.gz", 169_001_437,
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        (
            "16019d7e3df5f24257cddd939b257f8d",
            "f0ef6b0ae62326f3e7ffdfab6717acfc",
            "7973b15100ade9c7d40fb424638fde48",
        ),
    ),
    Layout(
        "cifar100", "binary", "cifar-100-binary", ("train.bin",), "test.bin", "fine_label_names.txt",
        "cifar-100-binary.tar.gz", 168_513_733,
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    ),
)  # fmt: skip
OFFICIAL_SOURCES = ("cifar10", "cifar100")


def batch_folders(directory: Path) -> Iterator[tuple[Path, Layout]]:
    """Each folder with batches, `directory` or an official subfolder of it, and their form."""
    for home in (directory, *(directory / layout.folder for layout in LAYOUTS)):
        layout = layout_of_folder(home)
        if layout is not None:
            yield home, layout


def layout_of_folder(folder: Path) -> Layout | None:
    """The form whose batches lie directly in `folder`: the one with most of its files there, else None.

    One batch is enough to tell, so that a folder which lacks some is reported and not overlooked.
    """
    counts = [sum(is_file(folder / name) for name in layout.files[:-1]) for layout in LAYOUTS]
    best = max(counts)
    return LAYOUTS[counts.index(best)] if best else None
