"""What SoftmaxClassifier gives back, how rows are weighed, how it is streamed to, saved and loaded."""

import inspect

import numpy as np
import pytest

from softmaxclf import SoftmaxClassifier, SoftmaxClassifierCV, fit, load_model
from softmaxclf.core.losses.softmax import softmax_loss_vectorized
from softmaxclf.errors import ModelError
from softmaxclf.estimators.linear import SETTINGS
from softmaxclf.model_file import save_model
from tests.estimators.data import blobs, same_scores

VARIANTS = (
    {},
    {"scale": "none", "regularization": 0.1},
    {"scale": "unit-norm"},
    {"regularize_bias": True},
    {"center": False},
    {"class_weight": {0: 2.0, 1: 0.5}},
    {"class_weight": "balanced"},
)


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_whole_weights_are_repeated_rows(settings, dtype):
    X, y = blobs(dtype=dtype)
    weights = np.random.default_rng(1).integers(0, 4, len(X))
    weighted = SoftmaxClassifier(**settings).fit(X, y, sample_weight=weights)
    repeated = SoftmaxClassifier(**settings).fit(X.repeat(weights, axis=0), y.repeat(weights))
    same_scores(weighted, repeated, X, 1e-8)
    np.testing.assert_allclose(
        weighted.coef_, repeated.coef_, rtol=1e-8, atol=1e-8 * np.abs(repeated.coef_).max()
    )


def test_whole_weights_are_repeated_rows_where_features_outnumber_them():
    generator = np.random.default_rng(0)
    X, y = generator.standard_normal((20, 60)), np.arange(20) % 3
    weights = generator.integers(0, 4, 20)
    weighted = SoftmaxClassifier(regularization=0.01).fit(X, y, sample_weight=weights)
    repeated = SoftmaxClassifier(regularization=0.01).fit(X.repeat(weights, axis=0), y.repeat(weights))
    same_scores(weighted, repeated, X, 1e-8)


def test_the_gradient_is_zero_at_the_optimum_by_an_independent_formula():
    X, y = blobs()
    found = SoftmaxClassifier(regularization=0.05).fit(X, y)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    _, dW = softmax_loss_vectorized(
        np.vstack([found.model_.W, found.model_.b]), np.c_[Z, np.ones(len(Z))], y, 0.0
    )
    dW[:-1] += 0.05 * found.model_.W
    assert np.abs(dW).max() < 1e-12


