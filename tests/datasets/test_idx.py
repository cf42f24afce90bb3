"""IDX files as MNIST, EMNIST and others have them; what is broken or hostile in them."""

import gzip
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from softmaxclf.datasets.idx import FILES
from softmaxclf.datasets.sources import MissingDataError, open_source
from softmaxclf.errors import DataError

X = np.random.default_rng(0).integers(0, 256, (12, 5, 4), np.uint8)
Y = np.arange(12) % 3
IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = FILES
Array = np.ndarray[Any, Any]


def idx(array: Any, *, magic: int | None = None, shape: tuple[int, ...] | None = None) -> bytes:
    """An array of bytes as IDX, with another magic number or shape in its header on demand."""
    stored = np.asarray(array, np.uint8)
    lengths = stored.shape if shape is None else shape
    number = 0x800 + len(lengths) if magic is None else magic
    return struct.pack(f">{1 + len(lengths)}I", number, *lengths) + stored.tobytes()


def write(folder: Path, pack: bool = True, **changed: bytes | None) -> Path:
    """Four files of X and Y (the last four rows are the test split), some with other bytes, or left out where None."""
    contents = {
        "images": idx(X[:8]), "labels": idx(Y[:8]), "test_images": idx(X[8:]), "test_labels": idx(Y[8:]),
    }  # fmt: skip
    folder.mkdir(parents=True)
    for name, (part, content) in zip(FILES, contents.items(), strict=True):
        raw = changed.get(part, content)
        packed = changed.get(f"packed_{part}", gzip.compress(raw) if pack and raw is not None else None)
        if packed is not None:
            (folder / f"{name}.gz").write_bytes(packed)
        elif raw is not None and f"packed_{part}" not in changed:
            (folder / name).write_bytes(raw)
    return folder


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("inside", ["", "raw"])
def test_four_files_are_images_of_one_plane(tmp_path: Path, pack: bool, inside: str) -> None:
    write(tmp_path / "mine" / inside, pack)
    found = open_source(str(tmp_path / "mine"), tmp_path)
    assert (found.name, found.image_shape, found.class_names) == ("mine", (1, 5, 4), ("0", "1", "2"))
    np.testing.assert_array_equal(found.train.X, X[:8].reshape(8, 20))
    np.testing.assert_array_equal(found.train.y, Y[:8])
    np.testing.assert_array_equal(found.test().X, X[8:].reshape(4, 20))
    np.testing.assert_array_equal(found.test().y, Y[8:])


def test_a_file_that_lies_there_unpacked_too_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    (tmp_path / "mine" / IMAGES).write_bytes(idx(255 - X[:8]))
    found = open_source(str(tmp_path / "mine"), tmp_path)
    np.testing.assert_array_equal(found.train.X, 255 - X[:8].reshape(8, 20))


def test_without_test_files_there_is_no_test_split(tmp_path: Path) -> None:
    write(tmp_path / "mine", test_images=None, test_labels=None)
    assert open_source(str(tmp_path / "mine"), tmp_path).read_test is None


def test_labels_from_1_become_class_names_in_order_of_number(tmp_path: Path) -> None:
    labels = np.array([1, 26, 2, 10, 1, 26, 2, 10])
    write(tmp_path / "mine", labels=idx(labels), test_labels=idx([26, 10, 2, 1]))
    found = open_source(str(tmp_path / "mine"), tmp_path)
    assert found.class_names == ("1", "2", "10", "26")
    assert found.train.y.tolist() == [0, 3, 1, 2, 0, 3, 1, 2] and found.test().y.tolist() == [3, 2, 1, 0]


def rename(folder: Path, data: str, test: str = "test", join: str = "-") -> None:
    """Give files of MNIST's names those of other data."""
    for path in list(folder.iterdir()):
        if path.name.startswith(("train", "t10k")):
            path.rename(folder / (data + path.name.replace("t10k", test).replace("-idx", f"{join}idx")))


