"""A grid on one draw of the rows: its stacks are trained one after the other, its cells scored, their models made."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.config import Config
from softmaxclf.core.model import LinearModel
from softmaxclf.core.problem import Cells, Problem
from softmaxclf.core.scoring import Score
from softmaxclf.core.search import RUNGS, Outcome, grid_cells, rungs
from softmaxclf.core.solvers.solver import Solver
from softmaxclf.runs import RunFolder
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.control import Control
from softmaxclf.workflows.runs.engine import Engine
from softmaxclf.workflows.runs.outcomes import CellScorer, stored, unstored
from softmaxclf.workflows.runs.training import (
    CHECKPOINT,
    Departed,
    Recipe,
    StackResult,
    StackTraining,
    build_problem,
    model_of,
)
from softmaxclf.workflows.runs.training_data import TrainingData

Array = NDArray[Any]
SEEDS = 2**32


def reseeded(config: Config, repeat: int) -> Config:
    """The configuration of a repeat, counted from 0: the seeds of draws and of the order of rows so many further on.

    Filters of patch features keep their seed; they are learned from the rows that the repeat trains on.
    """
    data, training = config.data, config.training
    return replace(
        config,
        data=replace(data, seed=(data.seed + repeat) % SEEDS),
        training=replace(training, seed=(training.seed + repeat) % SEEDS),
    )


@dataclass(frozen=True)
class Final:
    """Where a cell's model is taken from: the training of its stack or its refit, its place there, the rows."""

    result: StackResult
    place: int
    data: TrainingData
    loss: str

    @property
    def model(self) -> LinearModel:
        """The model, of rows as they were trained on."""
        return model_of(self.result.solver, self.place, self.data, self.loss)

    @property
    def deployed(self) -> LinearModel:
        """The model, of the data's own rows."""
        return self.data.deployed(self.model)


class GridTraining:
    """One repeat of the grid of `config`, counted from 0, on the rows that its seed draws.

    problem: those rows as a solver sees them, where they are made already.
    """

    def __init__(
        self,
        config: Config,
        data: TrainingData,
        folder: RunFolder,
        control: Control,
        observer: Observer,
        repeat: int = 0,
        engine: Engine | None = None,
        problem: Problem | None = None,
    ) -> None:
        self.config, self.data, self.repeat = config, data, repeat
        self.engine = engine or Engine()
        self.problem = problem or build_problem(config, data, self.engine.summing)
        self.recipe = Recipe.of(config)
        self.training = StackTraining(folder, self.recipe, control, observer)
        self.scorer = CellScorer(data, config.training.loss)
        self.refits = config.tuning.folds > 0 or config.tuning.refit
        self.seconds = 0.0
        self._last: tuple[int, StackResult] | None = None

    def train(self, stacks: Sequence[Cells], *, halving: bool = False) -> tuple[dict[int, Outcome], bool]:
        """(what became of each cell that was begun, whether all were trained to their end); a stack may be empty."""
        started = time.perf_counter()
        brought = self.engine.bring(self, stacks, halving)
        self.seconds += time.perf_counter() - started
        outcomes: dict[int, Outcome] = {}
        for each in brought.values():
            outcomes |= each
        for number in [n for n, cells in enumerate(stacks) if len(cells) and n not in brought]:
            result = self.train_stack(number, stacks, halving)
            outcomes |= self.judged(result)
            if not result.complete:
                return outcomes, False
        return outcomes, True

    def judged(self, result: StackResult) -> dict[int, Outcome]:
        """What became of each cell of a stack, by its place in the grid."""
        status = "ok" if result.complete else f"cut short at iteration {result.state.iteration}"
        return unstored(result.departed) | self.scorer.outcomes(result.solver, status)

    def stored(self, number: int, stacks: Sequence[Cells]) -> StackResult:
        """A stack as its checkpoint has it, or its start."""
        return self.training.stored(self.problem, stacks[number], self.checkpoint(number), len(RUNGS))[0]

    def model(self, stacks: Sequence[Cells], cell: int) -> LinearModel:
        """The model of a cell as its stack has trained it."""
        return Final(*self._result_of(stacks, cell), self.data, self.config.training.loss).model

    def _result_of(self, stacks: Sequence[Cells], cell: int) -> tuple[StackResult, int]:
        """The stack of a cell, the last one at hand or an earlier one from its checkpoint, and its place there."""
        number = next(place for place, stack in enumerate(stacks) if cell in stack.index)
        if self._last is not None and self._last[0] == number:
            result = self._last[1]
        else:
            result = self.stored(number, stacks)
            self._last = (number, result)
        return result, int(np.flatnonzero(result.state.cells.index == cell)[0])

    def final(self, stacks: Sequence[Cells], cell: int, values: Mapping[str, float]) -> Final:
        """What the model of a cell, of those values, is taken from: trained on all rows where `refits`."""
        loss = self.config.training.loss
        result, place = self._result_of(stacks, cell)
        if not self.refits:
            return Final(result, place, self.data, loss)
        data = self.data.together()
        found = result.solver.on_all_rows(place) if self.config.tuning.folds else None
        return Final(self._refit(cell, values, data) if found is None else StackResult(found), 0, data, loss)

    def held_out(self, stacks: Sequence[Cells], cell: int) -> Score:
        """The pooled predictions of a cell's fold models, each on the rows that it did not see."""
        return self.scorer.held_out(self._result_of(stacks, cell)[0].solver, cell)

    def train_stack(self, number: int, stacks: Sequence[Cells], halving: bool) -> StackResult:
        """A stack, trained from its checkpoint on, where there is one."""
        cells, folds, repeats = stacks[number], self.config.tuning.folds, self.config.tuning.repeats
        count = len(np.unique(cells.index))
        plan = rungs(self.recipe.start(self.problem, cells).length, count) if halving else []
        of = f" {number + 1}/{len(stacks)}" if len(stacks) > 1 else ""
        of += f", repeat {self.repeat + 1}/{repeats}" if repeats > 1 else ""
        what = f"tune{of}: {count} cells" + (f" x {folds} folds" if folds else "")
        started = time.perf_counter()
        result = self.training.train(
            self.problem, cells, self.checkpoint(number), what=what, plan=plan, on_rung=self._on_rung
        )
        self.seconds += time.perf_counter() - started
        self._last = (number, result)
        return result

    def _on_rung(self, solver: Solver, leaving: Array, rung: int) -> Departed:
        status = f"stopped at rung {rung + 1} (iteration {solver.state.iteration})"
        return stored(self.scorer.outcomes(solver, status, np.flatnonzero(leaving)))

    def _refit(self, cell: int, values: Mapping[str, float], data: TrainingData) -> StackResult:
        """The cell's settings trained on all rows."""
        started = time.perf_counter()
        result = self.training.train(
            build_problem(self.config, data, self.engine.summing),
            grid_cells({name: (value,) for name, value in values.items()}),
            self.checkpoint(cell, "-refit"),
            what="refit on all rows",
        )
        self.seconds += time.perf_counter() - started
        return result

    def checkpoint(self, number: int, what: str = "") -> str:
        """The name of the file in the run folder that holds the state of that stack."""
        if not (number or what or self.repeat):
            return CHECKPOINT
        repeat = f"-repeat{self.repeat + 1}" if self.repeat else ""
        return f"checkpoint{what}{repeat}-{number}.npz"
