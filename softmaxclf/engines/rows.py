"""Sums over rows that lie with workers, a block each: points go to all, what they add up to comes back in a tree."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import uuid4

import numpy as np
from distributed import Future

from softmaxclf import __version__
from softmaxclf.core.devices import NUMPY, SINGLE
from softmaxclf.core.problem import Array
from softmaxclf.core.solvers.lbfgs.sums import AddedRows, Point, Totals
from softmaxclf.engines.cluster import Cluster, Refused, Retries, lost, said
from softmaxclf.engines.cost import FAN_IN
from softmaxclf.engines.row_task import added, block_sum
from softmaxclf.engines.shards import bounds_at_shards, read_block, shards_of
from softmaxclf.errors import DataError, EngineError, SoftmaxclfError
from softmaxclf.workflows.observer import Observer

BY_VALUE = 2**20  # bytes that go to each worker by way of the scheduler
SETTLED = 2.0  # seconds between two looks at who is there; asking the scheduler takes as long as a small sum
SENDING = 2  # blocks on their way at a time, of which the client has copies
ROOM = 0.4  # of a worker's memory that its block may take: at 0.8 it stops, and products take some


class _Lost(Exception):  # noqa: N818 - it is caught here
    """A sum did not come about: by which worker, and why."""


class Blocks:
    """Rows of X in blocks, and the worker that has each."""

    def __init__(self, cluster: Cluster, X: Array, rows: Array | None) -> None:
        self.cluster, self.X, self.rows = cluster, X, rows
        self.name = uuid4().hex
        total, workers = len(X) if rows is None else len(rows), sorted(cluster.living())
        count = min(len(workers), total)
        bounds = bounds_at_shards(X, rows, count)
        self.in_shards = bounds is not None
        bounds = bounds or np.linspace(0, total, count + 1).astype(int).tolist()
        self.parts = [slice(*each) for each in pairwise(bounds)]
        self.workers = workers[: len(self.parts)]
        self.failed: set[str] = set()
        self._given: dict[int, tuple[str, Future]] = {}
        self._settled = time.monotonic()
        self._refuse_large()

    def settle(self) -> None:
        """Let a living worker have each block, and none two where another has none; one that failed none at all."""
        self._settled = time.monotonic()
        there = sorted(self.cluster.living())
        living = [each for each in there if each not in self.failed] or there
        for n, worker in enumerate(self.workers):
            if worker not in living:
                self.workers[n] = min(living, key=self.workers.count)
        for idle in [each for each in living if each not in self.workers]:
            most = max(living, key=self.workers.count)
            if self.workers.count(most) > 1:
                self.workers[self.workers.index(most)] = idle

    @property
    def stale(self) -> bool:
        """Whether it is some time that workers were looked at."""
        return time.monotonic() - self._settled > SETTLED

    def placed(self, n: int) -> Future:
        """X of a block, which its worker has, or gets, or reads from shards."""
        reading = self.in_shards and self.workers[n] not in self.cluster.unreadable
        return self.held(self._given, n, partial(self._read if reading else self._send, n))

    def _send(self, n: int, worker: str) -> Future:
        part = self.parts[n]
        return self.cluster.send(self.X[part if self.rows is None else self.rows[part]], [worker])

    def _read(self, n: int, worker: str) -> Future:
        part = self.parts[n]
        rows = np.arange(part.start, part.stop) if self.rows is None else self.rows[part]
        shards = self.cluster.send(shards_of(self.X, rows), [worker])
        return self.cluster.client.submit(
            read_block, shards, self.X.shape[1], self.X.dtype, workers=[worker], pure=False
        )

    def held(self, given: dict[int, tuple[str, Future]], n: int, give: Callable[[str], Future]) -> Future:
        """What the worker of a block has, or gets now: `given` says, by block, which worker got it."""
        worker, future = given.get(n, ("", None))
        if future is None or worker != self.workers[n] or future.status not in ("pending", "finished"):
            future = give(self.workers[n])
            given[n] = self.workers[n], future
        return future

    def excused(self, placed: Sequence[Future]) -> bool:
        """Whether blocks are not there for want of shards: those of workers with others are moved, other ones are sent.

        Raises DataError where no worker has the same shards.
        """
        found = False
        for worker, future in zip(tuple(self.workers), placed, strict=True):
            error = future.exception() if future.status == "error" else None
            if isinstance(error, Refused):
                self.cluster.refuse(worker, str(error))
            elif isinstance(error, DataError):
                self.cluster.excuse(worker, str(error))
            found |= isinstance(error, Refused | DataError)
        if found:
            self.settle()
        return found

    def _refuse_large(self) -> None:
        needed = max(part.stop - part.start for part in self.parts) * self.X[:1].nbytes
        room = ROOM * self.cluster.least_memory
        if 0 < room < needed:
            raise EngineError(
                f"--engine dask: expected blocks of rows of at most {room / 1e9:.1f} GB, {ROOM:g} of a worker's "
                f"memory, got {needed / 1e9:.1f} GB; start more workers, or some with more memory"
            )


class DividedRows(AddedRows):
    """The sums of AddedRows by the workers of a cluster, on that device of each.

    before: who may have sent the same rows of X already.
    """

    def __init__(
        self,
        cluster: Cluster,
        observer: Observer,
        before: "DividedRows | None",
        X: Array,
        y: Array,
        classes: int,
        *,
        device: tuple[str, str] = (NUMPY, SINGLE),
        **settings: Any,
    ) -> None:
        super().__init__(X, y, classes, **settings)
        self._cluster, self._observer, self._device = cluster, observer, device
        self.blocks: Blocks = (
            before.blocks
            if before is not None and before.has(X, self._rows)
            else Blocks(cluster, X, self._rows)
        )
        self._settings: dict[int, tuple[str, Future]] = {}
        self._name = uuid4().hex
        self._sums: Array | None = None

    def has(self, X: Array, rows: Array | None) -> bool:
        """Whether these are sums over those rows of X, in whichever features."""
        mine = self._rows
        return X is self._X and (mine is rows if mine is None or rows is None else np.array_equal(mine, rows))

    def class_sums(self) -> Array:
        if self._sums is None:
            self._sums = self._added("class_sums")
        return self._sums

    def products(self, chosen: Array, dtype: np.dtype[Any]) -> Array:
        found: Array = self._added("products", lambda part: (_within(chosen, part), dtype))
        return found

    def squares(self, chosen: Array) -> Array:
        found: Array = self._added("squares", lambda part: (_within(chosen, part),))
        return found

    def totals(self, points: Sequence[Point], precise: bool) -> Totals:
        found: Totals = self._added("totals", shared=lambda: (self._at_hand(points), precise))
        return found

    def _at_hand(self, points: Sequence[Point]) -> Sequence[Point] | Future:
        """The points, or where they are many numbers, one worker's, from which the others get them."""
        small = sum(point.weights.nbytes for point in points) <= BY_VALUE
        return points if small else self._cluster.send(points, self.blocks.workers[:1])

    def _added(
        self,
        method: str,
        own: Callable[[slice], tuple[Any, ...]] = lambda part: (),
        shared: Callable[[], tuple[Any, ...]] = tuple,
    ) -> Any:
        """The sum over blocks of what that method of their rows gives. Raises EngineError where it keeps failing.

        own(part), shared(): its arguments, those of a block and those of all.
        """
        retries = Retries(self._observer)
        if self.blocks.stale:
            self.blocks.settle()
        while True:
            try:
                return self._once(method, own, shared)
            except _Lost as error:
                worker, why = error.args
            ending = "the same command goes on from here"
            self.blocks.failed.update(retries.count(method, "a sum over rows", worker, why, ending))
            self.blocks.settle()

    def _once(
        self,
        method: str,
        own: Callable[[slice], tuple[Any, ...]],
        shared: Callable[[], tuple[Any, ...]],
    ) -> Any:
        client, blocks = self._cluster.client, self.blocks
        common = shared()
        placed = self._placed()
        leaves = [
            client.submit(
                block_sum, __version__, blocks.name, f"{self._name}-{n}", X,
                blocks.held(self._settings, n, partial(self._send_part, n)), self._device, method,
                *own(blocks.parts[n]), *common,
                workers=[blocks.workers[n]], pure=False,
            )
            for n, X in enumerate(placed)
        ]  # fmt: skip
        ends = leaves
        while len(ends) > FAN_IN:
            groups = [ends[start : start + FAN_IN] for start in range(0, len(ends), FAN_IN)]
            ends = [client.submit(added, *group, pure=False) for group in groups]
        self._wait(leaves, ends)
        try:
            return added(*client.gather(ends))
        except SoftmaxclfError:
            raise
        except Exception as error:  # a worker may die with what it has
            raise _Lost("unknown", said(error)) from error

    def _send_part(self, n: int, worker: str) -> Future:
        return self._cluster.send(self.part(self.blocks.parts[n]), [worker])

    def _placed(self) -> list[Future]:
        """X of each block with its worker. Raises _Lost, and DataError where no worker has the same shards."""
        while True:
            with ThreadPoolExecutor(SENDING) as pool:
                placed = list(pool.map(self.blocks.placed, range(len(self.blocks.parts))))
            try:
                self._wait(placed, [each for each in placed if each.status != "finished"])
            except _Lost:
                if not self.blocks.excused(placed):
                    raise
            else:
                return placed

    def _wait(self, leaves: Sequence[Future], ends: Sequence[Future]) -> None:
        """Return once all ends are there. Raises _Lost where one cannot come."""
        pending = list(ends)
        while pending:
            done = self._cluster.next_done(pending)
            for n, leaf in enumerate(leaves):
                if leaf.status not in ("pending", "finished"):
                    raise _Lost(self.blocks.workers[n], lost(leaf)[1])
            if any(each.status != "finished" for each in done):
                raise _Lost("unknown", "what was added up was lost with its worker")
            pending = [each for each in pending if each not in done]
            if pending and not done:
                self._cluster.raise_if_gone()
                for worker in set(self.blocks.workers).difference(self._cluster.workers):
                    raise _Lost(worker, "it is gone")


def _within(chosen: Array, part: slice) -> Array:
    """Of ascending places among all rows those in a block, as places there."""
    start, stop = np.searchsorted(chosen, (part.start, part.stop))
    places: Array = chosen[start:stop] - part.start
    return places