def test_other_data_of_that_form_is_found_by_its_names(tmp_path: Path) -> None:
    rename(write(tmp_path / "letters"), "emnist-letters-")
    assert open_source(str(tmp_path / "letters"), tmp_path).name == "emnist-letters"
    assert len(open_source(str(tmp_path / "letters"), tmp_path).test().y) == 4
    rename(write(tmp_path / "dots", pack=False), "", "t10k", ".")
    assert open_source(str(tmp_path / "dots"), tmp_path).name == "dots"


def test_of_several_data_in_a_folder_one_is_named_by_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "gzip"
    rename(write(folder), "emnist-letters-")
    rename(write(tmp_path / "other", images=idx(255 - X[:8])), "emnist-digits-")
    for path in list((tmp_path / "other").iterdir()):
        path.rename(folder / path.name)
    with pytest.raises(
        DataError, match=r"found emnist-digits-train-images.*, emnist-letters-train-images.*; name one"
    ):
        open_source(str(folder), tmp_path)
    for name in ("train-images-idx3", "test-labels-idx1"):
        found = open_source(str(folder / f"emnist-digits-{name}-ubyte.gz"), tmp_path)
        np.testing.assert_array_equal(found.train.X, 255 - X[:8].reshape(8, 20))
        assert found.name == "emnist-digits"


@pytest.mark.parametrize("source", ["mnist", "fashion-mnist"])
def test_a_named_data_set_is_four_files_in_its_folder(tmp_path: Path, source: str) -> None:
    with pytest.raises(MissingDataError, match=f"{source}: expected the 4 files .* data download {source}$"):
        open_source(source, tmp_path)
    write(tmp_path / source)
    found = open_source(source, tmp_path)
    assert found.remark() == f"{found.name} layout, not the official files"
    assert len(found.class_names) == 10 and (found.class_names[9] in ("9", "Ankle boot"))
    (tmp_path / source / f"{LABELS}.gz").unlink()
    with pytest.raises(MissingDataError, match="found fewer"):
        open_source(source, tmp_path)


# Hostile and broken files


