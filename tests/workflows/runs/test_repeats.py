"""Repeats of a grid with other seeds, and shots: what they are, what is told of them, how they end and go on."""

import csv
import json

import numpy as np
import pytest

from softmaxclf import load_model
from softmaxclf.core.splits import drawn_shots, validation_split
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.workflows.runs import plan
from softmaxclf.workflows.runs.control import Control
from softmaxclf.workflows.runs.grid import reseeded

pytestmark = pytest.mark.usefixtures("no_pictures")
SGD = ("--learning-rates", "0.02,0.1", "--regularizations", "0.01,1", "--iterations", "40")
LBFGS = ("--regularizations", "0.01,0.1,1")
HELD = ("--set", "data.validation=100")
FILES = ("results.csv", "history.csv", "weights.npz")


@pytest.fixture
def tune(run_cli, features_file):
    """The JSON of a finished grid on the features, whose folder is `out`."""

    def call(out, *arguments):
        result = run_cli("tune", "--data", features_file, *arguments, "--out", out, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return call


def seeds(repeat):
    return ("--set", f"data.seed={repeat}", "--set", f"training.seed={repeat}")


# What a repeat is


@pytest.mark.parametrize(
    "grid",
    [
        (*SGD, *HELD),
        (*LBFGS, *HELD),
        (*SGD, "--folds", "3"),
        (*LBFGS, "--folds", "2", "--shots", "9"),
        (*LBFGS, *HELD, "--shots", "6"),
        (*SGD, *HELD, "--set", "data.validation_rows=last"),
        (*SGD, *HELD, "--set", "tuning.refit=true", "--set", "tuning.memory=12kB"),
    ],
    ids=["sgd", "lbfgs", "folds", "shots in folds", "shots", "the last rows", "refit and stacks"],
)
def test_each_repeat_is_the_run_of_its_seeds(grid, tune):
    found = tune("all", *grid, "--repeats", "3")
    alone = [tune(f"alone{repeat}", *grid, *seeds(repeat)) for repeat in range(3)]
    for place, cell in enumerate(found["cells"]):
        for name in ("train_accuracy", "validation_accuracy", "validation_loss", "train_loss", "weight_norm"):
            values = [each["cells"][place][name] for each in alone]
            assert cell[name] == pytest.approx(np.mean(values), rel=1e-5, abs=0.004), name
        values = [each["cells"][place]["validation_accuracy"] for each in alone]
        assert cell["validation_accuracy_sd"] == pytest.approx(np.std(values, ddof=1), abs=0.01)
    best = {name: value for name, value in found["best"].items() if name != "refit"}
    chosen = [word for name, value in best.items() for word in (f"--{name.replace('_', '-')}s", value)]
    same = [tune(f"same{repeat}", *grid, *chosen, *seeds(repeat)) for repeat in range(3)]
    told = found["repeats"]
    assert told["count"] == 3
    tested = [each["splits"]["test"]["accuracy"] for each in same]
    assert told["test"]["accuracies"] == pytest.approx(tested, abs=0.011)
    assert told["test"]["mean"] == pytest.approx(np.mean(told["test"]["accuracies"]))
    assert told["test"]["sd"] == pytest.approx(np.std(told["test"]["accuracies"], ddof=1))
    assert told["test"]["accuracies"][0] == found["splits"]["test"]["accuracy"]


def test_the_model_is_the_one_of_the_first_repeat_and_of_the_run_without_repeats(tune):
    grid = ("--learning-rates", "0.1", "--regularizations", "0.01", "--iterations", "40", *HELD)
    found, alone = tune("repeated", *grid, "--repeats", "2"), tune("alone", *grid)
    np.testing.assert_array_equal(load_model("repeated").W, load_model("alone").W)
    assert found["splits"] == alone["splits"]
    assert "repeats" not in alone


def test_the_winner_has_the_best_mean_and_not_the_best_first_repeat(tune):
    grid = ("--regularizations", "0.001,0.01,0.1,0.3,1,3", "--shots", "8", *HELD)
    found, first = tune("repeated", *grid, "--repeats", "4"), tune("alone", *grid)
    accuracies = {cell["regularization"]: cell["validation_accuracy"] for cell in found["cells"]}
    assert accuracies[found["best"]["regularization"]] == max(accuracies.values())
    assert found["best"] != first["best"], "otherwise this test shows nothing"


def test_seeds_count_on_and_begin_again_at_their_end():
    from softmaxclf.config import load_config

    config = reseeded(load_config(settings=["data.seed=4294967295", "training.seed=5"]), 2)
    assert (config.data.seed, config.training.seed, config.features.seed) == (1, 7, 0)


def test_halving_narrows_the_grid_in_the_first_repeat_for_all(tune):
    grid = ("--learning-rates", "1e-5,1e-4,1e-3,0.1", "--regularizations", "0.01", "--iterations", "80",
            "--halving", *HELD)  # fmt: skip
    found, alone = tune("repeated", *grid, "--repeats", "3"), tune("alone", *grid)
    assert [cell["status"] for cell in found["cells"]] == [cell["status"] for cell in alone["cells"]]
    for cell in found["cells"]:
        assert (cell["validation_accuracy_sd"] is None) == (cell["status"] != "ok")


def test_a_cell_that_diverged_is_not_repeated_and_a_grid_of_such_is_refused_at_once(
    run_cli, features_file, tune
):
    grid = ("--learning-rates", "0.1,1e30", "--regularizations", "0.01", "--iterations", "40", *HELD)
    found = tune("some", *grid, "--repeats", "2")
    assert [cell["status"].split()[0] for cell in found["cells"]] == ["ok", "diverged"]
    wild = ("--learning-rates", "1e30", "--regularizations", "0.01", "--iterations", "40", "--repeats", "9")
    result = run_cli("tune", "--data", features_file, *wild, *HELD, "--out", "wild")
    assert result.exit_code == 4 and "repeat" not in result.stderr


def test_the_test_split_is_read_once_for_all_repeats(tune, monkeypatch):
    read, read_test = [], Dataset.test

    def counted(dataset):
        read.append(dataset)
        return read_test(dataset)

    monkeypatch.setattr(Dataset, "test", counted)
    tune("run", *SGD, "--folds", "2", "--repeats", "3")
    assert len(read) == 1


# What is told


@pytest.mark.slow
def test_what_is_told_of_repeats_stands_in_the_table_the_console_and_the_page(
    run_cli, features_file, with_pictures, tmp_path
):
    arguments = ("tune", "--data", features_file, *LBFGS, *HELD, "--repeats", "3", "--out", "run")
    result = run_cli(*arguments)
    assert result.exit_code == 0, result.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    told = metrics["repeats"]
    validation, test = (
        f"{100 * told[n]['mean']:.2f} % ± {100 * told[n]['sd']:.2f} %" for n in ("validation", "test")
    )
    assert f"3 repeats, with other seeds: validation {validation}, test {test}" in result.stdout
    assert f"below {100 * told['least_difference']:.2f} % cannot be told" in result.stdout
    assert "are those of the first repeat" in result.stdout and "± sd" in result.stdout
    assert "paired t-test of the repeats" in " ".join(result.stdout.split())
    with (tmp_path / "run" / "results.csv").open() as file:
        lines = list(csv.DictReader(file))
    for line, cell in zip(lines, metrics["cells"], strict=True):
        for name in ("validation_accuracy", "validation_accuracy_sd", "validation_loss_sd"):
            assert float(line[name]) == cell[name]
    page = (tmp_path / "run" / "report.html").read_text()
    for name in ("test.mean", "test.sd", "validation.mean", "validation.sd", "least_difference"):
        assert f'data-of="repeats.{name}"' in page
    assert 'data-of="cells.1.validation_accuracy_sd"' in page
    assert "one standard deviation over 3 repeats" in page and "the mean over 3 repeats of" in page
    again = run_cli(*arguments)
    assert again.stdout == result.stdout, "a finished run tells the same again"


def test_a_saved_configuration_gives_the_run_again(run_cli, tune, tmp_path):
    first = tune("one", *LBFGS, "--repeats", "2", "--shots", "8", *HELD)
    result = run_cli("tune", "--config", tmp_path / "one" / "config.yaml", "--out", "two", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["cells"] == first["cells"]
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_by_loss_the_least_difference_is_one_of_losses(tune):
    found = tune("run", *LBFGS, *HELD, "--repeats", "3", "--set", "tuning.metric=loss")
    losses = [cell["validation_loss"] for cell in found["cells"]]
    (best,) = [cell for cell in found["cells"] if cell["regularization"] == found["best"]["regularization"]]
    assert best["validation_loss"] == min(losses) and found["repeats"]["metric"] == "loss"


def test_one_se_goes_by_the_standard_error_over_repeats(tune):
    grid = ("--regularizations", "0.001,0.01,0.1,0.3,1,3,8", *HELD, "--repeats", "3")
    cells = tune("best", *grid)["cells"]
    chosen = tune("one-se", *grid, "--select", "one-se")["best"]["regularization"]
    top = max(cells, key=lambda cell: (cell["validation_accuracy"], -cell["validation_loss"]))
    bound = top["validation_accuracy"] - top["error"]
    # 100 of 400 rows are held out at a time.
    assert top["error"] == pytest.approx(top["validation_accuracy_sd"] * np.sqrt(1 / 3 + 0.25 / 0.75))
    assert chosen == max(cell["regularization"] for cell in cells if cell["validation_accuracy"] >= bound)


def test_a_dry_run_tells_the_repeats_and_their_time(run_cli, features_file, monkeypatch, tmp_path):
    monkeypatch.setattr(plan, "step_seconds", lambda *_: (0.01, 7))
    grid = ("tune", "--data", features_file, *SGD, *HELD, "--dry-run")
    assert "4 cells x 3 repeats" in run_cli(*grid, "--repeats", "3").stdout
    planned = {
        repeats: json.loads(run_cli(*grid, "--repeats", repeats, "--json", *more).stdout)
        for repeats, more in ((1, ()), (3, ()), (5, ("--halving",)))
    }
    assert planned[3]["repeats"] == 3
    assert planned[3]["seconds"] == pytest.approx(3 * planned[1]["seconds"])
    # Of 4 cells 2 go on after 8 of 40 iterations and 1 after 20; that one is repeated 4 times.
    halved = (8 * 4 + 12 * 2 + 20 + 4 * 40) / (4 * 40)
    assert planned[5]["seconds"] == pytest.approx(halved * planned[1]["seconds"], abs=1e-3)
    assert list(tmp_path.iterdir()) == []


# Stopping and going on


def test_time_that_runs_out_in_a_repeat_leaves_those_before_and_the_same_command_goes_on(
    run_cli, features_file, tune, monkeypatch, tmp_path
):
    grid = (*SGD, *HELD, "--repeats", "4")
    begun = tmp_path / "short" / "checkpoint-repeat2-0.npz"
    with monkeypatch.context() as patch:
        patch.setattr(Control, "out_of_time", lambda control, reserve: reserve > 0 and begun.exists())
        arguments = ("tune", "--data", features_file, *grid, "--out", "short", "--max-time", "1e6")
        short = run_cli(*arguments)
    assert short.exit_code == 0
    assert "--max-time ended the run in repeat 3 of 4" in short.stderr
    told = json.loads((tmp_path / "short" / "metrics.json").read_text())["repeats"]
    assert told["count"] == len(told["test"]["accuracies"]) == 2
    assert json.loads((tmp_path / "short" / "manifest.json").read_text())["status"] == "partial"
    whole, undisturbed = tune("short", *grid), tune("whole", *grid)
    assert whole["repeats"] == undisturbed["repeats"] and whole["repeats"]["count"] == 4
    for name in FILES:
        assert (tmp_path / "short" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not list((tmp_path / "short").glob("checkpoint*"))


def test_time_that_runs_out_in_the_first_repeat_is_told_as_without_repeats(run_cli, features_file, tmp_path):
    arguments = ("tune", "--data", features_file, *SGD, *HELD, "--repeats", "3", "--out", "run")
    short = run_cli(*arguments, "--max-time", "0.001")
    assert short.exit_code == 0 and "--max-time ended training at iteration" in short.stderr
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())["repeats"]
    assert told["count"] == 1 and told["test"]["sd"] is None
    assert run_cli(*arguments).exit_code == 0


def test_without_test_rows_the_validation_rows_alone_are_told(run_cli, features_file, tmp_path):
    with np.load(features_file) as arrays:
        np.savez(tmp_path / "rows.npz", X_train=arrays["X_train"], y_train=arrays["y_train"])
    result = run_cli("tune", "--data", "rows.npz", *LBFGS, *HELD, "--repeats", "2", "--json", "--out", "run")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert set(document["repeats"]) == {"count", "metric", "least_difference", "validation"}
    assert list(document["splits"]) == ["train", "validation"]


# What is refused, and not used


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["data.validation_rows=last"], "tuning.repeats: expected 1 where no seed decides anything, got 2"),
        (["tuning.repeats=0"], "tuning.repeats=0: expected a whole number from 1 to 100"),
        (["data.shots=0"], "data.shots=0: expected null or a whole number from 1"),
        (["data.shots=120"], "data.shots: expected at most the 97 training rows of class a in"),
        (["data.shots=5", "tuning.refit=true"], "tuning.refit=true: expected false with data.shots"),
        (["data.shots=1", "tuning.folds=5"], "tuning.folds: expected at most the 3 training rows, got 5"),
    ],
)
def test_what_cannot_be_is_one_line(settings, said, run_cli, features_file, tmp_path):
    given = [word for each in ["tuning.repeats=2", *settings] for word in ("--set", each)]
    result = run_cli("tune", "--data", features_file, *LBFGS, *given, "--out", "run")
    assert result.exit_code == 2
    assert said in result.stderr.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_fixed_validation_rows_are_repeated_where_the_order_of_batches_or_the_shots_change(tune):
    fixed = ("--set", "data.validation_rows=last", *HELD, "--repeats", "2")
    assert tune("order", *SGD, *fixed)["repeats"]["count"] == 2
    assert tune("shots", *LBFGS, *fixed, "--shots", "5")["repeats"]["test"]["sd"] > 0


