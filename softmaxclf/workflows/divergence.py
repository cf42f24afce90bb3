"""What to try when every cell diverged."""

import numpy as np

from softmaxclf.config import Config
from softmaxclf.core.preprocessing import fit_preprocessing
from softmaxclf.core.rows import RowReader
from softmaxclf.core.search import stable_learning_rate
from softmaxclf.workflows.material import Material

PROBED_ROWS = 500


def advice(config: Config, material: Material, regularization: float) -> str:
    """A learning rate that cannot diverge, estimated on a few hundred evenly spaced training rows.

    regularization: that of the cell, or the smallest of the grid. Momentum mu multiplies a step by up to
    1 / (1 - mu), so the suggestion is multiplied by 1 - mu.
    """
    dataset = material.dataset
    rows = material.train_rows[:: max(1, len(material.train_rows) // PROBED_ROWS)]
    mirror = dataset.image_shape if config.preprocessing.mirror else None
    preprocessing = fit_preprocessing(
        RowReader(dataset.train.X, mirror),
        rows,
        center=config.preprocessing.center,
        scale=config.preprocessing.scale,
    )[0]
    features = preprocessing.apply(np.asarray(dataset.train.X[rows]))
    suggested = stable_learning_rate(features, regularization) * (1 - config.training.momentum)
    return f"try a learning rate of {suggested:.0e} or lower"
