"""`softmaxclf tune --dry-run`: what a grid would cost. Writes nothing."""

import time
from dataclasses import replace
from typing import Any

from softmaxclf.core.engine import Trainer
from softmaxclf.core.rows import RowReader
from softmaxclf.core.search import rungs
from softmaxclf.core.stack import Cells, Problem, Settings, initial_state
from softmaxclf.workflows.memory import bytes_per_model, stack_bound
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.session import Request, default_path
from softmaxclf.workflows.stacks import build_problem, build_settings
from softmaxclf.workflows.tune import planned_stacks, prepare_for_tuning

PROBE_SECONDS = 0.5
PROBE_WARM_UP = 2


def plan(request: Request, observer: Observer) -> dict[str, Any]:
    """The expanded grid, its stacks, their memory, and an estimate of the training time from a short probe."""
    config = request.config
    material = prepare_for_tuning(request, observer)
    problem, settings = build_problem(config, material), build_settings(config)
    stacks = planned_stacks(request, problem)
    reader = RowReader(problem.X, problem.preprocessing[0].mirror)
    probe, steps = step_seconds(problem, settings, stacks[0])
    widths = [len(stack) for stack in stacks]
    share = _share(settings.iterations, len(set(stacks[0].index.tolist()))) if config.tuning.halving else 1.0
    return {
        "run": str(request.out or default_path(request, material)),
        "learning_rates": list(config.tuning.learning_rates),
        "regularizations": list(config.tuning.regularizations),
        "cells": len(config.tuning.learning_rates) * len(config.tuning.regularizations),
        "folds": config.tuning.folds,
        "iterations": settings.iterations,
        "batch_size": settings.batch_size,
        "stacks": widths,
        "stack_bytes": bytes_per_model(config, reader, problem.classes) * max(widths),
        "bound_bytes": stack_bound(config),
        "seconds": round(probe * settings.iterations * share * sum(widths) / widths[0], 3),
        "probe": f"{1000 * probe:.2f} ms per iteration of {widths[0]} models over {steps} iterations",
    }


def step_seconds(problem: Problem, settings: Settings, cells: Cells) -> tuple[float, int]:
    """(seconds per iteration, iterations timed) of that stack, over about half a second."""
    endless = replace(settings, iterations=10**9, history_points=1)
    trainer = Trainer(problem, endless, initial_state(cells, problem, endless))
    trainer.run(PROBE_WARM_UP)
    started = time.perf_counter()
    trainer.run(10**9, lambda state: time.perf_counter() - started > PROBE_SECONDS)
    steps = trainer.state.iteration - PROBE_WARM_UP
    return (time.perf_counter() - started) / steps, steps


def _share(iterations: int, count: int) -> float:
    """The share of a full grid's column-iterations that halving leaves."""
    done, remaining, total = 0, count, 0
    for iteration, kept in [*rungs(iterations, count), (iterations, 0)]:
        total += (iteration - done) * remaining
        done, remaining = iteration, kept
    return total / max(1, iterations * count)
