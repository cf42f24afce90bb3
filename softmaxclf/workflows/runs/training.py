"""Training a stack inside a run folder: checkpoints, continuing, halving, stopping. All training goes through here."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf import __version__
from softmaxclf.config import Config, to_dict
from softmaxclf.core.metrics import majority_baseline
from softmaxclf.core.model import LinearModel
from softmaxclf.core.problem import HISTORY_COLUMNS, Cells, Problem
from softmaxclf.core.search import FURTHER, named, narrowed
from softmaxclf.core.solvers import SOLVERS
from softmaxclf.core.solvers.lbfgs.sums import Summing
from softmaxclf.core.solvers.solver import Solver, State
from softmaxclf.core.stages.fitting import fit_stages
from softmaxclf.errors import AllDivergedError, DataError
from softmaxclf.runs import HISTORY, NUMBER, WEIGHTS, Maybe, RunFolder, has_form
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.automatic import advice
from softmaxclf.workflows.runs.control import Control
from softmaxclf.workflows.runs.device import device_for
from softmaxclf.workflows.runs.training_data import TrainingData

Array = NDArray[Any]
Departed = list[dict[str, Any]]
CHECKPOINT = "checkpoint.npz"
CHECKPOINT_SECONDS = 5.0
SAVING_SHARE = 20  # a checkpoint is written at most so rarely that training takes so many times its time
PROGRESS_SECONDS = 0.1
HISTORY_SECONDS = 1.0  # between two writings of history.csv while it grows
WARM_SECONDS = 0.5  # of cold first steps, which do not tell how long scoring will take
# Of --max-time, kept for pictures and files, and no more than this share; scoring is estimated from the step's time.
WRITING_SECONDS, WRITING_SHARE = 3.0, 0.3
SCORINGS = 2  # of all rows: every cell in its stack, and the model that is chosen
# What a checkpoint's JSON holds, see runs.has_form; `departed` is what outcomes.stored makes.
_DEPARTED_FORM = {
    "index": int, "values": {str: int | float}, "train_accuracy": NUMBER, "validation_accuracy": NUMBER,
    "validation_loss": NUMBER, "interval": [NUMBER, NUMBER], "iterations": int, "status": str,
    **dict.fromkeys(FURTHER, Maybe(NUMBER)),
}  # fmt: skip
_FACTS_FORM = {"rung": int, "departed": [_DEPARTED_FORM]}


@dataclass(frozen=True)
class Recipe:
    """How the cells of a run are trained: the solver's class, and the settings that all cells share."""

    solver: type[Solver]
    settings: Any

    @classmethod
    def of(cls, config: Config) -> "Recipe":
        """The solver that the training section names, with what it takes from there."""
        solver: type[Solver] = SOLVERS.load(config.training.solver)
        names = [item.name for item in fields(solver.settings_type) if hasattr(config.training, item.name)]
        settings = solver.settings_type(**{name: getattr(config.training, name) for name in names})
        return cls(solver, settings)

    def polished(self, work: float) -> "Recipe":
        """The same, going on to the last digits where that takes at most so much work and the solver can."""
        if not hasattr(self.settings, "polish"):
            return self
        return replace(self, settings=replace(self.settings, polish=work))

    def axes(self, config: Config) -> dict[str, tuple[float, ...]]:
        """The axes of the grid that `tune` spans: for the setting `x` of a cell, tuning.xs."""
        return {name: getattr(config.tuning, f"{name}s") for name in self.solver.axes}

    def point(self, config: Config) -> dict[str, tuple[float, ...]]:
        """The same of the one cell of `train`."""
        return {name: (getattr(config.training, name),) for name in self.solver.axes}

    @property
    def counted(self) -> set[str]:
        """The settings of the training section that this solver heeds."""
        return {"solver", *self.solver.axes, *(item.name for item in fields(self.solver.settings_type))}

    def bytes_per_cell(self, problem: Problem) -> int:
        """Bytes of memory that a cell takes while it is trained."""
        return self.solver.bytes_per_cell(problem, self.settings)

    def start(self, problem: Problem, cells: Cells) -> Solver:
        """A solver of those cells before its first step."""
        return self.solver(problem, self.settings, self.solver.start(problem, self.settings, cells))

    def resumed(self, problem: Problem, state: State) -> Solver:
        """A solver that goes on from `state`."""
        return self.solver(problem, self.settings, state)


