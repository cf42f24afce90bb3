"""Preconditioned L-BFGS for one regularization: asks for sums at a point, is told them, and so on until done.

The solver never sees rows, so one reading of them can serve many solvers (path.py). All that it is between two sums
is a few arrays of the size of the weights (`arrays`): one that is made from them asks for the same points, to the bit.

An iteration is one reading where the step t = 1 is good, which its gradient shows: |phi'(t)| <= 0.5 |phi'(0)| along
the direction. That gradient is the next iteration's, so no scores are kept. Each reading also gives the gap of
proof.py for nothing: in float32 an estimate, and when that is small enough, one reading in float64 proves it. Where
float32 promises too much or gets nowhere, the rest is done in float64.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.solvers.lbfgs.line_search import LineSearch
from softmaxclf.core.solvers.lbfgs.memory import Memory
from softmaxclf.core.solvers.lbfgs.preconditioner import Basis, Centered, Exact, Preconditioner
from softmaxclf.core.solvers.lbfgs.proof import Bound, gap, without_absent
from softmaxclf.core.solvers.lbfgs.sums import ALL_ROWS, Moments, Point, Spread, Sums

Array = NDArray[Any]
RENEWED = (0, 10, 20, 40)  # iterations at which the preconditioner follows the probabilities
RENEWED_EXACT = 12  # every so many iterations, the Hessian
EXACT_SIZE, EXACT_WORK = 2000, 2e10  # D K, and N (D K)^2, up to which a Hessian is affordable
EXACT_AFTER = 20  # iterations after which it pays
MARGIN = 0.9  # of the tolerance: what float32 must promise before float64 is asked
NO_PROGRESS = 1e-3  # of the tolerance: a step that promises less, in float32, is noise


@dataclass(frozen=True)
class Settings:
    """tolerance: of the proven gap, relative to the objective. max_passes: readings per regularization."""

    tolerance: float = 1e-4
    max_passes: int = 1000
    free_bias: bool = True


@dataclass
class Progress:
    """Where a solver is. exact: with the Hessian. proving: the sums asked for are the same point's in float64."""

    iteration: int = 0
    passes: int = 0
    failed: int = 0  # line searches in a row
    done: bool = False
    proven: bool = False
    precise: bool = False
    proving: bool = False
    exact: bool = False
    objective: float = math.inf
    gap: float = math.inf


