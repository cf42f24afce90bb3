"""Patch features: what filters find in all small patches of an image, averaged over regions of it.

For each position of a p x p window (p = `patch`), x its pixels:

    z = [x / s, 1] G             s^2 = var(x) + contrast; G holds whitening, atoms and the subtraction of means
    a = max(z - threshold, 0), max(-z - threshold, 0)            both signs of each filter
    features = means of a over pooling x pooling regions

on the image, and on the image averaged to 1/2, 1/3 ... of its size (`scales`), each with filters of its own
(dictionary.py). After Coates & Ng (2011), "The importance of encoding versus training with sparse coding and vector
quantization", ICML, and Coates, Lee & Ng (2011), "An analysis of single-layer networks in unsupervised feature
learning", AISTATS.

Every filter comes with its mirror image, whose responses are those of the filter to the mirrored image: an image and
its mirror image have the same features in another order, but for the last digits. `fold` adds each feature to its
partner, divided by sqrt 2: with an L2 penalty that equals training on every image and its mirror image, see
core/stages/mirror.py.
"""

import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from softmaxclf.core import blas
from softmaxclf.core.images import ImageShape
from softmaxclf.core.stages.patches.regions import grid_shares, shares
from softmaxclf.core.stages.stage import Array, Reading

MOST_PIXELS = 2**16  # of an image, in a plane: its patches take 436 bytes each, and threads have their own
CHUNK_NUMBERS = 2**18  # responses worked on together: they stay in the cache of a core
LOADED_NUMBERS, MOST_LOADED = (
    2**21,
    16,
)  # of the patches of some images, which are loaded together: Python then waits less
MOST_COLUMNS, MOST_SCALES = 2**20, 8
LIMITS = {"patch": (2, 64), "pooling": (1, 16), "filters": (1, 2**15), "factor": (1, 64)}


@dataclass(frozen=True, eq=False)
class Scale:
    """The filters of one scale. factor: the image is averaged to 1 / factor of its size.

    G: (C p p + 1, M) float32, the M filters on patches in the order (channel, row, column), the constant last.
    """

    factor: int
    G: Array

    @property
    def filters(self) -> int:
        """M, without the mirror images."""
        return int(self.G.shape[1])


