"""Training a stack inside a run folder: checkpoints, continuing, halving, stopping. train and tune share it."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.config import Config
from softmaxclf.core.engine import Trainer
from softmaxclf.core.model import LinearModel
from softmaxclf.core.preprocessing import Preprocessing, fit_preprocessing
from softmaxclf.core.rows import RowReader
from softmaxclf.core.search import narrowed
from softmaxclf.core.stack import Cells, Problem, Settings, State, initial_state
from softmaxclf.errors import DataError
from softmaxclf.runs import RunFolder
from softmaxclf.workflows.checkpoints import Departed, StackResult, continues, restored, stored
from softmaxclf.workflows.control import Control
from softmaxclf.workflows.material import Material
from softmaxclf.workflows.observer import Observer

Array = NDArray[Any]
CHECKPOINT = "checkpoint.npz"
CHECKPOINT_SECONDS = 5.0
PROGRESS_SECONDS = 0.1
WARM_SECONDS = 0.5  # of cold first steps, which do not tell how long scoring will take
WRITING_SECONDS = 3.0  # of --max-time, kept for pictures and files; scoring is estimated from the step's time


def build_problem(config: Config, material: Material, *, folded: bool = True) -> Problem:
    """The engine's view of the material, with preprocessing fitted on training rows.

    With folds, and unless `folded` is False, it is fitted once per fold, on the rows outside it.
    """
    dataset, wanted = material.dataset, config.preprocessing
    mirror = dataset.image_shape if wanted.mirror else None
    X, y = dataset.train.X, dataset.train.y
    folds = material.fold_of_row if folded else None
    preprocessing = fit_preprocessing(
        RowReader(X, mirror),
        material.train_rows,
        None if folds is None else folds[material.train_rows],
        center=wanted.center,
        scale=wanted.scale,
    )
    validated = len(material.validation_rows) > 0
    return Problem(
        X,
        y,
        len(dataset.class_names),
        material.train_rows,
        preprocessing,
        material.validation_X if validated else None,
        material.validation_y if validated else None,
        material.validation_rows if validated else None,
        folds,
        material.block,
    )


def build_settings(config: Config) -> Settings:
    """The engine's view of the training section."""
    training = config.training
    return Settings(
        training.iterations,
        training.batch_size,
        training.loss,
        training.momentum,
        training.schedule,
        training.regularize_bias,
        training.seed,
    )


class StackTraining:
    """Trains stacks of one run, each with a checkpoint file of its own.

    scored_rows: how many rows will be scored after training, for an estimate of the time to keep for it.
    """

    def __init__(
        self, folder: RunFolder, settings: Settings, control: Control, observer: Observer, scored_rows: int
    ) -> None:
        self.folder, self.settings, self.control, self.observer = folder, settings, control, observer
        self.scored_rows = scored_rows

    def train(
        self,
        problem: Problem,
        cells: Cells,
        name: str,
        *,
        what: str = "train",
        plan: Sequence[tuple[int, int]] = (),
        on_rung: Callable[[State, Array, int], Departed] = lambda state, leaving, rung: [],
    ) -> StackResult:
        """Train the cells, from the checkpoint `name` if there is one, and leave their final state in it.

        plan: [(iteration, cells that go on)] of halving; on_rung(state, leaving (G,) bool, rung) describes the others.
        Raises InterruptedRunError on a signal, after a checkpoint.
        """
        result, rung = self._restored(problem, cells, name, len(plan))
        self.observer.begin(what, self.settings.iterations, result.state.iteration)
        try:
            for place, (until, keep) in enumerate([*plan, (self.settings.iterations, 0)]):
                if place < rung:
                    continue
                if not self._train_until(problem, result, until, name, place):
                    result.complete = False
                    break
                if keep:
                    self._narrow(problem, result, keep, place, on_rung)
                    self._save(result, name, place + 1)
        finally:
            self.observer.end()
        return result

    def _train_until(self, problem: Problem, result: StackResult, until: int, name: str, rung: int) -> bool:
        """Train to iteration `until`; False when the time is up. The state is saved on every way out."""
        state = result.state
        watch = _Watch(self, result, name, rung)
        if state.iteration >= until:
            if not (self.folder.path / name).exists():
                self._save(result, name, rung)
            return True
        trainer = Trainer(problem, self.settings, state)
        with self.control.deferring():
            reached = trainer.run(until, watch)
            self._save(result, name, rung)
        self.control.raise_if_received(
            f"stopped at iteration {state.iteration:,} of {self.settings.iterations:,}; {best_so_far(state)}; "
            f"everything is saved in {self.folder.path}: the same command continues"
        )
        return reached

    def _narrow(
        self,
        problem: Problem,
        result: StackResult,
        keep: int,
        rung: int,
        on_rung: Callable[[State, Array, int], Departed],
    ) -> None:
        state = result.state
        with np.errstate(all="ignore"):
            accuracies = Trainer(problem, self.settings, state).validate()
        accuracies = np.where(state.diverged_at >= 0, np.nan, accuracies)
        going_on = narrowed(accuracies, state.cells.index, keep)
        result.departed = [*result.departed, *on_rung(state, ~going_on, rung)]
        result.state = state.keep(np.flatnonzero(going_on))

    def _save(self, result: StackResult, name: str, rung: int) -> None:
        self.folder.save_checkpoint(name, *stored(result, rung))

    def _restored(self, problem: Problem, cells: Cells, name: str, rungs: int) -> tuple[StackResult, int]:
        fresh = StackResult(initial_state(cells, problem, self.settings))
        try:
            saved = self.folder.load_checkpoint(name)
            if saved is None:
                return fresh, 0
            where = str(self.folder.path / name)
            result, rung = restored(*saved, where=where)
            if not (0 <= rung <= rungs and continues(result.state, fresh.state, self.settings.iterations)):
                raise DataError(f"{where}: expected a state of this run, found another")
        except DataError as error:
            self.observer.warn(f"{error}; starting this stack again")
            return fresh, 0
        self.observer.note(f"continuing {self.folder.path} at iteration {result.state.iteration:,}")
        return result, rung


