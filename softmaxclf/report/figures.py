"""Figures (numbers) in the page: each says in its markup which stored number it shows.

`<data value="0.3527" data-of="splits.test.accuracy">35.27 %</data>`: `value` is the whole number, `data-of`
the place in metrics.json that it comes from (or, for what the report computes, a name such as
`calibration.brier`). A test reads them all back and compares.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from softmaxclf.plots.figure import number
from softmaxclf.report.markup import NO_BREAK, Markup, element, join

DASH = "–"


def percent(value: float | None, of: str, digits: int = 2) -> Markup:
    """A share as "38.60 %", or a dash when there is none."""
    return _figure(value, of, lambda share: f"{100 * share:.{digits}f}{NO_BREAK}%")


def points(value: float, of: str, turned: bool = False) -> Markup:
    """A difference of shares in percentage points, "4.3"; turned: of the other from the one."""
    return _figure(value, of, lambda share: f"{100 * (-share if turned else share) + 0.0:.1f}")


def count(value: int | None, of: str) -> Markup:
    """A whole number with thousands separated."""
    return _figure(value, of, lambda whole: f"{int(whole):,}")


def decimal(value: float | None, of: str, digits: int = 4) -> Markup:
    """A number with that many decimals."""
    return _figure(value, of, lambda real: f"{real:.{digits}f}")


def setting(value: float | None, of: str) -> Markup:
    """A learning rate or regularization as people write it: 1.5e-7, 9,000."""
    return _figure(value, of, number)


def interval(bounds: Sequence[float | None], of: str) -> Markup:
    """A 95 % interval as "35.6 to 41.7 %"."""
    if any(bound is None or not isfinite(bound) for bound in bounds):
        return Markup(DASH)
    low, high = (
        _figure(bound, f"{of}.{place}", lambda share: f"{100 * share:.1f}")
        for place, bound in enumerate(bounds)
    )
    return join([low, " to ", high, NO_BREAK, "%"])


def _figure(value: Any, of: str, shown: Any) -> Markup:
    if value is None or not isfinite(value):
        return Markup(DASH)
    return element(
        "data", shown(value), value=value if isinstance(value, int) else repr(float(value)), data_of=of
    )
