"""Rows and labels of the estimators' tests."""

import numpy as np


def blobs(count=90, features=4, classes=3, seed=0, dtype=np.float64):
    """Classes that overlap, on columns of very different scales."""
    generator = np.random.default_rng(seed)
    y = np.arange(count) % classes
    X = generator.standard_normal((count, features)) + 1.5 * np.eye(classes, features)[y]
    return (X * 10.0 ** np.arange(features) + 5).astype(dtype), y


def same_scores(first, second, X, tolerance):
    """Whether both give every row the same scores, as far as scores matter: up to what all classes share."""
    scores = [np.atleast_2d(each.decision_function(X)) for each in (first, second)]
    scores = [each - each.mean(axis=1, keepdims=True) for each in scores]
    np.testing.assert_allclose(*scores, rtol=0, atol=tolerance * max(1, np.abs(scores[1]).max()))
