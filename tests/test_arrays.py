import io
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softmaxclf.arrays import open_arrays, read_arrays
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


def mapped(path: Path, *, error: type[SoftmaxclfError]) -> dict[str, Any]:
    """As `read_arrays`, but each array is mapped."""
    with open_arrays(path, error=error) as arrays:
        return {name: arrays.map(name) for name in arrays.names}


@pytest.mark.parametrize("save", SAVERS, ids=["stored", "deflated"])
@pytest.mark.parametrize("read", [read_arrays, mapped])
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
    for read in (read_arrays, mapped):
        np.testing.assert_array_equal(read(path, error=DataError)["X_train"], ARRAYS["single"])  # type: ignore[operator]


def test_stored_arrays_are_mapped_and_deflated_ones_read(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    for save, is_mapped in ((np.savez, True), (np.savez_compressed, False)):
        path.write_bytes(packed(save, bytes=ARRAYS["bytes"]))
        found = mapped(path, error=DataError)["bytes"]
        assert isinstance(found.base, np.memmap) == is_mapped
        assert found.flags.writeable != is_mapped


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


def test_a_mapped_array_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    content = bytearray(packed(bytes=ARRAYS["bytes"]))
    content[-1000] ^= 1  # reading finds that the checksum is wrong
    path.write_bytes(content)
    assert (mapped(path, error=DataError)["bytes"] != ARRAYS["bytes"]).sum() == 1


def test_members_of_an_archive_behind_other_bytes_are_mapped_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    first = packed(other=ARRAYS["long"])  # a whole archive, before the one that counts
    path.write_bytes(first + packed(double=ARRAYS["double"]))
    np.testing.assert_array_equal(mapped(path, error=DataError)["double"], ARRAYS["double"])


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
    for read in (read_arrays, mapped):
        try:
            assert isinstance(read(path, error=ModelError), dict)  # type: ignore[operator]
        except ModelError as error:
            assert str(error).startswith(f"{path}: expected") or f"{path}: " in str(error)
            assert str(error).isprintable()
