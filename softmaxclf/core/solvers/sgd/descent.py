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
- p - y sums to zero over the classes, and so do the steps of W and the scores: those of the first class are minus
  the sum of the others' and need no product.
- The rows of V are filled up with zeros to a multiple of KERNEL_COLUMNS: BLAS computes so many at once.
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

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.losses import LOSSES
from softmaxclf.core.namespace import beside, fetched, namespace_of
from softmaxclf.core.problem import Problem
from softmaxclf.core.solvers.sgd.batches import Batches
from softmaxclf.core.solvers.sgd.columns import Columns, StepInputs, flat
from softmaxclf.core.solvers.sgd.row_buffer import RowBuffer
from softmaxclf.core.solvers.sgd.state import Settings, SGDState
from softmaxclf.core.solvers.solver import Stop

Array = NDArray[Any]
MONITORED_ROWS = 1000  # the training accuracy of a history line is taken over about this many last rows
HELD_OUT_ROWS = 5000  # of all folds together, looked at by `validate`
BLOCK_NUMBERS = 2**19  # 2 MB in float32: what stays in the cache between computing a step and adding it
KERNEL_COLUMNS = 8  # of OpenBLAS's float32 kernel for AVX2
SMALL_SHRINKAGE = 0.01  # below it, shrinkage is multiplied into V, lest V = W / shrinkage overflows


