import errno
import io
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softmaxclf import arrays as arrays_module
from softmaxclf.arrays import StoredArray, open_arrays, read_arrays
from softmaxclf.errors import DataError, ModelError, SoftmaxclfError

ARRAYS: dict[str, Any] = {
    "double": np.arange(12.0).reshape(3, 4),
    "single": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "half": np.array([0.5, -2], np.float16),
    "bytes": np.arange(300_000, dtype=np.uint8),
    "long": np.array([-1, 2**62]),
    "truth": np.array([True, False]),
    "text": np.array(["cat", "größe"]),
    "one text": np.array("hinge"),
    "scalar": np.array(5),
    "none": np.empty((0, 3)),
    "big-endian": np.arange(5, dtype=">i4"),
    "Fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}
SAVERS: list[Callable[..., None]] = [np.savez, np.savez_compressed]


def packed(save: Callable[..., None] = np.savez, **arrays: Any) -> bytes:
    content = io.BytesIO()
    save(content, **arrays)
    return content.getvalue()


def stored(path: Path, *, error: type[SoftmaxclfError]) -> dict[str, Any]:
    """As `read_arrays`, but each array stays in its file where it lies there ready for use."""
    with open_arrays(path, error=error) as arrays:
        return {name: arrays.stored(name) for name in arrays.names}


@pytest.mark.parametrize("save", SAVERS, ids=["stored", "deflated"])
@pytest.mark.parametrize("read", [read_arrays, stored])
@pytest.mark.parametrize("name", ARRAYS)
def test_what_numpy_saves_is_read_back(save: Any, read: Any, name: str, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(packed(save, **{name: ARRAYS[name]}))
    found = read(path, error=DataError)[name]
    assert found.dtype == ARRAYS[name].dtype.newbyteorder("=")
    assert found.dtype.isnative
    assert found.shape == ARRAYS[name].shape
    np.testing.assert_array_equal(found, ARRAYS[name])
    if read is read_arrays:
        assert found.flags.c_contiguous and found.flags.writeable


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_each_version_of_a_plain_npy_is_read_under_its_stem(version: Any, tmp_path: Path) -> None:
    path = tmp_path / "X_train.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, ARRAYS["single"], version=version)
    for read in (read_arrays, stored):
        np.testing.assert_array_equal(read(path, error=DataError)["X_train"], ARRAYS["single"])  # type: ignore[operator]


def test_stored_arrays_stay_in_their_file_and_deflated_ones_are_read(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    for save, stays in ((np.savez, True), (np.savez_compressed, False)):
        path.write_bytes(packed(save, bytes=ARRAYS["bytes"]))
        assert isinstance(stored(path, error=DataError)["bytes"], StoredArray) == stays


def test_large_deflated_arrays_are_put_together_from_their_pieces(tmp_path: Path) -> None:
    path, array = tmp_path / "data.npz", np.tile(np.arange(700, dtype=np.uint16), 5000)
    path.write_bytes(packed(np.savez_compressed, x=array))
    np.testing.assert_array_equal(read_arrays(path, error=DataError)["x"], array)


def test_a_zip64_archive_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)
    path = tmp_path / "data.npz"
    path.write_bytes(packed(first=ARRAYS["double"], second=ARRAYS["long"]))
    found = read_arrays(path, error=DataError)
    np.testing.assert_array_equal(found["first"], ARRAYS["double"])
    np.testing.assert_array_equal(found["second"], ARRAYS["long"])


def test_arrays_are_read_one_by_one_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    content = bytearray(packed(first=ARRAYS["long"], second=ARRAYS["bytes"]))
    content[-1000] ^= 1  # in the second array, which is not read
    path.write_bytes(content)
    with open_arrays(path, error=DataError) as arrays:
        assert arrays.names == ("first", "second")
        np.testing.assert_array_equal(arrays.read("first"), ARRAYS["long"])
        with pytest.raises(DataError, match=r"second: expected a whole file .*, found: Bad CRC-32 .*; "):
            arrays.read("second")


def test_a_stored_array_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(packed(bytes=ARRAYS["bytes"]))
    with open_arrays(path, error=DataError) as arrays:
        found = arrays.stored("bytes")
        path.write_bytes(b"")  # whoever had read it would not notice
        with pytest.raises(DataError, match="expected the file to stay as it was"):
            np.asarray(found)


def test_the_checksum_of_a_stored_array_is_not_computed(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    content = bytearray(packed(bytes=ARRAYS["bytes"]))
    content[-1000] ^= 1  # reading finds that the checksum is wrong
    path.write_bytes(content)
    assert (np.asarray(stored(path, error=DataError)["bytes"]) != ARRAYS["bytes"]).sum() == 1


def test_members_of_an_archive_behind_other_bytes_are_read_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    first = packed(other=ARRAYS["long"])  # a whole archive, before the one that counts
    path.write_bytes(first + packed(double=ARRAYS["double"]))
    np.testing.assert_array_equal(stored(path, error=DataError)["double"], ARRAYS["double"])


@pytest.mark.parametrize(
    "header",
    [
        "-" * 4000 + "1",
        "[" * 4000,
        "{1: 2, 'a': 3}",
        "{'descr': (), 'fortran_order': False, 'shape': ()}",
        "{'descr': [('a', 1, 2, 3)], 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 3900 + ",)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1, " * 100 + "6)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6L,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (6,)}",
        "{'descr': 'a4', 'fortran_order': False, 'shape': (6,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6.0,)}",
    ],
    ids=lambda header: header[:60],
)
def test_an_odd_header_is_refused_in_one_line(header: str, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(24))
    with warnings.catch_warnings(), pytest.raises(DataError, match=r"x: expected .* found.*; ") as caught:
        warnings.simplefilter("error")
        read_arrays(path, error=DataError)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


