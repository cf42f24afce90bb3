"""What `--engine` makes of words that are wrong, of libraries and of schedulers that are not there."""

import json
import signal
import socket
import sys

import pytest

from softmaxclf.config import EngineConfig
from softmaxclf.errors import InterruptedRunError, OutOfTimeError
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.control import Control


def test_without_its_library_the_engine_is_refused_in_one_line(run_cli, features_file, monkeypatch):
    for name in [each for each in sys.modules if each.startswith("softmaxclf.engines.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = run_cli("tune", "--data", features_file, "--engine", "dask")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: --engine dask: expected distributed, which runs its workers, found none; pip install distributed (or "
        "this package with its extra: softmaxclf[dask])\n"
    )


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--engine", "spark"], "Error: --engine: expected local or dask, got spark"),
        (
            ["--workers", "2"],
            "Error: --workers: expected engine.kind dask with it, got none; add --engine dask",
        ),
        (["--scheduler", "tcp://127.0.0.1:1"], "Error: --scheduler: expected engine.kind dask with it"),
        (["--engine", "dask", "--workers", "0"], "Error: --workers: expected null or a whole number from 1"),
        *(
            (
                ["--engine", "dask", "--scheduler", each],
                f"Error: --scheduler: expected an address such as tcp://127.0.0.1:8786, got {each}",
            )
            for each in ("foo", "tcp://127.0.0.1", "http://127.0.0.1:8786")
        ),
    ],
)
def test_words_that_are_wrong_are_refused_before_any_work(typed, said, run_cli):
    result = run_cli("tune", *typed)
    assert result.exit_code == 2
    assert result.stderr.startswith(said)


@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_is_not_there_is_named(run_cli, features_file, monkeypatch):
    cluster = pytest.importorskip("softmaxclf.engines.cluster", reason="needs the extra dask")
    monkeypatch.setattr(cluster, "CONNECTING", 0.2)
    with socket.socket() as free:  # bound, so that nobody else has it, and not listening
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        for command in ("tune", "train"):
            typed = ["--regularizations", "1e-2,1e-1"] if command == "tune" else []
            result = run_cli(
                command, "--data", features_file, "--engine", "dask", "--scheduler", address, *typed
            )
            assert result.exit_code == 2
            assert f"Error: --scheduler {address}: expected a Dask scheduler, found none (" in result.stderr
            assert result.stderr.endswith("start one with: dask scheduler --host 127.0.0.1\n")


class Heard(Observer):
    """What a user is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)

    warn = note


@pytest.fixture
def deserted():
    """A scheduler without a worker."""
    distributed = pytest.importorskip("distributed", reason="needs the extra dask")
    with distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        yield cluster


@pytest.mark.filterwarnings("default")
def test_waiting_for_workers_is_told_and_ends_with_the_time_or_a_signal(deserted):
    from softmaxclf.engines.cluster import Cluster

    for control, raised in ((Control(1e-3), OutOfTimeError), (Control(), InterruptedRunError)):
        heard = Heard()
        cluster = Cluster(EngineConfig("dask", deserted.scheduler_address), heard, list)
        cluster.control = control

        def received(text: str, control=control, note=heard.note) -> None:
            note(text)
            control.received = signal.SIGINT

        if raised is InterruptedRunError:
            heard.note = received
        with pytest.raises(raised, match="while no Dask worker was there; the same command continues"):
            cluster.living()
    assert heard.said == [
        f"dask: waiting for 1 worker of {deserted.scheduler_address}, 120 s at most; 0 there now"
    ]


@pytest.mark.filterwarnings("default")
def test_a_signal_ends_waiting_where_all_workers_are_gone(deserted):
    from softmaxclf.engines.cluster import Cluster

    heard = Heard()
    cluster = Cluster(EngineConfig("dask", deserted.scheduler_address), heard, list)
    cluster.control = Control()
    deserted.scale(1)
    assert len(cluster.living()) == 1
    deserted.scale(0)
    while cluster.workers:
        pass
    cluster.control.received = signal.SIGINT
    with pytest.raises(InterruptedRunError, match="stopped while no Dask worker was there"):
        cluster.living()
    cluster.close()


def test_a_dry_run_for_so_many_workers_needs_no_scheduler(run_cli, features_file):
    pytest.importorskip("distributed", reason="needs the extra dask")
    given = ["--engine", "dask", "--scheduler", "tcp://127.0.0.1:1", "--workers", 64]
    result = run_cli(
        "tune", "--data", features_file, "--regularizations", "1e-2,1e-1", *given, "--dry-run", "--json"
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["engine"]["workers"] == 64


def test_one_model_of_descent_says_that_it_stays_here(run_cli, features_file, undrawn):
    pytest.importorskip("distributed", reason="needs the extra dask")
    result = run_cli("train", "--data", features_file, "--iterations", 10, "--engine", "dask")
    assert result.exit_code == 0
    assert "engine.kind dask is not used: solver sgd trains one model in this process" in result.stderr


def test_a_run_that_one_engine_made_is_found_by_another(run_cli, features_file, undrawn):
    pytest.importorskip("distributed", reason="needs the extra dask")
    typed = ["train", "--data", features_file, "--iterations", 10]
    run_cli(*typed)
    result = run_cli(*typed, "--engine", "dask", "--workers", 2)
    assert result.exit_code == 0
    assert "holds this very run, finished" in result.stderr
