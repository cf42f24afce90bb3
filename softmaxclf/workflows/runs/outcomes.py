"""What became of each cell of a grid, by hold-out or by cross-validation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.metrics import wilson_interval
from softmaxclf.core.model import LinearModel
from softmaxclf.core.numbers import exact
from softmaxclf.core.scoring import Score, StackScorer, pooled, score_model
from softmaxclf.core.search import FURTHER, MEASURED, Outcome, tied_with, widened
from softmaxclf.core.solvers.solver import Solver
from softmaxclf.workflows.runs.training import Departed, model_of
from softmaxclf.workflows.runs.training_data import TrainingData

Array = NDArray[Any]
STORED = (*MEASURED, *FURTHER, "interval", "iterations", "status")
MOST_FEATURES, MOST_CLASSES = 30, 10  # of tables whose weights are kept, of as many classes


class CellScorer:
    """Scores the cells of a stack on their training rows and on the rows that they did not see."""

    def __init__(self, data: TrainingData, loss: str) -> None:
        self.data, self.loss = data, loss

    def outcomes(self, solver: Solver, status: str = "ok", places: Array | None = None) -> dict[int, Outcome]:
        """The outcome of each cell (by its index in the grid) among those places of the stack, default all."""
        state = solver.state
        places = np.arange(len(state.cells)) if places is None else places
        places = np.array([place for place in places.tolist() if self._judged(solver, place)], np.int64)
        tally = self._tally(solver, places[state.diverged_at[places] < 0])
        return {
            int(index): self._outcome(solver, places[state.cells.index[places] == index], tally, status)
            for index in dict.fromkeys(state.cells.index[places])
        }

    def _judged(self, solver: Solver, place: int) -> bool:
        """Whether the cell at that place has been trained so far, on all its folds, that it can be scored."""
        index = solver.state.cells.index
        return all(solver.judged(each) for each in np.flatnonzero(index == index[place]).tolist())

    def held_out(self, solver: Solver, index: int) -> Score:
        """The pooled predictions of a cell's fold models, each on the rows that it did not see."""
        train, rows, folds = self.data.split("train"), self.data.train_rows, self.data.fold_of_row
        assert folds is not None
        cells = solver.state.cells
        return pooled(
            [
                score_model(
                    model_of(solver, place, self.data, self.loss),
                    replace(train, rows=rows[folds[rows] == cells.fold[place]]),
                )
                for place in np.flatnonzero(cells.index == index).tolist()
            ]
        )

    def _tally(self, solver: Solver, places: Array) -> "_Tally":
        """What each of these cells gets right: one pass over the rows of each split for all of them."""
        data, train = self.data, self.data.dataset.train
        folds = data.fold_of_row
        models = [model_of(solver, place, data, self.loss) for place in places.tolist()]
        tally = _Tally(places, models, len(data.validation_rows if folds is None else data.train_rows))
        if not models:
            return tally
        scorer = StackScorer(models)
        weights = data.weights
        own = solver.state.cells.fold[places][:, None]
        for part, right, losses in scorer.chunks(train.X, train.y, data.train_rows):
            rows = data.train_rows[part]
            unseen = np.zeros_like(right) if folds is None else folds[rows] == own
            trained = ~unseen
            if weights is not None:
                trained, unseen = trained * weights[rows], unseen * weights[rows]
            tally.add_trained(right, losses, trained)
            if folds is not None:
                tally.add_held_out(part, right, losses, unseen)
        if folds is None:
            for part, right, losses in scorer.chunks(
                data.validation_X, data.validation_y, data.validation_rows
            ):
                tally.add_held_out(part, right, losses, np.ones_like(right))
        return tally

    def _outcome(self, solver: Solver, places: Array, tally: "_Tally", status: str) -> Outcome:
        state = solver.state
        values = state.cells.at(int(places[0]))
        gone = state.diverged_at[places]
        if (gone >= 0).any():
            first = int(gone[gone >= 0].min())
            return Outcome(values, iterations=first, status=f"diverged at iteration {first}")
        own = np.isin(tally.places, places)
        held_out = tally.held_out[own]
        accuracies, losses = tally.right[own] / held_out, tally.losses[own] / held_out
        correct: Array = np.any(tally.correct[own], axis=0)
        share, loss = float(accuracies.mean()), float(losses.mean())
        spread = float((tally.squared_losses[own] / held_out).mean()) - loss * loss
        return Outcome(
            values,
            float((tally.trained_right[own] / tally.trained[own]).mean()),
            share,
            loss,
            wilson_interval(int(correct.sum()), len(correct)),
            _standard_error(accuracies, share * (1 - share), len(correct)),
            state.iteration,
            status,
            solver.report(int(places[0])),
            correct,
            float((tally.trained_losses[own] / tally.trained[own]).mean()),
            float(tally.norms[own].mean()),
            _standard_error(losses, spread, len(correct)),
            _few_weights([tally.models[place] for place in np.flatnonzero(own).tolist()]),
            {
                "train_accuracy": tally.trained_right[own] / tally.trained[own],
                "train_loss": tally.trained_losses[own] / tally.trained[own],
                "validation_accuracy": accuracies,
                "validation_loss": losses,
            },
        )


