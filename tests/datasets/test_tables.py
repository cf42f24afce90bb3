"""Tables as data sets: both readers, all file forms, the choice of columns, the drawn test rows."""

import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from softmaxclf.datasets import table_files
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.datasets.sources import open_source
from softmaxclf.datasets.table_files import TextTable
from softmaxclf.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).round(6)
Y = np.array(["oak", "elm", "ash"])[RNG.integers(0, 3, 60)]
NAMES = ("height", "girth (cm)", "age, years")


def text(delimiter: str = ",", label: str = "label", end: str = "\n") -> bytes:
    header = delimiter.join([f'"{name}"' for name in NAMES] + [label])
    lines = [delimiter.join([*map(repr, row), y]) for row, y in zip(X.tolist(), Y.tolist(), strict=True)]
    return (end.join([header, *lines]) + end).encode()


def read(path: Path, content: bytes, **settings: Any) -> Dataset:
    path.write_bytes(content)
    return open_source(str(path), path.parent, **settings)


def packed(path: Path, **labels: Any) -> Dataset:
    columns = dict(zip(NAMES, X.T, strict=True)) | {"label": labels.get("label", Y)}
    parquet.write_table(pa.table(columns), path)
    return open_source(str(path), path.parent)


def same(one: Dataset, other: Dataset) -> None:
    assert one.feature_names == other.feature_names and one.class_names == other.class_names
    for left, right in ((one.train, other.train), (one.test(), other.test())):
        np.testing.assert_array_equal(left.X, right.X)
        np.testing.assert_array_equal(left.y, right.y)


