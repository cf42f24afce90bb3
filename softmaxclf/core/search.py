"""The search over a grid of cells: expanding it, narrowing it, choosing from it, and judging the choice."""

import itertools
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.metrics import TWO_SIDED_95, mcnemar, wilson_interval
from softmaxclf.core.numbers import short
from softmaxclf.core.problem import Cells
from softmaxclf.core.repeats import SIGNIFICANCE, least_difference, standard_error

Array = NDArray[Any]

# Halving: after this share of the iterations, this share of the cells goes on: 0.2 + 0.3 / 2 + 0.5 / 4 = 0.475 of
# the full grid's column-iterations. Earlier rungs save more, and lost the winner of the classic grid more often.
RUNGS = ((0.2, 0.5), (0.5, 0.5))
MEASURED = ("train_accuracy", "validation_accuracy", "validation_loss")
FURTHER = (
    "train_loss",
    "weight_norm",
    "error",
    "loss_error",
    "validation_accuracy_sd",
    "validation_loss_sd",
)  # which outcomes that were written earlier lack
POWER_TOLERANCE, MOST_POWERS = 1e-5, 500  # what is made of it is rounded to a digit
STRENGTH = "regularization"  # the axis on which more is simpler, and wins ties


@dataclass(frozen=True)
class Outcome:
    """What is known of one cell in the end.

    values: its settings by axis. iterations: how many it was trained. correct: (n,) bool, which validation rows it
    labels right, or None. interval: 95 % Wilson interval of validation_accuracy over all its rows. error, loss_error:
    standard errors of validation accuracy and loss, over folds or else over rows. weight_norm: Frobenius norm of W
    as trained. weights: W (D', K) itself, of few features. Of folds all are means. status: ok, cut short at
    iteration ..., diverged at iteration ..., stopped at rung ..., not
    started. figures: what the solver reports of it. by_fold: the accuracies and losses (F,) of which it has the means.

    Over repeats, see `averaged`, all are means, too, and by_fold has the figures of one repeat after the other;
    validation_accuracy_sd, validation_loss_sd: standard deviations over repeats. tied: whether it cannot be told from
    the winner.
    """

    values: Mapping[str, float]
    train_accuracy: float = math.nan
    validation_accuracy: float = math.nan
    validation_loss: float = math.nan
    interval: tuple[float, float] = (math.nan, math.nan)
    error: float = math.nan
    iterations: int = 0
    status: str = "not started"
    figures: Mapping[str, Any] = field(default_factory=dict)
    correct: Array | None = None
    train_loss: float = math.nan
    weight_norm: float = math.nan
    loss_error: float = math.nan
    weights: Array | None = None
    by_fold: Mapping[str, Array] = field(default_factory=dict)
    validation_accuracy_sd: float = math.nan
    validation_loss_sd: float = math.nan
    tied: bool = False

    @property
    def finished(self) -> bool:
        """Whether it can be chosen: not diverged, nor about to (its loss no number), nor stopped as a losing cell."""
        return self.status.startswith(("ok", "cut short")) and not math.isnan(self.validation_loss)

    @property
    def state(self) -> str:
        """The first word of the status: ok, cut, diverged, stopped or not."""
        return self.status.split()[0]

    def document(self) -> dict[str, Any]:
        """It as metrics.json holds it, the axes first."""
        measured = {name: getattr(self, name) for name in (*MEASURED, "status")}
        further = {name: getattr(self, name) for name in FURTHER}
        interval = list(self.interval)
        known = {"validation_interval": interval, **further, "tied": self.tied}
        return {**self.values, **measured, **self.figures, **known}

    @classmethod
    def of_document(cls, document: Mapping[str, Any], axes: Sequence[str]) -> "Outcome":
        """The outcome that `document` describes, null as NaN; without its iterations and its weights."""
        measured: dict[str, Any] = {name: _number(document[name]) for name in MEASURED}
        measured |= {name: _number(document.get(name)) for name in FURTHER}
        low, high = map(_number, document.get("validation_interval", (None, None)))
        known = {*axes, *MEASURED, *FURTHER, "status", "validation_interval", "tied"}
        figures = {name: value for name, value in document.items() if name not in known}
        values = {name: document[name] for name in axes}
        measured |= {"status": document["status"], "tied": document.get("tied") is True}
        return cls(values, **measured, interval=(low, high), figures=figures)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def axes_of(best: Mapping[str, Any]) -> tuple[str, ...]:
    """The axes of a grid out of what metrics.json says of the best cell: its settings, and whether it was refitted."""
    return tuple(name for name in best if name != "refit")


def only_axis(cells: Sequence[Outcome]) -> str | None:
    """The one axis along which these cells differ; None of a grid in the plane."""
    if not cells:
        return None
    varied = [name for name in cells[0].values if len({cell.values[name] for cell in cells}) > 1]
    return (varied or [*cells[0].values])[-1] if len(varied) < 2 else None


