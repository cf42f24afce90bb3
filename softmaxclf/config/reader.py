"""Settings from a YAML file, from `--set` texts and from options, all gathered into one Reading.

Reads and reports; what the values must be stands in config_schema.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path

from softmaxclf.config.axis import Axis
from softmaxclf.config.schema import REGULARIZATION, SCHEMA, SECTIONS
from softmaxclf.config.values import Kind, Unexpected, nearest
from softmaxclf.config.yaml_reader import (
    Collection,
    Node,
    Problem,
    Refused,
    Scalar,
    parse,
    read_file,
    shown,
)
from softmaxclf.errors import ConfigError
from softmaxclf.files import printable


@dataclass
class Reading:
    """What was read so far: the values by dotted key, where each stood, and all problems."""

    values: dict[str, object] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def take(self, key: str, value: Node | object, where: str) -> None:
        """Store one key's value, from a node of YAML or a Python value, or note why it cannot be."""
        try:
            self.values[key] = _converted(key, value)
            self.places[key] = where
        except Unexpected as error:
            if not error.reported:
                self.problems.append(f"{where}: {_expectation(SCHEMA[key].kind, error)}")


def _converted(key: str, value: Node | object) -> object:
    kind = SCHEMA[key].kind
    return kind.read(value) if isinstance(value, Scalar | Collection | Refused) else kind.check(value)


def read_yaml(path: Path, reading: Reading) -> None:
    """Take every setting of a file."""
    name = printable(str(path))
    try:
        root, problems = parse(read_file(path))
    except ConfigError as error:
        reading.problems += error.problems
        return
    for section, node in _entries(root, "", f"the sections {', '.join(SECTIONS)}", problems):
        if section.text not in SECTIONS:
            text = f"expected a section, got an unknown one; {_hint_for_section(section.text)}"
            problems.append(Problem(section.line, section.text, text))
            continue
        for key, value in _entries(node, section.text, "keys with values", problems):
            _read_entry(f"{section.text}.{key.text}", key, value, name, reading, problems)
    reading.problems += [problem.at(name) for problem in sorted(problems, key=lambda problem: problem.line)]


def _entries(
    node: Node | None, path: str, expected: str, problems: list[Problem]
) -> list[tuple[Scalar, Node]]:
    """Keys and values of a mapping; none of an empty node; a problem for anything else."""
    if isinstance(node, Collection) and node.keyed:
        return node.pairs()
    if isinstance(node, Collection):
        problems.append(Problem(node.line, path, f"expected {expected}, got a list; write 'name: value'"))
    elif isinstance(node, Scalar) and not node.is_null():
        found = f"got {shown(node.text) or 'an empty text'}"
        problems.append(Problem(node.line, path, f"expected {expected}, {found}; write 'name: value'"))
    return []


def _read_entry(
    key: str, name: Scalar, value: Node, file: str, reading: Reading, problems: list[Problem]
) -> None:
    """Take one `name: value` of a file's section."""
    if key not in SCHEMA:
        hint = _hint_for_key(key.split(".")[0], name.text)
        text = f"expected a known key, got an unknown one; {hint}"
        problems.append(Problem(name.line, key, text))
        return
    try:
        reading.values[key] = _converted(key, value)
        reading.places[key] = Problem(name.line, key, "").at(file).removesuffix(": ")
    except Unexpected as error:
        if not error.reported:
            problems.append(Problem(error.line or name.line, key, _expectation(SCHEMA[key].kind, error)))


def _hint_for_key(section: str, name: str) -> str:
    """What an unknown `name` of a section may have been meant to be."""
    homes = [key.split(".")[0] for key in SCHEMA if key.split(".")[1] == name]
    if homes:
        return f"{name} belongs to {' and '.join(homes)}"
    return nearest(name, [item.name for item in fields(SECTIONS[section])])


def _hint_for_section(name: str) -> str:
    """What an unknown section may have been meant to be; a key may stand in its place by mistake."""
    homes = [key.split(".")[0] for key in SCHEMA if name in (key, key.split(".")[1])]
    return f"it belongs to {' and '.join(homes)}" if homes else nearest(name, SECTIONS)


def read_assignment(text: str, reading: Reading) -> None:
    """Take one `section.key=value`; the value is everything behind the first `=`."""
    where = f"--set {shown(text)}"
    key, equals, value = text.partition("=")
    if not equals:
        reading.problems.append(f"{where}: expected section.key=value, got no =")
    elif key.strip() not in SCHEMA:
        section, _, name = key.strip().partition(".")
        hint = _hint_for_key(section, name) if section in SECTIONS else _hint_for_section(section)
        reading.problems.append(f"{where}: expected a known section.key, got an unknown one; {hint}")
    else:
        take_text(key.strip(), value.strip(), where, reading)


def take_text(key: str, text: str, where: str, reading: Reading) -> None:
    """Take one key's value as it was typed on the command line."""
    node, problems = _node_of_text(SCHEMA[key].kind, text)
    reading.problems += [f"{where}: {problem.text}" for problem in problems]
    reading.take(key, node, where)


def _node_of_text(kind: Kind, text: str) -> tuple[Node, list[Problem]]:
    """A typed text as a node: YAML where an axis starts with a bracket, else one plain value."""
    if not (isinstance(kind, Axis) and text.lstrip().startswith(("[", "{"))):
        return Scalar(text), []
    root, problems = parse(text.encode("utf-8", "backslashreplace"))
    return (Refused(1) if root is None else root), problems


def _expectation(kind: Kind, error: Unexpected) -> str:
    return f"expected {kind.expected}, got {error.got}" + (f"; {error.hint}" if error.hint else "")


def parse_axis(text: str) -> tuple[float, ...]:
    """The values, ascending, of an axis as it is typed: `1e-7,3e-7`, `1e2:1e4:log5`, `0,1:9:lin5`, `[1, 2]`.

    Takes numbers from 0 on; a key may narrow that. Raises ConfigError.
    """
    kind = Axis(REGULARIZATION)
    node, problems = _node_of_text(kind, text)
    if problems:
        raise ConfigError(*(f"axis: {problem.text}" for problem in problems))
    try:
        return kind.read(node)
    except Unexpected as error:
        raise ConfigError(f"axis: {_expectation(kind, error)}") from error
