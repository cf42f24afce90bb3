"""How good predictions are, and how sure we may be of it. All from arrays; nothing here trains or selects.

Predictions are judged by counts of rows (accuracy, confusion), probabilities by proper scores (log-loss,
Brier) and by calibration (does 80 % sure mean right in 80 % of cases?).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmaxclf.core.losses.loss import Array
from softmaxclf.core.losses.softmax import as_labels

TWO_SIDED_95 = NormalDist().inv_cdf(0.975)  # standard deviations


def majority_baseline(training_y: ArrayLike, y: ArrayLike) -> tuple[int, int]:
    """(label, correct): the most frequent training label and how many rows of y have it.

    Of equally frequent labels, the lowest. It is what a classifier must beat.
    """
    labels = np.unique_counts(np.asarray(training_y))
    majority = int(labels.values[labels.counts.argmax()])
    return majority, int(np.count_nonzero(np.asarray(y) == majority))


def wilson_interval(correct: int, rows: int) -> tuple[float, float]:
    """(low, high): 95 % Wilson score interval in [0, 1] of the probability of being correct, of rows >= 1.

    low is exactly 0 when none is correct, high exactly 1 when all are.
    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    z, share = TWO_SIDED_95, correct / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    low = 0.0 if correct == 0 else max(0.0, middle - half)
    high = 1.0 if correct == rows else min(1.0, middle + half)
    return low, high


def mcnemar(correct_a: NDArray[np.bool_], correct_b: NDArray[np.bool_]) -> float:
    """Two-sided p-value that A and B are equally accurate, judged on the same rows.

    correct_a, correct_b: (N,) bool, whether each row was predicted correctly. Only the rows on which the two
    differ count.
    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947; this form, exact but for rounding, is the sign test.
    """
    a, b = correct_a, correct_b
    return mcnemar_p_value(int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a)))


def mcnemar_p_value(only_a: int, only_b: int) -> float:
    """min(1, 2 P(Binomial(n, 1/2) <= k)), n = only_a + only_b, k = the smaller; 1 if n = 0.

    P = C(n, k) / 2^n * (1 + k/(n-k+1) + k/(n-k+1) (k-1)/(n-k+2) + ...): the sum has positive terms only, so nothing
    cancels or overflows. The first factor comes from lgamma, with a relative error near 1e-9 for a million rows.
    Below the smallest float the result is 0.
    """
    n, k = only_a + only_b, min(only_a, only_b)
    if only_a == only_b:
        return 1.0
    steps = np.arange(k, 0, -1)
    log_first = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
    with np.errstate(under="ignore"):
        tail = 1.0 + float(np.cumprod(steps / (n + 1 - steps)).sum())
    return min(1.0, 2 * math.exp(log_first) * tail)


def paired_interval(both: int, only_a: int, only_b: int, neither: int) -> tuple[float, float]:
    """(low, high): 95 % interval in [-1, 1] of how much more accurate A is than B, judged on the same rows.

    The four counts say how many rows both, one, or neither labels right; there is at least one. The Wilson intervals of
    both accuracies are put together with the correlation phi of being right:

        low = d - sqrt((p_a - l_a)^2 - 2 phi (p_a - l_a) (u_b - p_b) + (u_b - p_b)^2),

    high likewise. Source: R. G. Newcombe, "Improved confidence intervals for the difference between binomial
    proportions based on paired data", Statistics in Medicine 17, 1998, method 10.
    """
    rows = both + only_a + only_b + neither
    right = both + only_a, both + only_b
    (share_a, below_a, above_a), (share_b, below_b, above_b) = (
        (hits / rows, hits / rows - low, high - hits / rows)
        for hits in right
        for low, high in [wilson_interval(hits, rows)]
    )
    phi, difference = _correlation(both, only_a, only_b, neither), share_a - share_b
    below = below_a * below_a - 2 * phi * below_a * above_b + above_b * above_b
    above = above_a * above_a - 2 * phi * above_a * below_b + below_b * below_b
    return difference - math.sqrt(max(below, 0.0)), difference + math.sqrt(max(above, 0.0))


def _correlation(both: int, only_a: int, only_b: int, neither: int) -> float:
    """phi of a table of counts, a positive one corrected for continuity as Newcombe does; 0 where a margin is empty."""
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    product: float = both * neither - only_a * only_b
    if product > 0:
        product = max(product - (both + only_a + only_b + neither) / 2, 0)
    return product / math.sqrt(margins) if margins else 0.0


def confusion_matrix(y: ArrayLike, predicted: ArrayLike, K: int) -> NDArray[np.int64]:
    """Counts (K, K): row = true class, column = predicted class; the sum is N.

    Raises ValueError when lengths differ or a label is outside [0, K).
    """
    rows = np.size(y)
    cells = as_labels(y, rows, K) * K + as_labels(predicted, rows, K, "predicted")
    return np.bincount(cells, minlength=K * K).reshape(K, K)