@dataclass(frozen=True, eq=False)
class Patches(Reading):
    """Rows of D pixels become D' = sum over scales of 2 pooling^2 M features; twice as many where not `fold`."""

    shape: ImageShape
    scales: tuple[Scale, ...]
    patch: int
    threshold: float
    pooling: int
    contrast: float
    fold: bool
    name = "patches"
    costly = True

    @property
    def width(self) -> int:  # type: ignore[override]
        """D, the number of pixels."""
        return math.prod(self.shape)

    @property
    def columns(self) -> int:
        """D', the number of features. Their order: scale; image, mirror image (unless `fold`); sign; filter; region."""
        views = 1 if self.fold else 2
        return views * 2 * self.pooling**2 * sum(scale.filters for scale in self.scales)

    def names(self) -> list[str]:
        """(D',) such as "1/2 filter 17- row 0 column 1": scale, filter (m of the mirror image), sign, region."""
        views, side = ("",) if self.fold else ("", "m"), range(self.pooling)
        return [
            f"1/{scale.factor} filter {number}{view}{sign} row {row} column {column}"
            for scale in self.scales
            for view in views
            for sign in "+-"
            for number in range(scale.filters)
            for row in side
            for column in side
        ]

    def read(self, rows: Array, out: Array) -> None:
        """Fill `out` (n, D') with the features of pixels (n, D); each image alone, so the same in any block."""
        threads = min(blas.threads(), len(rows))
        with blas.single_threaded(), ThreadPoolExecutor(max(threads, 1)) as pool:
            list(
                pool.map(
                    lambda lane: self._read_lane(rows[lane::threads], out[lane::threads]), range(threads)
                )
            )

    def _read_lane(self, rows: Array, out: Array) -> None:
        start, images = 0, rows.reshape(-1, *self.shape)
        for plan in self.plans:
            stop = start + plan.columns
            Room(plan, out.dtype).fill(images, out[:, start:stop])
            start = stop

    def contributions(self, x: Array, weights: Array, offset: Array) -> Array:
        """(D, K) shares of the pixels of x (D,) in (features - offset) @ weights, for weights (D', K), offset (D',).

        A feature is a mean over positions; its offset is shared out evenly among these. What a position adds is shared
        out evenly among the pixels of its patch, over all channels.
        """
        total, start = np.zeros((*self.shape[1:], weights.shape[1])), 0
        for plan in self.plans:
            stop = start + plan.columns
            maps = Room(plan, np.dtype(np.float64)).maps(
                x.reshape(self.shape), weights[start:stop], offset[start:stop]
            )
            total += plan.spread(maps)
            start = stop
        channels = self.shape[0]
        return np.tile(total.reshape(-1, weights.shape[1]) / channels, (channels, 1))

    @cached_property
    def plans(self) -> "list[Plan]":
        return [Plan(self, scale) for scale in self.scales]

    def arrays(self) -> Mapping[str, Array]:
        numbers: dict[str, Any] = {"patch": self.patch, "pooling": self.pooling, "fold": self.fold}
        numbers |= {"threshold": self.threshold, "contrast": self.contrast}
        numbers["factors"] = [scale.factor for scale in self.scales]
        matrices = {f"G{place}": scale.G for place, scale in enumerate(self.scales)}
        return {name: np.asarray(value) for name, value in numbers.items()} | matrices

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], image_shape: ImageShape | None) -> "Patches":
        if image_shape is None:
            raise ValueError("an image_shape in a model of patch features")
        factors = [
            _whole(arrays, "factors", "factor", at)
            for at in range(min(np.size(arrays["factors"]), MOST_SCALES + 1))
        ]
        stage = cls(
            image_shape,
            tuple(Scale(factor, arrays[f"G{place}"]) for place, factor in enumerate(factors)),
            _whole(arrays, "patch", "patch"),
            _positive(arrays, "threshold"),
            _whole(arrays, "pooling", "pooling"),
            _positive(arrays, "contrast"),
            bool(_scalar(arrays, "fold", "b")),
        )
        stage.check_sizes()
        return stage

    def check_sizes(self) -> None:
        """Raise ValueError where filters and images do not belong together; no memory is taken before."""
        if not 1 <= len(self.scales) <= MOST_SCALES:
            raise ValueError(f"1 to {MOST_SCALES} scales of patches")
        if math.prod(self.shape[1:]) > MOST_PIXELS:
            raise ValueError(f"images of at most {MOST_PIXELS:,} pixels")
        for scale in self.scales:
            rows = self.shape[0] * self.patch**2 + 1
            low, high = LIMITS["filters"]
            G = scale.G
            known = G.dtype == np.float32 and G.ndim == 2 and len(G) == rows and low <= G.shape[1] <= high
            if not (known and np.isfinite(G).all()):
                raise ValueError(f"finite filters ({rows}, 1 to {high:,}) of type float32")
            if min(self.shape[1:]) // scale.factor < self.patch:
                raise ValueError(f"images of at least {self.patch * scale.factor} pixels on either side")
        if self.columns > MOST_COLUMNS:
            raise ValueError(f"at most {MOST_COLUMNS:,} features")


class Plan:
    """What is the same for all images of a scale: sizes and constant matrices.

    n: positions. R: (n, regions) of each view, what averages over positions: the filters, and their mirror images.
    """

    def __init__(self, stage: Patches, scale: Scale) -> None:
        channels, height, width = stage.shape
        self.scale, self.patch, self.fold = scale, stage.patch, stage.fold
        self.channels, self.height, self.width = channels, height // scale.factor, width // scale.factor
        self.rows, self.columns_of_positions = self.height - stage.patch + 1, self.width - stage.patch + 1
        self.positions = self.rows * self.columns_of_positions
        self.threshold, self.contrast = stage.threshold, stage.contrast
        self.shrink = None
        if scale.factor > 1:
            self.shrink = shares(height, self.height), shares(width, self.width)
        self.views = 1 if stage.fold else 2
        R = grid_shares(self.rows, self.columns_of_positions, stage.pooling)
        # Where each region of the image lies in its mirror image.
        self.mirrored = np.arange(R.shape[1]).reshape(stage.pooling, -1)[:, ::-1].ravel()
        self.R = [R / math.sqrt(2), R[:, self.mirrored] / math.sqrt(2)] if stage.fold else [R, R]

    @property
    def regions(self) -> int:
        return int(self.R[0].shape[1])

    @property
    def columns(self) -> int:
        """In the order (view, sign, filter, region)."""
        return self.views * 2 * self.scale.filters * self.regions

    def reduced(self, image: Array) -> Array:
        """Images (..., H, W) averaged to this scale."""
        if self.shrink is None:
            return image
        rows, columns = (each.astype(image.dtype) for each in self.shrink)
        small: Array = rows @ image @ columns.T
        return small

    def spread(self, maps: Array) -> Array:
        """(H, W, K) of position maps (rows, columns, K): each position shared out among its pixels, with equal sums."""
        p = self.patch
        pixels = np.zeros((self.height, self.width, maps.shape[-1]))
        for row in range(p):
            for column in range(p):
                pixels[row : row + len(maps), column : column + maps.shape[1]] += maps / p**2
        if self.shrink is None:
            return pixels
        rows, columns = self.shrink
        return np.asarray(np.einsum("hH,hwk,wW->HWk", rows, pixels, columns, optimize=True))


