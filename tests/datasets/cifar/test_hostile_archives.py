"""Archives that try to write elsewhere, to exhaust the machine or to confuse the reader."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softmaxclf.datasets.dataset import Split
from softmaxclf.datasets.sources import open_source
from softmaxclf.errors import DataError

FOLDER = "cifar-10-batches-py"
NAMES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
Contents = dict[str, bytes]


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, **fields: object) -> bytes:
    """One member's header and content."""
    info = tarfile.TarInfo(name)
    info.size, info.type = len(content), kind
    for field, value in fields.items():
        setattr(info, field, value)
    form = tarfile.GNU_FORMAT if info.size >= 1 << 33 else tarfile.USTAR_FORMAT
    return info.tobuf(form) + content + bytes(-len(content) % 512)


def whole(contents: Contents, *, before: bytes = b"", after: bytes = b"", end: bytes = bytes(1024)) -> bytes:
    """A packed archive of the batches, with other bytes before, after and at the end of the members."""
    members = b"".join(member(f"{FOLDER}/{name}", content) for name, content in contents.items())
    return gzip.compress(before + members + after + end, 1)


def without(contents: Contents, name: str) -> Contents:
    return {key: content for key, content in contents.items() if key != name}


def replaced(contents: Contents, header: bytes) -> bytes:
    """An archive whose first batch has another header, or other bytes altogether."""
    return whole(without(contents, NAMES[0]), before=header)


def first_header(contents: Contents, place: int, field: bytes, *, fix: bool = True) -> bytes:
    """The first member with a changed header field, its checksum made right again on demand."""
    block = bytearray(member(f"{FOLDER}/{NAMES[0]}", contents[NAMES[0]]))
    block[place : place + len(field)] = field
    if fix:
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block)


def note(records: dict[str, str], kind: bytes = b"x") -> bytes:
    """A pax header."""
    lines = b""
    for key, value in records.items():
        line = f" {key}={value}\n".encode()
        length = len(line) + len(str(len(line)))
        lines += str(length + (len(str(length)) > len(str(len(line))))).encode() + line
    return member("note", lines, kind)


def zeros(size: int) -> bytes:
    return gzip.compress(bytes(size), 9)