@dataclass(frozen=True)
class ClassScores:
    """How one class fares, each share in [0, 1] or None where it is 0/0.

    precision: of the rows predicted as this class, the share that is; None if none was predicted.
    recall: of the rows of this class, the share that was found; None if there is none.
    f1: their harmonic mean, 2 TP / (2 TP + FP + FN); None if the class neither occurs nor was predicted.
    support: the number of rows of this class.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    support: int


def precision_recall_f1(confusion: ArrayLike) -> list[ClassScores]:
    """One ClassScores per class of a confusion matrix (K, K), row = truth."""
    counts = np.asarray(confusion)
    found, support, predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    return [
        ClassScores(_share(tp, called), _share(tp, rows), _share(2 * tp, called + rows), rows)
        for tp, rows, called in zip(found.tolist(), support.tolist(), predicted.tolist(), strict=True)
    ]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


TOP = 5  # labels among which the right one is looked for, of more than TOP_FROM classes
TOP_FROM = 10
PAIRS, PAIRS_OF_MANY = 10, 20  # confused pairs worth listing, of few classes and of many
FEW_CLASSES = 20


def top_hits(scores: NDArray[Any], y: ArrayLike) -> int:
    """How many rows have the right label among the TOP highest of their scores (N, K); of equal ones it comes last."""
    labels = np.asarray(y)
    own = scores[np.arange(len(labels)), labels][:, None]
    return int(((scores >= own).sum(axis=1) <= TOP).sum())


def pairs_listed(classes: int) -> int:
    """How many of the most confused pairs are worth listing."""
    return PAIRS if classes <= FEW_CLASSES else PAIRS_OF_MANY


def tied_pairs(counts: NDArray[Any], count: int) -> tuple[int, int]:
    """(how many pairs beyond the `count` most confused of counts (K, K) have as many errors as the last one, how many
    errors that is); (0, 0) where none has.
    """
    errors = np.array(counts)
    np.fill_diagonal(errors, 0)
    ordered = np.sort(errors, axis=None)[::-1]
    last = int(ordered[count - 1]) if len(ordered) >= count else 0
    beyond = int((ordered[count:] == last).sum()) if last else 0
    return (beyond, last) if beyond else (0, 0)


def neighbours(counts: NDArray[Any]) -> NDArray[np.int64]:
    """An order (K,) of the classes of counts (K, K) that puts those that are often confused side by side.

    By the Fiedler vector of the confusions' graph. Source: J. E. Atkins et al., "A spectral algorithm for seriation and
    the consecutive ones problem", 1998.
    """
    if len(counts) < 3:
        return np.arange(len(counts))
    errors = np.array(counts, np.float64) / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(errors, 0)
    weights = errors + errors.T
    weights += 1e-6 * max(weights.max(initial=0.0), 1e-12)  # so that the graph hangs together
    np.fill_diagonal(weights, 0)
    degrees = 1 / np.sqrt(weights.sum(axis=1))
    _, vectors = np.linalg.eigh(np.eye(len(weights)) - degrees[:, None] * weights * degrees)
    places = degrees * vectors[:, 1]
    places *= np.sign(places[np.abs(places).argmax()]) or 1  # an eigenvector's sign is anyone's choice
    return np.argsort(places, kind="stable")


def weakest(classes: Sequence["ClassScores"], count: int) -> list[int]:
    """The `count` classes of lowest recall, the lowest first; those without rows come last."""
    recall = [math.inf if each.recall is None else each.recall for each in classes]
    return sorted(range(len(recall)), key=lambda k: recall[k])[:count]


def confused_pairs(counts: NDArray[Any], count: int) -> list[tuple[int, int]]:
    """The `count` pairs (true, predicted) of most errors in counts (K, K), the most first; none of no errors."""
    errors = np.array(counts)
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    pairs = [(int(place) // len(errors), int(place) % len(errors)) for place in order]
    return [pair for pair in pairs if errors[pair] > 0]


def most_wrong(probabilities: NDArray[Any], y: ArrayLike, count: int) -> NDArray[np.int64]:
    """The `count` misclassified rows of highest probability for the wrong class, highest first.

    probabilities (N, K), y (N,).
    """
    labels = np.asarray(y)
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    chances = probabilities[wrong, predicted[wrong]]
    return wrong[np.argsort(-chances, kind="stable")[:count]]


def log_loss(log_probabilities: Array, y: ArrayLike) -> float:
    """Mean of -log p_y over rows, in nats, from log_softmax (N, K): infinite only if a score is."""
    own = np.take_along_axis(log_probabilities, np.asarray(y)[:, None], axis=1)
    return -float(np.mean(own, dtype=np.float64)) + 0.0


def brier_score(probabilities: Array, y: ArrayLike) -> float:
    """Mean over rows of sum_k (p_k - 1[k = y])^2, from 0 (certain and right) to 2 (certain and wrong).

    probabilities: (N, K).
    Source: G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    difference = probabilities.astype(np.float64)
    difference[np.arange(len(difference)), np.asarray(y)] -= 1
    return float(np.square(difference).sum() / len(difference))


@dataclass(frozen=True)
class ReliabilityBins:
    """Rows grouped by confidence.

    edges: (bins + 1,) from 0 to 1; bin i holds edges[i] < confidence <= edges[i + 1], the first also 0.
    counts: (bins,) rows. confidence, accuracy: (bins,) means over the rows of a bin; NaN in an empty one.
    """

    edges: Array
    counts: NDArray[np.int64]
    confidence: Array
    accuracy: Array

    def expected_error(self) -> float:
        """Mean over rows of |accuracy - confidence| of the row's bin, in [0, 1].

        Source: C. Guo et al., "On calibration of modern neural networks", 2017.
        """
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.sum(self.counts * np.where(self.counts > 0, gaps, 0)) / self.counts.sum())


def outcome_bins(confidence: Array, outcome: NDArray[np.bool_], bins: int = 15) -> ReliabilityBins:
    """Bins of an event's stated probability (N,) and whether it came true (N,).

    Top-label reliability is of p.max(axis=1) and p.argmax(axis=1) == y; that of one class k of p[:, k] and y == k.
    """
    edges = np.linspace(0, 1, bins + 1)
    place = np.digitize(confidence, edges[1:-1], right=True)
    counts = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights=values, minlength=bins) for values in (confidence, outcome)]
    means = [np.divide(s, counts, out=np.full(bins, np.nan), where=counts > 0) for s in sums]
    return ReliabilityBins(edges, counts, *means)
