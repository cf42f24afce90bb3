"""PatchFeatures among scikit-learn's tools, and against the stage of the command line."""

import pickle

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from softmaxclf import PatchFeatures, SoftmaxClassifier, fit, load_model
from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.patches.stage import Patches

SHAPE = (3, 12, 14)
SMALL = {"filters": 6, "patch": 3, "scales": (1, 2)}


@pytest.fixture(autouse=True)
def few_patches(monkeypatch):
    monkeypatch.setattr("softmaxclf.core.stages.patches.dictionary.PATCHES", 2000)


def images(count=40, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE)).astype(np.uint8)


def digits(count=300):
    X, y = load_digits(return_X_y=True)
    return X[:count], y[:count]


@parametrize_with_checks([PatchFeatures(), PatchFeatures(filters=8, pooling=2, mirror=True, random_state=3)])
def test_every_check_of_scikit_learn_passes(estimator, check):
    check(estimator)


# What it computes


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("seed", [0, 5])
def test_features_are_those_of_the_model_that_the_command_line_trains(mirror, seed, run_cli, tmp_path):
    X = images()
    np.savez(tmp_path / "mine.npz", X_train=X, y_train=np.arange(len(X)) % 2)
    settings = {"kind": "patches", "filters": 6, "patch": 3, "scales": "1,2", "seed": seed}
    options = [f"--set=features.{name}={value}" for name, value in settings.items()]
    options += [f"--set=preprocessing.mirror={mirror}".lower(), "--set=data.validation=0"]
    result = run_cli("train", "--data", "mine.npz", "--out", "run", "--regularization", "1", *options)
    assert result.exit_code == 0, result.stderr
    (stage,) = load_model("run").preprocessing.reading
    found = PatchFeatures(**SMALL, mirror=mirror, random_state=seed).fit(X)
    np.testing.assert_array_equal(found.transform(X), RowReader(X.reshape(len(X), -1), (stage,)).all())
    other = PatchFeatures(**SMALL, mirror=mirror, random_state=seed + 1).fit_transform(X)
    assert np.abs(other - found.transform(X)).max() > 0.01


def test_a_pipeline_is_the_model_of_fit_but_for_the_rounding_of_kept_features():
    X, y = digits()
    settings = {"filters": 20, "patch": 3, "scales": (1, 2)}
    pipeline = make_pipeline(PatchFeatures(**settings), SoftmaxClassifier(regularization=0.01)).fit(X, y)
    model = fit(X, y, image_shape=(1, 8, 8), regularization=0.01, features={"kind": "patches", **settings})
    apart = np.abs(pipeline.predict_proba(X) - model.predict_proba(X)).max()
    assert 0 < apart < 0.02 and pipeline.score(X, y) > 0.95


def test_images_in_any_layout_and_rows_in_plane_order_have_the_same_features():
    X = images()
    expected = PatchFeatures(**SMALL, image_shape=SHAPE).fit_transform(X.reshape(len(X), -1))
    found = PatchFeatures(**SMALL).fit(X.transpose(0, 2, 3, 1))
    for layout in (X, X.transpose(0, 2, 3, 1), X.reshape(len(X), -1)):
        np.testing.assert_array_equal(found.transform(layout), expected)
    grey = PatchFeatures(**SMALL).fit(X[:, 0])
    assert grey.stage_.shape == (1, 12, 14) and grey.n_features_in_ == 168


@pytest.mark.parametrize(
    ("columns", "shape", "patch", "scales", "pooling"),
    [
        (3072, (3, 32, 32), 6, [1, 2], 2),
        (64, (1, 8, 8), 6, [1], 2),
        (48, (3, 4, 4), 4, [1], 1),
        (12, (3, 2, 2), 2, [1], 1),
        (10, (10, 1, 1), 1, [1], 1),
        (1, (1, 1, 1), 1, [1], 1),
    ],
)
def test_rows_are_taken_for_square_images_and_defaults_shrink_to_them(columns, shape, patch, scales, pooling):
    X = np.random.default_rng(0).normal(size=(20, columns))
    found = PatchFeatures(filters=4).fit(X)
    stage = found.stage_
    assert (stage.shape, stage.patch, stage.pooling) == (shape, patch, pooling)
    assert [scale.factor for scale in stage.scales] == scales
    assert found.transform(X).std(axis=0).max() > 0.01 or columns == 1


