"""What L-BFGS remembers: the last steps and how the gradient changed along them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.solvers.lbfgs.preconditioner import Preconditioner

Array = NDArray[Any]
PAIRS = 10
FLAT = 1e-7  # pairs of less curvature, s^T y / (|s| |y|), are noise


@dataclass
class Memory:
    """steps s and changes y, oldest first, each (D + 1, K)."""

    steps: list[Array] = field(default_factory=list)
    changes: list[Array] = field(default_factory=list)

    def add(self, s: Array, y: Array) -> None:
        """Remember a pair, unless it is flat."""
        if float(np.vdot(s, y)) > FLAT * float(np.linalg.norm(s) * np.linalg.norm(y)):
            self.steps, self.changes = [*self.steps, s][-PAIRS:], [*self.changes, y][-PAIRS:]

    def clear(self) -> None:
        """Forget all."""
        self.steps, self.changes = [], []

    def times_inverse(self, gradient: Array, first: Preconditioner, scale: float) -> tuple[Array, float]:
        """H^-1 gradient by the two loops (Nocedal and Wright, algorithm 7.4), and the scale of H0.

        That is s^T y / y^T H0 y of the last pair; without pairs the one given.
        """
        q, shares = gradient.copy(), []
        for s, y in zip(reversed(self.steps), reversed(self.changes), strict=True):
            shares.append(float(np.vdot(s, q) / np.vdot(s, y)))
            q -= shares[-1] * y
        r = first.apply(q)
        if self.steps:
            s, y = self.steps[-1], self.changes[-1]
            scale = float(np.vdot(s, y) / np.vdot(y, first.apply(y)))
        r *= scale
        for s, y, share in zip(self.steps, self.changes, reversed(shares), strict=True):
            r += (share - float(np.vdot(y, r) / np.vdot(s, y))) * s
        return r, scale
