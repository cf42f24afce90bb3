"""`softmaxclf gradcheck`: loss, gradient and engine checked on rows of a data set."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from softmaxclf.config import load_config
from softmaxclf.core.checks.gradcheck import Check
from softmaxclf.core.checks.sanity import sanity_checks
from softmaxclf.core.checks.selfcheck import direction_checks, elementwise_checks, loop_checks, make_subject
from softmaxclf.core.checks.stepcheck import engine_checks
from softmaxclf.core.losses.loss import Array
from softmaxclf.core.losses.softmax import BiasedLoss
from softmaxclf.core.stages.fitting import FittingRows, fit_stages
from softmaxclf.core.stages.statistics import Center, Standardize
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.errors import ConfigError
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.training_data import load_dataset

ROWS = 200
FEWEST_ROWS, MOST_ROWS = 2, 5000  # of one row nothing is left after centering; more than these prove no more


def gradcheck(
    observer: Observer,
    *,
    source: str = "sample",
    rows: int | None = None,
    loss: str = "softmax",
    seed: int = 0,
    objective: BiasedLoss | None = None,
) -> dict[str, Any]:
    """All checks as one JSON-able document; "passed" says whether none failed.

    rows: how many training rows, drawn with `seed`; None is ROWS, or all if fewer. objective: the loss and gradient
    to check, default the vectorized ones of the program.
    Raises ConfigError and DataError for wrong requests and data; a failed check is no exception.
    """
    dataset = load_dataset(load_config(options={"data.source": source}), observer)
    raw, y = drawn_rows(dataset, rows, seed)
    K = len(dataset.class_names)
    subject = make_subject(standardized(raw), y, K, loss=loss, seed=seed, objective=objective)
    checks = _run(
        [
            lambda: elementwise_checks(subject),
            lambda: direction_checks(subject),
            lambda: engine_checks(raw, y, K, loss=loss, seed=seed, image_shape=dataset.image_shape),
            lambda: loop_checks(subject),
            lambda: sanity_checks(subject),
        ],
        observer,
    )
    return {
        "data": dataset.name,
        "rows": len(y),
        "features": dataset.features,
        "classes": K,
        "loss": loss,
        "seed": seed,
        "regularization": subject.regularization,
        "passed": all(check.passed for check in checks),
        "checks": [_facts(check, dataset.class_names) for check in checks],
        "times": [check.times for check in checks if check.times],
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
        for done, stage in enumerate(stages, 1):
            checks += stage()
            observer.advance(done)
    finally:
        observer.end()
    return checks


def _facts(check: Check, names: tuple[str, ...]) -> dict[str, Any]:
    """A check for the document; its kinks are named by row (of those drawn) and class, its times stand elsewhere."""
    facts = asdict(check)
    del facts["times"]
    return {**facts, "kinks": [{"row": row, "class": names[k]} for row, k in check.kinks]}
