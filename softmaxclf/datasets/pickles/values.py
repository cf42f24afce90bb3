"""What a CIFAR batch's pickle may be built from: texts, byte strings and NumPy arrays, rebuilt by own code.

A pickle names the functions that rebuild its values. Here such a name is only a label: the pairs of
`ROLES` are compared as text, exactly, and each leads to a function of this module. Nothing is imported or
called that the file could choose, and each function looks at a bounded number of arguments, so that reusing
one long value many times costs nothing.
"""

import codecs
import math
import sys
from collections.abc import Callable
from enum import Enum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

SHORT = 128  # bytes; longer texts are kept as the file's bytes until an array needs them
CHUNK = 1 << 20  # bytes decoded at a time, so that wide characters never need four times the file


class Refused(Exception):  # noqa: N818 - it becomes a DataError that adds the file and the byte
    """The value is not one that a batch needs. The message is `expected ..., found ...`."""


class Role(Enum):
    """What the names in a batch's pickle stand for."""

    RECONSTRUCT = "numpy _reconstruct"
    SCALAR = "numpy scalar"
    FROMBUFFER = "numpy _frombuffer"
    NDARRAY = "numpy ndarray"
    DTYPE = "numpy dtype"
    ENCODE = "_codecs encode"
    BYTES = "bytes"


ROLES = {
    ("numpy.core.multiarray", "_reconstruct"): Role.RECONSTRUCT,  # NumPy 1, Python 2 and 3
    ("numpy._core.multiarray", "_reconstruct"): Role.RECONSTRUCT,  # NumPy 2
    ("numpy.core.multiarray", "scalar"): Role.SCALAR,
    ("numpy._core.multiarray", "scalar"): Role.SCALAR,
    ("numpy.core.numeric", "_frombuffer"): Role.FROMBUFFER,  # protocol 5
    ("numpy._core.numeric", "_frombuffer"): Role.FROMBUFFER,
    ("numpy", "ndarray"): Role.NDARRAY,
    ("numpy", "dtype"): Role.DTYPE,
    ("_codecs", "encode"): Role.ENCODE,  # how Python 3 writes bytes at protocols 0 to 2
    ("__builtin__", "bytes"): Role.BYTES,
    ("builtins", "bytes"): Role.BYTES,
    ("__builtin__", "bytearray"): Role.BYTES,
    ("builtins", "bytearray"): Role.BYTES,
}


class Text:
    """A long text, still as the bytes of the file; decoded once, when an array is made of it."""

    __slots__ = ("_decoded", "codec", "raw")

    def __init__(self, raw: memoryview, codec: str) -> None:
        self.raw = raw
        self.codec = codec
        self._decoded: memoryview | None = None

    def latin1(self) -> memoryview:
        """The text as bytes, one per character. Raises Refused where a character is above 255."""
        if self._decoded is None:
            self._decoded = memoryview(latin1_bytes(self.raw, self.codec))
        return self._decoded


class Shell:
    """An array that `_reconstruct` announced and BUILD fills."""

    __slots__ = ("array",)

    def __init__(self) -> None:
        self.array: NDArray[Any] | None = None


class Kind:
    """A NumPy integer type: its code such as `u1`, and its byte order once BUILD told it."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "="

    def dtype(self) -> np.dtype[Any]:
        """The NumPy type itself."""
        return np.dtype(self.order + self.code)


Raw = bytes | memoryview


def latin1_bytes(raw: memoryview, codec: str) -> bytearray:
    """The bytes that a text of characters 0 to 255 stands for. Raises Refused for any other text."""
    decoder = codecs.getincrementaldecoder(codec)()
    decoded = bytearray()
    try:
        for start in range(0, len(raw), CHUNK):
            piece = raw[start : start + CHUNK]
            decoded += decoder.decode(piece, start + CHUNK >= len(raw)).encode("latin-1")
    except UnicodeError as error:
        raise Refused("expected a text of characters up to 255, found another") from error
    return decoded


def described(value: object) -> str:
    """A few words for an error message: never the value itself where that could be long or nested."""
    if isinstance(value, Role):
        return f"the name {value.value}"
    if isinstance(value, int | bytes | str):
        return ascii(value)[:60]
    if isinstance(value, tuple | list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    words = {
        Text: "a long text",
        memoryview: "a long byte string",
        Shell: "an unfinished array",
        Kind: "an array type",
    }
    return words.get(type(value), "None" if value is None else f"a {type(value).__name__}")


def reduced(function: object, arguments: object) -> object:
    """The value of `function(*arguments)` for the functions of `ROLES`. Raises Refused for anything else."""
    if type(arguments) is not tuple or len(arguments) > 5:
        raise Refused(f"expected a tuple of at most 5 arguments, found {described(arguments)}")
    if not isinstance(function, Role) or function not in _REBUILD:
        raise Refused(f"expected a function that rebuilds an array, found {described(function)}")
    return _REBUILD[function](arguments)


def built(target: object, state: object) -> object:
    """`target` after BUILD gave it its state. Raises Refused unless it is a fresh array or an array type."""
    if type(state) is not tuple or len(state) > 9:
        raise Refused(f"expected a tuple of at most 9 values, found {described(state)}")
    if type(target) is Kind:
        return _ordered(target, state)
    if type(target) is Shell and target.array is None:
        target.array = _array_of_state(state)
        return target.array
    raise Refused(f"expected a fresh array or an array type to fill, found {described(target)}")


def _encoded(arguments: tuple[Any, ...]) -> Raw | Text:
    """`_codecs.encode(text, "latin1")`: a long text stays as it is until an array needs its bytes."""
    if len(arguments) != 2 or _word(arguments[1]) not in ("latin1", "latin-1"):
        raise Refused("expected _codecs.encode(text, 'latin1'), found other arguments")
    text = arguments[0]
    if type(text) is Text:
        return text
    if type(text) is not str:
        raise Refused(f"expected a text to encode, found {described(text)}")
    try:
        return text.encode("latin-1")
    except UnicodeError as error:
        raise Refused(f"expected a text of characters up to 255, found {described(text)}") from error


def _byte_string(arguments: tuple[Any, ...]) -> Raw | Text:
    """`bytes()`, `bytearray(byte string)` or Python 2's `bytearray(text, "latin-1")`; nothing is copied."""
    if not arguments:
        return b""
    if len(arguments) == 2:
        return _encoded(arguments)
    if len(arguments) == 1 and isinstance(arguments[0], bytes | memoryview | Text):
        return arguments[0]
    raise Refused(f"expected bytes(byte string), found {described(arguments[0])}")


