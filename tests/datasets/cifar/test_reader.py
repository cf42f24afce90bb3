import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softmaxclf.datasets.cifar.layouts import CIFAR10_CLASSES, CIFAR100_CLASSES, LAYOUTS, Layout
from softmaxclf.datasets.cifar.reader import read_cifar
from softmaxclf.datasets.cifar.writer import write_cifar_folder
from softmaxclf.datasets.dataset import Dataset, Split
from softmaxclf.errors import DataError

Splits = tuple[Split, Split]
FORMS = [pytest.param(layout, id=layout.archive.removesuffix(".tar.gz")) for layout in LAYOUTS]


def written(layout: Layout, splits: Splits, home: Path) -> Path:
    folder = home / layout.folder
    write_cifar_folder(folder, *splits, layout.classes, name=layout.name, form=layout.form)
    return folder


def packed(folder: Path) -> Path:
    path = folder.with_name("data.tar.gz")
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        archive.add(folder, folder.name)
    return path


def assert_holds(dataset: Dataset, splits: Splits, layout: Layout) -> None:
    for found, expected in zip((dataset.train, dataset.test()), splits, strict=True):
        assert found.X.dtype == np.uint8 and found.X.flags.c_contiguous
        assert found.y.dtype == np.int64
        np.testing.assert_array_equal(found.X, expected.X)
        np.testing.assert_array_equal(found.y, expected.y)
    assert dataset.name == layout.name
    assert dataset.class_names == layout.classes
    assert dataset.image_shape == (3, 32, 32)


@pytest.mark.parametrize("layout", FORMS)
def test_a_folder_of_batches_is_read_back(layout: Layout, small_splits: Splits, tmp_path: Path) -> None:
    folder = written(layout, small_splits, tmp_path)
    assert_holds(read_cifar(folder), small_splits, layout)


@pytest.mark.parametrize("layout", FORMS)
def test_batches_are_found_in_the_official_subfolder(
    layout: Layout, small_splits: Splits, tmp_path: Path
) -> None:
    folder = written(layout, small_splits, tmp_path)
    assert read_cifar(tmp_path).path == str(folder)


@pytest.mark.parametrize("layout", FORMS)
def test_an_archive_is_read_in_place(layout: Layout, small_splits: Splits, tmp_path: Path) -> None:
    path = packed(written(layout, small_splits, tmp_path))
    before = sorted(tmp_path.rglob("*"))
    assert_holds(read_cifar(path), small_splits, layout)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("layout", FORMS)
def test_every_form_of_the_same_data_has_the_same_fingerprint(
    layout: Layout, small_splits: Splits, tmp_path: Path
) -> None:
    dataset = read_cifar(written(layout, small_splits, tmp_path))
    assert dataset.train.examine() == small_splits[0].examine()


def test_python_batches_are_read_by_the_pickle_module_too(batches: Path, small_splits: Splits) -> None:
    parts = [pickle.loads((batches / f"data_batch_{n}").read_bytes(), encoding="latin1") for n in range(1, 6)]
    np.testing.assert_array_equal(np.concatenate([part["data"] for part in parts]), small_splits[0].X)
    assert [label for part in parts for label in part["labels"]] == small_splits[0].y.tolist()
    assert parts[1]["batch_label"] == "training batch 2 of 5"
    meta = pickle.loads((batches / "batches.meta").read_bytes(), encoding="latin1")
    assert meta == {"num_cases_per_batch": 2, "label_names": list(CIFAR10_CLASSES), "num_vis": 3072}


def test_binary_batches_are_records_of_label_and_planes(small_splits: Splits, tmp_path: Path) -> None:
    train, test = small_splits
    write_cifar_folder(tmp_path, train, test, CIFAR10_CLASSES, form="binary")
    assert (tmp_path / "test_batch.bin").read_bytes() == b"".join(
        bytes([label]) + row.tobytes() for label, row in zip(test.y, test.X, strict=True)
    )
    write_cifar_folder(tmp_path / "100", train, test, CIFAR100_CLASSES, name="CIFAR-100", form="binary")
    assert (tmp_path / "100" / "test.bin").read_bytes()[:4] == bytes([0, test.y[0], *test.X[0, :2]])


