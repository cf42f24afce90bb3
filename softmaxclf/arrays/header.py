"""The header of a `.npy` file, matched with a regular expression and never evaluated."""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

NPY_MAGIC = b"\x93NUMPY"
MAX_HEADER = 4096
_MAX_EMPTY = 1_000_000  # product of the other axes of an array with an axis of length 0
MAX_START = MAX_HEADER + 12  # magic, version, length and header

_ITEM = (
    r" *+'(descr|fortran_order|shape)' *+: *+"
    r"('[<>|=]?[biufU][0-9]{1,7}'|True|False|\((?:[0-9]{1,18}, *)*(?:[0-9]{1,18})?\)) *+"
)
_HEADER = re.compile(r"\{" + _ITEM + "," + _ITEM + "," + _ITEM + r",? *+\} *+\n?")
_ITEM_SIZES = {
    "b": range(1, 2),
    "i": (1, 2, 4, 8),
    "u": (1, 2, 4, 8),
    "f": (2, 4, 8),
    "U": range(1, 1_000_000),
}


class Broken(Exception):  # noqa: N818 - becomes the caller's error with the file's name
    """The file is not what it should be; the message is `expected ..., found ...`."""


@dataclass(frozen=True)
class Header:
    """What a `.npy` header declares, and how many bytes it takes itself."""

    dtype: np.dtype[Any]
    fortran: bool
    shape: tuple[int, ...]
    size: int

    @property
    def count(self) -> int:
        """Elements of the array."""
        return math.prod(self.shape)


def parsed_header(start: bytes, size: int, name: str) -> Header:
    """The header at the start of a `.npy` of `size` bytes, whose data must fill the rest exactly."""
    wide = start[6:7] in (b"\x02", b"\x03")
    fixed = 12 if wide else 10
    if len(start) < fixed or start[:6] != NPY_MAGIC or start[6] not in (1, 2, 3) or start[7]:
        raise Broken(f"{name}: expected a .npy array, found other bytes")
    length = int.from_bytes(start[8:fixed], "little")
    text = start[fixed : fixed + length].decode("latin-1") if length <= MAX_HEADER else ""
    match = _HEADER.fullmatch(text)
    values = dict(zip(match.groups()[::2], match.groups()[1::2], strict=True)) if match else {}
    if len(values) != 3:
        raise Broken(f"{name}: expected the header of plain numbers or text, found {ascii(text)[:60]}")
    header = Header(
        dtype=_dtype(values["descr"], name),
        fortran=_flag(values["fortran_order"], name),
        shape=_shape(values["shape"], name),
        size=fixed + length,
    )
    if header.size + header.count * header.dtype.itemsize != size:
        raise Broken(
            f"{name}: expected {header.shape} elements of {header.dtype}, found {size:,} bytes in all"
        )
    return header


def _dtype(text: str, name: str) -> np.dtype[Any]:
    code = text.strip("'<>|=")
    if not text.startswith("'") or int(code[1:]) not in _ITEM_SIZES[code[0]]:
        raise Broken(f"{name}: expected numbers, booleans or text of a fixed width, found {text}")
    return np.dtype(text.strip("'"))


def _flag(text: str, name: str) -> bool:
    if text not in ("True", "False"):
        raise Broken(f"{name}: expected fortran_order as True or False, found another value")
    return text == "True"


def _shape(text: str, name: str) -> tuple[int, ...]:
    """The lengths of the axes, at most eight; beside a 0 the others are bounded here, as no bytes bound them."""
    lengths = tuple(int(digits) for digits in re.findall("[0-9]+", text))
    unbounded = 0 in lengths and math.prod(filter(None, lengths)) > _MAX_EMPTY
    if not text.startswith("(") or len(lengths) > 8 or unbounded:
        raise Broken(f"{name}: expected the shape of an array, found {text[:60]}")
    return lengths
