"""`softmaxclf tune`: a grid of models, their folds and repeats, trained in stacks; the best is saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from softmaxclf.config import Config
from softmaxclf.core.model import LinearModel
from softmaxclf.core.problem import Cells, Problem
from softmaxclf.core.scoring import Score, score_model
from softmaxclf.core.search import Outcome, averaged, choose, grid_cells, least_told, split_stacks
from softmaxclf.errors import AllDivergedError, ConfigError, OutOfTimeError, RunConflictError
from softmaxclf.runs import MANIFEST, has_form
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.automatic import advice, decided
from softmaxclf.workflows.runs.control import Control
from softmaxclf.workflows.runs.device import tell_device
from softmaxclf.workflows.runs.extraction import extracted
from softmaxclf.workflows.runs.grid import Final, GridTraining, reseeded
from softmaxclf.workflows.runs.learning import doubts
from softmaxclf.workflows.runs.outcomes import judgements, with_ties, word_of_ties
from softmaxclf.workflows.runs.result import (
    Finding,
    Summary,
    finish,
    found,
    score_splits,
    spread_of,
)
from softmaxclf.workflows.runs.session import Request, Session, opened
from softmaxclf.workflows.runs.training import Recipe, cut_short, with_provenance
from softmaxclf.workflows.runs.training_data import TrainingData, prepare, refuse_few


def tune(request: Request, observer: Observer) -> Summary:
    """Train the whole grid and save the best model; returns the summary. A finished run is found, not repeated.

    Raises ConfigError, DataError, RunConflictError, AllDivergedError, InterruptedRunError, OutputError.
    """
    control = Control(request.max_time)
    request.engine.heed(control)
    with control.handling_signals():
        data = prepare_for_tuning(request, observer)
        observer.note(data.describe())
        ready = cache(lambda: extracted(request.config, data, observer, control, request.engine.filling))
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
    _refuse_equal_repeats(request.config, data)
    return data


def _refuse_equal_repeats(config: Config, data: TrainingData) -> None:
    """Raise ConfigError where all repeats would be the same."""
    seeded = "seed" in Recipe.of(config).counted or config.data.shots is not None
    if config.tuning.repeats > 1 and not seeded and not data.redrawn_share(config):
        raise ConfigError(
            f"tuning.repeats: expected 1 where no seed decides anything, got {config.tuning.repeats}: the validation "
            f"rows are fixed, and solver {config.training.solver} visits rows in no order; draw them with "
            "data.validation_rows: drawn, or use tuning.folds or data.shots"
        )


def planned_stacks(request: Request, problem: Problem) -> list[Cells]:
    """The grid's cells in stacks that fit the bound of tuning.memory, as many as the engine has work for."""
    config = request.config
    recipe, engine = Recipe.of(config), request.engine
    cells = grid_cells(recipe.axes(config), config.tuning.folds)
    least = engine.least_stacks(recipe, problem, len(cells))
    return split_stacks(cells, recipe.bytes_per_cell(problem), engine.stack_bound(config), least)


MOST_HISTORIES = 60  # cells whose curves are kept beside the winner's


