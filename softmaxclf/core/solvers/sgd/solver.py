"""Minibatch SGD over a stack of models. The formulas are in descent.py.

The cells of a stack do not depend on each other, so a wide stack is trained in groups of cells, one for each thread
that BLAS would use. A thread does all of a step's work for its group, the thin parts too, with one-threaded matrix
products, so that its data stay in the cache of one core. A narrow stack is one group, and BLAS divides its products.
On a device of PyTorch (torch_descent.py) a stack is one group too, trained there and collected from there.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np

from softmaxclf.core import blas
from softmaxclf.core.namespace import fetched
from softmaxclf.core.problem import Array, Cells, Problem, joined
from softmaxclf.core.solvers.sgd.descent import Descent
from softmaxclf.core.solvers.sgd.state import Settings, SGDState, initial_state
from softmaxclf.core.solvers.solver import Solver, Stop

GROUP_COLUMNS = 120  # the least columns of scores of a group of cells, where there are several
SLICE_SECONDS = 0.3  # how long groups run between two looks at the clock, signals and checkpoints
LONGEST = 10  # times as long where it takes long to collect what they have reached, as from a GPU


class SGD(Solver):
    """Trains `state`, in place, on the rows of `problem`."""

    axes = ("learning_rate", "regularization")
    settings_type = Settings
    state: SGDState
    settings: Settings

    def __init__(self, problem: Problem, settings: Settings, state: SGDState) -> None:
        super().__init__(problem, settings, state)
        count = groups_of(state) if problem.device is None else 1
        self._parts = np.array_split(np.arange(len(state.cells)), count)
        self._groups = [self._descent(state if count == 1 else state.keep(part)) for part in self._parts]

    def _descent(self, state: SGDState) -> Descent:
        if self.problem.device is None:
            return Descent(self.problem, self.settings, state)
        from softmaxclf.core.solvers.sgd.torch_descent import TorchDescent

        return TorchDescent(self.problem, self.settings, state, self.problem.device)

    @classmethod
    def start(cls, problem: Problem, settings: Settings, cells: Cells) -> SGDState:
        """Weights of zero."""
        return initial_state(cells, problem, settings)

    @classmethod
    def bytes_per_cell(cls, problem: Problem, settings: Settings) -> int:
        """Weights, velocity, scores."""
        # Groups of cells train copies of their own; PyTorch has changes, and parts of mixed precision, in memory too.
        copies = 4 if settings.momentum or problem.device else 2
        floats = copies * problem.columns + 2 * settings.batch_size
        return np.dtype(problem.dtype).itemsize * problem.classes * floats

    @property
    def length(self) -> int:
        """The number of iterations."""
        return self.settings.iterations

    def run(self, until: int, stop: Stop = lambda iteration: False) -> bool:
        """Train up to iteration `until`; returns whether it was reached, or `stop` ended training before.

        `stop` is asked after each iteration of a single group of NumPy's, and else a few times a second.
        """
        with blas.single_threaded() if len(self._groups) > 1 else nullcontext():
            return self._run(until, stop)

    def weights(self, place: int) -> tuple[Array, Array]:
        """(W (D', K), b (K,)), float64: W = V * scale."""
        fitted = self.problem.fitted(int(self.state.cells.fold[place]))
        V = self.state.weights(place)
        return V * np.broadcast_to(fitted.divisor, len(V))[:, None], self.state.b[:, place].astype(np.float64)

    def pace(self, place: int, point: int) -> dict[str, float]:
        """The learning rate of the step before that iteration."""
        rate = self.settings.rate(max(0, point - 1)) * self.state.cells.values["learning_rate"][place]
        return {"learning_rate": float(rate)}

    def validate(self) -> Array:
        """The share (G,) of its validation rows, or of its held-out rows, that each cell labels right."""
        with np.errstate(all="ignore"):  # of cells that diverge
            return np.concatenate([group.validate() for group in self._groups])

    def _run(self, until: int, stop: Stop) -> bool:
        if self._groups[0].state is self.state:
            return self._groups[0].run(until, stop)
        length = 1
        with ThreadPoolExecutor(len(self._groups)) as pool:
            while self.state.iteration < until:
                started = time.perf_counter()
                target = min(until, self.state.iteration + length)
                list(pool.map(lambda group, target=target: group.run(target), self._groups))
                ended, steps = time.perf_counter(), target - self.state.iteration
                self._collect()
                wanted = min(LONGEST * SLICE_SECONDS, max(SLICE_SECONDS, 10 * (time.perf_counter() - ended)))
                length = max(1, int(wanted * steps / (ended - started)))
                if stop(self.state.iteration) and self.state.iteration < until:
                    return False
        return True

    def _collect(self) -> None:
        """Copy what the groups have reached into the whole state."""
        states = [group.state for group in self._groups]
        for part, state in zip(self._parts, states, strict=True):
            for name, own in self.state.columns().items():
                own[..., part[0] : part[-1] + 1] = fetched(getattr(state, name))
        self.state.iteration, self.state.loss_count = states[0].iteration, states[0].loss_count
        self.state.history = joined([state.history for state in states])


def groups_of(state: SGDState) -> int:
    """How many groups of cells a stack is trained in: as many as BLAS has threads, or one."""
    threads = blas.threads()
    return threads if state.b.size >= threads * GROUP_COLUMNS and len(state.cells) >= threads else 1
