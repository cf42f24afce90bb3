"""A Dask cluster: processes started on this machine, or that of a scheduler which the user trusts.

What comes from a scheduler and its workers is unpickled by distributed, which may run any code: who gives an address
trusts it. Workers that are started here, and their scheduler, listen on the loopback interface alone.
"""

import logging
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import dask
from distributed import CancelledError, Client, Future, LocalCluster, WorkerPlugin, wait

from softmaxclf.config import EngineConfig
from softmaxclf.errors import DataError, EngineError
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.control import Control

LOOPBACK = "127.0.0.1"
CONNECTING, STARTING = 10.0, 120.0  # seconds to wait for a scheduler, and for its workers
REACHING = 5  # seconds to try to reach a worker, which may have died since the scheduler heard of it
TRIES = 3  # times that failed work is done again, elsewhere where there is another worker
# One thread of BLAS for each; and memory of arrays stays with the process, as elsewhere. distributed has it given back
# at once, and to get it again took 8 % of the time of sums over rows.
ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
}
LOOKING = 0.1  # seconds between two looks at signals, the clock and workers


class Refused(Exception):  # noqa: N818 - becomes a warning, or part of an error
    """A worker would compute something else; said so that it can be shown after the worker's name."""


class Cluster:
    """The workers, from the first time that they are asked for. forgetting: what those of others do in the end.

    refused: why workers take no part, by address. unreadable: those that cannot read the rows.
    """

    def __init__(self, settings: EngineConfig, observer: Observer, forgetting: Callable[[], None]) -> None:
        self.forgetting = forgetting
        self._settings, self._observer = settings, observer
        self.control: Control | None = None  # what ends waiting
        self.rehearsing = False  # a dry run: nothing is waited for
        self._own: LocalCluster | None = None
        self.refused: dict[str, str] = {}
        self.unreadable: set[str] = set()
        self._chosen: WeakKeyDictionary[Future, frozenset[str]] = WeakKeyDictionary()
        self._seen = self._told = time.monotonic()

    @property
    def local(self) -> bool:
        """Whether the workers are processes of this machine, started here."""
        return self._settings.scheduler is None

    @property
    def size(self) -> int:
        """How many workers there are, or will be: started here, or by --workers of a dry run. Raises EngineError."""
        if self.local:
            return self._settings.workers or os.cpu_count() or 1
        return self._settings.workers if self.rehearsing and self._settings.workers else len(self.workers)

    @property
    def workers(self) -> dict[str, dict[str, Any]]:
        """What the scheduler knows of each worker, by address."""
        found: dict[str, dict[str, Any]] = self.client.scheduler_info(n_workers=-1)["workers"]
        return found

    @property
    def least_memory(self) -> int:
        """Bytes that the worker with the least memory may take; 0 where none has a limit, or that is not known."""
        if self.rehearsing:
            return 0
        return min(
            (each["memory_limit"] for each in self.workers.values() if each["memory_limit"]), default=0
        )

    @cached_property
    def client(self) -> Client:
        """The connection. Raises EngineError where there is no scheduler, or too few workers."""
        wanted = self._settings.workers or 1
        dask.config.set({"distributed.comm.timeouts.connect": f"{REACHING}s"})
        if self.local:
            wanted = self.size
            self._own = _processes(wanted)
        address = self._settings.scheduler if self._own is None else self._own.scheduler_address
        try:
            client = Client(address, timeout=CONNECTING, name="softmaxclf", direct_to_workers=True)
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            raise EngineError(
                f"--scheduler {address}: expected a Dask scheduler, found none ({_first_line(error)}); start one with: "
                f"dask scheduler --host {LOOPBACK}"
            ) from error
        try:
            self._await_workers(client, wanted, str(address))
        except BaseException:
            client.close()
            raise
        if self.local:
            client.register_plugin(_Undisturbed(), name="softmaxclf-undisturbed")
        kind = "started on this machine" if self.local else f"of {address}"
        self._observer.note(f"dask: {_counted(_count(client))} {kind}")
        return client

    def _await_workers(self, client: Client, wanted: int, address: str) -> None:
        began, patience, told = time.monotonic(), REACHING if self.rehearsing else STARTING, False
        while (found := _count(client)) < wanted:
            waited = time.monotonic() - began
            if waited > patience:
                hint = (
                    ", or plan for a number of them with --workers"
                    if self.rehearsing
                    else ", or lower --workers"
                )
                raise EngineError(
                    f"--scheduler {address}: expected {_counted(wanted)} within {patience:.0f} s, found {found}; start "
                    f"more with: dask worker {address}{hint if self.rehearsing or wanted > 1 else ''}"
                )
            if waited > 1 and not told:
                told = True
                self._observer.note(
                    f"dask: waiting for {_counted(wanted)} of {address}, {patience:.0f} s at most; {found} there now"
                )
            self._give_way()
            time.sleep(LOOKING)

    def _give_way(self) -> None:
        """End waiting for workers on a signal, or when the time is up."""
        if self.control is not None:
            self.control.raise_if_over("while no Dask worker was there; the same command continues")

    @property
    def willing(self) -> list[str]:
        """The workers that were not refused. Raises DataError where only such are left."""
        found = [each for each in self.workers if each not in self.refused]
        if self.refused and not found:
            raise DataError(f"no worker is left: {'; '.join(dict.fromkeys(self.refused.values()))}")
        return found

    def refuse(self, worker: str, why: str) -> None:
        """Let a worker take no part, and say so."""
        if worker not in self.refused:
            if why not in self.refused.values():  # it is said once
                self._observer.warn(f"worker {worker}: {why}; it takes no part")
            self.refused[worker] = why

    def excuse(self, worker: str, why: str) -> None:
        """Know that rows are to be sent to a worker, and say so of the first."""
        if not self.unreadable:
            self._observer.note(f"worker {worker} cannot read the rows ({why}): they are sent")
        self.unreadable.add(worker)

    def living(self) -> list[str]:
        """The willing ones, after waiting for one where there is none for a moment. Raises EngineError, DataError."""
        while not (workers := self.willing):
            self.raise_if_gone()
            time.sleep(LOOKING)
        return workers

    def send(self, what: Any, workers: Sequence[str] | None = None) -> Future:
        """Something that one of those workers has from now on, or any."""
        sent = self.client.scatter([what], workers=workers, hash=False)
        future: Future = sent[0]
        return future

    def submit(self, work: Callable[..., Any], *given: Any, workers: Collection[str] = ()) -> Future:
        """Work for one of those workers and no other, or for any."""
        future = self.client.submit(work, *given, workers=list(workers) or None, pure=False)
        if workers:
            self._chosen[future] = frozenset(workers)
        return future

    def next_done(self, futures: Iterable[Future]) -> list[Future]:
        """Those that have ended, well or not, after waiting a moment for one; lost is what no living worker may do."""
        listed = list(futures)
        with suppress(TimeoutError, CancelledError):
            wait(listed, timeout=LOOKING, return_when="FIRST_COMPLETED")
        bound = [each for each in listed if each in self._chosen and each.status == "pending"]
        living = self.workers if bound else {}
        for each in bound:
            if self._chosen[each].isdisjoint(living):
                each.cancel()
        return [each for each in listed if each.status != "pending"]

    def raise_if_gone(self) -> None:
        """Raise EngineError where the scheduler has left us, or all workers have for a while."""
        lost = "" if self.client.status == "running" else "the Dask scheduler is gone"
        if not lost and self.workers:
            self._seen = time.monotonic()
        elif not lost:
            waited = time.monotonic() - self._seen
            self._give_way()
            if waited > STARTING:
                lost = f"no Dask worker was there for {STARTING:.0f} s"
            elif waited > 1 and self._told < self._seen:
                self._told = time.monotonic()
                self._observer.warn(f"all Dask workers are gone; waiting for one, {STARTING:.0f} s at most")
        if lost:
            raise EngineError(f"{lost}; everything that had finished is saved: the same command continues")

    def close(self) -> None:
        """Let the workers go; those that were started here end."""
        if "client" in self.__dict__:
            if not self.local and self.client.status == "running":
                self.client.run(self.forgetting, on_error="ignore")
            self.client.close()
        if self._own is not None:
            self._own.close()