def build_problem(config: Config, data: TrainingData, summing: Summing | None = None) -> Problem:
    """The rows as a solver sees them, with stages fitted on training rows; once per fold, on the rows outside it.

    summing: see Problem.
    """
    dataset = data.dataset
    stages = data.stages(config)
    fitted = fit_stages(stages, data.fitting)
    whole = fitted[0]
    if len(fitted) > 1:
        whole = fit_stages(stages, replace(data.fitting, groups=None, gathered=None, outside={}))[0]
    validated = len(data.validation_rows) > 0
    return Problem(
        dataset.train.X,
        dataset.train.y,
        len(dataset.class_names),
        data.train_rows,
        fitted,
        data.validation_X if validated else None,
        data.validation_y if validated else None,
        data.validation_rows if validated else None,
        data.fold_of_row,
        data.block,
        whole=whole,
        weights=data.weights,
        device=device_for(config, dataset.train.X, whole.reading),
        summing=summing,
    )


def only_model(solver: Solver, config: Config, data: TrainingData) -> LinearModel:
    """The model of a stack of one cell, saying how it was made. Raises AllDivergedError."""
    state = solver.state
    values = state.cells.at(0)
    if state.diverged_at[0] >= 0:
        raise AllDivergedError(
            f"training diverged at iteration {state.diverged_at[0]:,}: {named(values)} is too large; "
            f"{advice(config, data, values['regularization'])}"
        )
    model = model_of(solver, 0, data, config.training.loss)
    return with_provenance(model, config, data, **values, iterations=state.iteration)


def with_provenance(model: LinearModel, config: Config, data: TrainingData, **facts: Any) -> LinearModel:
    """The model, saying how it was made: the configuration that counted, the data, and `facts`.

    A setting of which facts give the value that was used stands with that value in the configuration too.
    """
    sections = to_dict(config)
    sections["training"] |= {name: value for name, value in facts.items() if name in sections["training"]}
    if "refit" not in facts:
        del sections["tuning"]
    del sections["engine"]  # who computed, and where
    if config.features.kind == "none":
        del sections["features"]
    counted = Recipe.of(config).counted
    sections["training"] = {name: value for name, value in sections["training"].items() if name in counted}
    provenance = {
        "softmaxclf": __version__,
        "config": sections,
        "data": {
            "name": data.dataset.name,
            "fingerprint": data.fingerprint,
            "majority": majority_baseline(data.dataset.train.y, ())[
                0
            ],  # evaluating need not read the training rows
        },
        **facts,
    }
    return replace(model, provenance=provenance)


def model_of(solver: Solver, place: int, data: TrainingData, loss: str) -> LinearModel:
    """The model of the cell at `place` of the stack, in float32."""
    with np.errstate(over="ignore"):  # of a model that is about to diverge
        W, b = (np.ascontiguousarray(each, np.float32) for each in solver.weights(place))
    return LinearModel(
        W,
        b,
        data.dataset.class_names,
        solver.problem.fitted(int(solver.state.cells.fold[place])),
        data.dataset.image_shape,
        loss,
        feature_names=data.dataset.feature_names,
    )


@dataclass
class StackResult:
    """A trained stack. departed: what `on_rung` said of the cells that left early. complete: not out of time."""

    solver: Solver
    departed: Departed = field(default_factory=list)
    complete: bool = True

    @property
    def state(self) -> Any:
        """Where the solver stands."""
        return self.solver.state


