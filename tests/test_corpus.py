"""The hostile and broken inputs of the tests, counted: the table of tests/README.md says what they are."""

import importlib.util
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What is read, and the test module whose CASES (kind, name, ...) are given to its reader.
CORPORA = {
    "CIFAR pickles": "tests/datasets/pickles/test_hostile_pickles.py",
    "CIFAR batches": "tests/datasets/cifar/test_reader.py",
    "archives": "tests/datasets/cifar/test_hostile_archives.py",
    "`.npz` and `.npy` data": "tests/datasets/test_hostile_arrays.py",
    "tables": "tests/datasets/test_hostile_tables.py",
    "model files": "tests/test_hostile_models.py",
    "configurations": "tests/config/test_config_errors.py",
    "IDX files": "tests/datasets/test_idx.py",
    "image folders": "tests/datasets/test_hostile_image_folders.py",
    "images": "tests/datasets/test_images.py",
    "paths of every command": "tests/cli/test_hostile_paths.py",
    "standard streams": "tests/cli/test_streams.py",
}


def cases(path: str) -> list[str]:
    """The kind of each case of that module."""
    spec = importlib.util.spec_from_file_location("corpus_" + Path(path).stem, ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [case[0] for case in module.CASES]


def table() -> str:
    """The table of tests/README.md: a line per reader, its kinds with the most frequent first."""
    lines = ["| read as | cases | of which |", "|---|---|---|"]
    total = 0
    for what, path in CORPORA.items():
        kinds = Counter(cases(path))
        total += kinds.total()
        shown = ", ".join(
            f"{kind} {count}" for kind, count in sorted(kinds.items(), key=lambda each: (-each[1], each[0]))
        )
        lines.append(f"| {what} | {kinds.total()} | {shown} |")
    return "\n".join([*lines, f"| all | {total} | |"])


def test_the_page_counts_the_corpus_as_it_is():
    page = (ROOT / "tests" / "README.md").read_text()
    assert table() in page, f"the table of tests/README.md should be:\n{table()}"


def test_the_corpus_has_the_cases_it_was_asked_for():
    assert sum(len(cases(path)) for path in CORPORA.values()) >= 60


if __name__ == "__main__":
    print(table())
