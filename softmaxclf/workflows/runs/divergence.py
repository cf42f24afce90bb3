"""What to try when every cell diverged."""

import numpy as np

from softmaxclf.config import Config
from softmaxclf.core.search import stable_learning_rate
from softmaxclf.core.stages import chosen
from softmaxclf.core.stages.fitting import FittingRows, fit_stages
from softmaxclf.workflows.runs.training_data import TrainingData

PROBED_ROWS = 500


def advice(config: Config, data: TrainingData, regularization: float) -> str:
    """A learning rate that cannot diverge, estimated on a few hundred evenly spaced training rows.

    regularization: that of the cell, or the smallest of the grid. Momentum mu multiplies a step by up to
    1 / (1 - mu), so the suggestion is multiplied by 1 - mu.
    """
    train = data.dataset.train
    rows = data.train_rows[:: max(1, len(data.train_rows) // PROBED_ROWS)]
    fitting = FittingRows(train.X, rows, image_shape=data.dataset.image_shape)
    preprocessing = fit_stages(chosen(config.preprocessing), fitting)[0]
    features = preprocessing.apply(np.asarray(train.X[rows]))
    suggested = stable_learning_rate(features, regularization) * (1 - config.training.momentum)
    return f"try a learning rate of {suggested:.0e} or lower"
