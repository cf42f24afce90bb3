"""Every formula of the program against an independent route to the same number, on given rows.

    numeric   the analytic gradient of each parameter block against differences of the loss (gradcheck.py)
    loops     vectorized against naive loss and gradient, with the time of each
    sanity    what courses teach to look at before training (sanity.py)
    engine    one step of the stacked engine against the loops' gradient (stepcheck.py)

The objective is mean loss + 0.5 regularization ||W||^2 with a free bias; with the bias trick, the weights of a
column of ones are regularized like the rest.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from softmaxclf.core.checks.gradcheck import (
    STEP,
    Check,
    Line,
    axes,
    check_gradient,
    random_directions,
    relative_error,
    suitable_step,
)
from softmaxclf.core.checks.reference import hinge_loss_naive, softmax_loss_naive
from softmaxclf.core.losses import LOSSES
from softmaxclf.core.losses.loss import Array, LossFunction
from softmaxclf.core.losses.softmax import BiasedLoss, with_bias

NAIVE: Mapping[str, LossFunction] = {"softmax": softmax_loss_naive, "hinge": hinge_loss_naive}

EXACT = 1e-9  # relative: two routes to the same sums in float64
SMALL_ROWS, SMALL_FEATURES = 20, 12
REPEATS = 5  # of the quick loss; the median of its times is told

# name, rows of W with the bias as its last one, whether the bias is regularized
BLOCKS = (
    ("weights W", slice(None, -1), False),
    ("bias b", slice(-1, None), False),
    ("W with a column of ones", slice(None), True),
)


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

    def classical(self, W: Array, X: Array, y: Array, reg: float) -> tuple[float, Array]:
        """The objective with the classic signature: all of W is regularized."""
        return self.objective(W, X, y, reg, True)


def make_subject(
    features: Array, y: Array, K: int, *, loss: str, seed: int, objective: BiasedLoss | None = None
) -> Subject:
    """A subject on features (N, D), float64, with drawn weights that make scores of about 1.

    The regularization, of one digit, makes the penalty's gradient about as large as that of the loss, so that
    neither hides an error of the other. objective: default the vectorized loss of that name.
    """
    rows, D = features.shape
    W = np.random.default_rng(seed).standard_normal((D + 1, K))
    W *= suitable_step(features) / STEP / np.sqrt(D)  # 1 / (root mean square of the features * sqrt D)
    X = np.hstack([features, np.ones((rows, 1))])
    vectorized = LOSSES.load(loss).vectorized
    slope = float(np.linalg.norm(vectorized(W, X, y, 0.0)[1][:-1]))
    regularization = float(f"{slope / float(np.linalg.norm(W[:-1])):.0e}") or 1.0
    return Subject(X, y, W, regularization, loss, objective or with_bias(vectorized), seed)


def small_subject(subject: Subject) -> Subject:
    """The same on the first rows and on a few features, drawn from those that are not zero on these rows."""
    features, y = subject.X[:SMALL_ROWS, :-1], subject.y[:SMALL_ROWS]
    varied = np.flatnonzero(features.any(axis=0))
    columns = varied if len(varied) else np.arange(features.shape[1])
    count = min(SMALL_FEATURES, len(columns))
    chosen = np.sort(np.random.default_rng(subject.seed).choice(columns, count, replace=False))
    K, loss, objective = subject.W.shape[1], subject.loss, subject.objective
    return make_subject(features[:, chosen], y, K, loss=loss, seed=subject.seed, objective=objective)


def elementwise_checks(subject: Subject) -> list[Check]:
    """The gradient of every block of the small subject, coordinate by coordinate."""
    return _numeric_checks(small_subject(subject), "element by element", axes)


def direction_checks(subject: Subject) -> list[Check]:
    """The gradient of every block, all of its coordinates at once, along random directions."""
    return _numeric_checks(subject, "random directions", random_directions)


def _numeric_checks(subject: Subject, how: str, lines: Callable[[Array, int], Iterable[Line]]) -> list[Check]:
    X, y, W = subject.X, subject.y, subject.W
    bends = LOSSES.load(subject.loss).kinks

    def check(name: str, rows: slice, regularize_bias: bool) -> Check:
        def objective(V: Array) -> tuple[float, Array]:
            return subject.objective(V, X, y, subject.regularization, regularize_bias)

        part = np.zeros(W.shape, bool)
        part[rows] = True
        return check_gradient(
            lambda V: objective(V)[0],
            objective(W)[1],
            W,
            lines(part, subject.seed),
            h=suitable_step(X[:, rows]),
            kinks=None if bends is None else lambda V: bends(X @ V, y),
            group=f"{how}, {len(X)} rows, {X.shape[1] - 1:,} features",
            name=name,
        )

    return [check(*block) for block in BLOCKS]


def loop_checks(subject: Subject) -> list[Check]:
    """Vectorized against naive, for every loss, with the times of both.

    All of W is regularized, as in the classic functions. For the subject's own loss its objective is taken.
    """
    return [_loop_check(subject, loss) for loss in LOSSES]


def _loop_check(subject: Subject, loss: str) -> Check:
    vectorized = subject.classical if loss == subject.loss else LOSSES.load(loss).vectorized
    arguments = subject.W, subject.X, subject.y, subject.regularization
    (naive_loss, naive_dW), naive_seconds = _timed(NAIVE[loss], *arguments)
    runs = [_timed(vectorized, *arguments) for _ in range(REPEATS)]
    (value, dW), seconds = runs[0][0], median(took for _, took in runs)
    error = max(relative_error(value, naive_loss), relative_error(dW, naive_dW))
    times = {
        "loss": loss,
        "naive_seconds": naive_seconds,
        "vectorized_seconds": seconds,
        "ratio": naive_seconds / max(seconds, 1e-9),
    }
    return exact_check("naive loops against vectorized", f"{loss} loss and gradient", "equal", error, times)


def exact_check(
    group: str, name: str, expected: str, error: float, times: dict[str, Any] | None = None
) -> Check:
    """Two routes that differ by the relative `error` should differ by EXACT at most."""
    found, passed = f"{error:.1e}", bool(error <= EXACT)
    return Check(group, name, f"{expected} within {EXACT:g}", found, error, passed, times=times)


def _timed(loss: LossFunction, *arguments: Any) -> tuple[tuple[float, Array], float]:
    begun = time.perf_counter()
    return loss(*arguments), time.perf_counter() - begun
