"""A trained model's scores, probabilities and evidence against the plain formulas."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from softmaxclf.core.model import CHUNK_ROWS, LinearModel, chunked_scores
from softmaxclf.core.problem import Cells, Problem
from softmaxclf.core.solvers.sgd.solver import SGD
from softmaxclf.core.solvers.sgd.state import Settings, initial_state
from softmaxclf.core.stages.fitting import FittingRows, fit_stages
from softmaxclf.core.stages.mirror import Mirror
from softmaxclf.core.stages.stage import Preprocessing
from softmaxclf.plots.templates import template_images
from tests.core.stages_of import stages_of

EVEN, ODD = (3, 4, 6), (2, 3, 5)
SCALES = ["none", "standardize", "unit-norm"]
VARIANTS = [
    (center, scale, mirror) for center in (False, True) for scale in SCALES for mirror in (False, True)
]


def pixels(shape=EVEN, count=60, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, int(np.prod(shape)))).astype(np.uint8)


def flipped(X, shape):
    return X.reshape(len(X), *shape)[..., ::-1].reshape(len(X), -1)


def fitted_on(X, mirror=None, *, center=True, scale="none"):
    stages = stages_of(center=center, scale=scale, mirror=mirror)
    return fit_stages(stages, FittingRows(X, np.arange(len(X)), image_shape=mirror))[0]


def make_model(X, shape=EVEN, *, center=True, scale="none", mirror=False, classes=4, seed=1, **facts):
    preprocessing = fitted_on(X, shape if mirror else None, center=center, scale=scale)
    generator = np.random.default_rng(seed)
    W = generator.normal(size=(Mirror(shape).columns if mirror else X.shape[1], classes)).astype(np.float32)
    b = generator.normal(size=classes).astype(np.float32)
    names = tuple("abcdefgh"[:classes])
    return LinearModel(W, b, names, preprocessing, shape, **facts)


def plain_scores(model, X):
    return model.preprocessing.apply(X) @ model.W.astype(np.float64) + model.b


def assert_close(found, expected, tolerance=1e-5):
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("shape", [EVEN, ODD])
@pytest.mark.parametrize(("center", "scale", "mirror"), VARIANTS)
def test_scores_are_the_features_times_the_weights_plus_the_bias(center, scale, mirror, shape):
    X = pixels(shape)
    model = make_model(X, shape, center=center, scale=scale, mirror=mirror)
    scores = model.scores(X)
    assert scores.shape == (60, 4) and scores.dtype == np.float32
    assert_close(scores, plain_scores(model, X))
    np.testing.assert_array_equal(model.predict(X), plain_scores(model, X).argmax(axis=1))
    assert model.features == X.shape[1] and model.classes == 4


def test_scores_of_more_rows_than_a_chunk_are_those_of_each_row():
    X = pixels(count=1100)
    model = make_model(X)
    assert_close(model.scores(X), plain_scores(model, X))
    assert len(model.scores(X[:0])) == 0


@pytest.mark.parametrize(("center", "scale", "mirror"), VARIANTS)
def test_scores_in_chunks_are_the_same_bits_as_all_at_once(center, scale, mirror):
    X = pixels(count=1100)
    model = make_model(X, center=center, scale=scale, mirror=mirror)
    chunks = [(part.copy(), scores.copy()) for part, scores in chunked_scores(model, X)]
    np.testing.assert_array_equal(np.concatenate([part for part, _ in chunks]), np.arange(1100))
    assert np.concatenate([scores for _, scores in chunks]).tobytes() == model.scores(X).tobytes()
    assert max(len(part) for part, _ in chunks) == CHUNK_ROWS


def test_models_of_different_folds_each_keep_their_own_centering():
    X = pixels(count=90)
    stages = stages_of(scale="standardize")
    fitted = fit_stages(stages, FittingRows(X, np.arange(90), np.arange(90) % 3))
    base = make_model(X)
    assert len(fitted) == 3
    for each in fitted:
        model = LinearModel(base.W, base.b, base.class_names, each, EVEN)
        ((_, scores),) = chunked_scores(model, X)
        assert_close(scores, plain_scores(model, X))


def test_chosen_rows_are_scored_in_the_order_asked_for():
    X = pixels()
    model = make_model(X)
    rows = np.array([8, 3, 3, 59])
    ((part, scores),) = chunked_scores(model, X, rows)
    np.testing.assert_array_equal(part, rows)
    assert_close(scores, plain_scores(model, X[rows]))


@pytest.mark.parametrize("shape", [EVEN, ODD])
@pytest.mark.parametrize("scale", SCALES)
def test_a_mirror_folded_model_gives_an_image_and_its_mirror_image_the_same_scores(scale, shape):
    X = pixels(shape)
    model = make_model(X, shape, scale=scale, mirror=True)
    assert model.scores(X).tobytes() == model.scores(flipped(X, shape)).tobytes()
    unfolded = make_model(X, shape, scale=scale)
    assert np.abs(unfolded.scores(X) - unfolded.scores(flipped(X, shape))).max() > 0.1


@pytest.mark.parametrize("shape", [EVEN, ODD])
@pytest.mark.parametrize(("center", "scale", "mirror"), VARIANTS)
def test_evidence_and_bias_add_up_to_the_score(center, scale, mirror, shape):
    X = pixels(shape)
    model = make_model(X, shape, center=center, scale=scale, mirror=mirror)
    expected = plain_scores(model, X)
    for row in (0, 17):
        contributions, bias = model.evidence(X[row])
        assert contributions.shape == (X.shape[1], 4)
        np.testing.assert_allclose(contributions.sum(axis=0) + bias, expected[row], rtol=1e-9, atol=1e-9)


def test_evidence_of_the_mean_image_is_none():
    X = np.tile(np.arange(72, dtype=np.uint8), (5, 1))
    contributions, _ = make_model(X, mirror=False).evidence(X[0])
    np.testing.assert_allclose(contributions, 0, atol=1e-12)


@pytest.mark.parametrize("shape", [EVEN, ODD])
@pytest.mark.parametrize("scale", ["none", "standardize"])
@pytest.mark.parametrize("mirror", [False, True])
def test_pixel_weights_are_how_much_a_score_changes_with_one_pixel(scale, mirror, shape):
    X = pixels(shape)
    model = make_model(X, shape, scale=scale, mirror=mirror)
    weights = model.pixel_weights()
    base = X[:1].astype(np.float64)
    changes = base + np.eye(X.shape[1])
    slopes = plain_scores(model, changes) - plain_scores(model, base)
    np.testing.assert_allclose(weights, slopes, rtol=1e-6, atol=1e-8)


def test_probabilities_are_softmax_of_the_scores_over_the_temperature():
    X = pixels()
    model = make_model(X, scale="standardize", temperature=2.5)
    scores = plain_scores(model, X) / 2.5
    expected = np.exp(scores - scores.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    cool = make_model(X, scale="standardize")
    np.testing.assert_array_equal(model.predict(X), cool.predict(X))
    np.testing.assert_array_equal(model.scores(X), cool.scores(X))


def test_of_equal_scores_the_first_class_is_predicted():
    X = pixels(count=3)
    model = LinearModel(np.zeros((72, 3), np.float32), np.zeros(3, np.float32), ("a", "b", "c"))
    assert model.predict(X).tolist() == [0, 0, 0]


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((5, 71), "71 features"),
        ((5, 36), "36 features"),
        ((5, 73), "73 features"),
        ((72,), r"shape \(72,\)"),
        ((1, 72, 1), r"shape \(1, 72, 1\)"),
        ((5, 6, 4, 3), r"shape \(5, 6, 4, 3\)"),
    ],
)
def test_rows_of_another_width_are_refused(shape, said, mirror):
    model = make_model(pixels(), mirror=mirror)
    with pytest.raises(ValueError, match=f"expected .*found {said}"):
        model.scores(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(5, 71), (5, 73), (5, 6, 4)])
def test_a_model_of_features_that_are_no_images_says_how_many_it_expects(shape):
    model = LinearModel(np.ones((72, 2), np.float32), np.zeros(2, np.float32), ("a", "b"))
    with pytest.raises(
        ValueError,
        match=r"expected rows of 72 columns, found \d+ features",
    ):
        model.scores(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("mirror", [False, True])
def test_images_are_scored_as_their_rows_in_plane_order(mirror):
    X = pixels()
    model = make_model(X, mirror=mirror)
    planes = X.reshape(-1, *EVEN)
    for images in (planes, planes.transpose(0, 2, 3, 1)):
        np.testing.assert_array_equal(model.scores(images), model.scores(X))
        np.testing.assert_array_equal(model.predict(images), model.predict(X))


def test_lists_and_integers_are_scored_as_arrays_of_their_values():
    X = pixels(count=2)
    model = make_model(pixels())
    assert_close(model.scores(X.astype(np.int64).tolist()), plain_scores(model, X))


# From a weight to its place in the picture.


@pytest.mark.parametrize(("channel", "row", "column"), [(0, 0, 0), (2, 5, 11), (1, 31, 3), (0, 7, 31)])
@pytest.mark.parametrize("scale", [None, 4.0])
def test_the_weight_of_one_pixel_lies_at_its_place_in_the_template(channel, row, column, scale):
    """CIFAR rows are planes of 32 lines of 32 pixels: red, green, blue."""
    W = np.zeros((3072, 10), np.float32)
    W[channel * 1024 + row * 32 + column, 6] = 5.0
    preprocessing = Preprocessing(scale=None if scale is None else np.array([scale]))
    model = LinearModel(W, np.zeros(10, np.float32), tuple("abcdefghij"), preprocessing, (3, 32, 32))
    images = template_images(model.pixel_weights(), model.image_shape)
    assert images.shape == (10, 32, 32, 3)
    assert [tuple(map(int, place)) for place in np.argwhere(images)] == [(6, row, column, channel)]
    signed = template_images(model.pixel_weights(), model.image_shape, "signed")
    assert signed[6, row, column, 0] == 5.0 / (scale or 1) and np.count_nonzero(signed) == 1


def test_the_weight_of_a_folded_pixel_lies_at_its_place_and_at_the_mirrored_one():
    W = np.zeros((1536, 10), np.float32)
    W[2 * 512 + 5 * 16 + 3, 6] = 1.0
    preprocessing = Preprocessing(scale=Mirror((3, 32, 32)).scale, reading=(Mirror((3, 32, 32)),))
    model = LinearModel(W, np.zeros(10, np.float32), tuple("abcdefghij"), preprocessing, (3, 32, 32))
    images = template_images(model.pixel_weights(), model.image_shape)
    places = [tuple(map(int, place)) for place in np.argwhere(images)]
    assert places == [(6, 5, 3, 2), (6, 5, 28, 2)]


# Mirror folding is training on every image and its mirror image.

BLOCK = (2, 3, 4)
STRENGTH = 1.0


def mirror_problem(shape=BLOCK, count=80):
    """Images of little contrast, so that the bias and the weights learn at about the same pace."""
    generator = np.random.default_rng(11)
    y = generator.integers(0, 3, count)
    patterns = generator.normal(size=(3, int(np.prod(shape)))) * 2
    X = 128 + patterns[y] + generator.normal(size=(count, int(np.prod(shape)))) * 3
    return X.astype(np.uint8), y


def optimum(features, y, strength):
    """The minimum of mean cross-entropy + 0.5 strength |W|^2, bias free, by scikit-learn (C = 1 / (N strength))."""
    solver = LogisticRegression(C=1 / (len(y) * strength), tol=1e-10, max_iter=10_000)
    solver.fit(features, y)
    return solver.coef_.T, solver.intercept_


@pytest.mark.parametrize("shape", [BLOCK, (2, 3, 5)], ids=["even width", "odd width"])
def test_folding_has_the_same_optimum_as_adding_every_mirror_image(shape):
    X, y = mirror_problem(shape)
    doubled = np.concatenate([X, flipped(X, shape)]).astype(np.float64)
    W_doubled, b_doubled = optimum(doubled - doubled.mean(axis=0), np.concatenate([y, y]), STRENGTH)
    preprocessing = fitted_on(X, shape)
    W_folded, b_folded = optimum(preprocessing.apply(X), y, STRENGTH)
    assert np.abs(W_doubled).max() > 0.01
    unfolded = Mirror(shape).unfold(W_folded / np.broadcast_to(Mirror(shape).scale, len(W_folded))[:, None])
    assert_close(unfolded, W_doubled, 1e-4)
    assert_close(b_folded - b_folded.mean(), b_doubled - b_doubled.mean(), 1e-3)
    model = LinearModel(W_folded.astype(np.float32), b_folded, ("a", "b", "c"), preprocessing, shape)
    assert_close(model.pixel_weights(), W_doubled, 1e-4)


def test_the_engine_finds_that_optimum_on_folded_rows():
    X, y = mirror_problem()
    doubled = np.concatenate([X, flipped(X, BLOCK)]).astype(np.float64)
    W_doubled, _ = optimum(doubled - doubled.mean(axis=0), np.concatenate([y, y]), STRENGTH)
    rows = np.arange(len(X))
    fitted = [fitted_on(X, BLOCK)]
    problem = Problem(X, y, 3, rows, fitted, dtype=np.float64)
    curvature = np.linalg.norm(fitted[0].apply(X), 2) ** 2 / len(X) / 2 + STRENGTH
    settings = Settings(3000, len(X), momentum=0.9)
    cells = Cells(
        {"learning_rate": np.array([1 / curvature]), "regularization": np.array([STRENGTH])},
        np.array([-1]),
        np.array([0]),
    )
    state = initial_state(cells, problem, settings)
    SGD(problem, settings, state).run(3000)
    assert_close(Mirror(BLOCK).unfold(state.weights(0)), W_doubled, 1e-4)
