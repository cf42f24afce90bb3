"""What TensorBoard and MLflow are told, read back by their own libraries."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from softmaxclf.logs.log import Log
from softmaxclf.runs import read_json

Run = Callable[..., Result]
TRAIN = ("train", "--solver", "sgd", "--iterations", 200, "--learning-rate", 0.1, "--out", "run")
GRID = (
    "tune",
    "--learning-rates",
    "0.01,0.1,1e30",
    "--regularizations",
    "0.1",
    "--iterations",
    50,
    "--out",
    "run",
)
# Its libraries warn of each other.
MLFLOWS_OWN = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def drawn(undrawn: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run leaves one picture, of two pixels, at once."""
    from matplotlib.image import imsave

    from softmaxclf.workflows.runs import result

    def draw(folder: Any, *others: object) -> None:
        imsave(folder.path / "curves.png", np.array([[[255, 0, 51], [0, 0, 0]]], np.uint8))

    monkeypatch.setattr(result, "_draw", draw)


def event_tags(folder: Path) -> Any:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(folder), {"scalars": 0, "images": 0, "tensors": 0})
    found.Reload()
    return found


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """MLflow's client, of a database in the test's folder."""
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    from mlflow.tracking import MlflowClient

    return MlflowClient


@pytest.mark.usefixtures("drawn")
def test_tensorboard_has_curves_figures_and_pictures(
    run_cli: Run, features_file: Path, tmp_path: Path
) -> None:
    assert run_cli(*TRAIN, "--data", features_file, "--log", "tensorboard").exit_code == 0
    found = event_tags(tmp_path / "run" / "tensorboard")
    losses = found.Scalars("train/loss")
    assert [each.step for each in losses] == list(range(0, 201, 2))
    assert losses[0].value == pytest.approx(np.log(3)) and losses[-1].value < losses[0].value
    rates = [each.value for each in found.Scalars("train/learning_rate")]
    assert rates[0] == pytest.approx(0.1) and all(first >= second for first, second in pairwise(rates))
    accuracies = found.Scalars("train/validation_accuracy")
    metrics = read_json(tmp_path / "run" / "metrics.json")["splits"]
    assert accuracies[-1].value == pytest.approx(metrics["validation"]["accuracy"])
    assert found.Scalars("final/train/loss")[0].value == pytest.approx(metrics["train"]["loss"])
    image = found.Images("curves")[0]
    assert (image.width, image.height) == (2, 1)


@pytest.mark.usefixtures("drawn")
def test_tensorboard_has_a_row_for_each_cell_that_was_trained(
    run_cli: Run, features_file: Path, tmp_path: Path
) -> None:
    assert run_cli(*GRID, "--data", features_file, "--log", "tensorboard").exit_code == 0
    folders = sorted((tmp_path / "run" / "tensorboard" / "cells").iterdir())
    assert len(folders) == 2  # the third diverged
    best = max(
        each["validation_accuracy"] or 0 for each in read_json(tmp_path / "run" / "metrics.json")["cells"]
    )
    shown = [event_tags(each).Scalars("validation_accuracy")[0].value for each in folders]
    assert shown[0] == pytest.approx(best) and shown == sorted(shown, reverse=True)


@pytest.mark.usefixtures("drawn")
def test_a_finished_run_can_be_logged_afterwards_and_once(
    run_cli: Run, features_file: Path, tmp_path: Path
) -> None:
    command = (*TRAIN, "--data", features_file)
    run_cli(*command)
    for _ in range(2):
        assert run_cli(*command, "--log", "tensorboard").exit_code == 0
        found = event_tags(tmp_path / "run" / "tensorboard")
        assert len(found.Scalars("train/loss")) == 101 and len(found.Scalars("final/train/loss")) == 1


@MLFLOWS_OWN
@pytest.mark.usefixtures("drawn")
def test_mlflow_has_settings_curves_files_and_nested_runs(
    run_cli: Run, features_file: Path, tmp_path: Path, mlflow: Any
) -> None:
    assert run_cli(*GRID, "--data", features_file, "--log", "mlflow").exit_code == 0
    client = mlflow()
    experiment = client.get_experiment_by_name("softmaxclf").experiment_id
    runs = client.search_runs([experiment])
    (top,) = [each for each in runs if "mlflow.parentRunId" not in each.data.tags]
    cells = [each for each in runs if each is not top]
    assert top.info.status == "FINISHED" and top.data.params["training.batch_size"] == "200"
    assert top.data.tags["softmaxclf.folder"] == str(tmp_path / "run")
    assert len(client.get_metric_history(top.info.run_id, "tune/loss")) == 51
    metrics = read_json(tmp_path / "run" / "metrics.json")
    assert top.data.metrics["test/accuracy"] == metrics["splits"]["test"]["accuracy"]
    assert {each.data.tags["mlflow.parentRunId"] for each in cells} == {top.info.run_id}
    assert {each.data.params["learning_rate"] for each in cells} == {"0.01", "0.1"}
    files = {each.path for each in client.list_artifacts(top.info.run_id)}
    assert {"curves.png", "weights.npz", "report.html"} <= files


class Failing(Log):
    """A log whose server goes away after its first figures."""

    extra = package = "failing"
    told: list[str]

    def begin_run(self, folder: Path, settings: Mapping[str, str]) -> None:
        Failing.told = ["begun"]

    def write(self, what: str, point: int, figures: Mapping[str, float]) -> None:
        Failing.told.append("written")
        raise ConnectionError("the server\nis gone")

    end_run = close = write  # type: ignore[assignment]


def test_a_log_that_fails_ends_and_the_work_goes_on(
    run_cli: Run, features_file: Path, undrawn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softmaxclf.logs.log._made", lambda name, observer: Failing(observer))
    result = run_cli(*TRAIN, "--data", features_file, "--log", "tensorboard")
    assert result.exit_code == 0 and Failing.told == ["begun", "written"]
    assert result.stderr.count("ConnectionError: the server; its log ends here, the work goes on") == 1


def test_a_log_that_cannot_begin_is_an_error_before_the_work(
    run_cli: Run, features_file: Path, tmp_path: Path, mlflow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nothing://here")
    result = run_cli(*TRAIN, "--data", features_file, "--log", "mlflow")
    assert result.exit_code == 2 and not (tmp_path / "run" / "weights.npz").exists()
    assert "Error: --log mlflow: cannot begin: " in result.stderr


def test_a_library_that_lacks_is_named(
    run_cli: Run, features_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.delitem(sys.modules, "softmaxclf.logs.tensorboard_log", raising=False)
    result = run_cli(*TRAIN, "--data", features_file, "--log", "tensorboard")
    assert result.exit_code == 2 and not (tmp_path / "run").exists()
    assert "--log tensorboard: expected tensorboardX" in result.stderr
    assert "softmaxclf[tensorboard]" in result.stderr


@MLFLOWS_OWN
def test_an_interrupted_run_is_no_finished_one(
    run_cli: Run, features_file: Path, mlflow: Any, undrawn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from softmaxclf.core.solvers.sgd.solver import SGD
    from softmaxclf.errors import InterruptedRunError

    def interrupted(*arguments: object) -> None:
        raise InterruptedRunError("stopped", 2)

    monkeypatch.setattr(SGD, "run", interrupted)
    assert run_cli(*TRAIN, "--data", features_file, "--log", "mlflow").exit_code == 130
    client = mlflow()
    (run,) = client.search_runs([client.get_experiment_by_name("softmaxclf").experiment_id])
    assert run.info.status == "KILLED"
