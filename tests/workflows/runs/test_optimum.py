"""`training.solver: lbfgs` from the command line: the path, its proofs, folds, interruptions, refusals."""

import csv
import json

import numpy as np
import pytest

from softmaxclf import fit, load_model
from softmaxclf.config import load_config
from softmaxclf.core.losses.softmax import cross_entropy
from softmaxclf.core.solvers.lbfgs.solver import LBFGS
from softmaxclf.errors import ConfigError

pytestmark = pytest.mark.usefixtures("no_pictures")
SETTINGS = ("--solver", "lbfgs", "--set", "preprocessing.scale=standardize", "--set", "data.validation=100")
GRID = (*SETTINGS, "--regularizations", "1e-4:10:log6")
FIGURES = {"objective", "gap", "proven", "passes"}


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def objective(model, X, y, regularization):
    losses = cross_entropy(model.scores(X).astype(np.float64), y)
    return float(np.mean(losses)) + 0.5 * regularization * float(np.square(model.W, dtype=np.float64).sum())


def test_every_cell_of_a_path_is_proven_and_the_table_and_the_files_say_so(run_cli, features_file, tmp_path):
    result = run_cli("tune", "--data", features_file, *GRID, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    found = metrics(tmp_path / "run")
    assert [cell["regularization"] for cell in found["cells"]] == [1e-4, 1e-3, 1e-2, 0.1, 1, 10]
    assert all(cell["proven"] and 0 <= cell["gap"] <= 1e-4 for cell in found["cells"])
    with (tmp_path / "run" / "results.csv").open() as file:
        assert set(next(csv.reader(file))) >= FIGURES
    assert "of the optimum, proven" in result.stdout
    assert result.stdout.split()[:2] == ["regularization", "train"]


def test_what_is_told_of_the_objective_is_true_of_the_saved_weights(run_cli, features_file, tmp_path):
    one = (*SETTINGS, "--set", "data.validation=0", "--regularization", "0.01")
    result = run_cli("train", "--data", features_file, *one, "--out", tmp_path / "run", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    with np.load(features_file) as file:
        X, y = file["X_train"], file["y_train"]
    assert objective(load_model(tmp_path / "run"), X, y, 0.01) == pytest.approx(told["objective"], rel=1e-6)
    close = fit(X, y, solver="lbfgs", scale="standardize", regularization=0.01, tolerance=1e-8)
    assert told["objective"] * (1 - told["gap"]) <= objective(close, X, y, 0.01) * (1 + 1e-6)
    assert told["gap"] <= 1e-4 and told["proven"] and told["passes"] > 0


def test_folds_choose_and_the_refit_is_proven_too(run_cli, features_file, tmp_path):
    result = run_cli("tune", "--data", features_file, *GRID, "--folds", "4", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    found = metrics(tmp_path / "run")
    assert found["best"]["refit"] and found["proven"] and found["splits"]["validation"]["rows"] == 400
    chosen = next(c for c in found["cells"] if c["regularization"] == found["best"]["regularization"])
    assert chosen["objective"] != found["objective"]  # of a fold's rows, and of all


@pytest.mark.parametrize("folds", ["0", "3"])
def test_an_interrupted_path_goes_on_to_the_same_bytes(run_cli, features_file, tmp_path, monkeypatch, folds):
    def tune(name, **environment):
        return run_cli(
            "tune", "--data", features_file, *GRID, "--folds", folds, "--out", tmp_path / name, **environment
        )

    assert tune("whole").exit_code == 0
    begun, readings = LBFGS.run, []

    def stopped(self, until, stop):
        def asked(point):
            readings.append(point)
            return stop(point) or len(readings) == 9

        return begun(self, until, asked)

    with monkeypatch.context() as patch:
        patch.setattr(LBFGS, "run", stopped)
        patch.setattr("softmaxclf.workflows.runs.control.Control.out_of_time", lambda self, needed: False)
        first = tune("broken")
    assert (
        first.exit_code == 0 and "--max-time" in first.stderr
    )  # it stopped without a signal: as if time was up
    again = tune("broken")
    assert again.exit_code == 0, again.stderr
    ours, other = ((tmp_path / run / "results.csv").read_text() for run in ("broken", "whole"))
    assert ours == other
    ours, other = (load_model(tmp_path / run) for run in ("broken", "whole"))
    assert np.array_equal(ours.W, other.W) and np.array_equal(ours.b, other.b)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            ("--set", "training.loss=hinge"),
            "training.loss=hinge: expected softmax with training.solver lbfgs",
        ),
        (("--halving",), "--halving: expected false with training.solver lbfgs"),
        (
            ("--regularizations", "0,1"),
            "--regularizations: expected values above 0 with training.solver lbfgs",
        ),
    ],
)
def test_what_an_optimum_cannot_have_is_refused(run_cli, features_file, settings, words):
    result = run_cli("tune", "--data", features_file, *SETTINGS, *settings)
    assert result.exit_code == 2 and words in result.stderr
    with pytest.raises(ConfigError, match="expected softmax"):
        load_config(options={"training.solver": "lbfgs", "training.loss": "hinge"})


def test_a_dry_run_tells_the_path_and_an_estimate_of_its_time(run_cli, features_file, tmp_path):
    result = run_cli("tune", "--data", features_file, *GRID, "--dry-run")
    assert result.exit_code == 0 and "6 cells" in result.stdout and "per reading of all rows" in result.stdout
    assert not list(tmp_path.iterdir())


def test_readings_that_are_spent_leave_an_estimate(run_cli, features_file, tmp_path):
    few = ("--set", "training.max_passes=1", "--set", "training.tolerance=1e-8")
    result = run_cli("tune", "--data", features_file, *GRID, *few, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    cells = metrics(tmp_path / "run")["cells"]
    assert not all(cell["proven"] for cell in cells) and all(cell["gap"] >= 0 for cell in cells)


@pytest.mark.parametrize("dtype", [np.float16, np.uint8, np.float64])
def test_any_storage_is_solved_and_the_report_needs_no_history(run_cli, tmp_path, dtype, with_pictures):
    generator = np.random.default_rng(1)
    y = generator.integers(0, 3, 300)
    X = (generator.normal(size=(300, 20)) * 20 + 100 + 10 * np.eye(3, 20)[y]).astype(dtype)
    (tmp_path / "mine").mkdir()
    np.save(tmp_path / "mine" / "X_train.npy", X)
    np.save(tmp_path / "mine" / "y_train.npy", y)
    result = run_cli("tune", "--data", tmp_path / "mine", *GRID, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    assert all(cell["proven"] for cell in metrics(tmp_path / "run")["cells"])
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Training curves" not in page and "objective" in page


def test_time_that_runs_out_leaves_the_best_that_is_solved(
    run_cli, features_file, tmp_path, monkeypatch, with_pictures
):
    begun, readings = LBFGS.run, []

    def stopped(self, until, stop):
        return begun(self, until, lambda point: bool(readings.append(point)) or point >= 3)

    monkeypatch.setattr(LBFGS, "run", stopped)
    result = run_cli("tune", "--data", features_file, *GRID, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    cells = metrics(tmp_path / "run")["cells"]
    assert [cell["status"] for cell in cells] == ["not started"] * 3 + ["cut short at iteration 3"] * 3
    assert all(cell["proven"] for cell in cells[3:])
    assert metrics(tmp_path / "run")["best"]["regularization"] in (0.1, 1, 10)
