# ruff: noqa: E501 - a case is a line
"""Tables that are broken, that are none, or that would exhaust the machine or confuse who reads the message."""

import gzip
import io
import sys
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import Result
from pyarrow import parquet

from softmaxclf.datasets import gzipped, table_files
from softmaxclf.datasets.sources import open_source
from softmaxclf.errors import DataError

GOOD = b"a,b,label\n1,2,x\n3,4,y\n5,6,x\n7,8,y\n9,1,x\n2,3,y\n"


def packed(**columns: Any) -> bytes:
    """A Parquet file of good columns, with some replaced."""
    columns = {"a": [1.0, 2, 3, 4], "b": [1, 2, 3, 5], "label": ["x", "y", "x", "y"], **columns}
    content = io.BytesIO()
    parquet.write_table(pa.table({name: each for name, each in columns.items() if each is not None}), content)
    return content.getvalue()


def zipped(*names: str) -> bytes:
    """A ZIP of such files, empty ones."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return content.getvalue()


def endless() -> bytes:
    return gzip.compress(GOOD + b"1,2,x\n" * (1 << 20), 9)


# kind, name, the file's name and bytes (or the folder's), what is said
CASES: list[tuple[str, str, dict[str, bytes | Callable[[], bytes]], str]] = [
    ("header", "nothing at all", {"t.csv": b""}, "found an empty file"),
    ("header", "empty lines", {"t.csv": b"\n\n\n"}, "found an empty file"),
    ("header", "one column", {"t.csv": b"label\nx\ny\n"}, "with commas between, found one column, 'label'"),
    ("header", "semicolons", {"t.csv": b"a;b;label\n1;2;x\n"}, "with commas between, found semicolons in line 1; save it with commas, or as .tsv with tabs"),
    ("header", "commas in a .tsv", {"t.tsv": GOOD}, "with tabs between, found commas in line 1; save it with tabs, or as .csv with commas"),
    ("header", "a third column without a name", {"t.csv": GOOD.replace(b"a,b,label", b",b,label,").replace(b"\n", b",1\n")}, "found ''"),
    ("header", "a name twice", {"t.csv": GOOD.replace(b"a,b", b"a,a")}, "expected different column names, found 'a' twice"),
    ("header", "names that differ by spaces", {"t.csv": GOOD.replace(b"a,b", b"a, a")}, "found 'a' twice"),
    ("header", "a column without a name", {"t.csv": GOOD.replace(b"a,b", b"a,")}, "found ''"),
    ("header", "a name with a line break", {"t.csv": GOOD.replace(b"a,b", b'a,"b\nc"')}, r"found 'b\\nc'"),
    ("header", "a name that moves the cursor", {"t.csv": GOOD.replace(b"a,b", b"a,\x1b[2J")}, r"found '\\x1b"),
    ("header", "a name of 10,000 letters", {"t.csv": GOOD.replace(b"a,b", b"a," + b"b" * 10_000)}, "1 to 100 printable"),
    ("columns", "no labels", {"t.csv": GOOD.replace(b"label", b"kind")}, r"found none; name it .*its columns: a, b, kind"),
    ("columns", "no labels among many columns", {"t.csv": ",".join([*map("c{}".format, range(40)), "kind"]).encode() + b"\n"}, r"its columns: c0, .*, c9, 29 more, c39, kind"),
    ("columns", "labels twice", {"t.csv": b"a,y,y\n1,p,q\n"}, "found y twice; rename one"),
    ("columns", "two columns of labels", {"t.csv": GOOD.replace(b"a,b", b"y,b")}, "found y and label; name it with data.label"),
    ("rows", "a header alone", {"t.csv": b"a,b,label\n"}, "expected rows under the header, found none"),
    ("rows", "a short row", {"t.csv": GOOD.replace(b"3,4,y", b"3,4")}, "expected 3 fields, one per column, found 2 in line 3"),
    ("rows", "a long row", {"t.csv": GOOD + b"1,2,x,9\n"}, "found 4 in line 8"),
    ("rows", "a missing value", {"t.csv": GOOD.replace(b"3,4", b"3,")}, "found none in line 3, column 'b'; fill it in"),
    ("rows", "a value that says NA", {"t.csv": GOOD.replace(b"3,4", b"NA,4")}, r"found none \('NA'\) in line 3, column 'a'"),
    ("rows", "NaN", {"t.csv": GOOD.replace(b"3,4", b"NaN,4")}, "in line 3, column 'a'"),
    ("rows", "infinity", {"t.csv": GOOD.replace(b"3,4", b"-inf,4")}, "found '-inf' in line 3, column 'a'"),
    ("rows", "a number beyond float32", {"t.csv": GOOD.replace(b"3,4", b"1e39,4")}, "found '1e39' in line 3"),
    ("rows", "a text column", {"t.csv": GOOD.replace(b"1,2", b"one,2")}, "found 'one' in line 2, column 'a'; turn it into numbers, or leave it out: --set 'data.ignore=a'"),
    ("rows", "a decimal comma", {"t.csv": GOOD.replace(b"1,2", b'"1,5",2')}, "found '1,5' in line 2, column 'a'; write a decimal point, and nothing between thousands$"),
    ("rows", "thousands", {"t.csv": GOOD.replace(b"1,2", b'"1,234.5",2')}, "'a'; write a decimal point, and nothing between thousands$"),
    ("rows", "text in every column", {"t.csv": GOOD.replace(b"1,2", b"one,two")}, "'a'; turn it into numbers$"),
    ("rows", "a terminal escape as a value", {"t.csv": GOOD.replace(b"1,2", b"\x1b[31m,2")}, r"found '\\x1b\[31m' in line 2"),
    ("labels", "a missing label", {"t.csv": GOOD.replace(b"3,4,y", b"3,4, ")}, "expected a label in each row, found none in line 3"),
    ("labels", "one class", {"t.csv": GOOD.replace(b"y\n", b"x\n")}, "expected at least 2 classes in column 'label', found 1"),
    ("labels", "quantities", {"t.csv": GOOD.replace(b"x\n", b"0.5\n").replace(b"y\n", b"1.5\n")}, "expected classes, found numbers such as '0.5'"),
    ("labels", "a label with a line break", {"t.csv": GOOD.replace(b"3,4,y", b'3,4,"y\nz"')}, r"printable characters, found 'y\\nz'"),
    ("labels", "a label that clears the screen", {"t.csv": GOOD.replace(b"3,4,y", b"3,4,\x1b[2J")}, r"found '\\x1b"),
    ("labels", "a label of 10,000 letters", {"t.csv": GOOD.replace(b"3,4,y", b"3,4," + b"y" * 10_000)}, "1 to 100 printable"),
    ("bytes", "NUL bytes", {"t.csv": GOOD.replace(b"1,2", b"\0,2")}, r"found '\\x00' in line 2"),
    ("bytes", "nothing but NUL bytes", {"t.csv": bytes(1000)}, "found one column"),
    ("bytes", "latin-1", {"t.csv": GOOD.replace(b"3,4,y", b"3,4,\xe9")}, "expected UTF-8 text, found byte 0xe9 in line 3; "),
    ("bytes", "latin-1 in the header", {"t.csv": GOOD.replace(b"b", b"\xf1", 1)}, "found byte 0xf1 in line 1; "),
    ("bytes", "latin-1 after thousands of rows", {"t.csv": GOOD + 5000 * b"1,2,x\r\n" + b"1,2,\xf1\n"}, "found byte 0xf1 in line 5,008; "),
    ("bytes", "UTF-16", {"t.csv": GOOD.decode().encode("utf-16")}, "expected UTF-8 text, found UTF-16; "),
    ("bytes", "UTF-16, high bytes first", {"t.csv": b"\xfe\xff" + GOOD.decode().encode("utf-16-be")}, "expected UTF-8 text, found UTF-16; "),
    ("bytes", "an Excel workbook", {"t.csv": lambda: zipped("xl/workbook.xml")}, "expected a data set, found an Excel workbook; export the sheet as CSV"),
    ("bytes", "a field of a megabyte", {"t.csv": GOOD + b"1,2," + b"x" * (200 << 10)}, "field larger than field limit"),
    ("bytes", "a quote that never ends", {"t.csv": GOOD + b'1,2,"' + b"x\n" * (1 << 17)}, "field larger than field limit"),
    ("bytes", "a line without an end", {"t.csv": GOOD + b"1," * (1 << 20)}, "lines of less than 1,048,576 characters"),
    ("gzip", "endless", {"t.csv.gz": endless}, "at most 100 times its size unpacked, found more; unpack it first"),
    ("gzip", "cut short", {"t.csv.gz": gzip.compress(GOOD)[:-12]}, "expected a whole gzip file"),
    ("gzip", "a wrong checksum", {"t.csv.gz": gzip.compress(GOOD)[:-8] + bytes(8)}, "expected a whole gzip file"),
    ("gzip", "not packed", {"t.csv.gz": GOOD}, "expected a whole gzip file"),
    ("folder", "a class that only the test part has", {"train.csv": GOOD, "test.csv": GOOD.replace(b"3,4,y", b"3,4,z")}, "expected column 'label' among the 2 of the training rows, found 'z' in data row 1"),
    ("folder", "test rows without labels", {"train.csv": GOOD, "test.csv": b"a,b\n1,2\n"}, "the label column 'label' as in train, found none; rows without labels are for softmaxclf predict"),
    ("folder", "test rows that lack a column", {"train.csv": GOOD, "test.csv": b"a,label\n1,x\n"}, "expected a column 'b' as in train"),
    ("folder", "val.csv", {"train.csv": GOOD, "val.csv": GOOD}, "found 'val.csv'; did you mean validation.csv[?]"),
    ("folder", "train twice", {"train.csv": GOOD, "train.tsv": GOOD}, "expected one table called train, found train.csv, train.tsv"),
    ("parquet", "other bytes", {"t.parquet": GOOD}, "expected a whole Parquet file, found"),
    ("parquet", "cut short", {"t.parquet": packed()[:-20]}, "expected a whole Parquet file, found"),
    ("parquet", "a nested column", {"t.parquet": packed(b=[[1], [2, 3], [], [4]])}, "found 'list<element: int64>' in column 'b'"),
    ("parquet", "a struct", {"t.parquet": packed(b=[{"c": 1}] * 4)}, "found 'struct<c: int64>' in column 'b'"),
    ("parquet", "a timestamp", {"t.parquet": packed(b=[datetime(2020, 1, 1)] * 4)}, "found 'timestamp.*' in column 'b'"),
    ("parquet", "a dictionary of texts", {"t.parquet": packed(b=pa.array(["p", "q", "p", "q"]).dictionary_encode())}, "found 'dictionary.*' in column 'b'"),
    ("parquet", "labels that are lists", {"t.parquet": packed(label=[[1], [2], [1], [2]])}, "expected labels of text or integers, found list<element: int64> in column 'label'"),
    ("parquet", "labels that are dates", {"t.parquet": packed(label=[datetime(2020, 1, 1)] * 4)}, "expected labels of text or integers"),
    ("parquet", "a null", {"t.parquet": packed(b=[1, None, 3, 4])}, "found none in row 1, column 'b'"),
    ("parquet", "NaN", {"t.parquet": packed(a=[1.0, 2.0, float("nan"), 4.0])}, "in row 2, column 'a'"),
    ("parquet", "a missing label", {"t.parquet": packed(label=["x", "y", None, "y"])}, "found none in row 2, column 'label'"),
    ("parquet", "no rows", {"t.parquet": packed(a=pa.array([], "f8"), b=pa.array([], "f8"), label=pa.array([], "string"))}, "expected rows under the header, found none"),
    ("parquet", "a name with a line break", {"t.parquet": packed(**{"c\nd": [1, 2, 3, 4]})}, r"found 'c\\nd'"),
    ("parquet", "a hundred million equal rows", {"t.parquet": lambda: packed(a=pa.repeat(1.0, 1 << 22), b=pa.repeat(1, 1 << 22), label=pa.repeat("x", 1 << 22))}, "of numbers in a file of this size"),
    ("zip", "an Excel workbook", {"t.xlsx": lambda: zipped("[Content_Types].xml", "xl/workbook.xml")}, "found an Excel workbook; export the sheet as CSV"),
    ("zip", "a packed table", {"t.zip": lambda: zipped("t.csv")}, "found a .zip archive without arrays; unpack it"),
]  # fmt: skip


def write(files: dict[str, bytes | Callable[[], bytes]], folder: Path) -> str:
    """Write the files and return what to name as a source."""
    for name, content in files.items():
        (folder / name).write_bytes(content() if callable(content) else content)
    return str(folder / next(iter(files)) if next(iter(files)).startswith("t.") else folder)


@pytest.fixture(params=["by the csv module", "by pyarrow"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text is read by either reader; bounds are small, so that files that exceed them are."""
    monkeypatch.setattr(table_files, "FAST_BYTES", 0 if "pyarrow" in request.param else 1 << 60)
    monkeypatch.setattr(table_files, "MAX_LINE", 1 << 20)
    monkeypatch.setattr(table_files, "FREE", 1 << 20)
    monkeypatch.setattr(gzipped, "FREE", 1 << 20)


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    ("files", "said"), [case[2:] for case in CASES], ids=[f"{case[0]}: {case[1]}" for case in CASES]
)
def test_a_hostile_table_is_refused_in_one_line(files: Any, said: str, tmp_path: Path) -> None:
    source = write(files, tmp_path)
    with pytest.raises(DataError, match=said) as caught:
        open_source(source, tmp_path)
    message = str(caught.value)
    assert (
        message.startswith(str(tmp_path))
        and message.isprintable()
        and len(message) < 500 + len(str(tmp_path))
    )


LEAVING = ("a short row", "a value that says NA", "a class that only the test part has", "a nested column")


@pytest.mark.parametrize("case", [case for case in CASES if case[1] in LEAVING], ids=lambda case: case[1])
def test_nothing_is_left_by_a_run_that_was_refused(
    case: Any, run_cli: Callable[..., Result], tmp_path: Path
) -> None:
    source = write(case[2], tmp_path)
    before = sorted(tmp_path.iterdir())
    for command in (["tune", "--data", source, "--out", "run"], ["data", "describe", source]):
        result = run_cli(*command)
        assert result.exit_code == 3 and result.stdout == ""
        assert len([line for line in result.stderr.splitlines() if line.startswith("Error: ")]) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write({"t.parquet": packed()}, tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        DataError, match=r"pip install pyarrow \(or .* its extra: softmaxclf\[parquet\]\), or write"
    ):
        open_source(source, tmp_path)
