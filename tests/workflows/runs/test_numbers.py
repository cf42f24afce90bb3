"""Numbers at and beyond the edge: each case works and gives finite figures, or is refused before any work is done."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from softmaxclf.model_file import load_model

ROWS = 60
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(ROWS, 5)).astype(np.float32)
Y = GENERATOR.integers(0, 3, ROWS)
Y[:3] = 0, 1, 2
GRID = ["--learning-rates", "1e-3,1e-2", "--regularizations", "0,1"]
EDGES = ["--learning-rates", "1e-300,1e300", "--regularizations", "0,1e300"]
DIVERGING = ["--learning-rates", "1e299,1e300", "--regularizations", "1,1e300"]
SCALES = ("none", "standardize", "unit-norm")
DIVERGING_SETTINGS = [
    "training.loss=hinge",
    "training.momentum=0.9",
    "training.schedule=cosine",
    "training.regularize_bias=true",
    *(f"preprocessing.scale={scale}" for scale in SCALES),
]


@pytest.fixture
def run(
    run_cli: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Write the rows to data.npz and run a command on them into ./run, without pictures and report."""
    for name in ("_draw", "write_report"):
        monkeypatch.setattr(f"softmaxclf.workflows.runs.result.{name}", lambda *arguments: None)

    def call(rows: Any, labels: Any, *arguments: str, **arrays: Any) -> Result:
        np.savez(tmp_path / "data.npz", X_train=rows, y_train=labels, **arrays)
        command, more = (arguments[0], arguments[1:]) if arguments[:1] == ("tune",) else ("train", arguments)
        common = [
            "--set",
            "data.validation=20",
            "--set",
            "training.iterations=20",
            "--set",
            "training.batch_size=10",
        ]
        return run_cli(command, "--data", "data.npz", "--out", "run", *common, *more)

    return call


def numbers(content: Any) -> Iterator[float | None]:
    """All numbers in JSON content; None where a number is missing."""
    if isinstance(content, dict):
        for value in content.values():
            yield from numbers(value)
    elif isinstance(content, list):
        for value in content:
            yield from numbers(value)
    elif content is None or (isinstance(content, int | float) and not isinstance(content, bool)):
        yield content


def works(result: Result, folder: Path) -> dict[str, Any]:
    """The metrics of a run that went well: all finite, accuracies shares, the weights finite and loadable."""
    assert result.exit_code == 0, result.stderr
    metrics: dict[str, Any] = json.loads((folder / "run" / "metrics.json").read_text())
    for split in metrics["splits"].values():
        found = list(numbers(split))
        assert all(each is not None and math.isfinite(each) for each in found)
        assert 0 <= split["accuracy"] <= 1 and split["loss"] >= 0
    model = load_model(folder / "run")
    assert np.isfinite(model.scores(np.ones((1, model.features), np.float32))).all()
    return metrics


def refused(result: Result, folder: Path, code: int, *said: str) -> None:
    """Refused in one line, and nothing is left behind."""
    assert result.exit_code == code, (result.stdout, result.stderr)
    assert result.stderr.count("Error: ") == 1 and "Traceback" not in result.stderr
    assert all(each in result.stderr for each in said), result.stderr
    assert sorted(entry.name for entry in folder.iterdir()) == ["data.npz"]


