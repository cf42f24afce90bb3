"""Runs without being told: `auto` solver, regularizations, learning rates and validation rows; and the refit."""

import json
from functools import partial

import numpy as np
import pytest

from softmaxclf import fit, load_model
from softmaxclf.config import load_config
from softmaxclf.core.search import largest_curvature
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.training_data import prepare

pytestmark = pytest.mark.usefixtures("no_pictures")


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_tune_without_a_configuration_proves_a_path_that_suits_the_data(run_cli, features_file, tmp_path):
    run = tmp_path / "run"
    result = run_cli("tune", "--data", features_file, "--out", run)
    assert result.exit_code == 0, result.stderr
    assert "80 of the 400 rows, a fifth" in result.stderr
    assert "auto: 25 regularizations from 1e-6 to 1" in result.stderr
    cells = metrics(run)["cells"]
    assert len(cells) == 25 and all(cell["proven"] for cell in cells)
    # From all weights nearly 0 to as good as no penalty.
    weakest, strongest = cells[0]["validation_loss"], cells[-1]["validation_loss"]
    assert (
        strongest > 0.9 * np.log(3) > min(cell["validation_loss"] for cell in cells) and weakest < strongest
    )
    assert "learning_rate" not in cells[0]
    settings = load_config(run / "config.yaml")
    assert settings.training.solver == "lbfgs" and settings.tuning.regularizations[-1] == 1.0
    assert settings.tuning.learning_rates is None
    assert "holds this very run" in run_cli("tune", "--data", features_file, "--out", run).stderr
    again = run_cli("tune", "--config", run / "config.yaml", "--out", run)
    assert "holds this very run" in again.stderr


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_the_strongest_regularization_follows_the_scale_of_the_features(
    run_cli, features_file, tmp_path, factor
):
    with np.load(features_file) as file:
        arrays = {**file, "X_train": file["X_train"] * np.float32(factor)}
    np.savez(tmp_path / "scaled.npz", **arrays)
    plain = ("--set", "preprocessing.scale=none", "--out", tmp_path / "run")
    assert run_cli("tune", "--data", tmp_path / "scaled.npz", *plain).exit_code == 0
    strongest = metrics(tmp_path / "run")["cells"][-1]["regularization"]
    X = arrays["X_train"] - arrays["X_train"].mean(axis=0)
    assert largest_curvature(X) <= 1.1 * strongest <= 11 * 1.1 * largest_curvature(X)


def test_largest_curvature_is_half_of_the_largest_eigenvalue_of_the_second_moments():
    X = np.random.default_rng(0).normal(size=(40, 7)) * np.arange(1, 8)
    assert largest_curvature(X) == pytest.approx(0.5 * np.linalg.eigvalsh(X.T @ X / 40)[-1], rel=1e-3)
    assert largest_curvature(X[:5]) == pytest.approx(
        0.5 * np.linalg.eigvalsh(X[:5].T @ X[:5] / 5)[-1], rel=1e-3
    )
    assert largest_curvature(0 * X) == 0


def test_train_without_a_configuration_is_the_optimum_at_one_strength(run_cli, features_file, tmp_path):
    result = run_cli("train", "--data", features_file, "--out", tmp_path / "run", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["proven"]
    assert "auto: regularization 0.0001" in result.stderr
    assert load_config(tmp_path / "run" / "config.yaml").training.regularization == 1e-4


def test_descent_gets_learning_rates_with_which_no_cell_diverges(run_cli, features_file, tmp_path):
    result = run_cli(
        "tune", "--data", features_file, "--iterations", 300, "--out", tmp_path / "run", "--json"
    )
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    rates = sorted({cell["learning_rate"] for cell in found["cells"]})
    assert len(found["cells"]) == 75 and len(rates) == 3
    assert {cell["status"] for cell in found["cells"]} == {"ok"}
    assert max(cell["validation_accuracy"] for cell in found["cells"]) > 0.5


def test_python_has_the_same_defaults(features_file):
    with np.load(features_file) as file:
        X, y = file["X_train"], file["y_train"]
    model = fit(X, y)
    assert model.provenance["config"]["training"]["solver"] == "lbfgs"
    assert model.provenance["config"]["training"]["regularization"] == 1e-4
    descent = fit(X, y, iterations=200)
    assert descent.provenance["config"]["training"]["learning_rate"] > 0
    assert (descent.predict(X) == y).mean() > 0.5 and (model.predict(X) == y).mean() > 0.5


@pytest.mark.parametrize(
    ("validation", "rows"), [("auto", 80), ("0.1", 40), ("0.001", 1), ("150", 150), ("1e2", 100)]
)
def test_validation_rows_are_a_count_a_share_or_a_fifth(run_cli, features_file, tmp_path, validation, rows):
    told = ("--set", f"data.validation={validation}", "--regularizations", "0.1,1")
    result = run_cli("tune", "--data", features_file, *told, "--out", tmp_path / "run", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["splits"]["validation"]["rows"] == rows


@pytest.mark.parametrize("separate", [False, True], ids=["split off", "of their own"])
def test_refit_trains_the_winner_on_validation_rows_too(run_cli, features_file, tmp_path, separate):
    with np.load(features_file) as file:
        arrays = dict(file)
    np.savez(tmp_path / "whole.npz", **arrays)
    if separate:
        for name in ("X", "y"):
            whole = arrays[f"{name}_train"]
            arrays |= {f"{name}_train": whole[:300], f"{name}_validation": whole[300:]}
    np.savez(tmp_path / "data.npz", **arrays)
    run, grid = tmp_path / "run", ("--regularizations", "1e-3,1e-2,0.1")
    result = run_cli(
        "tune", "--data", tmp_path / "data.npz", *grid, "--set", "tuning.refit=true", "--out", run
    )
    assert result.exit_code == 0, result.stderr
    found = metrics(run)
    assert found["best"]["refit"] and found["splits"]["train"]["rows"] == 400 and found["proven"]
    chosen = next(c for c in found["cells"] if c["regularization"] == found["best"]["regularization"])
    validation = found["splits"]["validation"]
    assert validation["rows"] == (100 if separate else 80)
    assert validation["accuracy"] == chosen["validation_accuracy"]  # of the model that did not see them
    strength = ("--regularization", found["best"]["regularization"])
    alone = ("--data", tmp_path / "whole.npz", "--set", "data.validation=0", *strength)
    assert run_cli("train", *alone, "--out", tmp_path / "alone").exit_code == 0
    np.testing.assert_allclose(
        load_model(run).W, load_model(tmp_path / "alone").W, rtol=1e-3, atol=1e-4
    )  # the order of the rows differs, and with it the last digits
    refused = run_cli("evaluate", run, "--split", "validation")
    assert refused.exit_code == 2 and "refitted" in refused.stderr


def test_rows_of_a_large_file_are_visited_in_blocks(features_file, tmp_path, monkeypatch):
    with np.load(features_file) as file:
        for name in ("X_train", "y_train"):
            np.save(tmp_path / f"{name}.npy", file[name])
    read = partial(prepare, load_config(options={"data.source": str(tmp_path)}), Observer())
    assert read().block is None
    monkeypatch.setattr("softmaxclf.workflows.runs.training_data.BLOCK_BYTES", 1000)
    assert read().block == 256