def named(values: Mapping[str, float]) -> str:
    """The settings of a cell in words: "learning rate 1e-7, regularization 8000"."""
    return ", ".join(f"{name.replace('_', ' ')} {short(value)}" for name, value in values.items())


def grid_cells(axes: Mapping[str, Sequence[float]], folds: int = 0) -> Cells:
    """All cells of the grid, the first axis slowest, then the folds (-1 when folds is 0)."""
    fold = np.arange(folds) if folds else np.array([-1])
    *columns, held_out = (each.ravel() for each in np.meshgrid(*axes.values(), fold, indexing="ij"))
    index = np.repeat(np.arange(len(held_out) // len(fold)), len(fold))
    values = {name: column.astype(np.float64) for name, column in zip(axes, columns, strict=True)}
    return Cells(values, held_out, index)


def split_stacks(cells: Cells, bytes_per_model: int, memory: int, least: int = 1) -> list[Cells]:
    """The cells in as few stacks as fit `memory` bytes each, and at least so many, a cell's folds together, of about
    equal width.
    """
    count = int(cells.index.max()) + 1
    models = len(cells) // count
    fitting = max(1, memory // (bytes_per_model * models))
    stacks = max(-(-count // fitting), min(least, count))
    groups = np.array_split(np.arange(count), stacks)
    return [cells.keep(np.isin(cells.index, group)) for group in groups]


def rungs(iterations: int, count: int) -> list[tuple[int, int]]:
    """[(iteration, cells that go on after it)] of halving `count` cells; at least one cell always goes on."""
    plan, remaining = [], count
    for share, kept in RUNGS:
        narrowed = max(1, math.floor(remaining * kept))
        iteration = round(iterations * share)
        if narrowed < remaining and 0 < iteration < iterations:
            plan.append((iteration, narrowed))
            remaining = narrowed
    return plan


def narrowed(accuracies: Array, index: Array, keep: int) -> Array:
    """Which models (G,) go on: all folds of the `keep` cells with the highest mean accuracy; NaN counts as lowest."""
    cells = np.unique(index)
    means = np.array([accuracies[index == cell].mean() for cell in cells])
    order = np.argsort(-np.nan_to_num(means, nan=-1.0), kind="stable")
    return np.isin(index, cells[order[:keep]])


def choose(outcomes: Sequence[Outcome], metric: str = "accuracy", select: str = "best") -> int | None:
    """The place of the winner among the finished outcomes with the most iterations, or None when there is none.

    metric "accuracy": highest validation accuracy, then lowest loss; "loss": the reverse. Remaining ties go to
    the stronger regularization. select "one-se": the strongest regularization whose accuracy is within one
    standard error of the best one's (Breiman et al., 1984).
    """
    most = max((outcome.iterations for outcome in outcomes if outcome.finished), default=0)
    candidates = [place for place, each in enumerate(outcomes) if each.finished and each.iterations == most]
    if not candidates:
        return None

    def rank(place: int) -> tuple[float, ...]:
        outcome = outcomes[place]
        keys = (outcome.validation_accuracy, -outcome.validation_loss)
        return (*(keys if metric == "accuracy" else keys[::-1]), outcome.values.get(STRENGTH, 0.0))

    best = max(candidates, key=rank)
    if select == "best":
        return best
    bound = outcomes[best].validation_accuracy - outcomes[best].error
    within = [place for place in candidates if outcomes[place].validation_accuracy >= bound]
    return max(within, key=lambda place: (outcomes[place].values.get(STRENGTH, 0.0), rank(place)))


def averaged(repeats: Sequence[Outcome], held_out: float) -> Outcome:
    """The outcome of one cell over repeats of the grid with other seeds; that of a single one as it is.

    held_out: the share of the rows that each repeat holds out anew, see repeats.py. The interval is that of the rows of
    one repeat, since others hold out some of the same. Figures of the solver are those of the first repeat. A cell that
    one repeat did not finish is finished in none, as its status says.
    """
    first, *others = repeats
    unfinished = next((n for n, each in enumerate(repeats) if not each.finished), None)
    if not others or unfinished == 0:
        return first
    if unfinished is not None:
        return replace(repeats[unfinished], status=f"{repeats[unfinished].status} in repeat {unfinished + 1}")
    names = (*MEASURED, "train_loss", "weight_norm")
    figures = {name: np.array([getattr(each, name) for each in repeats]) for name in names}
    by_fold = {name: np.concatenate([each.by_fold[name] for each in repeats]) for name in first.by_fold}
    means: dict[str, Any] = {name: float(column.mean()) for name, column in figures.items()}
    weights = [each.weights for each in repeats if each.weights is not None]
    rows = 0 if first.correct is None else len(first.correct)
    return replace(
        first,
        **means,
        interval=wilson_interval(round(means["validation_accuracy"] * rows), rows),
        error=standard_error(by_fold["validation_accuracy"], held_out),
        loss_error=standard_error(by_fold["validation_loss"], held_out),
        validation_accuracy_sd=float(figures["validation_accuracy"].std(ddof=1)),
        validation_loss_sd=float(figures["validation_loss"].std(ddof=1)),
        correct=None,
        by_fold=by_fold,
        weights=np.mean(weights, axis=0) if weights else None,
    )


def least_told(outcomes: Sequence[Outcome], winner: int, metric: str, held_out: float) -> float:
    """The smallest difference from the winner, in the metric, that repeats tell from chance: for half of its rivals.

    Of a grid without rivals: between two settings that are as unsteady, on draws of their own.
    """
    own = outcomes[winner].by_fold[f"validation_{metric}"]
    least = [
        least_difference(own - outcomes[place].by_fold[f"validation_{metric}"], held_out)
        for place in _rivals(outcomes, winner)
    ]
    return float(np.median(least)) if least else math.sqrt(2) * least_difference(own, held_out)


def tied_with(
    outcomes: Sequence[Outcome], winner: int, metric: str = "accuracy", held_out: float = 0.0
) -> set[int]:
    """The places of the other finished cells that cannot be told from the winner at the 5 % level.

    Of a single repeat by a paired McNemar test of the rows, and where the loss decides by that as well, with errors
    taken as independent; of several repeats by their differences, see repeats.py.
    """
    own, name = outcomes[winner], f"validation_{metric}"

    def tied(other: Outcome) -> bool:
        if own.correct is not None:
            if metric == "loss":
                least = TWO_SIDED_95 * math.hypot(own.loss_error, other.loss_error)
                if other.validation_loss - own.validation_loss > least:
                    return False
            return other.correct is not None and mcnemar(own.correct, other.correct) >= SIGNIFICANCE
        if name not in other.by_fold:
            return False
        differences = own.by_fold[name] - other.by_fold[name]
        return bool(abs(differences.mean()) <= least_difference(differences, held_out))

    return {place for place in _rivals(outcomes, winner) if tied(outcomes[place])}


def _rivals(outcomes: Sequence[Outcome], winner: int) -> list[int]:
    """The places of the other finished cells, trained as far as the winner."""
    own = outcomes[winner]
    return [
        place
        for place, other in enumerate(outcomes)
        if place != winner and other.finished and other.iterations == own.iterations
    ]


def widened(axis: Sequence[float], value: float) -> tuple[float, ...] | None:
    """`axis` with up to three more values beyond the edge at which `value` lies, or None when it lies inside.

    Fewer where the next would be 0 or infinite. The step is the ratio of the last two values at that edge, at
    least 2. An axis of one value is no edge.
    """
    ordered = sorted(axis)
    if len(ordered) < 2 or ordered[0] < value < ordered[-1] or value <= 0:
        return None
    low = value == ordered[0]
    edge, inner = (ordered[0], ordered[1]) if low else (ordered[-1], ordered[-2])
    ratio = max(2.0, max(edge, inner) / min(edge, inner) if min(edge, inner) > 0 else 2.0)
    steps = itertools.accumulate([edge, ratio, ratio, ratio], operator.truediv if low else operator.mul)
    beyond = [float(f"{each:.3g}") for each in steps][1:]
    return tuple(sorted([*ordered, *(each for each in beyond if 0 < each < math.inf)]))


def largest_curvature(features: Array) -> float:
    """0.5 sigma^2 / n, sigma the largest singular value of `features` (n, D): no direction's curvature is above it.

    The softmax's Hessian is at most one half (Böhning, 1992). At a regularization as strong, no weight is far from 0.
    """
    return 0.5 * _largest_square(features) / len(features)


def _largest_square(features: Array) -> float:
    """sigma^2 by power iteration, to POWER_TOLERANCE and from below: a thousandth of the time of all eigenvalues."""
    v: Array = np.random.default_rng(0).normal(size=(features.shape[1],)).astype(features.dtype)
    square = 0.0
    for _ in range(MOST_POWERS):
        norm = float(np.linalg.norm(v))
        if norm == 0:
            return 0.0
        v = features.T @ (features @ (v / norm))
        before, square = square, float(np.linalg.norm(v))
        if square - before <= POWER_TOLERANCE * square:
            break
    return square


def stable_learning_rate(features: Array, regularization: float) -> float:
    """1 / L, rounded down to one digit: a learning rate with which plain gradient descent cannot diverge.

    L bounds the curvature of the objective over `features` (n, D) and a column of ones for the bias.
    """
    curvature = largest_curvature(np.column_stack([features, np.ones(len(features))]))
    bound = 1 / max(curvature + regularization, np.finfo(float).tiny)
    digits = 10.0 ** math.floor(math.log10(bound))
    return float(f"{math.floor(bound / digits) * digits:.0e}")
