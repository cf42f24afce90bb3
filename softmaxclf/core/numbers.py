"""Numbers as people write them, in one notation everywhere: 8000, 0.05, 1.5e-7."""

import re
from collections.abc import Iterable

_EXPONENT = re.compile(r"e([+-])0*(?=\d)")


def short(value: float, digits: int = 6) -> str:
    """`value` with at most so many significant digits.

    >>> [short(each) for each in (1.5e-07, 8000.0, 2e+20, 1 / 3)]
    ['1.5e-7', '8000', '2e20', '0.333333']
    """
    return _plain(f"{float(f'{value:.{digits}g}'):.{max(digits, 6)}g}")


def distinct(values: Iterable[float]) -> dict[float, str]:
    """Each value with four digits, or with as many as keep them apart."""
    several = set(values)
    texts: dict[float, str] = {}
    for digits in range(4, 18):
        texts = {value: short(value, digits) for value in several}
        if len(set(texts.values())) == len(several):
            break
    return texts


def exact(value: float) -> str:
    """`value` as short as gives it back."""
    found = short(value)
    return found if float(found) == value else _plain(repr(value))


def _plain(text: str) -> str:
    """Without the plus sign and the zeros of an exponent."""
    return _EXPONENT.sub(lambda sign: "e-" if sign[1] == "-" else "e", text)
