"""Model files that try to run code, to exhaust the machine or to pass for a model: each is refused in one line.

Where a case changes the contents, the checksum is made right for them, so that it is the check of that very
array which refuses it; only the kinds "checksum" and "damaged" leave it wrong.
"""

import io
import json
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from softmaxclf import model_file
from softmaxclf.core.model import LinearModel
from softmaxclf.core.stages.stage import Preprocessing
from softmaxclf.errors import DataError, ModelError

MOST_EXTRA_MEMORY = 200 << 20  # bytes
COLUMNS, CLASSES = 12, 3
W = np.arange(COLUMNS * CLASSES, dtype=np.float32).reshape(COLUMNS, CLASSES)
MODEL = LinearModel(
    W,
    np.zeros(CLASSES, np.float32),
    ("a", "b", "c"),
    Preprocessing(np.ones(COLUMNS), np.full(COLUMNS, 2.0)),
    (3, 2, 2),
    provenance={"config": {}, "data": {}},
)
CONTENT = model_file.model_bytes(MODEL)


class Touches:
    """Runs a command when the pickle module loads it."""

    def __reduce__(self) -> Any:
        return os.system, ("touch marker",)


def arrays_of_model() -> dict[str, np.ndarray[Any, Any]]:
    with np.load(io.BytesIO(CONTENT), allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def npy(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


def archive(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as file:
        for name, data in members:
            file.writestr(name, data)
    return content.getvalue()


def members() -> dict[str, bytes]:
    return {f"{key}.npy": npy(array) for key, array in arrays_of_model().items()}


def model(**changes: Any) -> bytes:
    """The model with some arrays replaced, or left out where they are None, and a right checksum."""
    arrays = {
        **arrays_of_model(),
        **{key: np.asarray(value) for key, value in changes.items() if value is not None},
    }
    arrays["checksum"] = np.array(model_file._checksum(arrays))
    kept = {key: array for key, array in arrays.items() if key not in changes or changes[key] is not None}
    content = io.BytesIO()
    np.savez(content, **kept)  # type: ignore[arg-type]
    return content.getvalue()


def wrong_checksum(**changes: Any) -> bytes:
    content = io.BytesIO()
    np.savez(content, **{**arrays_of_model(), **changes})
    return content.getvalue()


def with_member(name: str, data: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    """The model's members with one of them replaced by any bytes."""
    return archive(list({**members(), name: data}.items()), method)


def headed(text: str, data: bytes = b"") -> bytes:
    """W.npy with a header of one's own."""
    head = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
    return with_member("W.npy", head + data)


def shaped(shape: str) -> bytes:
    return headed(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}")


def bomb(megabytes: int) -> bytes:
    """W as deflated zeros with a true header, about a thousandth of its size."""
    rows = (megabytes << 20) // (4 * CLASSES)
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {CLASSES}), }}"
    raw = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + bytes(4 * CLASSES * rows)
    return with_member("W.npy", raw, zipfile.ZIP_DEFLATED)


def duplicated(name: str) -> bytes:
    """One member twice, with other contents the second time."""
    other = name[:-1] + "~" if len(name) > 1 else "~"
    content = archive([*members().items(), (f"{other}.npy", npy(np.zeros(3)))])
    return content.replace(f"{other}.npy".encode(), f"{name}.npy".encode())


def lying(place: int, value: int) -> bytes:
    """The directory's first entry with one number changed."""
    changed = bytearray(CONTENT)
    first = changed.index(b"PK\x01\x02")
    changed[first + place : first + place + 4] = struct.pack("<I", value)
    return bytes(changed)


def one(array: np.ndarray[Any, Any], value: float) -> np.ndarray[Any, Any]:
    """The array with its last element replaced."""
    changed = array.copy()
    changed.reshape(-1)[-1] = value
    return changed


def flipped(bit: int) -> bytes:
    changed = bytearray(CONTENT)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def many_classes(count: int) -> bytes:
    """A model of many classes, the last two of which have the same name."""
    names = np.array([f"class {number}" for number in range(count - 1)] + [f"class {count - 2}"])
    weights = np.zeros((COLUMNS, count), np.float32)
    return model(W=weights, b=weights[0], class_names=names)


def place_of(key: str) -> int:
    """Where in the file the array's bytes are, behind the 128 bytes of its header."""
    return CONTENT.index(npy(arrays_of_model()[key])) + 130


ONES = np.ones(COLUMNS)
NO_NAMES = np.array([], "U1")
FOLDED = {"W": W[:6], "offset": ONES[:6], "scale": ONES[:6], "mirror": np.bool_(True)}
DEEP = '{"a": ' + "[" * 100 + "]" * 100 + "}"

CASES: list[tuple[str, str, Callable[[], bytes]]] = [
    ("pickled object", "objects as W", lambda: wrong_checksum(W=np.array([[Touches()]], object))),
    ("pickled object", "objects as class_names", lambda: wrong_checksum(class_names=np.array([Touches()] * 3, object))),
    ("pickled object", "an object as provenance", lambda: wrong_checksum(provenance=np.array(Touches(), object))),
    ("pickled object", "an object besides", lambda: with_member("more.npy", npy(np.array(Touches(), object)))),
    ("pickled object", "a pickle for a zip", lambda: npy(np.array([Touches()], object))[10:]),
    ("pickled object", "a single .npy of objects", lambda: npy(np.array([Touches()], object))),
    ("zip bomb", "100 MB in W", lambda: bomb(100)),
    ("zip bomb", "15 MB in W, within the limit", lambda: bomb(15)),
    ("zip bomb", "a size of 4 GB in the directory", lambda: lying(24, 0xFFFFFFF0)),
    ("zip bomb", "1,001 members", lambda: archive([(f"a{number}.npy", b"") for number in range(1001)])),
    ("duplicate", "W twice", lambda: duplicated("W")),
    ("duplicate", "b twice", lambda: duplicated("b")),
    ("duplicate", "the checksum twice", lambda: duplicated("checksum")),
    ("header", "a call in the header", lambda: headed("{'descr': __import__('os').system('touch marker')}")),
    ("header", "10,000 brackets", lambda: headed("(" * 10_000)),
    ("header", "2**60 rows", lambda: shaped(f"({2**60}, 3)")),
    ("header", "a negative shape", lambda: shaped("(-4, 3)")),
    ("header", "2**59 rows of nothing", lambda: shaped(f"({2**59}, 0)")),
    ("header", "no header", lambda: with_member("W.npy", b"")),
    ("zip", "a member with ../", lambda: archive([*members().items(), ("../marker.npy", npy(W))])),
    ("zip", "a wrong CRC", lambda: lying(16, 7)),
    ("zip", "an encrypted member", lambda: lying(8, 1)),
    ("zip", "a member beyond the file", lambda: lying(42, 1 << 30)),
    ("zip", "an empty archive", lambda: archive([])),
    ("zip", "text", lambda: b"W = 1\n"),
    ("missing", "no arrays of a model", lambda: archive([("X_train.npy", npy(W)), ("y_train.npy", npy(ONES))])),
    ("missing", "a single array", lambda: npy(W)),
    *(("missing", f"no {key}", lambda key=key: model(**{key: None})) for key in (*model_file.KEYS, "checksum")),
    ("missing", "an array too many", lambda: model(more=np.zeros(3))),
    ("version", "version 2", lambda: model(format_version=np.int64(2))),
    ("version", "version 0", lambda: model(format_version=np.int64(0))),
    ("version", "version 1.0", lambda: model(format_version=np.float64(1))),
    ("version", "a version as text", lambda: model(format_version="1")),
    ("version", "two versions", lambda: model(format_version=np.array([1, 1]))),
    ("checksum", "another weight", lambda: wrong_checksum(W=one(W, 7))),
    ("checksum", "another class name", lambda: wrong_checksum(class_names=np.array(["a", "b", "d"]))),
    ("checksum", "another temperature", lambda: wrong_checksum(temperature=np.float64(2))),
    ("checksum", "another provenance", lambda: wrong_checksum(provenance=np.array("{}"))),
    ("checksum", "empty", lambda: wrong_checksum(checksum=np.array(""))),
    ("checksum", "a number", lambda: wrong_checksum(checksum=np.int64(0))),
    ("checksum", "in capitals", lambda: wrong_checksum(checksum=np.char.upper(arrays_of_model()["checksum"]))),
    ("value", "NaN in W", lambda: model(W=one(W, np.nan))),
    ("value", "infinity in W", lambda: model(W=one(W, np.inf))),
    ("value", "NaN in b", lambda: model(b=np.float32([0, 0, np.nan]))),
    ("value", "minus infinity in b", lambda: model(b=np.float32([0, 0, -np.inf]))),
    ("value", "NaN in the offset", lambda: model(offset=one(ONES, np.nan))),
    ("value", "infinity in the offset", lambda: model(offset=one(ONES, np.inf))),
    ("value", "an offset that float32 cannot hold", lambda: model(offset=one(ONES, 1e300))),
    ("value", "a negative scale", lambda: model(scale=one(ONES, -1))),
    ("value", "a scale of zero", lambda: model(scale=one(ONES, 0))),
    ("value", "a scale of minus zero", lambda: model(scale=one(ONES, -0.0))),
    ("value", "NaN as a scale", lambda: model(scale=one(ONES, np.nan))),
    ("value", "the smallest scale", lambda: model(scale=one(ONES, 5e-324))),
    ("value", "zero temperature", lambda: model(temperature=np.float64(0))),
    ("value", "negative temperature", lambda: model(temperature=np.float64(-1))),
    ("value", "the smallest temperature", lambda: model(temperature=np.float64(5e-324))),
    ("value", "a temperature too small, found by scripts/fuzz", lambda: model(temperature=np.float64(1e-40))),
    ("value", "NaN as temperature", lambda: model(temperature=np.float64(np.nan))),
    ("value", "infinite temperature", lambda: model(temperature=np.float64(np.inf))),
    ("value", "an unknown loss", lambda: model(loss="os.system")),
    ("value", "equal class names", lambda: model(class_names=np.array(["a", "b", "a"]))),
    ("value", "100,000 class names, two of them equal", lambda: many_classes(100_000)),
    ("value", "an empty class name", lambda: model(class_names=np.array(["a", "b", ""]))),
    ("value", "a class name that moves the cursor", lambda: model(class_names=np.array(["a", "b", "\x1b[2J"]))),
    ("value", "a class name of two lines", lambda: model(class_names=np.array(["a", "b", "c\nd"]))),
    ("value", "a class name of 10,000 letters", lambda: model(class_names=np.array(["a", "b", "c" * 10_000]))),
    ("type", "W in float64", lambda: model(W=W.astype(np.float64))),
    ("type", "W in float64 beyond float32", lambda: model(W=one(W.astype(np.float64), 1e300))),
    ("type", "W in float16", lambda: model(W=W.astype(np.float16))),
    ("type", "W in integers", lambda: model(W=W.astype(np.int64))),
    ("type", "W as text", lambda: model(W=W.astype("U8"))),
    ("type", "b as truth values", lambda: model(b=np.zeros(3, bool))),
    ("type", "the offset in float32", lambda: model(offset=ONES.astype(np.float32))),
    ("type", "class names as numbers", lambda: model(class_names=np.arange(3))),
    ("type", "class names as bytes", lambda: model(class_names=np.array([b"a", b"b", b"c"]))),
    ("type", "mirror as a number", lambda: model(mirror=np.int64(1))),
    ("type", "unit_norm as text", lambda: model(unit_norm="True")),
    ("type", "image_shape in floats", lambda: model(image_shape=np.array([3.0, 2.0, 2.0]))),
    ("type", "temperature as an integer", lambda: model(temperature=np.int64(1))),
    ("type", "loss as a number", lambda: model(loss=np.int64(1))),
    ("type", "provenance as a list", lambda: model(provenance=np.array(["{}"]))),
    ("shape", "W of one axis", lambda: model(W=W[:, 0])),
    ("shape", "W of three axes", lambda: model(W=W[None])),
    ("shape", "W without rows", lambda: model(W=W[:0])),
    ("shape", "W without classes", lambda: model(W=W[:, :0], b=W[0, :0], class_names=NO_NAMES)),
    ("shape", "one class", lambda: model(W=W[:, :1], b=np.zeros(1, np.float32), class_names=np.array(["a"]))),
    ("shape", "W turned", lambda: model(W=np.ascontiguousarray(W.T))),
    ("shape", "a column less in W", lambda: model(W=W[1:])),
    ("shape", "a class more in b", lambda: model(b=np.zeros(4, np.float32))),
    ("shape", "b of two axes", lambda: model(b=np.zeros((1, 3), np.float32))),
    ("shape", "a class name less", lambda: model(class_names=np.array(["a", "b"]))),
    ("shape", "an offset too short", lambda: model(offset=ONES[1:])),
    ("shape", "an offset of one number", lambda: model(offset=np.zeros(1))),
    ("shape", "a scale too long", lambda: model(scale=np.ones(COLUMNS + 1))),
    ("shape", "a scale without axes", lambda: model(scale=np.float64(1))),
    ("shape", "two temperatures", lambda: model(temperature=np.ones(2))),
    ("image_shape", "that does not fit", lambda: model(image_shape=np.array([3, 2, 3]))),
    ("image_shape", "of two numbers", lambda: model(image_shape=np.array([6, 2]))),
    ("image_shape", "with a zero", lambda: model(image_shape=np.array([0, 2, 2]))),
    ("image_shape", "negative twice", lambda: model(image_shape=np.array([3, -2, -2]))),
    ("image_shape", "that wraps around 2**64", lambda: model(image_shape=np.array([2**62, 4, 12]))),
    ("image_shape", "none in a folded model", lambda: model(mirror=np.bool_(True), image_shape=np.zeros(0, np.int64))),
    ("image_shape", "of an unfolded model called folded", lambda: model(mirror=np.bool_(True))),
    ("feature names", "fewer than columns", lambda: model(feature_names=np.array(["a"]))),
    ("feature names", "numbers", lambda: model(feature_names=np.arange(COLUMNS))),
    ("feature names", "one twice", lambda: model(feature_names=np.array(["a"] * COLUMNS))),
    ("feature names", "one that moves the cursor", lambda: model(feature_names=np.array(["\x1b[2J", *"abcdefghijk"]))),
    ("stages", "an unknown one", lambda: model(stages=np.array(["os.system"]))),
    ("stages", "one that moves the cursor", lambda: model(stages=np.array(["\x1b[2J"]))),
    ("stages", "one that does not change rows as they are read", lambda: model(stages=np.array(["center"]))),
    ("stages", "the last one of all", lambda: model(stages=np.array(["unit-norm"]))),
    ("stages", "the mirror twice", lambda: model(stages=np.array(["mirror"] * 2), **FOLDED)),
    ("stages", "the mirror 100,000 times", lambda: model(stages=np.array(["mirror"] * 100_000), **FOLDED)),
    ("stages", "the mirror with weights of an unfolded model", lambda: model(stages=np.array(["mirror"]))),
    ("stages", "as numbers", lambda: model(stages=np.arange(2))),
    ("stages", "of two axes", lambda: model(stages=np.array([["mirror"]]))),
    ("stages", "without axes", lambda: model(stages=np.array("mirror"))),
    ("stages", "an array of a stage that is not there", lambda: model(**{"stage.mirror.shape": np.ones(3)})),
    ("stages", "an array that its stage has not", lambda: model(**{"stage.mirror.x": np.ones(3)}, **FOLDED)),
    ("provenance", "no JSON", lambda: model(provenance="{'seed': 0}")),
    ("provenance", "empty", lambda: model(provenance="")),
    ("provenance", "a list", lambda: model(provenance="[1]")),
    ("provenance", "null", lambda: model(provenance="null")),
    ("provenance", "101 levels", lambda: model(provenance=DEEP)),
    ("provenance", "100,000 levels", lambda: model(provenance="[" * 100_000 + "]" * 100_000)),
    ("provenance", "100,000 levels of objects", lambda: model(provenance='{"a":' * 100_000 + "1" + "}" * 100_000)),
    ("provenance", "a number of 5,000 digits", lambda: model(provenance='{"a": ' + "9" * 5000 + "}")),
    ("provenance", "two documents", lambda: model(provenance="{}{}")),
    ("truncated", "0 bytes", lambda: b""),
    *(
        ("truncated", f"{percent} % of the file", lambda percent=percent: CONTENT[: len(CONTENT) * percent // 100])
        for percent in (1, 5, 10, 25, 40, 50, 60, 75, 90, 95, 99)
    ),
    ("truncated", "the last byte", lambda: CONTENT[:-1]),
    *(
        ("damaged", f"a flipped bit in {key}.npy", lambda key=key: flipped(8 * place_of(key)))
        for key in ("W", "b", "class_names", "offset", "scale", "temperature", "provenance", "checksum")
    ),
]  # fmt: skip

IDS = [f"{kind}: {name}" for kind, name, _ in CASES]


def refusal(path: Path) -> str:
    """The message with which the file is refused; nothing is written, little memory is taken."""
    before = sorted(path.parent.rglob("*"))
    tracemalloc.start()
    try:
        with pytest.raises(ModelError) as caught:
            model_file.load_model(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert caught.value.exit_code == 3
    assert message.startswith(str(path)) and message.isprintable()
    assert "expected" in message and "found" in message and "; " in message
    assert peak < MOST_EXTRA_MEMORY
    assert sorted(path.parent.rglob("*")) == before  # no marker file
    return message


@pytest.mark.parametrize(("kind", "name", "build"), CASES, ids=IDS)
def test_a_hostile_model_file_is_refused(
    kind: str, name: str, build: Callable[[], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where code that ran would leave its marker
    path = tmp_path / "weights.npz"
    path.write_bytes(build())
    message = refusal(path)
    if kind in ("value", "type", "shape", "image_shape", "stages", "provenance"):
        assert "checksum" not in message  # it is right: the content itself was refused


@pytest.mark.parametrize(("kind", "name", "build"), CASES[::9], ids=IDS[::9])
@pytest.mark.parametrize("command", ["evaluate", "visualize-weights"])
def test_the_command_line_says_it_in_one_line_and_exits_with_3(
    command: str,
    kind: str,
    name: str,
    build: Callable[[], bytes],
    run_cli: Callable[..., Result],
    tmp_path: Path,
) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(build())
    result = run_cli(command, path)
    assert result.exit_code == 3 and result.stdout == ""
    assert result.stderr.startswith(f"Error: {path}: ") and result.stderr.count("\n") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["weights.npz"]


def test_the_parts_of_the_cases_make_a_valid_model_when_they_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    for content in (CONTENT, model(), wrong_checksum(), archive(list(members().items()))):
        path.write_bytes(content)
        np.testing.assert_array_equal(model_file.load_model(path).W, W)


def test_numpy_would_have_run_the_code_of_pickled_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = next(build for _, name, build in CASES if name == "objects as W")()
    with np.load(io.BytesIO(content), allow_pickle=True) as arrays:
        assert arrays["W"].shape == (1, 1)
    assert (tmp_path / "marker").exists()


@pytest.mark.slow
def test_each_flipped_bit_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    """Some bytes of a zip mean nothing to the arrays: dates, versions, rights."""
    path = tmp_path / "weights.npz"
    noticed = 0
    step = 37  # odd, so that all places in a byte have their turn
    for bit in range(0, 8 * len(CONTENT), step):
        path.write_bytes(flipped(bit))
        try:
            loaded = model_file.load_model(path)
        except ModelError as error:
            noticed += 1
            assert str(error).isprintable()
        else:
            assert model_file.model_bytes(loaded) == CONTENT
    assert noticed > 0.7 * len(range(0, 8 * len(CONTENT), step))


def test_each_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    for size in range(0, len(CONTENT), 41):
        path.write_bytes(CONTENT[:size])
        with pytest.raises(ModelError, match="expected"):
            model_file.load_model(path)


@pytest.mark.parametrize(
    "provenance",
    [
        {},
        {"config": None, "data": 3, "refit": "yes"},
        {"config": {"data": [1]}},
        {"config": {"data": {"source": "\ud800"}}},
        {"config": {"data": {"source": 7}}},
        {"config": {"data": {"source": "/nowhere/at/all", "download": False}}},
        {"config": {"data": {"validation": -1}}},
        {"config": {"data": {"seed": 1e400}}},
        {"data": {"fingerprint": ["x"]}},
    ],
    ids=json.dumps,
)
def test_a_hostile_provenance_is_no_way_around_the_checks(
    provenance: dict[str, Any],
    run_cli: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_network(*arguments: Any, **options: Any) -> None:
        raise DataError("cifar10: expected a network, found none; connect")

    monkeypatch.setattr("softmaxclf.datasets.download.download_source", no_network)
    path = tmp_path / "weights.npz"
    path.write_bytes(model(provenance=json.dumps(provenance)))
    result = run_cli("evaluate", path, "--quiet")  # CIFAR-10 in ./data unless the provenance names other data
    assert result.exit_code in (2, 3)
    assert result.stderr.count("\n") == 1 and result.stderr.rstrip("\n").isprintable()
    assert [entry.name for entry in tmp_path.iterdir()] == ["weights.npz"]
