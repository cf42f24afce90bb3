"""Accuracy and loss of models on rows, against plain loops."""

import math

import numpy as np
import pytest

from softmaxclf.core.model import CHUNK_ROWS, LinearModel
from softmaxclf.core.scoring import Score, score_models


def rows_and_labels(count=CHUNK_ROWS + 100):
    generator = np.random.default_rng(0)
    return generator.normal(size=(count, 6)).astype(np.float32), generator.integers(0, 3, count)


def model_of(seed, loss="softmax", temperature=1.0):
    generator = np.random.default_rng(seed)
    W, b = generator.normal(size=(6, 3)).astype(np.float32), generator.normal(size=3).astype(np.float32)
    return LinearModel(W, b, ("a", "b", "c"), loss=loss, temperature=temperature)


def plain_loss(model, x, label):
    scores = [sum(float(v) * float(w) for v, w in zip(x, column, strict=True)) for column in model.W.T]
    scores = [score + float(bias) for score, bias in zip(scores, model.b, strict=True)]
    if model.loss == "hinge":
        return sum(max(0, each - scores[label] + 1) for k, each in enumerate(scores) if k != label)
    return math.log(sum(math.exp(each - scores[label]) for each in scores))


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_loss_and_labels_are_those_of_a_loop_over_the_rows(loss):
    X, y = rows_and_labels()
    model = model_of(1, loss)
    (score,) = score_models([model], X, y)
    assert score.loss == pytest.approx(
        np.mean([plain_loss(model, *row) for row in zip(X, y, strict=True)]), 1e-5
    )
    np.testing.assert_array_equal(score.predicted, (X @ model.W + model.b).argmax(axis=1))
    np.testing.assert_array_equal(score.truth, y)


def test_models_of_different_losses_are_scored_each_by_its_own_in_one_pass():
    X, y = rows_and_labels()
    models = [model_of(1), model_of(2, "hinge"), model_of(1, "hinge")]
    for together, model in zip(score_models(models, X, y), models, strict=True):
        (alone,) = score_models([model], X, y)
        assert together.loss == alone.loss
        np.testing.assert_array_equal(together.predicted, alone.predicted)


def test_chosen_rows_are_scored_with_their_own_labels_in_their_order():
    X, y = rows_and_labels()
    rows = np.array([600, 3, 3, 100])
    (score,) = score_models([model_of(1)], X, y, rows)
    (copied,) = score_models([model_of(1)], X[rows], y[rows])
    np.testing.assert_array_equal(score.truth, y[rows])
    np.testing.assert_array_equal(score.predicted, copied.predicted)
    assert score.loss == pytest.approx(copied.loss, rel=1e-6)


def test_the_summary_states_count_share_interval_and_rows():
    score = Score(np.zeros(100, np.int64), np.repeat([0, 1], [40, 60]), 1.25)
    summary = score.summary()
    assert {"accuracy": 0.4, "loss": 1.25, "rows": 100, "correct": 40}.items() <= summary.items()
    # Wilson, by hand: (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n), z = 1.959964
    assert summary["interval"] == pytest.approx([0.309401, 0.498006], abs=1e-5)
    assert "note" not in summary
    assert Score(score.truth, score.predicted, 1.25, "pooled").summary()["note"] == "pooled"


def test_no_rows_give_no_accuracy_rather_than_a_perfect_one():
    X, y = rows_and_labels()
    (score,) = score_models([model_of(1)], X, y, np.empty(0, np.int64))
    assert math.isnan(score.accuracy) and len(score.correct) == 0
