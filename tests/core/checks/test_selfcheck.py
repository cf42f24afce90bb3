import numpy as np
import pytest

from softmaxclf.core.checks.selfcheck import (
    loop_checks,
    make_subject,
    small_subject,
)
from softmaxclf.core.losses.softmax import softmax_loss_vectorized, with_bias

K = 4


@pytest.fixture
def features():
    generator = np.random.default_rng(2)
    X = generator.normal(size=(60, 30))
    X[:, ::2] = 0
    return X


@pytest.fixture
def labels():
    return np.arange(60) % K


@pytest.mark.parametrize("scale", [1e-3, 1, 1e3])
def test_drawn_weights_make_scores_of_about_1_and_a_balanced_penalty(features, labels, scale):
    subject = make_subject(scale * features, labels, K, loss="softmax", seed=0)
    assert 0.3 < np.std(subject.X[:, :-1] @ subject.W[:-1]) < 3
    slope = softmax_loss_vectorized(subject.W, subject.X, labels, 0)[1][:-1]
    ratio = subject.regularization * np.linalg.norm(subject.W[:-1]) / np.linalg.norm(slope)
    assert ratio == pytest.approx(1, abs=0.6)
    assert (subject.X[:, -1] == 1).all()


def test_a_small_subject_has_few_features_and_none_that_is_zero(features, labels):
    subject = make_subject(features, labels, K, loss="hinge", seed=0)
    small = small_subject(subject)
    assert small.X.shape == (20, 13)
    assert small.X[:, :-1].any(axis=0).all()
    assert small.objective is subject.objective


def test_loops_and_vectorized_agree_and_a_lost_penalty_is_seen(features, labels):
    right = make_subject(features, labels, K, loss="softmax", seed=0)
    assert [check.passed for check in loop_checks(right)] == [True, True]
    forgetful = with_bias(lambda W, X, y, reg: softmax_loss_vectorized(W, X, y, 0))
    wrong = make_subject(features, labels, K, loss="softmax", seed=0, objective=forgetful)
    assert {check.times["loss"]: check.passed for check in loop_checks(wrong)} == {
        "softmax": False,
        "hinge": True,
    }