def test_train_makes_one_model_and_says_so(run_cli, features_file):
    result = run_cli("train", "--data", features_file, "--set", "tuning.repeats=5", "--out", "run")
    assert result.exit_code == 0 and "tuning.repeats is not used" in result.stderr


# Shots


@pytest.mark.parametrize("command", ["train", "tune"])
def test_shots_are_the_rows_that_train_and_evaluate_finds_them_again(command, run_cli, features_file):
    grid = LBFGS if command == "tune" else ("--regularization", "0.1")
    result = run_cli(command, "--data", features_file, *grid, *HELD, "--shots", "7", "--out", "run", "--json")
    document = json.loads(result.stdout)
    with np.load(features_file) as arrays:
        X, y = arrays["X_train"], arrays["y_train"]
    rows, held_out = validation_split(y, 100, "drawn", 0)
    rows = rows[drawn_shots(y[rows], 7, 0)]
    assert np.bincount(y[rows]).tolist() == [7, 7, 7]
    model = load_model("run")
    for split, own in (("train", rows), ("validation", held_out)):
        hits = np.count_nonzero(model.predict(X[own]) == y[own])
        assert document["splits"][split]["rows"] == len(own)
        assert document["splits"][split]["correct"] == hits
        again = json.loads(run_cli("evaluate", "run", "--split", split, "--json").stdout)
        assert (again["rows"], again["correct"]) == (len(own), hits)


