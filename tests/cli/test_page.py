"""softmaxclf page: what it prints and writes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from softmaxclf.core.model import LinearModel
from softmaxclf.model_file import save_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    W = np.eye(12, 2, dtype=np.float32)
    save_model(
        tmp_path / "weights.npz", LinearModel(W, np.zeros(2, np.float32), ("a", "b"), image_shape=(3, 2, 2))
    )
    return tmp_path / "weights.npz"


def test_the_page_is_written_and_said(model: Path, run_cli: Callable[..., Result]) -> None:
    result = run_cli("page", model.name, "--out", "a page.html")
    size = len((model.parent / "a page.html").read_bytes())
    assert result.exit_code == 0 and result.stderr == ""
    assert result.stdout.splitlines() == [
        f"Wrote 'a page.html' ({size:,} bytes)", "Next: open it in a browser, or send it to someone",
    ]  # fmt: skip


def test_json_says_where_it_is_and_how_near_its_scores_are(
    model: Path, run_cli: Callable[..., Result]
) -> None:
    found = json.loads(run_cli("page", model.name, "--json").stdout)
    assert found.keys() == {"schema_version", "model", "page", "bytes", "largest_difference"}
    assert found["page"] == "page.html" and 0 <= found["largest_difference"] < 1e-4
    assert (model.parent / "page.html").stat().st_size == found["bytes"]


def test_a_missing_model_is_one_line(run_cli: Callable[..., Result]) -> None:
    result = run_cli("page", "missing.npz")
    assert result.exit_code == 3 and result.stdout == ""
    assert result.stderr.startswith(
        "Error: missing.npz: expected a run folder or a weights.npz, found no such"
    )
