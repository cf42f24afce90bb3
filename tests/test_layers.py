"""The import graph is the architecture: every import, also those inside functions, points downwards.

cli > workflows > report > config | runs | model_file > datasets | plots > core > arrays | locks > files > errors
"""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "softmaxclf"
# From the top down; the groups of one line do not import each other.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("workflows",),
    ("report",),
    ("config", "runs", "model_file"),
    ("datasets", "plots"),
    ("core",),
    ("arrays", "locks"),
    ("files",),
    ("errors",),
)
RANKS = {group: rank for rank, layer in enumerate(LAYERS) for group in layer}
# What a layer may import besides the standard library and our own packages below it.
THIRD_PARTY = {
    "cli": {"click", "tqdm"},
    "workflows": {"numpy"},
    "config": {"yaml"},
    "runs": {"numpy"},
    "model_file": {"numpy"},
    "datasets": {"numpy", "PIL"},  # Pillow comes with matplotlib; it decodes image files
    "core": {"numpy"},
    "plots": {"numpy", "matplotlib", "PIL"},
    "report": {"numpy", "matplotlib", "PIL"},
    "arrays": {"numpy"},
}
# Groups that may use less of what lies below than their place allows.
ONLY = {
    "core": {"files", "errors"},
    "plots": {"core", "files", "errors"},
    "report": {"plots", "core", "files", "errors"},
    "datasets": {"core", "files", "arrays", "locks", "errors"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """softmaxclf.core.losses.softmax of its file; a package by its own name."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


def imports_of(source: str, module: str, names=NAMES) -> set[str]:
    """The full names of all modules that `source` imports anywhere in it; `from package import module` too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*module.split(".")[: -node.level], *([base] if base else [])])
            inside = {f"{base}.{alias.name}" for alias in node.names}
            found |= {each for each in inside if each in names} or {base}
            if len([each for each in inside if each in names]) < len(inside):
                found.add(base)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in (
            "import_module",
            "__import__",
        ):
            found.add(f"dynamic import in {module}")
    return found


@cache
def imports(module: str) -> set[str]:
    return imports_of(NAMES[module].read_text(), module)


def group_of(module: str) -> str:
    """The layer's group that a module of ours belongs to; the root package has none."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def wrong_imports(module: str, imported: set[str]) -> list[str]:
    """One line per import that the layers forbid."""
    group, wrong = group_of(module), []
    for other in sorted(imported):
        target = group_of(other)
        if not other.startswith("softmaxclf"):
            top = other.split(".")[0]
            if top not in sys.stdlib_module_names and top not in THIRD_PARTY.get(group, set()):
                wrong.append(f"{module} imports {other}, which {group} may not")
        elif target and target != group:
            if target not in RANKS:
                wrong.append(f"{module} imports {other}, which has no place in the layers")
            elif RANKS[target] <= RANKS[group]:
                wrong.append(f"{module} imports {other}, which does not stand below it")
            elif group in ONLY and target not in ONLY[group]:
                wrong.append(
                    f"{module} imports {other}; {group} may import only {', '.join(sorted(ONLY[group]))}"
                )
    return wrong


def test_every_module_belongs_to_a_layer():
    strangers = sorted({group_of(module) for module in NAMES} - {""} - set(RANKS))
    assert not strangers, f"give these a line in LAYERS of this test and in the design: {strangers}"


def test_every_import_points_downwards():
    inside = [module for module in NAMES if group_of(module) in RANKS]
    wrong = [line for module in inside for line in wrong_imports(module, imports(module))]
    assert not wrong, "\n".join(wrong)


def test_the_root_package_imports_nothing_of_ours_before_it_is_asked():
    assert not [each for each in imports("softmaxclf") if each.startswith("softmaxclf")]


def reachable(start: str) -> set[str]:
    """All modules of ours that importing `start` may load."""
    found, pending = set(), [start]
    while pending:
        module = pending.pop()
        if module in NAMES and module not in found:
            found.add(module)
            pending += imports(module)
    return found


def test_the_engine_never_reaches_the_reference_that_it_is_tested_against():
    assert "softmaxclf.core.checks.reference" in NAMES
    assert "softmaxclf.core.checks.reference" not in reachable("softmaxclf.core.solvers.sgd.solver")


@pytest.mark.parametrize(
    ("library", "groups"),
    [("click", {"cli"}), ("tqdm", {"cli"}), ("yaml", {"config"}), ("matplotlib", {"plots", "report"})],
)
def test_a_library_is_used_in_its_own_layer_only(library, groups):
    users = {
        group_of(module) for module in NAMES if any(each.split(".")[0] == library for each in imports(module))
    }
    assert users == groups


# The checker is checked.


@pytest.mark.parametrize(
    ("module", "source", "said"),
    [
        (
            "softmaxclf.core.solvers.sgd.solver",
            "import softmaxclf.workflows.runs.train",
            "does not stand below",
        ),
        (
            "softmaxclf.core.solvers.sgd.solver",
            "def f():\n    from softmaxclf import runs",
            "does not stand below",
        ),
        (
            "softmaxclf.core.solvers.sgd.solver",
            "if TYPE_CHECKING:\n    from ..cli.main import cli",
            "does not stand below",
        ),
        ("softmaxclf.runs", "from softmaxclf.config import Config", "does not stand below"),
        (
            "softmaxclf.core.solvers.sgd.solver",
            "from softmaxclf.arrays import read_arrays",
            "core may import only errors, files",
        ),
        ("softmaxclf.core.solvers.sgd.solver", "import yaml", "which core may not"),
        (
            "softmaxclf.plots.grid",
            "from softmaxclf.datasets.sources import open_source",
            "does not stand below",
        ),
        ("softmaxclf.workflows.runs.train", "from tqdm import tqdm", "which workflows may not"),
        ("softmaxclf.workflows.runs.train", "import softmaxclf.novelty.thing", "has no place"),
    ],
)
def test_a_forbidden_import_is_found(module, source, said):
    (line,) = wrong_imports(module, imports_of(source, module))
    assert said in line


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "softmaxclf.workflows.runs.train",
            "from softmaxclf.core.solvers.sgd.solver import SGD\nimport numpy as np\nimport os",
        ),
        ("softmaxclf.core.solvers.sgd.solver", "from . import rows\nfrom .softmax import softmax"),
        ("softmaxclf.runs", "from softmaxclf import __version__\nfrom softmaxclf.arrays import read_arrays"),
    ],
)
def test_an_allowed_import_passes(module, source):
    assert wrong_imports(module, imports_of(source, module)) == []