def test_the_error_is_of_the_callers_class_and_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"weights.npz: expected a readable file, found: No such file.*; "):
        read_arrays(tmp_path / "weights.npz", error=ModelError)


def test_a_file_larger_than_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(packed(np.savez_compressed, W=np.zeros(10_000)))
    with pytest.raises(ModelError, match="expected at most 5,000 bytes unpacked, found 80,128"):
        read_arrays(path, error=ModelError, limit_bytes=5000)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(SAVERS))
def test_a_damaged_file_gives_arrays_or_the_error(
    tmp_path_factory: Any, data: st.DataObject, save: Any
) -> None:
    content = bytearray(
        packed(save, W=np.ones((2, 3), np.float32), names=np.array(["a", "b"]), t=np.array([True]))
    )
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    _arrays_or_error(tmp_path_factory.getbasetemp() / "damaged.npz", bytes(content))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY\x01\x00"]), st.binary(max_size=300))
def test_any_bytes_give_arrays_or_the_error(tmp_path_factory: Any, start: bytes, rest: bytes) -> None:
    _arrays_or_error(tmp_path_factory.getbasetemp() / "any.npz", start + rest)


@settings(max_examples=100, deadline=None)
@given(st.text("{}()[],:' 0123456789descrfotan_hpTFLu<>|", max_size=100))
def test_any_header_gives_an_array_or_the_error(tmp_path_factory: Any, header: str) -> None:
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    _arrays_or_error(tmp_path_factory.getbasetemp() / "header.npy", start + header.encode() + bytes(24))