def bomb(count: int) -> bytes:
    """`count` megabytes of zeros behind a header that is true to them, packed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [packer.compress(idx(np.empty(0), shape=(count << 14, 8, 8)))]
    pieces += [packer.compress(bytes(1 << 20)) for _ in range(count)]
    return b"".join(pieces) + packer.flush()


def without_rows(shape: tuple[int, ...]) -> bytes:
    return idx(np.empty(0), shape=shape)


def corrupt(content: bytes) -> bytes:
    packed = bytearray(gzip.compress(content))
    packed[-6] ^= 1  # the checksum
    return bytes(packed)


PACKED = gzip.compress(idx(X[:8]))
CASES: list[tuple[str, str, Callable[[Path], object]]] = [
    ("magic", "labels in place of images", lambda p: write(p, images=idx(Y[:8]))),
    ("magic", "images in place of labels", lambda p: write(p, labels=idx(X[:8]))),
    ("magic", "floating-point numbers", lambda p: write(p, images=idx(X[:8], magic=0xD03))),
    ("magic", "little-endian", lambda p: write(p, images=idx(X[:8], magic=0x03080000))),
    ("magic", "four axes", lambda p: write(p, images=idx(X[:8, None]))),
    ("magic", "text", lambda p: write(p, labels=b"0\n1\n2\n0\n1\n2\n0\n1\n")),
    ("magic", "a web page in place of gzip", lambda p: write(p, packed_images=b"<!doctype html><title>404</title>")),
    ("count", "no rows", lambda p: write(p, images=idx(X[:0]), labels=idx(Y[:0]))),
    ("count", "no columns", lambda p: write(p, images=without_rows((8, 5, 0)))),
    ("count", "2**32 - 1 images", lambda p: write(p, images=without_rows((2**32 - 1, 5, 4)))),
    ("count", "2**32 - 1 images, not packed", lambda p: write(p, False, images=without_rows((2**32 - 1, 5, 4)))),
    ("count", "images of 2**32 - 1 lines", lambda p: write(p, images=without_rows((8, 2**32 - 1, 2**32 - 1)))),
    ("count", "fewer labels than images", lambda p: write(p, labels=idx(Y[:7]))),
    ("count", "more test labels than images", lambda p: write(p, test_labels=idx(Y[:5]))),
    ("count", "test images of another size", lambda p: write(p, test_images=idx(X[8:, :4]))),
    ("length", "an empty file", lambda p: write(p, images=b"")),
    ("length", "an empty file, not packed", lambda p: write(p, False, labels=b"")),
    ("length", "half a header", lambda p: write(p, images=idx(X[:8])[:9])),
    ("length", "one byte less", lambda p: write(p, images=idx(X[:8])[:-1])),
    ("length", "one byte less, not packed", lambda p: write(p, False, images=idx(X[:8])[:-1])),
    ("length", "one byte more", lambda p: write(p, images=idx(X[:8]) + b"\0")),
    ("length", "one byte more, not packed", lambda p: write(p, False, labels=idx(Y[:8]) + b"\0")),
    ("gzip", "cut in half", lambda p: write(p, packed_images=PACKED[: len(PACKED) // 2])),
    ("gzip", "cut before its checksum", lambda p: write(p, packed_labels=gzip.compress(idx(Y[:8]))[:-8])),
    ("gzip", "a wrong checksum", lambda p: write(p, packed_images=corrupt(idx(X[:8])))),
    ("gzip", "a second file behind it", lambda p: write(p, packed_images=PACKED + gzip.compress(bytes(1 << 20)))),
    ("gzip", "other bytes behind it", lambda p: write(p, packed_images=PACKED + b"more")),
    ("gzip", "100 MB of zeros", lambda p: write(p, packed_images=bomb(100))),
    ("gzip", "8 images, then 100 MB", lambda p: write(p, packed_images=PACKED + bomb(100))),
    ("gzip", "a header alone", lambda p: write(p, packed_images=b"\x1f\x8b\x08\0\0\0\0\0\0\x03")),
    ("label", "one class", lambda p: write(p, labels=idx(Y[:8] * 0))),
    ("label", "a test label that training lacks", lambda p: write(p, test_labels=idx([0, 1, 2, 3]))),
    ("missing", "no labels", lambda p: write(p, labels=None)),
    ("missing", "no images", lambda p: write(p, images=None)),
    ("missing", "no training files", lambda p: write(p, images=None, labels=None)),
    ("missing", "no test labels", lambda p: write(p, test_labels=None)),
    ("file", "a folder", lambda p: (write(p, images=None) / IMAGES).mkdir()),
    ("file", "a pipe", lambda p: os.mkfifo(write(p, images=None) / IMAGES)),
    ("file", "a link to nowhere", lambda p: (write(p, labels=None) / LABELS).symlink_to("nowhere")),
    ("file", "a device", lambda p: (write(p, labels=None) / LABELS).symlink_to("/dev/zero")),
]  # fmt: skip


@pytest.mark.parametrize(
    "build", [each[2] for each in CASES], ids=[f"{kind}: {name}" for kind, name, _ in CASES]
)
def test_a_hostile_idx_file_is_refused_and_nothing_is_written(
    build: Callable[[Path], object],
    tmp_path: Path,
    assert_refused: Callable[[Path], str],
    run_cli: Callable[..., Result],
) -> None:
    build(tmp_path / "mine")
    message = assert_refused(tmp_path / "mine")
    if "test" in message.replace("test_", ""):  # the test split is read when training is done
        return
    before = sorted(tmp_path.rglob("*"))
    result = run_cli("train", "--data", tmp_path / "mine", "--set", "data.validation=0", "--out", "run")
    assert (result.exit_code, result.stdout, result.stderr) == (3, "", f"Error: {message}\n")
    assert sorted(tmp_path.rglob("*")) == before
