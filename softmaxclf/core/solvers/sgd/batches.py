"""The minibatches of a run: which rows, in which order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.problem import Problem
from softmaxclf.core.solvers.sgd.state import Settings
from softmaxclf.core.splits import epoch_permutation

Array = NDArray[Any]


class Batches:
    """The batches of a problem. Epoch e visits the training rows in a permutation drawn from (seed, e)."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.problem = problem
        self.settings = settings
        self.per_epoch = -(-len(problem.train_rows) // settings.batch_size)
        self._epoch = -1
        self._order: Array = np.empty(0, np.int64)

    def rows(self, iteration: int) -> Array:
        """The indices (n,) into X of that iteration's rows; quick when iterations are asked for in order."""
        epoch, place = divmod(iteration, self.per_epoch)
        if epoch != self._epoch:
            count = len(self.problem.train_rows)
            order = epoch_permutation(count, self.settings.seed, epoch, self.problem.block)
            self._order, self._epoch = self.problem.train_rows[order], epoch
        size = self.settings.batch_size
        return self._order[place * size : (place + 1) * size]
