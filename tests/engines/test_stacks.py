"""A grid on the workers of a cluster ends as one in this process, whatever becomes of workers and of the client."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from softmaxclf.config import load_config
from softmaxclf.errors import DataError, EngineError, InterruptedRunError
from softmaxclf.workflows.runs.session import Request
from tests.core.engines import NEEDS_TORCH
from tests.engines.acting import Acting, run

psutil = pytest.importorskip("psutil", reason="needs the extra dask")
pytestmark = [pytest.mark.usefixtures("undrawn"), pytest.mark.filterwarnings("default")]
ROWS = "/proc/self/cwd/features.npz"  # each process has its own
STACKS = 6  # of two cells each, which is what fits into so little memory
SETTINGS = ["training.batch_size=50", "training.iterations=4000", "tuning.memory=3600", "data.validation=100",
            "tuning.learning_rates=1e-3,1e-2,1e-1,1", "tuning.regularizations=1e-3,1e-2,1e-1"]  # fmt: skip


@pytest.fixture(scope="module")
def rows(tmp_path_factory, features_file) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    shutil.copy(features_file, folder / "features.npz")
    return folder / "features.npz"


def request(rows, out, engine=None, **given) -> Request:
    options = {"data.source": str(rows), **given}
    options |= {"engine.kind": "dask", "engine.scheduler": engine} if engine else {}
    return Request("tune", load_config(None, SETTINGS, options), out)


@pytest.fixture(scope="module")
def local(rows, tmp_path_factory):
    return run(request(rows, tmp_path_factory.mktemp("local") / "run"))


def assert_alike(found: dict, local: dict) -> None:
    """The same winner, every accuracy within 0.1 points."""
    assert found["best"] == local["best"]
    assert len(found["cells"]) == len(local["cells"]) == 2 * STACKS
    for one, other in zip(found["cells"], local["cells"], strict=True):
        assert one["status"] == other["status"] == "ok"
        for name in ("train_accuracy", "validation_accuracy"):
            assert one[name] == pytest.approx(other[name], abs=1e-3)
    assert found["splits"]["test"]["accuracy"] == pytest.approx(local["splits"]["test"]["accuracy"], abs=1e-3)


def checkpoints(run: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in run.glob("checkpoint*.npz")}


def test_a_worker_killed_in_the_middle_changes_nothing(rows, local, workers, tmp_path):
    def kill() -> None:
        os.kill(workers.pids[workers.busy()[0]], signal.SIGKILL)

    observer = Acting(kill)
    found = run(request(rows, tmp_path / "run", workers.address), observer)
    assert observer.acted
    assert_alike(found, local)
    assert not checkpoints(tmp_path / "run"), "a finished run keeps no checkpoints"


def test_a_client_killed_in_the_middle_goes_on_with_what_had_finished(rows, local, workers, tmp_path):
    out = tmp_path / "run"
    typed = [word for each in SETTINGS for word in ("--set", each)]
    command = [sys.executable, "-m", "softmaxclf", "tune", "--data", rows, "--out", out, *typed,
               "--engine", "dask", "--scheduler", workers.address]  # fmt: skip
    client = subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True)
    while not checkpoints(out):
        assert client.poll() is None, client.stderr.read()
        time.sleep(0.01)
    client.kill()
    client.communicate()
    before = checkpoints(out)
    observer = Acting()
    wanted = request(rows, out, workers.address)
    kept = []
    observer.act = lambda: kept.append(checkpoints(out))
    found = run(wanted, observer)
    assert_alike(found, local)
    what, total, done = observer.begun[0]
    assert done == total * len(before) / STACKS, "what had finished was trained again"
    assert what.endswith(f"in {STACKS - len(before)} stacks")
    assert all(each[name] == inode for each in kept for name, inode in before.items())


@pytest.mark.slow
def test_ctrl_c_saves_what_workers_have_begun_and_any_engine_continues(rows, local, workers, tmp_path):
    wanted = request(rows, tmp_path / "run", workers.address)
    observer = Acting(lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(
        InterruptedRunError, match=r"stopped at iteration .* everything is saved in .*the same command"
    ):
        run(wanted, observer)
    assert checkpoints(tmp_path / "run")
    observer = Acting()
    assert_alike(run(request(rows, tmp_path / "run"), observer), local)
    assert any(done > 0 for _, _, done in observer.begun) or any(
        "continuing" in each for each in observer.said
    )


@pytest.fixture
def other(rows, tmp_path) -> Path:
    """A folder of rows that are none of the run's."""
    folder = tmp_path / "other"
    folder.mkdir()
    arrays = dict(np.load(rows))
    np.savez(folder / "features.npz", **{**arrays, "X_train": arrays["X_train"] + np.float32(1)})
    return folder