@pytest.mark.parametrize("form", ["python", "binary"])
def test_batches_of_different_lengths_keep_their_order(
    form: str, small_splits: Splits, tmp_path: Path
) -> None:
    train, test = small_splits
    write_cifar_folder(tmp_path, Split(train.X[:7], train.y[:7]), test, CIFAR10_CLASSES, form=form)
    found = read_cifar(tmp_path).train
    np.testing.assert_array_equal(found.X, train.X[:7])
    np.testing.assert_array_equal(found.y, train.y[:7])


def test_members_of_an_archive_may_come_in_any_order(
    batches: Path, small_splits: Splits, tmp_path: Path
) -> None:
    path = tmp_path / "shuffled.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in sorted(path.name for path in batches.iterdir())[::-1]:
            archive.add(batches / name, f"./cifar-10-batches-py/{name}")
    assert_holds(read_cifar(path), small_splits, LAYOUTS[0])


def test_a_folder_is_read_split_by_split(batches: Path, small_splits: Splits) -> None:
    content = (batches / "test_batch").read_bytes()
    (batches / "test_batch").write_bytes(b"broken")
    dataset = read_cifar(batches)
    assert dataset.train.examine() == small_splits[0].examine()
    with pytest.raises(DataError, match="test_batch"):
        dataset.test()
    (batches / "test_batch").write_bytes(content)
    (batches / "data_batch_1").write_bytes(b"broken")
    dataset = read_cifar(batches)
    assert dataset.features == 3072 and dataset.class_names == CIFAR10_CLASSES
    assert dataset.test().examine() == small_splits[1].examine()
    with pytest.raises(DataError, match="data_batch_1"):
        assert dataset.train


def test_an_archive_is_unpacked_once_for_all_splits(
    batches: Path, small_splits: Splits, tmp_path: Path
) -> None:
    path = packed(batches.rename(tmp_path / "cifar-10-batches-py"))
    dataset = read_cifar(path)
    assert dataset.train.examine() == small_splits[0].examine()
    path.unlink()
    assert dataset.test().examine() == small_splits[1].examine()
    assert dataset.class_names == CIFAR10_CLASSES


def test_the_test_split_of_an_archive_is_read_without_what_lies_behind_it(
    batches: Path, small_splits: Splits, tmp_path: Path
) -> None:
    path = tmp_path / "data.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in (
            "data_batch_4",
            "test_batch",
            "batches.meta",
            *(f"data_batch_{n}" for n in (1, 2, 3, 5)),
        ):
            archive.add(batches / name, f"cifar-10-batches-py/{name}")
    path.write_bytes(path.read_bytes()[:-20_000])
    dataset = read_cifar(path)
    assert dataset.test().examine() == small_splits[1].examine()
    assert dataset.class_names == CIFAR10_CLASSES
    with pytest.raises(DataError, match="a whole gzip file"):
        assert dataset.train


def test_an_archive_without_class_names_has_the_official_ones(batches: Path, tmp_path: Path) -> None:
    (batches / "batches.meta").unlink()
    path = packed(batches.rename(tmp_path / "cifar-10-batches-py"))
    assert read_cifar(path).class_names == CIFAR10_CLASSES


def test_official_class_names_stand_in_for_a_missing_file(batches: Path) -> None:
    (batches / "batches.meta").unlink()
    assert read_cifar(batches).class_names == CIFAR10_CLASSES


def test_class_names_of_the_file_are_used(small_splits: Splits, tmp_path: Path) -> None:
    names = tuple(f"klasse-ß-{number}" for number in range(10))
    for form in ("python", "binary"):
        write_cifar_folder(tmp_path / form, *small_splits, names, form=form)
        assert read_cifar(tmp_path / form).class_names == names


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "labels", [list, np.asarray, lambda y: np.asarray(y, ">i2")], ids=["list", "array", "big-endian"]
)
def test_batches_of_python_3_in_fortran_order_are_read(
    protocol: int, labels: Any, batches: Path, small_splits: Splits
) -> None:
    train = small_splits[0]
    batch = {b"data": np.asfortranarray(train.X[:2]), b"labels": labels(train.y[:2])}
    (batches / "data_batch_1").write_bytes(pickle.dumps(batch, protocol=protocol))
    assert_holds(read_cifar(batches), small_splits, LAYOUTS[0])