class Descent:
    """Trains the cells of `state`, in place, on the rows of `problem`, in the calling thread."""

    def __init__(self, problem: Problem, settings: Settings, state: SGDState) -> None:
        self.problem, self.settings, self.state = problem, settings, state
        self._batches = Batches(problem, settings)
        self._batch = self._buffer(problem.X, min(settings.batch_size, len(problem.train_rows)))
        self._columns = Columns(problem, state, self._batch.offset_parts, self._batch.blank)
        loss = LOSSES.load(settings.loss)
        self._losses, self._losses_alone = loss.descend, loss.stacked
        self._monitored = -(-MONITORED_ROWS // settings.batch_size)
        self._history_point = settings.next_history_point(state.iteration)
        self._norms, self._validation_norms = problem.norms, problem.validation_norms
        self._lay_out(state)

    def _buffer(self, X: Array, rows: int) -> Any:
        """What gathers rows of X, so many at the most."""
        return RowBuffer(self.problem, X, rows)

    def _lay_out(self, state: SGDState) -> None:
        """Put the weights where products are quick, and make room for what a step computes."""
        self._V, state.V = _filled_up(state.V)
        self._velocity, state.velocity = _filled_up(state.velocity)
        features, width = self._V.shape
        self._block = -(-features // -(-features * width // BLOCK_NUMBERS))
        self._change = np.empty((self._block, width), state.V.dtype)
        self._scratch = np.empty_like(self._change if self.settings.momentum else self._change[:0])
        self._product: Array = np.empty((0, width), state.V.dtype)
        self._turned: Array = np.empty((0, 0), state.V.dtype)

    def run(self, until: int, stop: Stop = lambda iteration: False) -> bool:
        """Train up to iteration `until`, asking `stop` after each one. Returns whether `until` was reached.

        A cell whose loss or weights leave the finite numbers is marked in `diverged_at` and set to zero.
        """
        if self.state.iteration >= until:
            return True
        with np.errstate(all="ignore"):  # divergence is handled, not warned about
            while self.state.iteration < until:
                self._step(self._batches.rows(self.state.iteration))
                if stop(self.state.iteration) and self.state.iteration < until:
                    return False
        return True

    def _step(self, rows: Array) -> None:
        state, settings = self.state, self.settings
        losses = self._descend(rows, settings.rate(state.iteration))
        state.iteration += 1
        self._account(losses)
        state.loss_count += 1
        if state.iteration == self._history_point:
            self._write_history()
            self._history_point = settings.next_history_point(state.iteration)

    def _account(self, losses: Array) -> None:
        """Take the losses (G,) of a step into what is known of the cells."""
        self._mark_diverged(losses)
        self.state.loss_sum += losses

    def _descend(self, rows: Array, rate: float) -> Array:
        """One step of every cell on these rows; returns its mean losses (G,) before the step."""
        inputs = self._inputs(rows, rate)
        return self._advance(self._batch.gather(rows), inputs, self._counting)

    @property
    def _counting(self) -> bool:
        """Whether hits of this iteration count for a line of the history."""
        return self._history_point - self.state.iteration <= self._monitored

    def _inputs(self, rows: Array, rate: float) -> StepInputs:
        before, multiplied = self.state.shrinkage.copy(), None
        if not self.settings.momentum:
            multiplied = self._shrink(1 - self._columns.decay(rate))
        return self._columns.inputs(rows, rate, before, self.state.shrinkage, multiplied)

    def _advance(self, Z: Any, given: StepInputs, counting: bool) -> Array:
        """The step on the rows Z, with what is `given` where the weights are; see `_descend`."""
        columns, state, y = self._columns, self.state, given.y
        norms, kept = columns.norms_of_cells(given.norms), columns.of_cells(given.kept)
        weights = given.shares if kept is None else columns.of_cells(given.shares)
        scores, centers = self._centered_scores(Z, given.shrinkage, norms)
        if counting:
            self._count_hits(scores, y, kept)
        if given.multiplied is not None:
            self._multiply_weights(given.multiplied)
        losses = self._losses(scores, y, given.eta[:, None] * weights)
        sums = scores.sum(axis=2)
        bias_change = sums * given.bias_factor
        if norms is not None:
            scores *= norms
            sums = scores.sum(axis=2)
        centers[:] = sums[:, :, None] * columns.minus_own_center
        self._move_weights(Z, given.decay)
        if self.settings.regularize_bias:
            bias_change -= given.decay * state.b
        self._move(state.b, state.b_velocity, bias_change)
        mean: Array = (losses * weights).sum(axis=1)
        return mean

    def _shrink(self, factors: Array) -> Array | None:
        """Let the weights of each cell shrink by its factor (G,). Returns what V itself is to be multiplied by (G,), or
        None: that is done only where `shrinkage` gets too small.
        """
        state = self.state
        state.shrinkage *= factors
        small = ~(state.shrinkage >= SMALL_SHRINKAGE)
        if not small.any():
            return None
        multiplied = np.where(small, state.shrinkage, 1)
        state.shrinkage[small] = 1
        return multiplied

    def _multiply_weights(self, factors: Array) -> None:
        """V of each cell times its factor (G,)."""
        self._V *= flat(factors, self._V.shape[1])

    def _centered_scores(self, Z: Any, shrinkage: Array, norms: Array | None) -> tuple[Array, Array]:
        """(scores (K, G, n) of the rows Z, offset V of each fold (K, G, F)), both views of one buffer."""
        both, offsets = self._products(Z, shrinkage), self._batch.offsets
        centers, scores = both[:, :, :offsets], both[:, :, offsets:]
        minus_shift = (centers * self._columns.minus_own_center).sum(axis=2)
        if norms is None:
            scores += (self.state.b + minus_shift)[:, :, None]
        else:
            scores += minus_shift[:, :, None]
            scores *= norms
            scores += self.state.b[:, :, None]
        return scores, centers

    def _products(self, Z: Any, shrinkage: Array) -> Array:
        """Z W (K, G, F + n), of all classes and without the bias."""
        state, count = self.state, len(Z)
        if len(self._product) < count:
            self._product = np.empty((count, self._V.shape[1]), state.V.dtype)
            # The scores of the first class, of the others, and zeros against which V is filled up.
            self._turned = np.zeros((state.b.shape[1] + self._V.shape[1], count), state.V.dtype)
        product = self._product[:count]
        np.matmul(Z, self._V, out=product)
        both = self._turned[: state.b.size, :count].reshape(*state.b.shape, count)
        others = _shaped(product, state.V.shape[1:])
        np.multiply(others.transpose(1, 2, 0), shrinkage[:, None], out=both[1:])
        np.negative(both[1:].sum(axis=0), out=both[0])
        return both

    def _move_weights(self, Z: Any, decay: Array) -> None:
        """V moves by Z^T dS / scale^2, block by block, and with momentum by -decay V. `_turned` holds dS."""
        dS = self._turned[self.state.b.shape[1] :, : len(Z)].T
        inverse_square = self._columns.inverse_square
        penalty = flat(decay, self._V.shape[1]) if self.settings.momentum else None
        for start in range(0, len(self._V), self._block):
            part = slice(start, start + self._block)
            weights = self._V[part]
            change = self._change[: len(weights)]
            np.matmul(Z[:, part].T, dS, out=change)
            if inverse_square is not None and inverse_square.shape[2] == 1:
                change *= inverse_square[part, 0]  # whole rows: five times as quick as cell by cell
            elif inverse_square is not None:
                shaped = _shaped(change, self.state.V.shape[1:])
                shaped *= inverse_square[part]
            if penalty is not None:
                # Subtracted as eta * lambda * W: the factor 1 - eta * lambda would round a small one away in float32.
                change -= np.multiply(weights, penalty, out=self._scratch[: len(weights)])
            self._move(weights, self._velocity[part], change)

    def _move(self, weights: Array, velocity: Array, change: Array) -> None:
        """Plain or Nesterov: `velocity` is kept multiplied by the momentum."""
        weights += change
        if self.settings.momentum:
            velocity += change
            velocity *= self.settings.momentum
            weights += velocity

    def _mark_diverged(self, losses: Array) -> None:
        state = self.state
        finite = np.isfinite(losses)
        if finite.all() and state.iteration < self.settings.iterations:
            return
        lost = ~finite
        if state.iteration == self.settings.iterations:
            lost |= ~(np.isfinite(state.V).all(axis=(0, 1)) & np.isfinite(state.b).all(axis=0))
        lost &= state.diverged_at < 0
        if lost.any():
            state.diverged_at[lost] = state.iteration
            self._give_up(lost)

    def _give_up(self, lost: Array) -> None:
        """Set those cells (G,) bool to zero, for good."""
        state = self.state
        for array in (state.V, state.b, state.velocity, state.b_velocity):
            array[..., beside(lost, array)] = 0
        state.shrinkage[lost] = 1
        self._columns.freeze(lost)

    def _write_history(self) -> None:
        state, history = self.state, self.state.history
        gone = state.diverged_at >= 0
        trained, validated = fetched(state.hits) / fetched(state.seen)
        validation_loss = np.full(len(gone), np.nan)
        if self.problem.validation_X is not None:
            validated = validation_loss
            if self.settings.validates(state.iteration):
                validated, validation_loss = self._judged()
        history.iteration.append(state.iteration)
        history.loss.append(np.where(gone, np.nan, fetched(state.loss_sum) / state.loss_count))
        history.train_accuracy.append(np.where(gone, np.nan, trained))
        history.validation_accuracy.append(np.where(gone, np.nan, validated))
        history.validation_loss.append(np.where(gone, np.nan, validation_loss))
        state.loss_sum[:], state.loss_count = 0, 0
        state.hits[:], state.seen[:] = 0, 0

    def _count_hits(self, scores: Array, y: Array, trained: Array | None) -> None:
        """Add what is predicted right before the step, on trained rows [0] and on held-out rows [1]."""
        hits = scores.argmax(axis=0) == y
        trained = namespace_of(hits).ones_like(hits) if trained is None else trained
        for place, mask in enumerate((trained, ~trained)):
            self.state.hits[place] += (hits & mask).sum(axis=1)
            self.state.seen[place] += mask.sum(axis=1)

    def validate(self) -> Array:
        """The share (G,) of its validation rows, or of its held-out rows, that each cell labels right.

        Quick, for progress and halving: of held-out rows, about HELD_OUT_ROWS of all folds together are looked at.
        """
        return self._judged()[0]

    def _judged(self) -> tuple[Array, Array]:
        """(share of rows labelled right (G,), mean loss (G,)), as `validate` says."""
        problem = self.problem
        if problem.validation_rows is not None and problem.validation_X is not None:
            assert problem.validation_y is not None
            return self._judged_on(
                problem.validation_X, problem.validation_y, problem.validation_rows, self._validation_norms
            )
        spread = problem.train_rows[:: -(-len(problem.train_rows) // HELD_OUT_ROWS)]
        return self._judged_on(problem.X, problem.y, spread, self._norms)

    def _judged_on(self, X: Array, y: Array, rows: Array, norms: Array | None) -> tuple[Array, Array]:
        size = min(self.settings.batch_size, len(rows))
        batch, columns = self._buffer(X, size), self._columns
        shrinkage = columns.placed(columns.cast(self.state.shrinkage))
        right, losses, seen = np.zeros((3, len(self.state.cells)))
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            own = columns.norms(norms, part)
            own = None if own is None else columns.norms_of_cells(columns.placed(own))
            scores, _ = self._centered_scores(batch.gather(part), shrinkage, own)
            hits = fetched(scores.argmax(axis=0)) == y[part]
            kept = columns.kept(part)
            counted = np.ones_like(hits) if kept is None else ~kept[columns.place]
            right += (hits & counted).sum(axis=1)
            losses += (fetched(self._losses_alone(scores, beside(y[part], scores))) * counted).sum(axis=1)
            seen += counted.sum(axis=1)
        return right / seen, losses / seen


def _filled_up(stack: Array) -> tuple[Array, Array]:
    """(a copy of (D', K - 1, G) in rows filled up with zeros to a multiple of KERNEL_COLUMNS, its own shape's view)."""
    features, classes, cells = stack.shape
    columns = -(-classes * cells // KERNEL_COLUMNS) * KERNEL_COLUMNS
    rows = np.zeros((features, columns), stack.dtype)
    view = _shaped(rows, (classes, cells))
    view[:] = stack
    return rows, view


def _shaped(rows: Array, shape: tuple[int, ...]) -> Array:
    """A view (n, K - 1, G) of rows that are filled up."""
    return rows[:, : math.prod(shape)].reshape(-1, *shape)
