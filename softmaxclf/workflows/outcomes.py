"""What became of each cell of a grid, by hold-out or by cross-validation."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.metrics import wilson_interval
from softmaxclf.core.model import LinearModel
from softmaxclf.core.search import Outcome, indistinguishable, widened
from softmaxclf.core.stack import Problem, State
from softmaxclf.workflows.material import Material
from softmaxclf.workflows.model_settings import exact
from softmaxclf.workflows.scoring import Score, score_models
from softmaxclf.workflows.stacks import model_of

Array = NDArray[Any]
NAN = float("nan")


class Judge:
    """Scores the cells of a stack on their training rows and on the rows that they did not see."""

    def __init__(self, problem: Problem, material: Material, loss: str) -> None:
        self.problem, self.material, self.loss = problem, material, loss

    def outcomes(self, state: State, status: str = "ok", places: Array | None = None) -> dict[int, Outcome]:
        """The outcome of each cell (by its index in the grid) among those places of the stack, default all."""
        places = np.arange(len(state.cells)) if places is None else places
        scored = self._scored(state, places[state.diverged_at[places] < 0])
        return {
            int(index): self._outcome(state, places[state.cells.index[places] == index], scored, status)
            for index in dict.fromkeys(state.cells.index[places])
        }

    def held_out(self, state: State, index: int) -> Score:
        """The pooled predictions of a cell's fold models, each on the rows that it did not see."""
        places = np.flatnonzero(state.cells.index == index)
        return _pooled([held_out for _, held_out in self._scored(state, places).values()])

    def _scored(self, state: State, places: Array) -> dict[int, tuple[Score, Score]]:
        """(training score, validation score) by place in the stack."""
        scored: dict[int, tuple[Score, Score]] = {}
        for fold in np.unique(state.cells.fold[places]):
            group = [int(place) for place in places[state.cells.fold[places] == fold]]
            trained, held_out = self._score_fold([self._model(state, place) for place in group], int(fold))
            scored.update(zip(group, zip(trained, held_out, strict=True), strict=True))
        return scored

    def _score_fold(self, models: Sequence[LinearModel], fold: int) -> tuple[list[Score], list[Score]]:
        material, train = self.material, self.material.dataset.train
        rows = material.train_rows
        if fold < 0 or material.fold_of_row is None:
            unseen = material.validation_X, material.validation_y, material.validation_rows
            return score_models(models, train.X, train.y, rows), score_models(models, *unseen)
        own = material.fold_of_row[rows] == fold
        return (
            score_models(models, train.X, train.y, rows[~own]),
            score_models(models, train.X, train.y, rows[own]),
        )

    def _model(self, state: State, place: int) -> LinearModel:
        fitted = self.problem.preprocessing
        fold = int(state.cells.fold[place])
        return model_of(state, place, fitted[fold if len(fitted) > 1 else 0], self.material, self.loss)

    def _outcome(
        self, state: State, places: Array, scored: Mapping[int, tuple[Score, Score]], status: str
    ) -> Outcome:
        rate = float(state.cells.learning_rate[places[0]])
        penalty = float(state.cells.regularization[places[0]])
        gone = state.diverged_at[places]
        if (gone >= 0).any():
            first = int(gone[gone >= 0].min())
            return Outcome(
                rate, penalty, NAN, NAN, NAN, (NAN, NAN), NAN, first, f"diverged at iteration {first}"
            )
        trained, held_out = zip(*(scored[int(place)] for place in places), strict=True)
        accuracies = np.array([score.accuracy for score in held_out])
        pooled = _pooled(held_out)
        return Outcome(
            rate,
            penalty,
            float(np.mean([score.accuracy for score in trained])),
            float(accuracies.mean()),
            float(np.mean([score.loss for score in held_out])),
            wilson_interval(int(pooled.correct.sum()), len(pooled.truth)),
            _standard_error(accuracies, len(pooled.truth)),
            state.iteration,
            status,
            pooled.correct,
        )


def _standard_error(accuracies: Array, rows: int) -> float:
    """Of the mean over folds, from their spread; of a single hold-out set, from its number of rows."""
    if len(accuracies) > 1:
        return float(accuracies.std(ddof=1) / math.sqrt(len(accuracies)))
    share = float(accuracies[0])
    return math.sqrt(share * (1 - share) / max(rows, 1))


def _pooled(scores: Sequence[Score]) -> Score:
    rows = [len(score.truth) for score in scores]
    return Score(
        np.concatenate([score.truth for score in scores]),
        np.concatenate([score.predicted for score in scores]),
        float(np.average([score.loss for score in scores], weights=rows)),
        ""
        if len(scores) == 1
        else f"each row scored by the one of {len(scores)} fold models that did not see it",
    )


def stored(outcomes: Mapping[int, Outcome]) -> list[dict[str, Any]]:
    """Outcomes of cells that left early, fit for a checkpoint's JSON."""
    names = ("learning_rate", "regularization", "train_accuracy", "validation_accuracy", "validation_loss")
    return [
        {
            "index": index,
            **{name: getattr(each, name) for name in (*names, "interval", "error", "iterations", "status")},
        }
        for index, each in outcomes.items()
    ]


def unstored(departed: Sequence[Mapping[str, Any]]) -> dict[int, Outcome]:
    """The outcomes that `stored` made into dictionaries."""
    return {
        each["index"]: Outcome(**{name: each[name] for name in each if name != "index"}) for each in departed
    }


def judgements(outcomes: Sequence[Outcome], winner: int, axes: Mapping[str, Sequence[float]]) -> list[str]:
    """What the user should know of the choice: ties, optimism, edges of the grid with a wider one to paste."""
    best = outcomes[winner]
    finished = sum(each.finished for each in outcomes)
    notes = []
    if finished > 1:
        tied = indistinguishable(outcomes, winner)
        notes.append(
            f"{tied} of the {finished - 1} other finished cells cannot be told from the winner "
            "(paired McNemar test, 5 % level)"
        )
        notes.append(
            f"the winner's validation accuracy is the best of {finished} and so optimistic: quote the test accuracy"
        )
    for name, axis in axes.items():
        value = best.learning_rate if name == "learning_rates" else best.regularization
        wider = widened(axis, value)
        if wider is not None:
            values = ", ".join(exact(each) for each in wider)
            notes.append(
                f"the winner lies on the edge of tuning.{name}; a wider grid to paste: {name}: [{values}]"
            )
    return notes