def test_rows_that_are_no_images_cannot_be_written(small_splits: Splits, tmp_path: Path) -> None:
    features = Split(np.zeros((5, 4), np.float32), np.arange(5))
    with pytest.raises(
        DataError, match=r"expected 1 to 100,000 rows of 3072 bytes.*write other data as an \.npz"
    ):
        write_cifar_folder(tmp_path, features, small_splits[1], CIFAR10_CLASSES)
    with pytest.raises(DataError, match="expected labels from 0 to 9, found 10 in row 4"):
        write_cifar_folder(
            tmp_path, Split(small_splits[0].X[:5], np.arange(6, 11)), small_splits[1], CIFAR10_CLASSES
        )
    with pytest.raises(DataError, match="expected 10 class names"):
        write_cifar_folder(tmp_path, *small_splits, ("a", "b"))


def _pickled(**changes: Any) -> bytes:
    batch = {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1], **changes}
    return pickle.dumps({key: value for key, value in batch.items() if value is not None}, protocol=2)


_ROWS = np.zeros((2, 3072), np.uint8)
CASES: list[tuple[str, str, bytes]] = [
    ("wrong key", "no data", _pickled(data=None)),
    ("wrong key", "no labels", _pickled(labels=None)),
    ("wrong key", "labels of CIFAR-100", _pickled(labels=None, fine_labels=[0, 1])),
    ("wrong key", "no dictionary", pickle.dumps([_ROWS, [0, 1]])),
    (
        "wrong key",
        "a key both as text and as bytes",
        pickle.dumps({"data": _ROWS, b"data": _ROWS, "labels": [0, 1]}),
    ),
    ("wrong key", "a number as a key", pickle.dumps({1: _ROWS, "labels": [0, 1]})),
    ("wrong type", "float pixels", _pickled(data=_ROWS.astype(np.float32))),
    ("wrong type", "pixels of four bytes", _pickled(data=_ROWS.astype(np.int32))),
    ("wrong type", "signed pixels", _pickled(data=_ROWS.astype(np.int8))),
    ("wrong type", "pixels as a list", _pickled(data=_ROWS.tolist())),
    ("wrong type", "pixels as bytes", _pickled(data=_ROWS.tobytes())),
    ("wrong type", "labels as texts", _pickled(labels=["0", "1"])),
    ("wrong type", "labels as truth values", _pickled(labels=[False, True])),
    ("wrong type", "labels as lists of labels", _pickled(labels=[[0], [1]])),
    ("wrong type", "labels as a text", _pickled(labels="01")),
    ("wrong type", "labels as a table", _pickled(labels=np.array([[0, 1]]))),
    ("wrong shape", "one column too few", _pickled(data=_ROWS[:, 1:])),
    ("wrong shape", "one column too many", _pickled(data=np.zeros((2, 3073), np.uint8))),
    ("wrong shape", "pixels in one row", _pickled(data=_ROWS.ravel())),
    ("wrong shape", "pixels as images", _pickled(data=_ROWS.reshape(2, 3, 32, 32))),
    ("wrong shape", "no rows", _pickled(data=_ROWS[:0], labels=[])),
    ("label range", "a label of 10", _pickled(labels=[0, 10])),
    ("label range", "a negative label", _pickled(labels=[-1, 0])),
    ("label range", "a label of 2**62", _pickled(labels=[0, 2**62])),
    (
        "label range",
        "labels in an array beyond the range",
        _pickled(labels=np.array([0, 2**64 - 1], np.uint64)),
    ),
    ("label count", "a label too few", _pickled(labels=[0])),
    ("label count", "a label too many", _pickled(labels=[0, 1, 2])),
    ("label count", "no labels", _pickled(labels=[])),
]


@pytest.mark.parametrize(
    ("kind", "name", "content"), CASES, ids=[f"{kind}: {name}" for kind, name, _ in CASES]
)
def test_a_batch_with_the_wrong_content_is_refused(
    kind: str, name: str, content: bytes, batches: Path, assert_refused: Any
) -> None:
    (batches / "data_batch_3").write_bytes(content)
    assert "data_batch_3" in assert_refused(batches)


