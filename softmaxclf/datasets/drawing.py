"""Anti-aliased shapes on many small images at once, in plain NumPy.

A shape is a signed distance in pixels: negative inside, zero on the outline (ellipses use the first-order distance f / |grad f|).
`cover` turns it into a soft-edged mask, and `Scene.paint` blends one colour through the mask. Source of the distances:
Inigo Quilez, "2D distance functions", https://iquilezles.org/articles/distfunctions2d/.

Everything here uses only +, -, *, /, sqrt, abs, min, max and the raw bits of PCG64, all of which IEEE 754 and NumPy fix to the last
bit. So a seed gives the same pixels on every machine; sin, exp or a normal variate would not.

Shapes: n images of one class; a number per image is (n, 1, 1), a colour (n, 3, 1, 1), a mask or distance (n, 32, 32), where any axis of
length 1 broadcasts. y points down. Colours are red, green, blue in [0, 1].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # pixels, as in CIFAR

Array = NDArray[np.float32]
Number = float | Array  # one for all images, or (n, 1, 1)
Point = tuple[Number, Number]
Colour = tuple[float, float, float]


class Stream:
    """Uniform random numbers from the raw bits of PCG64, whose stream NumPy keeps fixed (that of Generator methods may change)."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def raw(self, count: int) -> NDArray[np.uint64]:
        """`count` random 64-bit words, (count,)."""
        return np.asarray(self._bits.random_raw(count), dtype=np.uint64)

    def uniform(self, *shape: int) -> Array:
        """Numbers in [0, 1), of the given shape: multiples of 2^-24, so exact in float32."""
        words = self.raw(int(np.prod(shape))) >> np.uint64(40)
        return (words.astype(np.float32) * np.float32(2**-24)).reshape(shape)

    def triangular_bytes(self, *shape: int) -> Array:
        """Sums of two random bytes less their mean, in [-255, 255], of the given shape; standard deviation 104.5."""
        count = int(np.prod(shape))
        data = self.raw(-(-2 * count // 8)).astype("<u8").view(np.uint8)[: 2 * count]
        return (data[:count].astype(np.float32) + data[count:] - np.float32(255)).reshape(shape)


@dataclass(frozen=True)
class Frame:
    """Local coordinates of an object: u to its front, v down, both in units of `scale` pixels, (n, 1, 1)."""

    u: Array
    v: Array
    scale: Array


class Scene:
    """n images being painted: `pixels` (n, 3, 32, 32) in [0, 1], with their own random stream."""

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

    def side(self) -> Array:
        """-1 or 1 with equal probability per image, (n, 1, 1): the direction that something faces."""
        return 2 * self.chance(0.5) - 1

    def colour(self, *palette: Colour, spread: float = 0.08, light: float = 0.12) -> Array:
        """A palette entry per image, each channel moved by up to `spread` and all three together by up to `light`."""
        choice = (self.stream.uniform(self.count) * len(palette)).astype(np.int64)
        chosen = np.array(palette, dtype=np.float32)[choice].reshape(self.count, 3, 1, 1)
        own = (2 * spread) * (self.stream.uniform(self.count, 3, 1, 1) - np.float32(0.5))
        common = (2 * light) * (self.stream.uniform(self.count, 1, 1, 1) - np.float32(0.5))
        return np.asarray(np.clip(chosen + own + common, 0, 1))

    def frame(self, centre: Point, scale: Array, facing: Number = 1.0, tilt: Number = 0.0) -> Frame:
        """Coordinates around `centre` (pixels); `tilt` is the tangent of half the angle by which the front is turned down."""
        x, y = (self.x - centre[0]) * facing / scale, (self.y - centre[1]) / scale
        if isinstance(tilt, float) and tilt == 0:
            return Frame(x, y, scale)
        square = tilt * tilt  # rational rotation: exact everywhere, unlike the machine's sine
        cosine, sine = (1 - square) / (1 + square), 2 * tilt / (1 + square)
        return Frame(cosine * x + sine * y, cosine * y - sine * x, scale)

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
    nearest = distances[0]
    for distance in distances[1:]:
        nearest = np.minimum(nearest, distance)
    return nearest


def ellipse(frame: Frame, centre: Point, radii: Point) -> Array:
    """Distance to an ellipse whose axes lie along u and v: f / |grad f| of f = u²/a² + v²/b² - 1."""
    a, b = ((frame.u - centre[0]) / radii[0]), ((frame.v - centre[1]) / radii[1])
    slope_u, slope_v = a / radii[0], b / radii[1]
    slope = np.sqrt(slope_u * slope_u + slope_v * slope_v)
    level = a * a + b * b
    level -= 1
    slope += np.float32(1e-3)  # at the very centre the slope vanishes
    level /= slope
    level *= 0.5 * frame.scale
    return level


def limb(frame: Frame, start: Point, end: Point, thick: Number, thin: Number | None = None) -> Array:
    """Distance to a rounded bar from `start` to `end` whose radius goes from `thick` to `thin`."""
    du, dv = end[0] - start[0], end[1] - start[1]
    length = du * du + dv * dv
    u, v = frame.u - start[0], frame.v - start[1]
    along = u * (du / length) + v * (dv / length)
    np.clip(along, 0, 1, out=along)
    across_u, across_v = u - along * du, v - along * dv
    across_u *= across_u
    across_v *= across_v
    across_u += across_v
    distance = np.sqrt(across_u, out=across_u)
    distance -= thick if thin is None else thick + (thin - thick) * along
    distance *= frame.scale
    return distance


def box(frame: Frame, left: Number, top: Number, right: Number, bottom: Number) -> Array:
    """Distance to the nearest side of a rectangle."""
    return np.maximum(
        np.maximum(left - frame.u, frame.u - right) * frame.scale,
        np.maximum(top - frame.v, frame.v - bottom) * frame.scale,
    )


def polygon(frame: Frame, *corners: Point) -> Array:
    """Distance to the nearest side of a convex polygon whose corners run clockwise on the screen (u right, v down)."""
    distance = None
    for (u0, v0), (u1, v1) in zip(corners, corners[1:] + corners[:1], strict=True):
        du, dv = u1 - u0, v1 - v0
        size = np.sqrt(np.float32(1) * (du * du + dv * dv))
        side = (frame.u - u0) * (frame.scale * (dv / size)) - (frame.v - v0) * (frame.scale * (du / size))
        distance = side if distance is None else np.maximum(distance, side, out=side)
    assert distance is not None
    return np.asarray(distance)


def smooth_noise(scene: Scene, cells: int) -> Array:
    """A soft random pattern in [0, 1], (n, 32, 32): `cells` + 1 random values per axis, interpolated linearly."""
    values = scene.stream.uniform(scene.count, cells + 1, cells + 1)
    position = np.arange(SIDE, dtype=np.float32) * np.float32(cells / SIDE)
    low = position.astype(np.int64)
    part = position - low
    rows = values[:, low] + (values[:, low + 1] - values[:, low]) * part.reshape(1, SIDE, 1)
    return np.asarray(rows[:, :, low] + (rows[:, :, low + 1] - rows[:, :, low]) * part.reshape(1, 1, SIDE))
