"""Is a gradient right? Analytic derivatives against numeric differences.

The numeric derivative along a line is the central difference (f(w + h) - f(w - h)) / 2h: its error is about
h^2 f'''/6 from curvature plus eps |f| / h from rounding, so h should shrink as the features grow
(`suitable_step`). Work in float64: in float32 the rounding alone hides an error of 0.1 %.

Two values agree when |a - n| / max(|a|, |n|, floor) is small. The floor, stated in each result, is the size
below which rounding of f alone could exceed the tolerance, so nothing that can be resolved is excused.

Kinks: across a bend of the hinge the difference quotient mixes two slopes and proves nothing. Pass
`kinks`, a function W -> values that change sign where f bends (hinge_margins); lines that cross one within
+-h are skipped and counted.
Source: CS231n notes, "Gradient checks".
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Objective = Callable[[Array], float]
Kinks = Callable[[Array], Array]

STEP = 1e-5
TOLERANCE = 1e-6
_ROUNDINGS = 8  # evaluating f is taken to be good to this many units in its last place


@dataclass(frozen=True)
class GradientCheck:
    """What a comparison found.

    worst: where the relative error is largest, the coordinate's index into W or (number of the direction,);
    None if nothing was checked. analytic, numeric: the two derivatives there, NaN if nothing was checked.
    checked, skipped: how many coordinates or directions were compared, and how many had a kink within +-h.
    kinks: the places, as indices into what `kinks` returns, that made lines be skipped; each once, sorted.
    """

    max_relative_error: float
    worst: tuple[int, ...] | None
    analytic: float
    numeric: float
    checked: int
    skipped: int
    floor: float
    tolerance: float
    kinks: tuple[tuple[int, ...], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether something was checked and every relative error is within the tolerance; NaN is not."""
        return self.checked > 0 and self.max_relative_error <= self.tolerance


def relative_error(a: ArrayLike, b: ArrayLike, floor: float) -> Array:
    """|a - b| / max(|a|, |b|, floor), element by element, >= 0. Raises ValueError unless floor > 0."""
    if not floor > 0:
        raise ValueError(f"floor: expected a number above 0, got {floor}")
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    size = np.maximum(np.maximum(np.abs(first), np.abs(second)), floor)
    with np.errstate(invalid="ignore"):
        error: Array = np.abs(first - second) / size  # NaN where a value is NaN or infinite
    return error


def rounding(value: float) -> float:
    """By how much a loss of this size may be off in float64; smaller and infinite ones count as 1."""
    size = abs(value) if math.isfinite(value) else 1.0
    return _ROUNDINGS * float(np.finfo(np.float64).eps) * max(1.0, size)


def suitable_step(X: ArrayLike) -> float:
    """STEP / (root mean square of X), which moves scores by about STEP whatever the features' scale."""
    size = math.sqrt(float(np.mean(np.square(np.asarray(X, np.float64)))))
    return STEP / size if size > 0 else STEP


def numeric_gradient(
    f: Objective, W: ArrayLike, h: float = STEP, coordinates: ArrayLike | None = None
) -> Array:
    """Central differences of f at W, float64, shaped like W; or (n,) at n flat indices `coordinates`.

    Two evaluations each. f may read the array that it is given, not change it.
    Raises ValueError unless h > 0.
    """
    weights = _weights(W, h)
    places = np.arange(weights.size) if coordinates is None else np.asarray(coordinates)
    slopes = np.array([_numeric_slope(f, *_along_axis(weights, int(place), h)) for place in places])
    return slopes.reshape(weights.shape) if coordinates is None else slopes


def check_elementwise(
    f: Objective,
    gradient: ArrayLike,
    W: ArrayLike,
    *,
    count: int | None = None,
    seed: int = 0,
    h: float = STEP,
    tolerance: float = TOLERANCE,
    kinks: Kinks | None = None,
) -> GradientCheck:
    """Compare `gradient`, shaped like W, with numeric derivatives at `count` drawn coordinates (None: all).

    Raises ValueError when shapes differ, h is not positive or count is below 1.
    """
    weights, analytic = _pair(W, gradient, h, count)
    places = np.arange(weights.size)
    if count is not None and count < weights.size:
        places = np.sort(np.random.default_rng(seed).choice(weights.size, count, replace=False))
    lines = (
        _Line(_index(place, weights), float(analytic.flat[place]), *_along_axis(weights, place, h))
        for place in places.tolist()
    )
    return _compare(f, lines, _noise_floor(f, weights, h, tolerance), tolerance, kinks)


