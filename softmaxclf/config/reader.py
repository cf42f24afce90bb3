"""Settings from a YAML file, from `--set` texts and from options, all gathered into one Reading.

Reads and reports; what the values must be stands in schema.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import yaml

from softmaxclf.config.axis import Axis
from softmaxclf.config.schema import SCHEMA, SECTIONS
from softmaxclf.config.values import Several, Size, Unexpected, Unset, nearest, node_of
from softmaxclf.config.yaml_reader import LARGEST_FILE, Problem, is_null, line_of, parse, scalar, shown
from softmaxclf.files import open_regular, printable


@dataclass
class Reading:
    """What was read so far: the values by dotted key, where each stood, and all problems."""

    values: dict[str, object] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def store(self, key: str, value: object, place: str) -> None:
        """Take one key's value, a node of YAML or a Python value. Raises Unexpected where it cannot be."""
        node = value if isinstance(value, yaml.Node) else node_of(value)
        self.values[key], self.places[key] = SCHEMA[key].kind.read(node), place

    def take(self, key: str, value: object, place: str) -> None:
        """Take one key's value, or note why it cannot be."""
        try:
            self.store(key, value, place)
        except Unexpected as error:
            self.problems.append(f"{place}: {error.against(SCHEMA[key].kind)}")

    def take_given(self, key: str, value: object, place: str) -> None:
        """Take one key's value as an option has it: a text that was typed, a Python value, or None of none."""
        if isinstance(value, str):
            self.take_text(key, value, place)
        elif value is not None:
            self.take(key, value, place)

    def take_text(self, key: str, text: str, place: str) -> None:
        """Take one key's value as it was typed: YAML where an axis starts with a bracket, else one plain value."""
        node: yaml.Node | None = scalar(text)
        problems: list[Problem] = []
        kind = SCHEMA[key].kind
        structured = isinstance(kind.kind if isinstance(kind, Unset) else kind, Axis | Several | Size)
        if structured and text.lstrip().startswith(("[", "{")):
            node, problems = parse(text.encode("utf-8", "backslashreplace"))
        self.problems += [f"{place}: {problem.text}" for problem in problems]
        if not problems:
            self.take(key, node, place)

    def take_assignment(self, text: str) -> None:
        """Take one `section.key=value`; the value is everything behind the first `=`."""
        place = f"--set {shown(text)}"
        key, equals, value = (part.strip() for part in text.partition("="))
        section, _, name = key.partition(".")
        if not equals:
            self.problems.append(f"{place}: expected section.key=value, got no =")
        elif key not in SCHEMA:
            self.problems.append(f"{place}: {_unknown('a known section.key', section, name)}")
        else:
            self.take_text(key, value, place)

    def take_file(self, path: Path) -> None:
        """Take every setting of a YAML file; its problems are noted in the order of its lines."""
        name = printable(path)
        try:
            with open_regular(path) as (file, _):
                root, problems = parse(file.read(LARGEST_FILE + 1))
        except OSError as error:
            found = "nothing there" if isinstance(error, FileNotFoundError) else error.strerror
            remedy = "check the path given to --config"
            self.problems.append(f"{name}: expected a configuration file, got {found}; {remedy}")
            return
        refused = {problem.path for problem in problems}  # what else is wrong with these says nothing new
        for key, line, value in _entries_of_file(root, problems):
            if not any(f"{path}.".startswith(f"{key}.") for path in refused):
                try:
                    self.store(key, value, f"{name}:{line}: {key}")
                except Unexpected as error:
                    problems.append(Problem(error.line or line, key, error.against(SCHEMA[key].kind)))
        self.problems += [problem.at(name) for problem in sorted(problems, key=lambda found: found.line)]


def _entries_of_file(root: yaml.Node | None, problems: list[Problem]) -> Iterator[tuple[str, int, yaml.Node]]:
    """Dotted key, line and value of every known setting of a file; what else it holds is noted."""
    for section, node in _entries(root, "", f"the sections {', '.join(SECTIONS)}", problems):
        if section.value not in SECTIONS:
            text = _unknown("a section", section.value)
            problems.append(Problem(line_of(section), section.value, text))
            continue
        for name, value in _entries(node, section.value, "keys with values", problems):
            key = f"{section.value}.{name.value}"
            if key in SCHEMA:
                yield key, line_of(name), value
            else:
                text = _unknown("a known key", section.value, name.value)
                problems.append(Problem(line_of(name), key, text))


def _entries(
    node: yaml.Node | None, path: str, expected: str, problems: list[Problem]
) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """Keys and values of a mapping; none of an empty node; anything else and keys that cannot be are noted."""
    if node is None or is_null(node):
        return
    if not isinstance(node, yaml.MappingNode):
        found = "a list" if isinstance(node, yaml.SequenceNode) else shown(node.value) or "an empty text"
        text = f"expected {expected}, got {found}; write 'name: value'"
        problems.append(Problem(line_of(node), path, text))
        return
    first: dict[str, int] = {}
    for key, value in node.value:
        if problem := _problem_of_key(key, path, first):
            problems.append(problem)
        else:
            first[key.value] = line_of(key)
            yield key, value


def _problem_of_key(key: yaml.Node, path: str, first: dict[str, int]) -> Problem | None:
    """What is wrong with a key of the mapping at `path`, where the keys in `first` stand on these lines already."""
    line, expected = line_of(key), "expected a name as the key, got"
    if not isinstance(key, yaml.ScalarNode):
        return Problem(line, path, f"{expected} a list or mapping; write 'key: value'")
    if key.value in first:
        again = f"expected this key once, got it again (first on line {first[key.value]}); delete one"
        return Problem(line, f"{path}.{key.value}".removeprefix("."), again)
    return None


def _unknown(expected: str, section: str, name: str = "") -> str:
    """The problem of a section, or a `name` of a known section, that is not declared; with what may be meant."""
    known: Iterable[str] = SECTIONS
    if section in SECTIONS:
        section, known = name, [item.name for item in fields(SECTIONS[section])]
    homes = [key.split(".")[0] for key in SCHEMA if section in (key, key.split(".")[1])]
    listed = " and ".join(filter(None, [", ".join(homes[:-1]), *homes[-1:]]))
    hint = f"it belongs to {listed}" if homes else nearest(section, known)
    return f"expected {expected}, got an unknown one; {hint}"
