"""Grid axes: the kind of value that `tuning.learning_rates` and `tuning.regularizations` hold.

Sources: even factors between the ends as `numpy.geomspace`, even steps as `numpy.linspace` have them.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import yaml

from softmaxclf.config.values import Number, Unexpected, scalar_of
from softmaxclf.config.yaml_reader import is_quoted, line_of, scalar, shown

MOST_CELLS = 10_000
_COUNT = Number(low=2, high=MOST_CELLS, whole=True)
_SPACINGS = {"log": True, "linear": False, "lin": False}


@dataclass(frozen=True)
class Axis:
    """The values of one grid axis, ascending.

    In a file: a list, `{log: [first, last, count]}` or `{linear: [first, last, count]}`. As text, in a file
    or an option: numbers and ranges with commas, `1e-7,3e-7` or `1e2:1e4:log5` or `0,1:10:lin4`.
    """

    number: Number

    @property
    def expected(self) -> str:
        return f"a list, or {{log: [first, last, count]}}, each value {self.number.expected}"

    def read(self, node: yaml.Node) -> tuple[float, ...]:
        if isinstance(node, yaml.MappingNode):
            return _ascending(self._spaced(node))
        if isinstance(node, yaml.SequenceNode):
            return _ascending([self._item(item) for item in node.value])
        node = scalar_of(node)
        if is_quoted(node):
            raise Unexpected(f'"{shown(node.value)}"', "remove the quotes, or write a list")
        values: list[float] = []
        for part in node.value.split(","):
            values += self._part(part)
            if len(values) > MOST_CELLS:  # before the next one: short text can stand for very many values
                break
        return _ascending(values)

    def text(self, value: object) -> str:
        assert isinstance(value, tuple)
        return f"[{', '.join(self.number.text(item) for item in value)}]"

    def _item(self, node: yaml.Node) -> float:
        """One value of a list; what is wrong with it is reported at its own line."""
        try:
            return self.number.read(node)
        except Unexpected as error:
            error.line = line_of(node)
            raise

    def _spaced(self, node: yaml.MappingNode) -> tuple[float, ...]:
        """The values that a mapping such as {log: [1e-8, 1e-6, 5]} stands for."""
        keys = [key.value for key, _ in node.value]
        if len(keys) != 1 or not isinstance(keys[0], str) or keys[0] not in _SPACINGS:
            raise Unexpected("another mapping", "its one key is log or linear")
        (spacing,), ends = keys, node.value[0][1]
        if not isinstance(ends, yaml.SequenceNode) or len(ends.value) != 3:
            raise Unexpected(f"{spacing} without three numbers", f"write {{{spacing}: [first, last, count]}}")
        return self._range(ends.value, spacing)

    def _part(self, part: str) -> tuple[float, ...]:
        """The values of `3e-7` or of `1e2:1e4:log5`."""
        ends = part.strip().split(":")
        if len(ends) == 1:
            return (self.number.read(scalar(ends[0])),)
        spacing = re.match("log|linear|lin|", ends[-1])
        if len(ends) != 3 or not spacing or not spacing[0]:
            raise Unexpected(shown(part), "a range is written first:last:log5 or first:last:lin5")
        ends[2] = ends[2].removeprefix(spacing[0])
        return self._range([scalar(end) for end in ends], spacing[0])

    def _range(self, nodes: Sequence[yaml.Node], spacing: str) -> tuple[float, ...]:
        """The values of a range whose first, last and count the nodes are. Raises Unexpected."""
        first, last = (float(self.number.read(node)) for node in nodes[:2])
        try:
            count = int(_COUNT.read(nodes[2]))
        except Unexpected as error:
            raise Unexpected(f"the count {error.got}", f"it must be {_COUNT.expected}") from error
        if _SPACINGS[spacing] and min(first, last) <= 0:
            raise Unexpected("a logarithmic range that touches 0", "start it above 0")
        return spaced(first, last, count, logarithmic=_SPACINGS[spacing])


def _ascending(values: Sequence[float]) -> tuple[float, ...]:
    """The values in order. Raises Unexpected for none, too many and equal ones."""
    if not values:
        raise Unexpected("an empty list")
    if len(values) > MOST_CELLS:
        raise Unexpected(f"over {MOST_CELLS:,} values", "that is the most cells of a grid")
    numbers = sorted(values)
    twice = next((a for a, b in pairwise(numbers) if a == b), None)
    if twice is not None:
        raise Unexpected(f"{twice:g} twice", "give each value once")
    return tuple(numbers)


def spaced(first: float, last: float, count: int, *, logarithmic: bool) -> tuple[float, ...]:
    """`count` >= 2 values from `first` to `last`, both exact, the others rounded to six digits to read well.

    Even steps, or even factors if `logarithmic` (then both ends must be positive). Where the ends are so
    close that six digits would not keep the values apart and in order, they are not rounded.
    """
    a, b = (math.log(first), math.log(last)) if logarithmic else (first, last)
    steps = [a + (b - a) * i / (count - 1) for i in range(1, count - 1)]
    exact = [math.exp(step) if logarithmic else step for step in steps]
    rounded = [first, *(float(f"{value:.6g}") for value in exact), last]
    in_order = sorted(set(rounded), reverse=last < first) == rounded
    return tuple(rounded) if in_order else (first, *exact, last)
