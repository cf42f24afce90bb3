"""Is a gradient right? Analytic derivatives against numeric differences, along lines through W.

The numeric derivative along a unit direction u is the central difference (f(W + h u) - f(W - h u)) / 2h: its error
is about h^2 f'''/6 from curvature plus eps |f| / h from rounding, so h should shrink as the features grow
(`suitable_step`). Work in float64: in float32 the rounding alone hides an error of 0.1 %.

Two values agree when |a - n| / max(|a|, |n|, floor) is small. The floor is the size below which rounding of f alone
could exceed the tolerance, so nothing that can be resolved is excused; and, as a direction may be nearly level by
chance, at least the typical size of gradient . u, the root mean square of the gradient where u is not zero.

Kinks: across a bend of the hinge the difference quotient mixes two slopes and proves nothing. Pass
`kinks`, a function W -> values that change sign where f bends (hinge_margins); lines that cross one within
+-h are left out and counted.
Source: CS231n notes, "Gradient checks".
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from softmaxclf.core.losses.loss import Array

Objective = Callable[[Array], float]
Line = tuple[str, Array]  # its name and its unit direction, of the shape of W

STEP = 1e-5
TOLERANCE = 1e-6
COORDINATES, DIRECTIONS = 300, 10
ROUNDING = 8 * float(np.finfo(np.float64).eps)  # relative: to this, evaluating f is taken to be good


@dataclass(frozen=True)
class Check:
    """What was looked at, what was expected, what was found, and whether they agree.

    value: the figure that decides. kinks: the places, as indices into what `kinks` returns ((row, class) for the
    hinge), at which lines were left out; each once, sorted. times: of a comparison of two implementations.
    """

    group: str
    name: str
    expected: str
    found: str
    value: float
    passed: bool
    kinks: tuple[tuple[int, ...], ...] = ()
    times: dict[str, Any] | None = None


def relative_error(found: ArrayLike, expected: ArrayLike, floor: float = 0.0) -> float:
    """max |found - expected|, relative to max |expected| or to `floor`; infinite where a value is not finite."""
    with np.errstate(invalid="ignore"):
        apart = float(np.abs(np.subtract(found, expected)).max())
    size = max(float(np.abs(expected).max()), floor)
    if not (math.isfinite(apart) and math.isfinite(size)):
        return math.inf
    return apart / size if size > 0 else apart


def rounding(value: float) -> float:
    """By how much a loss of this size may be off in float64; smaller and infinite ones count as 1."""
    return ROUNDING * max(1.0, abs(value) if math.isfinite(value) else 1.0)


def suitable_step(X: ArrayLike) -> float:
    """STEP / (root mean square of X), which moves scores by about STEP whatever the features' scale."""
    size = math.sqrt(float(np.mean(np.square(np.asarray(X, np.float64)))))
    return STEP / size if size > 0 else STEP


def axes(part: Array, seed: int = 0) -> Iterator[Line]:
    """Lines along single coordinates of W where `part`, bool, is True: all of them or COORDINATES drawn ones."""
    places = np.argwhere(part)
    count = min(len(places), COORDINATES)
    for place in np.sort(np.random.default_rng(seed).choice(len(places), count, replace=False)):
        direction = np.zeros(part.shape)
        direction[tuple(places[place])] = 1
        yield f"W{places[place].tolist()}", direction


def random_directions(part: Array, seed: int = 0) -> Iterator[Line]:
    """DIRECTIONS random lines through where `part` is True, all of it for two evaluations each."""
    generator = np.random.default_rng(seed)
    for number in range(DIRECTIONS):
        direction = generator.standard_normal(part.shape) * part
        yield f"direction {number}", direction / np.linalg.norm(direction)


def numeric_slope(f: Objective, W: Array, direction: Array, h: float = STEP) -> float:
    """The derivative of f at W along `direction`, by a central difference. f must not change what it is given."""
    return (float(f(W + h * direction)) - float(f(W - h * direction))) / (2 * h)


def check_gradient(
    f: Objective,
    gradient: Array,
    W: Array,
    lines: Iterable[Line],
    *,
    h: float = STEP,
    kinks: Callable[[Array], Array] | None = None,
    group: str = "",
    name: str = "gradient",
) -> Check:
    """Whether `gradient`, of the shape of W (float64), has the slopes of f along all `lines` (`axes`, ...).

    value is the largest relative error; `found` names its line. Where a kink lies on every line, nothing passes.
    """
    noise = rounding(float(f(W))) / h / TOLERANCE
    compared: list[tuple[float, str, str]] = []
    left_out = 0
    crossed: set[tuple[int, ...]] = set()
    for line, direction in lines:
        if kinks is not None:
            bent = np.sign(kinks(W + h * direction)) != np.sign(kinks(W - h * direction))
            if bent.any():
                left_out += 1
                crossed.update(map(tuple, np.argwhere(bent).tolist()))
                continue
        part = direction != 0
        slopes = gradient[part]
        slope, typical = float(slopes @ direction[part]), float(np.sqrt(np.mean(np.square(slopes))))
        numeric = numeric_slope(f, W, direction, h)
        error = relative_error(slope, numeric, max(noise, typical))
        compared.append((error, line, f"analytic {slope:.6g}, numeric {numeric:.6g}"))
    error, line, both = max(compared, default=(0.0, "", ""))
    found = f"{error:.1e} at {line}, {len(compared)} checked"
    if left_out:
        found += f", {left_out} left out at kinks"
    passed = bool(compared) and error <= TOLERANCE
    if not passed:
        found = f"{found}; {both}" if compared else f"nothing could be checked: kinks at all {left_out}"
    expected = f"relative error <= {TOLERANCE:g}"
    return Check(group, name, expected, found, error, passed, tuple(sorted(crossed)))
