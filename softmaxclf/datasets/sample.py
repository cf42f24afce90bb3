"""The built-in sample: ten classes of drawn 32 × 32 colour scenes named like CIFAR-10's, made in about a second.

Objects vary in place, size, colour, direction and background; light, texture, grain and a blurred thing before
the lens come on top. So a linear classifier has something to learn (its templates resemble the classes), something
to confuse, and noise to overfit.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from softmaxclf.datasets.dataset import Dataset, Labels, Split
from softmaxclf.datasets.scenes import animals, vehicles
from softmaxclf.datasets.scenes.drawing import SIDE, Array, Scene, Stream, cover, ellipse, smooth_noise
from softmaxclf.datasets.scenes.scenery import BROWN, CREAM, GREY, LEAF, RED
from softmaxclf.errors import ConfigError

Painter = Callable[[Scene], None]

PAINTERS: dict[str, Painter] = {
    "airplane": vehicles.airplane,
    "automobile": vehicles.automobile,
    "bird": animals.bird,
    "cat": animals.cat,
    "deer": animals.deer,
    "dog": animals.dog,
    "frog": animals.frog,
    "horse": animals.horse,
    "ship": vehicles.ship,
    "truck": vehicles.truck,
}
LIGHTS = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.9, 0.95, 1.0), (1.0, 0.9, 0.78))  # neutral twice, cool, warm
TRAIN, TEST = 0, 1  # the part of a stream's key that keeps the two splits apart
# Images painted together, so that their planes stay in the processor's cache. Every number is drawn for a whole block:
# another size gives other images.
BLOCK = 100


def draw_sample(seed: int = 0, train_rows: int = 5000, test_rows: int = 1000) -> Dataset:
    """The sample of a seed: X uint8 (N, 3072) in CIFAR's plane order, balanced labels in a drawn order.

    The same seed and number of rows give the same bytes on every machine. A split is drawn when it is asked for.
    Raises ConfigError for a negative seed and for fewer rows than classes.
    """
    _require(seed, 0, "seed")
    _require(train_rows, len(PAINTERS), "train_rows")
    _require(test_rows, len(PAINTERS), "test_rows")
    return Dataset(
        name="sample",
        path="sample",
        read_class_names=lambda: tuple(PAINTERS),
        image_shape=(3, SIDE, SIDE),
        read_train=lambda: _draw_split(seed, TRAIN, train_rows),
        read_test=lambda: _draw_split(seed, TEST, test_rows),
    )


def _require(number: int, least: int, what: str) -> None:
    if number < least:
        raise ConfigError(f"sample: {what}: expected a whole number of at least {least}, got {number}")


def _draw_split(seed: int, split: int, rows: int) -> Split:
    """One split, each class from a stream of its own; labels come from the stream after those of the classes."""
    y = _shuffled_labels(Stream(seed, split, len(PAINTERS)), rows)
    X = np.empty((rows, 3 * SIDE * SIDE), dtype=np.uint8)
    for label, painter in enumerate(PAINTERS.values()):
        stream = Stream(seed, split, label)
        places = np.flatnonzero(y == label)
        for start in range(0, len(places), BLOCK):
            block = places[start : start + BLOCK]
            X[block] = _photographs(painter, stream, len(block))
    return Split(X, y)


def _shuffled_labels(stream: Stream, rows: int) -> Labels:
    """Labels (rows,) in a drawn order, each class as often as the others or once more."""
    return np.argsort(stream.raw(rows), kind="stable").astype(np.int64) % len(PAINTERS)


def _photographs(painter: Painter, stream: Stream, count: int) -> NDArray[np.uint8]:
    """`count` finished images of one class, (count, 3072)."""
    scene = Scene(stream, count)
    painter(scene)
    _obstruct(scene)
    _illuminate(scene)
    return _expose(scene).reshape(count, -1)


def _obstruct(scene: Scene) -> None:
    """Put a blurred thing before the lens in one image of three."""
    blob = scene.frame((scene.between(-2, 34), scene.between(-2, 34)), scene.between(2, 7))
    mask = cover(ellipse(blob, (0.0, 0.0), (1.0, scene.between(0.5, 1.6))), 2.5)
    scene.paint(mask * scene.chance(0.33), scene.colour(LEAF, BROWN, GREY, RED, CREAM))


def _illuminate(scene: Scene) -> None:
    """Colour of the light, light from one side, soft shadows and the texture of surfaces."""
    tint = scene.colour(*LIGHTS, spread=0.05, light=0.15)
    slope = scene.between(-0.25, 0.25) * (scene.x / SIDE - 0.5) * 2
    shadows = 0.3 * (smooth_noise(scene, 4) - 0.5)
    texture = scene.between(0.1, 0.4) * (smooth_noise(scene, 12) - 0.5)
    scene.pixels *= tint * (1 + slope + shadows + texture)[:, None]


def _expose(scene: Scene) -> NDArray[np.uint8]:
    """The pixels as bytes, (n, 3, 32, 32), with the gain, haze and grain of a camera."""
    gain: Array = 255 * scene.between(0.75, 1.2)[:, None]
    haze: Array = 255 * scene.between(0.0, 0.12)[:, None]
    grain = scene.stream.grain(scene.count, 3, SIDE, SIDE) * scene.between(10, 28)[:, None]
    exposed = scene.pixels * gain + haze + grain
    return np.asarray(np.rint(np.clip(exposed, 0, 255)), dtype=np.uint8)
