"""The map is right: every file that a page, comment or docstring names exists, and every room is on the map."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "softmaxclf"
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("*/README.md")]
MODULES = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]
NAMED = re.compile(r"(?<![\w/.])((?:[\w-]+/)*[\w-]+\.(?:py|md))\b")
MODULE = re.compile(r"\bsoftmaxclf(?:\.[a-z_]\w*)+")


def prose(path: Path) -> str:
    """The comments and docstrings of a module, or a whole page."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    comments = [
        each.string
        for each in tokenize.generate_tokens(io.StringIO(text).readline)
        if each.type == tokenize.COMMENT
    ]
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef
    docstrings = [
        ast.get_docstring(node) or "" for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)
    ]
    return "\n".join([*comments, *docstrings])


def missing(text: str, home: Path) -> list[str]:
    """The files and modules that the text names and that are neither beside it nor in the package or the repository."""
    places = (home, PACKAGE, ROOT)
    files = {name for name in NAMED.findall(text) if not any((place / name).exists() for place in places)}
    modules = {name for name in MODULE.findall(text) if not _is_module(name)}
    return sorted(files | modules)


def _is_module(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    path = ROOT / name.replace(".", "/")
    return any(
        each.with_suffix(".py").exists() or (each / "__init__.py").exists() for each in (path, path.parent)
    ) and (
        path.parent != PACKAGE
        or path.with_suffix(".py").exists()
        or path.is_dir()
        or hasattr(__import__("softmaxclf"), path.name)
    )


@pytest.mark.parametrize("path", [*PAGES, *MODULES], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_prose_names_exists(path):
    assert not missing(prose(path), path.parent)


def test_a_file_that_is_not_there_is_found():
    assert missing("see core/no_such_room.py and softmaxclf.core.nowhere.at_all", PACKAGE) == [
        "core/no_such_room.py", "softmaxclf.core.nowhere.at_all",
    ]  # fmt: skip


def test_the_map_names_every_room():
    text = (PACKAGE / "README.md").read_text()
    rooms = [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()]
    assert len(rooms) >= 7
    assert not [room for room in rooms if f"`{room}/`" not in text]
