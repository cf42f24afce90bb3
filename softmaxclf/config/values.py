"""The kinds of values that a configuration holds: what each accepts and how it is written.

A kind has two duties: `read` turns a node, of a file, of the text of an option or of a Python value, into a value,
and `text` writes a value so that `read` gives it back.
Numbers are what Python's int() and float() take: `1e-7`, `5e-8`, `1.5e4`, `.5` and `9_000` are numbers; a whole
number may be written `3e3` or `3000.0`; `010`, `0x10`, `12:30`, `"7"` (quoted), `nan`, `inf`, digits of other scripts,
numbers so small that they would become 0 and counts of `-0` are refused.
"""

import difflib
import json
import math
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters
from typing import Protocol

import yaml

from softmaxclf.config.yaml_reader import is_null, is_quoted, scalar, shown
from softmaxclf.core.numbers import short

AUTO = "auto"
_TWO_SIDES = re.compile(r" *([0-9]+) *[,x] *([0-9]+) *")
_LEADING_ZERO = re.compile("[+-]?0[0-9_]")
_NOT_ZERO = re.compile("[^eE]*[1-9]")
_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_BYTES |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


class Unexpected(Exception):  # noqa: N818 - it is raised and caught here, never shown
    """A value is not of the kind that its key needs: what was found, and what may help."""

    def __init__(self, got: str, hint: str = "") -> None:
        super().__init__(got, hint)
        self.got = got
        self.hint = hint
        self.line = 0  # of the file, where it is another than the key's

    def against(self, kind: "Kind") -> str:
        """The problem in words: what was expected, what was found, what may help."""
        hint = f"; {self.hint}" if self.hint else ""
        return f"expected {kind.expected}, got {self.got}{hint}"


class Kind(Protocol):
    """What every kind offers; `read` raises Unexpected."""

    @property
    def expected(self) -> str: ...
    def read(self, node: yaml.Node) -> object: ...
    def text(self, value: object) -> str: ...


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known word closest to `name`, or lists the few there are."""
    words = list(known)
    close = difflib.get_close_matches(name[:64], words, n=1)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(words)}"


def scalar_of(node: yaml.Node) -> yaml.ScalarNode:
    """The node, if it is one value and not null. Raises Unexpected."""
    if not isinstance(node, yaml.ScalarNode):
        raise Unexpected("a mapping" if isinstance(node, yaml.MappingNode) else "a list", "write one value")
    if is_null(node):
        raise Unexpected(node.value or "nothing", "leave it out to keep the default")
    return node


def node_of(value: object) -> yaml.Node:
    """A Python value as it would stand in a file. Raises Unexpected for what no setting can be."""
    if isinstance(value, list | tuple):  # of single values only: one from a file may be nested without end
        return yaml.SequenceNode("", [_scalar_of_value(item) for item in value])
    return _scalar_of_value(value)


def _scalar_of_value(value: object) -> yaml.ScalarNode:
    if isinstance(value, str | Path):
        return scalar(str(value), quoted=True)
    if value is None or isinstance(value, int | float):
        return scalar(json.dumps(value))
    raise Unexpected(shown(repr(value)))


def _got(node: yaml.ScalarNode) -> str:
    return f'"{shown(node.value)}"' if is_quoted(node) else shown(node.value) or "nothing"


@dataclass(frozen=True)
class Number:
    """A finite number in [low, high], or in [low, below) where `below` is given, or equal to `also`."""

    low: float
    high: float = 1e300
    below: float | None = None
    whole: bool = False
    also: float | None = None

    @property
    def expected(self) -> str:
        noun = "a whole number" if self.whole else "a number"
        top = f"to below {_short(self.below)}" if self.below is not None else f"to {_short(self.high)}"
        alternative = "" if self.also is None else f"{_short(self.also)} or "
        return f"{alternative}{noun} from {_short(self.low)} {top}"

    def read(self, node: yaml.Node) -> int | float:
        node = scalar_of(node)
        number = number_in(node.value)
        if is_quoted(node) or number is None:
            raise Unexpected(_got(node), _hint_for_number(node))
        if number == 0 and _NOT_ZERO.match(node.value):
            raise Unexpected(_got(node), "it is too small to be told from 0")
        if number == 0 and self.whole and node.value.startswith("-"):
            raise Unexpected(_got(node), "write 0")
        return self.checked(number, _got(node))

    def checked(self, value: int | float, got: str) -> int | float:
        """The value, if it is in range. Raises Unexpected, which shows what was typed."""
        if isinstance(value, float) and not math.isfinite(value):
            raise Unexpected(got, "the number must be finite")
        if self.whole and value != int(value):
            raise Unexpected(got, "it must be whole")
        top_is_fine = value <= self.high if self.below is None else value < self.below
        if value != self.also and not (self.low <= value and top_is_fine):
            raise Unexpected(got)
        return int(value) if self.whole else float(value) + 0.0  # -0.0 becomes 0.0

    def text(self, value: object) -> str:
        """The shortest text that gives the value back, with the point that YAML 1.1 readers need."""
        written = repr(value)
        return written.replace("e", ".0e", 1) if "e" in written and "." not in written else written


def _short(value: float) -> str:
    if value == int(value) and abs(value) < 1e10:
        return f"{int(value):,}"
    return short(value)


def number_in(text: str) -> int | float | None:
    """The number that Python reads in this text, None for no number; leading zeros, octal to some, are not taken."""
    if not text.isascii() or text != text.strip() or _LEADING_ZERO.match(text):
        return None
    with suppress(ValueError):
        return int(text)  # keeps every digit, and refuses more of them than it reads quickly
    with suppress(ValueError):
        return float(text)
    return None


def _hint_for_number(node: yaml.ScalarNode) -> str:
    if is_quoted(node):
        return "remove the quotes" if number_in(node.value) is not None else ""
    if number_in(node.value.replace(",", ".", 1)) is not None:
        return "write a decimal point, not a comma"
    return "write it without leading zeros" if _LEADING_ZERO.match(node.value) else ""


@dataclass(frozen=True)
class Rows(Number):
    """A number of rows, or a share of them above 0 and below 1."""

    @property
    def expected(self) -> str:
        return f"{super().expected}, or a share below 1"

    def checked(self, value: int | float, got: str) -> int | float:
        return float(value) if 0 < value < 1 else super().checked(value, got)


@dataclass(frozen=True)
class Unset:
    """What `kind` takes, or a word that stands for None: `auto`, what suits the data, or `null`, none."""

    kind: Kind
    word: str = AUTO

    @property
    def expected(self) -> str:
        return (
            f"{self.word}, {self.kind.expected}"
            if " or " in self.kind.expected
            else f"{self.word} or {self.kind.expected}"
        )

    def read(self, node: yaml.Node) -> object:
        if isinstance(node, yaml.ScalarNode) and node.value.lower() == self.word:
            return None
        if self.word == "null" and is_null(node):
            return None
        return self.kind.read(node)

    def text(self, value: object) -> str:
        return self.word if value is None else self.kind.text(value)


@dataclass(frozen=True)
class Several:
    """A list of values of one kind; as text, with commas."""

    kind: Kind

    @property
    def expected(self) -> str:
        return f"a list, each {self.kind.expected}"

    def read(self, node: yaml.Node) -> tuple[object, ...]:
        if isinstance(node, yaml.SequenceNode):
            return tuple(self.kind.read(item) for item in node.value)
        words = scalar_of(node).value.split(",")
        return tuple(self.kind.read(scalar(word.strip())) for word in words if word.strip())

    def text(self, value: object) -> str:
        assert isinstance(value, tuple)
        return f"[{', '.join(map(self.kind.text, value))}]"


@dataclass(frozen=True)
class Size:
    """One side of a square image, or [height, width], in pixels."""

    side: Number

    @property
    def expected(self) -> str:
        return f"{self.side.expected}, or [height, width] of such"

    def read(self, node: yaml.Node) -> int | tuple[int, int]:
        if not isinstance(node, yaml.SequenceNode):
            node = scalar_of(node)
            if both := _TWO_SIDES.fullmatch(node.value):
                raise Unexpected(_got(node), f"write [{both[1]}, {both[2]}]")
            return int(self.side.read(node))
        if len(node.value) != 2:
            raise Unexpected(f"{len(node.value)} numbers", "write [height, width]")
        height, width = (int(self.side.read(item)) for item in node.value)
        return height, width

    def text(self, value: object) -> str:
        return str(list(value)) if isinstance(value, tuple) else str(value)


@dataclass(frozen=True)
class Flag:
    """`true` or `false`, in any case; YAML 1.1's yes, no, on and off are refused rather than guessed at."""

    expected: str = "true or false"

    def read(self, node: yaml.Node) -> bool:
        node = scalar_of(node)
        word = str(node.value).lower()
        if word not in ("true", "false") or is_quoted(node):
            raise Unexpected(_got(node), "remove the quotes" if is_quoted(node) else "")
        return word == "true"

    def text(self, value: object) -> str:
        return "true" if value else "false"


