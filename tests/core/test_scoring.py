"""Accuracy and loss of models on rows, against plain loops; a stack scored at once, against one model after another."""

import math

import numpy as np
import pytest

from softmaxclf.core import blas
from softmaxclf.core.losses import LOSSES
from softmaxclf.core.model import CHUNK_ROWS, LinearModel
from softmaxclf.core.scoring import STACK_ROWS, Score, SplitRows, StackScorer, pooled, score_model
from softmaxclf.core.stages.fitting import FittingRows, fit_stages
from tests.core.stages_of import stages_of


def rows_and_labels(count=CHUNK_ROWS + 100):
    generator = np.random.default_rng(0)
    return generator.normal(size=(count, 6)).astype(np.float32), generator.integers(0, 3, count)


def model_of(seed, loss="softmax", temperature=1.0):
    generator = np.random.default_rng(seed)
    W, b = generator.normal(size=(6, 3)).astype(np.float32), generator.normal(size=3).astype(np.float32)
    return LinearModel(W, b, ("a", "b", "c"), loss=loss, temperature=temperature)


def split_of(X, y, rows=None):
    return SplitRows("validation", "here", X, y, rows)


def plain_loss(model, x, label):
    scores = [sum(float(v) * float(w) for v, w in zip(x, column, strict=True)) for column in model.W.T]
    scores = [score + float(bias) for score, bias in zip(scores, model.b, strict=True)]
    if model.loss == "hinge":
        return sum(max(0, each - scores[label] + 1) for k, each in enumerate(scores) if k != label)
    return math.log(sum(math.exp(each - scores[label]) for each in scores))


@pytest.mark.parametrize("loss", LOSSES)
def test_loss_and_labels_are_those_of_a_loop_over_the_rows(loss):
    X, y = rows_and_labels()
    model = model_of(1, loss)
    score = score_model(model, split_of(X, y))
    assert score.loss == pytest.approx(
        np.mean([plain_loss(model, *row) for row in zip(X, y, strict=True)]), 1e-5
    )
    np.testing.assert_array_equal(score.predicted, (X @ model.W + model.b).argmax(axis=1))
    np.testing.assert_array_equal(score.truth, y)


def test_chosen_rows_are_scored_with_their_own_labels_in_their_order():
    X, y = rows_and_labels()
    rows = np.array([600, 3, 3, 100])
    split = split_of(X, y, rows)
    score, copied = score_model(model_of(1), split), score_model(model_of(1), split_of(X[rows], y[rows]))
    np.testing.assert_array_equal(split.places, rows)
    np.testing.assert_array_equal(split.labels, y[rows])
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
    score = score_model(model_of(1), split_of(X, y, np.empty(0, np.int64)))
    assert math.isnan(score.accuracy) and len(score.correct) == 0


def test_scores_of_folds_are_pooled_by_their_rows():
    X, y = rows_and_labels(30)
    parts = [np.arange(10), np.arange(10, 30)]
    scores = [score_model(model_of(seed), split_of(X, y, rows)) for seed, rows in enumerate(parts)]
    together = pooled(scores)
    np.testing.assert_array_equal(together.truth, y)
    np.testing.assert_array_equal(together.predicted, np.concatenate([score.predicted for score in scores]))
    assert together.loss == pytest.approx((10 * scores[0].loss + 20 * scores[1].loss) / 30)
    assert "2 fold models" in together.note


# A stack at once

IMAGE = (3, 4, 6)
CLASSES = 4
STAGES = [
    {"center": center, "scale": scale, "mirror": mirror}
    for center in (False, True)
    for scale in ("none", "standardize", "unit-norm")
    for mirror in (None, IMAGE)
]


def images(count):
    """Rows that lie grouped by class, so that the means outside the folds differ."""
    generator = np.random.default_rng(4)
    y = np.arange(count) * CLASSES // count
    X = generator.integers(0, 200, (count, 72)) + 15 * y[:, None]
    return np.minimum(X, 255).astype(np.uint8), y


