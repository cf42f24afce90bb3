"""`softmaxclf tune`: a grid of models, and their folds, trained in stacks; the best is saved."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.model import LinearModel
from softmaxclf.core.problem import Cells, Problem
from softmaxclf.core.search import RUNGS, Outcome, choose, grid_cells, rungs, split_stacks
from softmaxclf.core.solvers.solver import Solver
from softmaxclf.errors import AllDivergedError, ConfigError, RunConflictError
from softmaxclf.runs import MANIFEST, has_form
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.automatic import advice, decided
from softmaxclf.workflows.runs.control import Control
from softmaxclf.workflows.runs.extraction import extracted
from softmaxclf.workflows.runs.learning import doubts
from softmaxclf.workflows.runs.memory import stack_bound
from softmaxclf.workflows.runs.outcomes import CellScorer, judgements, stored, unstored
from softmaxclf.workflows.runs.result import (
    Finding,
    Summary,
    finish,
    found,
    score_splits,
)
from softmaxclf.workflows.runs.session import Request, Session, opened
from softmaxclf.workflows.runs.training import (
    CHECKPOINT,
    Departed,
    Recipe,
    StackResult,
    StackTraining,
    build_problem,
    cut_short,
    model_of,
    with_provenance,
)
from softmaxclf.workflows.runs.training_data import TrainingData, prepare, refuse_few

Array = NDArray[Any]


def tune(request: Request, observer: Observer) -> Summary:
    """Train the whole grid and save the best model; returns the summary. A finished run is found, not repeated.

    Raises ConfigError, DataError, RunConflictError, AllDivergedError, InterruptedRunError, OutputError.
    """
    control = Control(request.max_time)
    with control.handling_signals():
        data = prepare_for_tuning(request, observer)
        observer.note(data.describe())
        ready = cache(lambda: extracted(request.config, data, observer, control))
        request = replace(request, config=decided(request.config, ready, "tune", observer))
        with opened(request, data, observer) as session:
            if session.finished:
                return found(session, observer)
            return _Tuning(request, session, ready(), control, observer).run()


def prepare_for_tuning(request: Request, observer: Observer) -> TrainingData:
    """The rows of `tune`: with folds, all training rows; otherwise there must be validation rows."""
    data = prepare(request.config, observer, folds=request.config.tuning.folds, fit=True)
    if data.fold_of_row is None and not len(data.validation_rows):
        if request.config.data.validation is None:
            refuse_few(data.dataset)
        raise ConfigError(
            "data.validation: expected at least 1 row to choose the best cell with, got 0; "
            "set it, or use cross-validation with --folds 5"
        )
    return data


def planned_stacks(request: Request, problem: Problem) -> list[Cells]:
    """The grid's cells in stacks that fit the bound of tuning.memory."""
    config = request.config
    recipe = Recipe.of(config)
    cells = grid_cells(recipe.axes(config), config.tuning.folds)
    return split_stacks(cells, recipe.bytes_per_cell(problem), stack_bound(config))