def test_the_coefficients_act_on_raw_rows():
    X, y = blobs()
    found = SoftmaxClassifier().fit(X, y)
    np.testing.assert_allclose(X @ found.coef_.T + found.intercept_, found.decision_function(X), rtol=1e-9)
    np.testing.assert_allclose(found.decision_function(X), found.model_.scores(X), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(np.log(found.predict_proba(X)), found.predict_log_proba(X), atol=1e-12)
    assert found.coef_.shape == (3, 4) and found.intercept_.shape == (3,)


def test_of_two_classes_the_score_is_the_second_less_the_first():
    X, y = blobs(classes=2)
    found = SoftmaxClassifier().fit(X, np.array(["yes", "no"])[y])
    assert found.classes_.tolist() == ["no", "yes"] and found.coef_.shape == (1, 4)
    scores = found.decision_function(X)
    np.testing.assert_allclose(scores, X @ found.coef_[0] + found.intercept_[0])
    np.testing.assert_array_equal(found.predict(X), np.where(scores > 0, "yes", "no"))
    np.testing.assert_allclose(found.predict_proba(X)[:, 1], 1 / (1 + np.exp(-scores)))


def test_its_model_is_that_of_fit():
    X, y = blobs()
    found = SoftmaxClassifier(regularization=0.01, tolerance=1e-8).fit(X, y)
    other = fit(X, y, regularization=0.01, tolerance=1e-8)
    np.testing.assert_allclose(found.model_.W, other.W, atol=1e-3 * np.abs(other.W).max())
    sgd = SoftmaxClassifier(learning_rate=0.1, regularization=0.01, iterations=50, random_state=3).fit(X, y)
    other = fit(X, y, learning_rate=0.1, regularization=0.01, iterations=50, seed=3)
    np.testing.assert_array_equal(sgd.model_.W.astype(np.float32), other.W)


def test_fit_itself_takes_weights():
    X, y = blobs(dtype=np.float32)
    weights = np.random.default_rng(1).integers(0, 4, len(X))
    weighted = fit(X, y, sample_weight=weights, tolerance=1e-8)
    repeated = fit(X.repeat(weights, axis=0), y.repeat(weights), tolerance=1e-8)
    np.testing.assert_allclose(weighted.preprocessing.offset, repeated.preprocessing.offset, rtol=1e-12)
    np.testing.assert_allclose(weighted.W, repeated.W, atol=1e-3 * np.abs(repeated.W).max())
    with pytest.raises(ValueError, match="sample_weight: expected 90 numbers"):
        fit(X, y, sample_weight=[1.0])


def test_balance_gives_each_class_the_same_weight():
    X, y = blobs(200)
    rare = (y != 0) | (np.arange(200) < 30)
    X, y = X[rare], y[rare]
    counts = np.bincount(y)
    by_hand = SoftmaxClassifier().fit(X, y, sample_weight=(len(y) / (3 * counts))[y])
    same_scores(SoftmaxClassifier(class_weight="balanced").fit(X, y), by_hand, X, 1e-10)


def test_the_curve_falls_to_the_optimum():
    X, y = blobs()
    found = SoftmaxClassifier(regularization=0.01).fit(X, y)
    assert found.n_iter_ >= len(found.loss_curve_) - 1 > 2
    assert found.loss_curve_[0] > 1.5 * found.loss_curve_[-1]
    assert found.loss_curve_[-1] == pytest.approx(min(found.loss_curve_), rel=1e-12)


def test_streamed_rows_bring_it_near_what_fit_finds():
    X, y = blobs(600)
    streamed = SoftmaxClassifier(regularization=0.01, batch_size=30)
    for _ in range(20):
        for start in range(0, 600, 60):
            streamed.partial_fit(X[start : start + 60], y[start : start + 60], classes=[0, 1, 2])
    assert streamed.n_iter_ == 400 and len(streamed.loss_curve_) == 200
    whole = SoftmaxClassifier(regularization=0.01).fit(X, y)
    assert np.mean(streamed.predict(X) == whole.predict(X)) > 0.95


def test_partial_fit_goes_on_from_what_fit_has_found():
    X, y = blobs(300)
    found = SoftmaxClassifier(regularization=0.01).fit(X, y)
    before = found.decision_function(X)
    preprocessing = found.model_.preprocessing
    found.set_params(learning_rate=1e-9).partial_fit(X[:50], y[:50])
    assert found.model_.preprocessing is preprocessing
    np.testing.assert_allclose(found.decision_function(X), before, atol=1e-4 * np.abs(before).max())


def test_a_streamed_row_of_weight_two_moves_twice_as_far():
    X, y = blobs(30)
    settings = {"regularization": 1e-6, "learning_rate": 1e-3, "momentum": 0.0}
    start = SoftmaxClassifier(**settings).fit(X, y)
    once, twice = (
        SoftmaxClassifier(**settings).fit(X, y).partial_fit(X, y[::-1], sample_weight=np.full(30, weight))
        for weight in (1.0, 2.0)
    )
    moved = once.coef_ - start.coef_
    np.testing.assert_allclose(twice.coef_ - start.coef_, 2 * moved, atol=1e-3 * np.abs(moved).max())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "classes: expected all classes in the first call"),
        ({"classes": [0, 1]}, "y: expected classes among the first call's, got 2"),
    ],
)
def test_a_stream_needs_to_know_its_classes(arguments, said):
    with pytest.raises(ValueError, match=said):
        SoftmaxClassifier().partial_fit(*blobs(), **arguments)


def test_a_stream_cannot_balance_classes():
    with pytest.raises(ValueError, match="class_weight: expected a mapping for partial_fit"):
        SoftmaxClassifier(class_weight="balanced").partial_fit(*blobs(), classes=[0, 1, 2])


