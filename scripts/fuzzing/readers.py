"""The readers under test, each with valid files to start from, its words and its checksums."""

import gzip
import io
import pickle
import struct
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing.damage import Random
from fuzzing.repair import repaired_model, repaired_png, repaired_tar, repaired_zip
from fuzzing.words import IMAGE_WORDS, OPCODES, TAR_WORDS, YAML_WORDS, ZIP_WORDS
from PIL import Image

from softmaxclf import model_file
from softmaxclf.config import Config, dump_config, load_config
from softmaxclf.core.model import LinearModel
from softmaxclf.core.stages.mirror import Mirror
from softmaxclf.core.stages.stage import Preprocessing
from softmaxclf.datasets.cifar.batches import read_batch, read_class_names
from softmaxclf.datasets.cifar.layouts import LAYOUTS
from softmaxclf.datasets.cifar.members import folder_members
from softmaxclf.datasets.cifar.writer import write_cifar_folder
from softmaxclf.datasets.dataset import Split
from softmaxclf.datasets.idx import read_array
from softmaxclf.datasets.images import read_image
from softmaxclf.datasets.sources import open_source
from softmaxclf.errors import DataError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
Repair = Callable[[bytes, Random], bytes]


@dataclass(frozen=True)
class Reader:
    """A reader under test. words: bytes that mean something to it; repair: makes checksums right again.

    memory: bytes that reading an input may add to the resident memory.
    """

    read: Callable[[Path], object]
    seeds: Callable[[Path], list[bytes]]
    words: Sequence[bytes] = ()
    repair: Repair = lambda content, generator: content
    memory: int = 200 << 20


def splits() -> tuple[Split, Split]:
    rows = np.random.default_rng(0).integers(0, 256, (6, 3072), dtype=np.uint8)
    return Split(rows[:5], np.arange(5)), Split(rows[5:], np.arange(1))


def cifar_files(folder: Path, name: str, form: str) -> Path:
    """A folder of batches of one image each."""
    layout = next(each for each in LAYOUTS if (each.name, each.form) == (name, form))
    home = folder / layout.folder
    write_cifar_folder(home, *splits(), layout.classes, name=name, form=form)
    return home


def batch_seeds(folder: Path) -> list[bytes]:
    homes = [cifar_files(folder, layout.name, layout.form) for layout in LAYOUTS]
    written = [path.read_bytes() for home in homes for path in sorted(home.iterdir())[:2]]
    batch = {"data": splits()[1].X, "labels": [0], "filenames": ["a.png"], b"batch_label": b"x"}
    names = {"label_names": list(LAYOUTS[0].classes)}
    return written + [pickle.dumps(each, protocol) for each in (batch, names) for protocol in range(6)]


def read_batch_file(path: Path) -> object:
    """The file as a python batch, as a binary one, and as class names; the first refusal if none takes it."""
    refusal: DataError | None = None
    found: list[object] = []
    for layout in LAYOUTS:
        for read in (read_batch, read_class_names):
            try:
                found += [read(member, layout) for member in folder_members(path.parent, layout, [path.name])]
            except DataError as error:
                refusal = refusal or error
    if refusal is not None and not found:
        raise refusal
    return found


def model_seeds(folder: Path) -> list[bytes]:
    generator = np.random.default_rng(0)
    made = []
    for columns, shape, mirror in ((6, None, None), (24, (3, 2, 4), None), (12, (3, 2, 4), (3, 2, 4))):
        W = generator.normal(size=(columns, 3)).astype(np.float32)
        offset, scale = generator.normal(size=columns), generator.uniform(0.5, 2, columns)
        reading = (Mirror(mirror),) if mirror else ()
        for preprocessing in (Preprocessing(reading=reading), Preprocessing(offset, scale, True, reading)):
            model = LinearModel(W, W[0], ("a", "b", "c"), preprocessing, shape, provenance={"seed": 0})
            made.append(model_file.model_bytes(model))
    return made


