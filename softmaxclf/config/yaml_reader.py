"""The bytes of a configuration file -> a small tree of texts with their lines.

What is accepted: a regular file of at most 256 KB, UTF-8 (a byte-order mark is skipped), without control
characters, holding one YAML document of mappings, lists and scalars, nested at most 20 deep, with at most
25,000 parser events and 50 keys in one mapping. Nothing else: tags, anchors, aliases, merge keys, keys that
are no plain text, equal keys and further documents are reported as problems.

Why nothing else can happen: only PyYAML's event parser runs. It turns text into events one by one and has no
constructor, so no object is made from a tag and no alias is expanded. YAML 1.1's guesses about types
(`1e-7` a string, `010` eight, `yes` a boolean) never run either: a scalar stays the text that was typed, and
the schema decides what it means. The tree is built with a list as the stack: nesting cannot exhaust Python's.
"""

import codecs
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

import yaml

from softmaxclf.errors import ConfigError
from softmaxclf.files import printable

LARGEST_FILE = 256 * 1024
DEEPEST_NESTING = 20
MOST_EVENTS = 25_000
MOST_KEYS = 50
LONGEST_SHOWN = 80
_NO_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_STANDARD_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Scalar:
    """One value as it was typed; `quoted` also covers the block styles `|` and `>`."""

    text: str
    line: int = 0
    quoted: bool = False

    def is_null(self) -> bool:
        """Whether nothing stands here: an empty value, `~` or `null`."""
        return not self.quoted and self.text.lower() in ("", "~", "null")


@dataclass(frozen=True)
class Refused:
    """Stands where a node was whose problem is already reported."""

    line: int


@dataclass
class Collection:
    """A list (`items` are its values) or a mapping (`keyed`: `items` alternate between key and value)."""

    line: int
    path: str
    keyed: bool
    items: list["Node"] = field(default_factory=list)

    def pairs(self) -> list[tuple[Scalar, "Node"]]:
        """Key and value of a mapping's entries; entries with a refused key are left out."""
        entries = zip(self.items[::2], self.items[1::2], strict=True)
        return [(key, value) for key, value in entries if isinstance(key, Scalar)]


Node: TypeAlias = Scalar | Collection | Refused


class Problem(NamedTuple):
    """What is wrong at a line (from 1) and dotted path ("" where none is known), as one line of text."""

    line: int
    path: str
    text: str

    def at(self, name: str) -> str:
        """`file:line: section.key: text`, the way every problem in a file is reported."""
        return f"{name}:{self.line}: {shown(self.path) + ': ' if self.path else ''}{self.text}"


class _Stop(Exception):  # noqa: N818 - it never leaves this module
    """Reading cannot go on."""

    def __init__(self, line: int, text: str, path: str = "") -> None:
        super().__init__(text)
        self.problem = Problem(line, path, text)


def shown(text: str) -> str:
    """`text` fit for a message: printable and cut to 80 characters."""
    escaped = printable(text[: LONGEST_SHOWN + 1])
    return escaped if len(escaped) <= LONGEST_SHOWN else escaped[:LONGEST_SHOWN] + "..."


def read_file(path: Path) -> bytes:
    """The bytes of a configuration file. Raises ConfigError where there is no small regular file to read."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _unreadable(path, "a folder", "name a file in it")
        if not stat.S_ISREG(status.st_mode):
            raise _unreadable(path, "a device or pipe", "save its text in a file first")
        if status.st_size > LARGEST_FILE:
            raise _unreadable(path, f"{status.st_size:,} bytes", f"at most {LARGEST_FILE:,} are read")
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise _unreadable(path, "nothing there", "check the path given to --config") from error
    except OSError as error:
        remedy = "check the path and its permissions"
        raise _unreadable(path, f"an error ({error.strerror or error})", remedy) from error


def _unreadable(path: Path, found: str, remedy: str) -> ConfigError:
    return ConfigError(f"{printable(str(path))}: expected a configuration file, got {found}; {remedy}")


def parse(content: bytes) -> tuple[Node | None, list[Problem]]:
    """The root node of a document (None: empty or unreadable) and all problems met, in the file's order.

    Whatever the bytes are, this returns.
    """
    tree = _Tree()
    try:
        for number, (event, line) in enumerate(_events(_decode(content))):
            if number >= MOST_EVENTS:
                raise _Stop(line, f"expected at most {MOST_EVENTS:,} YAML items, got more; shorten the file")
            tree.add(event, line)
    except _Stop as stop:
        return None, [*tree.problems, stop.problem]
    return tree.root, tree.problems


def _decode(content: bytes) -> str:
    """The text of the file. Raises _Stop for too many bytes, other encodings and control characters."""
    if len(content) > LARGEST_FILE:
        raise _Stop(1, f"expected at most {LARGEST_FILE:,} bytes, got more; shorten the file")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _Stop(1, "expected UTF-8 text, got UTF-16; save the file as UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = _line_at(content[: error.start].decode())
        found = f"the byte 0x{error.object[error.start]:02x}"
        raise _Stop(line, f"expected UTF-8 text, got {found}; save the file as UTF-8") from error
    if bad := _NO_TEXT.search(text):
        line = _line_at(text[: bad.start()])
        raise _Stop(line, f"expected text, got the control character {bad[0]!a}; delete it")
    return text


def _line_at(before: str) -> int:
    """Number of the line that the character behind this text stands on, from 1."""
    return len(_LINE_END.findall(before)) + 1


def _events(text: str) -> Iterator[tuple[yaml.Event, int]]:
    """The parser's events, each with the line read so far. Raises _Stop for what is no YAML."""
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_event():
            yield loader.get_event(), loader.line + 1  # type: ignore[no-untyped-call]
    except yaml.YAMLError as error:
        raise _syntax_problem(error, text, loader.line + 1) from error
    except (ValueError, OverflowError) as error:
        # PyYAML lets these out: an escape beyond Unicode ("\\UFFFFFFFF"), thousands of digits after %YAML.
        found = "a number out of range in an escape or a % line"
        raise _Stop(loader.line + 1, f"expected YAML, got {found}; correct it") from error


