"""The built-in sample: ten classes of drawn 32 × 32 colour scenes named like CIFAR-10's, made in about a second."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from softmaxclf.datasets import scenes
from softmaxclf.datasets.dataset import Dataset, Labels, Split
from softmaxclf.datasets.drawing import SIDE, Scene, Stream, cover, ellipse, smooth_noise
from softmaxclf.errors import ConfigError

PAINTERS: dict[str, Callable[[Scene], None]] = {
    "airplane": scenes.airplane,
    "automobile": scenes.automobile,
    "bird": scenes.bird,
    "cat": scenes.cat,
    "deer": scenes.deer,
    "dog": scenes.dog,
    "frog": scenes.frog,
    "horse": scenes.horse,
    "ship": scenes.ship,
    "truck": scenes.truck,
}
TRAIN, TEST = 0, 1  # the part of a stream's key that keeps the two splits apart
BLOCK = 100  # images painted together: their float planes stay in the processor's cache


def draw_sample(seed: int = 0, train_rows: int = 5000, test_rows: int = 1000) -> Dataset:
    classes = tuple(PAINTERS)
    return Dataset(
        name="sample",
        path="sample",
        class_names=classes,
        image_shape=(3, SIDE, SIDE),
        train=draw_split(seed, TRAIN, train_rows),
        read_test=lambda: draw_split(seed, TEST, test_rows),
    )


def draw_split(seed: int, split: int, rows: int) -> Split:
    y = shuffled_labels(Stream(seed, split), rows)
    X = np.empty((rows, 3 * SIDE * SIDE), dtype=np.uint8)
    for label, paint in enumerate(PAINTERS.values()):
        stream = Stream(seed, split, label)
        places = np.flatnonzero(y == label)
        for start in range(0, len(places), BLOCK):
            block = places[start : start + BLOCK]
            X[block] = photographs(paint, stream, len(block))
    return Split(X, y)


def shuffled_labels(stream: Stream, rows: int) -> Labels:
    return np.argsort(stream.raw(rows), kind="stable").astype(np.int64) % len(PAINTERS)


def photographs(paint: Callable[[Scene], None], stream: Stream, count: int) -> NDArray[np.uint8]:
    scene = Scene(stream, count)
    paint(scene)
    obstruct(scene)
    illuminate(scene)
    return np.rint(np.clip(expose(scene), 0, 255)).astype(np.uint8).reshape(count, -1)


def obstruct(scene: Scene) -> None:
    blob = scene.frame((scene.between(-2, 34), scene.between(-2, 34)), scene.between(2, 6))
    mask = cover(ellipse(blob, (0.0, 0.0), (1.0, scene.between(0.5, 1.6))), 2.5)
    scene.paint(mask * scene.chance(0.25), scene.colour(scenes.LEAF, scenes.BROWN, scenes.GREY, scenes.RED, scenes.CREAM))


def illuminate(scene: Scene) -> None:
    tint = scene.colour((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.9, 0.95, 1.0), (1.0, 0.85, 0.7), spread=0.05, light=0.15)
    slope = scene.between(-0.25, 0.25) * (scene.x / SIDE - 0.5) * 2
    texture = scene.between(0.1, 0.5) * (smooth_noise(scene, 12) - 0.5)
    light = (1 + slope) * (0.85 + 0.3 * smooth_noise(scene, 4)) + texture
    scene.pixels *= tint * light[:, None]


def expose(scene: Scene) -> NDArray[np.float32]:
    gain, fog = scene.between(0.75, 1.2)[:, None], scene.between(0, 0.12)[:, None]
    noise = scene.stream.triangular_bytes(scene.count, 3, SIDE, SIDE) * (scene.between(0.04, 0.1)[:, None])
    return (scene.pixels * gain + fog) * 255 + noise
