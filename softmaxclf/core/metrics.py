"""How good predictions are, and how sure we may be of it. All from arrays; nothing here trains or selects.

Predictions are judged by counts of rows (accuracy, confusion), probabilities by proper scores (log-loss,
Brier) and by calibration (does 80 % sure mean right in 80 % of cases?).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmaxclf.core.losses.loss import Array
from softmaxclf.core.losses.softmax import Labels, as_floats, as_labels

_EXACT_ROWS = 100_000
_ROUNDING = 1e-6  # a probability may leave [0, 1] by this much: float32 rounding


def accuracy_counts(y: ArrayLike, predicted: ArrayLike) -> tuple[int, int]:
    """(correct, rows) of labels y (N,) and predicted labels (N,). Raises ValueError when lengths differ."""
    truth, guess = np.asarray(y), np.asarray(predicted)
    if truth.ndim != 1 or truth.shape != guess.shape:
        raise ValueError(f"y, predicted: expected shapes (N,), got {truth.shape} and {guess.shape}")
    return int(np.count_nonzero(truth == guess)), len(truth)


def majority_baseline(training_y: ArrayLike, y: ArrayLike) -> tuple[int, int]:
    """(label, correct): the most frequent training label and how many rows of y have it.

    Of equally frequent labels, the lowest. It is what a classifier must beat.
    Raises ValueError when there are no training labels.
    """
    labels = np.unique_counts(np.asarray(training_y))
    if len(labels.values) == 0:
        raise ValueError("training_y: expected at least one label, got none")
    majority = int(labels.values[labels.counts.argmax()])
    return majority, int(np.count_nonzero(np.asarray(y) == majority))


def wilson_interval(correct: int, rows: int, confidence: float = 0.95) -> tuple[float, float]:
    """(low, high): Wilson score interval in [0, 1] of the probability of being correct.

    low is exactly 0 when none is correct, high exactly 1 when all are.
    Raises ValueError unless 0 <= correct <= rows, rows >= 1 and 0 < confidence < 1.
    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if not (rows >= 1 and 0 <= correct <= rows):
        raise ValueError(f"interval: expected 0 <= correct <= rows and rows >= 1, got {correct} of {rows}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = correct / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    low = 0.0 if correct == 0 else max(0.0, middle - half)
    high = 1.0 if correct == rows else min(1.0, middle + half)
    return low, high


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """Two-sided exact p-value that A and B are equally accurate, judged on the same rows.

    correct_a, correct_b: (N,) bool, whether each row was predicted correctly. Only the rows on which the two
    differ count. Raises ValueError when the arrays are not bool or their lengths differ.
    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947; the exact form is the sign test.
    """
    a, b = np.asarray(correct_a), np.asarray(correct_b)
    if a.dtype != np.bool_ or b.dtype != np.bool_ or a.ndim != 1 or a.shape != b.shape:
        raise ValueError(
            f"mcnemar: expected two bool arrays (N,), got {a.dtype} {a.shape} and {b.dtype} {b.shape}; "
            "pass predicted == y of both models"
        )
    return mcnemar_p_value(int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a)))


def mcnemar_p_value(only_a: int, only_b: int) -> float:
    """min(1, 2 P(Binomial(n, 1/2) <= k)), n = only_a + only_b, k = the smaller; 1 if n = 0.

    P = C(n, k) / 2^n * (1 + k/(n-k+1) + k/(n-k+1) (k-1)/(n-k+2) + ...): the first factor is one correctly
    rounded division of integers and the sum has positive terms only, so nothing cancels or overflows.
    Beyond _EXACT_ROWS the first factor comes from lgamma, with a relative error near 1e-9.
    Below the smallest float the result is 0. Raises ValueError when a count is negative.
    """
    if min(only_a, only_b) < 0:
        raise ValueError(f"mcnemar: expected counts >= 0, got {only_a} and {only_b}")
    n, k = only_a + only_b, min(only_a, only_b)
    if only_a == only_b:
        return 1.0
    steps = np.arange(k, 0, -1)
    # Whole numbers are exact but take seconds for a million rows.
    likeliest = math.comb(n, k) / (1 << n) if n <= _EXACT_ROWS else math.exp(_log_term(n, k))
    with np.errstate(under="ignore"):
        tail = 1.0 + float(np.cumprod(steps / (n + 1 - steps)).sum())
    return min(1.0, 2 * likeliest * tail)


