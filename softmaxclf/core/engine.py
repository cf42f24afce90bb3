"""The engine: trains a stack of models at once. The formulas are in lane.py.

The cells of a stack do not depend on each other, so a wide stack is trained in lanes: as many groups of cells
as there are processor cores, each in a thread with one-threaded matrix products. Every core then does all
of a step's work for its cells, the thin parts too, and no product waits for another thread. A narrow stack
stays in one lane, whose products use all the threads of BLAS.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core import blas
from softmaxclf.core.lane import Lane
from softmaxclf.core.stack import STATE_ARRAYS, History, Problem, Settings, State

Array = NDArray[Any]
LANE_COLUMNS = 60  # a product thinner than this is bound by memory, and better left to all threads of BLAS
SLICE_SECONDS = 0.3  # how long lanes run between two looks at the clock, signals and checkpoints


class Trainer:
    """Trains `state`, in place, on the rows of `problem`. One Trainer for one set of cells."""

    def __init__(self, problem: Problem, settings: Settings, state: State) -> None:
        self.state = state
        count = min(lanes(state), len(state.cells))
        self._parts = np.array_split(np.arange(len(state.cells)), count)
        whole = count == 1
        self._lanes = [Lane(problem, settings, state if whole else state.keep(part)) for part in self._parts]

    def run(self, until: int, stop: Callable[[State], bool] = lambda state: False) -> bool:
        """Train up to iteration `until`; returns whether it was reached, or `stop` ended training before.

        `stop` is asked after each iteration of a single lane, and a few times a second of several.
        """
        if len(self._lanes) == 1:
            return self._lanes[0].run(until, stop)
        length = 1
        with blas.single_threaded(), ThreadPoolExecutor(len(self._lanes)) as pool:
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


def lanes(state: State) -> int:
    """How many lanes a stack is trained in: at most the threads of BLAS, each at least LANE_COLUMNS wide."""
    return max(1, min(blas.threads(), state.b.size // LANE_COLUMNS))


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
