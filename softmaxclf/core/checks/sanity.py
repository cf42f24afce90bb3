"""Sanity checks before training, as courses teach them: each says what was expected and what was found.

They ask a subject's loss in its classic form, in which all of W is regularized.
Source: CS231n notes, "Before learning: sanity checks tips/tricks" and "Ratio of weights:updates".
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from softmaxclf.core.checks.gradcheck import TOLERANCE, Check, relative_error, rounding
from softmaxclf.core.checks.selfcheck import NAIVE, Subject
from softmaxclf.core.losses import LOSSES
from softmaxclf.core.losses.loss import Array
from softmaxclf.core.search import stable_learning_rate

MOST_ROWS = 500
OVERFITTED, ITERATIONS, TARGET = 20, 3000, 0.01  # rows, descent steps, the loss that they must reach
INDEPENDENT = 0.05  # of a row's size that the rows before it must leave unexplained
FIRST_STEP, LIMITS = 1e-3, (1e-4, 1e-1)  # of the weights' size: the ideal first step, and what is healthy


def sanity_checks(subject: Subject) -> list[Check]:
    """All checks of this file, on the first rows."""
    first = replace(subject, X=subject.X[:MOST_ROWS], y=subject.y[:MOST_ROWS])
    return [each(first) for each in (loss_at_zero, regularization, overfit, update_ratio)]


def _check(name: str, expected: str, found: float, passed: bool, told: str = "") -> Check:
    return Check("sanity", name, expected, f"{found:.6g}{told}", found, bool(passed))


def loss_at_zero(subject: Subject) -> Check:
    """At W = 0, without regularization, all scores are equal and the loss must be what it is then."""
    known, K = LOSSES.load(subject.loss), subject.W.shape[1]
    expected = known.at_zero(K)
    found = subject.classical(np.zeros_like(subject.W), subject.X, subject.y, 0.0)[0]
    text = f"{known.at_zero_formula.format(K=K)} = {expected:.6g}"
    return _check("loss at W = 0", text, found, relative_error(found, expected, 1.0) <= TOLERANCE)


def regularization(subject: Subject) -> Check:
    """Twice the regularization must raise the loss, by 0.5 reg ||W||^2; found is by how much it rose."""
    W, X, y, reg = subject.W, subject.X, subject.y, subject.regularization
    expected = 0.5 * reg * float(np.square(W).sum())
    before, after = (subject.classical(W, X, y, strength)[0] for strength in (reg, 2 * reg))
    close = relative_error(after - before, expected, rounding(after) / TOLERANCE) <= TOLERANCE
    text = f"+{expected:.6g}"
    return _check("more regularization raises the loss", text, after - before, after > before and close)


def overfit(subject: Subject) -> Check:
    """Plain full-batch gradient descent without regularization must fit OVERFITTED rows almost exactly.

    Taken are the first rows that do not follow from those before them (at most D + 1), for so many can be
    separated whatever their labels. They are centered and scaled together and get a column of ones. The step is
    `stable_learning_rate`; found is the last loss.
    """
    chosen = independent_rows(subject.X[:, :-1], OVERFITTED)
    features = subject.X[chosen]
    features[:, :-1] -= features[:, :-1].mean(axis=0)
    features[:, :-1] /= math.sqrt(float(np.mean(np.square(features[:, :-1])))) or 1.0
    W, rate = np.zeros_like(subject.W), stable_learning_rate(features[:, :-1], 0.0)
    for _ in range(ITERATIONS):
        found, dW = subject.classical(W, features, subject.y[chosen], 0.0)
        if found < TARGET or not math.isfinite(found):
            break
        W -= rate * dW
    name = f"{len(chosen)} rows can be overfitted"
    return _check(name, f"loss below {TARGET:g}", found, found < TARGET)


def update_ratio(subject: Subject) -> Check:
    """learning_rate ||dW|| / ||W|| of the first step from small random W: about FIRST_STEP in a healthy start.

    The learning rate is the one that, by the gradient of the naive loops, makes it so. Within LIMITS it passes;
    below them training crawls, above them it jumps.
    """
    arguments = subject.W, subject.X, subject.y, subject.regularization
    size = float(np.linalg.norm(subject.W))
    rate = FIRST_STEP * size / float(np.linalg.norm(NAIVE[subject.loss](*arguments)[1]))
    found = rate * float(np.linalg.norm(subject.classical(*arguments)[1])) / size
    low, high = LIMITS
    expected = f"{low:g} to {high:g}, ideally about {FIRST_STEP:g}"
    name = "update-to-weight ratio of the first step"
    return _check(name, expected, found, low <= found <= high, f" at rate {rate:.2g}")


def independent_rows(X: Array, most: int) -> list[int]:
    """Indices of the first rows of X (N, D), at most `most`, of which none is an affine combination of the others.

    One is taken when what the rows before it leave of its distance from the first row, the last diagonal entry of a
    QR decomposition, is more than INDEPENDENT of that distance.
    """
    chosen = [0]
    for place in range(1, len(X)):
        if len(chosen) >= min(most, X.shape[1] + 1):
            break
        steps = (X[[*chosen[1:], place]] - X[0]).T
        triangle: Any = np.linalg.qr(steps, mode="r")
        if abs(triangle[-1, -1]) > INDEPENDENT * float(np.linalg.norm(steps[:, -1])):
            chosen.append(place)
    return chosen