@pytest.mark.slow
def test_workers_with_other_rows_are_refused_and_another_does_their_work(
    rows, other, local, spoilt, tmp_path, monkeypatch
):
    monkeypatch.chdir(rows.parent)
    *odd, even = spoilt.addresses
    spoilt.client.run(os.chdir, str(rows.parent), workers=[even])
    spoilt.client.run(os.chdir, str(other), workers=odd)
    observer = Acting()
    assert_alike(run(request(ROWS, tmp_path / "run", spoilt.address), observer), local)
    (refusal,) = [line for line in observer.said if "takes no part" in line]
    assert re.match(
        rf"worker ({'|'.join(odd)}): {ROWS}: expected the rows of this run, fingerprint ", refusal
    ), refusal


@pytest.mark.slow
def test_a_run_whose_rows_no_worker_has_is_refused(rows, other, spoilt, tmp_path, monkeypatch):
    monkeypatch.chdir(rows.parent)
    spoilt.client.run(os.chdir, str(other))
    with pytest.raises(DataError, match=r"no worker is left: .*expected the rows of this run, fingerprint"):
        run(request(ROWS, tmp_path / "run", spoilt.address))


@pytest.mark.slow
def test_workers_that_cannot_read_the_rows_get_them(rows, local, spoilt, tmp_path, monkeypatch):
    monkeypatch.chdir(rows.parent)
    (tmp_path / "empty").mkdir()
    spoilt.client.run(os.chdir, str(tmp_path / "empty"))
    observer = Acting()
    assert_alike(run(request(ROWS, tmp_path / "run", spoilt.address), observer), local)
    assert sum("cannot read the rows" in line for line in observer.said) == 1


def _grow() -> None:
    """Let this process need more memory for a stack than there is."""
    from softmaxclf.engines import stack_task

    train = stack_task._train

    def growing(*others: object) -> None:
        np.ones(1 << 50)
        train(*others)

    stack_task._train = growing


@pytest.mark.slow
def test_workers_out_of_memory_leave_their_stacks_to_another(rows, local, spoilt, tmp_path):
    poor = spoilt.addresses[:2]
    spoilt.client.run(_grow, workers=poor)
    observer = Acting()
    assert_alike(run(request(rows, tmp_path / "run", spoilt.address), observer), local)
    failures = [line for line in observer.said if "MemoryError: Unable to allocate 8.00 PiB" in line]
    assert failures[0].endswith("it is done again (1 of 3)")
    assert not [line for line in failures if "(3 of 3)" in line], (
        "one came to a worker again that had failed it"
    )
    assert all(line.split(" failed on worker ")[1].startswith(tuple(poor)) for line in failures)


@pytest.mark.slow
def test_a_slow_worker_is_waited_for(rows, local, workers, tmp_path):
    slow = []

    class Slowing(Acting):
        def advance(self, done: int, figures: str = "") -> None:
            super().advance(done, figures)
            if slow and checkpoints(tmp_path / "run"):
                os.kill(slow.pop(), signal.SIGCONT)

    def halt() -> None:
        slow.append(workers.pids[workers.busy()[0]])
        os.kill(slow[0], signal.SIGSTOP)

    observer = Slowing(halt)
    assert_alike(run(request(rows, tmp_path / "run", workers.address), observer), local)
    assert observer.acted
    assert not slow


