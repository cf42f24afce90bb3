"""Pickles that try to run code, to exhaust the machine or to confuse the reader, each in place of a batch."""

import functools
import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softmaxclf.datasets.pickles import read_pickle
from softmaxclf.datasets.pickles.machine import MAX_OPCODES
from softmaxclf.errors import DataError

ROWS = np.zeros((2, 3072), np.uint8)


class Calls:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def touch(marker: Path) -> str:
    return f"touch '{marker}'"


def source(marker: Path) -> str:
    return f"open({str(marker)!r}, 'w').close()"


def text(value: str) -> bytes:
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def line(value: str) -> bytes:
    return b"V" + value.encode() + b"\n"


def named(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def calling(module: str, name: str, argument: bytes) -> bytes:
    return b"\x80\x04" + named(module, name) + argument + b"\x85R."


# Loaded by the pickle module, each of these makes the marker file, as a test below proves.
RUNNING: list[tuple[str, Callable[[Path], bytes]]] = [
    ("os.system at protocol 0", lambda m: b"cos\nsystem\n(" + line(touch(m)) + b"tR."),
    ("os.system at protocol 5", lambda m: pickle.dumps(Calls(os.system, touch(m)), protocol=5)),
    ("posix.system", lambda m: calling("posix", "system", text(touch(m)))),
    ("builtins.eval", lambda m: calling("builtins", "eval", text(source(m)))),
    ("builtins.exec", lambda m: calling("builtins", "exec", text(source(m)))),
    ("__builtin__.eval of Python 2", lambda m: b"c__builtin__\neval\n(" + line(source(m)) + b"tR."),
    ("subprocess.getoutput", lambda m: calling("subprocess", "getoutput", text(touch(m)))),
    ("the INST opcode", lambda m: b"(" + line(touch(m)) + b"ios\nsystem\n."),
    ("the OBJ opcode", lambda m: b"(cos\nsystem\n" + line(touch(m)) + b"o."),
    (
        "hidden under a key that is not used",
        lambda m: pickle.dumps({"data": ROWS, "labels": [0, 1], "note": Calls(os.system, touch(m))}),
    ),
    (
        "a chain of calls from __import__ on",
        lambda m: (
            b"\x80\x04"
            + named("builtins", "getattr")
            + named("builtins", "__import__")
            + text("os")
            + b"\x85R"
            + text("system")
            + b"\x86R"
            + text(touch(m))
            + b"\x85R."
        ),
    ),
    ("functools.partial", lambda m: pickle.dumps(Calls(functools.partial(os.system, touch(m))))),
    (
        "a pickle in a pickle",
        lambda m: pickle.dumps(Calls(pickle.loads, pickle.dumps(Calls(os.system, touch(m))))),
    ),
    ("map over os.system", lambda m: pickle.dumps(Calls(list, Calls(map, os.system, [touch(m)])))),
    (
        "numpy gadget runstring",
        lambda m: (
            b"\x80\x04" + named("numpy.testing._private.utils", "runstring") + text(source(m)) + b"}\x86R."
        ),
    ),
    (
        "an accepted name with a dot, then os.system",
        lambda m: (
            b"\x80\x04"
            + named("numpy._core.multiarray", "_reconstruct.__class__")
            + b"0"
            + calling("os", "system", text(touch(m)))[2:]
        ),
    ),
]

DATA = text("data")
LABELS = text("labels") + b"](K\x00K\x01e"


def batch_of(data: bytes, labels: bytes = LABELS) -> bytes:
    """A dictionary with the given opcodes as its data."""
    return b"\x80\x04}(" + DATA + data + labels + b"u."


def array_of(kind: bytes, raw: bytes, shape: bytes = b"K\x02M\x00\x0c\x86") -> bytes:
    """The opcodes of an array, its type and bytes given as opcodes."""
    start = (
        named("numpy._core.multiarray", "_reconstruct") + named("numpy", "ndarray") + b"K\x00\x85C\x01b\x87R"
    )
    return start + b"(K\x01" + shape + kind + b"\x89" + raw + b"tb"


U1 = named("numpy", "dtype") + text("u1") + b"\x89\x88\x87R"
RAW = b"B" + (6144).to_bytes(4, "little") + bytes(6144)

# Kinds and names of the cases that carry no code of their own.
INERT: list[tuple[str, str, Callable[[], bytes]]] = [
    ("gadget", "numpy.load of another file", lambda: calling("numpy", "load", text("x.npy"))),
    ("gadget", "numpy.fromfile", lambda: calling("numpy", "fromfile", text("/etc/hostname"))),
    ("gadget", "numpy.memmap", lambda: calling("numpy", "memmap", text("marker"))),
    ("gadget", "a subclass in place of ndarray", lambda: pickle.dumps({"data": np.ma.masked_array([[1]])})),
    (
        "gadget",
        "copyreg._reconstructor",
        lambda: pickle.dumps(Calls(print), protocol=0).replace(
            b"__builtin__\nprint", b"copy_reg\n_reconstructor"
        ),
    ),
    ("gadget", "NEWOBJ of ndarray", lambda: batch_of(named("numpy", "ndarray") + b"K\x02\x85\x81")),
    ("gadget", "NEWOBJ_EX of ndarray", lambda: batch_of(named("numpy", "ndarray") + b"K\x02\x85}\x92")),
    (
        "gadget",
        "an accepted name with a dot behind",
        lambda: calling("numpy", "ndarray.tofile", text("marker")),
    ),
    ("gadget", "an accepted name called as another", lambda: calling("numpy", "ndarray", b"K\x02")),
    (
        "gadget",
        "an unaccepted codec",
        lambda: b"\x80\x04" + named("_codecs", "encode") + text("x") + text("zlib") + b"\x86R.",
    ),
    ("gadget", "a module name of bytes", lambda: b"\x80\x04C\x05numpyC\x05dtype\x93."),
    ("persistent id", "PERSID", lambda: b"Pmarker\n."),
    ("persistent id", "BINPERSID", lambda: b"\x80\x02U\x06markerQ."),
    ("extension registry", "EXT1", lambda: b"\x80\x02\x82\x01."),
    ("extension registry", "EXT2", lambda: b"\x80\x02\x83\x01\x00."),
    ("extension registry", "EXT4", lambda: b"\x80\x02\x84\x01\x00\x00\x00."),
    ("memo", "a list in itself", lambda: b"\x80\x02]q\x00h\x00a."),
    ("memo", "a dictionary in itself", lambda: b"\x80\x02}q\x00U\x01kh\x00s."),
    ("memo", "a list in a tuple in itself", lambda: b"\x80\x02]q\x00h\x00\x85a."),
    (
        "memo",
        "an array in its own state",
        lambda: batch_of(array_of(U1, RAW).replace(b"\x87R(K\x01", b"\x87R\x94(h\x00", 1)),
    ),
    (
        "memo",
        "tuples doubled forty times as a key",
        lambda: b"\x80\x02})q\x00" + b"h\x00\x86q\x00" * 40 + b"Ns.",
    ),
    ("memo", "lists nested 100,000 deep", lambda: b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."),
    ("memo", "tuples nested 100,000 deep", lambda: b"\x80\x02)" + b"\x85" * 100_000 + b"."),
    ("memo", "marks nested 100,000 deep", lambda: b"\x80\x02" + b"(" * 100_000 + b"."),
    ("memo", "a number that was never remembered", lambda: b"\x80\x02h\x07."),
    ("memo", "a memo number of four billion", lambda: b"\x80\x02Nr\xff\xff\xff\xff."),
    ("memo", "a memo number as text of 10,000 digits", lambda: b"Np" + b"9" * 10_000 + b"\n."),
    ("declared size", "a byte string of 2**62", lambda: batch_of(b"\x8e" + (2**62).to_bytes(8, "little"))),
    ("declared size", "a byte array of 2**62", lambda: batch_of(b"\x96" + (2**62).to_bytes(8, "little"))),
    ("declared size", "a text of 2**62", lambda: batch_of(b"\x8d" + (2**62).to_bytes(8, "little"))),
    ("declared size", "a Python 2 string of four billion", lambda: batch_of(b"T\xff\xff\xff\xff")),
    ("declared size", "a frame of 2**63", lambda: b"\x80\x04\x95" + (2**63).to_bytes(8, "little") + b"}."),
    (
        "declared size",
        "an array of 2**31 x 2**31",
        lambda: batch_of(array_of(U1, RAW, b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86")),
    ),
    (
        "declared size",
        "an array with negative lengths",
        lambda: batch_of(array_of(U1, RAW, b"J\xfe\xff\xff\xffJ\x00\xf4\xff\xff\x86")),
    ),
    (
        "declared size",
        "an array of 100,000 axes",
        lambda: batch_of(array_of(U1, RAW, b"(" + b"K\x01" * 100_000 + b"t")),
    ),
    ("declared size", "an integer of 2**31 bytes", lambda: b"\x80\x02\x8b\xff\xff\xff\x7f."),
    ("declared size", "an integer of a million digits", lambda: b"I" + b"9" * 1_000_000 + b"\n."),
    ("declared size", "dictionaries without end", lambda: b"\x80\x02" + b"}" * (MAX_OPCODES + 1)),
    ("declared size", "300,000 memo entries", lambda: b"\x80\x04)" + b"\x94" * 300_000),
    ("object array", "objects with integers", lambda: pickle.dumps({"data": np.array([[1, 2]], object)})),
    (
        "object array",
        "objects with the bytes of addresses",
        lambda: batch_of(array_of(U1.replace(b"u1", b"O8"), RAW)),
    ),
    (
        "object array",
        "a structured type",
        lambda: pickle.dumps({"data": np.zeros(3, [("a", "u1"), ("b", "u1")])}),
    ),
    (
        "object array",
        "a type with fields in its state",
        lambda: batch_of(
            array_of(U1 + b"(K\x03U\x01|NU\x01a}J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb", RAW)
        ),
    ),
    ("object array", "a list as the bytes of an array", lambda: batch_of(array_of(U1, b"]"))),
    ("object array", "a date type", lambda: pickle.dumps({"data": np.zeros(3, "M8[s]")})),
    ("buffer", "out-of-band buffer", lambda: batch_of(b"\x97")),
    ("buffer", "out-of-band read-only buffer", lambda: batch_of(b"\x97\x98")),
    ("damage", "an empty file", lambda: b""),
    ("damage", "a text file", lambda: b"This is not a batch.\n" * 100),
    ("damage", "zeros", lambda: bytes(100_000)),
    ("damage", "no STOP", lambda: batch_of(array_of(U1, RAW))[:-1]),
    ("damage", "bytes after STOP", lambda: batch_of(array_of(U1, RAW)) + b"\0"),
    ("damage", "an open mark at the end", lambda: b"\x80\x02}(."),
    ("damage", "a second protocol", lambda: b"\x80\x02\x80\x02}."),
    ("damage", "protocol 9", lambda: b"\x80\x09}."),
    ("damage", "a text that is no UTF-8", lambda: batch_of(b"X\x02\x00\x00\x00\xff\xff")),
    (
        "damage",
        "a long text with characters above 255",
        lambda: batch_of(
            array_of(U1, named("_codecs", "encode") + text("\u4e00" * 3000) + text("latin1") + b"\x86R")
        ),
    ),
    ("damage", "a quoted string without its end", lambda: b"(dS'data\nI1\ns."),
    ("damage", "a quoted string with an octal escape", lambda: b"(dS'\\101'\nI1\ns."),
]

CASES: list[tuple[str, str, Callable[[Path], bytes]]] = [
    *(("runs code", name, build) for name, build in RUNNING),
    *((kind, name, lambda _, build=build: build()) for kind, name, build in INERT),
]


def ids(cases: list[tuple[str, str, Any]]) -> list[str]:
    return [f"{kind}: {name}" for kind, name, _ in cases]


@pytest.mark.parametrize(("kind", "name", "build"), CASES, ids=ids(CASES))
@pytest.mark.slow
def test_a_hostile_pickle_is_refused(
    kind: str, name: str, build: Callable[[Path], bytes], batches: Path, assert_refused: Callable[[Path], str]
) -> None:
    (batches / "data_batch_1").write_bytes(build(batches.parent / "marker"))
    assert "data_batch_1" in assert_refused(batches)


@pytest.mark.parametrize(("name", "build"), RUNNING, ids=[name for name, _ in RUNNING])
def test_the_pickle_module_would_have_run_the_code(
    name: str, build: Callable[[Path], bytes], tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    with suppress(Exception):
        pickle.loads(build(marker))
    assert marker.exists()


def test_the_parts_of_the_cases_make_a_valid_batch_when_they_are_whole() -> None:
    found = read_pickle(batch_of(array_of(U1, RAW)), "batch")
    np.testing.assert_array_equal(found["data"], ROWS)
    assert found["labels"] == [0, 1]


@pytest.mark.parametrize("percent", [0, 1, 2, 5, 10, 25, 50, 75, 90, 99])
def test_a_truncated_batch_is_refused(
    percent: int, batches: Path, assert_refused: Callable[[Path], str]
) -> None:
    content = (batches / "data_batch_1").read_bytes()
    (batches / "data_batch_1").write_bytes(content[: len(content) * percent // 100])
    assert "data_batch_1" in assert_refused(batches)


@pytest.mark.parametrize("protocol", range(6))
def test_no_truncation_of_a_small_batch_is_read(protocol: int) -> None:
    content = pickle.dumps({b"data": ROWS[:, :3], "labels": [np.int64(1), 2]}, protocol=protocol)
    for length in range(len(content)):
        with pytest.raises(DataError, match="byte"):
            read_pickle(content[:length], "batch")


@pytest.mark.parametrize("protocol", range(6))
def test_a_flipped_bit_gives_a_dictionary_or_a_data_error(protocol: int) -> None:
    content = pickle.dumps({b"data": ROWS[:, :3], "labels": [np.int64(1), 2]}, protocol=protocol)
    refused = 0
    for place in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        try:
            assert type(read_pickle(bytes(damaged), "batch")) is dict
        except DataError:
            refused += 1
    assert refused > 4 * len(content)  # most bits matter