@pytest.mark.parametrize(
    ("settings", "arguments", "said"),
    [
        ({"scale": "sometimes"}, {}, "^scale: expected .* got sometimes"),
        ({"solver": "sgd", "learning_rate": 1e30}, {}, "training diverged"),
        ({"class_weight": "equal"}, {}, "class_weight: expected balanced or a mapping"),
        ({"class_weight": {7: 1.0}}, {}, "class_weight: expected classes among those of y, got 7"),
        ({}, {"sample_weight": -np.ones(90)}, "sample_weight: expected finite numbers >= 0, got -1.0 in row 0"),
        ({}, {"sample_weight": np.zeros(90)}, "got zero for every row"),
        ({}, {"sample_weight": np.ones(3)}, "sample_weight: expected 90 numbers"),
        ({}, {"sample_weight": np.arange(90) % 3 == 0}, "expected at least 2 classes, got 1 class"),
        ({"mirror": True}, {}, "^mirror: expected rows that are images"),
        ({"image_shape": (1, 2, 3)}, {}, "image_shape"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_value_error_of_one_line(settings, arguments, said):
    with pytest.raises(ValueError, match=said) as caught:
        SoftmaxClassifier(**settings).fit(*blobs(), **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "labels", [[7, -2, 40], ["a", "b", "c"], ["", "two\nlines", "x" * 200], [0.0, 1.0, 2.0]]
)
def test_labels_of_any_kind_come_back_and_survive_the_model_file(labels, tmp_path):
    X, y = blobs()
    labels = np.array(labels)
    found = SoftmaxClassifier().fit(X, labels[y])
    found.save(tmp_path / "weights.npz")
    loaded = SoftmaxClassifier.load(tmp_path / "weights.npz")
    assert set(found.predict(X)) <= set(labels.tolist())
    np.testing.assert_array_equal(loaded.classes_, np.unique(labels))
    np.testing.assert_array_equal(loaded.predict(X), found.predict(X))


def test_a_saved_model_is_that_of_the_command_line_and_is_fitted_again_as_it_was(tmp_path):
    X, y = blobs()
    found = SoftmaxClassifier(regularization=0.02, scale="none").fit(X, y)
    found.save(tmp_path / "weights.npz")
    np.testing.assert_allclose(load_model(tmp_path).scores(X), found.model_.scores(X), rtol=1e-5)
    loaded = SoftmaxClassifier.load(tmp_path)
    same_scores(loaded, found, X, 1e-5)
    assert (loaded.scale, loaded.regularization) == ("none", 0.02)
    same_scores(loaded.fit(X, y), found, X, 1e-10)


def test_a_model_of_the_command_line_is_loaded_with_its_columns(tmp_path, run_cli):
    lines = ["w,h,label", *(f"{x},{(x * 7) % 5},{'lily' if x < 20 else 'rose'}" for x in range(40))]
    (tmp_path / "flowers.csv").write_text("\n".join(lines))
    run_cli("train", "--data", "flowers.csv", "--out", "run")
    found = SoftmaxClassifier.load("run")
    assert found.classes_.tolist() == ["lily", "rose"] and found.feature_names_in_.tolist() == ["w", "h"]


def test_a_model_of_patch_features_is_no_classifier_of_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("softmaxclf.core.stages.patches.dictionary.PATCHES", 500)
    X = np.random.default_rng(0).integers(0, 256, (40, 12, 12, 3)).astype(np.uint8)
    features = {"kind": "patches", "filters": 4, "patch": 3}
    save_model(tmp_path / "weights.npz", fit(X, np.arange(40) % 2, features=features, regularization=1.0))
    with pytest.raises(ModelError, match="expected a model of rows as they are, found one of patch features"):
        SoftmaxClassifier.load(tmp_path)


@pytest.mark.parametrize("kind", [SoftmaxClassifier, SoftmaxClassifierCV])
def test_every_setting_of_a_model_is_a_parameter(kind):
    searched = {"regularization", "learning_rate"} if kind is SoftmaxClassifierCV else set()
    assert set(SETTINGS) - searched <= set(inspect.signature(kind).parameters)
