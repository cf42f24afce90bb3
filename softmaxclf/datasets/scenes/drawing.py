"""Anti-aliased shapes on many small images at once, in plain NumPy.

A shape is a signed distance in pixels: negative inside, zero on the outline. `cover` turns it into a soft-edged mask,
and `Scene.paint` blends one colour through the mask. Source of the distances: Inigo Quilez, "2D distance
functions", https://iquilezles.org/articles/distfunctions2d/.

Everything here uses only +, -, *, /, sqrt, min, max, rounding and the raw bits of PCG64, all of which IEEE 754 and
NumPy fix to the last bit. So a seed gives the same pixels on every machine; sin, exp or a normal variate would not.

Shapes, for n images: a number per image is (n, 1, 1), a colour (n, 3, 1, 1), a mask or distance (n, 32, 32); any axis
of length 1 broadcasts. x runs to the right and y down, in pixels. Colours are red, green, blue in [0, 1].
"""

from dataclasses import dataclass
from functools import reduce
from math import prod

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # pixels, as in CIFAR

Array = NDArray[np.float32]
Number = float | Array  # one for all images, or (n, 1, 1)
Point = tuple[Number, Number]
Colour = tuple[float, float, float]


class Stream:
    """Random numbers from the raw bits of PCG64, which NumPy keeps fixed for ever, unlike Generator's methods (NEP 19).

    Streams of different `key` under one `seed` are independent: a spawn key, unlike a longer list of seeds, tells
    (0,) from (0, 0).
    """

    def __init__(self, seed: int, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key))

    def raw(self, count: int) -> NDArray[np.uint64]:
        """`count` random 64-bit words, (count,)."""
        return np.asarray(self._bits.random_raw(count), dtype=np.uint64)

    def uniform(self, *shape: int) -> Array:
        """Numbers in [0, 1) of the given shape, multiples of 2^-24 and so exact in float32."""
        words = self.raw(prod(shape)) >> np.uint64(40)
        return (words.astype(np.float32) * np.float32(2**-24)).reshape(shape)

    def grain(self, *shape: int) -> Array:
        """Differences of two random bytes over 255, in [-1, 1], of the given shape; standard deviation 0.41."""
        count = prod(shape)
        pairs = self.raw(-(-count // 4)).astype("<u8").view(np.uint8)[: 2 * count].astype(np.float32)
        return ((pairs[:count] - pairs[count:]) * np.float32(1 / 255)).reshape(shape)


@dataclass(frozen=True)
class Frame:
    """Local coordinates of an object: u to its front, v down, both in units of `scale` pixels, (n, 1, 1)."""

    u: Array
    v: Array
    scale: Array


class Scene:
    """n images being painted: `pixels` (n, 3, 32, 32) in [0, 1], with a random stream of their own."""

    def __init__(self, stream: Stream, count: int) -> None:
        self.stream = stream
        self.count = count
        self.pixels = np.zeros((count, 3, SIDE, SIDE), dtype=np.float32)
        centres = np.arange(SIDE, dtype=np.float32) + np.float32(0.5)
        self.x = centres.reshape(1, 1, SIDE)
        self.y = centres.reshape(1, SIDE, 1)

    def between(self, low: float, high: float) -> Array:
        """One number per image, uniform in [low, high), (n, 1, 1)."""
        return low + (high - low) * self.stream.uniform(self.count, 1, 1)

    def chance(self, probability: float) -> Array:
        """1 with the given probability, else 0, per image, (n, 1, 1)."""
        return (self.stream.uniform(self.count, 1, 1) < probability).astype(np.float32)

    def facing(self) -> Array:
        """-1 (left) or 1 (right) with equal probability per image, (n, 1, 1)."""
        return 2 * self.chance(0.5) - 1

    def colour(self, *palette: Colour, spread: float = 0.08, light: float = 0.12) -> Array:
        """A palette entry per image, each channel moved by up to `spread` and all three by up to `light`."""
        choice = (self.stream.uniform(self.count) * len(palette)).astype(np.int64)
        chosen = np.array(palette, dtype=np.float32)[choice].reshape(self.count, 3, 1, 1)
        own = (2 * spread) * (self.stream.uniform(self.count, 3, 1, 1) - np.float32(0.5))
        common = (2 * light) * (self.stream.uniform(self.count, 1, 1, 1) - np.float32(0.5))
        return np.asarray(np.clip(chosen + own + common, 0, 1))

    def frame(self, centre: Point, scale: Array, facing: Number = 1.0, tilt: Array | None = None) -> Frame:
        """Coordinates around `centre` in pixels; `tilt` is the tangent of half the angle that turns the front down."""
        u, v = (self.x - centre[0]) * facing / scale, (self.y - centre[1]) / scale
        if tilt is None:
            return Frame(u, v, scale)
        square = tilt * tilt  # a rotation in rational form: exact on every machine
        cosine, sine = (1 - square) / (1 + square), 2 * tilt / (1 + square)
        return Frame(cosine * u + sine * v, cosine * v - sine * u, scale)

    def paint(self, mask: Array, colour: Array) -> None:
        """Blend `colour` (n, 3, h, w) over the pixels where `mask` is 1, partly where it is between 0 and 1."""
        change = colour - self.pixels
        change *= mask[:, None]
        self.pixels += change


def cover(distance: Array, softness: Number = 1.0) -> Array:
    """Mask in [0, 1] of a distance: 1 inside, 0 outside, a ramp of `softness` pixels across the outline."""
    mask = 0.5 - distance / softness
    return np.asarray(np.clip(mask, 0, 1, out=mask))


def union(*distances: Array) -> Array:
    """Distance to the nearest of several shapes, which are then painted in one go."""
    return reduce(np.minimum, distances)


def ellipse(frame: Frame, centre: Point, radii: Point) -> Array:
    """Distance to an ellipse with axes along u and v, to first order: f / |grad f| of f = u²/a² + v²/b² - 1."""
    u, v = (frame.u - centre[0]) / radii[0], (frame.v - centre[1]) / radii[1]
    half_u, half_v = u / radii[0], v / radii[1]
    slope = np.sqrt(half_u * half_u + half_v * half_v)
    slope += np.float32(1e-3)  # at the very centre the slope vanishes
    level = u * u + v * v
    level -= 1
    level /= slope
    level *= 0.5 * frame.scale
    return level


def limb(frame: Frame, start: Point, end: Point, thick: Number, thin: Number | None = None) -> Array:
    """Distance to a rounded bar from `start` to `end` whose radius goes from `thick` to `thin`."""
    du, dv = end[0] - start[0], end[1] - start[1]
    square = du * du + dv * dv
    u, v = frame.u - start[0], frame.v - start[1]
    along = u * (du / square) + v * (dv / square)
    np.clip(along, 0, 1, out=along)
    across_u, across_v = u - along * du, v - along * dv
    across_u *= across_u
    across_v *= across_v
    across_u += across_v
    distance = np.sqrt(across_u, out=across_u)
    distance -= thick if thin is None else thick + (thin - thick) * along
    distance *= frame.scale
    return distance


def pair(frame: Frame, start: Point, end: Point, thick: Number, thin: Number | None = None) -> Array:
    """Distance to a limb and its mirror image left of u = 0: ears, arms, halves of a mouth."""
    folded = Frame(np.maximum(frame.u, -frame.u), frame.v, frame.scale)
    return limb(folded, start, end, thick, thin)


def twins(frame: Frame, centre: Point, radii: Point) -> Array:
    """Distance to an ellipse and its mirror image left of u = 0: eyes, cheeks, thighs."""
    folded = Frame(np.maximum(frame.u, -frame.u), frame.v, frame.scale)
    return ellipse(folded, centre, radii)


def box(frame: Frame, left: Number, top: Number, right: Number, bottom: Number) -> Array:
    """Distance to the sides of a rectangle."""
    across = np.maximum(left - frame.u, frame.u - right)
    down = np.maximum(top - frame.v, frame.v - bottom)
    return np.asarray(np.maximum(across, down) * frame.scale)


def polygon(frame: Frame, *corners: Point) -> Array:
    """Distance to the sides of a convex polygon whose corners run clockwise on the screen (u right, v down)."""
    ends = corners[1:] + corners[:1]
    return reduce(np.maximum, [_side(frame, start, end) for start, end in zip(corners, ends, strict=True)])


def _side(frame: Frame, start: Point, end: Point) -> Array:
    """Distance to the line through two points, positive on the left of someone who walks from one to the other."""
    du, dv = end[0] - start[0], end[1] - start[1]
    length = np.sqrt(np.float32(1) * (du * du + dv * dv))
    away_u, away_v = frame.scale * (dv / length), frame.scale * (du / length)
    return np.asarray((frame.u - start[0]) * away_u - (frame.v - start[1]) * away_v)


def smooth_noise(scene: Scene, cells: int) -> Array:
    """A soft random pattern in [0, 1], (n, 32, 32): `cells` + 1 values per axis, interpolated linearly."""
    values = scene.stream.uniform(scene.count, cells + 1, cells + 1)
    position = np.arange(SIDE, dtype=np.float32) * np.float32(cells / SIDE)
    low = position.astype(np.int64)
    part = position - low.astype(np.float32)
    rows = values[:, low] + (values[:, low + 1] - values[:, low]) * part[:, None]
    return np.asarray(rows[:, :, low] + (rows[:, :, low + 1] - rows[:, :, low]) * part)


def shaded(frame: Frame, colour: Array, strength: float, middle: float = 0.0) -> Array:
    """`colour` (n, 3, h, w), lighter above v = `middle` and darker below, by `strength` per unit of v."""
    return np.asarray(colour * np.clip(1 - strength * (frame.v - middle), 0.4, 1.35)[:, None])


def darker(scene: Scene, colour: Array, low: float, high: float) -> Array:
    """`colour` in a shade of `low` to `high` of its brightness, one shade per image, (n, 3, 1, 1)."""
    return np.asarray(colour * scene.between(low, high)[:, None])
