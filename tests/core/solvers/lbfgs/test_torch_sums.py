"""Sums over rows by PyTorch against those of NumPy in float64, which test_optimum.py holds to the plain formulas."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from softmaxclf.core.problem import Cells, Problem
from softmaxclf.core.solvers.lbfgs.solver import LBFGS, Settings
from softmaxclf.core.solvers.lbfgs.sums import ALL_ROWS, ArrayRows, Point
from softmaxclf.core.stages.fitting import FittingRows, fit_stages
from softmaxclf.core.stages.mirror import Mirror
from tests.core.engines import NEEDS_TORCH, accelerator_on_the_processor, device_named
from tests.core.stages_of import stages_of

pytest.importorskip("torch", reason=NEEDS_TORCH)
from softmaxclf.core.solvers.lbfgs.torch_sums import TorchRows

GENERATOR = np.random.default_rng(0)
COUNT, COLUMNS, CLASSES, FOLDS = 700, 96, 5, 3
LABELS = GENERATOR.integers(0, CLASSES, COUNT)
BYTES = GENERATOR.integers(0, 256, (COUNT, COLUMNS)).astype(np.uint8)
ROWS = {"bytes": BYTES, "float16": (BYTES / 50).astype(np.float16), "float32": BYTES / np.float32(50)}
KINDS = {
    "plain": {},
    "weighted folds": {
        "weights": GENERATOR.uniform(0, 2, COUNT),
        "folds": GENERATOR.integers(0, FOLDS, COUNT),
    },
    "bias": {"ones": True},
    "norms": {"norms": GENERATOR.uniform(0.5, 1, COUNT)},
    "far": {"shift": np.full(COLUMNS, 200.0), "scale": np.full(COLUMNS, 3.0)},
    "folded": {"reading": (Mirror((4, 4, 6)),), "shift": np.full(48, 2.0), "scale": np.full(48, 40.0)},
    "some": {"rows": np.arange(0, COUNT, 2)},
}


def errors(sums, exact):
    """Of the loss, the gradient and the curvature, each relative."""
    pairs = [(each.gradient, other.gradient) for each, other in zip(sums, exact, strict=True)]
    pairs += [(each.loss, other.loss) for each, other in zip(sums, exact, strict=True)]
    for name in ("masses", "means", "coupling"):
        pairs += [
            (getattr(each.spread, name), getattr(other.spread, name))
            for each, other in zip(sums, exact, strict=True)
            if each.spread is not None
        ]
    return np.array([np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in pairs])


@pytest.mark.parametrize("precision", ["single", "mixed"])
@pytest.mark.parametrize("storage", ROWS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("far", [False, True])
def test_sums_are_as_exact_as_those_of_numpy_in_float32(precision, storage, kind, far):
    more = KINDS[kind]
    device = device_named("torch-cpu", precision)
    if far:
        device = accelerator_on_the_processor(mixed=precision == "mixed")
    ours = ArrayRows(ROWS[storage], LABELS, CLASSES, **more)
    theirs = TorchRows(ROWS[storage], LABELS, CLASSES, **more, device=device)
    size = (ours.features + 1, CLASSES)
    scale = 0.05 / float(ROWS[storage].max())
    folds = [1, ALL_ROWS] if "folds" in more else [ALL_ROWS, ALL_ROWS]
    points = [Point(scale * GENERATOR.standard_normal(size), folds[0], spread=True)]
    points += [Point(scale * GENERATOR.standard_normal(size), folds[1])]
    exact, single = ours.evaluate(points, True), errors(ours.evaluate(points), ours.evaluate(points, True))
    found = errors(theirs.evaluate(points), exact)
    assert found.max() < 3 * max(single.max(), 1e-6)
    for mine, own in zip(theirs.evaluate(points, True), exact, strict=True):
        assert mine.loss == pytest.approx(own.loss, rel=1e-12)
    np.testing.assert_allclose(theirs.covariance(), ours.covariance(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("device", ["torch-cpu", "mixed", "accelerator"])
@pytest.mark.parametrize("folds", [0, 3])
def test_the_optimum_on_a_device_is_the_optimum_and_proven(device, folds):
    fold_of_row = GENERATOR.integers(0, folds, COUNT) if folds else None
    rows, stages = np.arange(COUNT), stages_of(center=True, scale="standardize")
    fitted = fit_stages(stages, FittingRows(BYTES, rows, fold_of_row))
    whole = fit_stages(stages, FittingRows(BYTES, rows))[0]
    problem = Problem(BYTES, LABELS, CLASSES, rows, fitted, fold_of_row=fold_of_row, whole=whole)
    count = max(1, folds)
    values = np.tile([1.0, 0.1], count)
    fold = np.repeat(np.arange(folds) if folds else [-1], 2)
    cells = Cells({"regularization": values}, fold, np.tile([0, 1], count))
    make = {
        "torch-cpu": partial(device_named, "torch-cpu"),
        "mixed": partial(device_named, "cpu", "mixed"),
        "accelerator": accelerator_on_the_processor,
    }[device]
    chosen, objectives = Settings(tolerance=1e-6), []
    for each in (problem, replace(problem, device=make())):
        solver = LBFGS(each, chosen, LBFGS.start(each, chosen, cells))
        assert solver.run(solver.length)
        assert solver.state.proven.all() and (solver.state.gap <= 1e-6).all()
        objectives.append(solver.state.objective)
    np.testing.assert_allclose(objectives[1], objectives[0], rtol=1e-6)


def test_a_solver_that_was_stopped_goes_on_on_another_device():
    rows = np.arange(COUNT)
    fitted = fit_stages(stages_of(center=True, scale="standardize"), FittingRows(BYTES, rows))
    here = Problem(BYTES, LABELS, CLASSES, rows, fitted)
    there = replace(here, device=device_named("torch-cpu"))
    cells = Cells({"regularization": np.array([1.0, 0.1])}, np.full(2, -1), np.arange(2))
    for first, then in ((here, there), (there, here)):
        solver, asked = LBFGS(first, Settings(), LBFGS.start(first, Settings(), cells)), []
        assert not solver.run(2, lambda value, asked=asked: len(asked) == 3 or asked.append(value))
        state = LBFGS.start(then, Settings(), cells).restored(solver.state.arrays())
        solver = LBFGS(then, Settings(), state)
        assert solver.run(2) and solver.state.proven.all()