@dataclass
class _Tuning:
    """One sitting of one run of `tune`."""

    request: Request
    session: Session
    data: TrainingData
    control: Control
    observer: Observer

    def __post_init__(self) -> None:
        config = self.request.config
        self.config = config
        self.started = time.perf_counter()
        self.problem = build_problem(config, self.data)
        self.recipe = Recipe.of(config)
        self.training = StackTraining(self.session.folder, self.recipe, self.control, self.observer)
        self.axes = self.recipe.axes(config)
        self.scorer = CellScorer(self.data, config.training.loss)
        self.stacks = self._agreed_stacks()
        self.training_seconds = 0.0
        self.last: tuple[int, StackResult] | None = None

    def run(self) -> Summary:
        outcomes: dict[int, Outcome] = {}
        complete = True
        for number in range(len(self.stacks)):
            result = self._train(number)
            complete &= result.complete
            status = "ok" if result.complete else f"cut short at iteration {result.state.iteration}"
            outcomes |= unstored(result.departed)
            outcomes |= self.scorer.outcomes(result.solver, status)
            if not result.complete:
                break
        ordered = self._ordered(outcomes)
        return self._conclude(ordered, self._choose(ordered), complete)

    def _agreed_stacks(self) -> list[Cells]:
        """The stacks of the first sitting, which the manifest keeps: free memory may have changed since."""
        cells = grid_cells(self.axes, self.config.tuning.folds)
        if "stacks" not in self.session.manifest:
            planned = planned_stacks(self.request, self.problem)
            self.session.folder.save(stacks=[sorted(set(map(int, stack.index))) for stack in planned])
        agreed = self.session.manifest["stacks"]
        known = has_form(agreed, [[int]]) and all(agreed)
        if not known or sorted(cell for stack in agreed for cell in stack) != np.unique(cells.index).tolist():
            raise RunConflictError(
                f"{self.session.folder.path / MANIFEST}: expected the grid's cells in stacks, found others; "
                "start again with --overwrite"
            )
        return [cells.keep(np.isin(cells.index, members)) for members in agreed]

    def _train(self, number: int) -> StackResult:
        cells = self.stacks[number]
        count = len(np.unique(cells.index))
        plan = (
            rungs(self.recipe.start(self.problem, cells).length, count) if self.config.tuning.halving else []
        )
        of = f" {number + 1}/{len(self.stacks)}" if len(self.stacks) > 1 else ""
        what = f"tune{of}: {count} cells" + (
            f" x {self.config.tuning.folds} folds" if self.config.tuning.folds else ""
        )
        started = time.perf_counter()
        result = self.training.train(
            self.problem, cells, _checkpoint(number), what=what, plan=plan, on_rung=self._on_rung
        )
        self.training_seconds += time.perf_counter() - started
        self.last = (number, result)
        return result

    def _on_rung(self, solver: Solver, leaving: Array, rung: int) -> Departed:
        status = f"stopped at rung {rung + 1} (iteration {solver.state.iteration})"
        return stored(self.scorer.outcomes(solver, status, np.flatnonzero(leaving)))

    def _ordered(self, outcomes: Mapping[int, Outcome]) -> list[Outcome]:
        """One outcome per cell of the grid, in its order; those never started say so."""
        cells = grid_cells(self.axes)
        return [outcomes.get(place) or Outcome(cells.at(place)) for place in range(len(cells))]

    def _choose(self, outcomes: list[Outcome]) -> int:
        tuning = self.config.tuning
        winner = choose(outcomes, tuning.metric, tuning.select)
        if winner is None:
            diverged = sum(each.status.startswith("diverged") for each in outcomes)
            smallest = min(self.axes["regularization"])
            self.session.abandon()
            raise AllDivergedError(
                f"{diverged} of {len(outcomes)} cells diverged and no other was trained to the end: the learning rates "
                f"of the grid are too large; {advice(self.config, self.data, smallest)}"
            )
        return winner

    def _conclude(self, outcomes: list[Outcome], winner: int, complete: bool) -> Summary:
        best, tuning, data = outcomes[winner], self.config.tuning, self.data
        refit = tuning.folds > 0 or tuning.refit
        warnings = judgements(outcomes, winner, self.axes, tested=data.dataset.read_test is not None)
        result, place = self._result_of(winner)
        if tuning.folds:
            scores = {"validation": self.scorer.held_out(result.solver, winner)}
        else:
            # The stack's sums may differ by a row from those of the model alone: one number for one model.
            scores = score_splits(self._model(result, place), data, test=False if refit else None)
            validation = scores["validation"].summary()
            outcomes[winner] = replace(
                best,
                train_accuracy=scores["train"].accuracy,
                train_loss=scores["train"].loss,
                validation_accuracy=validation["accuracy"],
                validation_loss=validation["loss"],
                interval=tuple(validation["interval"]),
            )
        if refit:
            data = data.together()
            found = result.solver.on_all_rows(place) if tuning.folds else None
            result = self._refit(winner, best, data) if found is None else StackResult(found)
            place, held_out = 0, scores["validation"]
            scores = score_splits(self._model(result, place), data)
            scores = {"train": scores.pop("train"), "validation": held_out, **scores}
        model = self._model(result, place)
        if complete and result.complete:
            warnings = [*doubts(model, scores, data, self.config, best.values, outcomes), *warnings]
        else:
            warnings.append(cut_short(result.solver))
        facts = {**best.values, "iterations": result.state.iteration, "refit": refit}
        finding = Finding(
            data.deployed(with_provenance(model, self.config, data, **facts)),
            result.state.history.lines(place),
            scores,
            warnings,
            complete and result.complete,
            {**best.values, "refit": refit},
            outcomes,
            result.solver.report(place),
            {"metric": tuning.metric, "folds": tuning.folds},
        )
        return finish(self.session, finding, data, self.control, self.observer, self.training_seconds)

    def _refit(self, winner: int, best: Outcome, data: TrainingData) -> StackResult:
        """The winner's settings trained on all rows."""
        cells = grid_cells({name: (value,) for name, value in best.values.items()})
        started = time.perf_counter()
        result = self.training.train(
            build_problem(self.config, data),
            cells,
            f"checkpoint-refit-{winner}.npz",
            what="refit on all rows",
        )
        self.training_seconds += time.perf_counter() - started
        return result

    def _model(self, result: StackResult, place: int) -> LinearModel:
        return model_of(result.solver, place, self.data, self.config.training.loss)

    def _result_of(self, winner: int) -> tuple[StackResult, int]:
        """The winner's stack, the last one at hand or an earlier one from its checkpoint, and its place there."""
        number = next(place for place, stack in enumerate(self.stacks) if winner in stack.index)
        if self.last is not None and self.last[0] == number:
            result = self.last[1]
        else:
            name = _checkpoint(number)
            result = self.training.stored(self.problem, self.stacks[number], name, len(RUNGS))[0]
        return result, int(np.flatnonzero(result.state.cells.index == winner)[0])


def _checkpoint(number: int) -> str:
    return f"checkpoint-{number}.npz" if number else CHECKPOINT