class StackTraining:
    """Trains stacks of one run, each with a checkpoint file of its own."""

    def __init__(self, folder: RunFolder, recipe: Recipe, control: Control, observer: Observer) -> None:
        self.folder, self.recipe, self.control, self.observer = folder, recipe, control, observer

    def train(
        self,
        problem: Problem,
        cells: Cells,
        name: str,
        *,
        what: str = "train",
        plan: Sequence[tuple[int, int]] = (),
        on_rung: Callable[[Solver, Array, int], Departed] = lambda solver, leaving, rung: [],
    ) -> StackResult:
        """Train the cells, from the checkpoint `name` if there is one, and leave their final state in it.

        plan: [(point, cells that go on)] of halving; on_rung(solver, leaving (G,) bool, rung) describes the others.
        Raises InterruptedRunError on a signal, after a checkpoint.
        """
        result, rung = self.stored(problem, cells, name, len(plan))
        length = result.solver.length
        if 0 < result.state.iteration < length:
            self.observer.note(f"continuing {self.folder.path} at iteration {result.state.iteration:,}")
        self.observer.begin(what, length, result.state.iteration, unit=result.solver.unit)
        try:
            for place, (until, keep) in enumerate([*plan, (length, 0)]):
                if place < rung:
                    continue
                if not self._train_until(result, until, name, place, what):
                    result.complete = False
                    break
                if keep:
                    self._narrow(result, keep, place, on_rung)
                    self._save(result, name, place + 1)
        finally:
            self.observer.end()
        return result

    def stored(self, problem: Problem, cells: Cells, name: str, rungs: int = 0) -> tuple[StackResult, int]:
        """What the checkpoint `name` holds of these cells, or their start, and the number of rungs behind it."""
        fresh = self.recipe.start(problem, cells)
        try:
            found = self.folder.load_checkpoint(name)
            if found is None:
                return StackResult(fresh), 0
            arrays, facts = found
            where = f"{self.folder.path / name}: expected a state of this run, found another"
            if not (has_form(facts, _FACTS_FORM) and 0 <= facts["rung"] <= rungs):
                raise DataError(where)
            try:
                state = fresh.state.restored(arrays)
            except ValueError as error:
                raise DataError(f"{where} ({error})") from error
            if not 0 <= state.iteration <= fresh.length:
                raise DataError(where)
        except DataError as error:
            self.observer.warn(f"{error}; starting this stack again")
            return StackResult(fresh), 0
        return StackResult(self.recipe.resumed(problem, state), facts["departed"]), facts["rung"]

    def _train_until(self, result: StackResult, until: int, name: str, rung: int, what: str) -> bool:
        """Train to the point `until`; False when the time is up. The state is saved on every way out."""
        solver = result.solver
        watch = _Watch(self, result, name, rung, what)
        if solver.state.iteration >= until:
            if name not in self.folder.files:
                self._save(result, name, rung)
            return True
        with self.control.deferring():
            reached = solver.run(until, watch)
            watch.tell()
            self._save(result, name, rung)
        self.control.raise_if_received(
            f"stopped at iteration {solver.state.iteration:,} of {solver.length:,}; {best_so_far(solver.state)}; "
            f"everything is saved in {self.folder.path}: the same command continues"
        )
        return reached

    def _narrow(
        self, result: StackResult, keep: int, rung: int, on_rung: Callable[[Solver, Array, int], Departed]
    ) -> None:
        state = result.state
        accuracies = np.where(state.diverged_at >= 0, np.nan, result.solver.validate())
        going_on = narrowed(accuracies, state.cells.index, keep)
        result.departed = [*result.departed, *on_rung(result.solver, ~going_on, rung)]
        result.solver = self.recipe.resumed(result.solver.problem, state.keep(np.flatnonzero(going_on)))

    def _save(self, result: StackResult, name: str, rung: int) -> None:
        facts = {"rung": rung, "departed": result.departed}
        self.folder.save_checkpoint(name, result.state.arrays(), facts)