class _Tree:
    """The document read so far. Refusals that allow to go on are noted in `problems`."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[Collection] = []

    def add(self, event: yaml.Event, scanned_line: int) -> None:
        """Take the next event. Raises _Stop at a second document and at the limits of size and depth."""
        line = event.start_mark.line + 1 if event.start_mark else scanned_line
        if isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise _Stop(line, "expected one YAML document, got two; delete this '---'")
        if isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._add_node(event, line)

    def _add_node(self, event: yaml.NodeEvent, line: int) -> None:
        path = self._path()
        collection = Collection(line, path, keyed=isinstance(event, yaml.MappingStartEvent))
        node: Node = collection
        if unwanted := _unwanted(event):
            node = self._refuse(line, path, f"expected a plain value, got {unwanted}")
        elif isinstance(event, yaml.ScalarEvent):
            node = Scalar(event.value, line, quoted=event.style is not None)
        if self._open:
            self._append(self._open[-1], node)
        else:
            self.root = node
        if isinstance(event, yaml.CollectionStartEvent):
            # A refused collection's content is read too, so that its own problems are reported.
            self._open.append(collection)
            if len(self._open) > DEEPEST_NESTING:
                limit = f"expected at most {DEEPEST_NESTING} levels of nesting"
                raise _Stop(line, f"{limit}, got more; flatten the file")

    def _path(self) -> str:
        """Dotted path of the node that comes next: `training.momentum` while that key's value is read."""
        if not self._open:
            return ""
        top = self._open[-1]
        key = top.items[-1] if top.keyed and len(top.items) % 2 else None
        return _joined(top.path, key.text) if isinstance(key, Scalar) else top.path

    def _append(self, parent: Collection, node: Node) -> None:
        """Add a node; where it is a mapping's key, it must be text that stands there for the first time."""
        if parent.keyed and len(parent.items) % 2 == 0 and not isinstance(node, Refused):
            if len(parent.items) >= 2 * MOST_KEYS:
                limit = f"expected at most {MOST_KEYS} keys, got more; delete some"
                raise _Stop(node.line, limit, parent.path)
            node = self._checked_key(parent, node)
        parent.items.append(node)

    def _checked_key(self, parent: Collection, key: Scalar | Collection) -> Node:
        expected = "expected a name as the key, got"
        if isinstance(key, Collection):
            return self._refuse(key.line, parent.path, f"{expected} a list or mapping; write 'key: value'")
        if key.text == "<<":
            return self._refuse(key.line, parent.path, f"{expected} the merge key <<; write its values out")
        for earlier in parent.items[::2]:
            if isinstance(earlier, Scalar) and earlier.text == key.text:
                again = f"expected this key once, got it again (first on line {earlier.line}); delete one"
                return self._refuse(key.line, _joined(parent.path, key.text), again)
        return key

    def _refuse(self, line: int, path: str, text: str) -> Refused:
        self.problems.append(Problem(line, path, text))
        return Refused(line)


def _joined(path: str, key: str) -> str:
    """`path.key`; the key is cut because nobody reads more of it in a message."""
    key = key[: LONGEST_SHOWN + 1]
    return f"{path}.{key}" if path else key


def _unwanted(event: yaml.NodeEvent) -> str:
    """What of YAML this node uses that no configuration needs; "" for a plain node."""
    if isinstance(event, yaml.AliasEvent):
        return f"the alias *{shown(str(event.anchor))}; write the value itself"
    if event.anchor is not None:
        return f"the anchor &{shown(event.anchor)}; delete it"
    tag = getattr(event, "tag", None)
    if tag is not None:
        return f"the tag {shown(tag.replace(_STANDARD_TAG, '!!'))}; delete it"
    return ""


def _syntax_problem(error: yaml.YAMLError, text: str, scanned_line: int) -> _Stop:
    """One line for what PyYAML says in several."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "context", None) or str(error)
    said = said.replace(repr("\0"), "the end of the file")  # the parser's own sign for it
    line = mark.line + 1 if mark else scanned_line
    tab = "\t" in [*_LINE_END.split(text), ""][line - 1]
    hint = "indent with spaces instead of tabs" if tab else "check indentation, colons, quotes and brackets"
    return _Stop(line, f"expected YAML, got an error: {shown(said)}; {hint}")
