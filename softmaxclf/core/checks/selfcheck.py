"""Every formula of the program against an independent route to the same number, on given rows.

    numeric   the analytic gradient of each parameter block against differences of the loss
    loops     vectorized against naive loss and gradient, with the time of each
    sanity    what courses teach to look at before training (sanity.py)
    engine    one step of the stacked engine against the loops' gradient (stepcheck.py)

The objective is mean loss + 0.5 regularization ||W||^2 with a free bias; with the bias trick, the weights of a
column of ones are regularized like the rest.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.checks import sanity
from softmaxclf.core.checks.gradcheck import (
    STEP,
    GradientCheck,
    check_directions,
    check_elementwise,
    suitable_step,
)
from softmaxclf.core.checks.reference import hinge_loss_naive, softmax_loss_naive
from softmaxclf.core.losses import LOSSES
from softmaxclf.core.losses.loss import LossFunction
from softmaxclf.core.losses.softmax import BiasedLoss, with_bias

Array = NDArray[Any]
NAIVE: Mapping[str, LossFunction] = {"softmax": softmax_loss_naive, "hinge": hinge_loss_naive}

EXACT = 1e-9  # relative: two routes to the same sums in float64
SMALL_ROWS, SMALL_FEATURES, SMALL_COORDINATES = 20, 12, 300
DIRECTIONS = 10
SANITY_ROWS = 500
REPEATS = 5  # of the quick loss; the median of its times is told
FIRST_STEP = 1e-3  # of the weights' size: what the first step should be

# name, rows of W with the bias as its last one, whether the bias is regularized
BLOCKS = (
    ("weights W", slice(None, -1), False),
    ("bias b", slice(-1, None), False),
    ("W with a column of ones", slice(None), True),
)


@dataclass(frozen=True)
class Check:
    """What was looked at, what was expected, what was found, and whether they agree.

    value: the figure that decides. kinks: (row, class) pairs at which the hinge bends, where lines were left out.
    """

    group: str
    name: str
    expected: str
    found: str
    value: float
    passed: bool
    kinks: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Subject:
    """What is checked. X (N, D + 1): features, then a column of ones; W (D + 1, K), its last row the bias.

    loss: its name. objective: its loss and gradient, which are under test.
    """

    X: Array
    y: Array
    W: Array
    regularization: float
    loss: str
    objective: BiasedLoss
    seed: int

    @property
    def classical(self) -> LossFunction:
        """The objective with the classic signature: all of W is regularized."""
        return lambda W, X, y, reg: self.objective(W, X, y, reg, True)

    def at(self, W: Array, regularize_bias: bool) -> tuple[float, Array]:
        """(loss, dW) at W (D + 1, K)."""
        return self.objective(W, self.X, self.y, self.regularization, regularize_bias)


def make_subject(
    features: Array, y: Array, K: int, *, loss: str, seed: int, objective: BiasedLoss | None = None
) -> Subject:
    """A subject on features (N, D), float64, with drawn weights that make scores of about 1.

    The regularization, of one digit, makes the penalty's gradient about as large as that of the loss, so that
    neither hides an error of the other. objective: default the vectorized loss of that name.
    """
    rows, D = features.shape
    generator = np.random.default_rng(seed)
    W = generator.standard_normal((D + 1, K))
    W *= suitable_step(features) / STEP / np.sqrt(D)  # 1 / (root mean square of the features * sqrt D)
    X = np.hstack([features, np.ones((rows, 1))])
    slope = float(np.linalg.norm(LOSSES.load(loss).vectorized(W, X, y, 0.0)[1][:-1]))
    balanced = slope / float(np.linalg.norm(W[:-1]))
    regularization = float(f"{balanced:.0e}") if balanced > 0 else 1.0
    return Subject(X, y, W, regularization, loss, objective or with_bias(LOSSES.load(loss).vectorized), seed)


def small_subject(subject: Subject) -> Subject:
    """The same on the first rows and on a few features, drawn from those that are not zero on these rows."""
    features, y = subject.X[:SMALL_ROWS, :-1], subject.y[:SMALL_ROWS]
    varied = np.flatnonzero(features.any(axis=0))
    columns = varied if len(varied) else np.arange(features.shape[1])
    count = min(SMALL_FEATURES, len(columns))
    chosen = np.sort(np.random.default_rng(subject.seed).choice(columns, count, replace=False))
    return make_subject(
        features[:, chosen],
        y,
        subject.W.shape[1],
        loss=subject.loss,
        seed=subject.seed,
        objective=subject.objective,
    )


def elementwise_checks(subject: Subject) -> list[Check]:
    """The gradient of every block, coordinate by coordinate; for a small subject."""
    compare = partial(check_elementwise, count=SMALL_COORDINATES)
    size = f"{len(subject.X)} rows, {subject.X.shape[1] - 1} features"
    return [_numeric_check(subject, block, compare, f"element by element, {size}") for block in BLOCKS]


def direction_checks(subject: Subject) -> list[Check]:
    """The gradient of every block, all of its coordinates at once, along random directions."""
    compare = partial(check_directions, count=DIRECTIONS)
    size = f"{len(subject.X)} rows, {subject.X.shape[1] - 1:,} features"
    return [_numeric_check(subject, block, compare, f"random directions, {size}") for block in BLOCKS]


def _numeric_check(
    subject: Subject,
    block: tuple[str, slice, bool],
    compare: Callable[..., GradientCheck],
    group: str,
) -> Check:
    name, part, trick = block

    def whole(piece: Array) -> Array:
        W = subject.W.copy()
        W[part] = piece
        return W

    def margins(piece: Array) -> Array:
        assert bends is not None
        places: Array = bends(subject.X @ whole(piece), subject.y)
        return places

    bends = LOSSES.load(subject.loss).kinks

    result = compare(
        lambda piece: subject.at(whole(piece), trick)[0],
        subject.at(subject.W, trick)[1][part],
        subject.W[part],
        seed=subject.seed,
        h=suitable_step(subject.X[:, part]),
        kinks=None if bends is None else margins,
    )
    found = _numeric_found(result, name, elements=compare.func is check_elementwise)  # type: ignore[attr-defined]
    expected = f"relative error <= {result.tolerance:g}"
    return Check(group, name, expected, found, result.max_relative_error, result.passed, result.kinks)


def _numeric_found(result: GradientCheck, block: str, *, elements: bool) -> str:
    if result.worst is None:
        return f"nothing could be checked: kinks at all {result.skipped}"
    letter = "b" if block == BLOCKS[1][0] else "W"
    index = result.worst[-1:] if letter == "b" else result.worst
    place = f"{letter}[{', '.join(map(str, index))}]" if elements else f"direction {result.worst[0]}"
    text = f"{result.max_relative_error:.1e} at {place}, {result.checked} checked"
    if result.skipped:
        text += f", {result.skipped} left out at kinks"
    if not result.passed:
        text += f"; analytic {result.analytic:.6g}, numeric {result.numeric:.6g}"
    return text


def loop_check(subject: Subject, loss: str) -> tuple[Check, dict[str, Any]]:
    """(vectorized against naive, {"loss", "naive_seconds", "vectorized_seconds", "ratio"}) of that loss.

    All of W is regularized, as in the classic functions. For the subject's own loss its objective is taken.
    """
    vectorized = subject.classical if loss == subject.loss else LOSSES.load(loss).vectorized
    arguments = subject.W, subject.X, subject.y, subject.regularization
    (naive_loss, naive_dW), naive_seconds = _timed(NAIVE[loss], arguments)
    runs = [_timed(vectorized, arguments) for _ in range(REPEATS)]
    (value, dW), seconds = runs[0][0], median(took for _, took in runs)
    error = max(difference(np.array(value), np.array(naive_loss)), difference(dW, naive_dW))
    check = Check(
        "naive loops against vectorized",
        f"{loss} loss and gradient",
        f"equal within {EXACT:g}",
        f"{error:.1e}",
        error,
        bool(error <= EXACT),
    )
    times = {"loss": loss, "naive_seconds": naive_seconds, "vectorized_seconds": seconds}
    return check, {**times, "ratio": naive_seconds / max(seconds, 1e-9)}


def sanity_checks(subject: Subject) -> list[Check]:
    """The checks of sanity.py on the first rows.

    The first step is taken at the learning rate that, by the gradient of the naive loops, moves the weights by
    FIRST_STEP of their size.
    """
    X, y, W = subject.X[:SANITY_ROWS], subject.y[:SANITY_ROWS], subject.W
    loss, reg, K = subject.classical, subject.regularization, W.shape[1]
    slope = float(np.linalg.norm(NAIVE[subject.loss](W, X, y, reg)[1]))
    rate = FIRST_STEP * float(np.linalg.norm(W)) / slope
    results: Sequence[tuple[sanity.SanityCheck, str]] = (
        (sanity.check_loss_at_zero(loss, X, y, K, subject.loss), ""),
        (sanity.check_regularization(loss, W, X, y, reg, 2 * reg), ""),
        (sanity.check_overfit(loss, X[:, :-1], y, K), ""),
        (sanity.check_update_ratio(loss, W, X, y, reg, rate), f" at rate {rate:.2g}"),
    )
    return [
        Check("sanity", each.name, each.expected, f"{each.found:.6g}{told}", each.found, each.passed)
        for each, told in results
    ]


def difference(found: Array, expected: Array, floor: float = 0.0) -> float:
    """The largest difference, relative to the largest expected value or `floor`; infinite where one is not finite."""
    size = max(float(np.abs(expected).max(initial=0.0)), floor)
    apart = float(np.abs(found - expected).max(initial=0.0))
    if not np.isfinite(apart) or not np.isfinite(size):
        return float("inf")
    return apart / size if size > 0 else apart


def _timed(
    loss: LossFunction, arguments: tuple[Array, Array, Array, float]
) -> tuple[tuple[float, Array], float]:
    begun = time.perf_counter()
    result = loss(*arguments)
    return result, time.perf_counter() - begun
