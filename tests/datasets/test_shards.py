"""Rows in several files that a pattern names are those of one file."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softmaxclf.arrays import JoinedArray, StoredArray, open_arrays
from softmaxclf.datasets.dataset import Split
from softmaxclf.datasets.patterns import matching
from softmaxclf.datasets.sources import open_source
from softmaxclf.errors import DataError

SIZES = (30, 12, 20)  # of part-1, part-2 and part-10
NAMES = ("part-1", "part-2", "part-10")
BOUNDS = np.cumsum([0, *SIZES])
X = np.random.default_rng(0).normal(size=(sum(SIZES), 3)).astype(np.float32)
Y = np.arange(len(X)) % 3
WORDS = np.array(["ant", "bee", "cat"])


def write(folder: Path, labels: Any = Y, rows: Any = X, ending: str = ".npy") -> str:
    """Shards with labels beside each; returns the pattern."""
    for n, name in enumerate(NAMES):
        part = slice(BOUNDS[n], BOUNDS[n + 1])
        np.save(folder / f"{name}.npy", rows[part])
        beside = folder / f"{name}.labels{ending}"
        if ending == ".npy":
            np.save(beside, labels[part])
        else:
            beside.write_text("\n".join(map(str, labels[part])))
    return str(folder / "*.npy")


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("softmaxclf.arrays.free_memory", lambda: 0)


def test_files_come_in_natural_order_and_without_what_lies_beside(tmp_path: Path) -> None:
    write(tmp_path)
    for name in ("labels.npy", "class_names.npy", "._part-1.npy", "other.txt"):
        (tmp_path / name).touch()
    assert [file.stem for file in matching(tmp_path / "*.npy")] == [*NAMES]
    assert [file.stem for file in matching(tmp_path / "part-?.npy")] == ["part-1", "part-2"]
    assert [file.stem for file in matching(tmp_path / "part-[2-9].npy")] == ["part-2"]


@pytest.mark.parametrize("where", ["in memory", "in files"])
def test_shards_are_their_rows_one_after_another(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if where == "in files":
        request.getfixturevalue("no_memory")
    found = open_source(write(tmp_path), tmp_path, test=0)
    assert found.read_test is None and found.class_names == ("0", "1", "2")
    assert found.columns == 3 and found.name == tmp_path.name
    assert found.train.X.fingerprints == []
    assert found.train.examine() == Split(X, Y).examine()
    assert len(set(found.train.X.fingerprints)) == 3
    np.testing.assert_array_equal(found.train.X, X)
    for key in (slice(25, 45), np.array([61, 0, 30, 29, 5, 6, 42]), (slice(3, 50, 7), [2, 0]), slice(0, 0)):
        np.testing.assert_array_equal(found.train.X[key], X[key])
    room = np.empty((4, 3), np.float32)
    rows = np.array([41, 42, 0, 1])
    assert found.train.X.take(rows, axis=0, out=room, mode="clip") is room
    np.testing.assert_array_equal(room, X[rows])


@pytest.mark.usefixtures("no_memory")
def test_test_rows_are_drawn_as_those_of_a_table_and_no_row_is_held(tmp_path: Path) -> None:
    source = write(tmp_path, WORDS[Y])
    lines = [f"{','.join(map(str, row))},{WORDS[k]}" for row, k in zip(X.tolist(), Y, strict=True)]
    (tmp_path / "all.csv").write_text("\n".join(["a,b,c,label", *lines]))
    shards, table = (open_source(each, tmp_path, seed=3) for each in (source, str(tmp_path / "all.csv")))
    assert shards.class_names == table.class_names == tuple(WORDS)
    assert shards.drawing() == f"{source}: 12 of its 62 rows are drawn as test rows (data.test)"
    assert shards.train.examine() == table.train.examine()
    assert shards.test().examine() == table.test().examine()
    assert isinstance(shards.train.X, JoinedArray)
    assert all(isinstance(part, StoredArray) for part in shards.train.X.parts)
    assert shards.train.X._held is None
    (tmp_path / "part-2.npy").write_bytes(b"")
    assert not shards.is_unchanged()
    with pytest.raises(DataError, match=r"part-2\.npy: part-2: expected the file to stay as it was"):
        np.asarray(shards.train.X)


def test_the_fingerprint_of_a_shard_is_of_its_rows_whatever_was_drawn_from_others(tmp_path: Path) -> None:
    source = write(tmp_path)
    whole = open_source(source, tmp_path, test=0).train.X
    parts = [
        JoinedArray(whole.parts, whole.paths).chosen(np.setdiff1d(np.arange(len(X)), out))
        for out in ([], [30, 41], [*range(30, 42)])
    ]
    for each in parts:
        Split(each, np.zeros(len(each), int)).examine()
    first, second, third = (each.fingerprints for each in parts)
    assert first[0] == second[0] == third[0] and first[2] == second[2] == third[2]
    assert len({first[1], second[1], third[1]}) == 3
    assert parts[1].origin(30) == (tmp_path / "part-2.npy", 1)


def test_labels_in_both_places_are_refused(tmp_path: Path) -> None:
    pattern = write(tmp_path)
    np.save(tmp_path / "labels.npy", Y)
    with pytest.raises(
        DataError, match=r"labels.npy: expected labels beside each shard or those of all, found part-"
    ):
        open_source(pattern, tmp_path)


def test_labels_of_all_rows_or_lines_of_text_are_the_same(tmp_path: Path) -> None:
    expected = open_source(write(tmp_path, WORDS[Y]), tmp_path).train.examine()
    for ending in (".npy", ".txt"):
        for beside in tmp_path.glob("*labels.*"):
            beside.unlink()
        lines = open_source(write(tmp_path, WORDS[Y], ending=".txt"), tmp_path)
        assert lines.train.examine() == expected
        for beside in tmp_path.glob("*.labels.*"):
            beside.unlink()
        np.save(tmp_path / "labels.npy", WORDS[Y])
        if ending == ".txt":
            (tmp_path / "labels.npy").unlink()
            (tmp_path / "labels.txt").write_text("\n".join(WORDS[Y]))
        assert open_source(str(tmp_path / "part*.npy"), tmp_path).train.examine() == expected


def test_labels_and_types_follow_the_rules_of_arrays(tmp_path: Path) -> None:
    (tmp_path / "class_names.txt").write_text("ant\nbee\ncat\ndog")
    found = open_source(write(tmp_path, rows=X.astype(np.float16)), tmp_path, test=0)
    assert found.class_names == (*WORDS, "dog")
    assert found.train.X.dtype == np.float32
    np.testing.assert_array_equal(found.train.y, Y)
    pictures = np.random.default_rng(0).integers(0, 256, (len(X), 4, 5, 3), dtype=np.uint8)
    found = open_source(write(tmp_path, rows=pictures), tmp_path, test=0)
    assert found.image_shape == (3, 4, 5)
    np.testing.assert_array_equal(found.train.X, pictures.transpose(0, 3, 1, 2).reshape(len(X), -1))
    assert open_source(write(tmp_path, rows=X.astype(int)), tmp_path).notes == (
        f"{tmp_path / 'part-1.npy'} of int64 is read as float32",
    )


def spoil_width(folder: Path) -> None:
    np.save(folder / "part-2.npy", X[:12, :2])


def spoil_type(folder: Path) -> None:
    np.save(folder / "part-10.npy", X[:20].astype(np.float64))


def spoil_labels(folder: Path) -> None:
    (folder / "part-2.labels.npy").unlink()


def spoil_length(folder: Path) -> None:
    np.save(folder / "part-2.labels.npy", Y[:5])


def spoil_whole(folder: Path) -> None:
    for beside in folder.glob("*.labels.npy"):
        beside.unlink()
    np.save(folder / "labels.npy", Y[:-1])


def spoil_all_labels(folder: Path) -> None:
    for beside in folder.glob("*.labels.npy"):
        beside.unlink()


def spoil_value(folder: Path) -> None:
    np.save(folder / "part-2.npy", np.where(np.arange(12)[:, None] == 7, np.nan, X[:12]).astype(np.float32))


WRONG = {
    spoil_width: r"part-2\.npy: expected rows as in part-1\.npy, float32 of shape \(N, 3\), found .* \(N, 2\)",
    spoil_type: r"part-10\.npy: expected rows as in part-1\.npy, float32 .*, found float64 of shape \(N, 3\)",
    spoil_labels: r"part-2\.npy: expected its labels in part-2\.labels\.npy or \.txt, or .*, found none; write them",
    spoil_all_labels: r"part-1\.npy: expected its labels in part-1\.labels\.npy or \.txt, or .*, found none",
    spoil_length: r"part-2\.labels\.npy: expected 12 labels, one per row, found 5",
    spoil_whole: r"/labels\.npy: expected 62 labels, one per row, found 61",
    spoil_value: r"part-2\.npy: expected finite numbers within float32, found nan in row 7, column 0",
}


@pytest.mark.parametrize(("spoil", "said"), WRONG.items(), ids=[each.__name__ for each in WRONG])
def test_shards_that_do_not_belong_together_are_refused_by_name(
    spoil: Any, said: str, tmp_path: Path
) -> None:
    source = write(tmp_path)
    spoil(tmp_path)
    with pytest.raises(DataError, match=said) as caught:
        open_source(source, tmp_path, test=0).train.examine()
    assert str(caught.value).isprintable()


def test_a_pattern_without_files_is_told_apart(tmp_path: Path) -> None:
    write(tmp_path)
    for name, said in {
        "q*.npy": r"q\*\.npy: expected files of that pattern, found none \(in 6 names there\)",
        "*/a.npy": "expected a source, found no such file",
        "sub*/*.npy": r"found none \(nothing in the folder .*sub\*\); check the path, of which only",
        "q*.parquet": r"q\*\.parquet: expected files of that pattern, found none",
        "*.np?": r"expected a pattern that ends in \.npy, or as tables do, found \.np\?",
    }.items():
        with pytest.raises(DataError, match=said):
            open_source(str(tmp_path / name), tmp_path)


def test_a_file_of_that_very_name_is_no_pattern(tmp_path: Path) -> None:
    np.savez(tmp_path / "a[1].npz", X_train=X, y_train=Y)
    assert len(open_source(str(tmp_path / "a[1].npz"), tmp_path).train.y) == len(Y)


def test_tables_of_a_pattern_are_one(tmp_path: Path) -> None:
    lines = [f"{','.join(map(str, row))},{WORDS[k]}" for row, k in zip(X.tolist(), Y, strict=True)]
    (tmp_path / "whole.csv").write_text("\n".join(["a,b,c,label", *lines]))
    for n, name in enumerate(NAMES):
        part = lines[BOUNDS[n] : BOUNDS[n + 1]]
        (tmp_path / f"{name}.csv").write_text("\n".join(["a,b,c,label", *part]))
    whole = open_source(str(tmp_path / "whole.csv"), tmp_path)
    found = open_source(str(tmp_path / "part*.csv"), tmp_path)
    assert found.feature_names == ("a", "b", "c") and found.name == tmp_path.name
    assert found.train.examine() == whole.train.examine()
    assert found.test().examine() == whole.test().examine()
    (tmp_path / "part-2.csv").write_text("a,b,d,label\n1,2,3,ant\n")
    with pytest.raises(
        DataError, match=r"part-2\.csv: expected the columns of part-1\.csv, found 'd' beside"
    ):
        open_source(str(tmp_path / "part*.csv"), tmp_path)
    (tmp_path / "part-2.csv").write_text("a,label,c\n1,ant,3\n")
    with pytest.raises(DataError, match=r"part-2\.csv: expected the columns of .*, found none called 'b'"):
        open_source(str(tmp_path / "part*.csv"), tmp_path)


def test_parquet_tables_of_a_pattern_are_one_in_any_order_of_columns(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    from pyarrow import parquet

    for n, name in enumerate(NAMES):
        part = slice(BOUNDS[n], BOUNDS[n + 1])
        columns = [*zip("abc", X[part].T, strict=True), ("label", WORDS[Y[part]])]
        parquet.write_table(
            pyarrow.table(dict(columns[::-1] if n else columns)), tmp_path / f"{name}.parquet"
        )
    found = open_source(str(tmp_path / "*.parquet"), tmp_path, test=0)
    np.testing.assert_array_equal(found.train.X, X)
    np.testing.assert_array_equal(found.train.y, Y)


def test_joined_arrays_need_no_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X[:30])
    with open_arrays(tmp_path / "a.npy", error=DataError) as file:
        joined = JoinedArray([file.stored("a"), X[30:]])
    np.testing.assert_array_equal(joined, X)
    assert joined.unchanged() and joined.ndim == 2 and joined.nbytes == X.nbytes


@pytest.mark.parametrize(
    ("hard", "expected"),
    [
        (4096, "(120, 3)"),
        (250, "expected at most 50 shards, which are kept open, found 120; raise the limit with "),
    ],
    ids=["the shell's soft limit is raised", "the hard limit is the end"],
)
def test_more_shards_than_files_may_be_open(hard: int, expected: str, tmp_path: Path) -> None:
    for n in range(120):
        np.save(tmp_path / f"part-{n}.npy", X[:1])
    np.save(tmp_path / "labels.npy", np.arange(120) % 3)
    script = (
        "import sys\nfrom softmaxclf.datasets.sources import open_source\n"
        "print(open_source(sys.argv[1], '', test=0).train.X.shape)"
    )
    limits = f'ulimit -Sn 64; ulimit -Hn {hard}; exec "$@"'
    command = ["bash", "-c", limits, "bash", sys.executable, "-c", script, str(tmp_path / "*.npy")]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert expected in process.stdout + process.stderr
