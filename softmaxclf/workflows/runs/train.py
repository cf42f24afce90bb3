"""`softmaxclf train`: one model, a stack of one cell."""

import time
from dataclasses import replace
from functools import cache

from softmaxclf.config import LOCAL
from softmaxclf.core.search import grid_cells
from softmaxclf.errors import AllDivergedError, ConfigError
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.automatic import decided
from softmaxclf.workflows.runs.control import Control
from softmaxclf.workflows.runs.device import tell_device
from softmaxclf.workflows.runs.extraction import extracted
from softmaxclf.workflows.runs.learning import doubts
from softmaxclf.workflows.runs.result import (
    Finding,
    Summary,
    add_test,
    finish,
    found,
    score_splits,
)
from softmaxclf.workflows.runs.session import Request, Session, opened
from softmaxclf.workflows.runs.training import (
    CHECKPOINT,
    Recipe,
    StackTraining,
    build_problem,
    cut_short,
    only_model,
)
from softmaxclf.workflows.runs.training_data import TrainingData, prepare


def train(request: Request, observer: Observer) -> Summary:
    """Train one model and write its run folder; returns the summary. A finished run is found, not repeated.

    Raises ConfigError, DataError, RunConflictError, AllDivergedError, InterruptedRunError, OutputError.
    """
    control = Control(request.max_time)
    request.engine.heed(control)
    with control.handling_signals():
        data = prepare(request.config, observer, fit=True)
        if request.test and data.dataset.read_test is None:
            raise ConfigError(
                f"--test: expected a test split, got {data.dataset.path} without one; leave --test out"
            )
        observer.note(data.describe())
        engine = request.config.engine
        if engine.elsewhere and not Recipe.of(request.config).solver.divides_rows:
            used = "is not used" if request.config.features.kind == "none" else "makes features"
            observer.note(f"engine.kind {engine.kind} {used}: solver sgd trains one model in this process")
            request = replace(request, config=replace(request.config, engine=replace(engine, kind=LOCAL)))
        if request.config.tuning.repeats > 1:
            observer.note("tuning.repeats is not used: train makes one model, softmaxclf tune repeats a grid")
        ready = cache(lambda: extracted(request.config, data, observer, control, request.engine.filling))
        request = replace(request, config=decided(request.config, ready, "train", observer))
        with opened(request, data, observer) as session:
            if not session.finished:
                return _train(request, session, ready(), control, observer)
            summary = found(session, observer)
            return add_test(session, data) if request.test and "test" not in summary["splits"] else summary


def _train(
    request: Request, session: Session, data: TrainingData, control: Control, observer: Observer
) -> Summary:
    config = request.config
    started = time.perf_counter()
    recipe = Recipe.of(config)
    problem = build_problem(config, data, request.engine.summing)
    tell_device(problem, observer)
    training = StackTraining(session.folder, recipe, control, observer)
    result = training.train(problem, grid_cells(recipe.point(config)), CHECKPOINT)
    seconds = time.perf_counter() - started
    try:
        model = only_model(result.solver, config, data)
    except AllDivergedError:
        session.abandon()
        raise
    splits = score_splits(model, data, test=request.test)
    told = (
        doubts(model, splits, data, config, result.state.cells.at(0))
        if result.complete
        else [cut_short(result.solver)]
    )
    finding = Finding(
        data.deployed(model),
        result.state.history.lines(0),
        splits,
        told,
        result.complete,
        figures=result.solver.report(0),
    )
    return finish(session, finding, data, control, observer, seconds)
