"""Learning the filters of patch features from training images, without labels.

    patches   random ones, each (x - mean) / sqrt(var + contrast)
    whitening W = V (values + whitening)^-1/2 V^T of the covariance of patches and their mirror images
    atoms     by OMP-1: each patch goes to the unit vector with the largest |z|, z its product with the whitened patch;
              an atom becomes the sum of z times its patches, of length 1 again

Coates & Ng (2011), "The importance of encoding versus training with sparse coding and vector quantization", ICML.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from softmaxclf.core.images import ImageShape
from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.patches.regions import shares
from softmaxclf.core.stages.patches.stage import MOST_COLUMNS, MOST_PIXELS, MOST_SCALES, Patches, Scale
from softmaxclf.core.stages.stage import Array
from softmaxclf.errors import ConfigError

PATCHES = 100_000  # per scale, from at most IMAGES images
IMAGES = 25_000
ROUNDS = 10
BLOCK = 512  # images, and
PATCH_BLOCK = 10_000  # patches worked on together


class Recipe(NamedTuple):
    """Settings of the stage, as the section `features` has them; fold: whether mirrored pairs are added."""

    filters: tuple[int, ...]
    patch: int
    scales: tuple[int, ...]
    threshold: float
    pooling: int
    contrast: float
    whitening: float
    seed: int
    fold: bool = False

    @classmethod
    def of(cls, settings: Any, *, fold: bool) -> "Recipe":
        """That of settings with these names."""
        return cls(**{name: getattr(settings, name) for name in cls._fields[:-1]}, fold=fold)

    def filters_at(self, place: int) -> int:
        """How many filters the scale at that place has, their mirror images among them."""
        return self.filters[place % len(self.filters)]

    def check(self, shape: ImageShape | None) -> None:
        """Raise ConfigError where no filters can be learned from rows of that image shape (None: no images)."""
        if shape is None:
            raise ConfigError("features.kind: expected rows that are images, got others; write none")
        if math.prod(shape[1:]) > MOST_PIXELS:
            raise ConfigError(
                f"features.kind: patches expects images of at most {MOST_PIXELS:,} pixels, got {shape[1]} x "
                f"{shape[2]}; make them smaller"
            )
        if any(count % 2 for count in self.filters) or len(self.filters) not in (1, len(self.scales)):
            raise ConfigError(
                f"features.filters: expected one even number, or one for each of the {len(self.scales)} scales, got "
                f"{', '.join(map(str, self.filters)) or 'none'}"
            )
        if not 1 <= len(self.scales) <= MOST_SCALES:
            raise ConfigError(f"features.scales: expected 1 to {MOST_SCALES} numbers, got {len(self.scales)}")
        if min(shape[1:]) // max(self.scales) < self.patch:
            raise ConfigError(
                f"features.patch: expected images of at least {self.patch * max(self.scales)} pixels on either side, "
                f"for patches of {self.patch} at 1 / {max(self.scales)} of their size, got {shape[1]} x {shape[2]}; "
                "lower features.patch or the largest of features.scales"
            )
        columns = 2 * self.pooling**2 * sum(map(self.filters_at, range(len(self.scales)))) // (1 + self.fold)
        if columns > MOST_COLUMNS:
            raise ConfigError(
                f"features.filters: expected at most {MOST_COLUMNS:,} features in all, got {columns:,}; lower it or "
                "features.pooling"
            )


def learn(
    X: Array,
    rows: Array,
    shape: ImageShape,
    recipe: Recipe,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Patches:
    """The stage with filters learned from those rows (n,) of X (N, D), which are images. progress: (rounds done, of).

    Equal rows and settings give equal bits.
    """
    rounds = len(recipe.scales) * ROUNDS
    unit = _unit(X, rows)
    contrast = recipe.contrast * unit**2
    scales = []
    for place, factor in enumerate(recipe.scales):
        generator = np.random.default_rng([recipe.seed, place])
        patches = sample(X, rows, shape, factor, recipe.patch, generator)

        def told(done: int, place: int = place) -> None:
            progress(place * ROUNDS + done, rounds)

        G = filters_of(
            patches, shape[0], recipe.filters_at(place), recipe.whitening, contrast, generator, told
        )
        scales.append(Scale(factor, G.astype(np.float32)))
    return Patches(
        shape, tuple(scales), recipe.patch, recipe.threshold, recipe.pooling, contrast, recipe.fold
    )


def _unit(X: Array, rows: Array) -> float:
    """What one step of 255 is in these pixels: 1 of uint8, of other numbers their largest among some rows / 255."""
    if X.dtype == np.uint8:
        return 1.0
    some = rows[:: max(1, len(rows) // BLOCK)]
    return float(np.abs(X[some]).max()) / 255 or 1.0


def sample(
    X: Array, rows: Array, shape: ImageShape, factor: int, patch: int, generator: np.random.Generator
) -> Array:
    """(n, C p p) float32 patches at random places of random ones of those rows, at that scale.

    Where there are no more than PATCHES, each of them once.
    """
    chosen = np.sort(generator.choice(rows, min(len(rows), IMAGES), replace=False))
    places = math.prod(side // factor - patch + 1 for side in shape[1:])
    each = min(-(-PATCHES // len(chosen)), places)
    reader, (channels, height, width) = RowReader(X), shape
    down, across = (shares(side, side // factor).astype(np.float32) for side in (height, width))
    found = np.empty((len(chosen) * each, channels * patch**2), np.float32)
    start = 0
    for _, block in reader.chunks(chosen, BLOCK):
        images = block.reshape(-1, *shape)
        small = images if factor == 1 else down @ images @ across.T
        windows = sliding_window_view(small, (patch, patch), axis=(2, 3))
        for place in range(each):
            stop = start + len(small)
            sizes, shared = windows.shape[2:4], each == places
            own = (generator.integers(0, size, len(small)) for size in sizes)
            top, left = np.unravel_index(place, sizes) if shared else own
            found[start:stop] = windows[np.arange(len(small)), :, top, left].reshape(len(small), -1)
            start = stop
    return found


def filters_of(
    patches: Array,
    channels: int,
    count: int,
    epsilon: float,
    contrast: float,
    generator: np.random.Generator,
    told: Callable[[int], None] = lambda done: None,
) -> Array:
    """G (C p p + 1, count / 2), float64, from patches (n, C p p): see stage.py."""
    means = patches.mean(axis=1, keepdims=True)
    normalized = (patches - means) / np.sqrt(patches.var(axis=1, keepdims=True) + np.float32(contrast))
    mean, W = whitening(normalized, channels, epsilon)
    whitened = ((normalized - mean.astype(np.float32)) @ W.astype(np.float32)).astype(np.float32)
    atoms = W @ omp1(whitened, count // 2, generator, told)
    centered = atoms - atoms.mean(axis=0)  # a product with a patch then needs no mean of it
    return np.vstack([centered, -(mean @ atoms)])


def whitening(patches: Array, channels: int, epsilon: float) -> tuple[Array, Array]:
    """(mean (d,), W (d, d)), float64, of patches (n, d) and their mirror images."""
    mean = patches.mean(axis=0, dtype=np.float64)
    second = (patches.T @ patches).astype(np.float64) / len(patches)
    side = round((patches.shape[1] / channels) ** 0.5)
    mirror = np.arange(len(mean)).reshape(channels, side, side)[:, :, ::-1].ravel()
    mean, second = (mean + mean[mirror]) / 2, (second + second[np.ix_(mirror, mirror)]) / 2
    values, vectors = np.linalg.eigh(second - np.outer(mean, mean))
    return mean, (vectors / np.sqrt(np.maximum(values, 0) + epsilon)) @ vectors.T


def omp1(
    patches: Array,
    count: int,
    generator: np.random.Generator,
    told: Callable[[int], None] = lambda done: None,
) -> Array:
    """`count` unit atoms (d, count), float64, for whitened patches (n, d); told: rounds done."""
    atoms = _drawn(patches, count, generator)
    for done in range(ROUNDS):
        sums = np.zeros_like(atoms)
        for start in range(0, len(patches), PATCH_BLOCK):
            block = patches[start : start + PATCH_BLOCK]
            z = block @ atoms
            own = np.arange(len(z)), np.abs(z).argmax(axis=1)
            assigned = np.zeros_like(z)
            assigned[own] = z[own]
            sums += block.T @ assigned
        lengths = np.linalg.norm(sums, axis=0)
        dead = lengths < 1e-6
        sums[:, dead] = _drawn(patches, int(dead.sum()), generator)
        lengths[dead] = 1
        atoms = sums / lengths
        told(done + 1)
    return atoms.astype(np.float64)


def _drawn(patches: Array, count: int, generator: np.random.Generator) -> Array:
    """(d, count) random patches of length 1."""
    drawn = patches[generator.integers(0, len(patches), count)].T
    return np.asarray(drawn / np.maximum(np.linalg.norm(drawn, axis=0), 1e-6))
