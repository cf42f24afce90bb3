"""The import graph is the architecture: every import, also those inside functions, points downwards.

cli | estimators > logs | engines > workflows > report > config | runs | model_file > datasets | plots | exports > core
> arrays | locks > files > errors
"""

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "softmaxclf"
# From the top down; the groups of one line do not import each other.
LAYERS = (
    ("__main__",),
    ("cli", "estimators"),
    ("logs", "engines"),
    ("workflows",),
    ("report",),
    ("config", "runs", "model_file"),
    ("datasets", "plots", "exports"),
    ("core",),
    ("arrays", "locks"),
    ("memory",),
    ("files",),
    ("errors",),
)
RANKS = {group: rank for rank, layer in enumerate(LAYERS) for group in layer}
# What a layer may import besides the standard library and our own packages below it.
THIRD_PARTY = {
    "cli": {"click", "tqdm"},
    "estimators": {"numpy", "sklearn"},
    "workflows": {"numpy"},
    "config": {"yaml"},
    # Each library is an extra that writes its own log; Pillow reads the pictures.
    "logs": {"numpy", "PIL", "tensorboardX", "mlflow"},
    # Its library is an extra that brings stacks and rows to other processes.
    "engines": {"numpy", "distributed", "dask"},
    "runs": {"numpy"},
    "model_file": {"numpy"},
    # Pillow comes with matplotlib; it decodes image files. pyarrow is an extra.
    "datasets": {"numpy", "PIL", "pyarrow"},
    "core": {"numpy", "torch"},  # PyTorch is an extra
    # Each library is an extra that writes its own format.
    "exports": {"numpy", "onnx", "safetensors", "skops", "sklearn", "torch"},
    "plots": {"numpy", "matplotlib", "PIL"},
    "report": {"numpy", "matplotlib", "PIL"},
    "arrays": {"numpy"},
}
# What it may import for type checkers only, under `if TYPE_CHECKING`.
FOR_TYPES = {"workflows": {"matplotlib"}}
# The one module that imports by name; who holds a registry's names is taken to import what they stand for.
BY_NAME = {"softmaxclf.core.registry"}
HOME = re.compile(r"softmaxclf(\.\w+)+:\w+")
TYPES = " (for types)"
# Groups that may use less of what lies below than their place allows.
ONLY = {
    "core": {"files", "errors"},
    "plots": {"core", "files", "errors"},
    "exports": {"core"},
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
    """The full names of all modules that `source` imports anywhere in it; `from package import module` too.

    Modules of others that only type checkers import end in TYPES. A name in a registry counts as an import.
    """
    found = set()
    tree = ast.parse(source)
    unrun = {inner for node in ast.walk(tree) if _is_for_types(node) for inner in _nodes_within(node.body)}
    for node in ast.walk(tree):
        inside = _imported(node, module, names)
        found |= {each + TYPES if node in unrun and not _is_ours(each) else each for each in inside}
    return found


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _nodes_within(body: list[ast.stmt]) -> list[ast.AST]:
    return [inner for statement in body for inner in ast.walk(statement)]


def _is_ours(name: str) -> bool:
    return name.split(".")[0] == "softmaxclf"


def _imported(node: ast.AST, module: str, names) -> set[str]:
    """What this one node imports."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            base = ".".join([*module.split(".")[: -node.level], *([base] if base else [])])
        inside = {f"{base}.{alias.name}" for alias in node.names}
        modules = {each for each in inside if each in names}
        return modules if modules == inside else modules | {base}
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and HOME.fullmatch(node.value):
        return {node.value.partition(":")[0]}
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in (
        "import_module",
        "__import__",
    ):
        return set() if module in BY_NAME else {f"dynamic import in {module}"}
    return set()


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
        if not _is_ours(other):
            top = other.removesuffix(TYPES).split(".")[0]
            allowed = THIRD_PARTY.get(group, set()) | (
                FOR_TYPES.get(group, set()) if other.endswith(TYPES) else set()
            )
            if top not in sys.stdlib_module_names and top not in allowed:
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
    """All modules of ours that importing `start`, or using the registries that it knows, may load."""
    found, pending = set(), [start]
    while pending:
        module = pending.pop()
        if module in NAMES and module not in found:
            found.add(module)
            pending += [
                *imports(module),
                module.rpartition(".")[0],
            ]  # a package is loaded before what is in it
    return found


SOLVER_MODULES = sorted(name for name in NAMES if name.startswith("softmaxclf.core.solvers"))


@pytest.mark.parametrize("module", SOLVER_MODULES)
def test_the_engine_never_reaches_the_reference_that_it_is_tested_against(module):
    assert "softmaxclf.core.checks.reference" in NAMES
    assert "softmaxclf.core.checks.reference" not in reachable(module)


def test_what_a_registry_names_is_reached():
    assert "softmaxclf.core.solvers.sgd.descent" in reachable("softmaxclf.core.solvers")
    assert "softmaxclf.core.losses.hinge" in reachable("softmaxclf.core.solvers.sgd.descent")
    assert "softmaxclf.core.checks.reference" in reachable("softmaxclf.core.checks.stepcheck")


def users_of(library: str, ending: str = "") -> set[str]:
    """The groups with a module that imports the library, or with TYPES, that imports it for type checkers."""
    return {
        group_of(module)
        for module in NAMES
        for each in imports(module)
        if each.split(".")[0].removesuffix(TYPES) == library and each.endswith(TYPES) == bool(ending)
    }


@pytest.mark.parametrize(
    ("library", "groups"),
    [("click", {"cli"}), ("tqdm", {"cli"}), ("yaml", {"config"}), ("matplotlib", {"plots", "report"})],
)
def test_a_library_is_used_in_its_own_layer_only(library, groups):
    assert users_of(library) == groups
    for_types = {group for group, libraries in FOR_TYPES.items() if library in libraries}
    assert users_of(library, TYPES) - groups == for_types


def test_no_list_allows_what_nobody_uses():
    for group, libraries in THIRD_PARTY.items():
        assert {library for library in libraries if group not in users_of(library)} == set(), group


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
            "if TYPE_CHECKING:\n    from ....cli.main import cli",
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
        (
            "softmaxclf.workflows.runs.result",
            "from matplotlib.figure import Figure",
            "which workflows may not",
        ),
        (
            "softmaxclf.workflows.runs.result",
            "if TYPE_CHECKING:\n    pass\nelse:\n    import matplotlib",
            "which workflows may not",
        ),
        ("softmaxclf.datasets.cifar", "if TYPE_CHECKING:\n    import matplotlib", "which datasets may not"),
        (
            "softmaxclf.core.losses",
            'LOSSES = {"novel": "softmaxclf.workflows.novel:NOVEL"}',
            "does not stand below",
        ),
        (
            "softmaxclf.core.losses",
            "from importlib import import_module\nimport_module(name)",
            "dynamic import",
        ),
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
        (
            "softmaxclf.workflows.runs.result",
            "if TYPE_CHECKING:\n    from matplotlib.figure import Figure",
        ),
        ("softmaxclf.runs", "from softmaxclf import __version__\nfrom softmaxclf.arrays import read_arrays"),
    ],
)
def test_an_allowed_import_passes(module, source):
    assert wrong_imports(module, imports_of(source, module)) == []
