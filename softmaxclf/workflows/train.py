"""`softmaxclf train`: one model, a stack of one cell."""

import time
from dataclasses import dataclass

from softmaxclf.core.search import grid_cells
from softmaxclf.core.stack import State
from softmaxclf.errors import AllDivergedError, ConfigError
from softmaxclf.workflows import pictures
from softmaxclf.workflows.control import Control
from softmaxclf.workflows.divergence import advice
from softmaxclf.workflows.material import Material, prepare
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.result import (
    Finding,
    Summary,
    add_test,
    finish,
    score_splits,
    stored_summary,
    with_provenance,
)
from softmaxclf.workflows.session import Request, Session, opened
from softmaxclf.workflows.stacks import (
    CHECKPOINT,
    StackTraining,
    build_problem,
    build_settings,
    cut_short,
    model_of,
)


@dataclass(frozen=True)
class TrainRequest(Request):
    """A request to train one model; test asks for the test accuracy too."""

    test: bool = False


def train(request: TrainRequest, observer: Observer) -> Summary:
    """Train one model and write its run folder; returns the summary. A finished run is found, not repeated.

    Raises ConfigError, DataError, RunConflictError, AllDivergedError, InterruptedRunError, OutputError.
    """
    control = Control(request.max_time)
    with control.handling_signals():
        material = prepare(request.config, observer)
        if request.test and material.dataset.read_test is None:
            raise ConfigError(
                f"--test: expected a test split, got {material.dataset.path} without one; leave --test out"
            )
        observer.note(material.describe())
        with opened(request, material) as session:
            if session.finished:
                return _found(request, session, material, observer)
            return _train(request, session, material, control, observer)


def _found(request: TrainRequest, session: Session, material: Material, observer: Observer) -> Summary:
    observer.note(session.found())
    summary = stored_summary(session)
    return add_test(session, material) if request.test and "test" not in summary["splits"] else summary


def _train(
    request: TrainRequest, session: Session, material: Material, control: Control, observer: Observer
) -> Summary:
    config = request.config
    started = time.perf_counter()
    problem, settings = build_problem(config, material), build_settings(config)
    rows = len(material.train_rows) + len(material.validation_rows)
    training = StackTraining(session.folder, settings, control, observer, rows)
    cells = grid_cells([config.training.learning_rate], [config.training.regularization])
    result = training.train(problem, cells, CHECKPOINT)
    state, seconds = result.state, time.perf_counter() - started
    if state.diverged_at[0] >= 0:
        session.abandon()
        raise _divergence(state, material, request)
    model = model_of(state, 0, problem.preprocessing[0], material, config.training.loss)
    model = with_provenance(model, config, material, iterations=state.iteration)
    finding = Finding(
        model,
        pictures.history_rows(state.history, 0),
        score_splits(model, material, test=request.test),
        [] if result.complete else [cut_short(state, settings)],
        result.complete,
    )
    return finish(session, finding, material, control, observer, seconds)


def _divergence(state: State, material: Material, request: TrainRequest) -> AllDivergedError:
    training = request.config.training
    return AllDivergedError(
        f"training diverged at iteration {state.diverged_at[0]:,}: learning rate {training.learning_rate:g} with "
        f"regularization {training.regularization:g} is too large; "
        f"{advice(request.config, material, training.regularization)}"
    )
