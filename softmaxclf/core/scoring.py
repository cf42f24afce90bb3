"""Accuracy and loss of models on rows, counted one way everywhere: of one model, and of a whole stack at once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from softmaxclf.core import blas
from softmaxclf.core.metrics import wilson_interval
from softmaxclf.core.model import CHUNK_ROWS, Array, LinearModel, chunked_scores
from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.stage import less

MOST_KEPT = 2**24  # scores
STACK_ROWS = 256  # scored at once: their scores by a wide stack stay in the cache


@dataclass(frozen=True)
class SplitRows:
    """The rows of one split: raw X (N, D), y (N,), rows (n,) indices or None for all.

    name: train, validation or test. place: where they come from, for messages. progress: told (rows scored, of) while a
    model with a costly stage scores them.
    """

    name: str
    place: str
    X: Array
    y: Array
    rows: Array | None = None
    progress: Callable[[int, int], None] = field(default=lambda *_: None, compare=False, repr=False)
    _kept: dict[bytes, Array] = field(init=False, default_factory=dict, compare=False, repr=False)

    def scored_by(self, model: LinearModel) -> Iterator[tuple[Array, Array]]:
        """Yield (row indices (n,), scores (n, K)) by a model, in order; kept where a stage of it is costly."""
        if not any(stage.costly for stage in model.preprocessing.reading):
            yield from chunked_scores(model, self.X, self.rows)
            return
        count, key = len(self.labels), model.digest
        scores = self._kept.get(key, np.empty((0, model.classes), np.float32))
        if len(scores) == count:
            for start in range(0, count, CHUNK_ROWS):
                chunk = slice(start, start + CHUNK_ROWS)
                yield self.places[chunk], scores[chunk]
            return
        done, found = 0, []
        for part, some in chunked_scores(model, self.X, self.rows):
            done += len(part)
            self.progress(done, count)
            found.append(some)
            yield part, some
        if count * model.classes <= MOST_KEPT:
            self._kept[key] = np.concatenate(found)

    @property
    def labels(self) -> Array:
        """The labels (n,) of these rows."""
        labels: Array = self.y if self.rows is None else self.y[self.rows]
        return labels

    @property
    def places(self) -> Array:
        """Where the rows stand in X (n,)."""
        return np.arange(len(self.y)) if self.rows is None else self.rows


@dataclass(frozen=True)
class Score:
    """How a model does on n rows. truth, predicted: (n,) labels; loss: mean data loss, without the penalty.

    note: where the predictions come from, when it is not simply the model on these rows.
    """

    truth: Array
    predicted: Array
    loss: float
    note: str = ""

    @property
    def correct(self) -> Array:
        """Which rows are labelled right (n,)."""
        return np.equal(self.truth, self.predicted)

    @property
    def accuracy(self) -> float:
        """The share of rows labelled right; NaN for no rows."""
        return float(self.correct.mean()) if len(self.truth) else float("nan")

    def summary(self) -> dict[str, Any]:
        """What metrics.json holds of a split: accuracy, its 95 % Wilson interval, loss, rows, correct."""
        hits, rows = int(self.correct.sum()), len(self.truth)
        facts = {
            "accuracy": hits / rows,
            "interval": list(wilson_interval(hits, rows)),
            "loss": self.loss,
            "rows": rows,
            "correct": hits,
        }
        return {**facts, "note": self.note} if self.note else facts


def score_model(model: LinearModel, split: SplitRows) -> Score:
    """The Score on the rows of a split."""
    labels = split.labels
    predicted, loss, start = np.empty(len(labels), np.int64), 0.0, 0
    for part, scores in split.scored_by(model):
        predicted[start : start + len(part)] = scores.argmax(axis=1)
        loss += float(model.loss_function.of_rows(scores, split.y[part]).sum(dtype=np.float64))
        start += len(part)
    return Score(labels, predicted, float(loss / max(len(labels), 1)))


def pooled(scores: Sequence[Score]) -> Score:
    """The scores of several models, each on rows of its own, as one."""
    return Score(
        np.concatenate([score.truth for score in scores]),
        np.concatenate([score.predicted for score in scores]),
        float(np.average([score.loss for score in scores], weights=[len(score.truth) for score in scores])),
        f"each row scored by the one of {len(scores)} fold models that did not see it",
    )


class StackScorer:
    """Scores G models of one loss and one chain of stages together: a product scores a chunk of rows by all."""

    def __init__(self, models: Sequence[LinearModel]) -> None:
        self.models = models
        self._loss = models[0].loss_function
        with np.errstate(over="ignore"):  # of a model that is about to diverge
            self._center = models[0].preprocessing.center
            weights, shifts = zip(*(model.on_raw_columns(self._center) for model in models), strict=True)
        self._weights = np.stack(weights, axis=2).reshape(len(weights[0]), -1)  # (D', K * G)
        self._bias = np.stack([model.b for model in models], axis=1)[:, :, None]  # (K, G, 1)
        self._shift = np.stack(shifts, axis=1)[:, :, None]

    def chunks(self, X: Array, y: Array, rows: Array) -> Iterator[tuple[slice, Array, Array]]:
        """Yield (slice of `rows`, right (G, n) bool, losses (G, n)) over those rows of raw X (N, D), y (N,)."""
        threads = blas.threads()
        readers = [self.models[0].preprocessing.reader(X) for _ in range(threads)]
        starts = iter(range(0, len(rows), STACK_ROWS))
        with blas.single_threaded(), ThreadPoolExecutor(threads) as pool:
            while some := list(islice(starts, threads)):
                parts = [slice(start, min(start + STACK_ROWS, len(rows))) for start in some]
                score = partial(self._chunk, y=y, rows=rows)
                yield from zip(parts, *zip(*pool.map(score, parts, readers), strict=True), strict=True)

    def _chunk(self, part: slice, reader: RowReader, *, y: Array, rows: Array) -> tuple[Array, Array]:
        wanted = rows[part]
        Z = reader.read(wanted, np.empty((len(wanted), reader.columns), reader.dtype))
        with np.errstate(all="ignore"):  # a model whose scores leave float32 has no finite loss
            product = less(Z, self._center) @ self._weights
            scores = np.ascontiguousarray(product.T).reshape(*self._bias.shape[:2], len(wanted))
            scores -= self._shift
            factors = self._row_factors(Z)
            if factors is not None:
                scores *= factors
            scores += self._bias
            right = scores.argmax(axis=0) == y[wanted]
            return right, self._loss.stacked(scores, y[wanted])

    def _row_factors(self, Z: Array) -> Array | None:
        """What the scores of the rows Z are multiplied by, (G, n); None without unit norm."""
        if not self.models[0].preprocessing.unit_norm:
            return None
        distinct = {id(model.preprocessing): model.preprocessing for model in self.models}
        factors = {key: each.inverse_norms(Z).astype(np.float32) for key, each in distinct.items()}
        return np.stack([factors[id(model.preprocessing)] for model in self.models])
