"""The arithmetic of the engine: minibatch SGD over a stack of G softmax (or hinge) classifiers at once.

For every cell g, with learning rate eta, regularization lambda and momentum mu:

    objective   mean over rows of loss(scores, y) + 0.5 lambda ||W||^2          (bias free unless asked)
    gradient    features^T (p - y) / rows + lambda W,       p = softmax(scores)
    plain       W <- W - eta gradient
    Nesterov    v <- mu v - eta gradient;   W <- W + mu v - eta gradient        (Sutskever et al., 2013)

What makes it fast, each held to the plain formula by a test:

- All cells see the same batch, so the weights lie side by side as V (D', K - 1, G): one product Z V gives all
  scores and one Z^T dS all gradients, both wide enough to run at the speed of the matrix unit. Between the
  two the scores are turned to (K, G, n), so that the maximum and the sum over the classes run along memory.
- p - y sums to zero over the classes, and so do the steps of W and the scores: those of the last class are minus
  the sum of the others' and need no product.
- V = W / scale works on raw columns z. Centering is not subtracted from the batch: each offset is one more
  row of the batch, so the same product gives offset V (to be subtracted from the scores), and -sum(dS) in
  that row of dS makes the second product the gradient of the centered batch.
- dS is multiplied by -eta / rows before the product, so the product is the step itself. It is computed and
  added to V in blocks of rows of V, so that a block is still in the cache when it is added.
- In plain SGD the penalty multiplies W by 1 - eta lambda. That number is kept for itself, one per cell
  (`State.shrinkage`, the trick of Pegasos: Shalev-Shwartz et al., 2011), and not multiplied into V until it is
  small: what would be two passes over V, and rounded in float32, is one float64 product.

Held-out rows (`fold_of_row` equal to a cell's fold) are masked out of that cell's dS, and each cell is
normalized by its own number of rows in the batch. A batch without any row of a cell only decays it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.batches import Batch, Batches, offset_rows
from softmaxclf.core.columns import Columns, inverse_norms
from softmaxclf.core.rows import RowReader
from softmaxclf.core.stack import Problem, Settings, State
from softmaxclf.core.stack_losses import IN_PLACE

Array = NDArray[Any]
MONITORED_ROWS = 1000  # the training accuracy of a history line is taken over about this many last rows
HELD_OUT_ROWS = 5000
BLOCK_NUMBERS = 2**19  # 2 MB in float32: what stays in the cache between computing a step and adding it
SMALL_SHRINKAGE = 0.01  # below it, shrinkage is multiplied into V, lest V = W / shrinkage overflows


class Lane:
    """Trains the cells of `state`, in place, on the rows of `problem`, in the calling thread."""

    def __init__(self, problem: Problem, settings: Settings, state: State) -> None:
        self.problem, self.settings, self.state = problem, settings, state
        self._batches = Batches(problem, settings)
        self._columns = Columns(problem, state)
        self._losses = IN_PLACE[settings.loss]
        self._monitored = -(-MONITORED_ROWS // settings.batch_size)
        features, width = len(state.V), state.V[0].size
        self._block = -(-features // -(-features * width // BLOCK_NUMBERS))
        self._change = np.empty((self._block, width), state.V.dtype)
        self._scratch = np.empty_like(self._change if settings.momentum else self._change[:0])
        self._product: Array = np.empty((0, width), state.V.dtype)
        self._turned: Array = np.empty((state.b.size, 0), state.V.dtype)
        self._norms = inverse_norms(problem, problem.X)
        self._validation_norms = (
            None if problem.validation_X is None else inverse_norms(problem, problem.validation_X)
        )

    def run(self, until: int, stop: Callable[[State], bool] = lambda state: False) -> bool:
        """Train up to iteration `until`, asking `stop` after each one. Returns whether `until` was reached.

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
        losses = self._descend(batch, settings.rate(state.iteration))
        state.iteration += 1
        self._mark_diverged(losses)
        state.loss_sum += losses
        state.loss_count += 1
        if settings.is_history_point(state.iteration):
            self._write_history()

    def _descend(self, batch: Batch, rate: float) -> Array:
        """One step of every cell; returns its mean losses (G,) before the step."""
        Z, y, columns = batch.Z, batch.y, self._columns
        norms = columns.factors(self._norms, batch.rows)
        scores, centers = self._centered_scores(Z, len(y), norms)
        if self._is_monitored():
            self._count_hits(scores, y, batch.rows)
        weights = columns.weights(batch.rows)
        decay = columns.decay(rate)
        if not self.settings.momentum:
            self._shrink(1 - decay)
        losses = self._losses(scores, y, columns.step(rate, weights, self.state.shrinkage))
        sums = scores.sum(axis=2)
        bias_change = sums * columns.bias_factor(self.state.shrinkage)
        if norms is not None:
            scores *= norms
            sums = scores.sum(axis=2)
        if centers.size:
            np.multiply(sums[:, :, None], columns.minus_own_center, out=centers)
        self._move_weights(Z, self._turned[: self._product.shape[1], : len(Z)].T, decay)
        if self.settings.regularize_bias:
            bias_change -= decay.astype(bias_change.dtype) * self.state.b
        self._move(self.state.b, self.state.b_velocity, bias_change)
        mean: Array = (losses * weights).sum(axis=1)
        return mean

    def _shrink(self, factors: Array) -> None:
        """Multiply the weights of each cell by its factor (G,), in V only where `shrinkage` gets too small."""
        state = self.state
        state.shrinkage *= factors
        small = ~(state.shrinkage >= SMALL_SHRINKAGE)
        if small.any():
            flat = state.V.reshape(len(state.V), -1)
            flat *= self._columns.flat(np.where(small, state.shrinkage, 1))
            state.shrinkage[small] = 1

    def _centered_scores(self, Z: Array, rows: int, norms: Array | None) -> tuple[Array, Array]:
        """(scores (K, G, n), offset V of each fold (K, G, F)), both views of one buffer; Z (F + n, D')."""
        state = self.state
        if len(self._product) < len(Z):
            self._product = np.empty((len(Z), state.V[0].size), state.V.dtype)
            self._turned = np.empty((state.b.size, len(Z)), state.V.dtype)
        product = self._product[: len(Z)]
        np.matmul(Z, state.V.reshape(len(state.V), -1), out=product)
        both = self._turned[:, : len(Z)].reshape(*state.b.shape, len(Z))
        shrinkage = state.shrinkage.astype(both.dtype)[:, None]
        np.multiply(product.reshape(-1, *state.V.shape[1:]).transpose(1, 2, 0), shrinkage, out=both[:-1])
        np.negative(both[:-1].sum(axis=0), out=both[-1])
        centers, scores = both[:, :, : len(Z) - rows], both[:, :, len(Z) - rows :]
        shift = self._columns.own_center(centers)
        if norms is None:
            scores += (state.b - shift)[:, :, None]
        else:
            scores -= shift[:, :, None]
            scores *= norms
            scores += state.b[:, :, None]
        return scores, centers

    def _move_weights(self, Z: Array, dS: Array, decay: Array) -> None:
        """V moves by Z^T dS / scale^2, block by block, and with momentum by -decay V. dS: (F + n, (K - 1) G)."""
        V = self.state.V.reshape(len(self.state.V), -1)
        velocity = self.state.velocity.reshape(-1, V.shape[1])
        inverse_square = self._columns.inverse_square
        penalty = self._columns.flat(decay) if self.settings.momentum else None
        for start in range(0, len(V), self._block):
            part = slice(start, start + self._block)
            weights = V[part]
            change = self._change[: len(weights)]
            np.matmul(Z[:, part].T, dS, out=change)
            if inverse_square is not None:
                shaped = change.reshape(len(weights), *self.state.V.shape[1:])
                shaped *= inverse_square[part]
            if penalty is not None:
                # Subtracted as eta * lambda * W: the factor 1 - eta * lambda would round a small one away in float32.
                change -= np.multiply(weights, penalty, out=self._scratch[: len(weights)])
            self._move(weights, velocity[part], change)

    def _move(self, weights: Array, velocity: Array, change: Array) -> None:
        """Plain or Nesterov: `velocity` is kept multiplied by the momentum."""
        weights += change
        if self.settings.momentum:
            velocity += change
            velocity *= self.settings.momentum
            weights += velocity

    def _mark_diverged(self, losses: Array) -> None:
        state = self.state
        lost = ~np.isfinite(losses)
        if state.iteration == self.settings.iterations:
            lost |= ~(np.isfinite(state.V).all(axis=(0, 1)) & np.isfinite(state.b).all(axis=0))
        lost &= state.diverged_at < 0
        if lost.any():
            state.diverged_at[lost] = state.iteration
            for array in (state.V, state.b, state.velocity, state.b_velocity):
                array[..., lost] = 0
            state.shrinkage[lost] = 1
            self._columns.freeze(lost)

    def _write_history(self) -> None:
        state, history = self.state, self.state.history
        gone = state.diverged_at >= 0
        trained, held_out = state.hits / state.seen
        validated = held_out if self.problem.validation_X is None else self.validate()
        history.iteration.append(state.iteration)
        history.loss.append(np.where(gone, np.nan, state.loss_sum / state.loss_count))
        history.train_accuracy.append(np.where(gone, np.nan, trained))
        history.validation_accuracy.append(np.where(gone, np.nan, validated))
        state.loss_sum[:], state.loss_count = 0, 0
        state.hits[:], state.seen[:] = 0, 0

    def _is_monitored(self) -> bool:
        soon = range(self.state.iteration + 1, self.state.iteration + 1 + self._monitored)
        return any(self.settings.is_history_point(iteration) for iteration in soon)

    def _count_hits(self, scores: Array, y: Array, rows: Array) -> None:
        """Add what is predicted right before the step, on trained rows [0] and on held-out rows [1]."""
        hits = scores.argmax(axis=0) == y
        trained = self._columns.trained(rows)
        trained = np.ones_like(hits) if trained is None else trained
        for place, mask in enumerate((trained, ~trained)):
            self.state.hits[place] += (hits & mask).sum(axis=1)
            self.state.seen[place] += mask.sum(axis=1)

    def validate(self) -> Array:
        """The share (G,) of its validation rows, or of its held-out rows, that each cell labels right.

        Quick, for progress and halving: of held-out rows, about HELD_OUT_ROWS of all folds together are looked at.
        """
        problem = self.problem
        if problem.validation_rows is not None and problem.validation_X is not None:
            return self._share_right(
                problem.validation_X, problem.validation_y, problem.validation_rows, self._validation_norms
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
            scores, _ = self._centered_scores(Z, len(part), self._columns.factors(norms, part))
            hits = scores.argmax(axis=0) == y[part]
            trained = self._columns.trained(part)
            counted = np.ones_like(hits) if trained is None else ~trained
            right += (hits & counted).sum(axis=1)
            seen += counted.sum(axis=1)
        return right / seen
