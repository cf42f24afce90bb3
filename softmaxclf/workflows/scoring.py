"""Accuracy and loss of models on rows, counted one way everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.hinge import hinge
from softmaxclf.core.metrics import wilson_interval
from softmaxclf.core.model import LinearModel, chunked_scores
from softmaxclf.core.softmax import cross_entropy

Array = NDArray[Any]


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


def score_models(models: Sequence[LinearModel], X: Array, y: Array, rows: Array | None = None) -> list[Score]:
    """One Score per model on those rows of raw X (N, D) and y (N,), default all. The rows are read once."""
    rows = np.arange(len(y)) if rows is None else rows
    predicted = np.empty((len(models), len(rows)), np.int64)
    losses = np.zeros(len(models))
    start = 0
    for part, scores in chunked_scores(models, X, rows):
        labels = y[part]
        for place, (model, each) in enumerate(zip(models, scores, strict=True)):
            predicted[place, start : start + len(part)] = each.argmax(axis=1)
            row_losses = hinge(each, labels) if model.loss == "hinge" else cross_entropy(each, labels)
            losses[place] += float(row_losses.sum(dtype=np.float64))
        start += len(part)
    count = max(len(rows), 1)
    return [
        Score(y[rows], labels, float(loss / count)) for labels, loss in zip(predicted, losses, strict=True)
    ]
