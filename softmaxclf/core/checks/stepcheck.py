"""Is the engine right? One plain step of it, in float64, must be -learning rate * gradient.

The gradient is that of the naive loops of core/checks/reference.py on features that `Preprocessing.apply`
computes in full: neither knows any of the engine's ways of saving work.
"""

from dataclasses import replace

import numpy as np

from softmaxclf.core.checks.gradcheck import ROUNDING, Check, relative_error
from softmaxclf.core.checks.selfcheck import EXACT, NAIVE, Subject, exact_check, make_subject
from softmaxclf.core.images import ImageShape
from softmaxclf.core.losses.loss import Array
from softmaxclf.core.losses.softmax import with_bias
from softmaxclf.core.problem import Cells, Problem
from softmaxclf.core.search import stable_learning_rate
from softmaxclf.core.solvers.sgd.solver import SGD
from softmaxclf.core.solvers.sgd.state import Settings, initial_state
from softmaxclf.core.stages import STAGES
from softmaxclf.core.stages.fitting import FittingRows, fit_stages
from softmaxclf.core.stages.stage import Preprocessing

ENGINE_ROWS = 40
# name, stages, bias trick
ENGINE_CASES = (
    ("raw rows", (), False),
    ("centered", ("center",), False),
    ("centered, bias trick", ("center",), True),
    ("standardized", ("center", "standardize"), False),
    ("unit norm", ("center", "unit-norm"), False),
    ("mirror-folded", ("mirror", "center"), False),
)


def engine_checks(
    raw: Array, y: Array, K: int, *, loss: str, seed: int, image_shape: ImageShape | None
) -> list[Check]:
    """One step of a stack of two models from random weights, on the first raw rows (N, D), by preprocessing.

    Mirror folding only where the rows are images.
    """
    checks = []
    rows, labels = raw[:ENGINE_ROWS], y[:ENGINE_ROWS]
    for name, stages, trick in ENGINE_CASES:
        if "mirror" in stages and image_shape is None:
            continue
        fitting = FittingRows(rows, np.arange(len(rows)), image_shape=image_shape)
        fitted = fit_stages([STAGES.load(stage) for stage in stages], fitting)[0]
        drawn = make_subject(fitted.apply(rows), labels, K, loss=loss, seed=seed)
        # The engine's weights sum to zero over the classes, see SGDState.
        start = replace(drawn, W=drawn.W - drawn.W.mean(axis=1, keepdims=True))
        error = _step_error(start, rows, fitted, trick)
        checks.append(exact_check("one step of the engine", name, "-rate * gradient,", error))
    return checks


def _step_error(start: Subject, rows: Array, preprocessing: Preprocessing, regularize_bias: bool) -> float:
    """The largest relative error of the engine's step, over two cells of a stack.

    Relative to no less than the step in which the rounding of the weights themselves makes a share of EXACT.
    """
    rate = stable_learning_rate(start.X[:, :-1], 0.0)
    rates, strengths = np.array([rate, rate / 3]), start.regularization * np.array([0.0, 1.0])
    cells = Cells({"learning_rate": rates, "regularization": strengths}, np.full(2, -1), np.arange(2))
    after = _engine_step(start, rows, preprocessing, cells, regularize_bias)
    errors = []
    for W, learning_rate, strength in zip(after, rates, strengths, strict=True):
        gradient = with_bias(NAIVE[start.loss])(start.W, start.X, start.y, float(strength), regularize_bias)[
            1
        ]
        # weights and bias have different units, so each block is compared with its own size
        for part in (slice(None, -1), -1):
            floor = ROUNDING * float(np.abs(start.W[part]).max()) / EXACT
            errors.append(relative_error((W - start.W)[part], -learning_rate * gradient[part], floor))
    return max(errors)


def _engine_step(
    start: Subject, rows: Array, preprocessing: Preprocessing, cells: Cells, regularize_bias: bool
) -> list[Array]:
    """Weights (D' + 1, K) of each cell after one step of the engine on all rows at once, from start.W."""
    K = start.W.shape[1]
    problem = Problem(rows, start.y, K, np.arange(len(rows)), [preprocessing], dtype=np.float64)
    settings = Settings(1, len(rows), start.loss, regularize_bias=regularize_bias)
    state = initial_state(cells, problem, settings)
    state.V[:] = (start.W[:-1, 1:] / preprocessing.divisor[:, None])[..., None]
    state.b[:] = start.W[-1][:, None]
    solver = SGD(problem, settings, state)
    solver.run(1)
    return [np.vstack(solver.weights(cell)) for cell in range(len(cells))]