NAMES = list(CIFAR10_CLASSES)
BROKEN_NAMES: list[tuple[str, bytes]] = [
    ("nine names", pickle.dumps({"label_names": NAMES[:9]})),
    ("no names", pickle.dumps({"labels": NAMES})),
    ("a name twice", pickle.dumps({"label_names": [*NAMES[:9], "cat"]})),
    ("names as numbers", pickle.dumps({"label_names": list(range(10))})),
    ("a name of a thousand characters", pickle.dumps({"label_names": [*NAMES[:9], "x" * 1000]})),
    ("a name with an escape sequence", pickle.dumps({"label_names": [*NAMES[:9], "\x1b[2J"]})),
    ("a file of a megabyte", pickle.dumps({"label_names": NAMES, "more": b"x" * (1 << 20)})),
    ("an empty file", b""),
]


@pytest.mark.parametrize(("name", "content"), BROKEN_NAMES, ids=[name for name, _ in BROKEN_NAMES])
def test_broken_class_names_are_refused(
    name: str, content: bytes, batches: Path, assert_refused: Any
) -> None:
    (batches / "batches.meta").write_bytes(content)
    assert "batches.meta" in assert_refused(batches)


@pytest.mark.parametrize("size", [0, 1, 3072, 3074, 2 * 3073 - 1])
def test_a_binary_batch_that_is_no_whole_number_of_records_is_refused(
    size: int, small_splits: Splits, tmp_path: Path, assert_refused: Any
) -> None:
    folder = written(LAYOUTS[1], small_splits, tmp_path)
    (folder / "data_batch_2.bin").write_bytes(bytes(size))
    assert "data_batch_2.bin: expected a multiple of 3073 bytes" in assert_refused(folder)


def test_a_binary_label_out_of_range_is_refused(
    small_splits: Splits, tmp_path: Path, assert_refused: Any
) -> None:
    folder = written(LAYOUTS[1], small_splits, tmp_path)
    (folder / "data_batch_2.bin").write_bytes(bytes(3073) + b"\x0a" + bytes(3072))
    assert "labels from 0 to 9, found 10 in row 1" in assert_refused(folder)


def test_missing_batches_are_named(batches: Path, assert_refused: Any) -> None:
    (batches / "data_batch_2").unlink()
    (batches / "data_batch_5").unlink()
    assert "found no data_batch_2, data_batch_5; fetch" in assert_refused(batches)


def test_a_missing_test_batch_is_named(batches: Path, assert_refused: Any) -> None:
    (batches / "test_batch").unlink()
    assert "found no test_batch; fetch" in assert_refused(batches)


def test_a_folder_or_pipe_as_a_batch_is_refused(batches: Path, assert_refused: Any) -> None:
    (batches / "batches.meta").unlink()
    os.mkfifo(batches / "batches.meta")
    assert "batches.meta: expected a readable file, found: a folder, pipe or device" in assert_refused(
        batches
    )


def test_a_huge_sparse_batch_costs_nothing_and_a_large_one_its_size(
    batches: Path, assert_refused: Any
) -> None:
    with (batches / "data_batch_1").open("wb") as file:
        file.truncate(1 << 40)
    assert "at most 1,278,800,000 bytes, found 1,099,511,627,776" in assert_refused(batches)
    with (batches / "data_batch_1").open("wb") as file:
        file.truncate(1 << 27)
    assert "byte 0" in assert_refused(batches)


@pytest.mark.real
def test_real_cifar_10_has_its_known_shape() -> None:
    home = Path(__file__).parents[3] / "data"
    if not (home / LAYOUTS[0].folder).is_dir():
        pytest.skip("needs the real CIFAR-10 in data/: softmaxclf data download")
    dataset = read_cifar(home)
    for split, rows in ((dataset.train, 50_000), (dataset.test(), 10_000)):
        assert split.X.shape == (rows, 3072)
        np.testing.assert_array_equal(np.bincount(split.y), [rows // 10] * 10)
    assert dataset.train.y[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
