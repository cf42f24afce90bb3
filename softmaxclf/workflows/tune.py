"""`softmaxclf tune`: a grid of models, and their folds, trained in stacks; the best is saved."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.model import LinearModel
from softmaxclf.core.rows import RowReader
from softmaxclf.core.search import Outcome, choose, grid_cells, rungs, split_stacks
from softmaxclf.core.stack import Cells, Problem, State
from softmaxclf.errors import AllDivergedError, ConfigError, RunConflictError
from softmaxclf.runs import MANIFEST, has_form
from softmaxclf.workflows import pictures
from softmaxclf.workflows.checkpoints import StackResult, restored
from softmaxclf.workflows.control import Control
from softmaxclf.workflows.divergence import advice
from softmaxclf.workflows.material import Material, prepare
from softmaxclf.workflows.memory import bytes_per_model, stack_bound
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.outcomes import Judge, judgements, stored, unstored
from softmaxclf.workflows.result import (
    CELL_COLUMNS,
    Finding,
    Summary,
    finish,
    score_splits,
    stored_summary,
    with_provenance,
)
from softmaxclf.workflows.scoring import Score
from softmaxclf.workflows.session import Request, Session, opened
from softmaxclf.workflows.stacks import (
    CHECKPOINT,
    StackTraining,
    build_problem,
    build_settings,
    cut_short,
    model_of,
)

Array = NDArray[Any]
NAN = float("nan")


def tune(request: Request, observer: Observer) -> Summary:
    """Train the whole grid and save the best model; returns the summary. A finished run is found, not repeated.

    Raises ConfigError, DataError, RunConflictError, AllDivergedError, InterruptedRunError, OutputError.
    """
    control = Control(request.max_time)
    with control.handling_signals():
        material = prepare_for_tuning(request, observer)
        observer.note(material.describe())
        with opened(request, material) as session:
            if session.finished:
                observer.note(session.found())
                return stored_summary(session)
            return _Tuning(request, session, material, control, observer).run()


def prepare_for_tuning(request: Request, observer: Observer) -> Material:
    """The material of `tune`: with folds, all training rows; otherwise there must be validation rows."""
    material = prepare(request.config, observer, folds=request.config.tuning.folds)
    if material.fold_of_row is None and not len(material.validation_rows):
        raise ConfigError(
            "data.validation: expected at least 1 row to choose the best cell with, got 0; "
            "set it, or use cross-validation with --folds 5"
        )
    return material


def planned_stacks(request: Request, problem: Problem) -> list[Cells]:
    """The grid's cells in stacks that fit the bound of tuning.memory."""
    config = request.config
    cells = grid_cells(config.tuning.learning_rates, config.tuning.regularizations, config.tuning.folds)
    reader = RowReader(problem.X, problem.preprocessing[0].mirror)
    return split_stacks(cells, bytes_per_model(config, reader, problem.classes), stack_bound(config))