def _log_term(n: int, k: int) -> float:
    """log(C(n, k) / 2^n)."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)


def confusion_matrix(y: ArrayLike, predicted: ArrayLike, K: int) -> NDArray[np.int64]:
    """Counts (K, K): row = true class, column = predicted class; the sum is N.

    Raises ValueError when lengths differ or a label is outside [0, K).
    """
    rows = accuracy_counts(y, predicted)[1]
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
    """One ClassScores per class of a confusion matrix (K, K), row = truth; ValueError if it is not square."""
    counts = np.asarray(confusion)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"confusion: expected shape (K, K), got {counts.shape}")
    found, support, predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    return [
        ClassScores(_share(tp, called), _share(tp, rows), _share(2 * tp, called + rows), rows)
        for tp, rows, called in zip(found.tolist(), support.tolist(), predicted.tolist(), strict=True)
    ]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


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


def log_loss(log_probabilities: ArrayLike, y: ArrayLike) -> float:
    """Mean of -log p_y over rows, in nats, from log_softmax (N, K): infinite only if a score is.

    Raises ValueError when shapes or labels do not fit or there are no rows.
    """
    logs, labels = _table(log_probabilities, y, "log_probabilities")
    return -float(np.mean(logs[np.arange(len(logs)), labels], dtype=np.float64)) + 0.0


def brier_score(probabilities: ArrayLike, y: ArrayLike) -> float:
    """Mean over rows of sum_k (p_k - 1[k = y])^2, from 0 (certain and right) to 2 (certain and wrong).

    probabilities: (N, K). Raises ValueError when shapes, labels or probabilities do not fit, or N = 0.
    Source: G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    p, labels = _probabilities(probabilities, y)
    difference = p.astype(np.float64)
    difference[np.arange(len(p)), labels] -= 1
    return float(np.square(difference).sum() / len(p))


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
        """Mean over rows of |accuracy - confidence| of the row's bin, in [0, 1]."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.sum(self.counts * np.where(self.counts > 0, gaps, 0)) / self.counts.sum())


def reliability_bins(probabilities: ArrayLike, y: ArrayLike, bins: int = 15) -> ReliabilityBins:
    """Top-label reliability: confidence is the largest probability of a row, accuracy whether it was right.

    probabilities: (N, K). Raises ValueError as brier_score does, or when bins is below 1.
    """
    p, labels = _probabilities(probabilities, y)
    return outcome_bins(p.max(axis=1), p.argmax(axis=1) == labels, bins)


def outcome_bins(confidence: Array, outcome: NDArray[np.bool_], bins: int = 15) -> ReliabilityBins:
    """Bins of an event's stated probability (N,) and whether it came true (N,).

    For the diagram of one class k, pass p[:, k] and y == k. Raises ValueError when bins is below 1.
    """
    if bins < 1:
        raise ValueError(f"bins: expected at least 1, got {bins}")
    edges = np.linspace(0, 1, bins + 1)
    place = np.digitize(confidence, edges[1:-1], right=True)
    counts = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights=values, minlength=bins) for values in (confidence, outcome)]
    means = [np.divide(s, counts, out=np.full(bins, np.nan), where=counts > 0) for s in sums]
    return ReliabilityBins(edges, counts, *means)


def expected_calibration_error(probabilities: ArrayLike, y: ArrayLike, bins: int = 15) -> float:
    """Mean gap between top-label confidence and accuracy over equal-width bins, in [0, 1].

    Raises ValueError as reliability_bins does.
    Source: C. Guo et al., "On calibration of modern neural networks", 2017.
    """
    return reliability_bins(probabilities, y, bins).expected_error()


def _table(values: ArrayLike, y: ArrayLike, name: str) -> tuple[Array, Labels]:
    table = as_floats(values, name)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"{name}: expected shape (N, K) with at least one row and class, got {table.shape}")
    return table, as_labels(y, *table.shape)


def _probabilities(probabilities: ArrayLike, y: ArrayLike) -> tuple[Array, Labels]:
    table, labels = _table(probabilities, y, "probabilities")
    if not (table.min() >= -_ROUNDING and table.max() <= 1 + _ROUNDING):  # NaN fails both
        raise ValueError(f"probabilities: expected numbers in [0, 1], got {table.min()} to {table.max()}")
    return table, labels
