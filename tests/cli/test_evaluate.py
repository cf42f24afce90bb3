"""`softmaxclf evaluate`: what it says, what it writes and how it ends."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from softmaxclf.cli.main import cli


@pytest.fixture(scope="module")
def model(undrawn: None, features_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli-evaluate") / "run"
    command = ["train", "--data", features_file, "--iterations", 50, "--learning-rate", 0.1, "--out", folder,
               "--regularization", 0.01, "--set", "data.validation=100", "--test"]  # fmt: skip
    assert CliRunner().invoke(cli, [str(each) for each in command], catch_exceptions=False).exit_code == 0
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "said", "written"),
    [
        ([], 0, ["of 100 rows of features are labelled right", "log-loss", "most confused"], []),
        (["--split", "train"], 0, ["300", "always saying"], []),
        (["--split", "all"], 2, ["'all' is not one of 'train', 'validation', 'test'"], []),
        (["--data", "nothing.npz"], 3, ["nothing.npz: expected a source"], []),
        (["--data", "sample"], 3, ["expected rows of 12 columns, as the model was trained on, found 3,072"], []),
        (["--out", "here"], 0, ["evaluation.json are in here"], ["confusion.csv", "confusion.png",
          "evaluation.json", "per_class.csv", "reliability.csv", "reliability.png"]),
        (["--calibrate", "--calibrated-out", "here/t.npz"], 0, ["Temperature", "here/t.npz", "its labels are the same"],
         ["t.npz"]),
        (["--calibrated-out", "here/t.npz"], 2, ["--calibrated-out is for --calibrate"], []),
        (["--calibrate", "--calibrated-out", "t.png"], 2, ["expected a name ending in .npz, got t.png"], []),
    ],
)  # fmt: skip
def test_what_is_said_and_written(
    model: Path,
    run_cli: Callable[..., Result],
    tmp_path: Path,
    arguments: list[str],
    code: int,
    said: list[str],
    written: list[str],
) -> None:
    result = run_cli("evaluate", model, *arguments)
    assert result.exit_code == code, result.output
    text = result.stdout if code == 0 else result.stderr
    assert all(each in text for each in said), text
    assert sorted(file.name for file in tmp_path.glob("here/*")) == written
    assert not (model / "evaluation.json").exists() and not (model / "weights-calibrated.npz").exists()


def test_the_folder_of_a_run_is_refused_with_exit_5(model: Path, run_cli: Callable[..., Result]) -> None:
    result = run_cli("evaluate", model, "--out", model)
    assert result.exit_code == 5 and "choose another folder" in result.stderr


def test_a_file_that_is_no_model_ends_with_exit_3(
    features_file: Path, run_cli: Callable[..., Result]
) -> None:
    result = run_cli("evaluate", features_file)
    assert result.exit_code == 3 and "expected a model with" in result.stderr


def test_the_json_document_has_the_keys_of_a_split_and_more(
    model: Path, run_cli: Callable[..., Result]
) -> None:
    result = run_cli("evaluate", model, "--json")
    document = json.loads(result.stdout)
    recorded = json.loads((model / "metrics.json").read_text())["splits"]["test"]
    assert {name: document[name] for name in recorded} == recorded
    assert document["split"] == "test" and len(document["per_class"]) == len(document["confusion"]) == 3
    assert set(document["per_class"][0]) >= {"class", "precision", "recall", "f1", "support"}
    assert sum(map(sum, document["confusion"])) == document["rows"]
