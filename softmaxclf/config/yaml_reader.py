"""The bytes of a configuration -> PyYAML's tree of nodes, in which every scalar is still the text that was typed.

What is accepted: at most 256 KB of UTF-8 (a byte-order mark is skipped) without control characters, holding one
YAML document of at most 25,000 nodes, nested at most 20 deep. Tags, anchors and aliases are reported as problems.

Why nothing else can happen: only PyYAML's composer runs. It makes nodes and has no constructor, so no object is
made from a tag. Aliases become empty nodes, so the tree is no larger than its text. BaseLoader has none of
YAML 1.1's guesses about types (`1e-7` a string, `010` eight, `yes` a boolean): the schema decides what a text means.
"""

from typing import Any, NamedTuple

import yaml
from yaml.composer import ComposerError
from yaml.reader import ReaderError

from softmaxclf.files import printable

LARGEST_FILE = 256 * 1024
DEEPEST_NESTING = 20
MOST_NODES = 25_000
LONGEST_SHOWN = 80
_STANDARD_TAG = "tag:yaml.org,2002:"


class Problem(NamedTuple):
    """What is wrong at a line (from 1) and dotted path ("" where none is known), as one line of text."""

    line: int
    path: str
    text: str

    def at(self, name: str) -> str:
        """`file:line: section.key: text`, the way every problem in a file is reported."""
        return f"{name}:{self.line}: {shown(self.path) + ': ' if self.path else ''}{self.text}"


def shown(text: str) -> str:
    """`text` fit for a message: printable and cut to 80 characters."""
    escaped = printable(text[: LONGEST_SHOWN + 1])
    return escaped if len(escaped) <= LONGEST_SHOWN else escaped[:LONGEST_SHOWN] + "..."


def scalar(text: str, *, quoted: bool = False) -> yaml.ScalarNode:
    """The node of a text that stands in no file."""
    return yaml.ScalarNode("", text, style='"' if quoted else None)


def is_quoted(node: yaml.ScalarNode) -> bool:
    """Whether the text can mean nothing but text; the block styles `|` and `>` count as quotes."""
    return node.style is not None


def is_null(node: yaml.Node) -> bool:
    """Whether nothing stands here: an empty value, `~` or `null`."""
    plain = isinstance(node, yaml.ScalarNode) and not is_quoted(node)
    return plain and node.value.lower() in ("", "~", "null")


def line_of(node: yaml.Node) -> int:
    """The line of the file that a node begins on, from 1; 0 for one that stands in no file."""
    return node.start_mark.line + 1 if node.start_mark else 0


def parse(content: bytes) -> tuple[yaml.Node | None, list[Problem]]:
    """The root node of a document (None: empty or unreadable) and the problems of its YAML.

    Whatever the bytes are, this returns.
    """
    if len(content) > LARGEST_FILE:
        return None, [Problem(1, "", _too_much(f"{LARGEST_FILE:,} bytes"))]
    problems: list[Problem] = []
    try:
        return _Composer(content.decode(), problems).root(), problems
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return None, [*problems, _problem_of(error, content)]


class _Refused(yaml.MarkedYAMLError):
    """Not PyYAML but this module refuses to go on; `problem` is the whole message."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _Composer(yaml.BaseLoader):
    """PyYAML's composer, bounded; tags, anchors and aliases are noted in `problems` and taken out of the tree."""

    def __init__(self, text: str, problems: list[Problem]) -> None:
        super().__init__(text)
        self._problems = problems
        self._nodes = 0
        self._keys: list[str] = []  # that lead to the node which is composed, "" for other steps

    def root(self) -> yaml.Node | None:
        """The tree of the one document. Raises yaml.YAMLError."""
        try:
            return self.get_single_node()
        except (ValueError, OverflowError) as error:
            # PyYAML lets these out: an escape beyond Unicode ("\\UFFFFFFFF"), thousands of digits after %YAML.
            found = "a number out of range in an escape or a % line"
            raise _Refused(f"expected YAML, got {found}; correct it", self.get_mark()) from error

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node. `index` is its key's node where it is a mapping's value. Raises yaml.YAMLError."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        mark, alias = event.start_mark, isinstance(event, yaml.AliasEvent)
        # The key is cut because nobody reads more of it in a message, and a message for each node may quote it.
        self._keys.append(index.value[: LONGEST_SHOWN + 1] if isinstance(index, yaml.ScalarNode) else "")
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise _Refused(_too_much(f"{MOST_NODES:,} keys and values"), mark)
        if len(self._keys) > DEEPEST_NESTING and isinstance(event, yaml.CollectionStartEvent):
            raise _Refused(_too_much(f"{DEEPEST_NESTING} levels of nesting"), mark)
        if unwanted := _unwanted(event):
            path = ".".join(filter(None, self._keys))
            self._problems.append(Problem(mark.line + 1, path, f"expected a plain value, got {unwanted}"))
            event.anchor = event.tag = None
        if alias:
            self.get_event()  # type: ignore[no-untyped-call]
        node = yaml.ScalarNode("", "", mark) if alias else super().compose_node(parent, index)
        self._keys.pop()
        return node


def _unwanted(event: Any) -> str:
    """What of YAML the node of this event uses that no configuration needs; "" for a plain node."""
    if isinstance(event, yaml.AliasEvent):
        return f"the alias *{shown(str(event.anchor))}; write the value itself"
    if event.anchor is not None:
        return f"the anchor &{shown(event.anchor)}; delete it"
    if event.tag is not None:
        return f"the tag {shown(event.tag.replace(_STANDARD_TAG, '!!'))}; delete it"
    return ""


def _too_much(limit: str) -> str:
    return f"expected at most {limit}, got more; shorten the file"


def _problem_of(error: Exception, content: bytes) -> Problem:
    """One line for what ended the reading of this content."""
    if isinstance(error, UnicodeDecodeError):
        utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        found = "UTF-16" if utf16 else f"the byte 0x{content[error.start]:02x}"
        line = _line_behind(content[: error.start].decode())
        return Problem(line, "", f"expected UTF-8 text, got {found}; save the file as UTF-8")
    text = content.decode()
    if isinstance(error, ReaderError):
        found = f"the control character {text[error.position]!a}"
        return Problem(_line_behind(text[: error.position]), "", f"expected text, got {found}; delete it")
    assert isinstance(error, yaml.MarkedYAMLError)
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    return Problem(line, "", _syntax_problem(error, "\t" in "".join(text.splitlines()[line - 1 : line])))


def _line_behind(text: str) -> int:
    """Number of the line that the character behind this text stands on, from 1."""
    return len(f"{text}.".splitlines())


def _syntax_problem(error: yaml.MarkedYAMLError, tab: bool) -> str:
    """What is no YAML, where `tab` says whether its line holds one."""
    if isinstance(error, _Refused):
        return str(error.problem)
    if isinstance(error, ComposerError):  # the others of its kind are about anchors and aliases
        return "expected one YAML document, got two; delete this '---'"
    said = str(error.problem or error.context).replace(repr("\0"), "the end of the file")
    hint = "indent with spaces instead of tabs" if tab else "check indentation, colons, quotes and brackets"
    return f"expected YAML, got an error: {shown(said)}; {hint}"
