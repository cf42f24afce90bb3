"""A real scheduler with three worker processes on the loopback interface, which the tests of the engine share."""

import logging
import os
import signal
import time
from collections.abc import Iterator

import pytest


class Workers:
    """The cluster as tests see it."""

    def __init__(self, cluster, client) -> None:
        self._cluster, self.client = cluster, client
        self.address: str = cluster.scheduler_address

    @property
    def addresses(self) -> list[str]:
        return sorted(self.client.scheduler_info(n_workers=-1)["workers"])

    @property
    def pids(self) -> dict[str, int]:
        """The process of each worker."""
        return self.client.run(os.getpid)

    def busy(self) -> list[str]:
        """The workers that have work now."""
        return [worker for worker, keys in self.client.processing().items() if keys]

    def whole(self) -> "Workers":
        """Itself, once three workers are there again."""
        self.client.wait_for_workers(3, timeout=60)
        return self


@pytest.fixture(scope="session")
def cluster() -> Iterator[Workers]:
    """Its workers come back when they are killed."""
    import dask
    import distributed

    # A cluster forgets a worker that is away 15 s after it died; here they die again and again.
    patience = {"distributed.deploy.lost-worker-timeout": "1 hour"}
    with (
        dask.config.set(patience),
        distributed.LocalCluster(
            n_workers=3,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as processes,
        distributed.Client(processes.scheduler_address, set_as_default=False) as client,
    ):
        yield Workers(processes, client)


@pytest.fixture
def workers(cluster: Workers) -> Workers:
    """The cluster, for tests that leave its processes as they are or kill them."""
    return cluster.whole()


@pytest.fixture
def spoilt(cluster: Workers) -> Iterator[Workers]:
    """The cluster, for tests that change its processes: they end with the test."""
    yield cluster.whole()
    before = cluster.pids
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    while not (left := set(cluster.addresses)).isdisjoint(before) or len(left) < 3:
        time.sleep(0.05)
