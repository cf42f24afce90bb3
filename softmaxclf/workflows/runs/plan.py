"""`softmaxclf tune --dry-run`: what a grid would cost. Writes nothing."""

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np

from softmaxclf.config import Config
from softmaxclf.core.problem import Cells, Problem
from softmaxclf.core.search import rungs
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.automatic import decided
from softmaxclf.workflows.runs.device import tell_device
from softmaxclf.workflows.runs.engine import Extraction
from softmaxclf.workflows.runs.extraction import extracted
from softmaxclf.workflows.runs.session import Request, default_path
from softmaxclf.workflows.runs.training import Recipe, build_problem
from softmaxclf.workflows.runs.training_data import TrainingData
from softmaxclf.workflows.runs.tune import planned_stacks, prepare_for_tuning

PROBE_SECONDS = 0.5
PROBE_WARM_UP = 2
PROBED_READINGS = 3
PROBED_IMAGES = 64


def plan(request: Request, observer: Observer) -> dict[str, Any]:
    """The expanded grid, its stacks, their memory, and an estimate of the training time from a short probe."""
    data = prepare_for_tuning(request, observer)
    request.engine.rehearse()
    data = extracted(request.config, data, observer, trial=True)
    config = decided(request.config, lambda: data, "tune", observer)
    request = replace(request, config=config)
    problem, recipe = build_problem(config, data), Recipe.of(config)
    tell_device(problem, observer)
    stacks = planned_stacks(request, problem)
    widths = [len(stack) for stack in stacks]
    axes = recipe.axes(config)
    with request.engine.probing():
        features, extraction = _time_of_features(data, config)
        timed = (
            _time(problem, recipe, stacks, config)
            if hasattr(recipe.settings, "iterations")
            else _time_of_readings(problem, recipe, stacks, config.tuning.repeats)
        )
    return {
        "run": str(request.out or default_path(request, data)),
        "axes": [f"{name}s" for name in axes],
        **{f"{name}s": list(values) for name, values in axes.items()},
        "cells": math.prod(map(len, axes.values())),
        "folds": config.tuning.folds,
        "repeats": config.tuning.repeats,
        "stacks": widths,
        "stack_bytes": recipe.bytes_per_cell(problem) * max(widths),
        "bound_bytes": request.engine.stack_bound(config),
        **features,
        **timed,
        **request.engine.planned(
            recipe, problem, stacks, config.tuning.repeats, timed["seconds"], extraction
        ),
    }


def _time_of_features(data: TrainingData, config: Config) -> tuple[dict[str, Any], Extraction | None]:
    """What the features of the images will take, where they are not there yet, of repeats of other rows too."""
    if data.front is None:
        return {}, None
    dataset = data.own.dataset
    counts = [len(each.y) for each in (dataset.train, dataset.validation) if each is not None]
    some = dataset.train.X[:PROBED_IMAGES].astype(np.float32)
    started = time.perf_counter()
    data.front.stage.read(some, np.empty((len(some), data.front.stage.columns), np.float32))
    each = (time.perf_counter() - started) / len(some)
    others = config.data.shots or (data.fold_of_row is None and data.redrawn_share(config))
    times = config.tuning.repeats if others else 1
    images, columns = sum(counts), data.front.stage.columns
    told = {
        "features": columns,
        "features_bytes": images * columns,
        "features_seconds": round(images * each * times, 3),
    }
    sent = images * dataset.train.X[:1].nbytes * times
    return told, Extraction(images * each * times, sent, images * columns * times)


def _time(problem: Problem, recipe: Recipe, stacks: list[Cells], config: Config) -> dict[str, Any]:
    """How long a solver of a known number of iterations will take, in all repeats."""
    widths, iterations = [len(stack) for stack in stacks], recipe.settings.iterations
    probe, steps = step_seconds(problem, recipe, stacks[0])
    share = float(config.tuning.repeats)
    if config.tuning.halving:
        share = _share(iterations, len(set(stacks[0].index.tolist())), config.tuning.repeats)
    return {
        "iterations": iterations,
        "batch_size": recipe.settings.batch_size,
        "seconds": round(probe * iterations * share * sum(widths) / widths[0], 3),
        "probe": f"{1000 * probe:.2f} ms per iteration of {widths[0]} models over {steps} iterations",
    }


def _time_of_readings(problem: Problem, recipe: Recipe, stacks: list[Cells], repeats: int) -> dict[str, Any]:
    """The same of a solver that reads all rows for each step; how many readings it takes shows only in the end."""
    solver = recipe.start(problem, stacks[0])
    stamps = [time.perf_counter()]

    def enough(_: int) -> bool:
        stamps.append(time.perf_counter())
        return len(stamps) > PROBED_READINGS + 1

    solver.run(solver.length, enough)
    reading = min(np.diff(stamps[1:]), default=0.0)
    readings = sum(recipe.start(problem, stack).readings for stack in stacks)
    return {
        "seconds": round(repeats * (stamps[1] - stamps[0] + reading * readings), 3),
        "probe": f"{1000 * reading:.0f} ms per reading of all rows, of which some {repeats * readings:,} are expected",
    }


def step_seconds(problem: Problem, recipe: Recipe, cells: Cells) -> tuple[float, int]:
    """(seconds per iteration, iterations timed) of that stack, over about half a second."""
    endless = replace(recipe, settings=replace(recipe.settings, iterations=10**9, history_points=1))
    solver = endless.start(problem, cells)
    solver.run(PROBE_WARM_UP)
    started = time.perf_counter()
    solver.run(10**9, lambda _: time.perf_counter() - started > PROBE_SECONDS)
    steps = solver.state.iteration - PROBE_WARM_UP
    return (time.perf_counter() - started) / steps, steps


def _share(iterations: int, count: int, repeats: int) -> float:
    """How many full grids' column-iterations halving leaves; further repeats are of the cells that it leaves."""
    done, left, remaining, total = 0, count, count, 0
    for iteration, kept in [*rungs(iterations, count), (iterations, 0)]:
        total += (iteration - done) * remaining
        left, done, remaining = remaining, iteration, kept
    total += (repeats - 1) * iterations * left
    return total / max(1, iterations * count)
