"""The engine: minibatch SGD over a stack of G softmax (or hinge) classifiers at once.

For every cell g, with learning rate eta, regularization lambda and momentum mu:

    objective   mean over rows of loss(scores, y) + 0.5 lambda ||W||^2          (bias free unless asked)
    gradient    features^T (p - y) / rows + lambda W,       p = softmax(scores)
    plain       W <- W - eta gradient
    Nesterov    v <- mu v - eta gradient;   W <- W + mu v - eta gradient        (Sutskever et al., 2013)

What makes it fast, each held to the plain formula by a test:

- All cells see the same batch, so the weights lie side by side as V (D', K, G): one product Z V gives all
  scores and one Z^T dS all gradients, both wide enough to run at the speed of the matrix unit. The long axis
  of the stack is last, so that the maximum and the sum over the K classes run along memory.
- V = W / scale works on raw columns z. Centering is not subtracted from the batch: each offset is one more
  row of the batch, so the same product gives offset V (to be subtracted from the scores), and -sum(dS) in
  that row of dS makes the second product the gradient of the centered batch.
- dS is multiplied by -eta / rows before the product, so the product is the step itself.
- The next batch is gathered on another thread while this one is computed (batches.py).

Held-out rows (`fold_of_row` equal to a cell's fold) are masked out of that cell's dS, and each cell is
normalized by its own number of rows in the batch. A batch without any row of a cell only decays it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.batches import Batch, Batches, offset_rows
from softmaxclf.core.rows import RowReader
from softmaxclf.core.stack import Problem, Settings, State

Array = NDArray[Any]
MONITORED_ROWS = 1000  # the training accuracy of a history line is taken over about this many last rows
HELD_OUT_ROWS = 5000


class Trainer:
    """Trains `state`, in place, on the rows of `problem`. One Trainer for one set of cells."""

    def __init__(self, problem: Problem, settings: Settings, state: State) -> None:
        self.problem, self.settings, self.state = problem, settings, state
        self._batches = Batches(problem, settings)
        self._cells = _CellConstants(problem, state)
        self._monitored = -(-MONITORED_ROWS // settings.batch_size)
        self._delta = np.empty_like(state.V)
        self._scratch = np.empty_like(state.V)
        self._scores: Array = np.empty(0, problem.dtype)
        self._norms = _inverse_norms(problem, problem.X)
        self._validation_norms = (
            None if problem.validation_X is None else _inverse_norms(problem, problem.validation_X)
        )

    def run(self, until: int, stop: Callable[[State], bool] = lambda state: False) -> bool:
        """Train up to iteration `until`, asking `stop` after each iteration. Returns whether `until` was reached.

        A cell whose loss or weights leave the finite numbers is marked in `diverged_at` and set to zero.
        """
        with np.errstate(all="ignore"):  # divergence is handled, not warned about
            for batch in self._batches.between(self.state.iteration, until):
                self._step(batch)
                if stop(self.state) and self.state.iteration < until:
                    return False
            return True

    def _step(self, batch: Batch) -> None:
        state, settings = self.state, self.settings
        rate = settings.rate(state.iteration)
        losses = self._gradient(batch, rate)
        self._update(rate)
        state.iteration += 1
        self._mark_diverged(losses)
        state.loss_sum += losses
        state.loss_count += 1
        if settings.is_history_point(state.iteration):
            self._write_history()

    def _gradient(self, batch: Batch, rate: float) -> Array:
        """Leave -eta * gradient of the mean loss in self._delta and self._b_delta; returns the losses (G,)."""
        Z, y = batch.Z, batch.y
        scores, centers = self._centered_scores(Z, len(y), self._rows_of(self._norms, batch.rows))
        weights = self._weights(batch.rows)
        if self._is_monitored():
            self._count_hits(scores, y, batch.rows)
        softmax = self.settings.loss == "softmax"
        step = self._cells.step(rate, weights)
        losses = (softmax_in_place if softmax else hinge_in_place)(scores, y, step)
        self._b_delta = scores.sum(axis=0) * self._cells.bias_factor
        norms = self._rows_of(self._norms, batch.rows)
        if norms is not None:
            scores *= norms
        if len(centers):
            sums = scores.sum(axis=0)
            np.multiply(sums, self._cells.minus_own_center, out=centers)
        flat = self._scores[: len(Z)].reshape(len(Z), -1)
        np.matmul(Z.T, flat, out=self._delta.reshape(len(self._delta), -1))
        if self._cells.inverse_square is not None:
            self._delta *= self._cells.inverse_square
        mean: Array = (losses * weights).sum(axis=0)
        return mean

    def _centered_scores(self, Z: Array, rows: int, norms: Array | None) -> tuple[Array, Array]:
        """(scores (n, K, G), the rows (F, K, G) of offset V before them), both views of one buffer."""
        state = self.state
        if len(self._scores) < len(Z):
            self._scores = np.empty((len(Z), *state.V.shape[1:]), state.V.dtype)
        both = self._scores[: len(Z)]
        np.matmul(Z, state.V.reshape(len(state.V), -1), out=both.reshape(len(Z), -1))
        centers, scores = both[: len(Z) - rows], both[len(Z) - rows :]
        shift = state.b - self._cells.own_center(centers)
        if norms is None:
            scores += shift
        else:
            scores += shift - state.b
            scores *= norms
            scores += state.b
        return scores, centers

    def _update(self, rate: float) -> None:
        state, delta, bias_delta = self.state, self._delta, self._b_delta
        decay = self._cells.decay(rate)
        # Subtracted as eta * lambda * W: the factor 1 - eta * lambda would round a small one away in float32.
        delta -= np.multiply(state.V, decay, out=self._scratch)
        if self.settings.regularize_bias:
            bias_delta -= decay * state.b
        for weights, velocity, change in (
            (state.V, state.velocity, delta),
            (state.b, state.b_velocity, bias_delta),
        ):
            weights += change
            if self.settings.momentum:
                velocity += change
                velocity *= self.settings.momentum
                weights += velocity

    def _mark_diverged(self, losses: Array) -> None:
        lost = ~np.isfinite(losses)
        if self.state.iteration == self.settings.iterations:
            lost |= ~np.isfinite(self.state.V).all(axis=(0, 1)) | ~np.isfinite(self.state.b).all(axis=0)
        lost &= self.state.diverged_at < 0
        if lost.any():
            self.state.diverged_at[lost] = self.state.iteration
            for array in (self.state.V, self.state.b, self.state.velocity, self.state.b_velocity):
                array[..., lost] = 0
            self._cells.freeze(lost)

    def _write_history(self) -> None:
        state, history = self.state, self.state.history
        gone = state.diverged_at >= 0
        history.iteration.append(state.iteration)
        history.loss.append(np.where(gone, np.nan, state.loss_sum / state.loss_count))
        trained, held_out = state.hits / state.seen
        history.train_accuracy.append(np.where(gone, np.nan, trained))
        validation = held_out if self.problem.validation_X is None else self.validate()
        history.validation_accuracy.append(np.where(gone, np.nan, validation))
        state.loss_sum[:], state.loss_count = 0, 0
        state.hits[:], state.seen[:] = 0, 0

    def validate(self) -> Array:
        """The share (G,) of its validation rows, or of its held-out rows, that each cell labels right.

        Quick, for progress and halving: of held-out rows, about HELD_OUT_ROWS of all folds together are looked at.
        """
        problem = self.problem
        if problem.validation_rows is not None and problem.validation_X is not None:
            norms = self._validation_norms
            return self._share_right(
                problem.validation_X, problem.validation_y, problem.validation_rows, norms
            )
        spread = problem.train_rows[:: -(-len(problem.train_rows) // HELD_OUT_ROWS)]
        return self._share_right(problem.X, problem.y, spread, self._norms)

    def _share_right(self, X: Array, y: Array | None, rows: Array, norms: Array | None) -> Array:
        assert y is not None
        size = self.settings.batch_size
        reader = RowReader(X, self.problem.preprocessing[0].mirror, self.problem.dtype)
        buffer, offsets = offset_rows(self.problem.preprocessing, min(size, len(rows)), reader)
        right, seen = np.zeros((2, len(self.state.cells)))
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            Z = buffer[: offsets + len(part)]
            reader.read(part, Z[offsets:])
            scores, _ = self._centered_scores(Z, len(part), self._rows_of(norms, part))
            hits = scores.argmax(axis=1) == y[part][:, None]
            kept = self._kept(part)
            counted = np.ones_like(hits) if kept is None else ~kept
            right += (hits & counted).sum(axis=0)
            seen += counted.sum(axis=0)
        return right / seen

    def _weights(self, rows: Array) -> Array:
        """Each row's weight in each cell's mean: (1, 1), or (n, G) with 0 for held-out rows."""
        kept = self._kept(rows)
        if kept is None:
            return np.full((1, 1), 1 / len(rows), self.state.V.dtype).repeat(len(rows), axis=0)
        weights: Array = kept / np.maximum(kept.sum(axis=0), 1)
        return weights.astype(self.state.V.dtype)

    def _kept(self, rows: Array) -> Array | None:
        if self.problem.fold_of_row is None:
            return None
        kept: Array = self.problem.fold_of_row[rows][:, None] != self.state.cells.fold
        return kept

    def _is_monitored(self) -> bool:
        soon = range(self.state.iteration + 1, self.state.iteration + 1 + self._monitored)
        return any(self.settings.is_history_point(iteration) for iteration in soon)

    def _count_hits(self, scores: Array, y: Array, rows: Array) -> None:
        """Add what is predicted right before the update, on trained rows [0] and on held-out rows [1]."""
        hits = scores.argmax(axis=1) == y[:, None]
        kept = self._kept(rows)
        kept = np.ones_like(hits) if kept is None else kept
        for place, mask in enumerate((kept, ~kept)):
            self.state.hits[place] += (hits & mask).sum(axis=0)
            self.state.seen[place] += mask.sum(axis=0)

    def _rows_of(self, norms: Array | None, rows: Array) -> Array | None:
        """The factors (n, 1, 1) or (n, 1, G) of these rows out of a table of inverse norms, or None."""
        if norms is None:
            return None
        factors = norms[rows]
        if factors.shape[1] > 1:
            factors = factors[:, self.state.cells.fold]
        return factors[:, None, :]


class _CellConstants:
    """What the step needs of the cells, in the dtype and the shape in which it is used."""

    def __init__(self, problem: Problem, state: State) -> None:
        self.dtype = state.V.dtype
        self.learning_rate = state.cells.learning_rate.copy()
        self.regularization = state.cells.regularization
        self.folds = state.cells.fold
        self.learning_rate[state.diverged_at >= 0] = 0
        self._scales(problem)
        count = len([each for each in problem.preprocessing if each.offset is not None])
        own = np.ones((1, 1)) if count <= 1 else np.arange(count)[:, None] == self.folds
        self.minus_own_center = -own[:, None, :].astype(self.dtype)  # (F, 1, G or 1)

    def _scales(self, problem: Problem) -> None:
        """Split 1 / scale^2 into a common factor of the step and, where it differs by column, an array."""
        scales = [each.scale for each in problem.preprocessing]
        self.step_factor, self.inverse_square = 1.0, None
        if scales[0] is not None and len(scales[0]) == 1:
            self.step_factor = float(1 / scales[0][0] ** 2)
        elif scales[0] is not None:
            columns = np.stack([1 / scale**2 for scale in scales if scale is not None], axis=1)
            columns = columns[:, self.folds] if len(scales) > 1 else columns
            self.inverse_square = columns[:, None, :].astype(self.dtype)  # (D', 1, G or 1)
        self.bias_factor = self.dtype.type(1 / self.step_factor)

    def freeze(self, cells: Array) -> None:
        self.learning_rate[cells] = 0

    def step(self, rate: float, weights: Array) -> Array:
        """What (p - y) is multiplied by: -eta * weight, (n, 1, G)."""
        eta = (-rate * self.step_factor * self.learning_rate).astype(self.dtype)
        product: Array = (weights * eta)[:, None, :]
        return product

    def decay(self, rate: float) -> Array:
        """eta * lambda (G,): the share of the weights that the L2 penalty takes in this iteration."""
        return (rate * self.learning_rate * self.regularization).astype(self.dtype)

    def own_center(self, centers: Array) -> Array:
        """offset V (K, G) of each cell's own fold, out of those of all folds (F, K, G)."""
        if len(centers) <= 1:
            return centers[0] if len(centers) else np.zeros(1, self.dtype)
        own: Array = centers[self.folds, :, np.arange(len(self.folds))].T
        return own


