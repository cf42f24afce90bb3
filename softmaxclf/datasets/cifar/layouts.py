"""The file names, keys and sizes of CIFAR-10 and CIFAR-100 in their official python and binary forms.

Source: https://www.cs.toronto.edu/~kriz/cifar.html and the files that it offers.
"""

from dataclasses import dataclass
from pathlib import Path

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
    """One of the four official forms: what its files are called and what they hold."""

    name: str  # "CIFAR-10" or "CIFAR-100"
    form: str  # "python" or "binary"
    folder: str  # the folder inside the archive
    archive: str
    train: tuple[str, ...]
    test: str
    names: str  # the file with the class names, which may be missing
    labels_key: str  # python form: the key of the labels
    names_key: str  # python form: the key of the class names
    label_bytes: int  # binary form: bytes before the pixels, the last of which is the label
    classes: tuple[str, ...]  # the official names, by label

    @property
    def record(self) -> int:
        """Bytes of one image in a binary batch."""
        return self.label_bytes + PIXELS

    @property
    def max_bytes(self) -> int:
        """Most bytes of a batch: a text pickle needs up to four per pixel, and 500 per row for the labels."""
        return MAX_ROWS * (self.record if self.form == "binary" else 4 * PIXELS + 500)


def _layout(name: str, form: str, folder: str, train: tuple[str, ...], test: str, names: str) -> Layout:
    small = name == "CIFAR-10"
    return Layout(
        name=name,
        form=form,
        folder=folder,
        archive=f"{name.lower()}-{form}.tar.gz",
        train=train,
        test=test,
        names=names,
        labels_key="labels" if small else "fine_labels",
        names_key="label_names" if small else "fine_label_names",
        label_bytes=1 if small else 2,
        classes=CIFAR10_CLASSES if small else CIFAR100_CLASSES,
    )


_FIVE = tuple(f"data_batch_{number}" for number in range(1, 6))
LAYOUTS = (
    _layout("CIFAR-10", "python", "cifar-10-batches-py", _FIVE, "test_batch", "batches.meta"),
    _layout(
        "CIFAR-10",
        "binary",
        "cifar-10-batches-bin",
        tuple(f"{name}.bin" for name in _FIVE),
        "test_batch.bin",
        "batches.meta.txt",
    ),
    _layout("CIFAR-100", "python", "cifar-100-python", ("train",), "test", "meta"),
    _layout("CIFAR-100", "binary", "cifar-100-binary", ("train.bin",), "test.bin", "fine_label_names.txt"),
)


def layout_of_folder(folder: Path) -> Layout | None:
    """The form whose batches lie directly in `folder`: the one with most of its files there, else None.

    One batch is enough to tell, so that a folder which lacks some is reported and not overlooked.
    """
    counts = [sum(_is_file(folder / name) for name in (*layout.train, layout.test)) for layout in LAYOUTS]
    best = max(counts)
    return LAYOUTS[counts.index(best)] if best else None


def _is_file(path: Path) -> bool:
    """Whether a file is there; one that the system does not let us look at is not."""
    try:
        return path.is_file()
    except OSError:
        return False