CASES: list[tuple[str, str, Callable[[Contents], bytes]]] = [
    ("path", "a name with ../", lambda c: whole(c, before=member("../marker", b"x"))),
    ("path", "../ inside a name", lambda c: whole(c, before=member(f"{FOLDER}/../../marker", b"x"))),
    ("path", "an absolute name", lambda c: whole(c, before=member("/tmp/marker", b"x"))),
    ("path", "an absolute name after ./", lambda c: whole(c, before=member(".//tmp/marker", b"x"))),
    ("path", "a name with backslashes", lambda c: whole(c, before=member("..\\marker", b"x"))),
    (
        "link",
        "a symbolic link as a batch",
        lambda c: replaced(c, member(f"{FOLDER}/{NAMES[0]}", b"", b"2", linkname="/etc/passwd")),
    ),
    ("link", "a symbolic link elsewhere", lambda c: whole(c, after=member("link", b"", b"2", linkname="/"))),
    (
        "link",
        "a hard link as a batch",
        lambda c: replaced(c, member(f"{FOLDER}/{NAMES[0]}", b"", b"1", linkname=f"{FOLDER}/{NAMES[1]}")),
    ),
    ("device", "a character device", lambda c: whole(c, before=member("null", b"", b"3"))),
    ("device", "a block device", lambda c: whole(c, before=member("disk", b"", b"4"))),
    ("device", "a pipe as a batch", lambda c: replaced(c, member(f"{FOLDER}/{NAMES[0]}", b"", b"6"))),
    ("device", "a sparse file as a batch", lambda c: replaced(c, member(f"{FOLDER}/{NAMES[0]}", b"", b"S"))),
    ("device", "a folder as a batch", lambda c: replaced(c, member(f"{FOLDER}/{NAMES[0]}", b"", b"5"))),
    ("duplicate", "a batch twice", lambda c: whole(c, after=member(f"{FOLDER}/{NAMES[0]}", c[NAMES[1]]))),
    (
        "duplicate",
        "a batch twice, once with ./",
        lambda c: whole(c, after=member(f"./{FOLDER}/{NAMES[0]}", c[NAMES[1]])),
    ),
    (
        "duplicate",
        "the class names twice",
        lambda c: whole(c, after=member(f"{FOLDER}/batches.meta", c["batches.meta"])),
    ),
    (
        "duplicate",
        "the test batch twice",
        lambda c: whole(c, after=member(f"{FOLDER}/test_batch", c["test_batch"])),
    ),
    (
        "header",
        "a long-name record",
        lambda c: whole(c, before=member("././@LongLink", b"cifar-10-batches-py/x\0", b"L")),
    ),
    ("header", "a wrong checksum", lambda c: replaced(c, first_header(c, 0, b"X", fix=False))),
    ("header", "a size that is no number", lambda c: replaced(c, first_header(c, 124, b"12345678xyz\0"))),
    (
        "header",
        "a size in base 256",
        lambda c: replaced(c, first_header(c, 124, b"\x80\0\0\0\0\0\0\x02\0\0\0\0")),
    ),
    ("header", "a negative size", lambda c: replaced(c, first_header(c, 124, b"-0000000001\0"))),
    ("header", "an unknown kind", lambda c: replaced(c, first_header(c, 156, b"Z"))),
    ("header", "a folder with content", lambda c: whole(c, before=member(FOLDER, b"x" * 600, b"5"))),
    ("size", "a batch of 8 GB by its header", lambda c: replaced(c, first_header(c, 124, b"77777777777\0"))),
    (
        "size",
        "a batch larger than the archive",
        lambda c: replaced(c, first_header(c, 124, b"00000400000\0")),
    ),
    ("bomb", "a gigabyte of zeros as an archive", lambda c: zeros(1 << 20) * 1024),
    ("bomb", "100 MB of zeros as an archive", lambda c: zeros(100 << 20)),
    (
        "bomb",
        "100 MB of zeros as a batch",
        lambda c: replaced(c, member(f"{FOLDER}/{NAMES[0]}", bytes(100 << 20))),
    ),
    ("bomb", "100 MB of zeros after the end", lambda c: whole(c, end=bytes(100 << 20))),
    ("garbage", "gzip's first bytes and noise", lambda c: b"\x1f\x8b\x08\0" + bytes(range(256)) * 40),
    ("garbage", "gzip's first bytes alone", lambda c: b"\x1f\x8b"),
    ("garbage", "a packed text", lambda c: gzip.compress(b"This is not a tar archive.\n" * 100)),
    ("garbage", "a packed nothing", lambda c: gzip.compress(b"")),
    ("garbage", "bytes after the last member", lambda c: whole(c, end=bytes(1024) + b"x")),
    ("garbage", "bytes after the gzip data", lambda c: whole(c) + b"more"),
    ("garbage", "a wrong gzip checksum", lambda c: whole(c)[:-8] + b"\0\0\0\0" + whole(c)[-4:]),
    ("garbage", "no end block", lambda c: whole(c, end=b"")),
    ("garbage", "an archive that is not packed", lambda c: gzip.decompress(whole(c))),
    ("missing", "a missing batch", lambda c: whole(without(c, "data_batch_3"))),
    ("missing", "a missing test batch", lambda c: whole(without(c, "test_batch"))),
    (
        "missing",
        "batches in another folder",
        lambda c: gzip.compress(member("data_batch_1", c[NAMES[0]]) + bytes(1024)),
    ),
    ("missing", "an empty archive", lambda c: gzip.compress(bytes(10240))),
    *(
        (
            "truncated",
            f"{percent} % of an archive",
            lambda c, percent=percent: whole(c)[: len(whole(c)) * percent // 100],
        )
        for percent in (1, 10, 30, 50, 70, 90, 99)
    ),
]


@pytest.fixture
def contents(batches: Path) -> Contents:
    """The bytes of valid batches and class names by file name."""
    return {name: (batches / name).read_bytes() for name in (*NAMES, "batches.meta")}


@pytest.mark.parametrize(("kind", "name", "build"), CASES, ids=[f"{kind}: {name}" for kind, name, _ in CASES])
def test_a_hostile_archive_is_refused(
    kind: str,
    name: str,
    build: Callable[[Contents], bytes],
    contents: Contents,
    tmp_path: Path,
    assert_refused: Callable[[Path], str],
) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(build(contents))
    assert_refused(path)


def test_the_parts_of_the_cases_make_a_valid_archive_when_they_are_whole(
    contents: Contents, tmp_path: Path
) -> None:
    path = tmp_path / "data"
    path.write_bytes(
        whole(
            contents,
            before=note({"mtime": "1.5"}) + member("readme.html", b"x"),
            after=member("./a/", b"", b"5"),
        )
    )
    assert open_source(str(path), tmp_path).test().X.shape == (2, 3072)


@pytest.mark.parametrize(
    "records",
    [
        {"mtime": "1.5", "path": "../marker"},
        {"size": "8589934592"},
        {"linkpath": "/"},
        {"comment": "x" * (1 << 20)},
    ],
)
@pytest.mark.parametrize("kind", [b"x", b"g"])
def test_a_note_has_no_power_over_names_and_sizes(
    kind: bytes,
    records: dict[str, str],
    contents: Contents,
    small_splits: tuple[Split, Split],
    tmp_path: Path,
) -> None:
    path = tmp_path / "data"
    path.write_bytes(whole(contents, before=note(records, kind)))
    found = open_source(str(path), tmp_path)
    assert found.train.examine() == small_splits[0].examine()


def test_the_message_names_the_missing_batch(
    contents: Contents, tmp_path: Path, assert_refused: Callable[[Path], str]
) -> None:
    path = tmp_path / "data.tar.gz"
    path.write_bytes(whole(without(contents, "data_batch_3")))
    assert "found no data_batch_3;" in assert_refused(path)


def test_a_flipped_bit_in_a_header_is_refused(
    contents: Contents, small_splits: tuple[Split, Split], tmp_path: Path
) -> None:
    path = tmp_path / "data.tar.gz"
    archive = bytearray(gzip.decompress(whole(contents)))
    for bit in range(0, 512 * 8, 7):
        archive[bit // 8] ^= 1 << bit % 8
        path.write_bytes(gzip.compress(archive, 1))
        archive[bit // 8] ^= 1 << bit % 8
        try:
            found = open_source(str(path), tmp_path).train
        except DataError:
            continue
        assert bit // 8 in (154, 155)  # what follows the digits of the header's checksum means nothing
        assert found.examine() == small_splits[0].examine()


def test_a_flipped_bit_in_the_packed_bytes_is_refused(contents: Contents, tmp_path: Path) -> None:
    path = tmp_path / "data.tar.gz"
    packed = bytearray(whole(contents))
    for place in range(10, len(packed), 1009):
        packed[place] ^= 16
        path.write_bytes(packed)
        packed[place] ^= 16
        with pytest.raises(DataError):
            assert open_source(str(path), tmp_path).train


def test_tarfile_reads_the_archives_that_the_cases_start_from(contents: Contents) -> None:
    with tarfile.open(fileobj=io.BytesIO(whole(contents))) as archive:
        assert archive.getnames() == [f"{FOLDER}/{name}" for name in contents]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_header_gives_the_data_or_a_data_error(tmp_path_factory: Any, data: st.DataObject) -> None:
    block = bytearray(member(f"{FOLDER}/data_batch_1", b"x"))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, 511))
        field = data.draw(st.binary(min_size=1, max_size=12))[: 512 - place]
        block[place : place + len(field)] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    _refused(tmp_path_factory.getbasetemp() / "header.tar.gz", gzip.compress(block + bytes(1024), 1))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([b"", b"\x1f\x8b\x08\0", gzip.compress(member(f"{FOLDER}/data_batch_1", b"x"))]),
    st.binary(max_size=600),
)
def test_any_bytes_give_a_data_error(tmp_path_factory: Any, start: bytes, rest: bytes) -> None:
    _refused(tmp_path_factory.getbasetemp() / "any.tar.gz", start + rest)
    _refused(tmp_path_factory.getbasetemp() / "any.tar.gz", gzip.compress(rest, 1))


def _refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        assert open_source(str(path), path.parent).train
    assert str(caught.value).isprintable()
