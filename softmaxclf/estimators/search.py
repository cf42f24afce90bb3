"""`SoftmaxClassifierCV`: a path of regularizations, or a grid, with its folds in one stack, as an estimator."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmaxclf.config import Config, load_config
from softmaxclf.core.images import ImageShape
from softmaxclf.core.search import Outcome, choose, grid_cells, split_stacks
from softmaxclf.errors import AllDivergedError
from softmaxclf.estimators.linear import POLISH, LinearClassifier
from softmaxclf.estimators.parameters import as_value_errors
from softmaxclf.workflows.fit import SECTIONS, keys, trained
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.automatic import decided
from softmaxclf.workflows.runs.memory import stack_bound
from softmaxclf.workflows.runs.outcomes import CellScorer
from softmaxclf.workflows.runs.training import Recipe, build_problem
from softmaxclf.workflows.runs.training_data import TrainingData, split_up

Array = NDArray[Any]
FOLDS = 5


class SoftmaxClassifierCV(LinearClassifier):
    """A SoftmaxClassifier whose regularization is chosen by cross-validation, all values and folds trained at once.

    regularizations, learning_rates, metric ("accuracy" or "loss") and select ("best" or "one-se") are those of
    `softmaxclf tune`; cv: the number of stratified folds, drawn by random_state, or a splitter or list of (train, test)
    indices that hold out each row once. The other parameters and attributes are those of SoftmaxClassifier.

    Attributes: best_params_, best_score_, best_index_ and cv_results_ as GridSearchCV has them, with the scores of the
    metric (the loss by its negative); scores_ (folds, cells): those of each fold. Afterwards the best cell is trained
    on all rows, as SoftmaxClassifier(**best_params_) is.
    """

    def __init__(
        self,
        *,
        regularizations: Sequence[float] | None = None,
        learning_rates: Sequence[float] | None = None,
        cv: Any = FOLDS,
        metric: str | None = None,
        select: str | None = None,
        solver: str | None = None,
        tolerance: float | None = None,
        max_passes: int | None = None,
        iterations: int | None = None,
        batch_size: int | None = None,
        momentum: float | None = None,
        schedule: str | None = None,
        loss: str | None = None,
        regularize_bias: bool | None = None,
        center: bool | None = None,
        scale: str | None = None,
        mirror: bool | None = None,
        image_shape: ImageShape | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            solver=solver, tolerance=tolerance, max_passes=max_passes, iterations=iterations,
            batch_size=batch_size, momentum=momentum, schedule=schedule, loss=loss,
            regularize_bias=regularize_bias, center=center, scale=scale, mirror=mirror, image_shape=image_shape,
            class_weight=class_weight, random_state=random_state,
        )  # fmt: skip
        self.regularizations, self.learning_rates = regularizations, learning_rates
        self.cv, self.metric, self.select = cv, metric, select

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Itself, fitted on rows X (N, D) with labels y (N,); sample_weight (N,): how often each counts, in scores too.

        Raises ValueError for arrays and parameters that cannot be, and where every cell diverged.
        """
        dataset, classes, weights = self._training_set(X, y, sample_weight)
        settings = self._settings()
        folds = _folds_of(self.cv, X, y, len(dataset.train.y))
        with as_value_errors():
            config = load_config(options=self._options(settings))
            data = split_up(config, dataset, Observer(), folds=folds, fit=True, weights=weights)
            config = decided(config, lambda: data, "tune", Observer())
            started = time.perf_counter()
            outcomes = _outcomes(config, data)
            self._judge(config, outcomes, (time.perf_counter() - started) / (len(outcomes) * _count(data)))
            found = trained(dataset, {**settings, **self.best_params_}, weights=weights, polish=POLISH)
            return self._finish(found, classes)

    def _options(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings by dotted key, those of the search too."""
        grid = {
            name: None if values is None else [float(each) for each in values]
            for name, values in (
                ("regularizations", self.regularizations),
                ("learning_rates", self.learning_rates),
            )
        }
        tuning = {**grid, "metric": self.metric, "select": self.select}
        chosen = {name: value for name, value in {**settings, **tuning}.items() if value is not None}
        seed = {"data.seed": settings["seed"]} if "seed" in settings else {}
        return keys(chosen, (*SECTIONS, "tuning")) | seed

    def _judge(self, config: Config, outcomes: Sequence[Outcome], seconds: float) -> None:
        """Choose the best cell, and say what is known of all. seconds: for a fit and its scores."""
        metric = config.tuning.metric
        winner = choose(outcomes, metric, config.tuning.select)
        if winner is None:
            raise AllDivergedError(
                f"all {len(outcomes)} cells diverged: the learning rates are too large; lower them, or leave them out"
            )
        folds = max(len(each.by_fold.get("train_loss", ())) for each in outcomes)
        nothing = np.full(folds, math.nan)
        sign = {"accuracy": 1, "loss": -1}[metric]
        results: dict[str, Any] = {}
        for name in outcomes[winner].values:
            results[f"param_{name}"] = np.ma.array([each.values[name] for each in outcomes])
        results["params"] = [dict(each.values) for each in outcomes]
        for kind, side in (("test", "validation"), ("train", "train")):
            table = np.array([sign * each.by_fold.get(f"{side}_{metric}", nothing) for each in outcomes])
            results |= {f"split{fold}_{kind}_score": table[:, fold] for fold in range(folds)}
            results |= {f"mean_{kind}_score": table.mean(axis=1), f"std_{kind}_score": table.std(axis=1)}
            if kind == "test":
                self.scores_, results["rank_test_score"] = table.T, _ranks(table.mean(axis=1))
        none, same = np.zeros(len(outcomes)), np.full(len(outcomes), seconds)
        times = {"mean_fit_time": same, "std_fit_time": none, "mean_score_time": none, "std_score_time": none}
        self.cv_results_, self.best_index_ = {**times, **results}, winner
        self.best_params_ = results["params"][winner]
        self.best_score_ = float(results["mean_test_score"][winner])


def _outcomes(config: Config, data: TrainingData) -> list[Outcome]:
    """What became of each cell of the grid, in its order."""
    recipe, problem = Recipe.of(config), build_problem(config, data)
    axes, folds = recipe.axes(config), _count(data)
    cells = grid_cells(axes, folds)
    recipe = recipe.polished(POLISH / len(cells))
    scorer, found = CellScorer(data, config.training.loss), dict[int, Outcome]()
    for stack in split_stacks(cells, recipe.bytes_per_cell(problem), stack_bound(config)):
        solver = recipe.start(problem, stack)
        solver.run(solver.length)
        found |= scorer.outcomes(solver)
    return [found[place] for place in sorted(found)]


def _count(data: TrainingData) -> int:
    assert data.fold_of_row is not None
    return int(data.fold_of_row.max()) + 1


def _folds_of(cv: Any, X: ArrayLike, y: ArrayLike, rows: int) -> int | Array:
    """The number of folds, or the fold (N,) of each row. Raises ValueError for splits that are no folds."""
    if isinstance(cv, int | np.integer):
        if cv < 2:
            raise ValueError(f"cv: expected at least 2 folds, got {cv}")
        return int(cv)
    splits: Iterable[tuple[ArrayLike, ArrayLike]] = cv.split(X, y) if hasattr(cv, "split") else cv
    fold_of_row = np.full(rows, -1)
    for fold, (train, test) in enumerate(splits):
        kept, held_out = (np.zeros(rows, bool) for _ in range(2))
        kept[np.asarray(train)], held_out[np.asarray(test)] = True, True
        if (kept == held_out).any() or (fold_of_row[held_out] >= 0).any():
            fold_of_row[:] = -1
            break
        fold_of_row[held_out] = fold
    if not rows or (fold_of_row < 0).any() or not fold_of_row.any():
        raise ValueError(
            "cv: expected folds that hold out each row once and train on all others, got other splits; "
            "use a number, or a splitter such as KFold or StratifiedKFold"
        )
    return fold_of_row


def _ranks(scores: Array) -> Array:
    """(G,) 1 for the highest score, equal ones sharing the best rank, those that are no number last."""
    values = np.where(np.isnan(scores), -np.inf, scores)
    ranks: Array = (1 + (values[None] > values[:, None]).sum(axis=1)).astype(np.int32)
    return ranks