def check_directions(
    f: Objective,
    gradient: ArrayLike,
    W: ArrayLike,
    *,
    count: int = 10,
    seed: int = 0,
    h: float = STEP,
    tolerance: float = TOLERANCE,
    kinks: Kinks | None = None,
) -> GradientCheck:
    """Compare gradient . u with the derivative of f along `count` random unit directions u.

    All of W for two evaluations per direction. The floor is here at least ||gradient|| / sqrt(size of W), the
    typical size of gradient . u, since a direction may be nearly level by chance.
    Raises ValueError as check_elementwise does.
    """
    weights, analytic = _pair(W, gradient, h, count)
    typical = float(np.linalg.norm(analytic)) / math.sqrt(weights.size)
    floor = max(_noise_floor(f, weights, h, tolerance), typical)
    return _compare(f, _random_lines(weights, analytic, count, seed, h), floor, tolerance, kinks)


@dataclass(frozen=True)
class _Line:
    """A line through W: name, analytic slope along it, W one step on and one back, and their distance."""

    name: tuple[int, ...]
    slope: float
    forward: Array
    back: Array
    distance: float


def _along_axis(weights: Array, place: int, h: float) -> tuple[Array, Array, float]:
    """(forward, back, distance); the distance is not quite 2h, since w + h and w - h are rounded."""
    forward, back = weights.copy(), weights.copy()
    forward.flat[place] += h
    back.flat[place] -= h
    return forward, back, float(forward.flat[place] - back.flat[place])


def _random_lines(weights: Array, analytic: Array, count: int, seed: int, h: float) -> Iterator[_Line]:
    generator = np.random.default_rng(seed)
    for number in range(count):
        direction = generator.standard_normal(weights.shape)
        direction /= np.linalg.norm(direction)
        slope = float(np.sum(analytic * direction))
        yield _Line((number,), slope, weights + h * direction, weights - h * direction, 2 * h)


def _compare(
    f: Objective, lines: Iterable[_Line], floor: float, tolerance: float, kinks: Kinks | None
) -> GradientCheck:
    worst: tuple[float, tuple[int, ...] | None, float, float] = (0.0, None, math.nan, math.nan)
    checked = skipped = 0
    crossed: set[tuple[int, ...]] = set()
    for line in lines:
        met = _crossed(line, kinks)
        if met:
            skipped += 1
            crossed.update(met)
            continue
        checked += 1
        numeric = _numeric_slope(f, line.forward, line.back, line.distance)
        error = float(relative_error(line.slope, numeric, floor))
        if worst[1] is None or not error <= worst[0]:  # a NaN is worse than anything
            worst = (error, line.name, line.slope, numeric)
        if math.isnan(error):
            break
    return GradientCheck(*worst, checked, skipped, floor, tolerance, tuple(sorted(crossed)))


def _crossed(line: _Line, kinks: Kinks | None) -> list[tuple[int, ...]]:
    """Where `kinks` changes sign between the two ends of a line."""
    if kinks is None:
        return []
    changes = np.sign(kinks(line.forward)) != np.sign(kinks(line.back))
    return [tuple(int(i) for i in place) for place in np.argwhere(changes)]


def _numeric_slope(f: Objective, forward: Array, back: Array, distance: float) -> float:
    return (float(f(forward)) - float(f(back))) / distance


def _noise_floor(f: Objective, weights: Array, h: float, tolerance: float) -> float:
    """The slope of which rounding of f, over a distance h, makes a share of `tolerance`."""
    return rounding(float(f(weights))) / h / tolerance


def _index(place: int, weights: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(place, weights.shape))


def _weights(W: ArrayLike, h: float) -> Array:
    if not h > 0:
        raise ValueError(f"h: expected a step above 0, got {h}")
    return np.array(W, np.float64)


def _pair(W: ArrayLike, gradient: ArrayLike, h: float, count: int | None) -> tuple[Array, Array]:
    weights, analytic = _weights(W, h), np.asarray(gradient, np.float64)
    if weights.shape != analytic.shape or weights.size == 0:
        raise ValueError(
            f"gradient: expected the shape {weights.shape} of W, not empty, got {analytic.shape}"
        )
    if count is not None and count < 1:
        raise ValueError(f"count: expected at least 1, got {count}")
    return weights, analytic
