import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softmaxclf.arrays import StoredArray
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.datasets.features import read_features
from softmaxclf.errors import DataError

X = np.arange(15, dtype=np.float32).reshape(5, 3)
Y = np.array([0, 1, 2, 1, 0])
IMAGES = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)  # (N, C, H, W)


def read_file(folder: Path, **arrays: Any) -> Dataset:
    np.savez(folder / "data.npz", **arrays)
    return read_features(folder / "data.npz")


def read_folder(folder: Path, **arrays: Any) -> Dataset:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return read_features(folder)


READERS = pytest.mark.parametrize("read", [read_file, read_folder], ids=["npz", "folder"])


@READERS
def test_all_splits_and_names_are_read(read: Any, tmp_path: Path) -> None:
    names = np.array(["a", "b", "c"])
    dataset = read(
        tmp_path,
        X_train=X,
        y_train=Y,
        X_validation=X + 1,
        y_validation=Y,
        X_test=X[:2] + 2,
        y_test=Y[:2],
        class_names=names,
    )
    np.testing.assert_array_equal(dataset.train.X, X)
    np.testing.assert_array_equal(dataset.train.y, Y)
    assert dataset.validation is not None
    np.testing.assert_array_equal(dataset.validation.X, X + 1)
    np.testing.assert_array_equal(dataset.test().X, X[:2] + 2)
    np.testing.assert_array_equal(dataset.test().y, Y[:2])
    assert dataset.class_names == ("a", "b", "c")
    assert dataset.image_shape is None
    assert dataset.features == 3


@READERS
def test_without_more_arrays_there_is_no_validation_and_no_test(read: Any, tmp_path: Path) -> None:
    dataset = read(tmp_path, X_train=X, y_train=Y)
    assert dataset.validation is None
    assert dataset.class_names == ("0", "1", "2")
    with pytest.raises(DataError, match="no test split"):
        dataset.test()


@READERS
@pytest.mark.parametrize(
    "rows",
    [X, IMAGES, IMAGES.transpose(0, 2, 3, 1), X.astype(np.float16), X.astype(np.int64)],
    ids=["features", "planes", "colours last", "half", "integers"],
)
def test_rows_that_do_not_fit_into_memory_stay_in_their_file_and_are_the_same(
    read: Any, rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = read(tmp_path, X_train=np.ascontiguousarray(rows), y_train=np.arange(len(rows)))
    whole = dataset.read_train()
    assert isinstance(whole.X, np.ndarray)
    monkeypatch.setattr("softmaxclf.arrays.free_memory", lambda: 0)
    part = dataset.read_train()
    assert isinstance(part.X, StoredArray) and part.X.dtype == whole.X.dtype and part.X.shape == whole.X.shape
    np.testing.assert_array_equal(part.X[:], whole.X)
    assert part.examine() == whole.examine()


@READERS
def test_the_training_rows_are_read_only_when_they_are_asked_for(read: Any, tmp_path: Path) -> None:
    dataset = read(tmp_path, X_train=X, y_train=Y)
    for path in tmp_path.rglob("*.np[yz]"):
        path.write_bytes(b"")
    assert dataset.features == 3 and not dataset.is_unchanged()
    with pytest.raises(DataError, match="X_train: expected the file to stay as it was when it was opened"):
        assert dataset.train


def test_the_test_rows_are_read_only_when_they_are_asked_for(tmp_path: Path) -> None:
    dataset = read_folder(tmp_path, X_train=X, y_train=Y, X_test=np.full_like(X, np.nan), y_test=Y)
    with pytest.raises(DataError, match="X_test: expected finite numbers"):
        dataset.test()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"X_test": X[:, :2]}, "X_test: expected 3 features as in X_train, found 2; "),
        ({"X_test": X.astype(str)}, "X_test: expected integers or floats, found <U32; "),
        ({"X_test": X[0]}, r"X_test: expected 2 to 4 axes, none empty, found shape \(3,\); "),
        ({"X_test": X[:4]}, "expected 4 y_test, one per row, found 5; "),
        ({"y_test": Y.astype(float)}, "y_test: expected labels of integers or text, found type float64; "),
        ({"y_test": None}, "expected an array y_test, found X_test, X_train, y_train; "),
    ],
)
@READERS
def test_a_test_split_of_another_kind_is_refused_at_opening(
    read: Any, wrong: Any, said: str, tmp_path: Path
) -> None:
    arrays = {"X_test": X, "X_train": X, "y_test": Y, "y_train": Y} | wrong
    with pytest.raises(DataError, match=said):
        read(tmp_path, **{name: array for name, array in arrays.items() if array is not None})


