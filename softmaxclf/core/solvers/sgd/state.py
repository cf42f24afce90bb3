"""What SGD is told and what it carries along: the settings that all cells share, and the state of a stack."""

import sys
from dataclasses import dataclass

import numpy as np

from softmaxclf.core.losses import LOSSES
from softmaxclf.core.problem import Array, Cells, History, Problem
from softmaxclf.core.solvers.solver import State

VALIDATIONS = 25  # lines of the history with validation accuracy


@dataclass(frozen=True)
class Settings:
    """What all cells share. schedule: constant, or cosine from the learning rate to 0 at `iterations`."""

    iterations: int
    batch_size: int
    loss: str = "softmax"
    momentum: float = 0.0
    schedule: str = "constant"
    regularize_bias: bool = False
    seed: int = 0
    history_points: int = 100

    def rate(self, iteration: int) -> float:
        """The factor on every learning rate at that iteration, counted from 0."""
        if self.schedule == "constant":
            return 1.0
        return 0.5 * (1 + float(np.cos(np.pi * iteration / self.iterations)))

    def validates(self, iteration: int) -> bool:
        """Whether the line of the history after that iteration says what share of the validation rows is right.

        About VALIDATIONS lines do, the last one too: looking at those rows takes as long as several steps.
        """
        points = min(self.history_points, self.iterations)
        line = iteration * points // self.iterations
        return line % max(1, points // VALIDATIONS) == 0 or iteration == self.iterations

    def next_history_point(self, iteration: int) -> int:
        """The first number of iterations above that one after which a line of the history is written.

        They are evenly spaced, the last iteration included; without any, no number is reached.
        """
        points = min(self.history_points, self.iterations)
        if points == 0:
            return sys.maxsize
        return -(-(iteration * points // self.iterations + 1) * self.iterations // points)


@dataclass(kw_only=True)
class SGDState(State):
    """Everything that the next iteration depends on. V, velocity: (D', K - 1, G); b, b_velocity: (K, G).

    V is of all classes but the first, whose weights are minus the sum of the others': a row's gradients p - y sum
    to zero over the classes, and so do weights that start at zero.
    The velocities are kept multiplied by the momentum (mu v), which saves a pass over them.
    shrinkage: (G,) float64, what weight decay has left of V: the weights are shrinkage V, see `weights`.
    loss_sum: (G,) batch losses since the last history line, of `loss_count` batches; hits, seen: (2, G) rows
    predicted right and rows counted in the batches before the next line, [0] trained and [1] held out.
    """

    V: Array
    b: Array
    velocity: Array
    b_velocity: Array
    shrinkage: Array
    loss_sum: Array
    loss_count: int = 0
    hits: Array
    seen: Array

    def weights(self, place: int) -> Array:
        """The weights (D', K) float64 of the cell at that place of the stack, on columns that are not scaled."""
        others = self.V[:, :, place].astype(np.float64) * self.shrinkage[place]
        return np.hstack([-others.sum(axis=1, keepdims=True), others])


def initial_state(cells: Cells, problem: Problem, settings: Settings) -> SGDState:
    """All weights zero: the objective is convex, so there is no symmetry to break, and the loss starts at log K."""
    count = len(cells)
    shape = (problem.columns, problem.classes - 1, count)
    unmeasured = np.full(count, np.nan)
    loss = np.full(count, LOSSES.load(settings.loss).at_zero(problem.classes))
    moving = shape if settings.momentum else (0, *shape[1:])
    return SGDState(
        cells=cells,
        V=np.zeros(shape, problem.dtype),
        b=np.zeros((problem.classes, count), problem.dtype),
        velocity=np.zeros(moving, problem.dtype),
        b_velocity=np.zeros((problem.classes, count), problem.dtype),
        shrinkage=np.ones(count),
        diverged_at=np.full(count, -1, np.int64),
        loss_sum=np.zeros(count),
        hits=np.zeros((2, count)),
        seen=np.zeros((2, count)),
        history=History([0], [loss], *([unmeasured] for _ in range(3))),
    )
