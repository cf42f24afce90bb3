"""Preconditioned L-BFGS for one regularization: asks for sums at a point, is told them, and so on until done.

The solver never sees rows, so one reading of them can serve many solvers (path.py). All that it is between two sums
is a few arrays of the size of the weights (`arrays`): one that is made from them asks for the same points, to the bit.

An iteration is one reading where the step t = 1 is good, which its gradient shows: |phi'(t)| <= 0.5 |phi'(0)| along
the direction. That gradient is the next iteration's, so no scores are kept. Each reading also gives the gap of
proof.py for nothing: in float32 an estimate, and when that is small enough, one reading in float64 proves it. Where
float32 promises too much or gets nowhere, the rest is done in float64.

The bound is linear in delta, how far the mean probabilities are from the class shares, and quadratic in the rest of
the gradient: near the optimum it waits for the bias. Newton's step of the bias alone closes it, and is tried in
float64 at once (`bold`), as is a first step that did well at the value before.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.solvers.lbfgs.line_search import LineSearch
from softmaxclf.core.solvers.lbfgs.memory import Memory
from softmaxclf.core.solvers.lbfgs.preconditioner import Basis, Centered, Exact, Preconditioner, bias_step
from softmaxclf.core.solvers.lbfgs.proof import Bound, gap, without_absent
from softmaxclf.core.solvers.lbfgs.sums import ALL_ROWS, Moments, Point, Spread, Sums

Array = NDArray[Any]
RENEWED = (10, 20, 40)  # iterations at which the preconditioner follows the probabilities
RENEWED_COLD = (2, 6, 12, 20, 40)  # from nothing they change more
RENEWED_EXACT = 12  # every so many iterations, the Hessian
EXACT_SIZE, EXACT_WORK = 2000, 2e10  # D K, and N (D K)^2, up to which a Hessian is affordable
EXACT_AFTER = 20  # iterations after which it pays
MARGIN = 0.9  # of the tolerance: what float32 must promise before float64 is asked
INNER = 0.5  # of the tolerance: where the gap, but for the bias, is less, the bias is stepped alone
KEPT = 1  # iterations of a value up to which the next one begins with its preconditioner
NEAR = 100  # times the tolerance: the gap from which a step of the bias alone, with what is known, should close it
HOPE = 0.1  # of the tolerance: a first step that should leave so much is tried in float64 at once
NO_PROGRESS = 1e-6  # of the tolerance: a step that promises less, in float32, is noise
POLISHED = 1e-24  # of the objective: a step with the Hessian that gained so little leaves nothing to gain
POLISH_STEPS = 40


@dataclass(frozen=True)
class Settings:
    """tolerance: of the proven gap, relative to the objective. max_passes: readings per regularization.

    prove: whether what float32 promises is to be proven in float64. polish: N (D K)^2 up to which a proven point is
    followed by steps with the Hessian, to the last digits of float64; 0 for never.
    """

    tolerance: float = 1e-4
    max_passes: int = 1000
    free_bias: bool = True
    prove: bool = True
    polish: float = 0.0


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
    bold: bool = False  # the step is tried in float64, since it is hoped to be the last
    exact: bool = False
    scale: float = 1.0  # of the preconditioner, as the last pair or a solver nearby has it
    gain: float = math.inf  # what the first step leaves of the gap; before it, what one nearby did
    objective: float = math.inf
    gap: float = math.inf
    inner: float = math.inf  # the gap as it would be if the bias were right
    before: float = math.inf  # the gap when the bias was last stepped alone


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
        cold: bool = False,
        after: "Minimizer | None" = None,
        rows: int = 0,
    ) -> None:
        size = start.size
        self._affordable = size <= EXACT_SIZE and rows * size**2 <= EXACT_WORK
        self._to_polish = size <= EXACT_SIZE and rows * size**2 <= settings.polish
        self._gained, self._polishes = math.inf, 0  # by the last step with the Hessian, and their number
        self.moments, self.basis, self.reg, self.settings, self.fold = moments, basis, reg, settings, fold
        self._renewed = RENEWED_COLD if cold else RENEWED
        self.weights = start
        self.at = Progress(exact=exact, precise=exact or not single)
        if after is not None:
            self.at.scale, self.at.gain = after.at.scale, after.at.gain
        self.curve: list[float] = []  # the objective at each point
        self._memory = Memory()
        self._gradient: Array | None = None
        self._direction: Array | None = None
        self._search = LineSearch(0.0)
        self._shape: Spread | Array | None = None  # what the preconditioner is made of
        self._first: Preconditioner | None = None
        if after is not None and isinstance(after._shape, Spread) and after.at.iteration <= KEPT:
            self._shape = after._shape

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
            return self._point(self.weights, renewed=at.exact or self._shape is None), at.precise
        if self._direction is None:
            self._choose_direction(self._gradient)
        if self._direction is None:
            return self.ask()
        renewed = (at.iteration + 1) % RENEWED_EXACT == 0 if at.exact else at.iteration + 1 in self._renewed
        renewed = (renewed or not (math.isinf(at.before) or self._near())) and not at.bold
        return self._point(self._moved(self._direction), renewed), at.precise or at.bold

    def _moved(self, direction: Array) -> Array:
        moved = self.weights + self._search.step * direction
        return moved.astype(np.float32).astype(np.float64) if self.at.bold else moved

    def tell(self, sums: Sums) -> None:
        """Go on with the sums at the point asked for."""
        self.at.passes += 1
        if self._direction is None:
            self._accept(self.weights, sums, self._full_gradient(self.weights, sums))
            self._judge(self.at.proving)
        else:
            over, bold, self.at.bold = self._step(self._direction, sums), self.at.bold, False
            if over:
                self._judge(bold and not self.at.failed)

    def _step(self, direction: Array, sums: Sums) -> bool:
        """Whether the search along the direction is over."""
        assert self._gradient is not None
        moved = self._moved(direction)
        gradient = self._full_gradient(moved, sums)
        slope = float(np.vdot(gradient, direction))
        if self._search.good(slope):
            if math.isinf(self.at.before):  # a step of the bias alone says little about the others
                self._memory.add(moved - self.weights, gradient - self._gradient)
            self.at.iteration += 1
            self.at.failed = 0
            if self.at.exact:
                self._gained, self._polishes = -self._search.slope, self._polishes + 1
            before = self.at.gap
            self._accept(moved, sums, gradient)
            if self.at.iteration == 1:
                self.at.gain = self.at.gap / before
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
        self.curve.append(bound.objective)
        if self.settings.free_bias:
            level = replace(sums, gradient=np.vstack([sums.gradient[:-1], np.zeros_like(sums.gradient[-1:])]))
            self.at.inner = gap(self._evaluated(weights), level, self.moments, self.reg, free_bias=True).gap
        shape = sums.hessian if self.at.exact else sums.spread
        if shape is not None:
            self._shape, self._first = shape, None

    def _judge(self, proof: bool) -> None:
        """What comes after a point: nothing more, a proof in float64, float64 from here on, or another direction."""
        at, relative, tolerance = self.at, self.bound.relative, self.settings.tolerance
        over = at.passes >= self.settings.max_passes or at.failed > 1
        if at.precise or proof:
            at.proven = (at.precise or proof) and relative <= tolerance
            at.done = over or (relative <= tolerance and self._polished())
            at.precise |= at.proving
            at.proving = False
        elif (over and not at.failed) or relative <= MARGIN * tolerance:
            if self.settings.prove:
                self._prove()
            at.done = not self.settings.prove
        elif at.failed:
            at.precise, at.failed, self._gradient = True, 0, None
        pays = self._affordable and at.iteration >= EXACT_AFTER
        if not at.done and not at.exact and (pays or (self._to_polish and at.proven)):
            at.exact = at.precise = True
            at.proving, self._gradient = False, None
            self._memory.clear()

    def _polished(self) -> bool:
        """Whether there is nothing more to gain in float64, or that is not wanted."""
        gained = self._gained <= POLISHED * self.at.objective
        return gained or self._polishes >= POLISH_STEPS or not self._to_polish

    def _prove(self) -> None:
        """Ask for the proof: at the weights as float32 holds them, since these are what is saved."""
        self.at.proving = True
        self.weights = self.weights.astype(np.float32).astype(np.float64)

    def _choose_direction(self, gradient: Array) -> None:
        if self._bias_is_all():
            assert isinstance(self._shape, Spread)
            direction = np.zeros_like(gradient)
            direction[-1] = bias_step(gradient[-1], self._shape.coupling, self.moments.present)
            slope = float(np.vdot(direction, gradient))
            if slope < 0:
                self._direction, self._search = direction, LineSearch(slope)
                self.at.before = self.at.gap
                self.at.bold = self._hopeful and self._near()
                return
        self.at.before = math.inf
        first = self._preconditioner()
        step, self.at.scale = self._memory.times_inverse(gradient, first, self.at.scale)
        direction = -step
        slope = float(np.vdot(direction, gradient))
        if not slope < 0:
            self._memory.clear()
            direction = -first.apply(gradient)
            slope = float(np.vdot(direction, gradient))
        if not self.at.precise and -slope < NO_PROGRESS * self.settings.tolerance * self.at.objective:
            self.at.precise, self._gradient = True, None
        else:
            self._direction, self._search = direction, LineSearch(slope)
            hoped = self.at.gap * self.at.gain <= HOPE * self.settings.tolerance * self.at.objective
            self.at.bold = hoped and self.at.iteration == 0 and self._hopeful

    def _bias_is_all(self) -> bool:
        """Whether the bound waits for the bias alone, and the last step of that kind, if any, was a good one."""
        at = self.at
        small = at.inner <= INNER * self.settings.tolerance * at.objective and at.gap < 0.5 * at.before
        known = isinstance(self._shape, Spread) and self._shape.coupling.size > 0
        return small and known and self.settings.free_bias

    @property
    def _hopeful(self) -> bool:
        """Whether a step in float64 may be the proof that ends it."""
        return self.settings.prove and not self.at.precise

    def _near(self) -> bool:
        """Whether one step of the bias, by classes coupled as they were some steps ago, should do."""
        return self.at.gap <= NEAR * self.settings.tolerance * self.at.objective

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
            self._shape = Spread(*(arrays[name] for name in ("masses", "means", "variances", "coupling")))
