"""softmaxclf predict: what it prints, what it writes, how it fails."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from softmaxclf.core.model import LinearModel
from softmaxclf.model_file import save_model

Run = Callable[..., Result]
COLOURS = ("red", "lime", "blue")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model that tells red, green and blue images apart, and images of each, in the working folder."""
    W = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0) / 500
    save_model(
        tmp_path / "weights.npz", LinearModel(W, np.zeros(3, np.float32), COLOURS, image_shape=(3, 2, 2))
    )
    save_model(tmp_path / "rows.npz", LinearModel(W, np.zeros(3, np.float32), COLOURS))
    (tmp_path / "in").mkdir()
    for name in COLOURS:
        Image.new("RGB", (40, 30), name).save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "bad.png").write_text("no image")
    return tmp_path


# exp(2.04) : 1 : 1, as 4 pixels of 255 have a weight of 1 / 500 each
LIKELY, OTHER = "79.36 %", "10.32 %"


def test_the_table_has_a_line_per_image(folder: Path, run_cli: Run) -> None:
    result = run_cli("predict", "weights.npz", "in")
    assert result.exit_code == 0 and result.stderr == ""
    assert result.stdout.splitlines() == [
        "file         label  probability  runners-up",
        f"in/blue.png  blue       {LIKELY}  red {OTHER}, lime {OTHER}",
        f"in/lime.png  lime       {LIKELY}  red {OTHER}, blue {OTHER}",
        f"in/red.png   red        {LIKELY}  lime {OTHER}, blue {OTHER}",
        "",
        "Next: softmaxclf predict weights.npz in/blue.png --out sheets",
    ]


def test_top_one_has_no_runners_up(folder: Path, run_cli: Run) -> None:
    lines = run_cli("predict", "weights.npz", "in/red.png", "--top", 1).stdout.splitlines()
    assert lines[:2] == ["file        label  probability", f"in/red.png  red        {LIKELY}"]


def test_json_is_one_list_with_the_broken_files_in_it(folder: Path, run_cli: Run) -> None:
    result = run_cli("predict", "weights.npz", "in/red.png", "bad.png", "in/blue.png", "--json", "--top", 2)
    first, broken, last = json.loads(result.stdout)["predictions"]
    assert first == {
        "file": "in/red.png",
        "label": "red",
        "probability": pytest.approx(0.79363, abs=1e-4),
        "top": [
            {"label": "red", "probability": first["probability"]},
            {"label": "lime", "probability": pytest.approx(0.10318, abs=1e-4)},
        ],
    }
    assert broken.keys() == {"file", "error"} and broken["file"] == "bad.png" and last["label"] == "blue"
    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        f"Warning: {broken['error']}",
        "Error: 1 of 3 files could not be read; each is named above with what to do, and the others are done",
    ]


def test_sheets_and_their_table_are_written(folder: Path, run_cli: Run) -> None:
    result = run_cli("predict", "weights.npz", "in", "in/red.png", "--out", "my sheets")
    assert result.exit_code == 0 and "Sheets and predictions.csv are in 'my sheets'" in result.stdout
    names = {path.name for path in (folder / "my sheets").iterdir()}
    assert names == {f"{name}-evidence.png" for name in (*COLOURS, "red-2")} | {"predictions.csv"}
    entry = json.loads(run_cli("predict", "weights.npz", "in/red.png", "--out", "s", "--json").stdout)[
        "predictions"
    ][0]
    assert entry["sheet"] == os.path.join("s", "red-evidence.png") and Path(entry["sheet"]).exists()  # noqa: PTH118


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["weights.npz"], 2, "Missing argument 'INPUT...'"),
        (
            ["weights.npz", "in", "--top", "0"],
            2,
            "Error: --top: expected a whole number from 1 to 1,000,000, got 0",
        ),
        (
            ["missing.npz", "in"],
            3,
            "Error: missing.npz: expected a run folder or a weights.npz, found no such",
        ),
        (["bad.png", "in"], 3, "Error: bad.png: "),
        (
            ["rows.npz", "in"],
            3,
            "Error: rows.npz: expected a model of grey or RGB images, found one of 12 features; ",
        ),
        (
            ["weights.npz", "bad.png"],
            3,
            "Error: bad.png: expected a whole image, found text that begins with 'no image'",
        ),
        (
            ["weights.npz", "missing.png"],
            3,
            "Error: missing.png: expected a readable image file, found No such file",
        ),
        (["weights.npz", "empty"], 3, "Error: empty: expected image files (.png, "),
        (["weights.npz", "in", "--probabilities"], 2, "--probabilities: expected --format csv or jsonl"),
        (["weights.npz", "in", "--out", "in"], 2, "Error: --out in: expected a folder apart from the images"),
        (["weights.npz", "in", "--out", "bad.png"], 2, "Error: bad.png: cannot be written"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: list[str], code: int, said: str, folder: Path, run_cli: Run
) -> None:
    (folder / "empty").mkdir()
    before = sorted(folder.rglob("*"))
    result = run_cli("predict", *arguments)
    assert result.exit_code == code and said in result.stderr and result.stdout == ""
    assert code == 2 or len(result.stderr.splitlines()) == 1
    assert sorted(folder.rglob("*")) == before


def test_only_broken_files_give_no_table(folder: Path, run_cli: Run) -> None:
    result = run_cli("predict", "weights.npz", "bad.png", "bad.png")
    assert result.exit_code == 3 and result.stdout == "" and "2 of 2 files could not be read" in result.stderr


def test_hinge_models_say_what_their_probabilities_are(folder: Path, run_cli: Run) -> None:
    W = np.ones((12, 2), np.float32)
    save_model(
        folder / "hinge.npz",
        LinearModel(W, np.zeros(2, np.float32), ("a", "b"), image_shape=(3, 2, 2), loss="hinge"),
    )
    result = run_cli("predict", "hinge.npz", "in", "--quiet")
    assert result.exit_code == 0
    assert "Warning: of the probabilities: the hinge loss trains margins, not probabilities" in result.stderr


def test_names_that_no_terminal_can_show_are_printed_as_escapes(folder: Path, run_cli: Run) -> None:
    odd = [os.fsdecode(b"in/\xff.png"), "in/two\nlines.png"]
    for name in odd:
        Image.new("RGB", (2, 2), "red").save(folder / name)
    result = run_cli("predict", "weights.npz", *odd)
    assert "in/\\udcff.png" in result.stdout and "in/two\\nlines.png" in result.stdout
    files = [
        entry["file"]
        for entry in json.loads(run_cli("predict", "weights.npz", *odd, "--json").stdout)["predictions"]
    ]
    assert files == ["in/\\udcff.png", "in/two\nlines.png"]