def _break() -> None:
    from softmaxclf.engines import stack_task

    def broken(*others: object) -> None:
        raise RuntimeError("this disk is full\nand so on")

    stack_task._train = broken


def test_what_fails_again_and_again_ends_with_the_error_of_the_worker(rows, spoilt, tmp_path):
    spoilt.client.run(_break)
    observer = Acting()
    with pytest.raises(EngineError) as raised:
        run(request(rows, tmp_path / "run", spoilt.address), observer)
    assert "failed on worker tcp://127.0.0.1:" in str(raised.value)
    assert "RuntimeError: this disk is full; that was the last of 3 times" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_repeats_folds_and_halving_go_through_workers_too(rows, workers, tmp_path):
    given = {"tuning.folds": 2, "tuning.repeats": 2, "tuning.halving": True, "training.iterations": 300,
             "tuning.memory": 7200}  # fmt: skip
    tables = []
    for name, engine in (("local", None), ("dask", workers.address)):
        run(request(rows, tmp_path / name, engine, **given))
        tables.append([*csv.DictReader((tmp_path / name / "results.csv").read_text().splitlines())])
    for one, other in zip(*tables, strict=True):
        assert one["status"] == other["status"]
        for column in ("train_accuracy", "validation_accuracy", "validation_loss"):
            assert float(one[column]) == pytest.approx(float(other[column]), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("reading", [True, False])
def test_workers_train_on_their_device_whether_they_read_the_rows_or_get_them(
    reading, rows, local, spoilt, tmp_path, monkeypatch
):
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    monkeypatch.chdir(rows.parent)
    (tmp_path / "empty").mkdir()
    spoilt.client.run(os.chdir, str(rows.parent if reading else tmp_path / "empty"))
    wanted = request(ROWS, tmp_path / "run", spoilt.address, **{"engine.device": "torch-cpu"})
    assert_alike(run(wanted), local)


def test_a_worker_without_the_device_is_refused(rows, workers, tmp_path):
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    from softmaxclf.core.torch_device import best_device

    if best_device(False) != "cpu":
        pytest.skip("there is a GPU")
    with pytest.raises(DataError, match=r"no worker is left: .*engine.device: expected an NVIDIA or AMD GPU"):
        run(request(rows, tmp_path / "run", workers.address, **{"engine.device": "cuda"}))


def test_without_a_scheduler_workers_start_here_and_listen_on_the_loopback_alone(rows, local, tmp_path):
    found = []

    def look() -> None:
        me = psutil.Process()
        for process in (me, *me.children(recursive=True)):
            found.extend(each.laddr.ip for each in process.net_connections("inet") if each.status == "LISTEN")

    given = {"engine.kind": "dask", "engine.workers": 1}
    assert_alike(run(request(rows, tmp_path / "run", **given), Acting(look)), local)
    assert set(found) == {"127.0.0.1"}


def test_ctrl_c_in_a_terminal_leaves_workers_the_time_to_hand_over(rows, tmp_path):
    """A terminal sends it to the client and to the workers that it started, all at once."""

    def interrupt() -> None:
        for process in psutil.Process().children(recursive=True):
            if "spawn_main" in " ".join(process.cmdline()):
                process.send_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    wanted = request(rows, tmp_path / "run", **{"engine.kind": "dask", "engine.workers": 1})
    observer = Acting(interrupt)
    with pytest.raises(InterruptedRunError, match="the same command continues"):
        run(wanted, observer)
    assert checkpoints(tmp_path / "run")
    assert not [line for line in observer.said if "failed" in line]


def test_to_workers_a_source_is_a_path_unless_it_is_a_name(tmp_path, monkeypatch):
    from softmaxclf.engines.stacks import _reachable

    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample").mkdir()
    for source, there in {"sample": "sample", "a/*.npy": str(tmp_path / "a/*.npy")}.items():
        grid = SimpleNamespace(config=load_config(None, [], {"data.source": source}), repeat=0)
        assert _reachable(grid).data.source == there
