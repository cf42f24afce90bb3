"""A run that learned nothing says so, with values that do learn; one that learned says nothing."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

pytestmark = pytest.mark.usefixtures("no_pictures")
RAW_PIXELS = ("--learning-rate", "1.5e-7", "--regularization", "9000", "--iterations", "300")
SIGN = "Warning: the model has hardly learned: "


def told(result: Result) -> str:
    """The warning, or nothing."""
    assert result.exit_code == 0, result.stderr
    return next((line for line in result.stderr.splitlines() if line.startswith(SIGN)), "")


def store(path: Path, y: np.ndarray, signal: float = 2.0) -> Path:
    """Rows of 6 features that tell the labels y as clearly as `signal` says."""
    generator = np.random.default_rng(1)
    X = generator.normal(size=(len(y), 6)) + signal * np.eye(y.max() + 1, 6)[y]
    np.savez(path, X_train=X.astype(np.float32), y_train=y)
    return path


def test_rates_of_raw_pixels_on_features_get_values_that_learn(
    run_cli: Callable[..., Result], tmp_path: Path
) -> None:
    data = store(tmp_path / "data.npz", np.arange(900) % 3)
    warning = told(run_cli("train", "--data", data, *RAW_PIXELS, "--out", "raw"))
    assert "its training loss is 1.09" in warning and "1.099 where all scores are equal" in warning
    found = re.search(r"try regularization (\S+), learning rate (\S+) \(solver lbfgs needs no", warning)
    assert found is not None, warning
    better = ("--regularization", found[1], "--learning-rate", found[2], "--iterations", "300")
    assert not told(run_cli("train", "--data", data, *better, "--out", "better"))


@pytest.mark.parametrize(("loss", "start"), [("softmax", "1.099"), ("hinge", "2")])
def test_only_what_keeps_it_from_learning_is_blamed(
    loss: str, start: str, run_cli: Callable[..., Result], tmp_path: Path
) -> None:
    data = store(tmp_path / "data.npz", np.arange(900) % 3)
    command = ("train", "--data", data, "--set", f"training.loss={loss}", "--iterations", "300")
    warning = told(run_cli(*command, "--learning-rate", "1e-7", "--regularization", "0.01", "--out", "slow"))
    assert (
        f"{start} where all scores are equal; these rows need other values than learning rate 1e-7: try "
        in warning
    )
    strong = ("train", "--data", data, "--regularization", "50", "--out", "strong")
    assert told(run_cli(*strong)).endswith(
        "need other values than regularization 50: try regularization 0.0001"
    )


def test_a_grid_of_cells_that_are_alike_at_its_largest_learning_rate_is_told(
    run_cli: Callable[..., Result], tmp_path: Path
) -> None:
    data = store(tmp_path / "data.npz", np.arange(900) % 3)
    command = ("tune", "--data", data, "--regularizations", "0.01,0.02", "--iterations", "300")
    warning = told(run_cli(*command, "--learning-rates", "1.4e-7,1.5e-7,1.6e-7", "--out", "alike"))
    assert "; all 6 cells are alike, the best at the largest learning rate; " in warning
    # The same once all have arrived is no fault.
    assert not told(run_cli(*command, "--learning-rates", "0.08,0.09,0.1", "--out", "arrived"))


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
@pytest.mark.parametrize("classes", [[0.5, 0.5], [0.95, 0.05]], ids=str)
def test_labels_that_the_features_do_not_tell_are_told(
    solver: str, classes: list[float], run_cli: Callable[..., Result], tmp_path: Path
) -> None:
    """Whether the classes are even, so that the loss stays, or one of them is nearly always right."""
    y = np.random.default_rng(0).choice(2, 1500, p=classes)
    data = store(tmp_path / "data.npz", y, signal=0.0)
    warning = told(run_cli("train", "--data", data, "--set", f"training.solver={solver}", "--out", "run"))
    assert re.search(
        r"its validation accuracy of \S+ % \(95 % interval from \S+ %\) is not clearly above", warning
    )
    assert "perhaps the features tell little about the classes" in warning
    assert ("learning rate" in warning) is (solver == "sgd")


@pytest.mark.parametrize("command", ["train", "tune"])
@pytest.mark.parametrize("classes", [[0.5, 0.5], [0.9, 0.1]], ids=str)
def test_a_run_that_learned_says_nothing(
    command: str, classes: list[float], run_cli: Callable[..., Result], tmp_path: Path
) -> None:
    y = np.random.default_rng(0).choice(2, 1500, p=classes)
    assert not told(run_cli(command, "--data", store(tmp_path / "data.npz", y), "--out", "run"))


def test_a_run_that_time_cut_short_is_told_that_alone(run_cli: Callable[..., Result], tmp_path: Path) -> None:
    data = store(tmp_path / "data.npz", np.arange(900) % 3)
    result = run_cli("train", "--data", data, *RAW_PIXELS, "--max-time", "0.001", "--out", "run")
    assert not told(result) and "--max-time ended training" in result.stderr


@pytest.mark.parametrize("command", ["train", "tune"])
def test_a_label_far_beyond_the_rows_is_refused_before_training(
    command: str, run_cli: Callable[..., Result], tmp_path: Path
) -> None:
    y = np.arange(300) % 3
    y[7] = 99_999
    X = np.zeros((300, 2), np.float32)
    names = [f"class {k}" for k in range(100_000)]
    np.savez(tmp_path / "data.npz", X_train=X, y_train=y, class_names=names)
    result = run_cli(command, "--data", "data.npz", "--out", "run")
    assert result.exit_code == 3 and not (tmp_path / "run").exists()
    assert "found 99,996 classes without an example and 300 rows; " in result.stderr
    # As many as labels without names may leave out are no fault.
    np.savez(tmp_path / "few.npz", X_train=X, y_train=y % 3, class_names=names[:1000])
    assert run_cli("train", "--data", "few.npz", "--regularization", "1", "--out", "few").exit_code == 0