class Minimizer:
    """Minimizes f for one regularization, from `start` (D + 1, K). Use: while not done, tell(sums at ask())."""

    def __init__(
        self,
        moments: Moments,
        basis: Basis,
        reg: float,
        start: Array,
        settings: Settings,
        *,
        single: bool = True,
        fold: int = ALL_ROWS,
        exact: bool = False,
        rows: int = 0,
    ) -> None:
        size = start.size
        self._affordable = size <= EXACT_SIZE and rows * size**2 <= EXACT_WORK
        self.moments, self.basis, self.reg, self.settings, self.fold = moments, basis, reg, settings, fold
        self.weights = start
        self.at = Progress(exact=exact, precise=exact or not single)
        self._memory = Memory()
        self._gradient: Array | None = None
        self._direction: Array | None = None
        self._search = LineSearch(0.0)
        self._shape: Spread | Array | None = None  # what the preconditioner is made of
        self._first: Preconditioner | None = None

    @property
    def done(self) -> bool:
        """Whether there is nothing more to ask."""
        return self.at.done

    @property
    def bound(self) -> Bound:
        """The objective and gap at `weights`: proven if `at.proven`."""
        return Bound(self.at.objective, self.at.gap)

    def ask(self) -> tuple[Point, bool]:
        """The point whose sums are wanted next, and whether in float64."""
        at = self.at
        if at.proving:
            return self._point(self.weights, renewed=False), True
        if self._gradient is None:
            return self._point(self.weights, renewed=True), at.precise
        if self._direction is None:
            self._choose_direction(self._gradient)
        if self._direction is None:
            return self.ask()
        renewed = (at.iteration + 1) % RENEWED_EXACT == 0 if at.exact else at.iteration + 1 in RENEWED
        return self._point(self.weights + self._search.step * self._direction, renewed), at.precise

    def tell(self, sums: Sums) -> None:
        """Go on with the sums at the point asked for."""
        self.at.passes += 1
        if self._direction is None:
            self._accept(self.weights, sums, self._full_gradient(self.weights, sums))
            self._judge(self.at.proving)
        elif self._step(self._direction, sums):
            self._judge(False)

    def _step(self, direction: Array, sums: Sums) -> bool:
        """Whether the search along the direction is over."""
        assert self._gradient is not None
        moved = self.weights + self._search.step * direction
        gradient = self._full_gradient(moved, sums)
        slope = float(np.vdot(gradient, direction))
        if self._search.good(slope):
            self._memory.add(moved - self.weights, gradient - self._gradient)
            self.at.iteration += 1
            self.at.failed = 0
            self._accept(moved, sums, gradient)
        elif self._search.narrow(slope) and self.at.passes < self.settings.max_passes:
            return False
        else:
            self._memory.clear()
            self.at.failed += 1
        self._direction = None
        return True

    def _accept(self, weights: Array, sums: Sums, gradient: Array) -> None:
        self.weights, self._gradient = weights, gradient
        bound = gap(self._evaluated(weights), sums, self.moments, self.reg, free_bias=self.settings.free_bias)
        self.at.objective, self.at.gap = bound.objective, bound.gap
        shape = sums.hessian if self.at.exact else sums.spread
        if shape is not None:
            self._shape, self._first = shape, None

    def _judge(self, proof: bool) -> None:
        """What comes after a point: nothing more, a proof in float64, float64 from here on, or another direction."""
        at, relative, tolerance = self.at, self.bound.relative, self.settings.tolerance
        over = at.passes >= self.settings.max_passes or at.failed > 1
        if at.precise or proof:
            at.proven = (at.precise or proof) and relative <= tolerance
            at.done = over or relative <= tolerance
            at.precise |= proof
            at.proving = False
        elif (over and not at.failed) or relative <= MARGIN * tolerance:
            self._prove()
        elif at.failed:
            at.precise, at.failed, self._gradient = True, 0, None
        if not at.done and not at.exact and at.iteration >= EXACT_AFTER and self._affordable:
            at.exact = at.precise = True
            at.proving, self._gradient = False, None
            self._memory.clear()

    def _prove(self) -> None:
        """Ask for the proof: at the weights as float32 holds them, since these are what is saved."""
        self.at.proving = True
        self.weights = self.weights.astype(np.float32).astype(np.float64)

    def _choose_direction(self, gradient: Array) -> None:
        first = self._preconditioner()
        direction = -self._memory.times_inverse(gradient, first)
        slope = float(np.vdot(direction, gradient))
        if not slope < 0:
            self._memory.clear()
            direction = -first.apply(gradient)
            slope = float(np.vdot(direction, gradient))
        if not self.at.precise and -slope < NO_PROGRESS * self.settings.tolerance * self.at.objective:
            self.at.precise, self._gradient = True, None
        else:
            self._direction, self._search = direction, LineSearch(slope)

    def _preconditioner(self) -> Preconditioner:
        if self._first is None:
            free = self.settings.free_bias
            if isinstance(self._shape, Spread):
                self._first = Centered(self.basis, self._shape, self.moments, self.reg, free_bias=free)
            else:
                assert self._shape is not None
                self._first = Exact(self._shape, self.moments, self.reg, free_bias=free)
        return self._first

    def _point(self, weights: Array, renewed: bool) -> Point:
        exact = self.at.exact
        return Point(self._evaluated(weights), self.fold, renewed and not exact, renewed and exact)

    def _evaluated(self, weights: Array) -> Array:
        return without_absent(weights, self.moments) if self.settings.free_bias else weights

    def _full_gradient(self, weights: Array, sums: Sums) -> Array:
        gradient = sums.gradient.copy()
        gradient[:-1] += self.reg * weights[:-1]
        if self.settings.free_bias:
            gradient[:, ~self.moments.present] = 0
        else:
            gradient[-1] = 0
        return gradient

    def arrays(self) -> dict[str, Array]:
        """All that `restore` needs, between any two sums."""
        out = {"weights": self.weights, "progress": np.array([float(v) for v in vars(self.at).values()])}
        out |= {"search": self._search.numbers()}
        out |= {"steps": np.array(self._memory.steps), "changes": np.array(self._memory.changes)}
        for name, array in (("gradient", self._gradient), ("direction", self._direction)):
            out |= {} if array is None else {name: array}
        if isinstance(self._shape, Spread):
            return out | vars(self._shape)
        return out if self._shape is None else out | {"hessian": self._shape}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Be where the solver was whose `arrays` these are, all other arguments being equal."""
        self.weights = arrays["weights"]
        values = arrays["progress"]
        kinds = (type(value) for value in vars(Progress()).values())
        self.at = Progress(*(kind(value) for kind, value in zip(kinds, values, strict=True)))
        self._search = LineSearch.of(arrays["search"])
        self._memory = Memory(list(arrays["steps"]), list(arrays["changes"]))
        self._gradient, self._direction = arrays.get("gradient"), arrays.get("direction")
        self._first, self._shape = None, arrays.get("hessian")
        if "masses" in arrays:
            self._shape = Spread(arrays["masses"], arrays["means"], arrays["variances"])