# Features


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("command", ["train", "tune"])
def test_a_feature_that_is_no_number_is_refused_with_its_place(
    value: float, command: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    rows = X.copy()
    rows[3, 2] = value
    refused(
        run(rows, Y, *(["tune", *GRID] if command == "tune" else [])),
        tmp_path,
        3,
        f"{value} in row 3, column 2",
    )


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("value", [0.0, 1.0, -7.5e6])
def test_a_constant_column_changes_nothing_that_can_be_seen(
    value: float, scale: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    rows = X.copy()
    rows[:, 2] = value
    works(run(rows, Y, "--set", f"preprocessing.scale={scale}"), tmp_path)
    if abs(value) <= 1:  # beyond that the column's size magnifies the rounding of float32 sums
        weights = np.abs(load_model(tmp_path / "run").W).max(axis=1)
        assert weights[2] < 1e-4 * np.delete(weights, 2).min()


@pytest.mark.parametrize("scale", SCALES)
def test_rows_of_zeros_give_the_loss_of_a_guess(
    scale: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    metrics = works(run(X * 0, Y, "--set", f"preprocessing.scale={scale}"), tmp_path)
    assert metrics["splits"]["validation"]["loss"] == pytest.approx(math.log(3), rel=1e-2)


@pytest.mark.parametrize(
    ("factor", "scale"),
    [(1e37, "unit-norm"), *((factor, scale) for factor in (1e15, 1e-15) for scale in SCALES[1:])],
)
def test_features_of_any_size_train_when_they_are_scaled(
    factor: float, scale: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    sure = ("--set", f"preprocessing.scale={scale}", "--learning-rate", "0.1", "--regularization", "0")
    losses = [
        works(run(rows, Y, *sure, "--overwrite"), tmp_path)["splits"]["train"]["loss"]
        for rows in (X, (X * np.float32(factor)).astype(np.float32))
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4) and losses[0] < math.log(3)


@pytest.mark.parametrize("factor", [1e37, 1e-37])
def test_features_that_float32_cannot_standardize_are_refused(
    factor: float, run: Callable[..., Result]
) -> None:
    rows = X.copy()
    rows[:, 1] *= np.float32(factor)
    result = run(rows, Y, "--set", "preprocessing.scale=standardize")
    assert result.exit_code == 3
    assert (
        "Error: feature 1 (counted from 0): expected a standard deviation of 0 or from 1e-18" in result.stderr
    )


def test_huge_features_that_are_not_scaled_diverge_and_the_advice_helps(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    plain = ("--regularization", "0", "--set", "preprocessing.scale=none")
    result = run(X * np.float32(1e30), Y, *plain, "--learning-rate", "0.01")
    assert result.exit_code == 4 and "Error: training diverged at iteration" in result.stderr
    advised = result.stderr.split("try a learning rate of ")[1].split()[0]
    works(run(X * np.float32(1e15), Y, *plain, "--learning-rate", advised, "--overwrite"), tmp_path)


def test_test_rows_far_outside_of_the_training_rows_have_finite_figures(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    far = np.sign(X) * np.float32(1e37)
    metrics = works(run(X, Y, "--test", X_test=far, y_test=Y), tmp_path)
    assert metrics["splits"]["test"]["rows"] == ROWS


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint8])
def test_features_of_each_type_train(dtype: type, run: Callable[..., Result], tmp_path: Path) -> None:
    works(run((np.abs(X) * 10).astype(dtype), Y), tmp_path)


# Labels and rows


@pytest.mark.parametrize("command", [[], ["tune", *GRID]], ids=["train", "tune"])
def test_one_class_is_refused(command: list[str], run: Callable[..., Result], tmp_path: Path) -> None:
    refused(run(X, Y * 0, *command), tmp_path, 3, "expected at least 2 classes in y_train, found 1")


@pytest.mark.parametrize("command", [[], ["tune", *GRID]], ids=["train", "tune"])
def test_one_class_that_remains_after_the_split_is_refused(
    command: list[str], run: Callable[..., Result], tmp_path: Path
) -> None:
    labels = np.zeros(ROWS, int)
    labels[-1] = 1
    result = run(X, labels, *command, "--set", "data.validation_rows=last")
    refused(result, tmp_path, 2, "expected training rows of at least 2 classes", "lower data.validation")


@pytest.mark.parametrize("rows", [2, 4, 9])
def test_too_few_rows_are_counted(rows: int, run: Callable[..., Result], tmp_path: Path) -> None:
    labels = np.arange(rows) == rows - 1
    result = run(
        X[:rows], labels, "tune", *GRID, "--set", "data.validation=1", "--set", "data.validation_rows=last"
    )
    refused(result, tmp_path, 2, "expected training rows enough", f"too few rows: {rows}; add more")
    if rows < 5:
        result = run(X[:rows], labels, "tune", *GRID, "--set", "data.validation=auto")
        refused(result, tmp_path, 2, "expected training rows enough", f"too few rows: {rows}; add more")


@pytest.mark.parametrize("folds", ["2", "3"])
def test_a_class_of_one_row_can_be_folded(folds: str, run: Callable[..., Result], tmp_path: Path) -> None:
    labels = np.zeros(ROWS, int)
    labels[-1] = 1
    works(run(X, labels, "tune", *GRID, "--folds", folds), tmp_path)


@pytest.mark.parametrize("classes", [2, ROWS, 1000])
@pytest.mark.parametrize(
    "command", [[], ["tune", *GRID], ["tune", *GRID, "--folds", "3"]], ids=["train", "tune", "folds"]
)
def test_two_classes_a_thousand_and_one_for_each_row_work(
    classes: int, command: list[str], run: Callable[..., Result], tmp_path: Path
) -> None:
    labels = np.arange(ROWS) % classes
    labels[-1] = classes - 1
    metrics = works(run(X, labels, *command), tmp_path)
    assert load_model(tmp_path / "run").classes == classes
    assert metrics["splits"]["train"]["loss"] < 1.2 * math.log(classes)


def test_labels_with_gaps_keep_their_numbers(run: Callable[..., Result], tmp_path: Path) -> None:
    works(run(X, np.where(Y == 2, 90, Y)), tmp_path)
    model = load_model(tmp_path / "run")
    assert model.class_names == tuple(map(str, range(91)))
    assert set(model.predict(X)) <= {0, 1, 90}  # the classes between them have no rows


@pytest.mark.parametrize("rows", [2, 3, 9])
def test_fewer_rows_than_the_batch_are_one_batch(
    rows: int, run: Callable[..., Result], tmp_path: Path
) -> None:
    works(run(X[:rows], Y[:rows], "--set", "data.validation=0", "--batch-size", "1000000000"), tmp_path)


@pytest.mark.parametrize("validation", ["60", "61", "1000000000"])
def test_fewer_rows_than_the_validation_asks_for_are_refused(
    validation: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    result = run(X, Y, "--set", f"data.validation={validation}")
    refused(result, tmp_path, 2, "data.validation: expected fewer than the 60 training rows")


def test_tuning_without_validation_rows_is_refused(run: Callable[..., Result], tmp_path: Path) -> None:
    refused(
        run(X, Y, "tune", *GRID, "--set", "data.validation=0"),
        tmp_path,
        2,
        "expected at least 1 row to choose",
    )


def test_fewer_rows_than_folds_are_refused(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run(X[:3], Y[:3], "tune", *GRID, "--folds", "5")
    refused(result, tmp_path, 2, "tuning.folds: expected at most the 3 training rows, got 5")


@pytest.mark.parametrize("folds", [2, 3])
def test_as_many_rows_as_folds_work(folds: int, run: Callable[..., Result], tmp_path: Path) -> None:
    works(run(X[:3], Y[:3], "tune", *GRID, "--folds", str(folds)), tmp_path)


@pytest.mark.parametrize("command", [[], ["tune", *GRID]], ids=["train", "tune"])
def test_folding_what_is_no_image_is_refused(
    command: list[str], run: Callable[..., Result], tmp_path: Path
) -> None:
    result = run(X, Y, *command, "--set", "preprocessing.mirror=true")
    refused(result, tmp_path, 2, "preprocessing.mirror: expected rows that are images")


def test_asking_for_a_test_split_that_is_not_there_is_refused(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    refused(run(X, Y, "--test"), tmp_path, 2, "--test: expected a test split")


# Settings


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("rate", ["1e-300", "1e-45", "1e-20", "1e-3"])
@pytest.mark.parametrize("momentum", ["0", "0.999999"])
def test_a_tiny_learning_rate_moves_nothing_or_little(
    loss: str, rate: str, momentum: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    settings = (
        "--set",
        f"training.loss={loss}",
        "--set",
        f"training.momentum={momentum}",
        "--regularization",
        "1",
    )
    works(run(X, Y, "--learning-rate", rate, *settings), tmp_path)


@pytest.mark.parametrize("rate", ["1e20", "1e39", "1e300"])
@pytest.mark.parametrize("setting", DIVERGING_SETTINGS)
def test_a_huge_learning_rate_diverges_with_advice_and_without_weights(
    rate: str, setting: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    result = run(X, Y, "--learning-rate", rate, "--set", setting)
    assert result.exit_code == 4, result.stderr
    assert "is too large; try a learning rate of " in result.stderr
    assert not (tmp_path / "run" / "weights.npz").exists()


@pytest.mark.parametrize("more", [[], ["--halving"], ["--folds", "3"], ["--set", "tuning.metric=loss"],
                                  ["--set", "tuning.select=one-se"]], ids=" ".join)  # fmt: skip
def test_a_grid_from_one_edge_to_the_other_finds_the_cells_that_work(
    more: list[str], run: Callable[..., Result], tmp_path: Path
) -> None:
    metrics = works(run(X, Y, "tune", *EDGES, *more), tmp_path)
    assert metrics["best"]["learning_rate"] == 1e-300
    status = {cell["learning_rate"]: cell["status"] for cell in metrics["cells"]}
    assert status[1e300].startswith("diverged at iteration")


@pytest.mark.parametrize("more", [[], ["--halving"], ["--folds", "3"]], ids=" ".join)
def test_a_grid_that_diverges_as_a_whole_has_its_own_exit_code(
    more: list[str], run: Callable[..., Result]
) -> None:
    result = run(X, Y, "tune", *DIVERGING, *more)
    assert result.exit_code == 4
    assert "4 of 4 cells diverged" in result.stderr and "try a learning rate of " in result.stderr


@pytest.mark.parametrize("regularization", ["0", "1e-300", "1e300"])
def test_a_regularization_at_the_edge_trains_with_a_rate_that_fits(
    regularization: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    rate = "1e-300" if regularization == "1e300" else "0.1"
    works(run(X, Y, "--regularization", regularization, "--learning-rate", rate), tmp_path)


@pytest.mark.parametrize(
    "command",
    [[], ["tune", *GRID], ["tune", *GRID, "--folds", "3"], ["tune", *GRID, "--halving"]],
    ids=["train", "tune", "folds", "halving"],
)
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_no_iterations_leave_weights_of_zero(
    command: list[str], schedule: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    metrics = works(
        run(X, Y, *command, "--iterations", "0", "--set", f"training.schedule={schedule}"), tmp_path
    )
    assert not load_model(tmp_path / "run").W.any()
    assert metrics["splits"]["train"]["loss"] == pytest.approx(math.log(3))


@pytest.mark.slow
def test_a_run_without_iterations_has_pictures_too(
    run_cli: Callable[..., Result], features_file: Path
) -> None:
    few = ["--set", "data.validation=50", "--iterations", "0"]
    result = run_cli("train", "--data", features_file, *few, "--out", "run")
    assert result.exit_code == 0, result.stderr
    assert {path.name for path in Path("run").glob("*.png")} >= {
        "templates.png",
        "curves.png",
        "confusion.png",
    }


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--learning-rate", "0", "auto or a number from 1e-300 to 1e300"),
        ("--learning-rate", "-1", "auto or a number from 1e-300 to 1e300"),
        ("--learning-rate", "1e301", "auto or a number from 1e-300 to 1e300"),
        ("--learning-rate", "nan", "auto or a number from 1e-300 to 1e300"),
        ("--learning-rate", "inf", "auto or a number from 1e-300 to 1e300"),
        ("--regularization", "-1e-300", "auto or a number from 0 to 1e300"),
        ("--regularization", "1e400", "auto or a number from 0 to 1e300"),
        ("--iterations", "-1", "a whole number from 0 to 1,000,000,000"),
        ("--iterations", "1.5", "a whole number from 0 to 1,000,000,000"),
        ("--batch-size", "0", "a whole number from 1 to 1,000,000,000"),
        ("--seed", "-1", "a whole number from 0 to 4,294,967,295"),
    ],
)
def test_settings_that_mean_nothing_are_refused(
    option: str, value: str, expected: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    refused(run(X, Y, option, value), tmp_path, 2, f"{option}: expected {expected}, got {value}")
