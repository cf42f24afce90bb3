"""What the training rows say about settings: the values of those that are `auto`, and what to try after divergence."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.config import Config
from softmaxclf.config.axis import spaced
from softmaxclf.config.schema import PATH_DECADES, PATH_VALUES, RATE_MULTIPLES
from softmaxclf.core.numbers import short
from softmaxclf.core.search import largest_curvature, stable_learning_rate
from softmaxclf.core.solvers import SOLVERS
from softmaxclf.core.stages.fitting import fit_stages
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.training_data import TrainingData

Array = NDArray[Any]
PROBED_ROWS = 500
FAR = 2  # times: between a learning rate that is too small and one that is usable
SMALLEST = 1e-200  # curvature of features that are all 0
DECADES_DOWN = 4  # from the strongest regularization to that of one model


def decided(config: Config, data: Callable[[], TrainingData], command: str, observer: Observer) -> Config:
    """The configuration with every `auto` on the axes of that command, train or tune, replaced by what suits the rows.

    data: asked for where there is one.

    Regularizations: a path from the power of ten at which all weights are nearly 0, six decades down. Learning
    rates: multiples of one that cannot diverge. Rounded as they are, they do not hang on the machine's last digits.
    """
    single = command == "train"
    name, plural = ("training", "") if single else ("tuning", "s")
    section = getattr(config, name)
    strength, rate = f"regularization{plural}", f"learning_rate{plural}"
    axes = [f"{axis}{plural}" for axis in SOLVERS.load(config.training.solver).axes]
    if rate not in axes and getattr(section, rate) is not None:
        observer.note(f"{name}.{rate} is not used: solver {config.training.solver} needs none")
    missing = [axis for axis in axes if getattr(section, axis) is None]
    if not missing:
        return config
    features = _features(config, data())
    found: dict[str, Any] = {strength: getattr(section, strength)}
    if strength in missing:
        top = _top(features)
        path = spaced(float(f"1e{top - PATH_DECADES}"), float(f"1e{top}"), PATH_VALUES, logarithmic=True)
        found[strength] = _moderate(features) if single else path
    if rate in missing:
        stable = stable_learning_rate(features, float(np.max(found[strength])))
        found[rate] = stable if single else tuple(float(f"{each * stable:.3g}") for each in RATE_MULTIPLES)
    told = "; ".join(_told(axis, found[axis]) for axis in missing)
    observer.note(f"auto: {told} (solver {config.training.solver})")
    return replace(config, **{name: replace(section, **found)})


def _told(axis: str, value: float | tuple[float, ...]) -> str:
    name = axis.replace("_", " ")
    if isinstance(value, float):
        return f"{name} {short(value)}"
    return f"{len(value)} {name} from {short(value[0])} to {short(value[-1])}"


def _top(features: Array) -> int:
    """The power of ten that, as a regularization, keeps all weights near 0."""
    return math.ceil(math.log10(max(largest_curvature(features), SMALLEST)))


def _moderate(features: Array) -> float:
    return float(f"1e{_top(features) - DECADES_DOWN}")


def advice(config: Config, data: TrainingData, regularization: float) -> str:
    """A learning rate that cannot diverge. regularization: that of the cell, or the smallest of the grid."""
    return (
        f"try a learning rate of {short(_usable(config, _features(config, data), regularization))} or lower"
    )


def _usable(config: Config, features: Array, regularization: float) -> float:
    """Momentum mu multiplies a step by up to 1 / (1 - mu), so a rate that is stable without is multiplied by 1 - mu."""
    stable = stable_learning_rate(features, regularization) * (1 - config.training.momentum)
    return float(f"{stable:.0e}")


def better(config: Config, data: TrainingData, values: Mapping[str, float]) -> dict[str, float]:
    """Values for those of a cell that keep it from learning these rows: a regularization at which no weight leaves 0,
    a learning rate far below what cannot diverge.
    """
    features, found = _features(config, data), {}
    strength = values["regularization"]
    if strength >= largest_curvature(features):
        strength = found["regularization"] = _moderate(features)
    usable = _usable(config, features, strength)
    if FAR * values.get("learning_rate", math.inf) <= usable:
        found["learning_rate"] = usable
    return found


def _features(config: Config, data: TrainingData) -> Array:
    """(n, D') features of a few hundred evenly spaced training rows, by a preprocessing fitted on them.

    Weighted rows are multiplied by the root of their weight, so that their mean square is the weighted one.
    """
    train = data.dataset.train
    rows = data.train_rows[:: max(1, len(data.train_rows) // PROBED_ROWS)]
    fitting = replace(data.fitting, rows=rows, groups=None, gathered=None, outside={})
    preprocessing = fit_stages(data.stages(config), fitting)[0]
    features = preprocessing.apply(np.asarray(train.X[rows]))
    if data.weights is not None:
        features *= np.sqrt(data.weights[rows] / data.weights[rows].mean())[:, None]
    return features
