"""Minibatch SGD over a stack of models. The formulas are in descent.py.

The work is divided among as many threads as BLAS would use, each with one-threaded matrix products. The cells of
a stack do not depend on each other, so a wide stack is trained in groups of cells, each in a thread that does all
of a step's work for them, the thin parts too. Threads that are left are workers of the groups: they take a part of
the rows of every batch. Data stay in the cache of one core, which threads inside BLAS do not heed. Work that is
too small to divide is left to one thread.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np

from softmaxclf.core import blas
from softmaxclf.core.problem import Array, Cells, Problem, joined
from softmaxclf.core.solvers.sgd.descent import Descent
from softmaxclf.core.solvers.sgd.state import Settings, SGDState, initial_state
from softmaxclf.core.solvers.solver import Solver, Stop

GROUP_COLUMNS = 120  # the least columns of scores of a group of cells, where there are several
PART_ROWS = 32  # the least rows of a batch for a thread, where several share them
PART_OPERATIONS = 5e6  # and the least floating-point operations of a step
SLICE_SECONDS = 0.3  # how long groups run between two looks at the clock, signals and checkpoints


class SGD(Solver):
    """Trains `state`, in place, on the rows of `problem`."""

    axes = ("learning_rate", "regularization")
    settings_type = Settings
    state: SGDState
    settings: Settings

    def __init__(self, problem: Problem, settings: Settings, state: SGDState) -> None:
        super().__init__(problem, settings, state)
        count, workers = division(problem, settings, state)
        self._parts = np.array_split(np.arange(len(state.cells)), count)
        self._groups = [
            Descent(problem, settings, state if count == 1 else state.keep(part), workers)
            for part in self._parts
        ]
        self._threads = count * (1 + workers)

    @classmethod
    def start(cls, problem: Problem, settings: Settings, cells: Cells) -> SGDState:
        """Weights of zero."""
        return initial_state(cells, problem, settings)

    @property
    def length(self) -> int:
        """The number of iterations."""
        return self.settings.iterations

    def run(self, until: int, stop: Stop = lambda iteration: False) -> bool:
        """Train up to iteration `until`; returns whether it was reached, or `stop` ended training before.

        `stop` is asked after each iteration of a single group, and a few times a second of several.
        """
        with blas.single_threaded() if self._threads > 1 else nullcontext():
            return self._run(until, stop)

    def weights(self, place: int) -> tuple[Array, Array]:
        """(W (D', K), b (K,)), float64: W = V * scale."""
        fitted = self.problem.fitted(int(self.state.cells.fold[place]))
        V = self.state.weights(place)
        return V * np.broadcast_to(fitted.divisor, len(V))[:, None], self.state.b[:, place].astype(np.float64)

    def validate(self) -> Array:
        """The share (G,) of its validation rows, or of its held-out rows, that each cell labels right."""
        with np.errstate(all="ignore"):  # of cells that diverge
            return np.concatenate([group.validate() for group in self._groups])

    def _run(self, until: int, stop: Stop) -> bool:
        if len(self._groups) == 1:
            return self._groups[0].run(until, stop)
        length = 1
        with ThreadPoolExecutor(len(self._groups)) as pool:
            while self.state.iteration < until:
                started = time.perf_counter()
                target = min(until, self.state.iteration + length)
                list(pool.map(lambda group, target=target: group.run(target), self._groups))
                seconds = (time.perf_counter() - started) / (target - self.state.iteration)
                length = max(1, int(SLICE_SECONDS / seconds))
                self._collect()
                if stop(self.state.iteration) and self.state.iteration < until:
                    return False
        return True

    def _collect(self) -> None:
        """Copy what the groups have reached into the whole state."""
        states = [group.state for group in self._groups]
        for part, state in zip(self._parts, states, strict=True):
            for name, own in self.state.columns().items():
                own[..., part[0] : part[-1] + 1] = getattr(state, name)
        self.state.iteration, self.state.loss_count = states[0].iteration, states[0].loss_count
        self.state.history = joined([state.history for state in states])


def division(problem: Problem, settings: Settings, state: SGDState) -> tuple[int, int]:
    """(groups of cells, workers of each) for a stack: at most as many threads together as BLAS would use."""
    threads = blas.threads()
    groups = max(1, min(threads, state.b.size // GROUP_COLUMNS, len(state.cells)))
    rows = min(settings.batch_size, len(problem.train_rows))
    operations = 4 * rows * state.V.size // groups
    return groups, max(1, min(threads // groups, rows // PART_ROWS, int(operations // PART_OPERATIONS))) - 1
