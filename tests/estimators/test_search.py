"""Cross-validation in one stack gives what training each cell and fold by itself gives."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, StratifiedKFold

from softmaxclf import SoftmaxClassifier, SoftmaxClassifierCV
from tests.estimators.data import blobs

STRENGTHS = (1e-4, 1e-2, 1.0)


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_the_folds_of_a_stack_score_as_those_of_a_grid_search(metric):
    X, y = blobs(120)
    cv = StratifiedKFold(4, shuffle=True, random_state=0)
    found = SoftmaxClassifierCV(regularizations=STRENGTHS, cv=cv, metric=metric).fit(X, y)
    scoring = {"accuracy": "accuracy", "loss": "neg_log_loss"}[metric]
    grid = GridSearchCV(
        SoftmaxClassifier(), {"regularization": STRENGTHS}, cv=cv, scoring=scoring, return_train_score=True
    ).fit(X, y)
    for name, values in grid.cv_results_.items():
        assert name in found.cv_results_
        if name.endswith("_score") and "time" not in name:
            np.testing.assert_allclose(found.cv_results_[name], values, atol=1e-5, err_msg=name)
    assert found.best_params_ == grid.best_params_ and found.best_index_ == grid.best_index_
    assert found.best_score_ == pytest.approx(grid.best_score_, abs=1e-5)
    assert found.scores_.shape == (4, 3)


def test_the_winner_is_trained_on_all_rows():
    X, y = blobs()
    found = SoftmaxClassifierCV(regularizations=STRENGTHS).fit(X, y)
    alone = SoftmaxClassifier(**found.best_params_).fit(X, y)
    np.testing.assert_array_equal(found.coef_, alone.coef_)
    assert set(found.best_params_) == {"regularization"}


def test_a_grid_of_learning_rates_is_searched_by_descent():
    X, y = blobs()
    found = SoftmaxClassifierCV(learning_rates=(1e-3, 0.1), regularizations=STRENGTHS, iterations=60).fit(
        X, y
    )
    assert set(found.best_params_) == {"learning_rate", "regularization"}
    assert found.scores_.shape == (5, 6) and found.cv_results_["rank_test_score"].min() == 1
    assert found.best_params_["learning_rate"] == 0.1


def test_whole_weights_are_repeated_rows_in_every_score():
    X, y = blobs()
    weights = np.random.default_rng(2).integers(0, 4, len(X))
    fold = np.arange(len(X)) % 3

    def splits(fold):
        return [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(3)]

    found, repeated = (
        SoftmaxClassifierCV(regularizations=STRENGTHS, cv=splits(fold)).fit(X, y, sample_weight=weights),
        SoftmaxClassifierCV(regularizations=STRENGTHS, cv=splits(fold.repeat(weights))).fit(
            X.repeat(weights, axis=0), y.repeat(weights)
        ),
    )
    np.testing.assert_allclose(found.scores_, repeated.scores_, rtol=1e-12)
    np.testing.assert_allclose(found.coef_, repeated.coef_, rtol=1e-8)


def test_cells_that_diverge_have_no_scores_and_the_last_rank():
    X, y = blobs()
    found = SoftmaxClassifierCV(learning_rates=(0.1, 1e30), regularizations=(0.01,), iterations=40, cv=2)
    found.fit(X, y)
    assert np.isnan(found.scores_[:, 1]).all() and found.cv_results_["rank_test_score"].tolist() == [1, 2]
    with pytest.raises(ValueError, match="all 1 cells diverged: the learning rates are too large"):
        SoftmaxClassifierCV(learning_rates=(1e30,), regularizations=(0.01,), cv=2).fit(X, y)


@pytest.mark.parametrize(
    ("cv", "said"),
    [
        (1, "cv: expected at least 2 folds, got 1"),
        (1000, "expected at most the 90 training rows, got 1000"),
        (ShuffleSplit(3), "cv: expected folds that hold out each row once"),
        ([], "cv: expected folds that hold out each row once"),
        ([(np.arange(45), np.arange(45, 90))], "cv: expected folds that hold out each row once"),
        ([(np.arange(80), np.arange(40, 90))], "cv: expected folds that hold out each row once"),
    ],
    ids=str,
)
def test_splits_that_are_no_folds_are_refused(cv, said):
    with pytest.raises(ValueError, match=said):
        SoftmaxClassifierCV(cv=cv).fit(*blobs())


def test_the_draw_of_the_folds_follows_the_random_state():
    X, y = blobs()
    settings = {"regularizations": STRENGTHS, "cv": 3}
    first, same, other = (
        SoftmaxClassifierCV(**settings, random_state=seed).fit(X, y).scores_ for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()
    assert SoftmaxClassifierCV(**settings | {"cv": KFold(3)}).fit(X, y).scores_.shape == (3, 3)
