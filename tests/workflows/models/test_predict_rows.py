"""Predictions for rows: of tables in any order of columns, of arrays; the tables that are written."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from softmaxclf.core.model import LinearModel
from softmaxclf.model_file import load_model, save_model
from softmaxclf.runs import csv_text
from softmaxclf.workflows.models import predict_rows

Run = Callable[..., Result]
NAMES = ("=pine", "oak", "-1")
W = np.array([[1, 0, -1], [0, 2, 0]], np.float32)
X = np.array([[3, 0], [0, 3], [-3, 0], [0, 0]], np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model of two named columns, one without names, one of 1 x 2 images; rows as a table and as an array."""
    plain = LinearModel(W, np.array([0.1, 0, 0], np.float32), NAMES)
    save_model(tmp_path / "named.npz", LinearModel(W, plain.b, NAMES, feature_names=("a", "b")))
    save_model(tmp_path / "plain.npz", plain)
    save_model(tmp_path / "image.npz", LinearModel(W, plain.b, NAMES, image_shape=(1, 1, 2)))
    (tmp_path / "rows.csv").write_text("b,kind,a\n0,k,3\n3,k,0\n0,k,-3\n0,k,0\n")
    (tmp_path / "ab.csv").write_text("p,q,class\n3,0,u\n0,3,v\n-3,0,u\n0,0,v\n")
    np.save(tmp_path / "rows.npy", X)
    np.save(tmp_path / "images.npy", X.reshape(4, 1, 2).astype(np.int64))
    for n, part in (("10", X[1:]), ("2", X[:1])):
        np.save(tmp_path / f"part-{n}.npy", part)
        (tmp_path / f"part-{n}.csv").write_text("a,b\n" + "".join(f"{a},{b}\n" for a, b in part))
    return tmp_path


LABELS = ["=pine", "oak", "-1", "=pine"]


@pytest.mark.parametrize(
    ("model", "rows"),
    [("named", "rows.csv"), ("named", "rows.npy"), ("plain", "rows.npy"), ("plain", "ab.csv"),
     ("image", "images.npy"), ("image", "rows.npy"), ("plain", "part-*.npy"), ("named", "part-*.csv")],
)  # fmt: skip
def test_every_source_of_rows_gives_the_same_predictions(
    model: str, rows: str, folder: Path, run_cli: Run
) -> None:
    result = run_cli("predict", f"{model}.npz", rows, "--format", "jsonl", "--probabilities")
    assert result.exit_code == 0
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["row"] for each in found] == [0, 1, 2, 3] and [each["label"] for each in found] == LABELS
    wanted = load_model(folder / "named.npz").predict_proba(X)
    np.testing.assert_array_equal([[*each["probabilities"].values()] for each in found], wanted)
    assert found[0]["probability"] == wanted[0].max()


def test_a_csv_file_cannot_run_formulas_and_numbers_stay(folder: Path, run_cli: Run) -> None:
    result = run_cli("predict", "named.npz", "rows.csv", "--probabilities", "--out", "out.csv")
    assert result.exit_code == 0 and result.stdout == "4 predictions are in out.csv\n"
    assert result.stderr == "rows.csv: columns that the model does not know are ignored: kind\n"
    header, *lines = csv.reader(io.StringIO((folder / "out.csv").read_text()))
    assert header == ["row", "label", "probability", *(f"probability of {name}" for name in NAMES)]
    assert [line[1] for line in lines] == ["'=pine", "oak", "-1", "'=pine"]
    assert csv_text(["@a"], [["-2+3"], ["-2.5e-3"], ["+1"]]) == "'@a\n'-2+3\n-2.5e-3\n+1\n"


def test_the_table_on_the_terminal_says_what_to_do_next(folder: Path, run_cli: Run) -> None:
    lines = run_cli("predict", "named.npz", "rows.npy", "--top", 1).stdout.splitlines()
    assert lines[0].split() == ["row", "label", "probability"] and lines[1].split()[:2] == ["0", "=pine"]
    assert lines[-1] == "Next: softmaxclf predict named.npz rows.npy --out predictions.csv"


