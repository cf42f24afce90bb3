"""`softmaxclf visualize-weights`: what it says, what it writes and how it ends."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from softmaxclf.cli.main import cli


@pytest.fixture(scope="module")
def model(undrawn: None, sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli-visualize") / "run"
    command = ["train", "--data", str(sample_folder), "--iterations", "50", "--out", str(folder)]
    assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "said", "written"),
    [
        (["--out", "here/a.png"], 0, ["Wrote here/a.png"], ["a.png"]),
        (
            ["--out", "here/a.svg", "--view", "signed", "--classes", "0,3", "--columns", "1"],
            0,
            ["a.svg"],
            ["a.svg"],
        ),
        (
            ["--out", "here/a.png", "--csv", "here/w.csv"],
            0,
            ["a.png", "Wrote here/w.csv"],
            ["a.png", "w.csv"],
        ),
        (
            ["--out", "here/a.png", "--table", "--classes", "2"],
            0,
            ["least", "at channel, row, column", "1, 31, 18"],
            ["a.png"],
        ),
        (["--out", "here/a.png", "--examples", "--classes", "2"], 0, ["a.png"], ["a.png"]),
        (["--out", "here/a.xyz"], 2, ["ending in .png", "got the ending .xyz"], []),
        (["--out", "here/weights.npz"], 2, ["got the ending .npz"], []),
        (["--out", "here/a.png", "--classes", "no such class"], 2, ["expected a class name or an index"], []),
        (
            ["--out", "here/a.png", "--columns", "0"],
            2,
            ["Error: --columns: expected a whole number from 1 to 50, got 0"],
            [],
        ),
        (["--out", "here/a.png", "--columns", "3", "--examples"], 2, ["which has its own layout"], []),
        (["--out", "here/a.png", "--data", "sample"], 2, ["--data is for --examples"], []),
        (["--out", "here/a.png", "--examples", "--data", "none"], 3, ["none: expected a source"], []),
        (["--view", "pretty"], 2, ["'pretty' is not one of"], []),
    ],
)
def test_what_is_said_and_written(
    model: Path,
    run_cli: Callable[..., Result],
    tmp_path: Path,
    arguments: list[str],
    code: int,
    said: list[str],
    written: list[str],
) -> None:
    result = run_cli("visualize-weights", model, *arguments)
    assert result.exit_code == code, result.output
    text = result.stdout if code == 0 else result.stderr
    assert all(each in text for each in said), text
    assert sorted(file.name for file in tmp_path.glob("here/*")) == written


def test_the_json_document_holds_the_numbers(model: Path, run_cli: Callable[..., Result]) -> None:
    result = run_cli(
        "visualize-weights", model, "--json", "--out", "a.png", "--classes", "1,0", "--view", "difference"
    )
    document = json.loads(result.stdout)
    assert (document["picture"], document["view"]) == ("a.png", "difference")
    assert [each["index"] for each in document["classes"]] == [1, 0]
    assert document["classes"][0]["least"] < 0 < document["classes"][0]["greatest"]


def test_a_model_that_is_missing_ends_with_exit_3(run_cli: Callable[..., Result]) -> None:
    result = run_cli("visualize-weights", "nowhere")
    assert result.exit_code == 3 and "nowhere" in result.stderr and "no such file or folder" in result.stderr