class _Watch:
    """What is asked after each step: show progress, checkpoint, stop."""

    def __init__(self, training: StackTraining, result: StackResult, name: str, rung: int, what: str) -> None:
        self.training, self.result, self.name, self.rung, self.what = training, result, name, rung, what
        self.started = self.shown = self.written = self.saved = time.perf_counter()
        self.first, self.asked = result.state.iteration, math.inf
        self.interval = CHECKPOINT_SECONDS
        self.lines = 0
        # The history of a result that is there belongs to it until the next one is.
        self.grows = not (training.folder.path / WEIGHTS).exists()

    def __call__(self, point: int) -> bool:
        control = self.training.control
        now = time.perf_counter()
        reading, self.asked = max(0.0, now - self.asked), now  # the first comes after preparations
        if now - self.shown > PROGRESS_SECONDS:
            self.shown = now
            told = self.result.solver.told() or figures(self.result.state)
            self.training.observer.advance(point, told)
        if now - self.written > HISTORY_SECONDS:
            self.written = now
            self.tell()
        if now - self.saved > self.interval:
            self.training._save(self.result, self.name, self.rung)
            self.saved = time.perf_counter()
            self.interval = max(CHECKPOINT_SECONDS, SAVING_SHARE * (self.saved - now))
        return control.received is not None or self._out_of_time(control, point, now, reading)

    def tell(self) -> None:
        """Let history.csv grow, and who listens hear of it: the stack's best cell, as the run's own will be."""
        state, solver = self.result.state, self.result.solver
        place, known = _best_place(state), self.lines
        lines = [] if place is None else state.history.lines(place)
        if place is None or len(lines) == known:
            return
        self.lines = len(lines)
        if self.grows:
            self.training.folder.write_table(HISTORY, HISTORY_COLUMNS, lines)
        for line in lines[known:]:
            values = {**dict(zip(HISTORY_COLUMNS, line, strict=True)), **solver.pace(place, int(line[0]))}
            point = int(values.pop("iteration"))
            figures = {name: value for name, value in values.items() if math.isfinite(value)}
            self.training.observer.measured(self.what.partition(":")[0], point, figures)

    def _out_of_time(self, control: Control, point: int, now: float, reading: float) -> bool:
        if control.max_time is None:
            return False
        writing = min(WRITING_SECONDS, WRITING_SHARE * control.max_time)
        if now - self.started < WARM_SECONDS:
            return control.out_of_time(writing)
        problem, settings = self.result.solver.problem, self.result.solver.settings
        # Solvers without batches ask after each reading of all rows.
        rows = getattr(settings, "batch_size", 0)
        step = (now - self.started) / max(1, point - self.first) if rows else reading
        rows = rows or len(problem.train_rows)
        unseen = 0 if problem.validation_rows is None else len(problem.validation_rows)
        return control.out_of_time(writing + step * SCORINGS * (len(problem.train_rows) + unseen) / rows)


def cut_short(solver: Solver) -> str:
    """The warning of a run that --max-time ended."""
    return (
        f"--max-time ended training at iteration {solver.state.iteration:,} of {solver.length:,}; "
        "the same command with more time continues"
    )


def figures(state: State) -> str:
    """The loss and validation accuracy of the stack's best cell as last measured, for a progress bar."""
    place = _best_place(state)
    if place is None:
        return ""
    accuracy = _validated(state)[place]
    shown = f"loss {state.history.loss[-1][place]:.3f}"
    return shown if np.isnan(accuracy) else f"{shown}, validation {100 * accuracy:.1f} %"


def best_so_far(state: State) -> str:
    """The best cell at the last history line, in words."""
    place = _best_place(state)
    if place is None:
        return "no figures yet"
    return f"best so far: {named(state.cells.at(place))} ({figures(state)})"


def _best_place(state: State) -> int | None:
    if len(state.history.iteration) < 2:  # the first line is of weights of zero, all alike
        return None
    accuracy = _validated(state)
    merit = -state.history.loss[-1] if np.isnan(accuracy).all() else accuracy
    return None if np.isnan(merit).all() else int(np.nanargmax(merit))


def _validated(state: State) -> Array:
    """The validation accuracies (G,) of the last line that has any, NaN of cells that diverged since."""
    lines = state.history.validation_accuracy
    last: Array = next((line for line in reversed(lines) if not np.isnan(line).all()), lines[-1])
    return np.where(np.isnan(state.history.loss[-1]), np.nan, last)