@dataclass
class _Tuning:
    """One sitting of one run of `tune`."""

    request: Request
    session: Session
    data: TrainingData
    control: Control
    observer: Observer

    def __post_init__(self) -> None:
        self.config = self.request.config
        self.axes = Recipe.of(self.config).axes(self.config)
        self.held_out = self.data.redrawn_share(self.config)
        self.tested = self.data.dataset.read_test is not None
        self.seconds = 0.0  # of all repeats but the first
        self.first = self._grid(self.config, self.data, 0)
        tell_device(self.first.problem, self.observer)
        self.stacks = self._agreed_stacks()

    def run(self) -> Summary:
        repeats, complete = self._repeats()
        cells = [averaged(each, self.held_out) for each in zip(*repeats, strict=True)]
        return self._conclude(cells, self._choose(cells), repeats, complete)

    def _repeats(self) -> tuple[list[list[Outcome]], bool]:
        """(the outcomes of each repeat in the order of the grid, whether all repeats were trained to their end).

        The first one also narrows the grid, by divergence and by halving. One that time cut short counts only where it
        is the first, so that all means are of the same repeats.
        """
        outcomes, complete = self.first.train(self.stacks, halving=self.config.tuning.halving)
        repeats = [self._ordered(outcomes)]
        self._choose(repeats[0])  # raises
        while complete and len(repeats) < self.config.tuning.repeats:
            grid = self._further(len(repeats))
            if grid is None:
                return repeats, False
            outcomes, complete = grid.train(self._narrowed(repeats[0]))
            self.seconds += grid.seconds
            if complete:
                repeats.append(self._ordered(outcomes))
        return repeats, complete

    def _further(self, repeat: int) -> GridTraining | None:
        """The grid on the rows of a repeat after the first; None where there is no time left for it."""
        config = reseeded(self.config, repeat)
        try:
            if self.control.out_of_time(0):
                return None
            return self._grid(
                config,
                extracted(
                    config,
                    self.data.redrawn(config),
                    self.observer,
                    self.control,
                    self.request.engine.filling,
                ),
                repeat,
            )
        except OutOfTimeError:
            return None

    def _grid(self, config: Config, data: TrainingData, repeat: int) -> GridTraining:
        engine = self.request.engine
        return GridTraining(config, data, self.session.folder, self.control, self.observer, repeat, engine)

    def _narrowed(self, first: Sequence[Outcome]) -> list[Cells]:
        """The stacks, with the cells that the first repeat has finished."""
        left = [place for place, each in enumerate(first) if each.finished]
        return [stack.keep(np.isin(stack.index, left)) for stack in self.stacks]

    def _agreed_stacks(self) -> list[Cells]:
        """The stacks of the first sitting, which the manifest keeps: free memory may have changed since."""
        cells = grid_cells(self.axes, self.config.tuning.folds)
        if "stacks" not in self.session.manifest:
            planned = planned_stacks(self.request, self.first.problem)
            self.session.folder.save(stacks=[sorted(set(map(int, stack.index))) for stack in planned])
        agreed = self.session.manifest["stacks"]
        known = has_form(agreed, [[int]]) and all(agreed)
        if not known or sorted(cell for stack in agreed for cell in stack) != np.unique(cells.index).tolist():
            raise RunConflictError(
                f"{self.session.folder.path / MANIFEST}: expected the grid's cells in stacks, found others; "
                "start again with --overwrite"
            )
        return [cells.keep(np.isin(cells.index, members)) for members in agreed]

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

    def _conclude(
        self, cells: list[Outcome], winner: int, repeats: Sequence[Sequence[Outcome]], complete: bool
    ) -> Summary:
        """Save the model that the first repeat, which has the run's own seeds, gives of the winner's settings."""
        best, tuning, first = cells[winner], self.config.tuning, self.first
        cells = with_ties(cells, winner, tuning.metric, self.held_out)
        warnings = judgements(cells, winner, self.axes, tested=self.tested)
        trained = (
            {} if tuning.folds else score_splits(first.model(self.stacks, winner), self.data, test=False)
        )
        if trained and len(repeats) == 1:
            cells[winner] = _scored_alone(best, trained)
        final = first.final(self.stacks, winner, best.values)
        models, in_time = self._models(final, best.values, winner, repeats)
        complete = complete and in_time and final.result.complete
        scores = self._scores(final, winner, trained)
        tests = [score_model(each, final.data.own.split("test")) for each in models] if self.tested else []
        scores |= {"test": tests[0]} if tests else {}
        if complete:
            signs = doubts(final.model, scores, final.data, self.config, best.values, cells)
            warnings = [*signs, *warnings]
        else:
            warnings.append(self._cut_short(final, repeats, len(models)))
        values = {**best.values, "refit": first.refits}
        model = with_provenance(
            final.model, self.config, final.data, **values, iterations=final.result.state.iteration
        )
        finding = Finding(
            final.data.deployed(model),
            final.result.state.history.lines(final.place),
            scores,
            warnings,
            complete,
            values,
            cells,
            final.result.solver.report(final.place),
            {"metric": tuning.metric, "folds": tuning.folds, "repeats": len(repeats)},
            self._spreads(cells, winner, repeats, tests) if tuning.repeats > 1 else {},
            [*filter(None, [word_of_ties(cells, winner, tuning.metric)])],
            _others(final),
        )
        seconds = self.seconds + first.seconds
        return finish(self.session, finding, final.data, self.control, self.observer, seconds)

    def _scores(self, final: Final, winner: int, trained: Mapping[str, Score]) -> dict[str, Score]:
        """Those of the model that is saved, on training rows, and of the one that was chosen, on rows held out.

        trained: those of the model before a refit, none with folds.
        """
        if not self.first.refits:
            return dict(trained)
        folds = self.config.tuning.folds
        held_out = self.first.held_out(self.stacks, winner) if folds else trained["validation"]
        return {**score_splits(final.model, final.data, test=False), "validation": held_out}

    def _models(
        self, final: Final, values: Mapping[str, float], winner: int, repeats: Sequence[Sequence[Outcome]]
    ) -> tuple[list[LinearModel], bool]:
        """(the models that repeats give of the winner's settings, for test rows to score; whether time sufficed)."""
        models = [final.deployed]
        for repeat in range(1, len(repeats) if self.tested else 1):
            grid = self._further(repeat)
            if grid is None:
                return models, False
            other = grid.final(self._narrowed(repeats[0]), winner, values)
            self.seconds += grid.seconds
            if not other.result.complete:
                return models, False
            models.append(other.deployed)
        return models, True

    def _spreads(
        self,
        cells: Sequence[Outcome],
        winner: int,
        repeats: Sequence[Sequence[Outcome]],
        tests: Sequence[Score],
    ) -> dict[str, Any]:
        """What the repeats say of the winner's settings: accuracies, and the smallest difference that can be told."""
        metric = self.config.tuning.metric
        found = {"validation": [each[winner].validation_accuracy for each in repeats]}
        found |= {"test": [each.accuracy for each in tests]} if tests else {}
        return {
            "count": len(repeats),
            "metric": metric,
            "least_difference": least_told(cells, winner, metric, self.held_out),
            **{name: spread_of(accuracies) for name, accuracies in found.items()},
        }

    def _cut_short(self, final: Final, repeats: Sequence[Sequence[Outcome]], models: int) -> str:
        """The warning of a run that --max-time ended, in its first repeat or in a later one."""
        count = self.config.tuning.repeats
        begun = all(each.state not in ("cut", "not") for each in repeats[0])
        if count == 1 or not begun or not final.result.complete:
            return cut_short(final.result.solver)
        ended = 1 + (len(repeats) if len(repeats) < count else models)
        return (
            f"--max-time ended the run in repeat {ended} of {count}, and what is told is of those before; the same "
            "command with more time continues"
        )


def _scored_alone(best: Outcome, scores: Mapping[str, Score]) -> Outcome:
    """The outcome with the scores of its model alone: those of its stack may differ by a row."""
    validation = scores["validation"].summary()
    return replace(
        best,
        train_accuracy=scores["train"].accuracy,
        train_loss=scores["train"].loss,
        validation_accuracy=validation["accuracy"],
        validation_loss=validation["loss"],
        interval=tuple(validation["interval"]),
    )


def _others(final: Final) -> list[tuple[float, ...]]:
    """The histories of the other cells of the winner's stack, settings first; none of folds."""
    state = final.result.state
    places = [
        place for place in range(len(state.cells)) if place != final.place and state.cells.fold[place] < 0
    ]
    return [
        (*state.cells.at(place).values(), *line)
        for place in places[:MOST_HISTORIES]
        for line in state.history.lines(place)
    ]