@dataclass
class _Tuning:
    """One sitting of one run of `tune`."""

    request: Request
    session: Session
    material: Material
    control: Control
    observer: Observer

    def __post_init__(self) -> None:
        config = self.request.config
        self.config = config
        self.started = time.perf_counter()
        self.problem = build_problem(config, self.material)
        self.settings = build_settings(config)
        self.judge = Judge(self.problem, self.material, config.training.loss)
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
            outcomes |= self.judge.outcomes(result.state, status)
            if not result.complete:
                break
        ordered = self._ordered(outcomes)
        return self._conclude(ordered, self._choose(ordered), complete)

    def _agreed_stacks(self) -> list[Cells]:
        """The stacks of the first sitting, which the manifest keeps: free memory may have changed since."""
        tuning = self.config.tuning
        cells = grid_cells(tuning.learning_rates, tuning.regularizations, tuning.folds)
        if "stacks" not in self.session.manifest:
            planned = planned_stacks(self.request, self.problem)
            self.session.save(stacks=[sorted(set(map(int, stack.index))) for stack in planned])
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
        plan = rungs(self.settings.iterations, count) if self.config.tuning.halving else []
        rows = len(self.material.train_rows) + len(self.material.validation_rows)
        training = self._training(2 * rows)
        of = f" {number + 1}/{len(self.stacks)}" if len(self.stacks) > 1 else ""
        what = f"tune{of}: {count} cells" + (
            f" x {self.config.tuning.folds} folds" if self.config.tuning.folds else ""
        )
        started = time.perf_counter()
        result = training.train(
            self.problem, cells, _checkpoint(number), what=what, plan=plan, on_rung=self._on_rung
        )
        self.training_seconds += time.perf_counter() - started
        self.last = (number, result)
        return result

    def _training(self, scored_rows: int) -> StackTraining:
        return StackTraining(self.session.folder, self.settings, self.control, self.observer, scored_rows)

    def _on_rung(self, state: State, leaving: Array, rung: int) -> list[dict[str, Any]]:
        status = f"stopped at rung {rung + 1} (iteration {state.iteration})"
        return stored(self.judge.outcomes(state, status, np.flatnonzero(leaving)))

    def _ordered(self, outcomes: Mapping[int, Outcome]) -> list[Outcome]:
        """One outcome per cell of the grid, in its order; those never started say so."""
        tuning = self.config.tuning
        cells = grid_cells(tuning.learning_rates, tuning.regularizations)
        return [
            outcomes.get(place)
            or Outcome(rate.item(), penalty.item(), NAN, NAN, NAN, (NAN, NAN), NAN, 0, "not started")
            for place, (rate, penalty) in enumerate(
                zip(cells.learning_rate, cells.regularization, strict=True)
            )
        ]

    def _choose(self, outcomes: list[Outcome]) -> int:
        tuning = self.config.tuning
        winner = choose(outcomes, tuning.metric, tuning.select)
        if winner is None:
            diverged = sum(each.status.startswith("diverged") for each in outcomes)
            smallest = min(tuning.regularizations)
            self.session.abandon()
            raise AllDivergedError(
                f"{diverged} of {len(outcomes)} cells diverged and no other was trained to the end: the learning rates "
                f"of the grid are too large; {advice(self.config, self.material, smallest)}"
            )
        return winner

    def _conclude(self, outcomes: list[Outcome], winner: int, complete: bool) -> Summary:
        best, tuning = outcomes[winner], self.config.tuning
        axes = {"learning_rates": tuning.learning_rates, "regularizations": tuning.regularizations}
        warnings = judgements(outcomes, winner, axes)
        result, model, scores = self._refit(winner, best) if tuning.folds else self._trained(winner)
        place = int(np.flatnonzero(result.state.cells.index == winner)[0]) if not tuning.folds else 0
        if not (complete and result.complete):
            warnings.append(cut_short(result.state, self.settings))
        chosen = {"learning_rate": best.learning_rate, "regularization": best.regularization}
        facts = {**chosen, "iterations": result.state.iteration, "refit": tuning.folds > 0}
        finding = Finding(
            with_provenance(model, self.config, self.material, **facts),
            pictures.history_rows(result.state.history, place),
            scores,
            warnings,
            complete and result.complete,
            {**chosen, "refit": tuning.folds > 0},
            [_cell(each) for each in outcomes],
        )
        return finish(
            self.session, finding, self.material, self.control, self.observer, self.training_seconds
        )

    def _trained(self, winner: int) -> tuple[StackResult, LinearModel, dict[str, Score]]:
        """The winner as it was trained and scored in its stack."""
        number = next(place for place, stack in enumerate(self.stacks) if winner in stack.index)
        result = self._result_of(number)
        place = int(np.flatnonzero(result.state.cells.index == winner)[0])
        preprocessing = self.problem.preprocessing[0]
        model = model_of(result.state, place, preprocessing, self.material, self.config.training.loss)
        return result, model, score_splits(model, self.material, test=self._has_test)

    def _refit(self, winner: int, best: Outcome) -> tuple[StackResult, LinearModel, dict[str, Score]]:
        """The winner's settings trained on all training rows; its validation score is that of the fold models."""
        number = next(place for place, stack in enumerate(self.stacks) if winner in stack.index)
        held_out = self.judge.held_out(self._result_of(number).state, winner)
        problem = build_problem(self.config, self.material, folded=False)
        cells = grid_cells([best.learning_rate], [best.regularization])
        started = time.perf_counter()
        result = self._training(len(self.material.train_rows)).train(
            problem, cells, f"checkpoint-refit-{winner}.npz", what="refit on all training rows"
        )
        self.training_seconds += time.perf_counter() - started
        model = model_of(result.state, 0, problem.preprocessing[0], self.material, self.config.training.loss)
        scores = score_splits(model, self.material, test=self._has_test)
        return result, model, {"train": scores.pop("train"), "validation": held_out, **scores}

    @property
    def _has_test(self) -> bool:
        return self.material.dataset.read_test is not None

    def _result_of(self, number: int) -> StackResult:
        """The trained stack, from memory if it was the last one, else from its checkpoint."""
        if self.last is not None and self.last[0] == number:
            return self.last[1]
        saved = self.session.folder.load_checkpoint(_checkpoint(number))
        assert saved is not None, "a trained stack leaves its checkpoint"
        return restored(*saved, where=_checkpoint(number))[0]


def _cell(outcome: Outcome) -> dict[str, Any]:
    facts = {name: getattr(outcome, name) for name in CELL_COLUMNS}
    return {**facts, "validation_interval": list(outcome.interval)}


def _checkpoint(number: int) -> str:
    return f"checkpoint-{number}.npz" if number else CHECKPOINT
