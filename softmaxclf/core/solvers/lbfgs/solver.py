"""The optimum of a whole path of regularizations, each with a proof of how far from it the weights can be at most.

All rows are read for every step; cells of one fold are one path, from strong to weak regularization, each value begun
from those before it (path.py, minimizer.py). Folds run side by side, each begun from the path of all rows. Features
that outnumber the rows are exchanged for as many as there are rows (gram.py).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from softmaxclf.core import blas
from softmaxclf.core.problem import Array, Cells, Problem
from softmaxclf.core.solvers.lbfgs import minimizer
from softmaxclf.core.solvers.lbfgs.gram import reduced_rows
from softmaxclf.core.solvers.lbfgs.path import Path, Solution, run, side_by_side
from softmaxclf.core.solvers.lbfgs.preconditioner import Basis
from softmaxclf.core.solvers.lbfgs.proof import gap
from softmaxclf.core.solvers.lbfgs.sums import ALL_ROWS, AddedRows, ArrayRows, Point, Summing
from softmaxclf.core.solvers.solver import Solver, State, Stop

if TYPE_CHECKING:
    from softmaxclf.core.torch_device import TorchDevice

MOST_GRAM_ROWS = 4000  # beyond, features that outnumber the rows are taken as they are
UNCORRELATED = 2**14  # features beyond which they are taken to be that: their covariance takes 1 GB
FOLDS = 10  # times the tolerance is near enough for the fits of folds, which only choose; they are not proven
# To expect for a value (2 at strong, 20 at the weakest regularizations were seen), and for values side by side, of
# which the slowest counts (5 to 27 were seen).
READINGS, SHARED_READINGS = 8, 12
STORED = "path"  # names of the arrays of paths begin so


@dataclass(frozen=True)
class Settings:
    """loss: softmax alone. tolerance: of the proven gap, relative to the objective. max_passes: per value.

    polish: see minimizer.Settings.
    """

    loss: str = "softmax"
    regularize_bias: bool = False
    tolerance: float = 1e-4
    max_passes: int = 1000
    polish: float = 0.0


@dataclass(kw_only=True)
class PathState(State):
    """objective, gap (relative), proven (0 or 1), passes: (G,) of each cell, NaN before it is solved.

    paths: where the weights are; stored: their arrays in a checkpoint that is gone on from.
    """

    objective: Array
    gap: Array
    proven: Array
    passes: Array
    paths: list[Path] = field(default_factory=list, repr=False)
    stored: dict[str, Array] = field(default_factory=dict, repr=False)

    def arrays(self) -> dict[str, Array]:
        """Those of the cells, and of each path between two readings."""
        own = {
            f"{STORED}{n}.{name}": array
            for n, each in enumerate(self.paths)
            for name, array in each.arrays().items()
        }
        return super().arrays() | (own or self.stored)

    def restored(self, arrays: Mapping[str, Array]) -> Self:
        """The state that `arrays` were taken of. Raises ValueError as State does."""
        state = super().restored(arrays)
        state.stored = {name: array for name, array in arrays.items() if name.startswith(STORED)}
        return state


class LBFGS(Solver):
    """Solves the cells of `state` on the rows of `problem`, counted in values of the paths."""

    axes = ("regularization",)
    settings_type = Settings
    unit = "value"
    figures = ("objective", "gap", "proven", "passes")
    divides_rows = True
    state: PathState
    settings: Settings

    @classmethod
    def start(cls, problem: Problem, settings: Settings, cells: Cells) -> PathState:
        """Nothing is solved."""
        count = len(cells)
        empty = [np.full(count, np.nan) for _ in range(4)]
        return PathState(
            cells=cells, diverged_at=np.full(count, -1, np.int64),
            objective=empty[0], gap=empty[1], proven=empty[2], passes=empty[3],
        )  # fmt: skip

    @property
    def length(self) -> int:
        """The number of values of all paths; folds have that of all rows beside their own."""
        return len(self._values) * (len(self._folds) + (self._folds != [ALL_ROWS]))

    @property
    def width(self) -> int:
        """How many values share a reading of the rows."""
        numbers = len(self.problem.train_rows) * self.problem.columns
        return min(len(self._values), side_by_side(numbers, self.problem.classes))

    @property
    def readings(self) -> int:
        """How many readings of all rows to expect, those for each fold counted."""
        groups, models = math.ceil(len(self._values) / self.width), self.length // len(self._values)
        return groups * models * (READINGS if self.width == 1 else SHARED_READINGS)

    def run(self, until: int, stop: Stop = lambda value: False) -> bool:
        """Solve all values; `stop` is asked after each reading of the rows."""
        if not self.state.paths:
            self._begin()
        first, *folds = self.state.paths

        def asked() -> bool:
            self._note()
            return stop(self.state.iteration)

        with blas.single_threaded():  # what is left beside the readings is small
            done = run([first], asked) and (not folds or run(folds, asked))
        self._note()
        return done and self.state.iteration >= until

    def weights(self, place: int) -> tuple[Array, Array]:
        """(W (D', K), b (K,)) of the cell; where it is not solved yet, as far as it has come."""
        path, n = self._of(place)
        solved = np.zeros((self.problem.columns + 1, self.problem.classes))
        if path is not None and n < len(path.solutions):
            solved = path.users_weights(n)
        elif path is not None and (solver := path.in_progress(n)) is not None:
            solved = path.current_weights(solver)
        return solved[: self.problem.columns], solved[-1] if not self.settings.regularize_bias else solved[-2]

    def judged(self, place: int) -> bool:
        """Whether it is solved; of the first values also while they are being solved."""
        path, n = self._of(place)
        return path is not None and (n < len(path.solutions) or (not path.solutions and n < len(path.group)))

    def on_all_rows(self, place: int) -> "LBFGS | None":
        """That cell on the path of all rows, from which its folds were begun."""
        n, problem = self._of(place)[1], self.problem
        whole = self.state.paths[0]
        if problem.whole is None or n >= len(whole.solutions):
            return None
        cell = self.state.cells.keep(np.array([place]))
        cell = replace(cell, fold=np.array([ALL_ROWS]))
        problem = replace(problem, preprocessing=[problem.whole], fold_of_row=None)
        solver = LBFGS(problem, self.settings, self.start(problem, self.settings, cell))
        solver.state.paths = [whole.only(n)]
        solver._note()
        return solver

    def loss_curve(self, place: int) -> list[float]:
        """The objective at each point on the way to the cell's optimum."""
        path, n = self._of(place)
        return list(path.solutions[n].curve) if path is not None and n < len(path.solutions) else []

    def told(self) -> str:
        """The value that is being solved, the readings of it, the least gap so far."""
        path = next((each for each in self.state.paths if not each.done), None)
        if path is None:
            return ""
        at = path.solver.at
        near = f", within {path.solver.bound.relative:.0e}" if np.isfinite(at.gap) else ""
        return f"regularization {path.solver.reg:.3g}, {at.passes} passes{near}"

    def report(self, place: int) -> dict[str, Any]:
        """objective, gap, proven and passes of that cell; with folds, of its fit of all rows."""
        state = self.state
        if np.isfinite(state.objective[place]):
            found = (state.objective[place], state.gap[place], state.proven[place], state.passes[place])
        else:
            n = self._of(place)[1]
            solver = state.paths[0].in_progress(n) if state.paths else None
            if solver is None or not np.isfinite(solver.bound.objective):
                return {"objective": None, "gap": None, "proven": False, "passes": 0}
            found = (solver.bound.objective, solver.bound.relative, False, solver.at.passes)
        kinds = (float, float, bool, int)
        return {name: kind(value) for name, kind, value in zip(self.figures, kinds, found, strict=True)}

    @cached_property
    def _values(self) -> list[float]:
        """The regularizations, from strong to weak."""
        return sorted({float(value) for value in self.state.cells.values["regularization"]}, reverse=True)

    @cached_property
    def _folds(self) -> list[int]:
        return sorted({int(fold) for fold in self.state.cells.fold})

    def _begin(self) -> None:
        problem, settings = self.problem, self.settings
        free = not settings.regularize_bias
        wanted = minimizer.Settings(settings.tolerance, settings.max_passes, free, polish=settings.polish)
        small = problem.columns > len(problem.train_rows) <= MOST_GRAM_ROWS
        make = rows_on(problem.device) if small or problem.summing is None else problem.summing
        rows = self._rows(ALL_ROWS, make)
        basis: Basis | None = None
        if not small and rows.features > UNCORRELATED:
            basis = Basis(rows.variances(), None)
        elif not small:
            covariance = rows.covariance()
            with blas.single_threaded():  # in a decomposition two threads mostly wait for each other
                basis = Basis.of(covariance)
        paths: list[Path] = []
        for fold in dict.fromkeys([ALL_ROWS, *self._folds]):
            own = rows if fold == ALL_ROWS or problem.norms is None else self._rows(fold, make)
            guide = paths[0].solutions if paths and not small else ()
            path = _path(own, basis, self._values, wanted, fold, guide)
            near = min(0.5, FOLDS * settings.tolerance)
            wanted = replace(wanted, tolerance=near, prove=settings.polish > 0)
            prefix = f"{STORED}{len(paths)}."
            arrays = {k.removeprefix(prefix): v for k, v in self.state.stored.items() if k.startswith(prefix)}
            if arrays:  # before the folds are begun, which are guided by what the first path has
                path.restore(arrays)
            paths.append(path)
        self.state.paths, self.state.stored = paths, {}

    def _rows(self, fold: int, make: Summing) -> AddedRows:
        """The rows with the preprocessing of all folds side by side; of one fold alone where norms depend on it."""
        problem = self.problem
        fitted = problem.preprocessing
        whole = problem.whole or fitted[0]
        lines = [*fitted, whole] if len(fitted) > 1 else [whole]
        columns = problem.columns
        norms = None
        if whole.unit_norm:
            lines = [fitted[fold] if len(fitted) > 1 and fold >= 0 else whole]
            norms = problem.norms_of(lines[0])
        shift = np.stack([np.zeros(columns) if each.offset is None else each.offset for each in lines])
        scale = np.stack([np.broadcast_to(each.divisor, (columns,)) for each in lines])
        single = len(lines) == 1
        folds = problem.fold_of_row
        return make(
            problem.X,
            problem.y,
            problem.classes,
            shift=shift[0] if single else shift,
            scale=scale[0] if single else scale,
            folds=None if folds is None else folds[problem.train_rows],
            ones=self.settings.regularize_bias,
            rows=problem.train_rows,
            weights=None if problem.weights is None else problem.weights[problem.train_rows],
            reading=whole.reading,
            norms=norms,
        )

    def _note(self) -> None:
        """Copy what the path of all rows has solved into the cells, those of folds too."""
        state = self.state
        state.iteration = sum(len(path.solutions) for path in state.paths)
        solved: list[Solution] = state.paths[0].solutions
        for place in np.flatnonzero(~np.isfinite(state.objective)):
            n = self._of(int(place))[1]
            if n < len(solved):
                found = solved[n]
                state.objective[place], state.gap[place] = found.objective, found.gap
                state.proven[place], state.passes[place] = found.proven, found.passes

    def _of(self, place: int) -> tuple[Path | None, int]:
        """The path of a cell, and the number of its value there."""
        if self.state.stored:
            self._begin()  # all may be solved already: then nobody runs what goes on from a checkpoint
        cells = self.state.cells
        n = self._values.index(float(cells.values["regularization"][place]))
        return next((path for path in self.state.paths if path.fold == cells.fold[place]), None), n


def rows_on(device: "TorchDevice | None") -> Summing:
    """What sums over rows in this process."""
    if device is None:
        return ArrayRows
    from softmaxclf.core.solvers.lbfgs.torch_sums import TorchRows

    return partial(TorchRows, device=device)


def _path(
    rows: AddedRows,
    basis: Basis | None,
    values: list[float],
    wanted: minimizer.Settings,
    fold: int,
    guide: Any,
) -> Path:
    """The path of a fold; on the rows' own coordinates where there is no basis of their features."""
    if basis is not None:
        return Path(rows, basis, values, wanted, fold, guide)
    assert isinstance(rows, ArrayRows)
    small, back = reduced_rows(rows, fold)

    def checked(weights: Array, regularization: float) -> tuple[Array, float, float]:
        """(weights on all features, objective, relative gap), in float64 on the rows themselves."""
        whole = back(weights)
        if not wanted.polish:  # as float32 holds them, since these are what is saved
            whole = whole.astype(np.float32).astype(np.float64)
        moments = rows.moments(fold)
        sums = rows.evaluate([Point(whole, fold)], True)[0]
        bound = gap(whole, sums, moments, regularization, free_bias=wanted.free_bias)
        return whole, bound.objective, bound.relative

    return Path(small, Basis.of(small.covariance()), values, wanted, fold, (), checked)
