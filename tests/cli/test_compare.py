"""`softmaxclf compare`: what it says, what it writes and how it ends."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from softmaxclf.cli.main import cli


@pytest.fixture(scope="module")
def runs(undrawn: None, features_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `a`, `b` (hinge) and `c` (like a, with another seed) in one folder."""
    folder = tmp_path_factory.mktemp("cli-compare")
    common = ["train", "--data", str(features_file), "--iterations", "50", "--learning-rate", "0.05",
              "--regularization", "0.01", "--set", "data.validation=100"]  # fmt: skip
    for name, setting in {"a": "training.seed=0", "b": "training.loss=hinge", "c": "training.seed=1"}.items():
        command = [*common, "--set", setting, "--out", str(folder / name)]
        assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0
    return folder


@pytest.mark.parametrize(
    ("names", "arguments", "code", "said", "written"),
    [
        ("ab", [], 0, ["training.loss", "softmax  hinge", "a : b", "hinge losses are different quantities", "unknown",
                       "tune --repeats 5 measures it"], []),
        ("abc", ["--split", "validation"], 0, ["of the same 100 validation rows", "not corrected for making 3 tests",
                                               "up to ", "Means are over the seeds"], []),
        ("ac", ["--out", "here"], 0, ["comparison.json are in here", "Open here/comparison.html",
                                      "this, training noise",
                                      "differ only in seeds are equally good"],
         ["compare.csv", "compare.png", "comparison.html", "comparison.json", "curves.png", "pairs.csv"]),
        ("a", [], 2, ["expected at least two models, got 1"], []),
        ("aa", [], 2, ["one of them twice"], []),
        ("", [], 2, ["Missing argument 'RUN RUN...'"], []),
        ("ax", [], 3, ["no such file or folder"], []),
        ("ac", ["--data", "sample"], 3, ["expected rows of 12 columns"], []),
    ],
)  # fmt: skip
def test_what_is_said_and_written(
    runs: Path,
    run_cli: Callable[..., Result],
    tmp_path: Path,
    names: str,
    arguments: list[str],
    code: int,
    said: list[str],
    written: list[str],
) -> None:
    result = run_cli("compare", *(runs / name for name in names), *arguments)
    assert result.exit_code == code, result.output
    text = result.stdout if code == 0 else result.stderr
    assert all(each in text for each in said), text
    assert sorted(file.name for file in tmp_path.glob("here/*")) == written


def test_the_same_settings_are_said_to_be_the_same(
    runs: Path, run_cli: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "copy.npz").write_bytes((runs / "a" / "weights.npz").read_bytes())
    result = run_cli("compare", runs / "a", "copy.npz")
    assert "were made with the same settings on the same data" in result.stdout


def test_the_json_document_holds_models_and_pairs(runs: Path, run_cli: Callable[..., Result]) -> None:
    document = json.loads(run_cli("compare", runs / "a", runs / "c", "--json").stdout)
    assert document["settings"] == {"training.seed": ["0", "1"]}
    assert [model["name"] for model in document["models"]] == ["a", "c"]
    assert document["pairs"][0]["rows"] == document["rows"] == 100


def test_the_folder_of_a_run_is_refused_with_exit_5(runs: Path, run_cli: Callable[..., Result]) -> None:
    result = run_cli("compare", runs / "a", runs / "c", "--out", runs / "a")
    assert result.exit_code == 5 and "choose another folder" in result.stderr
