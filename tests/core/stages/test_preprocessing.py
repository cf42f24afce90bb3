"""Fitted offsets and scales against NumPy's mean and standard deviation of the rows concerned."""

import numpy as np
import pytest

from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.fitting import FittingRows, Moments, fit_stages, gather
from softmaxclf.core.stages.mirror import Mirror
from softmaxclf.core.stages.stage import Preprocessing
from softmaxclf.errors import DataError
from tests.core.stages_of import stages_of

SHAPE = (3, 4, 6)
SCALES = ["none", "standardize", "unit-norm"]


def pixels(count=700, columns=72, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, columns)).astype(np.uint8)


def floats(count=700, columns=20, dtype=np.float32):
    generator = np.random.default_rng(3)
    spread = np.geomspace(1e-3, 1e3, columns)
    return (generator.normal(size=(count, columns)) * spread + 2 * spread).astype(dtype)


def flipped(X, shape=SHAPE):
    return X.reshape(len(X), *shape)[..., ::-1].reshape(len(X), -1)


def folded(X, shape=SHAPE):
    images = X.astype(np.float64).reshape(len(X), -1, shape[2])
    return (images + images[..., ::-1])[..., : shape[2] // 2].reshape(len(X), -1)


def fit(X, rows=None, groups=None, *, mirror=None, center=True, scale="standardize"):
    rows = np.arange(len(X)) if rows is None else rows
    stages = stages_of(center=center, scale=scale, mirror=mirror)
    return fit_stages(stages, FittingRows(X, rows, groups, mirror))


def folds_of(rows, folds):
    return np.random.default_rng(5).permutation(np.arange(len(rows)) % folds).astype(np.int16)


@pytest.mark.parametrize("folds", [None, 2, 5])
def test_pixels_are_fitted_on_the_rows_outside_each_fold_and_no_others(folds):
    X = pixels()
    rows = np.random.default_rng(1).permutation(700)[:641]
    groups = None if folds is None else folds_of(rows, folds)
    fitted = fit(X, rows, groups)
    assert len(fitted) == (folds or 1)
    for fold, each in enumerate(fitted):
        kept = X[rows if groups is None else rows[groups != fold]].astype(np.float64)
        # Sums of whole numbers are exact, so the means are the correctly rounded quotients.
        np.testing.assert_array_equal(each.offset, kept.sum(axis=0) / len(kept))
        np.testing.assert_allclose(each.scale, kept.std(axis=0), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("folds", [None, 3])
def test_float_features_are_fitted_to_six_digits_of_their_spread(dtype, folds):
    X = floats(dtype=dtype)
    rows = np.arange(0, 700, 2)
    groups = None if folds is None else folds_of(rows, folds)
    for fold, each in enumerate(fit(X, rows, groups)):
        kept = X[rows if groups is None else rows[groups != fold]].astype(np.float64)
        deviation = kept.std(axis=0)
        np.testing.assert_allclose((each.offset - kept.mean(axis=0)) / deviation, 0, atol=1e-6)
        np.testing.assert_allclose(each.scale, deviation, rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-12, 1e-6, 1.0, 1e6, 1e12])
def test_standardizing_does_not_depend_on_the_unit_of_a_feature(unit):
    X = np.random.default_rng(0).normal(loc=0.3, size=(300, 5))
    scaled = (X * unit).astype(np.float32)
    features = fit(scaled)[0].apply(scaled)
    np.testing.assert_allclose(features.std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-5)


@pytest.mark.parametrize("unit", [1e-22, 1e22])
def test_a_deviation_whose_square_leaves_float32_is_refused(unit):
    X = np.random.default_rng(0).normal(size=(300, 3))
    X[:, 1] *= unit
    with pytest.raises(
        DataError, match=r"feature 1 .*from 1e-18 to 1e\+18, found [\d.]+e[-+]2[123]; multiply"
    ):
        fit(X.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("folds", [None, 3])
def test_a_constant_column_is_divided_by_one_and_becomes_zero(dtype, folds):
    values = np.arange(1, 200) if dtype == np.uint8 else np.geomspace(1e-7, 1e7, 199)
    X = np.tile(np.concatenate([[0], values]), (1000, 1)).astype(dtype)
    groups = None if folds is None else folds_of(X, folds)
    for each in fit(X, groups=groups):
        np.testing.assert_array_equal(each.scale, 1)
        assert np.abs(each.apply(X[:3])).max() <= 1e-6 * max(1.0, float(X.max()))


def test_a_column_that_is_constant_outside_one_fold_is_divided_by_one_there_only():
    X = np.full((12, 1), 7, np.uint8)
    X[:3, 0] = [1, 5, 9]
    groups = np.repeat([0, 1, 2, 3], 3)
    scales = [each.scale[0] for each in fit(X, groups=groups)]
    assert scales[0] == 1
    for fold in (1, 2, 3):
        assert scales[fold] == pytest.approx(X[groups != fold].astype(float).std(), rel=1e-12)


@pytest.mark.parametrize("height", [1e-6, 1.0, 3e6])
def test_a_peak_in_one_fold_is_not_mistaken_for_spread_outside_it(height):
    X = np.zeros((3000, 1), np.float32)
    X[:1000, 0] = height * (1 + np.arange(1000) / 7)
    scales = [each.scale[0] for each in fit(X, groups=np.repeat([0, 1, 2], 1000))]
    assert scales[0] == 1
    assert scales[1] == pytest.approx(X[np.r_[:1000, 2000:3000]].astype(float).std(), rel=1e-6)


@pytest.mark.parametrize("folds", [None, 3])
def test_mirror_moments_are_those_of_the_data_doubled_by_their_mirror_images(folds):
    X = pixels(500)
    doubled = np.concatenate([X, flipped(X)])
    groups = None if folds is None else folds_of(X, folds)
    twice = None if groups is None else np.concatenate([groups, groups])
    for fold, each in enumerate(fit(X, groups=groups, mirror=SHAPE)):
        kept = doubled if twice is None else doubled[twice != fold]
        np.testing.assert_allclose(each.offset, folded(kept.mean(axis=0)[None])[0], rtol=1e-12)
        np.testing.assert_allclose(each.scale, folded(kept).std(axis=0), rtol=1e-12)


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("mirror", [None, SHAPE])
def test_apply_is_the_plain_formula(center, scale, mirror):
    X = pixels(50)
    fitted = fit(X, mirror=mirror, center=center, scale=scale)[0]
    expected = X.astype(np.float64) if mirror is None else folded(X)
    deviation = expected.std(axis=0)
    if center:
        expected = expected - expected.mean(axis=0)
    if scale == "standardize":
        expected = expected / deviation
    elif mirror is not None:
        expected = expected / np.sqrt(2)
    if scale == "unit-norm":
        expected = expected / np.sqrt((expected**2).sum(axis=1))[:, None]
    np.testing.assert_allclose(fitted.apply(X), expected, rtol=1e-9, atol=1e-9)


def test_a_single_row_gives_one_row_of_features():
    X = pixels(50)
    fitted = fit(X)[0]
    np.testing.assert_array_equal(fitted.apply(X[4]), fitted.apply(X)[4:5])


def test_nothing_is_fitted_when_nothing_is_asked_for():
    assert fit(pixels(9), center=False, scale="none") == [Preprocessing()]
    (mirrored,) = fit(pixels(9), mirror=SHAPE, center=False, scale="none")
    assert mirrored.offset is None and mirrored.reading == (Mirror(SHAPE),)
    np.testing.assert_array_equal(mirrored.scale, Mirror(SHAPE).scale)
    assert len(fit(pixels(9), groups=np.arange(9) % 3, center=False, scale="unit-norm")) == 3


@pytest.mark.parametrize("mirror", [None, SHAPE])
@pytest.mark.parametrize("center", [False, True])
def test_inverse_norms_are_one_over_the_length_of_the_features_before_scaling_to_it(mirror, center):
    X = pixels(30)
    fitted = fit(X, mirror=mirror, center=center, scale="unit-norm")[0]
    reader = RowReader(X, () if mirror is None else (Mirror(mirror),))
    Z = reader.read(slice(None), np.empty((30, reader.columns), np.float32))
    features = X.astype(np.float64) if mirror is None else folded(X)
    features = features - features.mean(axis=0) if center else features
    features = features if mirror is None else features / np.sqrt(2)
    np.testing.assert_allclose(fitted.inverse_norms(Z), 1 / np.linalg.norm(features, axis=1), rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(fitted.apply(X), axis=1), 1, rtol=1e-12)


def test_unit_norm_leaves_a_row_of_zeros_as_it_is():
    X = np.concatenate([np.zeros((1, 72), np.uint8), pixels(3)])
    fitted = fit(X, center=False, scale="unit-norm")[0]
    assert not fitted.apply(X)[0].any()
    assert fitted.inverse_norms(X.astype(np.float32))[0] == 0
    np.testing.assert_allclose(np.linalg.norm(fitted.apply(X)[1:], axis=1), 1)


def test_unit_norm_of_a_short_row_is_as_long_as_that_of_a_long_one():
    X = np.array([[3.0, 4.0], [3e-20, 4e-20], [3e15, 4e15]], np.float32)
    fitted = fit(X, center=False, scale="unit-norm")[0]
    np.testing.assert_allclose(fitted.apply(X), [[0.6, 0.8]] * 3, rtol=1e-6)
    np.testing.assert_allclose(X * fitted.inverse_norms(X)[:, None], [[0.6, 0.8]] * 3, rtol=1e-6)


def test_rows_outside_the_training_rows_are_never_looked_at():
    X = floats(100)
    rows = np.arange(60)
    before = fit(X, rows)[0]
    X[60:] = np.nan
    after = fit(X, rows)[0]
    np.testing.assert_array_equal(before.offset, after.offset)
    np.testing.assert_array_equal(before.scale, after.scale)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("mirror", [None, SHAPE])
@pytest.mark.parametrize("folds", [None, 3])
def test_moments_gathered_while_the_rows_are_read_are_those_of_a_reading_of_their_own(folds, mirror, dtype):
    X = pixels().astype(dtype)
    rows = np.random.default_rng(1).permutation(700)[:641]
    groups = None if folds is None else folds_of(rows, folds)
    reading = () if mirror is None else (Mirror(mirror),)
    gathered = Moments(X, rows, groups, reading, squares=True)
    for start in range(0, 700, 90):
        gathered.add(start, min(start + 90, 700))
    stages = stages_of(scale="standardize", mirror=mirror)
    found = fit_stages(stages, FittingRows(X, rows, groups, mirror, gathered=gathered))
    for own, other in zip(found, fit(X, rows, groups, mirror=mirror), strict=True):
        np.testing.assert_allclose(own.offset, other.offset, rtol=1e-12)
        np.testing.assert_allclose(own.scale, other.scale, rtol=1e-9)


@pytest.mark.parametrize("folds", [None, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_whole_weights_are_repeated_rows(folds, dtype):
    X = pixels().astype(dtype)
    weights = np.random.default_rng(2).integers(1, 5, len(X))
    groups = None if folds is None else folds_of(np.arange(len(X)), folds)
    rows = FittingRows(X, np.arange(len(X)), groups, weights=weights.astype(float))
    stages = stages_of(center=True, scale="standardize", mirror=None)
    gathered = gather(stages, rows)
    for start in range(0, len(X), 100):
        gathered[0](start, min(start + 100, len(X)))
    expected = fit(X.repeat(weights, axis=0), groups=None if groups is None else groups.repeat(weights))
    for found, other in zip(fit_stages(stages, rows), expected, strict=True):
        np.testing.assert_allclose(found.offset, other.offset, rtol=1e-12)
        np.testing.assert_allclose(found.scale, other.scale, rtol=1e-7 if dtype == np.float32 else 1e-12)
