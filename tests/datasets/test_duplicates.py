"""Rows that stand twice: found by their hash, and true."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from softmaxclf.datasets import duplicates
from softmaxclf.datasets.duplicates import repeated_rows, row_hashes, shared_rows

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
@pytest.mark.parametrize("width", [1, 3, 8, 50])
def test_what_is_found_is_what_a_set_of_rows_finds(dtype: str, width: int) -> None:
    X = RNG.integers(0, 3, (300, width)).astype(dtype)
    others = np.concatenate([X[::7], RNG.integers(0, 3, (100, width)).astype(dtype)])
    known = [row.tobytes() for row in X]
    assert shared_rows(X, others).tolist() == [
        k for k, row in enumerate(others) if row.tobytes() in set(known)
    ]
    assert repeated_rows(X) == len(known) - len(set(known))


def test_rows_of_equal_hash_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.arange(12.0).reshape(4, 3)
    monkeypatch.setattr(duplicates, "row_hashes", lambda X: np.zeros(len(X), np.uint64))
    assert shared_rows(X, X + 100).tolist() == [] and repeated_rows(X) == 0


def test_blocks_and_order_do_not_change_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    X = RNG.normal(size=(50, 7)).astype(np.float32)
    whole = row_hashes(X)
    monkeypatch.setattr(duplicates, "BLOCK_BYTES", 100)
    np.testing.assert_array_equal(row_hashes(np.asfortranarray(X)), whole)
    assert len(set(whole.tolist())) == 50


def test_rows_of_other_types_share_nothing() -> None:
    X = np.ones((3, 2), np.uint8)
    assert len(shared_rows(X, X.astype(np.float32))) == 0 and len(shared_rows(X[:0], X)) == 0


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    X = RNG.integers(0, 256, (60, 4, 4, 3)).astype(np.uint8)
    y = np.arange(60) % 3
    arrays: dict[str, Any] = {"X_train": X[:50], "y_train": y[:50], "X_test": X[40:], "y_test": y[40:]}
    np.savez(tmp_path / "leaking.npz", **arrays, class_names=["a", "b", "c"])
    return tmp_path / "leaking.npz"


@pytest.mark.parametrize("command", [["tune"], ["train", "--test"]], ids=" ".join)
@pytest.mark.usefixtures("undrawn")
def test_runs_warn_of_test_rows_that_they_trained_on(
    command: list[str], leaking: Path, run_cli: Callable[..., Result]
) -> None:
    result = run_cli(*command, "--data", leaking, "--out", "run")
    said = "Warning: 10 of the 20 test rows also stand among the training rows, byte for byte"
    assert result.exit_code == 0 and result.stderr.count(said) == 1
    assert run_cli("train", "--data", leaking, "--out", "untested").stderr.count("training rows, byte") == 0
    late = run_cli("train", "--data", leaking, "--out", "untested", "--test")
    assert late.stderr.count("also stand among the training rows") == 1


def test_describe_says_what_a_source_holds(leaking: Path, run_cli: Callable[..., Result]) -> None:
    result = run_cli("data", "describe", leaking, "--out", "sheet.png")
    assert result.exit_code == 0 and result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0] == "leaking: 3 classes, 48 columns (4 x 4 pixels, 3 channels)"
    cells = [line.split() for line in lines]
    assert ["a", "17", "6"] in cells and ["all", "50", "20"] in cells
    assert "10 test rows stand in train too (rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)" in lines
    assert (leaking.parent / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_describe_refuses_a_sheet_of_a_table(tmp_path: Path, run_cli: Callable[..., Result]) -> None:
    (tmp_path / "a.csv").write_text("a,b,sort\n1,2,p\n3,4,q\n1,5,p\n2,2,q\n")
    result = run_cli("data", "describe", "a.csv", "--set", "data.label=sort", "--set", "data.test=0")
    assert "a: 2 classes, 2 columns (features)" in result.stdout and "--set data.label=sort" in result.stdout
    result = run_cli("data", "describe", "a.csv", "--set", "data.label=sort", "--out", "b.png")
    assert result.exit_code == 2 and "expected grey or coloured images, found features" in result.stderr