def _reconstructed(arguments: tuple[Any, ...]) -> Shell:
    """`_reconstruct(ndarray, (0,), b"b")`, the only form that NumPy writes for a plain array."""
    if len(arguments) == 3 and arguments[0] is Role.NDARRAY:
        shape = arguments[1]
        if type(shape) is tuple and len(shape) == 1 and shape[0] == 0 and _word(arguments[2]) == "b":
            return Shell()
    raise Refused("expected _reconstruct(ndarray, (0,), b'b'), found other arguments")


def _kind(arguments: tuple[Any, ...]) -> Kind:
    """`dtype("u1", False, True)`: integers only; object, structured, float and text types are refused."""
    code = _word(arguments[0]) if len(arguments) == 3 else None
    if code is None or len(code) != 2 or code[0] not in "iu" or code[1] not in "1248":
        raise Refused(f"expected an integer type such as 'u1', found {described(code or arguments)}")
    return Kind(code)


def _ordered(kind: Kind, state: tuple[Any, ...]) -> Kind:
    """`kind` with the byte order of `(3, order, None, None, None, -1, -1, 0)`, a plain type's state."""
    order = _word(state[1]) if len(state) >= 8 else None
    if order is None or order not in ("|", "<", ">", "=") or any(part is not None for part in state[2:5]):
        raise Refused("expected the state of a plain integer type, found another")
    kind.order = "=" if order == "|" else order
    return kind


def _array_of_state(state: tuple[Any, ...]) -> NDArray[Any]:
    """The array of NumPy's state `(1, shape, dtype, is_fortran, data)`."""
    if len(state) != 5 or type(state[3]) not in (bool, int):
        raise Refused(f"expected the five parts of an array, found {described(state)}")
    return _array(state[4], state[2], state[1], "F" if state[3] else "C")


def _from_buffer(arguments: tuple[Any, ...]) -> NDArray[Any]:
    """`_frombuffer(data, dtype, shape, order)`, NumPy's form at protocol 5."""
    order = _word(arguments[3]) if len(arguments) in (4, 5) else None
    if order not in ("C", "F") or arguments[4:] not in ((), (None,)):
        raise Refused("expected _frombuffer(data, dtype, shape, 'C' or 'F'), found other arguments")
    return _array(arguments[0], arguments[1], arguments[2], order)


def _array(data: object, kind: object, shape: object, order: str) -> NDArray[Any]:
    """A view of `data`, without a copy, as an array of 1 to 4 dimensions whose size fits exactly."""
    if type(kind) is not Kind or type(shape) is not tuple or not 1 <= len(shape) <= 4:
        raise Refused(f"expected an integer array of 1 to 4 dimensions, found {described(shape)}")
    if any(type(length) is not int or length < 1 for length in shape):
        raise Refused("expected whole positive lengths in an array's shape, found others")
    raw = data.latin1() if isinstance(data, Text) else data
    if not isinstance(raw, bytes | memoryview):
        raise Refused(f"expected an array's bytes, found {described(raw)}")
    dtype = kind.dtype()
    declared = math.prod(shape) * dtype.itemsize
    if declared != len(raw):
        lengths = " x ".join(ascii(length)[:20] for length in shape)
        raise Refused(f"expected {lengths} elements of type {kind.code} in an array, found {len(raw)} bytes")
    flat: NDArray[Any] = np.frombuffer(raw, dtype=dtype)
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _scalar(arguments: tuple[Any, ...]) -> int:
    """The integer of `scalar(dtype, bytes)`, how NumPy writes one element."""
    if len(arguments) != 2 or type(arguments[0]) is not Kind or type(arguments[1]) is not bytes:
        raise Refused("expected scalar(dtype, bytes), found other arguments")
    kind, raw = arguments
    if len(raw) != int(kind.code[1]):
        raise Refused(f"expected {kind.code[1]} bytes of a number, found {len(raw)}")
    order: Literal["little", "big"] = sys.byteorder
    if kind.order in "<>":
        order = "little" if kind.order == "<" else "big"
    return int.from_bytes(raw, order, signed=kind.code[0] == "i")


def _word(value: object) -> str | None:
    """A short text or byte string as text, else None."""
    if type(value) is bytes and len(value) <= SHORT:
        return value.decode("latin-1")
    return value if type(value) is str else None


_REBUILD: dict[Role, Callable[[tuple[Any, ...]], object]] = {
    Role.ENCODE: _encoded,
    Role.RECONSTRUCT: _reconstructed,
    Role.DTYPE: _kind,
    Role.SCALAR: _scalar,
    Role.FROMBUFFER: _from_buffer,
    Role.BYTES: _byte_string,
}
