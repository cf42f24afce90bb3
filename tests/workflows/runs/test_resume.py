"""Nothing is lost: a run that is killed, stopped, torn or contested ends as an undisturbed one does."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from softmaxclf.core.problem import History
from softmaxclf.runs import claim
from softmaxclf.workflows.runs import training
from softmaxclf.workflows.runs.control import Control
from softmaxclf.workflows.runs.training import StackResult

# Checkpoints every few milliseconds, so that kills fall between, into and onto them; pictures, which take most of
# a small run's time, are drawn by `train` only.
DRIVER = """
import sys
from softmaxclf.workflows.runs import result, training
training.CHECKPOINT_SECONDS = 0.02
from softmaxclf.__main__ import main
if sys.argv[1] == "tune":
    result._draw = lambda *arguments: None
main()
"""
TUNE = ["tune", "--iterations", "250", "--batch-size", "100", "--learning-rates", "1e-7,1e-6,1",
        "--regularizations", "1,100", "--halving"]  # fmt: skip
FOLDED = ["tune", "--iterations", "60", "--learning-rates", "1e-6", "--regularizations", "1,100",
          "--folds", "3"]  # fmt: skip
REPEATED = ["tune", "--iterations", "60", "--learning-rates", "1e-7,1e-6", "--regularizations", "100", "--repeats", "3",
            "--shots", "40"]  # fmt: skip
TRAIN = ["train", "--iterations", "400", "--learning-rate", "1e-6", "--set", "training.momentum=0.9",
         "--test"]  # fmt: skip
SMALL = ["--set", "data.validation=100"]


def start(arguments: list[str], data: Path, out: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", DRIVER, *arguments, "--data", str(data), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(arguments: list[str], data: Path, out: Path) -> str:
    process = start(arguments, data, out)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return errors


def artifacts(out: Path) -> dict[str, object]:
    """What must not depend on interruptions: bytes of tables and weights, and the metrics without the times."""
    metrics = json.loads((out / "metrics.json").read_text())
    kept = {
        name: (out / name).read_bytes()
        for name in ("results.csv", "history.csv", "weights.npz")
        if (out / name).exists()
    }
    return {**kept, "splits": metrics["splits"], "best": metrics.get("best"), "cells": metrics.get("cells")}


@pytest.mark.parametrize(
    ("arguments", "kills"),
    [
        pytest.param(TUNE, 2, id="tune with halving"),
        pytest.param(TUNE, 20, id="tune with halving, often", marks=pytest.mark.slow),
        pytest.param(TRAIN, 20, id="train, often", marks=pytest.mark.slow),
        pytest.param(FOLDED, 20, id="tune with folds, often", marks=pytest.mark.slow),
        pytest.param(REPEATED, 20, id="tune with repeats, often", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_with_the_bytes_of_an_undisturbed_one(
    arguments, kills, sample_folder, tmp_path
):
    started = time.monotonic()
    finish(arguments, sample_folder, tmp_path / "undisturbed")
    length = time.monotonic() - started
    expected = artifacts(tmp_path / "undisturbed")
    moments = random.Random(0)
    for attempt in range(kills):
        process = start(arguments, sample_folder, tmp_path / "disturbed")
        try:
            process.wait(moments.uniform(0.1, 1.0) * length)
        except subprocess.TimeoutExpired:
            process.kill()
        _, errors = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), errors
        if process.returncode == 0:
            assert artifacts(tmp_path / "disturbed") == expected
            if attempt % 2:
                finish([*arguments, "--overwrite"], sample_folder, tmp_path / "disturbed")
    finish(arguments, sample_folder, tmp_path / "disturbed")
    assert artifacts(tmp_path / "disturbed") == expected
    assert not list((tmp_path / "disturbed").glob("checkpoint*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_the_state_says_how_to_go_on_and_exits_with_its_code(
    number, code, sample_folder, tmp_path
):
    endless = ["train", "--iterations", "1000000", "--learning-rate", "1e-7"]
    process = start(endless, sample_folder, tmp_path / "run")
    wait_for(tmp_path / "run" / "checkpoint.npz", process)
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == code
    assert "stopped at iteration" in errors and "the same command continues" in errors
    assert "Traceback" not in errors
    again = start(endless, sample_folder, tmp_path / "run")
    for line in again.stderr:
        if "continuing" in line:
            break
    else:
        pytest.fail("the second process did not continue")
    again.kill()
    again.communicate()


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    """Until the file is there; the process must still be alive."""
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def test_a_second_process_in_one_folder_is_refused(run_cli, features_file, tmp_path):
    with claim(tmp_path / "run"):
        result = run_cli("train", "--data", features_file, *SMALL, "--out", tmp_path / "run")
    assert result.exit_code == 5
    assert "another softmaxclf process works in this folder" in result.stderr


def test_a_torn_checkpoint_costs_time_but_not_the_result(
    run_cli, features_file, tmp_path, monkeypatch, no_pictures
):
    arguments = [
        "train",
        "--data",
        features_file,
        "--iterations",
        "50",
        "--learning-rate",
        "0.1",
        "--regularization",
        "0.01",
        *SMALL,
    ]
    assert run_cli(*arguments, "--out", tmp_path / "whole").exit_code == 0
    for kept in (0, 1, 100, -1):
        folder = tmp_path / f"torn{kept}"
        with monkeypatch.context() as patch:
            patch.setattr(
                "softmaxclf.workflows.runs.train.finish",
                lambda *rest: {"splits": {}, "warnings": [], "run": ""},
            )
            run_cli(*arguments, "--out", folder)
        checkpoint = folder / "checkpoint.npz"
        checkpoint.write_bytes(checkpoint.read_bytes()[:kept])
        result = run_cli(*arguments, "--out", folder)
        assert result.exit_code == 0, result.stderr
        assert "starting this stack again" in result.stderr
        assert artifacts(folder) == artifacts(tmp_path / "whole")


@pytest.mark.parametrize("name", ["manifest.json", "config.yaml", "metrics.json"])
def test_a_torn_file_of_a_run_gives_one_clear_line(name, run_cli, features_file, tmp_path, no_pictures):
    arguments = ["train", "--data", features_file, "--iterations", "5", *SMALL, "--out", tmp_path / "run"]
    assert run_cli(*arguments).exit_code == 0
    torn = tmp_path / "run" / name
    torn.write_bytes(torn.read_bytes()[:-7] + b"{")
    result = run_cli(*arguments)
    if name == "config.yaml":  # the manifest has the settings
        assert result.exit_code == 0 and "its config.yaml was edited" in result.stderr
        return
    assert result.exit_code in (2, 3, 5)
    assert len(result.stderr.strip().splitlines()) <= 4 and str(torn) in result.stderr
    assert run_cli(*arguments, "--overwrite").exit_code == 0


def test_a_slow_first_step_does_not_end_a_run_that_has_time(monkeypatch):
    """It starts threads and touches memory; scoring at its speed would take longer than is left."""
    now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    watch_of = SimpleNamespace(
        control=Control(max_time=30.0),
        observer=SimpleNamespace(advance=lambda iteration, figures: None),
        folder=SimpleNamespace(path=Path("none")),
    )
    state = SimpleNamespace(iteration=0, history=History())
    problem = SimpleNamespace(train_rows=range(4700), validation_rows=range(300))
    solver = SimpleNamespace(
        problem=problem, state=state, settings=SimpleNamespace(batch_size=10), told=lambda: ""
    )
    watch = training._Watch(watch_of, StackResult(solver), "checkpoint.npz", 0, "train")
    now = 100.2  # 0.2 s a step, and 1,000 steps' work to score: not believed yet
    assert not watch(1)
    now = 101.0  # 0.002 s a step: 2 s for scoring
    assert not watch(500)
    now = 103.0  # 0.1 s a step: 100 s for scoring
    assert watch(30)


@pytest.mark.slow
def test_time_that_runs_out_leaves_a_valid_result_that_can_be_continued(run_cli, features_file, tmp_path):
    arguments = ["train", "--data", features_file, "--iterations", "3000", "--learning-rate", "0.1",
                 "--regularization", "0.01", *SMALL]  # fmt: skip
    short = run_cli(*arguments, "--out", tmp_path / "short", "--max-time", "0.01")
    assert short.exit_code == 0 and "--max-time ended training at iteration" in short.stderr
    assert json.loads((tmp_path / "short" / "manifest.json").read_text())["status"] == "partial"
    assert run_cli("evaluate", tmp_path / "short").exit_code == 0
    whole = run_cli(*arguments, "--out", tmp_path / "short")
    assert whole.exit_code == 0 and "continuing" in whole.stderr
    assert run_cli(*arguments, "--out", tmp_path / "whole").exit_code == 0
    assert artifacts(tmp_path / "short") == artifacts(tmp_path / "whole")
