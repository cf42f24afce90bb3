import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softmaxclf.datasets.pickles import read_pickle
from softmaxclf.errors import DataError

PIXELS = np.frombuffer(bytes(range(256)) * 24, np.uint8).reshape(2, 3072)
PROTOCOLS = range(6)
# As Python 2 wrote a dictionary at protocol 0: quoted strings, escapes, booleans and longs as lines.
PYTHON_2_TEXT = (
    b"(dp1\nS'data'\np2\ncnumpy.core.multiarray\n_reconstruct\np3\n(cnumpy\nndarray\np4\n(I0\ntp5\nS'b'\np6\ntp7\n"
    b"Rp8\n(I1\n(L1L\nI5\ntp9\ncnumpy\ndtype\np10\n(S'u1'\np11\nI0\nI1\ntp12\nRp13\n(I3\nS'|'\np14\nNNNI-1\nI-1\nI0\n"
    b"tp15\nbI00\nS'\\x00\\xff\\n\\\\\\''\np16\ntp17\nbsS'labels'\np18\n(lp19\nI3\nas."
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("key", [str, str.encode], ids=["text keys", "byte keys"])
@pytest.mark.parametrize(
    "array",
    [PIXELS, PIXELS[:, ::2], np.asfortranarray(PIXELS), PIXELS.astype(">i4"), PIXELS[0].astype(np.int64)],
    ids=["rows", "every other column", "Fortran order", "big-endian", "one axis"],
)
def test_an_array_pickled_by_this_python_is_read_back(protocol: int, key: Any, array: Any) -> None:
    found = read_pickle(pickle.dumps({key("data"): array}, protocol=protocol), "batch")["data"]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_writeable_and_read_only_arrays_are_read_alike(protocol: int) -> None:
    writeable = PIXELS.copy()
    both = read_pickle(
        pickle.dumps({"w": writeable, "r": PIXELS, "again": PIXELS}, protocol=protocol), "batch"
    )
    for found in both.values():
        np.testing.assert_array_equal(found, PIXELS)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_other_plain_values_keep_their_values(protocol: int) -> None:
    values = {
        "labels": [0, 255, 256, 65535, 65536, -1, 2**31, -(2**40)],
        "scalars": [np.int64(-3), np.uint8(200), np.int16(-300), np.array(77, ">u4")[()]],
        "names": ["a.png", "größe"],
        "bytes": b"\x00\xff",
        "empty": [b"", "", (), [], {}],
        "array": bytearray(b"ab\xff"),
        "nested": (1, (2, 3), {"k": [True, False, None]}),
    }
    assert read_pickle(pickle.dumps(values, protocol=protocol), "batch") == values


def test_the_same_is_read_as_the_pickle_module_reads_from_a_python_2_file(batches: Path) -> None:
    names = b"U\x09filenames](U\x05a.pngU\x05b.pnge"  # a list of texts as Python 2 wrote them
    content = (batches / "data_batch_1").read_bytes()[:-2] + names + b"u."
    found, expected = read_pickle(content, "batch"), pickle.loads(content, encoding="latin1")
    np.testing.assert_array_equal(found["data"], expected["data"])
    assert found["labels"] == expected["labels"]
    assert [name.decode() for name in found["filenames"]] == expected["filenames"]


def test_python_2_text_pickles_are_read_as_the_pickle_module_reads_them() -> None:
    found, expected = read_pickle(PYTHON_2_TEXT, "batch"), pickle.loads(PYTHON_2_TEXT, encoding="latin1")
    np.testing.assert_array_equal(found["data"], expected["data"])
    assert found["data"].tolist() == [[0, 255, 10, 92, 39]]
    assert found["labels"] == expected["labels"] == [3]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_long_texts_around_the_chunk_size_become_the_right_bytes(
    protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softmaxclf.datasets.pickles.values.CHUNK", 7)
    array = np.frombuffer(bytes(range(256)) + b"\\u0041\\\n" * 20, np.uint8)
    np.testing.assert_array_equal(
        read_pickle(pickle.dumps({"d": array}, protocol=protocol), "batch")["d"], array
    )


def test_arrays_of_modern_pickles_are_views_of_the_file() -> None:
    content = pickle.dumps({"data": PIXELS}, protocol=4)
    found = read_pickle(content, "batch")["data"]
    assert np.shares_memory(found, np.frombuffer(content, np.uint8))
    assert not found.flags.writeable


def test_the_message_names_file_byte_expectation_and_remedy() -> None:
    with pytest.raises(
        DataError, match=r"^a/b: byte 2: expected .*'os' 'system'; .*softmaxclf data download"
    ):
        read_pickle(b"\x80\x02cos\nsystem\n.", "a/b")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_dictionary_or_a_data_error(content: bytes) -> None:
    _value_or_data_error(content)


OPCODES = b"(.]})tael\x85\x86\x87sdubRN\x88\x89KMJIL\x8aUTSCB\x8e\x96\x8cX\x8dVqrp\x94hjgc\x93\x95\x80"


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [bytes([code]) for code in OPCODES] + [b"\n", b"\x01", b"\x00\x00", b"numpy\nndarray\n"]
        )
    )
)
def test_any_sequence_of_opcodes_gives_a_dictionary_or_a_data_error(pieces: list[bytes]) -> None:
    _value_or_data_error(b"".join(pieces) + b".")


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(PROTOCOLS))
def test_a_damaged_batch_gives_a_dictionary_or_a_data_error(data: st.DataObject, protocol: int) -> None:
    batch = {b"data": PIXELS[:, :4], "labels": [np.int64(1), 2], "names": ["x" * 200, b"y" * 300]}
    content = bytearray(pickle.dumps(batch, protocol=protocol))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    _value_or_data_error(bytes(content))


def _value_or_data_error(content: bytes) -> None:
    try:
        assert type(read_pickle(content, "batch")) is dict
    except DataError as error:
        assert str(error).startswith("batch: byte ")
        assert str(error).isprintable()