def softmax_in_place(scores: Array, y: Array, step: Array) -> Array:
    """Cross-entropies (n, G); scores (n, K, G) become step * (softmax - one-hot of y), step (n, 1, G)."""
    rows = np.arange(len(y))
    scores -= scores.max(axis=1, keepdims=True)
    of_label = scores[rows, y]
    np.exp(scores, out=scores)
    sums = scores.sum(axis=1, keepdims=True)
    scores *= step / sums
    scores[rows, y] -= step[:, 0]
    losses: Array = np.log(sums[:, 0]) - of_label
    return losses


def hinge_in_place(scores: Array, y: Array, step: Array) -> Array:
    """Hinge losses (n, G), sum over j != y of max(0, s_j - s_y + 1); scores become step * their gradient."""
    rows = np.arange(len(y))
    scores -= scores[rows, y][:, None]
    scores += 1
    scores[rows, y] = 0
    losses: Array = np.maximum(scores, 0).sum(axis=1)
    violated = scores > 0
    np.multiply(violated, step, out=scores)
    scores[rows, y] = -step[:, 0] * violated.sum(axis=1)
    return losses


def _inverse_norms(problem: Problem, X: Array) -> Array | None:
    """1 / norm (N, 1) or (N, F) of all rows of X, for unit-norm preprocessing; None without it."""
    first = problem.preprocessing[0]
    if not first.unit_norm:
        return None
    distinct = problem.preprocessing if first.offset is not None else [first]
    table = np.empty((len(X), len(distinct)), np.dtype(problem.dtype))
    for part, Z in RowReader(X, first.mirror, problem.dtype).chunks():
        table[part] = np.stack([each.inverse_norms(Z) for each in distinct], axis=1)
    return table
