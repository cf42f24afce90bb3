"""The notebook-like script runs from its first cell to its last."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "notebook.py"


@pytest.mark.slow
def test_the_script_trains_validates_explains_and_exports(tmp_path):
    result = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert float(lines[0].split()[-1]) > 0.9 and lines[1].startswith("5 folds: 0.9")
    assert lines[2].startswith("best {'regularization': ") and lines[-1] == "scores = x @ W + b"
    assert lines[3].startswith("patches: 5 folds 0.9")
    assert float(lines[3].split()[-1]) > float(lines[0].split()[-1])  # better than pixels
    assert sum("speaks" in line for line in lines) == 3
    assert len(json.loads((tmp_path / "digits.json").read_text())["class_names"]) == 10
