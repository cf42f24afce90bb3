"""Feature files that try to run code, to exhaust the machine or to confuse the reader."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softmaxclf.datasets.sources import open_source

X = np.arange(12, dtype=np.float32).reshape(4, 3)
Y = np.array([0, 1, 2, 1])


class Touches:
    """Runs a command when the pickle module loads it."""

    def __reduce__(self) -> Any:
        return os.system, ("touch marker",)


def npy(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


def header(text: str, data: bytes = X.tobytes(), version: bytes = b"\x01\x00") -> bytes:
    """A `.npy` with a header of one's own."""
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text.encode() + data


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as file:
        for name, data in members:
            file.writestr(name, data)
    return content.getvalue()


def npz(**arrays: Any) -> bytes:
    """Valid features, with some arrays replaced, or left out where they are None."""
    arrays = {"X_train": X, "y_train": Y, **arrays}
    return archive(*((f"{name}.npy", npy(array)) for name, array in arrays.items() if array is not None))


def with_x(content: bytes) -> bytes:
    """Valid features but for the bytes of X_train.npy."""
    return archive(("X_train.npy", content), ("y_train.npy", npy(Y)))


def changed(old: bytes, new: bytes, count: int = -1) -> bytes:
    """A valid file with some bytes replaced, as many as there were."""
    content = npz()
    assert old in content and len(old) == len(new)
    return content.replace(old, new, count)


def bomb(size: int) -> bytes:
    """A deflated member of zeros with a true header."""
    data = header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size // 3}, 3), }}", b"")
    return archive(
        ("X_train.npy", data + bytes(size // 3 * 3)), ("y_train.npy", npy(Y)), method=zipfile.ZIP_DEFLATED
    )


def overlapping() -> bytes:
    """A directory whose first member reaches over the second."""
    content = bytearray(npz())
    first = content.index(b"PK\x01\x02")
    content[first + 20 : first + 28] = 2 * struct.pack("<I", 300)
    return bytes(content)


def duplicated() -> bytes:
    return archive(("X_train.npy", npy(X)), ("y_train.npy", npy(Y)), ("X_trbin.npy", npy(-X))).replace(
        b"X_trbin", b"X_train"
    )


def lying(place: int, value: int, content: bytes | None = None) -> bytes:
    """A directory with one number of its first entry changed."""
    changeable = bytearray(content or npz())
    first = changeable.index(b"PK\x01\x02")
    changeable[first + place : first + place + 4] = struct.pack("<I", value)
    return bytes(changeable)


def deflated() -> bytes:
    return archive(("X_train.npy", npy(X)), ("y_train.npy", npy(Y)), method=zipfile.ZIP_DEFLATED)


def noisy() -> bytes:
    """Deflated members of which one is noise."""
    packed = zlib.compressobj(-1, zlib.DEFLATED, -15)
    body = packed.compress(npy(X)) + packed.flush()
    return deflated().replace(body, bytes(255 - byte for byte in body))


def far_directory() -> bytes:
    """A zip64 end record whose directory is longer than any disk."""
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 2, 2, 1 << 62, 0)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, len(npz()) - 22, 1)
    return npz()[:-22] + record + locator + npz()[-22:]


NAN, INFINITE, HUGE = (np.where(X == 7, value, X.astype(float)) for value in (np.nan, np.inf, 1e300))
PLAIN = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), }"

TEXT = np.array(["oak", "elm", "ash", "elm"])