def _arrays_or_error(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for read in (read_arrays, stored):
        try:
            assert isinstance(read(path, error=ModelError), dict)  # type: ignore[operator]
        except ModelError as error:
            assert str(error).startswith(f"{path}: expected") or f"{path}: " in str(error)
            assert str(error).isprintable()


# Rows that stay in their file

ROWS = np.random.default_rng(0).integers(0, 256, (40, 6)).astype(np.float32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.save(tmp_path / "X.npy", ROWS)
    return tmp_path / "X.npy"


KEYS: list[Any] = [
    slice(None), slice(3, 17), slice(30, None), slice(0, 40, 3), slice(5, 5), slice(-4, None),
    np.array([7]), np.arange(10, 20), np.array([3, 4, 5, 9, 8, 39, 0]), np.array([2, 2, 2]), np.array([], np.int64),
    (slice(2, 9), np.array([5, 0])), (np.array([9, 1]), slice(1, 3)),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_rows_of_a_stored_array_are_those_of_the_array(key: Any, file: Path) -> None:
    found = stored(file, error=DataError)["X"]
    np.testing.assert_array_equal(found[key], ROWS[key])
    turned = found.arranged((40, 6), np.float64, lambda block, start: block[:, ::-1].astype(np.float64))
    np.testing.assert_array_equal(turned[key], ROWS[:, ::-1][key])
    if isinstance(key, np.ndarray):
        for each, expected in ((found, ROWS), (turned, ROWS[:, ::-1])):
            out = np.full((len(key), 8), 7.0, each.dtype)[:, :6]  # a part of wider rows, as a batch is
            assert each.take(key, axis=0, out=out, mode="clip") is out
            np.testing.assert_array_equal(out, expected[key])


def test_a_stored_array_says_of_itself_what_the_array_does(file: Path) -> None:
    found = stored(file, error=DataError)["X"]
    for name in ("shape", "dtype", "ndim", "size", "nbytes"):
        assert getattr(found, name) == getattr(ROWS, name)
    assert len(found) == len(ROWS)
    np.testing.assert_array_equal(np.asarray(found), ROWS)
    np.testing.assert_array_equal(np.concatenate([found, found]), np.concatenate([ROWS, ROWS]))
    assert np.asarray(found, np.float64).dtype == np.float64


def test_an_array_larger_than_half_of_the_free_memory_stays_in_its_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = stored(file, error=DataError)["X"]
    assert isinstance(found.load(), np.ndarray)
    monkeypatch.setattr(arrays_module, "free_memory", lambda: 2 * ROWS.nbytes - 2)
    assert found.load() is found


def test_large_arrays_are_read_piece_by_piece(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays_module, "_PIECE", 100)
    found = stored(file, error=DataError)["X"]
    np.testing.assert_array_equal(found.load(), ROWS)
    np.testing.assert_array_equal(found[5:30], ROWS[5:30])


def cut(path: Path) -> None:
    os.truncate(path, 500)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def written(path: Path) -> None:
    """One byte is another: only the time of the file tells, which the clock of some systems counts in 10 ms."""
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"?")
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 10**7))


CHANGES = [cut, emptied, grown, written]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("point", range(6))
def test_a_file_that_changes_at_any_read_of_it_is_told(
    point: int, change: Callable[[Path], None], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the reading of that number, before it and in the midst of it; 6 pieces are read."""
    found, calls, preadv = stored(file, error=DataError)["X"], [], os.preadv
    monkeypatch.setattr(arrays_module, "_PIECE", 180)

    def changing(handle: int, buffers: Any, offset: int) -> int:
        calls.append(offset)
        if len(calls) == point + 1:
            change(file)
        return preadv(handle, buffers, offset)

    monkeypatch.setattr(os, "preadv", changing)
    with pytest.raises(
        DataError, match=r"X.npy: X: expected the file to stay as it was .* found it changed \("
    ):
        found.load()
    assert not found.unchanged()


def test_a_file_that_another_takes_the_place_of_is_still_the_one_that_was_opened(file: Path) -> None:
    found = stored(file, error=DataError)["X"]
    np.save(file.with_name("other.npy"), ROWS + 1)
    file.with_name("other.npy").replace(file)
    np.testing.assert_array_equal(found[:], ROWS)


def test_a_disk_that_fails_while_rows_are_read_is_one_line(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    found = stored(file, error=DataError)["X"]
    monkeypatch.setattr(os, "preadv", failing)
    with pytest.raises(DataError, match=r"X: expected a readable file, found: Input/output error; "):
        found.load()


def test_without_reading_at_a_place_arrays_are_read_at_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "preadv")
    np.testing.assert_array_equal(stored(file, error=DataError)["X"], ROWS)
