"""The engine: trains a stack of models at once. The formulas are in lane.py.

The work is divided among as many threads as BLAS would use, each with one-threaded matrix products. The cells of
a stack do not depend on each other, so a wide stack is trained in lanes: groups of cells, each in a thread that
does all of a step's work for them, the thin parts too. Threads that are left are helpers of the lanes: they
take a part of the rows of every batch. Data stay in the cache of one core, which threads inside BLAS do not heed.
Work that is too small to divide is left to one thread.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core import blas
from softmaxclf.core.lane import Lane
from softmaxclf.core.stack import STATE_ARRAYS, History, Problem, Settings, State

Array = NDArray[Any]
LANE_COLUMNS = 120  # the least columns of scores of a lane, where there are several
PART_ROWS = 32  # the least rows of a batch for a thread, where several share them
PART_OPERATIONS = 5e6  # and the least floating-point operations of a step
SLICE_SECONDS = 0.3  # how long lanes run between two looks at the clock, signals and checkpoints


class Trainer:
    """Trains `state`, in place, on the rows of `problem`. One Trainer for one set of cells."""

    def __init__(self, problem: Problem, settings: Settings, state: State) -> None:
        self.state = state
        count, helpers = division(problem, settings, state)
        self._parts = np.array_split(np.arange(len(state.cells)), count)
        self._lanes = [
            Lane(problem, settings, state if count == 1 else state.keep(part), helpers)
            for part in self._parts
        ]
        self._threads = count * (1 + helpers)

    def run(self, until: int, stop: Callable[[State], bool] = lambda state: False) -> bool:
        """Train up to iteration `until`; returns whether it was reached, or `stop` ended training before.

        `stop` is asked after each iteration of a single lane, and a few times a second of several.
        """
        with blas.single_threaded() if self._threads > 1 else nullcontext():
            return self._run(until, stop)

    def _run(self, until: int, stop: Callable[[State], bool]) -> bool:
        if len(self._lanes) == 1:
            return self._lanes[0].run(until, stop)
        length = 1
        with ThreadPoolExecutor(len(self._lanes)) as pool:
            while self.state.iteration < until:
                started = time.perf_counter()
                target = min(until, self.state.iteration + length)
                list(pool.map(lambda lane, target=target: lane.run(target), self._lanes))
                seconds = (time.perf_counter() - started) / (target - self.state.iteration)
                length = max(1, int(SLICE_SECONDS / seconds))
                self._collect()
                if stop(self.state) and self.state.iteration < until:
                    return False
        return True

    def validate(self) -> Array:
        """The share (G,) of its validation rows, or of its held-out rows, that each cell labels right."""
        return np.concatenate([lane.validate() for lane in self._lanes])

    def _collect(self) -> None:
        """Copy what the lanes have reached into the whole state."""
        states = [lane.state for lane in self._lanes]
        for part, state in zip(self._parts, states, strict=True):
            for name in STATE_ARRAYS:
                getattr(self.state, name)[..., part[0] : part[-1] + 1] = getattr(state, name)
        self.state.iteration, self.state.loss_count = states[0].iteration, states[0].loss_count
        self.state.history = joined([state.history for state in states])


def division(problem: Problem, settings: Settings, state: State) -> tuple[int, int]:
    """(lanes, helpers of each) for a stack: at most as many threads together as BLAS would use."""
    threads = blas.threads()
    lanes = max(1, min(threads, state.b.size // LANE_COLUMNS, len(state.cells)))
    rows = min(settings.batch_size, len(problem.train_rows))
    operations = 4 * rows * state.V.size // lanes
    return lanes, max(1, min(threads // lanes, rows // PART_ROWS, int(operations // PART_OPERATIONS))) - 1


def joined(histories: list[History]) -> History:
    """The history of all cells, out of those of groups of them."""

    def side_by_side(name: str) -> list[Array]:
        return [
            np.concatenate(line) for line in zip(*(getattr(each, name) for each in histories), strict=True)
        ]

    return History(
        list(histories[0].iteration),
        side_by_side("loss"),
        side_by_side("train_accuracy"),
        side_by_side("validation_accuracy"),
    )