CASES: list[tuple[str, str, Callable[[], bytes]]] = [
    ("pickled object", "objects as X_train", lambda: npz(X_train=np.array([[Touches()]], object))),
    ("pickled object", "objects as class_names", lambda: npz(class_names=np.array(["a", Touches()], object))),
    ("pickled object", "objects with integers", lambda: npz(y_train=np.array([0, 1, 2, 1], object))),
    ("pickled object", "a structured type", lambda: npz(X_train=np.zeros(4, [("a", "f4")]))),
    ("pickled object", "a dictionary", lambda: npz(X_train=np.array({"a": 1}))),
    ("zip bomb", "100 MB of zeros", lambda: bomb(100 << 20)),
    ("zip bomb", "a size that deflate cannot reach", lambda: lying(24, 1 << 31, deflated())),
    ("zip bomb", "a member that reaches over another", overlapping),
    ("zip bomb", "1,001 members", lambda: archive(*((f"a{number}.npy", b"") for number in range(1001)))),
    ("duplicate", "X_train twice", duplicated),
    ("zip", "an absolute name", lambda: changed(b"X_train.npy", b"/_train.npy")),
    ("zip", "a name with ../", lambda: archive(("../X_train.npy", npy(X)))),
    ("zip", "a name with a newline", lambda: changed(b"X_train.npy", b"X_\nrain.npy")),
    ("zip", "an encrypted member", lambda: lying(8, 1)),
    ("zip", "a bzip2 member", lambda: archive(("X_train.npy", npy(X)), method=zipfile.ZIP_BZIP2)),
    ("zip", "another name in the local header", lambda: changed(b"X_train.npy", b"Y_train.npy", 1)),
    ("zip", "a wrong checksum", lambda: lying(16, 7)),
    ("zip", "a member larger than the file", lambda: lying(20, 1 << 30)),
    ("zip", "a member before the file", lambda: lying(42, 0xFFFFFF00)),
    (
        "zip",
        "a zip64 place of 2**63",
        lambda: npz()[:-22] + b"PK\x06\x07" + struct.pack("<IQI", 0, 1 << 63, 1) + npz()[-22:],
    ),
    ("zip", "a zip64 directory of 2**62 bytes", far_directory),
    ("zip", "no directory", lambda: npz()[:200]),
    ("zip", "an empty archive", lambda: archive()),
    ("zip", "a member that is no array", lambda: archive(("X_train.npy", b"PK"), ("y_train.npy", npy(Y)))),
    ("zip", "a member that is no .npy", lambda: archive(("readme.txt", b"x"))),
    ("zip", "deflated noise", noisy),
    (
        "header",
        "a call in the header",
        lambda: with_x(
            header(
                "{'descr': __import__('os').system('touch marker'), 'fortran_order': False, 'shape': (4, 3), }"
            )
        ),
    ),
    ("header", "10,000 brackets", lambda: with_x(header("(" * 10_000))),
    ("header", "a length beyond the file", lambda: with_x(b"\x93NUMPY\x01\x00\xff\xff" + PLAIN.encode())),
    (
        "header",
        "a length of four billion",
        lambda: with_x(b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + PLAIN.encode()),
    ),
    ("header", "version 9", lambda: with_x(header(PLAIN, version=b"\x09\x00"))),
    (
        "header",
        "a shape of 2**60 rows",
        lambda: with_x(header(PLAIN.replace("4, 3", "1152921504606846976, 3"))),
    ),
    (
        "header",
        "a shape that wraps around 2**64",
        lambda: with_x(header(PLAIN.replace("4, 3", "4294967296, 4294967296"), b"")),
    ),
    ("header", "a negative length", lambda: with_x(header(PLAIN.replace("4, 3", "-4, -3")))),
    ("header", "nine axes", lambda: with_x(header(PLAIN.replace("4, 3", "4, 3, 1, 1, 1, 1, 1, 1, 1")))),
    (
        "header",
        "2**59 rows of nothing",
        lambda: with_x(header(PLAIN.replace("4, 3", "576460752303423488, 0"), b"")),
    ),
    ("header", "a key twice", lambda: with_x(header(PLAIN.replace("fortran_order", "descr")))),
    ("header", "text of no width", lambda: with_x(header(PLAIN.replace("<f4", "<U0"), b""))),
    ("header", "less data than declared", lambda: with_x(npy(X)[:-1])),
    ("header", "more data than declared", lambda: with_x(npy(X) + b"x")),
    ("type", "complex features", lambda: npz(X_train=X.astype(complex))),
    ("type", "dates", lambda: npz(X_train=X.astype("M8[s]"))),
    ("type", "byte strings", lambda: npz(class_names=np.array([b"a", b"b", b"c"]))),
    ("type", "integer features that float32 cannot hold", lambda: npz(X_train=X.astype(int) + 2**24)),
    ("type", "text features", lambda: npz(X_train=X.astype(str))),
    ("type", "truth values of 2", lambda: npz(y_train=np.array([2, 1, 2, 1], np.uint8).view(bool))),
    (
        "type",
        "text beyond Unicode",
        lambda: npz(class_names=np.array([[0x110000], [1], [2]], np.uint32).view("U1")[:, 0]),
    ),
    ("type", "float labels", lambda: npz(y_train=Y.astype(float))),
    ("value", "NaN", lambda: npz(X_train=NAN)),
    ("value", "infinity", lambda: npz(X_train=INFINITE)),
    ("value", "a number too large for float32", lambda: npz(X_train=HUGE)),
    ("value", "text labels that are quantities", lambda: npz(y_train=np.array(["0.5", "1", "2", "1"]))),
    ("value", "an empty label", lambda: npz(y_train=np.array(["a", "", "b", "a"]))),
    ("value", "a label that moves the cursor", lambda: npz(y_train=np.array(["a", "\x1b[2J", "b", "a"]))),
    (
        "value",
        "text labels that are no class names",
        lambda: npz(y_train=Y.astype("U") + "x", class_names=["0", "1"]),
    ),
    (
        "value",
        "a test label of text that training lacks",
        lambda: npz(y_train=Y.astype("U") + "x", X_test=X, y_test=Y.astype("U")),
    ),
    ("value", "a label beyond the class names", lambda: npz(class_names=np.array(["a", "b"]))),
    ("value", "one class", lambda: npz(y_train=Y * 0)),
    ("value", "one class with two names", lambda: npz(y_train=Y * 0, class_names=np.array(["a", "b"]))),
    ("value", "equal class names", lambda: npz(class_names=np.array(["a", "b", "a"]))),
    ("value", "a class name that moves the cursor", lambda: npz(class_names=np.array(["a", "b", "\x1b[2J"]))),
    ("value", "a test label that training lacks", lambda: npz(X_test=X, y_test=Y + 1)),
    ("value", "NaN in the test rows", lambda: npz(X_test=NAN, y_test=Y)),
    ("shape", "no rows", lambda: npz(X_train=X[:0], y_train=Y[:0])),
    ("shape", "no columns", lambda: npz(X_train=X[:, :0])),
    ("shape", "one axis", lambda: npz(X_train=X[0])),
    ("shape", "more labels than rows", lambda: npz(y_train=np.append(Y, 1))),
    ("shape", "labels in two columns", lambda: npz(y_train=np.stack([Y, Y], 1))),
    (
        "shape",
        "images whose colours could be two axes",
        lambda: npz(X_train=np.zeros((4, 3, 3, 3), np.uint8)),
    ),
    ("shape", "images without colours", lambda: npz(X_train=np.zeros((4, 8, 9, 7), np.uint8))),
    ("shape", "an image_shape that does not fit", lambda: npz(image_shape=np.array([3, 2, 2]))),
    ("shape", "an image_shape of one number", lambda: npz(image_shape=np.array(3))),
    ("shape", "more than ten million columns", lambda: npz(X_train=np.zeros((1, 10_000_001), np.uint8))),
    ("shape", "another width in the test rows", lambda: npz(X_test=X[:, :2], y_test=Y)),
    ("missing", "no X_train", lambda: npz(X_train=None)),
    ("missing", "no y_train", lambda: npz(y_train=None)),
    ("missing", "X_test without y_test", lambda: npz(X_test=X)),
    ("missing", "y_validation without X_validation", lambda: npz(y_validation=Y)),
    *(
        (
            "truncated",
            f"{percent} % of the file",
            lambda percent=percent: npz()[: len(npz()) * percent // 100],
        )
        for percent in (1, 10, 30, 50, 70, 90, 99)
    ),
]


@pytest.mark.parametrize(("kind", "name", "build"), CASES, ids=[f"{kind}: {name}" for kind, name, _ in CASES])
def test_a_hostile_feature_file_is_refused(
    kind: str,
    name: str,
    build: Callable[[], bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_refused: Callable[[Path], str],
) -> None:
    monkeypatch.chdir(tmp_path)  # where a pickle that ran would leave its marker
    path = tmp_path / "features.npz"
    path.write_bytes(build())
    assert_refused(path)


@pytest.mark.parametrize("name", ["objects as X_train", "objects as class_names"])
def test_numpy_would_have_run_the_code_of_pickled_objects(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    build = next(build for _, case, build in CASES if case == name)
    with np.load(io.BytesIO(build()), allow_pickle=True) as arrays:
        for key in arrays.files:
            arrays[key]
    assert (tmp_path / "marker").exists()


def test_the_parts_of_the_cases_make_valid_features_when_they_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "features"
    for content in (npz(), with_x(header(PLAIN))):
        path.write_bytes(content)
        np.testing.assert_array_equal(open_source(str(path), tmp_path).train.X, X)
