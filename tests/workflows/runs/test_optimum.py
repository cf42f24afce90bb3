"""`training.solver: lbfgs` from the command line: the path, its proofs, folds, interruptions, refusals."""

import csv
import json
import re

import numpy as np
import pytest

from softmaxclf import fit, load_model
from softmaxclf.config import load_config
from softmaxclf.core.losses.softmax import cross_entropy
from softmaxclf.core.search import FURTHER
from softmaxclf.core.solvers.lbfgs.solver import LBFGS
from softmaxclf.core.solvers.lbfgs.sums import ArrayRows
from softmaxclf.errors import ConfigError

pytestmark = pytest.mark.usefixtures("no_pictures")
SETTINGS = ("--solver", "lbfgs", "--set", "preprocessing.scale=standardize", "--set", "data.validation=100")
GRID = (*SETTINGS, "--regularizations", "1e-4:10:log6")
FIGURES = {"objective", "gap", "proven", "passes"}


@pytest.fixture
def wide(tmp_path):
    """300 rows of 40 columns, too many for a picture of their weights."""
    generator = np.random.default_rng(1)
    y = generator.integers(0, 3, 300)
    np.savez(tmp_path / "wide.npz", X_train=generator.normal(size=(300, 40)) + np.eye(3, 40)[y], y_train=y)
    return tmp_path / "wide.npz"


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
    assert "  regularization  validation" in result.stdout


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
    # The fit of all rows is told, by which folds began.
    assert chosen["proven"] and chosen["objective"] == pytest.approx(found["objective"], rel=2e-4)


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


