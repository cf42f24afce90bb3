"""A path of regularizations, from strong to weak, each from what the ones before it say; folds of it side by side."""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.solvers.lbfgs.minimizer import Minimizer, Settings
from softmaxclf.core.solvers.lbfgs.preconditioner import Basis
from softmaxclf.core.solvers.lbfgs.proof import finite
from softmaxclf.core.solvers.lbfgs.sums import ALL_ROWS, Point, RowSums, Sums

Array = NDArray[Any]
ORDER = 2  # of the extrapolation: one reading in two is saved against 0
LONG = 10**7  # numbers in all rows from which values of few classes go side by side
WIDE = 80  # columns of the weights that are worth reading the rows for


@dataclass(frozen=True)
class Solution:
    """weights: (D + 1, K). gap: bound on (f - f*) / f. passes: readings of all rows. exact: a Hessian was used.

    whole: the weights on the rows' own features, where the problem was another one that is equal. curve: the objective
    at each point of this sitting.
    """

    regularization: float
    weights: Array
    objective: float
    gap: float
    proven: bool
    passes: int
    exact: bool
    whole: Array | None = None
    curve: Sequence[float] = ()


class Path:
    """One model's way along the regularizations. Used as a Minimizer is: while not done, tell(sums at ask()).

    Values of few classes are solved in groups, side by side, and so are their proofs.
    guide: the solutions of all rows; a fold starts at their weights, plus how far apart the two are, extrapolated.
    """

    def __init__(
        self,
        rows: RowSums,
        basis: Basis,
        regularizations: Sequence[float],
        settings: Settings,
        fold: int = ALL_ROWS,
        guide: Sequence[Solution] = (),
        checked: Callable[[Array, float], tuple[Array, float, float]] | None = None,
    ) -> None:
        self.rows, self._checked = rows, checked
        self.regularizations = sorted(regularizations, reverse=True)
        self.moments, self.basis, self.settings = rows.moments(fold), basis, settings
        self.fold, self.guide = fold, guide
        self._single, self._count = rows.single, getattr(rows, "count", 0)
        self.solutions: list[Solution] = []
        self.group: list[Minimizer] = []
        self.group = self._next_group()
        self._asked: list[Minimizer] = []

    @property
    def solver(self) -> Minimizer:
        """That of the strongest value that is not solved."""
        return next((each for each in self.group if not each.done), self.group[-1])

    @property
    def done(self) -> bool:
        """Whether all regularizations are solved."""
        return len(self.solutions) == len(self.regularizations)

    def ask(self) -> tuple[list[Point], bool]:
        """The points whose sums are wanted next, and whether in float64: only once nothing else is wanted."""
        asked = [(each, *each.ask()) for each in self.group if not each.done]
        precise = all(precise for _, _, precise in asked)
        asked = [each for each in asked if each[2] == precise]
        self._asked = [solver for solver, _, _ in asked]
        return [point for _, point, _ in asked], precise

    def tell(self, sums: Sequence[Sums]) -> None:
        """Go on with the sums at the points asked for."""
        for solver, each in zip(self._asked, sums, strict=True):
            solver.tell(each)
        if all(each.done for each in self.group):
            self.solutions += [self._solution(each) for each in self.group]
            if not self.done:
                self.group = self._next_group()

    def only(self, place: int) -> "Path":
        """The path of that value alone, which is solved."""
        path = copy(self)
        path.regularizations, path.solutions = [self.regularizations[place]], [self.solutions[place]]
        return path

    def users_weights(self, place: int) -> Array:
        """(D + 1, K) of the solution at that place, on the rows' own features, every bias finite."""
        found = self.solutions[place]
        return self._finite(found.weights if found.whole is None else found.whole)

    def in_progress(self, place: int) -> Minimizer | None:
        """What is solving the value at that place now."""
        ahead = place - len(self.solutions)
        return self.group[ahead] if 0 <= ahead < len(self.group) and not self.done else None

    def current_weights(self, solver: Minimizer) -> Array:
        """(D + 1, K) as far as the value that it solves has come."""
        weights, reg = solver.weights, solver.reg
        return self._finite(weights if self._checked is None else self._checked(weights, reg)[0])

    def _finite(self, weights: Array) -> Array:
        return finite(weights, self.moments) if self.settings.free_bias else weights

    def _solution(self, solver: Minimizer) -> Solution:
        at = solver.at
        found = Solution(
            solver.reg,
            solver.weights,
            at.objective,
            solver.bound.relative,
            at.proven,
            at.passes,
            at.exact,
            curve=solver.curve,
        )
        if self._checked is None:
            return found
        whole, objective, relative = self._checked(solver.weights, solver.reg)
        proven = relative <= self.settings.tolerance
        return replace(
            found, whole=whole, objective=objective, gap=relative, proven=proven, passes=found.passes + 1
        )

    def _next_group(self) -> list[Minimizer]:
        first, (features, classes) = len(self.solutions), self.moments.products.shape
        last = min(first + side_by_side(self._count * features, classes), len(self.regularizations))
        return [self._next_solver(place) for place in range(first, last)]

    def _next_solver(self, place: int) -> Minimizer:
        exact = (bool(self.solutions) and self.solutions[-1].exact) or (
            bool(self.guide) and self.guide[place].exact
        )
        reg = self.regularizations[place]
        return Minimizer(
            self.moments, self.basis, reg, self._start(place), self.settings,
            single=self._single, fold=self.fold, exact=exact, cold=not (self.solutions or self.guide),
            after=self.group[-1] if self.group and not exact else None, rows=self._count,
        )  # fmt: skip

    def _start(self, place: int) -> Array:
        reg, solved = self.regularizations[place], len(self.solutions)
        past = self.solutions[-(ORDER if place == solved else 1) - 1 :]  # a line where it is far
        if not past:
            return self.guide[place].weights.copy() if self.guide else self._nothing()
        if self.guide:
            theirs = self.guide[solved - len(past) : solved]
            past = [
                replace(own, weights=own.weights - other.weights)
                for own, other in zip(past, theirs, strict=True)
            ]
            return self.guide[place].weights + extrapolated(past, reg)
        return extrapolated(past, reg)

    def _nothing(self) -> Array:
        """W = 0 and, where it is free, the best bias for it."""
        start = np.zeros((len(self.moments.mean) + 1, len(self.moments.shares)))
        if self.settings.free_bias:
            logs = np.log(self.moments.shares[self.moments.present])
            start[-1, self.moments.present] = logs - logs.mean()
        return start

    def arrays(self) -> dict[str, Array]:
        """All that `restore` needs, between any two sums."""
        facts = [(s.regularization, s.objective, s.gap, s.proven, s.passes, s.exact) for s in self.solutions]
        shape = (0, *self.group[0].weights.shape)
        solved = {
            "solved": np.array([s.weights for s in self.solutions]).reshape(-1, *shape[1:]),
            "facts": np.array(facts, np.float64).reshape(-1, 6),
        }
        if self._checked is not None:
            solved["whole"] = np.array([s.whole for s in self.solutions])
        for place, solver in enumerate(self.group):
            solved |= {f"solver{place}.{name}": array for name, array in solver.arrays().items()}
        return solved

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Be where the path was whose `arrays` these are, made with equal arguments."""
        self.solutions = [
            Solution(reg, weights, objective, gap, bool(proven), int(passes), bool(exact))
            for weights, (reg, objective, gap, proven, passes, exact) in zip(
                arrays["solved"], arrays["facts"].tolist(), strict=True
            )
        ]
        if "whole" in arrays:
            both = zip(self.solutions, arrays["whole"], strict=True)
            self.solutions = [replace(each, whole=whole) for each, whole in both]
        if not self.done:
            self.group = self._next_group()
            for place, solver in enumerate(self.group):
                own = f"solver{place}."
                solver.restore({k.removeprefix(own): v for k, v in arrays.items() if k.startswith(own)})


def side_by_side(numbers: int, classes: int) -> int:
    """How many values are solved at a time, of so many numbers in all rows."""
    return max(1, WIDE // classes) if numbers >= LONG else 1


def extrapolated(past: Sequence[Solution], reg: float) -> Array:
    """(D + 1, K): the polynomial in log(reg) through the weights of the past solutions, at `reg`."""
    x = np.log([each.regularization for each in past])
    total = np.zeros_like(past[0].weights)
    for place, each in enumerate(past):
        others = np.delete(x, place)
        total += each.weights * np.prod((math.log(reg) - others) / (x[place] - others))
    return total


def run(paths: Sequence[Path], stop: Callable[[], bool] = lambda: False) -> bool:
    """Runs all paths side by side, asking `stop` after each reading. Returns whether all are done.

    Paths on the same rows share each reading.
    """
    while live := [path for path in paths if not path.done]:
        together: dict[tuple[int, bool], list[tuple[Path, list[Point]]]] = {}
        for path in live:
            points, precise = path.ask()
            together.setdefault((id(path.rows), precise), []).append((path, points))
        for (_, precise), part in together.items():
            told = iter(part[0][0].rows.evaluate([point for _, points in part for point in points], precise))
            for path, points in part:
                path.tell([next(told) for _ in points])
        if stop():
            return not any(not path.done for path in paths)
    return True