def test_a_patch_that_is_given_decides_which_scales_there_is_room_for():
    X, _ = digits(50)
    assert [each.factor for each in PatchFeatures(filters=4, patch=4).fit(X).stage_.scales] == [1, 2]
    assert PatchFeatures(filters=4, scales=(1, 2)).fit(X).stage_.patch == 4


def test_it_reads_images_block_by_block(monkeypatch):
    sizes, read = [], Patches.read
    monkeypatch.setattr(
        Patches, "read", lambda self, rows, out: (sizes.append(len(rows)), read(self, rows, out))[1]
    )
    X = np.random.default_rng(0).integers(0, 256, (1100, 16)).astype(np.uint8)
    found = PatchFeatures(filters=2, patch=2).fit(X)
    features = found.transform(X)
    assert sizes == [512, 512, 76] and features.dtype == np.float32
    np.testing.assert_array_equal(features[1050:], found.transform(X[1050:]))


# Among scikit-learn's tools


def test_a_grid_search_sets_its_parameters_in_a_pipeline():
    X, y = digits(200)
    pipeline = make_pipeline(PatchFeatures(filters=2), SoftmaxClassifier(regularization=0.01))
    search = GridSearchCV(pipeline, {"patchfeatures__patch": np.array([2, 4])}, cv=2).fit(X, y)
    assert search.best_score_ == search.cv_results_["mean_test_score"].max() > 0.7
    assert cross_val_score(search.best_estimator_, X, y, cv=2).min() > 0.7


def test_clones_pickles_and_other_processes_have_the_same_features():
    X = images(10)  # whose patches are few enough that all are learned from
    found = PatchFeatures(**SMALL, random_state=1).fit(X)
    (elsewhere,) = Parallel(n_jobs=2)([delayed(PatchFeatures(**SMALL, random_state=1).fit)(X)])
    for copy in (pickle.loads(pickle.dumps(found)), clone(found).fit(X), elsewhere):
        np.testing.assert_array_equal(copy.transform(X), found.transform(X))


def test_features_have_names_which_frames_show():
    X = images().reshape(40, -1)
    found = PatchFeatures(**SMALL, image_shape=SHAPE).fit(X)
    names = found.get_feature_names_out()
    assert names[0] == "1/1 filter 0+ row 0 column 0" and len(set(names)) == found.transform(X).shape[1]
    with pytest.raises(ValueError, match="should have length equal to 504, as X, got 2"):
        found.get_feature_names_out(["a", "b"])
    pandas = pytest.importorskip("pandas", reason="pandas is not installed, whose frames this is about")
    frame = pandas.DataFrame(X, columns=[f"p{place}" for place in range(X.shape[1])])
    shown = found.set_output(transform="pandas").fit(frame).transform(frame)
    assert list(shown.columns) == list(names) and len(shown) == len(X)
    with pytest.raises(ValueError, match="not equal to feature_names_in_"):
        found.get_feature_names_out(frame.columns[::-1])


def test_a_generator_draws_the_seed():
    X = images()
    one, same, other = (
        PatchFeatures(**SMALL, random_state=np.random.RandomState(seed)).fit_transform(X)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01


# What cannot be


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"image_shape": (3, 8, 8)}, r"expected rows of \(3, 8, 8\), found 64 features; correct image_shape"),
        (
            {"patch": 9},
            "^patch: expected images of at least 9 pixels on either side.* lower patch or the largest of scales$",
        ),
        ({"patch": 6, "scales": (1, 2)}, "^patch: expected images of at least 12 pixels"),
        ({"filters": 5}, "^filters: expected one even number"),
        ({"threshold": -1.0}, "^threshold: expected a number from 0"),
        ({"filters": 0}, "^filters: expected a list"),
    ],
)
def test_parameters_that_do_not_suit_the_images_are_a_value_error(settings, said):
    with pytest.raises(ValueError, match=said):
        PatchFeatures(**settings).fit(digits(20)[0])


def test_what_are_no_images_of_the_ones_it_was_fitted_on_is_refused():
    X = images()
    found = PatchFeatures(**SMALL)
    with pytest.raises(NotFittedError, match="PatchFeatures"):
        found.transform(X)
    found.fit(X)
    with pytest.raises(ValueError, match="2 to 4 axes"):
        found.transform(X[None])
    with pytest.raises(ValueError, match="found shape"):
        found.transform(X[:, :, :8])
    with pytest.raises(ValueError, match="expecting 504 features"):
        found.transform(X.reshape(40, -1)[:, :20])
