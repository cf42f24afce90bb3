"""What is asked of chosen workers is done by them or by none; what fails is counted."""

import os
import signal
import time

import pytest

from softmaxclf.config import EngineConfig
from softmaxclf.errors import EngineError
from softmaxclf.workflows.observer import Observer
from tests.engines.acting import Acting

engine = pytest.importorskip("softmaxclf.engines.cluster", reason="needs the extra dask")
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def connected(workers):
    found = engine.Cluster(EngineConfig("dask", workers.address), Observer(), list)
    yield found
    found.close()


def ended(connected, futures) -> list:
    """Those that end within a minute."""
    found, until = [], time.monotonic() + 60
    while len(found) < len(futures) and time.monotonic() < until:
        found += connected.next_done([each for each in futures if each not in found])
    return found


def test_no_idle_worker_takes_what_others_are_to_do(workers, connected):
    *busy, _ = workers.addresses
    futures = [connected.submit(_where, 0.1, workers=busy) for _ in range(20)]
    assert ended(connected, futures)
    assert {each.result() for each in futures} == set(busy)


def test_work_is_lost_with_the_only_worker_that_was_to_do_it(workers, connected):
    mortal, other = workers.addresses[:2]
    futures = [
        connected.submit(_where, 60, workers=[mortal]),
        connected.submit(_where, 0.1, workers=[mortal, other]),
    ]
    os.kill(workers.pids[mortal], signal.SIGKILL)
    assert len(ended(connected, futures)) == 2
    assert engine.lost(futures[0]) == ("unknown", "it was lost with its worker")
    assert futures[1].result() == other


def test_the_fourth_failure_is_an_error(workers):
    observer = Acting()
    retries = engine.Retries(observer)
    for n, worker in enumerate("aab"):
        assert retries.count(1, "it", worker, "why", "end") == list("aab")[: n + 1]
    assert retries.count(2, "other", "c", "why", "end") == ["c"]
    assert observer.said[2] == "it failed on worker b: why; it is done again (3 of 3)"
    with pytest.raises(
        EngineError, match=r"^it failed on worker c: why; that was the last of 3 times that .*; end$"
    ):
        retries.count(1, "it", "c", "why", "end")


def _where(seconds: float) -> str:
    from distributed import get_worker

    time.sleep(seconds)
    return get_worker().address
