"""`softmaxclf gradcheck`: loss, gradient and engine checked on rows of a data set."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.config import load_config
from softmaxclf.core.checks.selfcheck import (
    Check,
    direction_checks,
    elementwise_checks,
    loop_check,
    make_subject,
    sanity_checks,
    small_subject,
)
from softmaxclf.core.checks.stepcheck import engine_checks
from softmaxclf.core.losses import LOSSES
from softmaxclf.core.losses.softmax import BiasedLoss
from softmaxclf.core.stages.fitting import FittingRows, fit_stages
from softmaxclf.core.stages.statistics import Center, Standardize
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.errors import ConfigError
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.training_data import load_dataset

Array = NDArray[Any]
ROWS = 200
FEWEST_ROWS, MOST_ROWS = 2, 5000  # of one row nothing is left after centering; more than these prove no more


@dataclass(frozen=True)
class GradcheckRequest:
    """Which data, how many of its training rows (drawn with `seed`; None: ROWS, or all if fewer), and which loss."""

    source: str = "sample"
    rows: int | None = None
    loss: str = "softmax"
    seed: int = 0


def gradcheck(
    request: GradcheckRequest, observer: Observer, objective: BiasedLoss | None = None
) -> dict[str, Any]:
    """All checks as one JSON-able document; "passed" says whether none failed.

    objective: the loss and gradient to check, default the vectorized ones of the program.
    Raises ConfigError and DataError for wrong requests and data; a failed check is no exception.
    """
    dataset = load_dataset(load_config(options={"data.source": request.source}), observer)
    raw, y = drawn_rows(dataset, request.rows, request.seed)
    K = len(dataset.class_names)
    features = standardized(raw)
    subject = make_subject(features, y, K, loss=request.loss, seed=request.seed, objective=objective)
    engine = partial(engine_checks, raw, y, K, loss=request.loss, seed=request.seed)
    times: list[dict[str, Any]] = []
    checks = _run(
        [
            lambda: elementwise_checks(small_subject(subject)),
            lambda: direction_checks(subject),
            lambda: engine(image_shape=dataset.image_shape),
            lambda: [_told(loop_check(subject, loss), times) for loss in LOSSES],
            lambda: sanity_checks(subject),
        ],
        observer,
    )
    return {
        "data": dataset.name,
        "rows": len(y),
        "features": dataset.features,
        "classes": K,
        "loss": request.loss,
        "seed": request.seed,
        "regularization": subject.regularization,
        "passed": all(check.passed for check in checks),
        "checks": [_fact(check, dataset.class_names) for check in checks],
        "times": times,
    }


def drawn_rows(dataset: Dataset, wanted: int | None, seed: int) -> tuple[Array, Array]:
    """(raw rows (n, D), labels (n,)): `wanted` training rows, drawn without repetition, in their order.

    Raises ConfigError when there are not so many.
    """
    there = len(dataset.train.y)
    most = min(there, MOST_ROWS)
    count = min(ROWS, there) if wanted is None else wanted
    if not FEWEST_ROWS <= count <= most:
        raise ConfigError(
            f"--rows: expected {FEWEST_ROWS} to {most:,} of the {there:,} training rows, got {count:,}"
        )
    rows = np.sort(np.random.default_rng(seed).choice(there, count, replace=False))
    return np.asarray(dataset.train.X[rows]), dataset.train.y[rows]


def standardized(raw: Array) -> Array:
    """Features (n, D), float64, on which numeric differences are sharp whatever the columns' units.

    Every column minus its mean and divided by its deviation, and then all by their root mean square, which is 1
    unless some column is constant.
    """
    features = fit_stages([Center, Standardize], FittingRows(raw, np.arange(len(raw))))[0].apply(raw)
    size = float(np.sqrt(np.mean(np.square(features))))
    return features / size if size > 0 else features


def _run(stages: list[Callable[[], list[Check]]], observer: Observer) -> list[Check]:
    checks: list[Check] = []
    observer.begin("gradcheck", len(stages), unit="stage")
    try:
        for place, stage in enumerate(stages):
            checks += stage()
            observer.advance(place + 1)
    finally:
        observer.end()
    return checks


def _told(compared: tuple[Check, dict[str, Any]], times: list[dict[str, Any]]) -> Check:
    check, took = compared
    times.append(took)
    return check


def _fact(check: Check, names: tuple[str, ...]) -> dict[str, Any]:
    """A check for the document; its kinks are named by row (of those drawn) and class."""
    kinks = [{"row": row, "class": names[k]} for row, k in check.kinks]
    return {**asdict(check), "kinks": kinks}