@pytest.mark.parametrize("folds", ["0", "3"])
def test_a_path_stopped_after_its_last_checkpoint_is_not_lost(
    run_cli, features_file, tmp_path, monkeypatch, folds
):
    def tune(name):
        return run_cli("tune", "--data", features_file, *GRID, "--folds", folds, "--out", tmp_path / name)

    def interrupted(*arguments, **choices):
        raise KeyboardInterrupt

    assert tune("whole").exit_code == 0
    with monkeypatch.context() as patch:
        patch.setattr("softmaxclf.workflows.runs.grid.CellScorer.outcomes", interrupted)
        assert tune("cut").exit_code == 130
    assert tune("cut").exit_code == 0
    for name in ("weights.npz", "results.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_winner_of_an_earlier_stack_is_read_from_its_checkpoint(run_cli, features_file, tmp_path):
    small = ("--set", "tuning.memory=400", "--set", "tuning.metric=loss")
    result = run_cli("tune", "--data", features_file, *GRID, *small, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    stacks = json.loads((tmp_path / "run" / "manifest.json").read_text())["stacks"]
    found = metrics(tmp_path / "run")
    place = [cell["regularization"] for cell in found["cells"]].index(found["best"]["regularization"])
    assert len(stacks) == 6 and place < 5, "otherwise this test shows nothing"
    chosen = found["cells"][place]
    assert found["splits"]["validation"]["loss"] == pytest.approx(chosen["validation_loss"], rel=1e-6)
    assert np.abs(load_model(tmp_path / "run").W).max() > 0


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


@pytest.mark.parametrize(("long", "one"), [(10**7, 6 * 8), (0, 12)], ids=["one by one", "side by side"])
def test_a_dry_run_tells_the_path_and_an_estimate_of_its_time(
    long, one, run_cli, features_file, tmp_path, monkeypatch
):
    monkeypatch.setattr("softmaxclf.core.solvers.lbfgs.path.LONG", long)
    for more, expected in (((), one), (("--folds", "4"), 5 * one), (("--repeats", "3"), 3 * one)):
        result = run_cli("tune", "--data", features_file, *GRID, "--dry-run", *more)
        assert result.exit_code == 0 and "6 cells" in result.stdout, result.stderr
        assert f"per reading of all rows, of which some {expected} are expected" in result.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--folds", 4)], ids=["hold-out", "folds"])
def test_about_as_many_readings_are_made_as_are_expected(more, run_cli, real_cifar, monkeypatch):
    """As many columns as are read at a time, whether by one path or by folds: time goes by them."""
    command = ("tune", "--data", real_cifar, "--set", "data.shots=500", "--solver", "lbfgs", "--regularizations",
               "1e-2:10:log7", *more)  # fmt: skip
    told = run_cli(*command, "--dry-run").stdout
    expected = int(re.search(r"of which some (\d+) are", told)[1])
    points, evaluate = [], ArrayRows.evaluate
    monkeypatch.setattr(
        ArrayRows,
        "evaluate",
        lambda rows, asked, *more: points.append(len(asked)) or evaluate(rows, asked, *more),
    )
    assert run_cli(*command).exit_code == 0
    assert expected / 2 < sum(points) / 7 < expected


def test_readings_that_are_spent_leave_an_estimate(run_cli, features_file, tmp_path):
    few = ("--set", "training.max_passes=1", "--set", "training.tolerance=1e-8")
    result = run_cli("tune", "--data", features_file, *GRID, *few, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    cells = metrics(tmp_path / "run")["cells"]
    assert not all(cell["proven"] for cell in cells) and all(cell["gap"] >= 0 for cell in cells)


@pytest.mark.parametrize("dtype", [np.float16, np.uint8, np.float64])
@pytest.mark.slow
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


@pytest.mark.slow
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


# The path's picture and its numbers


@pytest.mark.parametrize("folds", [0, 3])
def test_each_cell_tells_its_training_loss_norm_and_errors(run_cli, features_file, tmp_path, folds):
    result = run_cli("tune", "--data", features_file, *GRID, "--folds", folds, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    assert "weight_norm" not in result.stdout
    found = metrics(tmp_path / "run")
    chosen = next(c for c in found["cells"] if c["regularization"] == found["best"]["regularization"])
    assert [c["weight_norm"] for c in found["cells"]] == sorted(
        (c["weight_norm"] for c in found["cells"]), reverse=True
    )
    assert all(c["error"] > 0 and c["loss_error"] > 0 for c in found["cells"])
    if not folds:
        W = load_model(tmp_path / "run").W
        assert chosen["weight_norm"] == pytest.approx(float(np.linalg.norm(W)), rel=1e-6)
        assert chosen["train_loss"] == found["splits"]["train"]["loss"]


def test_the_standard_error_of_the_loss_is_that_of_its_rows(run_cli, features_file, tmp_path):
    with np.load(features_file) as file:
        parts = {name: file[name] for name in file.files}
    X, y = parts["X_train"][:80], parts["y_train"][:80]
    np.savez(tmp_path / "own.npz", **parts, X_validation=X, y_validation=y)
    result = run_cli("tune", "--data", tmp_path / "own.npz", *GRID, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    found = metrics(tmp_path / "run")
    chosen = next(c for c in found["cells"] if c["regularization"] == found["best"]["regularization"])
    losses = cross_entropy(load_model(tmp_path / "run").scores(X).astype(np.float64), y)
    assert chosen["loss_error"] == pytest.approx(losses.std() / np.sqrt(80), rel=1e-4)


@pytest.mark.parametrize("folds", [0, 3])
@pytest.mark.slow
def test_weights_of_few_features_are_drawn_and_told(run_cli, features_file, tmp_path, with_pictures, folds):
    result = run_cli("tune", "--data", features_file, *GRID, "--folds", folds, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "run" / "coefficients.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "run" / "coefficients.csv").open() as file:
        lines = list(csv.DictReader(file))
    model, best = load_model(tmp_path / "run"), metrics(tmp_path / "run")["best"]["regularization"]
    told = [line for line in lines if float(line["regularization"]) == best]
    found = np.array([[float(line[f"feature {d}"]) for d in range(len(model.W))] for line in told]).T
    assert len(lines) == 6 * model.classes
    assert np.array_equal(found, model.W) if not folds else np.allclose(found, model.W, atol=0.5)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "drawing coefficients" in page and ("means over the folds" in page) == bool(folds)
    assert run_cli("report", tmp_path / "run").exit_code == 0
    assert (tmp_path / "run" / "report.html").read_text() == page


@pytest.mark.slow
def test_weights_of_many_features_are_not(run_cli, wide, tmp_path, with_pictures):
    assert run_cli("tune", "--data", wide, *GRID, "--out", tmp_path / "run").exit_code == 0
    assert not list((tmp_path / "run").glob("coefficients*"))
    page = (tmp_path / "run" / "report.html").read_text()
    assert "drawing coefficients" not in page and "Curves of accuracy and loss" in page


@pytest.mark.slow
def test_a_report_of_an_earlier_run_and_of_broken_coefficients(
    run_cli, features_file, tmp_path, with_pictures
):
    run = tmp_path / "run"
    assert run_cli("tune", "--data", features_file, *GRID, "--out", run).exit_code == 0
    table = (run / "coefficients.csv").read_text().splitlines(keepends=True)
    for broken in ("x\n", "".join(table[:-1])):
        (run / "coefficients.csv").write_text(broken)
        result = run_cli("report", run)
        assert result.exit_code != 0 and "coefficients.csv: expected" in result.stderr
    (run / "coefficients.csv").unlink()
    told = metrics(run)
    told["cells"] = [{n: v for n, v in cell.items() if n not in FURTHER} for cell in told["cells"]]
    (run / "metrics.json").write_text(json.dumps(told))
    assert run_cli("report", run).exit_code == 0
    page = (run / "report.html").read_text()
    assert "Curves of accuracy and loss" in page and "Norm of the weights" not in page