def feature_seeds(folder: Path) -> list[bytes]:
    X, y = np.arange(12, dtype=np.float32).reshape(4, 3), np.array([0, 1, 2, 1])
    arrays: dict[str, Any] = {
        "X_train": X,
        "y_train": y,
        "X_test": X,
        "y_test": y,
        "class_names": ["a", "b", "c"],
    }
    images = {"X_train": np.zeros((4, 2, 2, 3), np.uint8), "y_train": y, "image_shape": [3, 2, 2]}
    made = []
    for members, save in ((arrays, np.savez), (arrays, np.savez_compressed), (images, np.savez)):
        content = io.BytesIO()
        save(content, **members)  # type: ignore[arg-type]
        made.append(content.getvalue())
    return made


def archive_seeds(folder: Path) -> list[bytes]:
    made = []
    for name, form in (("CIFAR-10", "binary"), ("CIFAR-100", "python")):
        home, content = cifar_files(folder, name, form), io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            archive.add(home, home.name)
        made.append(gzip.compress(content.getvalue(), 1, mtime=0))
    return made


def configuration_seeds(folder: Path) -> list[bytes]:
    shipped = [path.read_bytes() for path in sorted(CONFIGS.glob("*.yaml"))]
    grid = b"tuning:\n  learning_rates: {log: [1e-8, 1e-6, 5]}\n  regularizations: [1, 2e3]\n  folds: 5\n"
    return [*shipped, dump_config(Config()).encode(), grid, b""]


def image_seeds(folder: Path) -> list[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 4), dtype=np.uint8)
    image = Image.fromarray(pixels)
    forms = [("PNG", mode) for mode in ("RGBA", "RGB", "L", "LA", "P", "1", "I;16")] + [
        ("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("GIF", "P"), ("BMP", "RGB"), ("BMP", "1"),
        ("WEBP", "RGBA"), ("TIFF", "RGB"), ("TIFF", "CMYK"),
    ]  # fmt: skip
    made = []
    for form, mode in forms:
        content = io.BytesIO()
        image.convert("L" if mode == "I;16" else mode.replace("CMYK", "RGB")).convert(mode).save(
            content, form
        )
        made.append(content.getvalue())
    return made


def idx_seeds(folder: Path) -> list[bytes]:
    images = struct.pack(">4I", 0x803, 6, 3, 2) + bytes(range(36))
    labels = struct.pack(">2I", 0x801, 6) + bytes([0, 1, 2, 0, 1, 2])
    return [images, labels, gzip.compress(images, mtime=0), gzip.compress(labels, mtime=0)]


def read_idx_file(path: Path) -> object:
    """The file as images and as labels; the first refusal if neither takes it."""
    refusals: list[DataError] = []
    for axes in (3, 1):
        try:
            return read_array(path, axes).sum()
        except DataError as error:
            refusals.append(error)
    raise refusals[0]


def read_image_file(path: Path) -> object:
    return read_image(path, (3, 8, 8))


def read_source(path: Path) -> object:
    dataset = open_source(str(path), path.parent)
    return dataset.train, dataset.class_names, dataset.test() if dataset.read_test else None


def read_model(path: Path) -> object:
    """The scores of two rows: a model that was taken must also work."""
    model = model_file.load_model(path)
    scores = model.predict_proba(np.ones((2, model.features), np.uint8))
    assert scores.shape == (2, model.classes)
    return model.pixel_weights()


READERS = {
    "batch": Reader(read_batch_file, batch_seeds, OPCODES),
    "model": Reader(read_model, model_seeds, ZIP_WORDS, repaired_model),
    "configuration": Reader(lambda path: load_config(path), configuration_seeds, YAML_WORDS),
    "archive": Reader(read_source, archive_seeds, TAR_WORDS, repaired_tar),
    "features": Reader(read_source, feature_seeds, ZIP_WORDS, repaired_zip),
    "idx": Reader(read_idx_file, idx_seeds, [struct.pack(">I", 0x800 + axes) for axes in range(5)]),
    "image": Reader(read_image_file, image_seeds, IMAGE_WORDS, repaired_png, memory=1200 << 20),
}