def test_many_rows_are_scored_in_blocks_of_one_size(
    folder: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict_rows, "BLOCK_ROWS", 3)
    (folder / "long.csv").write_text("a,b\n" + "3,0\n0,3\n" * 50)
    result = run_cli("predict", "named.npz", "long.csv", "--format", "csv")
    assert [line.split(",")[1] for line in result.stdout.splitlines()[1:]] == ["'=pine", "oak"] * 50


def test_what_another_wrote_stays_and_what_we_wrote_is_replaced(folder: Path, run_cli: Run) -> None:
    (folder / "mine.csv").write_text("my,own\n")
    result = run_cli("predict", "named.npz", "rows.npy", "--out", "mine.csv")
    assert (
        result.exit_code == 2 and "mine.csv: holds something that is no table of predictions" in result.stderr
    )
    assert (folder / "mine.csv").read_text() == "my,own\n"
    for options in ((), ("--probabilities",)):
        assert run_cli("predict", "named.npz", "rows.npy", "--out", "ours.csv", *options).exit_code == 0
    assert run_cli("predict", "named.npz", "rows.npy", "--out", "ours.jsonl").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ["named.npz", "ab.csv"],
            3,
            "expected the column 'a' and 1 more, which the model was trained on, found p, q, ",
        ),
        (["plain.npz", "wide.csv"], 3, "expected 2 columns, as the model was trained on, found 3; "),
        (["named.npz", "wide.npy"], 3, "expected rows of 2 columns, as the model was trained on, found 3; "),
        (["named.npz", "text.npy"], 3, "expected rows of numbers, found <U1"),
        (["named.npz", "nan.npy"], 3, "found nan in row 5000, column 1"),
        (
            ["named.npz", "bad.csv"],
            3,
            "bad.csv: expected numbers that fit float32, found 'x' in line 3, column 'b'",
        ),
        (["named.npz", "none.csv"], 3, "none.csv: expected rows to predict, found none"),
        (["named.npz", "missing.csv"], 3, "missing.csv: expected a readable file"),
        (["named.npz", "rows.csv", "rows.npy"], 2, "expected one table or array, or images, got 2 inputs"),
        (
            ["named.npz", "rows.csv", "--out", "sheets"],
            2,
            "expected a file ending in .csv or .jsonl for rows",
        ),
        (
            ["named.npz", "rows.csv", "--out", "a.csv", "--format", "jsonl"],
            2,
            "expected a file ending in .jsonl",
        ),
        (["named.npz", "photo.png"], 3, "give predict a table (.csv) or an array (.npy) of such rows"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(
    arguments: list[str], code: int, said: str, folder: Path, run_cli: Run
) -> None:
    (folder / "wide.csv").write_text("a,b,c\n1,2,3\n")
    (folder / "bad.csv").write_text("a,b\n1,2\n1,x\n")
    (folder / "none.csv").write_text("a,b\n")
    np.save(folder / "wide.npy", np.ones((2, 3)))
    np.save(folder / "text.npy", np.array([["a", "b"]]))
    np.save(folder / "nan.npy", np.where(np.arange(12_000).reshape(-1, 2) == 10_001, np.nan, 0))
    before = sorted(folder.iterdir())
    options = [] if "--out" in arguments else ["--out", "out.csv"]
    result = run_cli("predict", *arguments, *options)
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert (result.exit_code, len(errors)) == (code, 1) and said in errors[0]
    assert sorted(folder.iterdir()) == before


def test_image_files_give_a_table_too_with_gaps_for_the_broken_ones(folder: Path, run_cli: Run) -> None:
    from PIL import Image

    for name in ("a", "c"):
        Image.new("L", (2, 1), 9).save(folder / f"{name}.png")
    (folder / "b.png").write_text("none")
    result = run_cli("predict", "image.npz", "a.png", "b.png", "c.png", "--out", "out.csv")
    assert result.exit_code == 3 and "1 of 3 files could not be read" in result.stderr
    lines = (folder / "out.csv").read_text().splitlines()
    assert (
        lines[0] == "file,label,probability" and lines[2] == "b.png,," and lines[3].startswith("c.png,oak,")
    )