def stack_of(X, loss="softmax", folds=3, cells=2, **stages):
    """`cells` models for each of `folds` contiguous folds (0: none), each with the preprocessing of its fold."""
    rows = np.arange(len(X))
    groups = rows * folds // len(X) if folds else None
    fitted = fit_stages(stages_of(**stages), FittingRows(X, rows, groups, IMAGE))
    generator = np.random.default_rng(9)
    size = 1e-3 if stages.get("scale", "none") == "none" else 0.3
    models = []
    for preprocessing in fitted * cells:
        columns = 36 if stages.get("mirror") else 72
        W = (size * generator.normal(size=(columns, CLASSES))).astype(np.float32)
        b = generator.normal(size=CLASSES).astype(np.float32)
        models.append(LinearModel(W, b, ("a", "b", "c", "d"), preprocessing, IMAGE, loss))
    return models


def chunked(models, X, y, rows):
    """(right (G, n), losses (G, n)) of all chunks, which must follow each other and leave no row out."""
    parts, right, losses = zip(*StackScorer(models).chunks(X, y, rows), strict=True)
    assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
    assert parts[-1].stop == len(rows)
    return np.concatenate(right, axis=1), np.concatenate(losses, axis=1)


def losses_alone(model, X, y, rows):
    scores = model.preprocessing.apply(X[rows]) @ model.W.astype(float) + model.b
    return model.loss_function.of_rows(scores, y[rows])


@pytest.mark.parametrize("stages", STAGES, ids=lambda stages: "-".join(map(str, stages.values())))
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("folds", [0, 3])
def test_a_stack_scores_each_of_its_models_as_the_model_alone(folds, loss, stages):
    X, y = images(2 * STACK_ROWS + 70)
    models = stack_of(X, loss, folds, **stages)
    if folds and stages["center"]:
        assert not np.allclose(models[0].preprocessing.offset, models[1].preprocessing.offset, rtol=0.01)
    rows = np.random.default_rng(2).permutation(len(X))
    right, losses = chunked(models, X, y, rows)
    assert right.shape == losses.shape == (len(models), len(X)) and right.dtype == bool
    for place, model in enumerate(models):
        alone = score_model(model, split_of(X, y, rows))
        np.testing.assert_array_equal(right[place], alone.correct)
        assert losses[place].mean(dtype=np.float64) == pytest.approx(alone.loss, rel=1e-5)
        np.testing.assert_allclose(losses[place], losses_alone(model, X, y, rows), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [1, STACK_ROWS - 1, STACK_ROWS, STACK_ROWS + 1, 5 * STACK_ROWS + 3])
def test_a_stack_is_scored_alike_by_any_number_of_threads(count, threads, monkeypatch):
    X, y = images(5 * STACK_ROWS + 3)
    models = stack_of(X, scale="unit-norm")
    expected = chunked(models, X, y, np.arange(count))
    monkeypatch.setattr(blas, "threads", lambda: threads)
    for found, once in zip(chunked(models, X, y, np.arange(count)), expected, strict=True):
        assert found.tobytes() == once.tobytes()


def test_chosen_rows_of_a_stack_are_scored_with_their_own_labels_in_their_order():
    X, y = images(700)
    models = stack_of(X)
    rows = np.array([600, 3, 3, 100])
    right, losses = chunked(models, X, y, rows)
    for place, model in enumerate(models):
        np.testing.assert_array_equal(right[place], model.predict(X[rows]) == y[rows])
        np.testing.assert_allclose(losses[place], losses_alone(model, X, y, rows), rtol=1e-4)
    assert list(StackScorer(models).chunks(X, y, rows[:0])) == []


@pytest.mark.parametrize("loss", LOSSES)
def test_a_model_whose_scores_leave_float32_has_no_finite_loss_and_leaves_the_others_alone(loss):
    X, y = images(300)
    models = stack_of(X, loss, center=False, scale="none")
    rows = np.arange(300)
    right, losses = chunked(models, X, y, rows)
    W = np.tile(1e38 * np.arange(CLASSES, dtype=np.float32) / CLASSES, (72, 1))
    diverged = LinearModel(W, models[0].b, models[0].class_names, models[0].preprocessing, IMAGE, loss)
    other_right, other_losses = chunked([diverged, *models[1:]], X, y, rows)
    assert not np.isfinite(other_losses[0]).any()
    np.testing.assert_array_equal(other_right[1:], right[1:])
    np.testing.assert_allclose(other_losses[1:], losses[1:], rtol=1e-6)