class _Tally:
    """Sums over rows, by their weights, of the G `models` at `places` (G,) of a stack: trained and held out, right,
    and losses. What is added says how much each row counts in each cell, (G, n) truth values or weights.

    correct: (G, m) which of the m held-out rows of all folds each labels right; False for rows not its own.
    """

    def __init__(self, places: Array, models: Sequence[LinearModel], held_out_rows: int) -> None:
        self.places, self.models = places, models
        self.norms = np.array([math.sqrt(np.square(each.W, dtype=np.float64).sum()) for each in models])
        self.trained, self.trained_right, self.trained_losses = np.zeros((3, len(places)))
        self.held_out, self.right, self.losses, self.squared_losses = np.zeros((4, len(places)))
        self.correct = np.zeros((len(places), held_out_rows), bool)

    def add_trained(self, right: Array, losses: Array, trained: Array) -> None:
        self.trained += trained.sum(axis=1)
        self.trained_right += (right * trained).sum(axis=1)
        self.trained_losses += _counted(losses, trained).sum(axis=1, dtype=np.float64)

    def add_held_out(self, part: slice, right: Array, losses: Array, unseen: Array) -> None:
        self.held_out += unseen.sum(axis=1)
        self.right += (right * unseen).sum(axis=1)
        self.losses += _counted(losses, unseen).sum(axis=1, dtype=np.float64)
        self.squared_losses += _counted(np.square(losses, dtype=np.float64), unseen).sum(axis=1)
        self.correct[:, part] = right & (unseen > 0)


def _counted(losses: Array, counts: Array) -> Array:
    """The losses (G, n) as often as they count; 0 for those that do not, whatever they are."""
    if counts.dtype == bool:
        return np.where(counts, losses, 0)
    with np.errstate(over="ignore", invalid="ignore"):  # of a model that is about to diverge
        return np.where(counts > 0, losses * counts, 0)


def _standard_error(means: Array, variance: float, rows: int) -> float:
    """Of the mean over folds, from their spread; of a single hold-out set, from the variance of its rows."""
    if len(means) > 1:
        return float(means.std(ddof=1) / math.sqrt(len(means))) if np.isfinite(means).all() else math.nan
    return math.sqrt(max(variance, 0.0) / max(rows, 1)) if math.isfinite(variance) else math.nan


def _few_weights(models: Sequence[LinearModel]) -> Array | None:
    """The mean weights (D', K) of a cell's fold models; None of images and of many features."""
    if models[0].image_shape is not None or len(models[0].W) > MOST_FEATURES:
        return None
    weights: Array = np.array([model.W[:, :MOST_CLASSES] for model in models], np.float64).mean(axis=0)
    return weights


def stored(outcomes: Mapping[int, Outcome]) -> Departed:
    """Outcomes of cells that left early, fit for a checkpoint's JSON."""
    return [
        {"index": index, "values": dict(each.values), **{name: getattr(each, name) for name in STORED}}
        for index, each in outcomes.items()
    ]


def unstored(departed: Departed) -> dict[int, Outcome]:
    """The outcomes that `stored` made into dictionaries."""
    known = ("values", *STORED)
    return {
        each["index"]: Outcome(**{name: each[name] for name in known if name in each}) for each in departed
    }


def with_ties(outcomes: Sequence[Outcome], winner: int, metric: str, held_out: float) -> list[Outcome]:
    """The outcomes, those marked that cannot be told from the winner. metric: by which it was chosen. held_out: see
    core/repeats.py.
    """
    tied = tied_with(outcomes, winner, metric, held_out)
    return [replace(each, tied=place in tied) for place, each in enumerate(outcomes)]


def word_of_ties(outcomes: Sequence[Outcome], winner: int, metric: str) -> str:
    """How many of the other cells could as well be the best; empty where there is no other."""
    others = sum(each.finished for each in outcomes) - 1
    if others < 1:
        return ""
    test = "paired t-test of the repeats" if outcomes[winner].correct is None else "paired McNemar test"
    if metric == "loss" and outcomes[winner].correct is not None:
        test += " and the errors of their losses"
    tied = sum(each.tied for each in outcomes)
    which = {0: "none", others: "all"}.get(tied, f"{tied}")
    return f"of the {others} other finished cells {which} cannot be told from the winner ({test}, 5 % level)"


def judgements(
    outcomes: Sequence[Outcome], winner: int, axes: Mapping[str, Sequence[float]], *, tested: bool
) -> list[str]:
    """What the user should know of the choice: optimism, edges of the grid with a wider one to paste.

    tested: whether there is a test split, which had no say.
    """
    best = outcomes[winner]
    finished = sum(each.finished for each in outcomes)
    notes = []
    if finished > 1:
        instead = "quote the test accuracy" if tested else "keep test rows apart to quote their accuracy"
        notes.append(
            f"the winner's validation accuracy is the best of {finished} and so optimistic: {instead}"
        )
    if best.state == "cut":
        return notes
    for name, axis in axes.items():
        wider = widened(axis, best.values[name])
        if wider is not None:
            values = ", ".join(exact(each) for each in wider)
            notes.append(
                f"the winner lies on the edge of tuning.{name}s; a wider grid to paste: {name}s: [{values}]"
            )
    return notes