def test_looking_at_the_test_split_takes_no_memory(tmp_path: Path) -> None:
    images = np.zeros((1000, 100, 100, 3), np.float16)  # 60 MB, and they would be turned and widened
    np.savez(tmp_path / "data.npz", X_train=images[:2], y_train=[0, 1], X_test=images, y_test=[0] * 1000)
    tracemalloc.start()
    try:
        assert read_features(tmp_path / "data.npz").image_shape == (3, 100, 100)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("found", "meant"),
    [
        ("X_val", "X_validation"), ("y_valid", "y_validation"), ("X_Test", "X_test"),
        ("y_tset", "y_test"), ("xtest", "X_test"), ("names", "class_names"), ("Class_Names", "class_names"),
        ("classes", "class_names"), ("imageshape", "image_shape"),
    ],
)  # fmt: skip
@READERS
def test_a_name_that_is_almost_ours_is_refused_with_the_one_that_is_meant(
    read: Any, found: str, meant: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=f"found {found}; did you mean {meant}[?] rename it"):
        read(tmp_path, X_train=X, y_train=Y, **{found: X})


@pytest.mark.parametrize(
    ("rows", "labels", "meant"),
    [("data", "y_train", "X_train"), ("X", "y_train", "X_train"), ("X_train", "labels", "y_train"),
     ("X_train", "target", "y_train"), ("X_train", "y", "y_train")],
)  # fmt: skip
@READERS
def test_the_names_of_others_are_known(read: Any, rows: str, labels: str, meant: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"did you mean {meant}[?]"):
        read(tmp_path, **{rows: X, labels: Y})


@READERS
def test_a_misspelt_training_array_is_named(read: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found x_train; did you mean X_train"):
        read(tmp_path, x_train=X, y_train=Y)


def test_a_misspelt_name_that_moves_the_cursor_is_shown_as_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found X_tests\\x1b; did you mean X_test[?]") as caught:
        read_folder(tmp_path, X_train=X, y_train=Y, **{"X_tests\x1b": X})
    assert str(caught.value).isprintable()


def test_other_arrays_are_ignored(tmp_path: Path) -> None:
    others = (
        "ids",
        "mean",
        "feature_names",
        "class_weights",
        "X_train_mean",
        "x_train",
        "y_train_raw",
        "images",
    )
    dataset = read_file(tmp_path, X_train=X, y_train=Y, **dict.fromkeys(others, X))
    assert dataset.validation is None and dataset.features == 3


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        ("uint8", "uint8"),
        ("float16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
        (">f4", "float32"),
        (">f8", "float64"),
        ("bool", "float32"),
        ("int8", "float32"),
        ("uint16", "float32"),
        (">i4", "float32"),
        ("int64", "float32"),
        ("uint64", "float32"),
    ],
)
def test_the_type_of_rows_is_kept_or_widened(stored: str, kept: str, tmp_path: Path) -> None:
    dataset = read_file(tmp_path, X_train=X.astype(stored), y_train=Y)
    rows = dataset.train.X
    assert rows.dtype == np.dtype(kept) and rows.dtype.isnative
    np.testing.assert_array_equal(rows, X.astype(stored))
    noted = f"X_train of {np.dtype(stored).newbyteorder('=')} is read as float32" if "f" not in stored else ""
    assert [note for note in dataset.notes if note.endswith(noted)] == ([*dataset.notes] if noted else [])


def test_an_integer_that_float32_might_not_hold_is_refused_with_its_place(tmp_path: Path) -> None:
    rows = X.astype(np.int64)
    rows[2, 1] = -(2**24)
    np.testing.assert_array_equal(read_file(tmp_path, X_train=rows, y_train=Y).train.X, rows)
    rows[2, 1] -= 1
    with pytest.raises(DataError, match="found -16777217 in row 2, column 1; store them as float64"):
        assert read_file(tmp_path, X_train=rows, y_train=Y).train


TEXT = np.array(["pine", "oak", "elm", "oak", "pine"])


@READERS
def test_text_labels_become_class_names_in_order(read: Any, tmp_path: Path) -> None:
    dataset = read(tmp_path, X_train=X, y_train=TEXT, X_test=X[:2], y_test=TEXT[1:3])
    assert dataset.class_names == ("elm", "oak", "pine")
    assert dataset.train.y.tolist() == [2, 1, 0, 1, 2] and dataset.test().y.tolist() == [1, 0]


