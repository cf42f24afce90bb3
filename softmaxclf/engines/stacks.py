"""Stacks of a grid, trained by workers: what was begun is sent out, what comes back is written into the run folder."""

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

import numpy as np
from distributed import Future

from softmaxclf.config import LOCAL
from softmaxclf.core.problem import Cells, Problem
from softmaxclf.core.search import Outcome
from softmaxclf.datasets.dataset import Dataset, Split, ignored
from softmaxclf.datasets.sources import NAMED
from softmaxclf.engines.cluster import Cluster, Retries, lost
from softmaxclf.engines.stack_task import Order, Report, Rows, stop, train_stack
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.grid import GridTraining, reseeded
from softmaxclf.workflows.runs.training import WRITING_SECONDS, WRITING_SHARE
from softmaxclf.workflows.runs.training_data import TrainingData

LEAVING = 30.0  # seconds that workers have to hand over what they have begun


def bring(
    cluster: Cluster, observer: Observer, grid: GridTraining, stacks: Sequence[Cells], halving: bool
) -> dict[int, dict[int, Outcome]]:
    """See Engine.bring."""
    order = Order(uuid4().hex, _reachable(grid), grid.repeat, grid.data.fingerprint, stacks, halving)
    bringing = _Bringing(cluster, observer, grid, order)
    for number in [n for n, cells in enumerate(stacks) if len(cells)]:
        result = grid.stored(number, stacks)
        bringing.points[number], bringing.lengths[number] = result.state.iteration, result.solver.length
        if result.state.iteration >= result.solver.length:
            bringing.brought[number] = grid.judged(result)
    return bringing.run()


def _reachable(grid: GridTraining) -> Any:
    """The configuration of the first repeat, as a worker has it: with paths that do not hang on a folder, nothing is
    fetched, and it computes itself.
    """
    config = reseeded(grid.config, -grid.repeat)
    data = config.data
    source = data.source if data.source in NAMED else str(Path(data.source).absolute())
    return replace(
        config,
        data=replace(data, source=source, directory=str(Path(data.directory).absolute()), download=False),
        engine=replace(config.engine, kind=LOCAL),
    )