class Retries:
    """What failed with workers, which is done again TRIES times."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._failed: defaultdict[Hashable, list[str]] = defaultdict(list)

    def count(self, which: Hashable, what: str, worker: str, error: str, ending: str) -> list[str]:
        """The workers on which this has failed, most lately that one, which is told. Raises EngineError at last.

        which, what: for this class, and for the user. ending: what the user can do.
        """
        failed = self._failed[which]
        failed.append(worker)
        told = f"{what} failed on worker {worker}: {error}"
        if len(failed) > TRIES:
            raise EngineError(f"{told}; that was the last of {TRIES} times that it was done again; {ending}")
        self._observer.warn(f"{told}; it is done again ({len(failed)} of {TRIES})")
        return failed


class _Undisturbed(WorkerPlugin):  # type: ignore[misc]
    """Leaves Ctrl-C, which a terminal sends to all processes of a command, to the client: workers hand over what they
    have.
    """

    def setup(self, worker: Any) -> None:
        """In the main thread of the worker's process, of those that are started again too."""
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _processes(count: int) -> LocalCluster:
    """So many worker processes of one thread each."""
    with dask.config.set({"distributed.nanny.pre-spawn-environ": ENVIRONMENT}):
        return LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host=LOOPBACK,
            dashboard_address=f"{LOOPBACK}:0",
            worker_dashboard_address=f"{LOOPBACK}:0",
            silence_logs=logging.CRITICAL,
        )


def lost(future: Future) -> tuple[str, str]:
    """The worker, as far as it is known, and the error of work that gave no result."""
    if future.status != "error":
        return "unknown", "it was lost with its worker"
    error = future.exception()
    last = getattr(error, "last_worker", None)  # of KilledWorker
    if last is None:
        return "unknown", said(error)
    return last.address, "the process died each time, killed, crashed or out of memory; its log says more"


def _count(client: Client) -> int:
    return len(client.scheduler_info(n_workers=-1)["workers"])


def _counted(workers: int) -> str:
    return f"{workers} worker" + "s" * (workers != 1)


def other_rows(place: object, expected: str, found: str) -> str:
    """What is said of rows that are not the client's."""
    return f"{place}: expected the rows of this run, {expected}, found others, {found}; copy the same there"


def said(error: BaseException) -> str:
    """The kind of an error and its first line; of work that was lost, that."""
    if isinstance(error, CancelledError):
        return "it was lost with its worker"
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or ["no more is said"])[0][:200]
