"""`softmaxclf train` from the command line to the files that it leaves."""

import csv
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from softmaxclf import load_model
from softmaxclf.config import load_config
from softmaxclf.core.solvers.sgd.solver import SGD
from softmaxclf.core.splits import validation_split
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.datasets.sources import open_source
from softmaxclf.model_file import save_model
from softmaxclf.runs import RunFolder
from softmaxclf.workflows.runs import training

pytestmark = pytest.mark.usefixtures("no_pictures")
SMALL = ("--set", "data.validation=100")
QUICK = ("--iterations", "60", "--learning-rate", "0.1", "--regularization", "0.01", *SMALL)
IMAGES = ("--iterations", "60", "--learning-rate", "3e-7", "--regularization", "100")
SPLIT_KEYS = {"accuracy", "interval", "loss", "rows"}


def read_csv(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def read_npz(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def train(run_cli, data, out, *more, quick=QUICK):
    result = run_cli("train", "--data", data, *quick, "--out", out, *more)
    assert result.exit_code == 0, result.stderr
    return result


def forbid(monkeypatch, owner, name, what):
    def fail(*arguments, **choices):
        pytest.fail(what)

    monkeypatch.setattr(owner, name, fail)


def artifacts(folder):
    """The bytes of all files of a run but those that hold times."""
    timed = ("manifest.json", "metrics.json", "report.html")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name not in timed}


# What a run leaves


def test_a_run_folder_holds_what_the_design_names_and_nothing_else_of_an_unfinished_run(
    run_cli, features_file, tmp_path, with_pictures
):
    train(run_cli, features_file, tmp_path / "run", "--test")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    expected = {"config.yaml", "manifest.json", "weights.npz", "metrics.json", "history.csv"}
    assert expected | {"templates.png", "curves.png", "confusion.png"} <= names
    assert not [name for name in names if "checkpoint" in name or name.endswith((".tmp", ".lock"))]
    for name in ("templates.png", "curves.png", "confusion.png"):
        assert (tmp_path / "run" / name).read_bytes().startswith(b"\x89PNG")


def test_the_weights_are_plain_arrays_that_numpy_reads_without_pickle(run_cli, features_file, tmp_path):
    train(run_cli, features_file, tmp_path / "run")
    arrays = read_npz(tmp_path / "run" / "weights.npz")
    assert arrays["W"].shape == (12, 3) and arrays["W"].dtype == np.float32
    assert arrays["b"].shape == (3,)
    assert arrays["class_names"].tolist() == ["a", "b", "c"]
    assert {"format_version", "checksum", "offset", "scale"} <= set(arrays)


def test_the_configuration_that_was_used_reloads_to_equal_values(run_cli, features_file, tmp_path):
    train(run_cli, features_file, tmp_path / "run", "--seed", "7")
    saved = load_config(tmp_path / "run" / "config.yaml")
    options = {
        "data.source": str(features_file), "data.validation": 100, "training.iterations": 60,
        "training.learning_rate": 0.1, "training.regularization": 0.01, "training.seed": 7,
    }  # fmt: skip
    assert saved == load_config(options=options)


def test_the_manifest_says_with_what_and_on_what_the_run_was_made(run_cli, features_file, tmp_path):
    train(run_cli, features_file, tmp_path / "run")
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert {"format_version", "softmaxclf", "python", "numpy", "blas", "threads"} <= set(manifest)
    assert {"command_line", "started", "ended", "seconds", "status"} <= set(manifest)
    assert manifest["numpy"] == np.__version__ and manifest["status"] == "finished"
    assert re.fullmatch("[0-9a-f]{64}", manifest["data"]["fingerprint"])
    assert manifest["data"]["train_rows"] == 300 and manifest["data"]["validation_rows"] == 100


def test_the_history_ends_with_the_last_iteration_and_the_metrics_accuracy(run_cli, features_file, tmp_path):
    train(run_cli, features_file, tmp_path / "run")
    lines = read_csv(tmp_path / "run" / "history.csv")
    assert list(lines[0]) == ["iteration", "loss", "train_accuracy", "validation_accuracy", "validation_loss"]
    iterations = [int(line["iteration"]) for line in lines]
    assert iterations == sorted(set(iterations)) and iterations[-1] == 60
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    validation = metrics["splits"]["validation"]
    assert float(lines[-1]["validation_accuracy"]) == validation["accuracy"]
    assert float(lines[-1]["validation_loss"]) == pytest.approx(validation["loss"], rel=1e-5)
    assert float(lines[0]["loss"]) == pytest.approx(np.log(3), abs=0.15)
    assert float(lines[-1]["loss"]) < float(lines[0]["loss"])


def test_json_is_one_document_that_equals_metrics_json(run_cli, features_file, tmp_path):
    result = train(run_cli, features_file, tmp_path / "run", "--json", "--test")
    document = json.loads(result.stdout)
    assert document == json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert {"run", "weights", "splits", "seconds"} <= set(document)
    assert document["run"] == str(tmp_path / "run")
    assert document["weights"] == str(tmp_path / "run" / "weights.npz")
    assert set(document["splits"]) == {"train", "validation", "test"}
    assert all(set(split) >= SPLIT_KEYS for split in document["splits"].values())
    assert [document["splits"][name]["rows"] for name in ("train", "validation", "test")] == [300, 100, 100]
    assert set(document["seconds"]) == {"load", "train", "total"}


def test_the_model_on_disk_scores_exactly_what_the_run_recorded(run_cli, features_file, tmp_path):
    train(run_cli, features_file, tmp_path / "run", "--test")
    model, data = load_model(tmp_path / "run"), read_npz(features_file)
    splits = json.loads((tmp_path / "run" / "metrics.json").read_text())["splits"]
    trained, held_out = validation_split(data["y_train"], 100, "drawn", 0)
    assert np.count_nonzero(model.predict(data["X_test"]) == data["y_test"]) == splits["test"]["correct"]
    for name, rows in (("train", trained), ("validation", held_out)):
        hits = model.predict(data["X_train"][rows]) == data["y_train"][rows]
        assert np.count_nonzero(hits) == splits[name]["correct"]
        logs = np.log(model.predict_proba(data["X_train"][rows]))[np.arange(len(rows)), data["y_train"][rows]]
        assert splits[name]["loss"] == pytest.approx(-logs.mean(), rel=1e-5)
    assert splits["test"]["accuracy"] > 0.45, "three classes, and a third is chance"


@pytest.mark.parametrize(
    ("loss", "scale", "mirror"),
    [
        ("softmax", "none", "true"),
        ("softmax", "standardize", "true"),
        ("hinge", "unit-norm", "true"),
        ("hinge", "standardize", "false"),
        ("softmax", "unit-norm", "false"),
    ],
)
@pytest.mark.slow
def test_every_preprocessing_of_images_travels_in_the_model_file(
    loss, scale, mirror, run_cli, sample_folder, tmp_path
):
    rate = "3e-7" if scale == "none" else "0.01"
    chosen = ("--set", f"preprocessing.scale={scale}", "--set", f"preprocessing.mirror={mirror}")
    quick = ("--iterations", "40", "--learning-rate", rate, "--regularization", "0.1")
    out = tmp_path / "run"
    train(run_cli, sample_folder, out, *chosen, "--set", f"training.loss={loss}", "--test", quick=quick)
    model, test = load_model(out), open_source(str(sample_folder), tmp_path).test()
    splits = json.loads((out / "metrics.json").read_text())["splits"]
    assert np.count_nonzero(model.predict(test.X) == test.y) == splits["test"]["correct"]
    assert model.pixel_weights().shape == (3072, 10)
    history = read_csv(out / "history.csv")
    assert float(history[-1]["validation_accuracy"]) == pytest.approx(
        splits["validation"]["accuracy"], abs=0.002
    )
    assert splits["test"]["accuracy"] > 0.2


def test_no_iterations_give_the_untrained_model(run_cli, features_file, tmp_path, with_pictures):
    document = json.loads(
        train(run_cli, features_file, tmp_path / "run", "--iterations", "0", "--json").stdout
    )
    assert document["splits"]["train"]["loss"] == pytest.approx(np.log(3))
    assert not load_model(tmp_path / "run").W.any()


def test_without_validation_rows_the_run_says_nothing_of_them(
    run_cli, features_file, tmp_path, with_pictures
):
    result = train(run_cli, features_file, tmp_path / "run", "--set", "data.validation=0", "--json")
    document = json.loads(result.stdout)
    assert set(document["splits"]) == {"train"} and document["splits"]["train"]["rows"] == 400
    assert read_csv(tmp_path / "run" / "history.csv")[-1]["validation_accuracy"] == ""


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(run_cli, features_file, tmp_path):
    for name, seed in (("first", 3), ("second", 3), ("other", 4)):
        train(run_cli, features_file, tmp_path / name, "--seed", seed)
    first, second, other = (artifacts(tmp_path / name) for name in ("first", "second", "other"))
    assert first == second
    assert first["weights.npz"] != other["weights.npz"]


def test_the_answer_goes_to_stdout_and_the_talk_to_stderr(run_cli, features_file, tmp_path):
    result = train(run_cli, features_file, tmp_path / "run")
    assert "accuracy" in result.stdout and str(tmp_path / "run") in result.stdout
    assert result.stdout.rstrip().splitlines()[-1].startswith("Next: softmaxclf ")
    assert "300 training + 100 validation rows" in result.stderr
    assert "300 training" not in result.stdout
    quiet = train(run_cli, features_file, tmp_path / "quiet", "--quiet")
    assert quiet.stderr == ""


# The test split


def test_the_test_split_is_not_read_unless_asked_for(run_cli, features_file, tmp_path, monkeypatch):
    forbid(monkeypatch, Dataset, "test", "the test split was read")
    result = train(run_cli, features_file, tmp_path / "run", "--json")
    assert set(json.loads(result.stdout)["splits"]) == {"train", "validation"}


def test_the_test_split_can_be_added_to_a_finished_run(run_cli, features_file, tmp_path, monkeypatch):
    train(run_cli, features_file, tmp_path / "run")
    weights = (tmp_path / "run" / "weights.npz").read_bytes()
    train(run_cli, features_file, tmp_path / "whole", "--test")
    forbid(monkeypatch, SGD, "run", "the finished run was trained again")
    result = train(run_cli, features_file, tmp_path / "run", "--test", "--json")
    stored = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert json.loads(result.stdout) == stored
    assert stored["splits"] == json.loads((tmp_path / "whole" / "metrics.json").read_text())["splits"]
    assert (tmp_path / "run" / "weights.npz").read_bytes() == weights
    forbid(monkeypatch, Dataset, "test", "the test split was read again")
    again = train(run_cli, features_file, tmp_path / "run", "--json")
    assert json.loads(again.stdout)["splits"] == stored["splits"]


def test_asking_for_a_test_split_that_is_not_there_is_refused_before_any_work(
    run_cli, features_file, tmp_path
):
    data = read_npz(features_file)
    np.savez(tmp_path / "no-test.npz", X_train=data["X_train"], y_train=data["y_train"])
    result = run_cli("train", "--data", "no-test.npz", *QUICK, "--test", "--out", "run")
    assert result.exit_code == 2
    assert "--test" in result.stderr and "no-test.npz" in result.stderr
    assert not (tmp_path / "run").exists()


# Finding the run again


def test_a_finished_run_is_recognized_and_not_repeated(run_cli, features_file, tmp_path, monkeypatch):
    first = train(run_cli, features_file, tmp_path / "run", "--json")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    forbid(monkeypatch, SGD, "run", "the finished run was trained again")
    second = train(run_cli, features_file, tmp_path / "run", "--json")
    assert "holds this very run, finished" in second.stderr
    assert json.loads(second.stdout) == json.loads(first.stdout)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_a_finished_run_that_was_moved_answers_with_its_new_place(run_cli, features_file, tmp_path):
    train(run_cli, features_file, tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "moved")
    document = json.loads(train(run_cli, features_file, tmp_path / "moved", "--json").stdout)
    assert document["weights"] == str(tmp_path / "moved" / "weights.npz")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("--seed", "5"), ["training.seed: 0 -> 5"]),
        (("--learning-rate", "0.2", "--batch-size", "50"), ["training.learning_rate", "training.batch_size"]),
        (("--set", "preprocessing.center=false"), ["preprocessing.center: true -> false"]),
    ],
)
def test_a_folder_that_holds_another_configuration_is_refused_with_the_keys_that_differ(
    change, named, run_cli, features_file, tmp_path
):
    train(run_cli, features_file, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    result = run_cli("train", "--data", features_file, *QUICK, *change, "--out", tmp_path / "run")
    assert result.exit_code == 5
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("Error: ") and "--overwrite" in line and "--out" in line
    assert all(each in line for each in named)
    assert "training.iterations" not in line
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_settings_that_cannot_change_the_result_do_not_make_another_run(run_cli, features_file, tmp_path):
    train(run_cli, features_file, tmp_path / "run")
    copy = tmp_path / "copy of the data.npz"
    copy.write_bytes(features_file.read_bytes())
    for change in (("--set", "tuning.folds=3"), ("--data", copy), ("--set", "data.directory=elsewhere")):
        assert "holds this very run" in train(run_cli, features_file, tmp_path / "run", *change).stderr


def test_other_data_and_another_command_are_other_runs(run_cli, features_file, sample_folder, tmp_path):
    train(run_cli, features_file, tmp_path / "run")
    result = run_cli("train", "--data", sample_folder, *QUICK, "--out", tmp_path / "run")
    assert result.exit_code == 5 and "data: " in result.stderr
    result = run_cli("tune", "--data", features_file, *SMALL, "--out", tmp_path / "run")
    assert result.exit_code == 5 and "command: train -> tune" in result.stderr


def test_overwrite_replaces_the_run_and_leaves_strangers_alone(run_cli, features_file, tmp_path):
    train(run_cli, features_file, tmp_path / "run")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    train(run_cli, features_file, tmp_path / "run", "--seed", "5", "--overwrite")
    assert load_config(tmp_path / "run" / "config.yaml").training.seed == 5
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    train(run_cli, features_file, tmp_path / "fresh", "--seed", "5")
    weights = [(tmp_path / name / "weights.npz").read_bytes() for name in ("run", "fresh")]
    assert weights[0] == weights[1]


def test_overwrite_replaces_a_run_that_was_evaluated_and_calibrated_in_its_folder(
    run_cli, features_file, tmp_path
):
    """As the example of `softmaxclf evaluate --help` does it; both leave files that no run began with."""
    train(run_cli, features_file, tmp_path / "run")
    evaluated = run_cli("evaluate", tmp_path / "run", "--out", tmp_path / "run" / "evaluation", "--calibrate")
    assert evaluated.exit_code == 0, evaluated.stderr
    train(run_cli, features_file, tmp_path / "run", "--seed", "5", "--overwrite")
    assert load_config(tmp_path / "run" / "config.yaml").training.seed == 5


def test_a_refused_overwrite_has_deleted_nothing(run_cli, features_file, tmp_path):
    train(run_cli, features_file, tmp_path / "run")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    result = run_cli("train", "--data", features_file, *QUICK, "--overwrite", "--seed", "9", "--out", "run")
    after = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    assert result.exit_code == 0 or after == before, "the earlier run is gone, and nothing came in its place"


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_a_folder_of_other_files_is_refused_even_with_overwrite(more, run_cli, features_file, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    result = run_cli("train", "--data", features_file, *QUICK, "--out", tmp_path / "mine", *more)
    assert result.exit_code == 5 and "found other files" in result.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


# The default folder


def default_folder(run_cli, *arguments):
    result = run_cli("train", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["run"]


def test_the_default_folder_is_named_by_settings_and_data(run_cli, features_file, tmp_path):
    name = default_folder(run_cli, "--data", features_file, *QUICK)
    assert re.fullmatch(r"runs/train-[0-9a-f]{8}", name)
    assert default_folder(run_cli, "--data", features_file, *QUICK) == name
    assert default_folder(run_cli, "--data", features_file, *QUICK, "--seed", "1") != name
    data = read_npz(features_file)
    data["X_train"][5, 3] += 1
    np.savez(tmp_path / "other.npz", **data)
    other = default_folder(run_cli, "--data", tmp_path / "other.npz", *QUICK)
    assert other != name and re.fullmatch(r"runs/train-[0-9a-f]{8}", other)
    assert len(list((tmp_path / "runs").iterdir())) == 3


# Divergence


@pytest.mark.parametrize("momentum", ["0", "0.9"])
@pytest.mark.parametrize("strength", ["0.01", "1e4"])
def test_a_diverged_training_exits_4_with_a_learning_rate_that_works(
    momentum, strength, run_cli, features_file, tmp_path
):
    options = (*SMALL, "--regularization", strength, "--set", f"training.momentum={momentum}")
    command = ["train", "--data", features_file, "--iterations", "300", *options]
    result = run_cli(*command, "--learning-rate", "1e30", "--out", "wild")
    assert result.exit_code == 4
    line = result.stderr.strip().splitlines()[-1]
    assert re.search(r"diverged at iteration \d+", line) and "1e30" in line
    suggested = re.search(r"try a learning rate of (\S+) or lower", line)[1]
    assert not (tmp_path / "wild" / "weights.npz").exists()
    tame = run_cli(*command, "--learning-rate", suggested, "--out", "tame", "--json")
    assert tame.exit_code == 0, tame.stderr
    assert json.loads(tame.stdout)["splits"]["train"]["loss"] <= np.log(3) * 1.001


# The module


def test_the_module_runs_as_the_command_does(features_file, tmp_path):
    command = [sys.executable, "-m", "softmaxclf", "train", "--data", str(features_file), *QUICK, "--json"]
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["splits"]["validation"]["rows"] == 100
    wrong = subprocess.run(
        [*command, "--set", "training.batch_size=-1"], cwd=tmp_path, capture_output=True, text=True
    )
    assert wrong.returncode == 2 and "training.batch_size" in wrong.stderr and "Traceback" not in wrong.stderr


# Real data


@pytest.mark.real
@pytest.mark.slow
def test_the_best_recipe_reaches_its_accuracy_on_the_real_test_images(run_cli, real_cifar, tmp_path):
    recipe = Path(__file__).parents[3] / "configs" / "cifar10.yaml"
    out = tmp_path / "run"
    result = run_cli("train", "--config", recipe, "--data", real_cifar, "--test", "--out", out, "--json")
    assert result.exit_code == 0, result.stderr
    test = json.loads(result.stdout)["splits"]["test"]
    assert test["rows"] == 10_000
    assert 0.405 <= test["accuracy"] < 0.43, "above about 0.42 on raw pixels, look for a leak"
    model, rows = load_model(out), open_source(str(real_cifar), tmp_path).test()
    assert np.count_nonzero(model.predict(rows.X) == rows.y) == test["correct"]


def test_a_model_file_cannot_make_evaluate_download(run_cli, tmp_path, features_file, monkeypatch):
    arguments = ["--data", features_file, "--set", "data.validation=100", "--iterations", 2, "--out", "run"]
    assert run_cli("train", *arguments).exit_code == 0
    model = load_model("run")
    stored = {
        **model.provenance,
        "config": {"data": {"source": "cifar10", "directory": str(tmp_path / "theirs")}},
    }
    save_model(Path("stranger.npz"), replace(model, provenance=stored))
    monkeypatch.setattr(
        "softmaxclf.datasets.download.download_source", lambda *rest, **more: pytest.fail("downloaded")
    )
    result = run_cli("evaluate", "stranger.npz")
    assert result.exit_code == 3 and not (tmp_path / "theirs").exists()


def test_the_history_grows_while_training_runs(run_cli, features_file, tmp_path, monkeypatch):
    seen = []
    write_table = RunFolder.write_table

    def watched(self, name, columns, rows):
        write_table(self, name, columns, rows)
        seen.append((name, read_csv(self.path / name)))

    monkeypatch.setattr(training, "HISTORY_SECONDS", 0)
    monkeypatch.setattr(RunFolder, "write_table", watched)
    run_cli("train", "--data", features_file, "--iterations", 300, "--out", tmp_path / "run")
    histories = [lines for name, lines in seen if name == "history.csv"]
    assert len(histories) > 50
    assert all(first == second[: len(first)] for first, second in pairwise(histories))
    assert len(histories[-1]) == 101 and len(histories[0]) < 5
    first = histories[-1][0]
    assert (first["iteration"], first["train_accuracy"]) == ("0", "")
    assert float(first["loss"]) == pytest.approx(math.log(3))