def test_labels_may_be_lines_of_a_text_file(tmp_path: Path) -> None:
    np.save(tmp_path / "X_train.npy", X)
    (tmp_path / "y_train.txt").write_bytes(b"\xef\xbb\xbf10\r\n 9 \r\n10\r\n9\r\n10")
    dataset = read_features(tmp_path)
    assert dataset.class_names == ("9", "10") and dataset.train.y.tolist() == [1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\n\nb\na\nb", "found 0 in line 2"),
        (b"a\n" + b"b" * 101, "found 101 in line 2"),
        (b"a\xe9", "expected UTF-8 text, found byte 0xe9 at 1"),
        (b"a\nb", "expected 5 y_train, one per row, found 2"),
    ],
)
def test_a_broken_text_of_labels_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    np.save(tmp_path / "X_train.npy", X)
    (tmp_path / "y_train.txt").write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_features(tmp_path)


@pytest.mark.parametrize("kind", ["uint8", "int8", "int16", ">i4", "int64", "uint64"])
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)], ids=["axis", "column"])
def test_labels_of_any_integer_type_become_int64(kind: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    labels = read_file(tmp_path, X_train=X, y_train=Y.astype(kind).reshape(shape)).train.y
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, Y)


def test_labels_may_have_gaps(tmp_path: Path) -> None:
    dataset = read_file(tmp_path, X_train=X, y_train=np.array([0, 7, 7, 2, 0]))
    assert len(dataset.class_names) == 8
    assert dataset.empty_classes == ("1", "3", "4", "5", "6")
    assert read_file(tmp_path, X_train=X, y_train=Y).empty_classes == ()


def test_a_thousand_classes_are_read(tmp_path: Path) -> None:
    dataset = read_file(tmp_path, X_train=np.ones((1000, 1)), y_train=np.arange(1000))
    assert dataset.class_names[999] == "999"


PLANES = IMAGES.reshape(2, -1)


@pytest.mark.parametrize(
    ("stored", "declared", "shape"),
    [
        (IMAGES, None, (3, 4, 5)),
        (IMAGES.transpose(0, 2, 3, 1), None, (3, 4, 5)),
        (PLANES, (3, 4, 5), (3, 4, 5)),
        (PLANES, None, None),
        (IMAGES.reshape(2, 12, 5), None, (1, 12, 5)),
        (IMAGES.reshape(2, 12, 5, 1), None, (1, 12, 5)),
        (IMAGES.reshape(2, 1, 12, 5), None, (1, 12, 5)),
        (IMAGES.reshape(2, 5, 4, 3).transpose(0, 2, 3, 1), (5, 4, 3), (5, 4, 3)),
        (IMAGES.reshape(2, 3, 20, 1), (3, 20, 1), (3, 20, 1)),
    ],
)
def test_images_become_rows_in_plane_order(stored: Any, declared: Any, shape: Any, tmp_path: Path) -> None:
    arrays = {"X_train": stored, "y_train": np.array([0, 1])} | (
        {"image_shape": declared} if declared else {}
    )
    dataset = read_file(tmp_path, **arrays)
    assert dataset.image_shape == shape
    np.testing.assert_array_equal(dataset.train.X, PLANES)


def test_two_readings_of_one_image_need_image_shape(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one axis of 1 or 3 colours.*; say image_shape"):
        read_file(tmp_path, X_train=IMAGES.reshape(2, 3, 20, 1), y_train=Y[:2])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("at_once", [1, 4, 7, 1 << 20])
def test_the_first_value_that_is_no_number_is_named(
    order: Any, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softmaxclf.datasets.dataset.BLOCK_BYTES", at_once)
    rows = np.array(X, order=order)
    rows[3, 1] = np.nan
    with pytest.raises(
        DataError, match="X_train: expected finite numbers within float32, found nan in row 3, column 1;"
    ):
        read_file(tmp_path, X_train=rows, y_train=Y).train.examine()


def test_extreme_but_finite_numbers_are_read(tmp_path: Path) -> None:
    rows = X.astype(np.float64)
    rows[0] = [3.4e38, -3.4e38, 5e-324]
    np.testing.assert_array_equal(read_file(tmp_path, X_train=rows, y_train=Y).train.X, rows)


def test_fortran_order_is_read(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_file(tmp_path, X_train=np.asfortranarray(X), y_train=Y).train.X, X)


def test_the_checks_need_little_memory_of_their_own(tmp_path: Path) -> None:
    np.save(tmp_path / "X_train.npy", np.zeros((2000, 5000), np.float32))
    np.save(tmp_path / "y_train.npy", np.arange(2000) % 2)
    tracemalloc.start()
    try:
        read_features(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20  # of 40 MB
    finally:
        tracemalloc.stop()
