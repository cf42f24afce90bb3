"""A folded model against the plain formulas of the model that it is made of."""

from dataclasses import replace

import numpy as np
import pytest

from softmaxclf import fit
from softmaxclf.core.folding import SINGLE, FoldedModel, unfoldable
from softmaxclf.core.images import as_rows
from softmaxclf.core.model import LinearModel
from softmaxclf.core.stages.fitting import FittingRows, fit_stages
from softmaxclf.core.stages.stage import Preprocessing, Reading
from tests.core.stages_of import stages_of

SHAPES = [(3, 4, 6), (2, 3, 5)]
VARIANTS = [
    (center, scale, mirror)
    for center in (False, True)
    for scale in ("none", "standardize", "unit-norm")
    for mirror in (False, True)
]


def made(shape, center, scale, mirror):
    """(model with weights in float64, rows)"""
    generator = np.random.default_rng(0)
    X = generator.integers(0, 256, (50, int(np.prod(shape)))).astype(np.uint8)
    stages = stages_of(center=center, scale=scale, mirror=shape if mirror else None)
    fitted = fit_stages(stages, FittingRows(X, np.arange(50), image_shape=shape))[0]
    W = generator.standard_normal((fitted.apply(X).shape[1], 4))
    return LinearModel(W, generator.standard_normal(4), tuple("abcd"), fitted, shape), X


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("center", "scale", "mirror"), VARIANTS)
@pytest.mark.parametrize("single", [False, True])
def test_folding_changes_no_score(shape, center, scale, mirror, single):
    model, X = made(shape, center, scale, mirror)
    folded = FoldedModel.of(model, single=single)
    expected = model.preprocessing.apply(X) @ model.W + model.b
    np.testing.assert_allclose(folded.scores(X), expected, rtol=1e-9, atol=1e-9)
    assert folded.W.shape == (X.shape[1], 4)
    assert folded.unit is (scale == "unit-norm") and (folded.reflection is not None) is (
        folded.unit and mirror
    )
    assert (folded.center is None) or folded.unit or single


def test_a_row_that_is_all_center_has_the_bias_for_scores():
    model, X = made((3, 4, 6), False, "unit-norm", False)
    np.testing.assert_allclose(FoldedModel.of(model).scores(0 * X[:1])[0], model.b)


def test_no_rows_have_no_scores():
    model, X = made((3, 4, 6), True, "none", False)
    assert FoldedModel.of(model).scores(X[:0]).shape == (0, 4)


def test_columns_far_from_zero_stay_centered_where_float32_would_lose_their_digits():
    offset = np.array([1e9, 0.5])
    near = Preprocessing(offset * [0, 1], np.ones(2))
    for preprocessing, kept in ((Preprocessing(offset, np.ones(2)), True), (near, False)):
        folded = FoldedModel.of(LinearModel(np.eye(2), np.zeros(2), ("a", "b"), preprocessing), single=True)
        assert (folded.center is not None) is kept
    model = LinearModel(np.eye(2), np.zeros(2), ("a", "b"), Preprocessing(offset, np.ones(2)))
    folded = FoldedModel.of(model, single=True)
    x = np.array([[1e9 + 64, 1.5]], np.float32)  # what float32 can hold
    single = (x - folded.center.astype(np.float32)) @ folded.W.astype(np.float32) + folded.b.astype(
        np.float32
    )
    assert np.abs(single - model.preprocessing.apply(x)).max() < SINGLE


@pytest.mark.parametrize(
    ("center", "scale", "mirror", "steps"),
    [
        (True, "standardize", True, ["scores = x @ W + b"]),
        (False, "unit-norm", False, ["x = x / |x|, row by row, 0 where |x| is 0", "scores = x @ W + b"]),
        (True, "unit-norm", True, ["x = (x + x[:, reflection]) / 2", "x = x - center", "x = x / |x|, row by row, 0 "
                                   "where |x| is 0", "scores = x @ W + b"]),
    ],
)  # fmt: skip
def test_the_formula_says_the_steps(center, scale, mirror, steps):
    model, _ = made((3, 4, 6), center, scale, mirror)
    assert FoldedModel.of(model).formula.split("; ") == steps


@pytest.mark.parametrize("scale", ["none", "standardize", "unit-norm"])
def test_the_scores_of_patch_features_are_those_of_the_model(scale, monkeypatch):
    monkeypatch.setattr("softmaxclf.core.stages.patches.dictionary.PATCHES", 500)
    X = np.random.default_rng(0).integers(0, 256, (30, 8, 9, 3)).astype(np.uint8)
    features = {"kind": "patches", "filters": 4, "patch": 3, "scales": [1, 2]}
    model = fit(X, np.arange(30) % 3, features=features, scale=scale, mirror=True, regularization=0.1)
    rows, _ = as_rows(X)
    folded = FoldedModel.of(model)
    features = model.preprocessing.apply(rows)
    np.testing.assert_allclose(folded.scores(rows), features @ model.W + model.b, rtol=1e-9, atol=1e-9)
    assert folded.formula.startswith("x = patch features of x; ") and folded.reflection is None


class Squares(Reading):
    name, width = "squares", 72


def test_what_is_no_linear_map_is_refused_with_its_name():
    model, _ = made((3, 4, 6), False, "none", False)
    with pytest.raises(ValueError, match="expected stages that are linear, found squares"):
        FoldedModel.of(replace(model, preprocessing=Preprocessing(reading=(Squares(),))))
    assert "unit norm of rows as they are" in unfoldable(
        Preprocessing(scale=np.full(72, 2.0), unit_norm=True)
    )
