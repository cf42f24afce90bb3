"""What --json prints is what `softmaxclf schema` says of it, errors included, and nothing else is on stdout."""

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator
from PIL import Image

from softmaxclf.cli.main import cli
from softmaxclf.cli.schemas import DOCUMENTS, schema_of
from tests.cli.test_help import COMMANDS

TRAIN = "train --data data.npz --solver sgd --iterations 5 --out"
# Each command once right, in all the shapes that its answer has, and then wrong.
RIGHT = (
    f"{TRAIN} new --test",
    "train --data data.npz --loss hinge --iterations 5",
    "train --data data.npz --regularization 0.1 --validation 0",
    "tune --data data.npz --learning-rates 0.01,1e30 --regularizations 0.1 --iterations 20",
    "tune --data data.npz --regularizations 0.1,1 --folds 2 --select one-se",
    "tune --data data.npz --regularizations 0.1,1 --repeats 2 --shots 20",
    "tune --data data.npz --dry-run",
    "tune --data data.npz --learning-rates 0.01,0.1 --iterations 20 --dry-run",
    "evaluate model",
    "evaluate model --split validation --calibrate --calibrated-out honest.npz --out evaluation",
    "predict model rows.npy",
    "predict model rows.npy --out predictions.csv",
    "predict images red.png",
    "predict images red.png --out sheet",
    "predict images red.png red.png --out sheets",
    "visualize-weights model",
    "visualize-weights images --csv weights.csv --out templates.png",
    "report model",
    "report .",
    "compare model other",
    "compare model other --out comparison",
    "page images",
    "export model --format json --overwrite",
    "data sample drawn",
    "data verify --directory drawn",
    "data describe data.npz",
    "data describe drawn --out sheet.png",
    "explain 1 2 3",
    "explain 1 -2 3 --label 0",
    "gradcheck --data data.npz --rows 20 --loss hinge",
    "config --learning-rate 0.1 --set data.seed=3",
    "schema predict",
    "completion fish",
)
WRONG = (
    "train --data nothere", "tune --data data.npz --folds x", "evaluate nothere", "predict model nothere.npy",
    "predict images red.png broken.png", "visualize-weights nothere", "report nothere", "compare model",
    "page nothere", "export nothere --format json", "data download nothere", "data verify --directory nothere",
    "data describe nothere", "data sample data.npz", "explain x", "gradcheck --rows 1", "config --folds 1",
    "schema nothere", "completion cmd",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, features_file: Path, undrawn: None) -> Iterator[Path]:
    """A folder with data, two models of it, one of images, and an image."""
    folder = tmp_path_factory.mktemp("schemas")
    (folder / "data.npz").write_bytes(features_file.read_bytes())
    with np.load(features_file) as file:
        np.save(folder / "rows.npy", file["X_test"])
    pixels = np.random.default_rng(0).integers(0, 256, (60, 48)).astype(np.uint8)
    np.savez(folder / "pixels.npz", X_train=pixels.reshape(60, 4, 4, 3), y_train=np.arange(60) % 3)
    Image.fromarray(pixels[0].reshape(4, 4, 3)).save(folder / "red.png")
    (folder / "broken.png").write_bytes(b"nothing")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in (f"{TRAIN} model", f"{TRAIN} other --seed 3", f"{TRAIN} images --data pixels.npz"):
            assert invoke(line).exit_code == 0
        yield folder


def invoke(line: str) -> Result:
    return CliRunner().invoke(cli, shlex.split(line))


def closed(schema: Any) -> Any:
    """The schema with nothing allowed that it does not name."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if "required" in made and isinstance(made.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made


def command_of(line: str) -> str:
    words = line.split()
    return " ".join(words[:2]) if words[0] == "data" else words[0]


def checked(line: str, result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    schema = closed(schema_of(command_of(line)))
    problems = [
        (list(each.absolute_path), each.message[:200])
        for error in Draft202012Validator(schema).iter_errors(document)
        for each in error.context or [error]
    ]
    assert problems == [], line
    return document


@pytest.mark.parametrize("line", RIGHT)
@pytest.mark.slow
def test_an_answer_holds_to_its_schema(line: str, place: Path) -> None:
    result = invoke(f"{line} --json")
    assert result.exit_code == 0, result.output
    assert "error" not in checked(line, result)


@pytest.mark.parametrize("line", WRONG)
def test_an_error_holds_to_its_schema(line: str, place: Path) -> None:
    result = invoke(f"{line} --json")
    assert result.exit_code in (2, 3)
    document = checked(line, result)
    assert document.get("error", {"exit_code": 3})["exit_code"] == result.exit_code


def test_every_command_has_a_schema_that_is_one_and_was_tried() -> None:
    names = {" ".join(words) for words in COMMANDS} - {"data"}
    assert (
        names
        == {*DOCUMENTS}
        == {command_of(line) for line in (*RIGHT, "data download")}
        == {command_of(line) for line in WRONG}
    )
    for name in names:
        Draft202012Validator.check_schema(schema_of(name))


def test_a_download_holds_to_its_schema(
    run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softmaxclf.workflows.data.download", lambda *request: Path("data/file"))
    checked("data download", run_cli("data", "download", "mnist", "--json"))


def test_the_schema_is_printed_as_it_stands(run_cli: Callable[..., Result]) -> None:
    assert json.loads(run_cli("schema", "tune").stdout) == schema_of("tune")
    assert json.loads(run_cli("schema", "data describe").stdout) == schema_of("data describe")
    refused = run_cli("schema", "trian")
    assert refused.exit_code == 2 and "train" in refused.stderr


def test_a_schema_can_refuse() -> None:
    """The validator of these tests sees a missing key, another type, and a key that the form does not name."""
    good = {"schema_version": 1, "run": "r", "report": "r.html"}
    validator = Draft202012Validator(closed(schema_of("report")))
    assert validator.is_valid(good)
    for bad in (
        {**good, "run": 1},
        {**good, "more": 1},
        {"schema_version": 1, "run": "r"},
        {**good, "schema_version": 2},
    ):
        assert not validator.is_valid(bad)