class _Watch:
    """What is asked after each iteration: show progress, checkpoint, stop."""

    def __init__(self, training: StackTraining, result: StackResult, name: str, rung: int) -> None:
        self.training, self.result, self.name, self.rung = training, result, name, rung
        self.started = self.shown = self.saved = time.perf_counter()
        self.first = result.state.iteration

    def __call__(self, state: State) -> bool:
        control = self.training.control
        now = time.perf_counter()
        if now - self.shown > PROGRESS_SECONDS:
            self.shown = now
            self.training.observer.advance(state.iteration, figures(state))
        if now - self.saved > CHECKPOINT_SECONDS:
            self.training._save(self.result, self.name, self.rung)
            self.saved = time.perf_counter()
        return control.received is not None or self._out_of_time(control, state, now)

    def _out_of_time(self, control: Control, state: State, now: float) -> bool:
        if control.max_time is None:
            return False
        if now - self.started < WARM_SECONDS:
            return control.out_of_time(WRITING_SECONDS)
        step = (now - self.started) / max(1, state.iteration - self.first)
        scoring = step * self.training.scored_rows / self.training.settings.batch_size
        return control.out_of_time(WRITING_SECONDS + scoring)


def cut_short(state: State, settings: Settings) -> str:
    """The warning of a run that --max-time ended."""
    return (
        f"--max-time ended training at iteration {state.iteration:,} of {settings.iterations:,}; "
        "the same command with more time continues"
    )


def figures(state: State) -> str:
    """The loss and validation accuracy of the stack's best cell at the last history line, for a progress bar."""
    place = _best_place(state)
    if place is None:
        return ""
    loss, accuracy = state.history.loss[-1][place], state.history.validation_accuracy[-1][place]
    shown = f"loss {loss:.3f}"
    return shown if np.isnan(accuracy) else f"{shown}, validation {100 * accuracy:.1f} %"


def best_so_far(state: State) -> str:
    """The best cell at the last history line, in words."""
    place = _best_place(state)
    if place is None:
        return "no figures yet"
    cells = state.cells
    return (
        f"best so far: learning rate {cells.learning_rate[place]:g}, regularization {cells.regularization[place]:g} "
        f"({figures(state)})"
    )


def _best_place(state: State) -> int | None:
    if not state.history.iteration:
        return None
    accuracy, loss = state.history.validation_accuracy[-1], state.history.loss[-1]
    merit = -loss if np.isnan(accuracy).all() else accuracy
    return None if np.isnan(merit).all() else int(np.nanargmax(merit))


def model_of(
    state: State, place: int, preprocessing: Preprocessing, material: Material, loss: str
) -> LinearModel:
    """The model of the cell at `place` of the stack: W = V * scale, in float32."""
    scale = preprocessing.scale
    V = state.weights(place)
    W = V if scale is None else V * np.broadcast_to(scale, len(V))[:, None]
    dataset = material.dataset
    return LinearModel(
        np.ascontiguousarray(W, np.float32),
        state.b[:, place].astype(np.float32),
        dataset.class_names,
        preprocessing,
        dataset.image_shape,
        loss,
    )