class Room:
    """The buffers of one thread for one scale.

    The responses of a filter and of its mirror image come from two products of half the length. With x a pixel of a
    patch and x' the one in its mirrored place, g and g' the filter's numbers there,

        g x + g' x' = (g + g')/2 (x + x') + (g - g')/2 (x - x') = u + v       and     g' x + g x' = u - v.

    S, D: (images, ..., n) sums and differences of patches side by side, S with a last row of ones.
    """

    def __init__(self, plan: Plan, dtype: np.dtype[Any]) -> None:
        self.plan, self.dtype = plan, dtype
        p, M, n = plan.patch, plan.scale.filters, plan.positions
        G = plan.scale.G[:-1].astype(dtype).reshape(plan.channels, p, p, M)
        even, odd = (G + G[:, :, ::-1]) / 2, (G - G[:, :, ::-1]) / 2
        self.half, self.whole = p // 2, -(-p // 2)
        even = even[:, :, : self.whole].reshape(-1, M)
        self.even = np.ascontiguousarray(np.vstack([even, plan.scale.G[-1:]]).T, dtype)
        self.odd = np.ascontiguousarray(odd[:, :, : self.half].reshape(-1, M).T)
        batch = int(np.clip(LOADED_NUMBERS // (len(G) * p * p * n), 1, MOST_LOADED))
        self.S = np.ones((batch, self.even.shape[1], n), dtype)
        self.D = np.empty((batch, self.odd.shape[1], n), dtype)
        self.chunk = -(-M // min(-(-M * n // CHUNK_NUMBERS), M))
        self.u, self.v, self.z, self.a = np.empty((4, self.chunk, n), dtype)
        self.R = np.ascontiguousarray(plan.R[0], dtype)
        self.means = np.empty((2, 2, M, plan.regions), dtype)  # (view, sign, filter, region)

    def fill(self, images: Array, out: Array) -> None:
        """`out` (n, columns), the features of images (n, C, H, W)."""
        for start in range(0, len(images), len(self.S)):
            part = slice(start, start + len(self.S))
            self.load(images[part])
            for place, features in enumerate(out[part]):
                self._fill(place, features)

    def _fill(self, place: int, out: Array) -> None:
        plan, threshold, means = self.plan, self.dtype.type(self.plan.threshold), self.means
        for view, start, z in self._responses(place):
            stop = start + len(z)
            np.matmul(np.maximum(z, threshold, out=self.a[: len(z)]), self.R, out=means[view, 0, start:stop])
            np.matmul(np.minimum(z, -threshold, out=z), self.R, out=means[view, 1, start:stop])
        means[:, 1] *= -1
        means -= threshold * self.R.sum(axis=0)
        found = out.reshape(plan.views, *means.shape[1:])
        if plan.fold:
            np.add(means[0], means[1][:, :, plan.mirrored], out=found[0])
        else:
            found[...] = means

    def maps(self, image: Array, weights: Array, offset: Array) -> Array:
        """(rows, columns, K): what each position adds to (features - offset) @ weights (columns, K)."""
        plan = self.plan
        self.load(image[None])
        shape = (plan.views, *self.means.shape[1:])
        weights = weights.reshape(*shape, -1)
        even = offset.reshape(shape)[..., None] * weights  # of which each position has its share
        total = np.zeros((plan.positions, weights.shape[-1]))
        for view, R in enumerate(plan.R):
            total -= (R / R.sum(axis=0)) @ even[view % plan.views].sum(axis=(0, 1)) * (plan.views / 2)
        for view, start, z in self._responses(0):
            own = weights[view % plan.views, :, start : start + len(z)]  # (sign, m, regions, K)
            for factor, each in zip((1, -1), own, strict=True):
                active = np.maximum(factor * z - plan.threshold, 0)
                total += np.einsum("mp,pr,mrk->pk", active, plan.R[view], each, optimize=True)
        return total.reshape(plan.rows, plan.columns_of_positions, -1)

    def load(self, images: Array) -> None:
        """S and D of images (n, C, H, W), no more than there is room for: of patches divided by their deviations."""
        plan, p, count = self.plan, self.plan.patch, len(images)
        small = plan.reduced(images.astype(self.dtype, copy=False))
        windows = sliding_window_view(small, (p, p), axis=(2, 3)).transpose(0, 1, 4, 5, 2, 3)
        mirrored, sizes = windows[:, :, :, ::-1], (count, plan.channels, p, *windows.shape[4:])
        S, D = self.S[:count, :-1], self.D[:count]
        both = S.reshape(*sizes[:3], self.whole, *sizes[3:])
        np.add(windows[:, :, :, : self.half], mirrored[:, :, :, : self.half], out=both[:, :, :, : self.half])
        if p % 2:
            both[:, :, :, self.half] = windows[:, :, :, self.half]
        np.subtract(
            windows[:, :, :, : self.half],
            mirrored[:, :, :, : self.half],
            out=D.reshape(*sizes[:3], self.half, *sizes[3:]),
        )
        divisors = (1 / np.sqrt(_variances(small, p) + plan.contrast)).astype(self.dtype)
        for each in (S, D):
            each *= divisors.reshape(count, 1, -1)

    def responses(self, filters: Array) -> Array:
        """z (m, n) of those filters in the first image that is loaded."""
        return np.asarray(self.even[filters] @ self.S[0] + self.odd[filters] @ self.D[0])

    def _responses(self, place: int) -> Iterator[tuple[int, int, Array]]:
        """Yield (view, first filter, z (m, n)) of all filters at all positions of an image, some filters at a time."""
        S, D = self.S[place], self.D[place]
        for start in range(0, len(self.even), self.chunk):
            part = slice(start, start + self.chunk)
            count = len(self.even[part])
            u = np.matmul(self.even[part], S, out=self.u[:count])
            v = np.matmul(self.odd[part], D, out=self.v[:count])
            yield 0, start, np.add(u, v, out=self.z[:count])
            yield 1, start, np.subtract(u, v, out=self.z[:count])


def _variances(images: Array, p: int) -> Array:
    """(..., rows, columns) float64, those of all pixels of each p x p patch of images (..., C, h, w)."""
    planes = np.stack(
        [images.sum(axis=-3, dtype=np.float64), np.square(images, dtype=np.float64).sum(axis=-3)]
    )
    sums = _sums(_sums(planes, p).swapaxes(-1, -2), p).swapaxes(-1, -2)
    mean, squares = sums / (images.shape[-3] * p**2)
    return np.asarray(np.maximum(squares - np.square(mean), 0))


def _sums(planes: Array, p: int) -> Array:
    """(..., w - p + 1): of p neighbours on the last axis, the outer two first, so that mirror images have the same."""
    width = planes.shape[-1] - p + 1
    total = planes[..., p // 2 : p // 2 + width] if p % 2 else np.zeros(1)
    for first in range(p // 2):
        last = p - 1 - first
        total = total + (planes[..., first : first + width] + planes[..., last : last + width])
    return total


def _scalar(arrays: Mapping[str, Array], name: str, kinds: str) -> Any:
    value = arrays[name]
    if value.shape != () or value.dtype.kind not in kinds:
        raise ValueError(f"one number in {name}")
    return value.item()


def _positive(arrays: Mapping[str, Array], name: str) -> float:
    value = float(_scalar(arrays, name, "if"))
    if not 0 <= value <= 1e12:
        raise ValueError(f"{name} from 0 to 1e12")
    return value


def _whole(arrays: Mapping[str, Array], name: str, limits: str, at: int | None = None) -> int:
    array = arrays[name]
    if array.dtype.kind != "i" or array.ndim != (at is not None):
        raise ValueError(f"whole numbers in {name}")
    value, (low, high) = int(array if at is None else array[at]), LIMITS[limits]
    if not low <= value <= high:
        raise ValueError(f"{name} from {low} to {high}")
    return value