class _Bringing:
    """One grid on its way through the workers."""

    def __init__(
        self,
        cluster: Cluster,
        observer: Observer,
        grid: GridTraining,
        order: Order,
    ) -> None:
        self.cluster, self.observer, self.grid, self.order = cluster, observer, grid, order
        self.points: dict[int, int] = {}  # that stacks have reached
        self.lengths: dict[int, int] = {}
        self.futures: dict[Future, int] = {}
        self.brought: dict[int, dict[int, Outcome]] = {}
        self.retries = Retries(observer)
        self.heard: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self.given: Future | None = None
        self.stopped = 0.0

    def run(self) -> dict[int, dict[int, Outcome]]:
        wanted = [number for number in self.points if number not in self.brought]
        if not wanted:
            return self.brought
        client, control = self.cluster.client, self.grid.training.control
        cells = sum(len(np.unique(self.order.stacks[n].index)) for n in wanted)
        total = sum(self.lengths.values())
        self.observer.begin(f"tune: {cells} cells in {len(wanted)} stacks", total, sum(self.points.values()))
        client.subscribe_topic(self.order.token, lambda event: self.heard.put(event[1]))
        try:
            with control.deferring():
                if self.grid.data.front is not None:
                    self._give()  # features, which only this process has made
                for number in wanted:
                    self._send(number)
                while self.futures and not self._left_behind():
                    self._listen()
                    self._stop_in_time()
                    for future in self.cluster.next_done(self.futures):
                        self._take(future, self.futures.pop(future))
                    self.cluster.raise_if_gone()
            points, total = sum(self.points.values()), sum(self.lengths.values())
            control.raise_if_received(
                f"stopped at iteration {points:,} of {total:,} of all stacks; everything is saved in "
                f"{self.grid.training.folder.path}: the same command continues"
            )
        finally:
            self.observer.end()
            self._part()
        return self.brought

    # What goes out

    def _send(self, number: int, without: Collection[str] = ()) -> None:
        """Let a worker train the stack: none of those that were refused and, if there are others, of `without`."""
        willing = self.cluster.willing
        others = [each for each in willing if each not in without] or willing
        begun = None
        if self.points[number]:
            begun = self.cluster.send(self.grid.training.folder.load_checkpoint(self.grid.checkpoint(number)))
        chosen = others if self.cluster.refused or without else ()
        future = self.cluster.submit(train_stack, self.order, number, begun, self.given, workers=chosen)
        self.futures[future] = number

    def _give(self) -> None:
        """Send the rows to one worker, from which others fetch them."""
        self.given = self.cluster.send(portable(self.grid.data, self.grid.problem))

    # What comes back

    def _take(self, future: Future, number: int) -> None:
        if future.status != "finished":
            self._again(number, *lost(future))
            return
        report: Report = future.result()
        if report.refused:
            self.cluster.refuse(report.worker, report.refused)
            self._send(number)
        elif report.unreadable:
            self.cluster.excuse(report.worker, report.unreadable)
            if self.given is None:
                self._give()
            self._send(number)
        elif report.failed:
            self._again(number, report.worker, report.failed)
        elif report.state is not None:
            self._keep(number, report)

    def _again(self, number: int, worker: str, error: str) -> None:
        """Send the stack out once more, to another worker where there is one. Raises EngineError at last."""
        failed = self.retries.count(
            number, f"stack {number + 1}", worker, error,
            f"what had finished is in {self.grid.training.folder.path}: mend that, and the same command continues",
        )  # fmt: skip
        if self.given is not None and self.given.status != "finished":
            self._give()
        self._send(number, without=failed)

    def _keep(self, number: int, report: Report) -> None:
        """Write what came back into the run folder, then count it."""
        assert report.state is not None
        arrays, facts = report.state
        self.grid.training.folder.save_checkpoint(self.grid.checkpoint(number), arrays, facts)
        self.points[number] = int(arrays["iteration"])
        self.observer.advance(sum(self.points.values()))
        if report.outcomes:
            self.brought[number] = report.outcomes

    def _listen(self) -> None:
        """Pass on what workers have told since."""
        while True:
            try:
                word, *told = self.heard.get_nowait()
            except Empty:
                return
            if word != "advance":
                getattr(self.observer, word)(*told)
                continue
            number, point, figures = told
            self.points[number] = max(self.points[number], point)
            self.observer.advance(sum(self.points.values()), figures)

    # When it ends early

    def _stop_in_time(self) -> None:
        control = self.grid.training.control
        reserve = 2 * min(WRITING_SECONDS, WRITING_SHARE * (control.max_time or 0))
        if not self.stopped and (control.received is not None or control.out_of_time(reserve)):
            self.stopped = time.perf_counter()
            self.cluster.client.run(stop, self.order.token, on_error="ignore")

    def _left_behind(self) -> bool:
        """Whether workers have had their time to hand over what they have begun."""
        return self.stopped > 0 and time.perf_counter() - self.stopped > LEAVING

    def _part(self) -> None:
        """Leave no work and no rows with the workers."""
        client = self.cluster.client
        if client.status == "running":
            client.cancel([*self.futures, *([self.given] if self.given is not None else [])])
            client.unsubscribe_topic(self.order.token)


def portable(data: TrainingData, problem: Problem) -> Rows:
    """The same rows, in memory, without what only this process can use: test rows, stages in front, progress."""
    train, own = data.dataset.train, data.dataset
    X = np.asarray(train.X)
    split = Split(X, train.y, train.place)
    dataset = Dataset(
        own.name, own.path, partial(_same, own.class_names), own.image_shape, partial(_same, split),
        feature_names=own.feature_names, columns=own.columns,
    )  # fmt: skip
    unseen = X if data.validation_X is train.X else np.asarray(data.validation_X)
    fitting = replace(data.fitting, X=X, gathered=None)
    validated = None if problem.validation_X is None else unseen
    return (
        replace(data, dataset=dataset, validation_X=unseen, fitting=fitting, front=None, progress=ignored),
        replace(problem, X=X, validation_X=validated, summing=None),
    )


def _same(value: Any) -> Any:
    return value
