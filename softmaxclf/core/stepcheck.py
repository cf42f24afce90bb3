"""Is the engine right? One plain step of it, in float64, must be -learning rate * gradient.

The gradient is that of the naive loops of core/reference.py on features that `Preprocessing.apply` computes in full:
neither knows any of the engine's ways of saving work.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core import sanity
from softmaxclf.core.engine import Trainer
from softmaxclf.core.preprocessing import Preprocessing, fit_preprocessing
from softmaxclf.core.rows import ImageShape, RowReader
from softmaxclf.core.selfcheck import EXACT, NAIVE, Check, Subject, difference, make_subject
from softmaxclf.core.softmax import with_bias
from softmaxclf.core.stack import Cells, Problem, Settings, initial_state

Array = NDArray[Any]
ENGINE_ROWS = 40
ROUNDING = 8 * float(np.finfo(np.float64).eps)  # of a weight, from which a step is told as a difference
# name, center, scale, mirror, bias trick
ENGINE_CASES = (
    ("raw rows", False, "none", False, False),
    ("centered", True, "none", False, False),
    ("centered, bias trick", True, "none", False, True),
    ("standardized", True, "standardize", False, False),
    ("unit norm", True, "unit-norm", False, False),
    ("mirror-folded", True, "none", True, False),
)


def engine_checks(
    raw: Array, y: Array, K: int, *, loss: str, seed: int, image_shape: ImageShape | None
) -> list[Check]:
    """One step of a stack of two models from random weights, on the first raw rows (N, D), by preprocessing.

    Mirror folding only where the rows are images.
    """
    checks = []
    for name, center, scale, mirror, trick in ENGINE_CASES:
        if mirror and image_shape is None:
            continue
        rows, labels = raw[:ENGINE_ROWS], y[:ENGINE_ROWS]
        reader = RowReader(rows, image_shape if mirror else None, np.float64)
        fitted = fit_preprocessing(reader, np.arange(len(rows)), center=center, scale=scale)[0]
        drawn = make_subject(fitted.apply(rows), labels, K, loss=loss, seed=seed)
        # The engine's weights sum to zero over the classes, see stack.State.
        start = replace(drawn, W=drawn.W - drawn.W.mean(axis=1, keepdims=True))
        error = _step_error(start, rows, fitted, trick)
        expected = f"-rate * gradient, within {EXACT:g}"
        checks.append(
            Check("one step of the engine", name, expected, f"{error:.1e}", error, bool(error <= EXACT))
        )
    return checks


def _step_error(start: Subject, rows: Array, preprocessing: Preprocessing, regularize_bias: bool) -> float:
    """The largest relative error of the engine's step, over two cells of a stack.

    Relative to no less than the step in which the rounding of the weights themselves makes a share of EXACT.
    """
    rate = sanity.largest_rate(start.X)
    cells = Cells(
        np.array([rate, rate / 3]),
        start.regularization * np.array([0.0, 1.0]),
        np.full(2, -1),
        np.arange(2),
    )
    after = _engine_step(start, rows, preprocessing, cells, regularize_bias)
    reference = with_bias(NAIVE[start.loss])
    errors = []
    for cell, (learning_rate, strength) in enumerate(
        zip(cells.learning_rate, cells.regularization, strict=True)
    ):
        expected = -learning_rate * reference(start.W, start.X, start.y, float(strength), regularize_bias)[1]
        step = after[cell] - start.W
        # weights and bias have different units, so each block is compared with its own size
        for part in (slice(None, -1), slice(-1, None)):
            floor = ROUNDING * float(np.abs(start.W[part]).max()) / EXACT
            errors.append(difference(step[part], expected[part], floor))
    return max(errors)


def _engine_step(
    start: Subject, rows: Array, preprocessing: Preprocessing, cells: Cells, regularize_bias: bool
) -> list[Array]:
    """Weights (D' + 1, K) of each cell after one step of the engine on all rows at once, from start.W."""
    K = start.W.shape[1]
    problem = Problem(rows, start.y, K, np.arange(len(rows)), [preprocessing], dtype=np.float64)
    settings = Settings(1, len(rows), start.loss, regularize_bias=regularize_bias)
    state = initial_state(cells, problem, settings)
    scale = 1.0 if preprocessing.scale is None else preprocessing.scale[:, None]
    state.V[:] = (start.W[:-1, 1:] / scale)[..., None]
    state.b[:] = start.W[-1][:, None]
    Trainer(problem, settings, state).run(1)
    return [np.vstack([state.weights(cell) * scale, state.b[:, cell]]) for cell in range(len(cells))]