CLOSE = 0.67  # how alike words are of which one may be meant: not cpu and gpu


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        return " or ".join(filter(None, (", ".join(self.words[:-1]), self.words[-1])))

    def read(self, node: yaml.Node) -> str:
        node = scalar_of(node)
        if node.value not in self.words:
            close = difflib.get_close_matches(node.value.lower()[:64], self.words, 1, CLOSE)
            raise Unexpected(_got(node), f"did you mean {close[0]}?" if close else "")
        return str(node.value)

    def text(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True)
class Text:
    """A name or path: not empty, at most 4,096 characters, no control character among them."""

    expected: str = "a name or path"

    def read(self, node: yaml.Node) -> str:
        node = scalar_of(node)
        text = str(node.value)
        if not text.strip():
            raise Unexpected(_got(node))
        if len(text) > 4096:
            raise Unexpected(f"{len(text):,} characters", "at most 4,096 are taken")
        if any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in text):
            raise Unexpected(_got(node), "control characters and bytes that are no UTF-8 are not taken")
        if text == "~" or text.startswith("~/"):
            raise Unexpected(_got(node), "write the home folder out; ~ is not expanded here")
        return text

    def text(self, value: object) -> str:
        """Double quotes always: no text is then taken for a number, a boolean or a comment."""
        return yaml.safe_dump(str(value), default_style='"', allow_unicode=True, width=math.inf).strip()


@dataclass(frozen=True)
class Memory:
    """A number of bytes. GB is 10^9 bytes, GiB is 2^30."""

    expected: str = "a number of bytes from 1 to 1e15, such as 2GB, 500 MB or 2000000000"

    def read(self, node: yaml.Node) -> int:
        node = scalar_of(node)
        digits = node.value.rstrip(ascii_letters)
        number, unit = number_in(digits.removesuffix(" ")), _BYTES.get(node.value[len(digits) :].upper())
        if number is None or unit is None:
            raise Unexpected(_got(node), _hint_for_number(node))
        return round(Number(low=1, high=1e15).checked(number * unit, _got(node)))

    def text(self, value: object) -> str:
        return str(value)