def test_every_form_of_a_table_gives_the_same_data(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", text())
    assert found.feature_names == NAMES and found.class_names == ("ash", "elm", "oak") and found.name == "a"
    assert len(found.train.y) == 48 and len(found.test().y) == 12 and found.train.X.dtype == np.float32
    everything = np.concatenate([found.train.X, found.test().X])
    np.testing.assert_array_equal(np.unique(everything, axis=0), np.unique(X.astype(np.float32), axis=0))
    same(found, read(tmp_path / "b.tsv", text("\t")))
    same(found, read(tmp_path / "c.csv.gz", gzip.compress(text())))
    same(found, read(tmp_path / "d.TSV.GZ", gzip.compress(text("\t", end="\r\n"))))
    same(found, read(tmp_path / "e.csv", b"\xef\xbb\xbf" + text(end="\r\n\r\n")))
    same(found, packed(tmp_path / "f.parquet"))
    same(found, packed(tmp_path / "g.parquet", label=pa.array(Y).dictionary_encode()))


def test_each_kind_of_label_in_parquet_is_what_it_is_in_text(tmp_path: Path) -> None:
    assert packed(tmp_path / "a.parquet", label=X[:, 0] > 0).class_names == ("False", "True")
    assert packed(tmp_path / "b.parquet", label=pa.array([3, 4] * 30, "int8")).class_names == ("3", "4")


def test_the_test_rows_are_drawn_by_seed_and_share(tmp_path: Path) -> None:
    first = read(tmp_path / "a.csv", text(), test=0.5)
    assert len(first.test().y) == 30 and first.drawn
    assert "a.csv: 30 of its 60 rows are drawn as test rows (data.test)" in first.drawing()
    assert not np.array_equal(first.test().X, read(tmp_path / "a.csv", text(), test=0.5, seed=1).test().X)
    assert len(read(tmp_path / "a.csv", text(), test=7).test().y) == 7
    assert read(tmp_path / "a.csv", text(), test=0).read_test is None
    with pytest.raises(DataError, match=r"data\.test: test rows: expected fewer than the 60 rows"):
        read(tmp_path / "a.csv", text(), test=60)


def test_a_folder_has_a_table_for_each_split(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes(text())
    lines = [f"{y},{row[2]},9,{row[0]},{row[1]}" for row, y in zip(X.tolist(), Y, strict=True)]
    header = 'label,"age, years",more,height,girth (cm)'
    (tmp_path / "test.csv").write_text("\n".join([header, *lines]))  # another order, and a column more
    found = open_source(str(tmp_path), tmp_path)
    np.testing.assert_array_equal(found.train.X, found.test().X)
    np.testing.assert_array_equal(found.train.y, found.test().y)
    assert found.validation is None and not found.drawn


def test_columns_are_chosen_and_left_out(tmp_path: Path) -> None:
    content = b"id,kind,name,size,Label\n7,a,x,1,p\n8,b,y,2,q\n9,a,z,3,p\n6,b,z,3,p\n"
    assert read(tmp_path / "a.csv", content, ignore=("id", "name", "kind")).feature_names == ("size",)
    warned: list[str] = []
    found = read(
        tmp_path / "a.csv",
        content,
        label="kind",
        ignore=("name", "Label", "gone", "sise"),
        warn=warned.append,
    )
    assert found.feature_names == ("id", "size") and found.class_names == ("a", "b")
    assert warned[0].endswith(
        "a.csv: data.ignore names columns that it lacks: gone, sise (did you mean size?)"
    )
    with pytest.raises(DataError, match="expected one column of labels, sort, found none"):
        read(tmp_path / "a.csv", content, label="sort")
    with pytest.raises(DataError, match=r"found none; name it with data.label; did you mean kind\? \(its"):
        read(tmp_path / "a.csv", content, label="Kinds")
    with pytest.raises(DataError, match=r"labels, kind, found none; it is in data.ignore: take it out"):
        read(tmp_path / "a.csv", content, label="kind", ignore=("kind",))
    with pytest.raises(DataError, match=r"--set 'data\.ignore=id,kind,name'"):
        read(tmp_path / "a.csv", content, ignore=("id",))


def test_a_constant_column_is_noted(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", b"a,b,y\n1,5,p\n2,5,q\n3,5,p\n4,5,q\n")
    assert "columns of one value, which tell nothing: b (data.ignore)" in found.notes[0]


FIELDS = st.one_of(
    st.floats(width=64).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(r" ?[+-]?[0-9]{0,3}(\.[0-9]{0,3})?([eE][+-]?[0-9]{1,2})? ?", fullmatch=True),
    st.sampled_from(["nan", "inf", "0x10", "1_0", "", "NA", "1f", "1e400", "true", "\u0661"]),
)


def blocks(path: Path) -> Any:
    try:
        return np.concatenate([block.X for block in TextTable(path).blocks(["a", "b"], "y")]).tolist()
    except DataError as error:
        return str(error)


@given(st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=4))
def test_both_readers_give_the_same_numbers_or_the_same_message(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "fields.csv"
    path.write_text("\n".join(["a,b,y", *(f"{a},{b},k" for a, b in rows)]), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_files, "FAST_BYTES", 0)
        fast = blocks(path)
        patch.setitem(sys.modules, "pyarrow", None)
        assert blocks(path) == fast


def test_where_pyarrow_stops_the_csv_module_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{k},{k},{'pq'[k % 2]}" for k in range(3000)]
    rows[2500] = "1_0,+2,p"  # Python reads it
    (tmp_path / "a.csv").write_text("\n".join(["a,b,y", *rows]))
    monkeypatch.setattr(table_files, "FAST_BYTES", 0)
    monkeypatch.setattr(table_files, "BLOCK_BYTES", 1000)
    found = np.concatenate([block.X for block in TextTable(tmp_path / "a.csv").blocks(["b", "a"], "y")])
    wanted = np.repeat(np.arange(3000, dtype=np.float32)[:, None], 2, axis=1)
    wanted[2500] = 2, 10
    np.testing.assert_array_equal(found, wanted)


def test_half_precision_and_truth_values_in_parquet_are_numbers(tmp_path: Path) -> None:
    columns = {"a": pa.array(np.arange(8, dtype=np.float16)), "b": [True, False] * 4, "y": [1, 2] * 4}
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    found = open_source(str(tmp_path / "a.parquet"), tmp_path, test=0)
    assert found.train.X.tolist() == [[k, (k + 1) % 2] for k in range(8)]


@pytest.fixture(params=["by the csv module", "by pyarrow"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text is read by either reader."""
    monkeypatch.setattr(table_files, "FAST_BYTES", 0 if "pyarrow" in request.param else 1 << 60)


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("unnamed", ["", '""', " "])
def test_a_first_column_without_a_name_is_left_out_as_an_index(unnamed: str, tmp_path: Path) -> None:
    content = f"{unnamed},a,y\nr1,1,p\nr2,2,q\nr3,3,p\n".encode()
    found = read(tmp_path / "a.csv", content, test=0)
    assert found.feature_names == ("a",) and found.train.X.tolist() == [[1], [2], [3]]
    assert found.notes == (f"{tmp_path}/a.csv: column 1 has no name and is left out, as an index",)
    with pytest.raises(DataError, match="expected 3 fields, one per column, found 2 in line 2"):
        read(tmp_path / "a.csv", content.replace(b"r1,", b""))


@pytest.mark.usefixtures("reader")
def test_a_column_twice_that_is_left_out_is_no_error(tmp_path: Path) -> None:
    content = b"a,a,b,y\n1,k,2,p\n3,l,4,q\n"
    found = read(tmp_path / "a.csv", content, test=0, ignore=("a",))
    assert found.feature_names == ("b",) and found.train.X.tolist() == [[2], [4]]
    with pytest.raises(
        DataError, match=r"found 'a' twice; rename the column, or leave it out \(data.ignore\)"
    ):
        read(tmp_path / "a.csv", content)


def test_parquet_has_an_index_and_a_column_twice_as_text_has(tmp_path: Path) -> None:
    columns = [["r1", "r2"], [1, 3], ["k", "l"], ["m", "n"], ["p", "q"]]
    parquet.write_table(pa.table([*map(pa.array, columns)], ["", "a", "b", "b", "y"]), tmp_path / "a.parquet")
    source = str(tmp_path / "a.parquet")
    found = open_source(source, tmp_path, test=0, ignore=("b",))
    assert found.train.X.tolist() == [[1], [3]] and "column 1 has no name" in found.notes[0]
    with pytest.raises(DataError, match="found 'b' twice"):
        open_source(source, tmp_path)


@pytest.mark.usefixtures("reader")
def test_truth_values_are_one_and_zero(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", b"a,b,y\nTrue,1.5,1.0\nFALSE,2.5,0.0\n true,3,1.0\n", test=0)
    assert found.train.X.tolist() == [[1, 1.5], [0, 2.5], [1, 3]]
    assert found.class_names == ("0", "1") and found.train.y.tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="found 'yes' in line 3, column 'a'"):
        read(tmp_path / "a.csv", b"a,b,y\nTrue,1,p\nyes,2,q\n")
