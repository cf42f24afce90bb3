"""Evaluation of a saved model: the figures are the run's own, and agree with plain counting."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from softmaxclf.cli.main import cli
from softmaxclf.core.losses.softmax import cross_entropy
from softmaxclf.core.metrics import brier_score, outcome_bins, wilson_interval
from softmaxclf.core.model import LinearModel
from softmaxclf.datasets.sources import open_source
from softmaxclf.errors import ConfigError, DataError, ModelError, OutputError, RunConflictError
from softmaxclf.model_file import load_model, save_model
from softmaxclf.workflows.models.evaluate import evaluate
from softmaxclf.workflows.models.model_rows import open_rows
from softmaxclf.workflows.observer import Observer


class Listener(Observer):
    """Keeps the warnings and notes."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.notes: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)


def table(path: Path) -> list[list[str]]:
    """The lines of a CSV file, its header among them."""
    return list(csv.reader(path.read_text().splitlines()))


def train(*arguments: object) -> None:
    result = CliRunner().invoke(cli, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def run(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror-folded model of 50 iterations on the sample, its test split scored."""
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    train("train", "--data", sample_folder, "--iterations", 50, "--learning-rate", 1e-6, "--regularization", 10,
          "--set", "preprocessing.mirror=true", "--test", "--out", folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def hinge_run(undrawn: None, features_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hinge") / "run"
    train("train", "--data", features_file, "--iterations", 50, "--learning-rate", 0.05, "--regularization", 0.01,
          "--set", "training.loss=hinge", "--set", "data.validation=100", "--out", folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def refit_run(undrawn: None, features_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refit") / "run"
    train("tune", "--data", features_file, "--iterations", 20, "--learning-rates", 0.05, "--regularizations", 0.01,
          "--folds", 2, "--out", folder)  # fmt: skip
    return folder


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.slow
def test_the_counts_equal_those_that_the_run_recorded_also_from_a_copied_file(
    run: Path, tmp_path: Path, split: str
) -> None:
    recorded = json.loads((run / "metrics.json").read_text())["splits"][split]
    alone = tmp_path / "alone.npz"
    shutil.copy(run / "weights.npz", alone)
    for model in (run, alone):
        listener = Listener()
        found = evaluate(model, listener, split=split)
        assert {name: found[name] for name in recorded} == recorded
        assert found["split"] == split and listener.warnings == []
    assert list(tmp_path.iterdir()) == [alone]


def test_every_figure_agrees_with_plain_counting(run: Path, sample_folder: Path) -> None:
    found = evaluate(run, Observer())
    test = open_source(str(sample_folder), Path("data")).test()
    model = load_model(run)
    scores, probabilities = model.scores(test.X).astype(np.float64), model.predict_proba(test.X)
    predicted = model.predict(test.X)
    expected = np.zeros((10, 10), int)
    for truth, label in zip(test.y, predicted, strict=True):
        expected[truth, label] += 1
    assert found["confusion"] == expected.tolist()
    assert found["log_loss"] == pytest.approx(np.mean(cross_entropy(scores, test.y)), rel=1e-9)
    assert found["brier"] == pytest.approx(brier_score(probabilities, test.y), rel=1e-5)
    assert found["calibration_error"] == pytest.approx(
        outcome_bins(probabilities.max(axis=1), probabilities.argmax(axis=1) == test.y).expected_error(),
        abs=1e-5,
    )
    for k, each in enumerate(found["per_class"]):
        hits, support, called = expected[k, k], int((test.y == k).sum()), int((predicted == k).sum())
        assert (each["support"], each["predicted"]) == (support, called)
        assert each["recall"] == hits / support
        assert each["recall_interval"] == list(wilson_interval(hits, support))
        assert each["precision"] == (hits / called if called else None)
    errors = expected.copy()
    np.fill_diagonal(errors, 0)
    worst = found["confused_pairs"][0]
    names = model.class_names
    assert (
        worst["rows"] == errors.max() == errors[names.index(worst["true"]), names.index(worst["predicted"])]
    )
    baseline = np.bincount(open_source(str(sample_folder), Path("data")).train.y).argmax()
    assert found["baseline"]["class"] == names[baseline]
    assert found["baseline"]["correct"] == int((test.y == baseline).sum())


def test_the_training_rows_are_read_for_the_test_split_only_where_the_model_does_not_name_the_baseline(
    run: Path, sample_folder: Path, tmp_path: Path
) -> None:
    broken, expected = tmp_path / "broken", evaluate(run, Observer())
    shutil.copytree(sample_folder, broken)
    (broken / "data_batch_1").write_bytes(b"broken")
    found = evaluate(run, Observer(), source=str(broken))
    assert (found["accuracy"], found["baseline"]) == (expected["accuracy"], expected["baseline"])
    model = load_model(run)
    for recorded in (None, -1, 10, True, "0"):
        model.provenance["data"]["majority"] = recorded  # type: ignore[index]
        save_model(tmp_path / "old.npz", model)
        again = evaluate(tmp_path / "old.npz", Observer(), source=str(sample_folder))
        assert again["baseline"] == expected["baseline"]
    with pytest.raises(DataError, match="data_batch_1"):
        evaluate(tmp_path / "old.npz", Observer(), source=str(broken))


@pytest.mark.slow
def test_the_folder_holds_the_figures_as_tables_and_pictures(run: Path, tmp_path: Path) -> None:
    found = evaluate(run, Observer(), split="validation", out=tmp_path / "out")
    folder = tmp_path / "out"
    assert sorted(file.name for file in folder.iterdir()) == sorted(found["files"])
    stored = json.loads((folder / "evaluation.json").read_text())
    assert stored["confusion"] == found["confusion"] and stored["accuracy"] == found["accuracy"]
    lines = table(folder / "confusion.csv")
    assert [[int(count) for count in line[1:]] for line in lines[1:]] == found["confusion"]
    assert lines[0][1:] == [line[0] for line in lines[1:]] == list(load_model(run).class_names)
    header, *bins = table(folder / "reliability.csv")
    counts = [int(line[header.index("rows")]) for line in bins]
    assert sum(counts) == found["rows"]
    empty = bins[counts.index(0)]
    assert empty[header.index("accuracy")] == empty[header.index("confidence")] == ""
    header, *classes = table(folder / "per_class.csv")
    recalls = [float(line[header.index("recall")]) for line in classes]
    assert recalls == [each["recall"] for each in found["per_class"]]
    for name in ("confusion.png", "reliability.png", "confused-pairs.png"):
        with Image.open(folder / name) as picture:
            assert picture.width > 400


def test_rows_that_are_no_images_have_no_sheet_of_examples(hinge_run: Path, tmp_path: Path) -> None:
    found = evaluate(hinge_run, Observer(), out=tmp_path / "out")
    assert "confused-pairs.png" not in found["files"] and (tmp_path / "out" / "confusion.png").exists()


def test_of_a_hinge_model_the_loss_is_hinge_and_the_probabilities_are_said_to_be_of_its_scores(
    hinge_run: Path,
) -> None:
    found = evaluate(hinge_run, Observer(), split="validation")
    recorded = json.loads((hinge_run / "metrics.json").read_text())["splits"]["validation"]
    assert found["loss_function"] == "hinge" and found["loss"] == recorded["loss"] != found["log_loss"]
    assert "the hinge loss trains margins, not probabilities" in found["probabilities"]


def test_a_class_that_is_never_predicted_gives_null_and_not_nan(
    run: Path, tmp_path: Path, run_cli: Callable[..., Any]
) -> None:
    model = load_model(run)
    model.b[3] = -1e9
    save_model(tmp_path / "model.npz", model)
    result = run_cli("evaluate", tmp_path / "model.npz", "--json")
    document = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(name))
    each = document["per_class"][3]
    assert each["precision"] is None and each["precision_interval"] == [None, None]
    assert each["predicted"] == 0 and each["recall"] == 0


def test_other_rows_and_classes_without_names_are_warned_of(
    features_file: Path, hinge_run: Path, tmp_path: Path
) -> None:
    with np.load(features_file) as arrays:
        other = {name: array for name, array in arrays.items() if name != "class_names"}
    other["X_train"] = other["X_train"] + 1
    np.savez(tmp_path / "other.npz", **other)
    listener = Listener()
    evaluate(hinge_run, listener, split="train", source=str(tmp_path / "other.npz"))
    names, rows = listener.warnings
    assert "class 0 is called '0' there and 'a' in the model" in names
    assert "not the rows that the model was trained on" in rows


@pytest.mark.parametrize(
    ("own", "names", "labels", "wanted"),
    [
        ("abc", "abc", None, None),
        ("abc", "ab", None, None),
        ("abc", "cab", [2, 0, 1], "note"),
        ("abc", "bc", [1, 2], "note"),
        ("abc", "012", None, "warning"),
        ("abc", "123", None, "warning"),
        ("abc", "12", [1, 2], "warning"),
        ("012", "abc", None, "warning"),
        ("abc", "abd", "(a, b, c), found 'd'; ", "error"),
        ("abc", "xyz", "found 'x', 'y', 'z'; ", "error"),
        ("abc", "0123", "found '0', '1', '2', '3'; ", "error"),
        ("012", "013", "(0, 1, 2), found '3'; ", "error"),
        ("012", "ab", "found 'a', 'b'; ", "error"),
    ],
)
def test_classes_are_those_of_the_model_by_name_or_else_by_number(
    own: str, names: str, labels: Any, wanted: str | None, tmp_path: Path
) -> None:
    rows = np.arange(8, dtype=np.float32).reshape(4, 2)
    y = np.arange(4) % len(names)
    np.savez(tmp_path / "d.npz", X_train=rows, y_train=y, X_test=rows, y_test=y, class_names=list(names))
    model = LinearModel(np.ones((2, 3), np.float32), np.zeros(3, np.float32), tuple(own))
    listener = Listener()
    if wanted == "error":
        with pytest.raises(DataError, match=re.escape(labels)):
            open_rows(model, str(tmp_path / "d.npz"), listener, only_test=True)
        return
    found = open_rows(model, str(tmp_path / "d.npz"), listener, only_test=True)
    assert (None if found.labels is None else found.labels.tolist()) == labels
    assert bool(listener.warnings) == (wanted == "warning")
    assert any("found among the model's by name" in note for note in listener.notes) == (wanted == "note")


def test_a_refitted_model_is_scored_on_all_training_rows_but_has_no_validation_rows(refit_run: Path) -> None:
    assert evaluate(refit_run, Observer(), split="train")["rows"] == 400
    with pytest.raises(ConfigError, match="it was refitted on all training rows; use --split test"):
        evaluate(refit_run, Observer(), split="validation")


def test_the_folder_of_a_run_is_not_written_into(run: Path) -> None:
    before = {file: file.read_bytes() for file in run.iterdir() if file.is_file()}
    with pytest.raises(RunConflictError, match="whose own pictures would be replaced"):
        evaluate(run, Observer(), out=run)
    assert {file: file.read_bytes() for file in run.iterdir() if file.is_file()} == before


def test_rows_whose_scores_overflow_give_one_clear_error(hinge_run: Path, tmp_path: Path) -> None:
    towards = 3e38 * np.sign(load_model(hinge_run).W[:, 0])
    np.savez(
        tmp_path / "huge.npz",
        X_train=np.ones((4, 12), np.float32),
        y_train=[0, 1, 2, 0],
        class_names=["a", "b", "c"],
        X_test=np.stack([towards, -towards]).astype(np.float32),
        y_test=[0, 1],
    )
    with pytest.raises(DataError, match="expected rows with finite scores"):
        evaluate(hinge_run, Observer(), source=str(tmp_path / "huge.npz"))


def test_a_file_where_the_folder_belongs_gives_one_clear_error(hinge_run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        evaluate(hinge_run, Observer(), out=tmp_path / "out")


@pytest.mark.parametrize(
    "config", [{"data": {"validation": "many"}}, {"data": {"seed": -1}}, {"data": {"source": ""}}]
)
def test_a_model_with_impossible_settings_of_its_own_gives_one_clear_error(
    hinge_run: Path, tmp_path: Path, config: dict[str, Any]
) -> None:
    model = load_model(hinge_run)
    model.provenance["config"].update(config)  # type: ignore[union-attr]
    save_model(tmp_path / "model.npz", model)
    with pytest.raises(ModelError, match="the model's own settings"):
        evaluate(tmp_path / "model.npz", Observer())


@pytest.mark.parametrize(
    "provenance", [{}, {"config": 3, "data": [1]}, {"config": {"data": 3, "other": {"x": 1}}}]
)
def test_a_model_that_does_not_say_how_it_was_made_is_scored_on_named_data(
    hinge_run: Path, features_file: Path, tmp_path: Path, provenance: dict[str, Any]
) -> None:
    model = load_model(hinge_run)
    model.provenance.clear()  # type: ignore[attr-defined]
    model.provenance.update(provenance)  # type: ignore[attr-defined]
    save_model(tmp_path / "model.npz", model)
    found = evaluate(tmp_path / "model.npz", Observer(), source=str(features_file))
    assert found["correct"] == evaluate(hinge_run, Observer())["correct"]
