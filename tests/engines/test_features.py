"""Features of images made by workers are those of this process, whatever becomes of workers and of the client."""

import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest

from softmaxclf.config import load_config
from softmaxclf.datasets import stored_rows
from softmaxclf.errors import EngineError
from softmaxclf.workflows.runs.session import Request
from tests.engines.acting import Acting, run

pytest.importorskip("distributed", reason="needs the extra dask")
from distributed.comm import CommClosedError

from softmaxclf.engines.cluster import Cluster

pytestmark = [pytest.mark.usefixtures("undrawn"), pytest.mark.filterwarnings("default")]
IMAGES, SIDE = 240, 8


@pytest.fixture
def images(tmp_path, monkeypatch) -> Path:
    """Images whose features come in a dozen blocks."""
    monkeypatch.setattr(stored_rows, "BLOCK_BYTES", 16)  # of sixteen rows, the least
    monkeypatch.setattr(stored_rows, "SAVED_SECONDS", 0)
    generator = np.random.default_rng(0)
    X = generator.integers(0, 256, (IMAGES, SIDE, SIDE, 3), np.uint8)
    y = generator.integers(0, 2, IMAGES)
    X[y == 1, : SIDE // 2] //= 2
    np.savez(tmp_path / "images.npz", X_train=X, y_train=y)
    return tmp_path / "images.npz"


def request(images: Path, name: str, scheduler: str = "") -> Request:
    given = {
        "data.source": str(images), "data.directory": str(images.parent / f"data-{name}"),
        "features.kind": "patches", "features.filters": "8", "features.patch": 4, "features.scales": "1",
        "preprocessing.mirror": True, "training.iterations": 100, "tuning.learning_rates": "1e-2,1e-1",
        "tuning.regularizations": "1e-2",
    }  # fmt: skip
    if scheduler:
        given |= {"engine.kind": "dask", "engine.scheduler": scheduler}
    return Request("tune", load_config(None, [], given), images.parent / f"run-{name}")


def made(images: Path, name: str) -> bytes:
    (rows,) = (images.parent / f"data-{name}").rglob("train.rows")
    return rows.read_bytes()


class Filling(Acting):
    """Acts in the middle of the features."""

    def advance(self, done: int, figures: str = "") -> None:
        if self.begun[-1][0].startswith("features") and done >= IMAGES // 3:
            super().advance(done, "now")


def assert_alike(images: Path, found: dict, local: dict) -> None:
    assert found["best"] == local["best"]
    for one, other in zip(found["cells"], local["cells"], strict=True):
        assert one["validation_accuracy"] == pytest.approx(other["validation_accuracy"], abs=1e-3)
    here, there = (np.frombuffer(made(images, name), np.uint8).astype(int) for name in ("local", "dask"))
    assert here.size and np.abs(here - there).max() <= 1  # rounded otherwise
    assert np.mean(here != there) < 1e-3


@pytest.fixture
def local(images) -> dict:
    return run(request(images, "local"))


def test_features_by_workers_are_those_of_this_process_though_one_is_killed(images, local, workers):
    def kill() -> None:
        os.kill(workers.pids[workers.addresses[0]], signal.SIGKILL)

    observer = Filling(kill)
    assert_alike(images, run(request(images, "dask", workers.address), observer), local)
    assert observer.acted
    assert [what for what, *_ in observer.begun if what.startswith("features of train")]


def test_features_that_workers_have_begun_are_gone_on_with_here(images, local, workers):
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(request(images, "dask", workers.address), Filling(interrupt))
    before = made(images, "dask")
    assert 0 < len(before) < len(made(images, "local"))
    observer = Filling()
    assert_alike(images, run(request(images, "dask"), observer), local)
    assert made(images, "dask").startswith(before)


def _break() -> None:
    from softmaxclf.workflows.runs.extraction import Encoder

    def broken(*others: object) -> None:
        raise RuntimeError("no disk is left\nand so on")

    Encoder.__call__ = broken


def test_what_fails_again_and_again_ends_with_the_error_of_the_worker(images, spoilt):
    spoilt.client.run(_break)
    observer = Acting()
    with pytest.raises(
        EngineError,
        match=r"encoding rows 0 to 15 failed on worker tcp://.*RuntimeError: no disk is left; that was",
    ):
        run(request(images, "dask", spoilt.address), observer)
    failures = [each.split(": ")[0] for each in observer.said if "it is done again" in each]
    assert len(failures) == 3
    assert len(set(failures)) > 1, "it went to the same worker again and again"


def test_workers_that_fail_leave_their_blocks_to_another(images, local, spoilt):
    broken = spoilt.addresses[:2]
    spoilt.client.run(_break, workers=broken)
    observer = Acting()
    assert_alike(images, run(request(images, "dask", spoilt.address), observer), local)
    failures = [each for each in observer.said if "it is done again" in each]
    assert failures
    assert all(re.search(rf" failed on worker ({'|'.join(broken)}): RuntimeError", each) for each in failures)


def test_a_broken_connection_is_no_fault_of_the_disk(images, local, workers, monkeypatch):
    send, sent = Cluster.send, []

    def breaking(self, what, *others):
        sent.append(what)
        if len(sent) == 3:
            raise CommClosedError("the connection was closed")
        return send(self, what, *others)

    monkeypatch.setattr(Cluster, "send", breaking)
    observer = Acting()
    assert_alike(images, run(request(images, "dask", workers.address), observer), local)
    assert (
        sum("CommClosedError: the connection was closed; it is done again" in each for each in observer.said)
        == 1
    )