def test_a_refit_after_folds_is_of_all_shots_and_of_no_other_row(run_cli, tune, features_file):
    found = tune("run", "--regularizations", "0.1", "--shots", "9", "--folds", "3")
    assert found["splits"]["train"]["rows"] == found["splits"]["validation"]["rows"] == 27
    plain = ("--regularization", "0.1", "--shots", "9", "--set", "data.validation=0", "--out", "plain")
    assert run_cli("train", "--data", features_file, *plain).exit_code == 0
    np.testing.assert_allclose(load_model("run").W, load_model("plain").W, rtol=0, atol=1e-6)
    again = json.loads(run_cli("evaluate", "run", "--split", "train", "--json").stdout)
    assert again["correct"] == found["splits"]["train"]["correct"] and again["rows"] == 27


def test_shots_of_tables_and_images_are_of_each_class(run_cli, sample_folder, tmp_path):
    lines = [f"{x},{2 * x},{'rose' if x < 30 else 'lily'}" for x in range(90)]
    (tmp_path / "flowers.csv").write_text("\n".join(["width,length,label", *lines]))
    for source, rows in ((tmp_path / "flowers.csv", 10), (sample_folder, 50)):
        result = run_cli(
            "train", "--data", source, "--shots", "5", "--json", "--set", "training.max_passes=3"
        )
        assert json.loads(result.stdout)["splits"]["train"]["rows"] == rows, result.stderr
