"""What the training rows say about settings: the values of those that are `auto`, and what to try after divergence."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.config import Config
from softmaxclf.config.axis import spaced
from softmaxclf.config.schema import PATH_DECADES, PATH_VALUES, RATE_MULTIPLES
from softmaxclf.core.search import largest_curvature, stable_learning_rate
from softmaxclf.core.solvers import SOLVERS
from softmaxclf.core.stages import chosen
from softmaxclf.core.stages.fitting import FittingRows, fit_stages
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.training_data import TrainingData

Array = NDArray[Any]
PROBED_ROWS = 500
SMALLEST = 1e-200  # curvature of features that are all 0
DECADES_DOWN = 4  # from the strongest regularization to that of one model


def decided(config: Config, data: TrainingData, command: str, observer: Observer) -> Config:
    """The configuration with every `auto` on the axes of that command, train or tune, replaced by what suits the rows.

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
    features = _features(config, data)
    found: dict[str, Any] = {strength: getattr(section, strength)}
    if strength in missing:
        top = math.ceil(math.log10(max(largest_curvature(features), SMALLEST)))
        path = spaced(float(f"1e{top - PATH_DECADES}"), float(f"1e{top}"), PATH_VALUES, logarithmic=True)
        found[strength] = float(f"1e{top - DECADES_DOWN}") if single else path
    if rate in missing:
        stable = stable_learning_rate(features, float(np.max(found[strength])))
        found[rate] = stable if single else tuple(float(f"{each * stable:.3g}") for each in RATE_MULTIPLES)
    told = "; ".join(_told(axis, found[axis]) for axis in missing)
    observer.note(f"auto: {told} (solver {config.training.solver})")
    return replace(config, **{name: replace(section, **found)})


def _told(axis: str, value: float | tuple[float, ...]) -> str:
    name = axis.replace("_", " ")
    if isinstance(value, float):
        return f"{name} {value:g}"
    return f"{len(value)} {name} from {value[0]:g} to {value[-1]:g}"


def advice(config: Config, data: TrainingData, regularization: float) -> str:
    """A learning rate that cannot diverge. regularization: that of the cell, or the smallest of the grid.

    Momentum mu multiplies a step by up to 1 / (1 - mu), so the suggestion is multiplied by 1 - mu.
    """
    stable = stable_learning_rate(_features(config, data), regularization) * (1 - config.training.momentum)
    return f"try a learning rate of {stable:.0e} or lower"


def _features(config: Config, data: TrainingData) -> Array:
    """(n, D') features of a few hundred evenly spaced training rows, by a preprocessing fitted on them.

    Weighted rows are multiplied by the root of their weight, so that their mean square is the weighted one.
    """
    train = data.dataset.train
    rows = data.train_rows[:: max(1, len(data.train_rows) // PROBED_ROWS)]
    fitting = FittingRows(train.X, rows, image_shape=data.dataset.image_shape, weights=data.weights)
    preprocessing = fit_stages(chosen(config.preprocessing), fitting)[0]
    features = preprocessing.apply(np.asarray(train.X[rows]))
    if data.weights is not None:
        features *= np.sqrt(data.weights[rows] / data.weights[rows].mean())[:, None]
    return features
