import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from softmaxclf.datasets.dataset import Dataset, Labels, Split
from softmaxclf.datasets.sample import draw_sample
from softmaxclf.errors import ConfigError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@pytest.fixture(scope="module")
def sample() -> Dataset:
    return draw_sample()


@pytest.fixture(scope="module")
def test_split(sample: Dataset) -> Split:
    return sample.test()


def planes(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return rows.reshape(-1, 3, 32, 32)


@pytest.fixture(scope="module")
def centred(sample: Dataset, test_split: Split) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The rows of both splits less the mean training image."""
    mean = sample.train.X.mean(axis=0, dtype=np.float32)
    return sample.train.X - mean, test_split.X - mean


def trained(
    X: NDArray[np.float32], y: Labels, learning_rate: float, regularization: float, steps: int
) -> NDArray[np.float32]:
    """W (3072, 10) of a softmax classifier without bias after plain SGD in batches of 200."""
    random = np.random.default_rng(0)
    W = np.zeros((X.shape[1], 10), dtype=np.float32)
    for _ in range(steps):
        batch = random.integers(0, len(X), 200)
        scores = X[batch] @ W
        probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        probabilities[np.arange(200), y[batch]] -= 1
        W -= learning_rate * (X[batch].T @ probabilities / 200 + regularization * W)
    return W


def accuracy(W: NDArray[np.float32], X: NDArray[np.float32], y: Labels) -> float:
    return float(np.mean(np.argmax(X @ W, axis=1) == y))


def test_sample_has_the_shapes_and_names_of_cifar_10(sample: Dataset, test_split: Split) -> None:
    assert (sample.name, sample.path, sample.image_shape) == ("sample", "sample", (3, 32, 32))
    assert sample.class_names == CLASSES
    assert (sample.train.X.shape, test_split.X.shape) == ((5000, 3072), (1000, 3072))
    assert sample.train.X.dtype == test_split.X.dtype == np.uint8
    assert sample.train.y.dtype == test_split.y.dtype == np.int64
    assert sample.validation is None


def test_every_class_has_equally_many_rows_in_a_drawn_order(sample: Dataset, test_split: Split) -> None:
    assert np.bincount(sample.train.y).tolist() == [500] * 10
    assert np.bincount(test_split.y).tolist() == [100] * 10
    assert np.bincount(sample.train.y[:1000]).min() > 60
    assert not np.array_equal(sample.train.y[:1000], test_split.y)


def test_counts_of_classes_differ_by_at_most_one_when_the_rows_do_not_divide() -> None:
    counts = np.bincount(draw_sample(0, 57, 10).train.y, minlength=10)
    assert sorted(counts.tolist()) == [5] * 3 + [6] * 7


def test_same_seed_gives_the_same_bytes_on_every_machine() -> None:
    """The hash was taken on x86-64 with NumPy 2.4 and 2.0; only operations that IEEE 754 fixes take part in drawing."""
    small = draw_sample(7, 120, 30)
    test = small.test()
    digest = hashlib.sha256(small.train.X.tobytes() + test.X.tobytes())
    digest.update(np.concatenate([small.train.y, test.y]).astype("<i8").tobytes())
    assert digest.hexdigest() == "4643a3b807652e82c0bc3c37d39913988e581314f1c5af8699759b45fa299821"


def test_drawing_again_gives_equal_splits(sample: Dataset, test_split: Split) -> None:
    assert draw_sample().train.examine() == sample.train.examine()
    assert sample.test().examine() == test_split.examine()


def test_another_seed_gives_other_images_and_another_order() -> None:
    first, second = draw_sample(1, 100, 10).train, draw_sample(2, 100, 10).train
    assert not np.array_equal(first.y, second.y)
    assert not {row.tobytes() for row in first.X} & {row.tobytes() for row in second.X}


def test_number_of_test_rows_leaves_the_training_rows_alone() -> None:
    assert draw_sample(0, 50, 10).train.examine() == draw_sample(0, 50, 20).train.examine()


def test_no_image_appears_twice_in_or_across_the_splits(sample: Dataset, test_split: Split) -> None:
    rows = {row.tobytes() for X in (sample.train.X, test_split.X) for row in X}
    assert len(rows) == 6000


def test_pixels_use_the_whole_range_of_a_byte_and_are_mostly_not_clipped(sample: Dataset) -> None:
    X = sample.train.X
    assert (X.min(), X.max()) == (0, 255)
    assert np.mean((X == 0) | (X == 255)) < 0.1


@pytest.mark.parametrize("label", range(10), ids=CLASSES)
def test_every_class_varies_in_each_pixel(sample: Dataset, label: int) -> None:
    assert sample.train.X[sample.train.y == label].std(axis=0).min() > 20


def test_rows_are_planes_of_red_green_and_blue(sample: Dataset) -> None:
    frogs = planes(sample.train.X[sample.train.y == CLASSES.index("frog")])
    red, green, blue = frogs[:, :, 12:22, 12:20].mean(axis=(0, 2, 3))
    assert green > red + 10 > blue
    airplanes = planes(sample.train.X[sample.train.y == CLASSES.index("airplane")])
    red, _, blue = airplanes[:, :, :6, :].mean(axis=(0, 2, 3))
    assert blue > red + 20


def test_images_stand_upright_and_face_both_ways(sample: Dataset) -> None:
    ships = planes(sample.train.X[sample.train.y == CLASSES.index("ship")]).mean(axis=(0, 1))
    assert ships[:6].mean() > ships[-6:].mean() + 30  # the sky is above the sea
    horses = planes(sample.train.X[sample.train.y == CLASSES.index("horse")]).mean(axis=(0, 1))
    assert np.abs(horses - horses[:, ::-1]).mean() < 5  # heads on either side: a symmetric mean


def test_mean_colour_does_not_give_the_classes_away(sample: Dataset, test_split: Split) -> None:
    train, test = (planes(split.X).mean(axis=(2, 3)) for split in (sample.train, test_split))
    centres = np.array([train[sample.train.y == label].mean(axis=0) for label in range(10)])
    nearest = np.argmin(((test[:, None] - centres) ** 2).sum(axis=2), axis=1)
    assert np.mean(nearest == test_split.y) < 0.4


def test_linear_softmax_lands_between_60_and_85_percent(
    sample: Dataset, test_split: Split, centred: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> None:
    W = trained(centred[0], sample.train.y, learning_rate=3e-6, regularization=100, steps=300)
    assert 0.60 < accuracy(W, centred[1], test_split.y) < 0.85


@pytest.mark.parametrize(("learning_rate", "regularization"), [(1e-8, 100), (3e-6, 1e5)])
def test_bad_settings_lose_clearly(
    sample: Dataset,
    test_split: Split,
    centred: tuple[NDArray[np.float32], NDArray[np.float32]],
    learning_rate: float,
    regularization: float,
) -> None:
    W = trained(centred[0], sample.train.y, learning_rate, regularization, steps=60)
    assert 0.15 < accuracy(W, centred[1], test_split.y) < 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 100, 100), "sample: seed: expected a whole number of at least 0, got -1"),
        ((0, 9, 100), "sample: train_rows: expected a whole number of at least 10, got 9"),
        ((0, 100, 0), "sample: test_rows: expected a whole number of at least 10, got 0"),
    ],
)
def test_impossible_arguments_are_refused(arguments: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        draw_sample(*arguments)
