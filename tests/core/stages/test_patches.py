"""Patch features: a plain loop over patches, mirror images, evidence, blocks, and files that lie."""

import numpy as np
import pytest

from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.codes import Codes
from softmaxclf.core.stages.patches.dictionary import Recipe, learn, omp1, sample, whitening
from softmaxclf.core.stages.patches.excitation import Response, exciting, importance, speaking, weights_of
from softmaxclf.core.stages.patches.regions import grid_shares, shares
from softmaxclf.core.stages.patches.stage import Patches
from softmaxclf.core.stages.stage import Preprocessing
from softmaxclf.errors import ConfigError

SHAPES = [(3, 14, 14), (1, 13, 17), (3, 12, 25)]
RECIPE = Recipe((8,), 4, (1, 2), 0.25, 2, 1000.0, 0.1, 0)


@pytest.fixture(autouse=True)
def few_patches(monkeypatch):
    monkeypatch.setattr("softmaxclf.core.stages.patches.dictionary.PATCHES", 2000)


def images(shape, count=24, seed=0):
    """Blocks of colour with noise: neighbouring pixels are alike, as in pictures."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (count, shape[0], -(-shape[1] // 4), -(-shape[2] // 4)))
    fine = np.kron(coarse, np.ones((4, 4), np.int64))[:, :, : shape[1], : shape[2]]
    return np.clip(fine + generator.integers(-20, 21, fine.shape), 0, 255).astype(np.uint8).reshape(count, -1)


def learned(shape, **changes):
    X = images(shape)
    return X, learn(X, np.arange(len(X)), shape, RECIPE._replace(**changes))


def by_loops(stage, x):
    """The features of one image, patch by patch, in float64; every filter and its mirror image one after the other."""
    image, found = x.reshape(stage.shape).astype(float), []
    for scale in stage.scales:
        s, p = scale.factor, stage.patch
        height, width = stage.shape[1] // s, stage.shape[2] // s
        rows, columns = shares(stage.shape[1], height), shares(stage.shape[2], width)
        small = np.array([rows @ plane @ columns.T for plane in image])
        n, m = height - p + 1, width - p + 1
        G = scale.G.astype(float)
        own = G[:-1].reshape(stage.shape[0], p, p, -1)
        both = [G, np.vstack([own[:, :, ::-1].reshape(len(G) - 1, -1), G[-1:]])]
        views = []
        for filters in both:
            activations = np.zeros((2, filters.shape[1], n, m))
            for i in range(n):
                for j in range(m):
                    patch = small[:, i : i + p, j : j + p].ravel()
                    normalized = patch / np.sqrt(patch.var() + stage.contrast)
                    z = np.append(normalized, 1) @ filters
                    activations[0, :, i, j] = np.maximum(z - stage.threshold, 0)
                    activations[1, :, i, j] = np.maximum(-z - stage.threshold, 0)
            down, across = shares(n, stage.pooling), shares(m, stage.pooling)
            views.append(np.einsum("ai,bj,smij->smab", down, across, activations))
        if stage.fold:  # a feature and the one of the mirror filter in the mirrored region
            views = [(views[0] + views[1][..., ::-1]) / np.sqrt(2)]
        found += [view.ravel() for view in views]
    return np.concatenate(found)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fold", [False, True])
def test_features_are_those_of_a_loop_over_all_patches(shape, fold):
    X, stage = learned(shape, fold=fold)
    found = RowReader(X[:3], (stage,), np.float64).all()
    assert stage.columns == found.shape[1] == len(stage.names()) == len(set(stage.names()))
    for x, features in zip(X, found, strict=False):
        np.testing.assert_allclose(features, by_loops(stage, x), rtol=1e-10, atol=1e-12)
    single = RowReader(X[:3], (stage,)).all()
    np.testing.assert_allclose(single, found, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_image_and_its_mirror_image_have_the_same_features_in_another_order(shape):
    X, folded = learned(shape, fold=True)
    mirrored = X.reshape(-1, *shape)[..., ::-1].reshape(X.shape)
    first, second = (RowReader(each, (folded,)).all() for each in (X, mirrored))
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
    _, stage = learned(shape)
    first, second = (RowReader(each, (stage,)).all() for each in (X, mirrored))
    start = 0
    for plan in stage.plans:  # views change places, and so do left and right regions
        parts = (each[:, start : start + plan.columns].reshape(len(X), 2, -1, 2) for each in (first, second))
        one, other = parts
        np.testing.assert_allclose(one, other[:, ::-1, :, ::-1], rtol=1e-5, atol=1e-6)
        start += plan.columns


@pytest.mark.parametrize("fold", [False, True])
def test_contributions_of_pixels_add_up_to_the_score(fold):
    X, stage = learned((3, 13, 14), fold=fold)
    weights = np.random.default_rng(1).normal(size=(stage.columns, 4))
    features = RowReader(X, (stage,), np.float64).all()
    offset = features.mean(axis=0)
    found = stage.contributions(X[5].astype(float), weights, offset)
    assert found.shape == (X.shape[1], 4)
    np.testing.assert_allclose(found.sum(axis=0), (features[5] - offset) @ weights, rtol=1e-9)
    same = Preprocessing(offset, None, False, (stage,)).contributions(X[5], weights)
    np.testing.assert_allclose(same, found)


def test_a_change_of_one_corner_moves_only_the_contributions_near_it():
    X, stage = learned((3, 16, 16), scales=(1,))
    weights = np.random.default_rng(1).normal(size=(stage.columns, 1))
    x = X[0].astype(float).reshape(3, 16, 16)
    other = x.copy()
    other[:, :2, :2] = 255 - other[:, :2, :2]
    zero = np.zeros(stage.columns)
    moved = np.abs(
        stage.contributions(x.ravel(), weights, zero) - stage.contributions(other.ravel(), weights, zero)
    )
    moved = moved.reshape(3, 16, 16)
    assert moved[:, :5, :5].max() > 0
    assert moved[:, 6:].max() == moved[:, :, 6:].max() == 0


def test_features_do_not_depend_on_the_block_that_an_image_is_read_in():
    X, stage = learned((3, 14, 14))
    whole = RowReader(X, (stage,)).all()
    alone = np.concatenate([RowReader(X[at : at + 1], (stage,)).all() for at in range(len(X))])
    np.testing.assert_array_equal(whole, alone)


@pytest.mark.parametrize("shape", [(7, 1, 1), (3, 2, 5)])
def test_a_patch_of_one_pixel_is_one_of_its_channels(shape):
    X, stage = learned(shape, patch=1, scales=(1,), contrast=10.0)
    found = RowReader(X[:3], (stage,), np.float64).all()
    np.testing.assert_allclose(found, [by_loops(stage, x) for x in X[:3]], rtol=1e-10, atol=1e-12)
    assert found.std(axis=0).max() > 0.01


def test_where_patches_are_few_each_is_learned_from_once(monkeypatch):
    X = images((3, 6, 5), 10)
    windows = np.lib.stride_tricks.sliding_window_view(X.reshape(-1, 3, 6, 5), (4, 4), (2, 3))
    every = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, 48)
    found = sample(X, np.arange(10), (3, 6, 5), 1, 4, np.random.default_rng(0))
    assert sorted(found.tolist()) == sorted(every.astype(float).tolist())
    monkeypatch.setattr("softmaxclf.core.stages.patches.dictionary.PATCHES", 50)
    some = sample(X, np.arange(10), (3, 6, 5), 1, 4, np.random.default_rng(0))
    assert some.shape == (50, 48) and {*map(tuple, some)} < {*map(tuple, every.astype(float))}


def test_equal_rows_and_settings_give_equal_filters_and_others_do_not():
    _, first = learned((3, 14, 14))
    _, again = learned((3, 14, 14))
    _, other = learned((3, 14, 14), seed=1)
    for one, same, different in zip(first.scales, again.scales, other.scales, strict=True):
        assert one.G.tobytes() == same.G.tobytes() != different.G.tobytes()
    assert first.scales[0].G.tobytes() != first.scales[1].G.tobytes()


def test_only_the_rows_that_train_are_looked_at():
    X = images((3, 14, 14))
    spoilt = X.copy()
    spoilt[12:] = 0
    one, same = (learn(each, np.arange(12), (3, 14, 14), RECIPE) for each in (X, spoilt))
    assert one.scales[0].G.tobytes() == same.scales[0].G.tobytes()


def test_whitening_makes_the_covariance_of_patches_and_their_mirror_images_one():
    generator = np.random.default_rng(0)
    patches = (generator.normal(size=(5000, 12)) @ generator.normal(size=(12, 12))).astype(np.float32)
    mean, W = whitening(patches, 3, 1e-9)
    mirrored = patches.reshape(-1, 3, 2, 2)[..., ::-1].reshape(patches.shape)
    white = (np.concatenate([patches, mirrored]) - mean) @ W
    np.testing.assert_allclose(white.T @ white / len(white), np.eye(12), atol=1e-3)


def test_atoms_find_the_directions_that_patches_were_made_of():
    generator = np.random.default_rng(0)
    truth = np.linalg.qr(generator.normal(size=(10, 10)))[0][:, :4]
    size = generator.normal(size=(2000, 1)) * 3
    patches = (size * truth.T[generator.integers(0, 4, 2000)]).astype(np.float32)
    atoms = omp1(patches, 16, generator)
    np.testing.assert_allclose(np.linalg.norm(atoms, axis=0), 1, rtol=1e-5)
    assert np.abs(truth.T @ atoms).max(axis=1).min() > 0.999


def test_shares_split_the_middle_and_sum_to_one():
    np.testing.assert_allclose(shares(3, 2), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]])
    np.testing.assert_allclose(shares(4, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    np.testing.assert_allclose(grid_shares(5, 7, 3).sum(axis=0), 1)


def test_images_of_numbers_from_0_to_1_have_the_filters_of_bytes():
    X, stage = learned((3, 14, 14))
    small = (X / np.float32(X.max())).astype(np.float32)
    other = learn(small, np.arange(len(X)), (3, 14, 14), RECIPE)
    first, second = (RowReader(each, (fitted,)).all() for each, fitted in ((X, stage), (small, other)))
    scale = first.std()
    assert np.abs(first - second).max() < 0.1 * scale  # contrast is 1,000 (largest / 255)^2


@pytest.mark.parametrize(
    ("changes", "shape", "told"),
    [
        ({}, None, "expected rows that are images"),
        ({"filters": (7,)}, (3, 14, 14), "expected one even number, or one for each of the 2 scales, got 7"),
        ({"filters": (8, 4, 4)}, (3, 14, 14), "or one for each of the 2 scales, got 8, 4, 4"),
        ({"scales": ()}, (3, 14, 14), "expected 1 to 8 numbers, got 0"),
        ({"patch": 8}, (3, 14, 14), "at least 16 pixels on either side"),
        ({}, (3, 300, 300), "at most 65,536 pixels"),
        ({"filters": (65536,), "pooling": 16}, (3, 14, 14), "at most 1,048,576 features"),
    ],
)
def test_settings_that_do_not_suit_the_images_are_refused(changes, shape, told):
    with pytest.raises(ConfigError, match=told):
        RECIPE._replace(**changes).check(shape)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("G0", np.zeros((49, 4)), "filters"),
        ("G0", np.zeros((50, 4), np.float32), "filters"),
        ("G0", np.full((49, 4), np.nan, np.float32), "filters"),
        ("patch", np.array(2**40), "patch from 2 to 64"),
        ("patch", np.array(13), "filters"),
        ("pooling", np.array(1000), "pooling from 1 to 16"),
        ("pooling", np.array([2]), "whole numbers in pooling"),
        ("factors", np.array([1, 2**30]), "factors from 1 to 64"),
        ("factors", np.ones(10**6, np.int64), "1 to 8 scales|G2"),
        ("threshold", np.array(np.inf), "threshold from 0"),
        ("contrast", np.array(-1.0), "contrast from 0"),
        ("fold", np.array(7), "one number in fold"),
    ],
)
def test_arrays_of_a_model_file_that_cannot_be_are_refused_before_memory_is_taken(name, value, told):
    _, stage = learned((3, 14, 14))
    arrays = dict(stage.arrays())
    assert Patches.from_arrays(arrays, (3, 14, 14)).columns == stage.columns
    with pytest.raises((ValueError, KeyError), match=told):
        Patches.from_arrays({**arrays, name: value}, (3, 14, 14))


@pytest.mark.parametrize("shape", [None, (3, 2**20, 2**20), (3, 7, 14), (1, 14, 14)])
def test_a_model_file_with_another_image_shape_is_refused(shape):
    _, stage = learned((3, 14, 14))
    with pytest.raises(ValueError):
        Patches.from_arrays(stage.arrays(), shape)


def test_codes_give_features_back_to_half_a_step_and_stay_in_range():
    generator = np.random.default_rng(0)
    features = generator.exponential(size=(500, 6)).astype(np.float32) * np.float32([1, 10, 0.1, 1, 1, 0])
    codes = Codes.of(features)
    found = np.empty(features.shape, np.uint8)
    codes.encode(features.copy(), found)
    back = codes.low + codes.step * found
    inside = (features >= codes.low) & (features <= codes.low + 255 * codes.step)
    assert inside.mean() > 0.99 and (codes.low >= 0).all()
    assert (
        np.abs(back - features)[inside] <= (np.broadcast_to(codes.step, features.shape)[inside] * 0.51)
    ).all()
    np.testing.assert_allclose(codes.base.apply(found), back, rtol=1e-6, atol=1e-6)


def test_what_is_fitted_on_codes_is_the_same_on_features():
    generator = np.random.default_rng(0)
    codes = Codes(np.array([0.5, 0.0]), np.array([0.1, 2.0]))
    rows = generator.integers(0, 256, (40, 2)).astype(np.uint8)
    fitted = Preprocessing(np.array([100.0, 90.0]), np.array([20.0, 30.0]))
    decoded = codes.decoded(fitted, None)
    features = codes.low + codes.step * rows
    np.testing.assert_allclose((features - decoded.offset) / decoded.scale, fitted.apply(rows))


def test_exciting_patches_are_those_of_the_largest_response():
    X, stage = learned((3, 14, 14), scales=(1,))
    wanted = [Response(0, 1, 0), Response(0, 1, 1)]
    found = exciting(stage, X, np.arange(len(X)), wanted, 2)
    filters = stage.scales[0].G.astype(float)[:, 1]
    windows = np.lib.stride_tricks.sliding_window_view(
        X.reshape(-1, *stage.shape).astype(float), (4, 4), (2, 3)
    )
    flat = windows.transpose(0, 2, 3, 1, 4, 5).reshape(len(X), -1, 48)
    z = flat / np.sqrt(flat.var(axis=2, keepdims=True) + 1000) @ filters[:-1] + filters[-1]
    for response, sign in zip(wanted, (1, -1), strict=True):
        best = (sign * z).max(axis=1)
        image = int(best.argmax())
        place = int((sign * z)[image].argmax())
        expected = flat[image, place].reshape(3, 4, 4).transpose(1, 2, 0)
        np.testing.assert_allclose(found[response][0], expected)
        assert len(found[response]) == 2


def test_weights_of_filters_are_sums_over_regions_and_order_what_speaks_for_a_class():
    _, stage = learned((3, 14, 14), fold=True)
    W = np.zeros((stage.columns, 3))
    plan = stage.plans[0]
    cell = W[plan.columns :].reshape(1, 2, stage.scales[1].filters, plan.regions, 3)
    cell[0, 1, 2, :, 1] = 5
    cell[0, 0, 3, 0, 1] = -7
    weights = weights_of(stage, W)
    assert weights[1][1, 2, 1] == 20 and weights[1][0, 3, 1] == -7
    for_it, against = speaking(weights, 1, 1)
    assert for_it == [Response(1, 2, 1)] and against == [Response(1, 3, 0)]
    assert importance(stage, W)[1].argmax() == 2 and importance(stage, W)[0].max() == 0
