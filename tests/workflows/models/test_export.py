"""`softmaxclf export`: what is written and said, what is refused, and that nothing is lost by it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from softmaxclf import fit, load_model
from softmaxclf.core.stages.stage import Preprocessing
from softmaxclf.exports.plain import NPZ
from softmaxclf.model_file import save_model
from softmaxclf.workflows.models import export as workflow
from softmaxclf.workflows.models.export import drawn_rows


@pytest.fixture
def model(tmp_path):
    """A model file beside which the command line works."""
    generator = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = generator.standard_normal((60, 5)) * 30 + 100 + 40 * np.eye(3, 5)[y]
    (tmp_path / "run").mkdir()
    save_model(tmp_path / "run" / "weights.npz", fit(X, y, regularization=0.01))
    return load_model(tmp_path / "run")


def test_a_file_is_written_beside_the_weights_and_what_was_compared_is_said(model, run_cli, tmp_path):
    result = run_cli("export", "run", "--format", "npz")
    assert result.exit_code == 0 and result.stdout.startswith("Wrote run/export.npz: scores = x @ W + b\n")
    assert "on 256 rows" in result.stdout
    with np.load(tmp_path / "run" / "export.npz") as file:
        X = drawn_rows(model)
        np.testing.assert_allclose(X @ file["W"] + file["b"], model.scores(X), atol=1e-4)
    found = json.loads(run_cli("export", "run", "--format", "json", "--out", "m.json", "--json").stdout)
    assert found["file"] == "m.json" and found["bytes"] == (tmp_path / "m.json").stat().st_size
    assert 0 <= found["largest_difference"] < 1e-4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "npz", "--out", "run/weights.npz", "--overwrite"], "run/weights.npz: expected no such file"),
        (["--format", "npz", "--out", "run"], "run: expected no such file, found one; choose another name with --out"),
        (["--format", "npz", "--out", "taken.npz"], "or replace it with --overwrite"),
        (["--format", "pickle"], "'pickle' is not one of"),
        ([], "Missing option '--format'"),
        (["--format", "npz", "--out", "taken.npz/m.npz"], "taken.npz/m.npz: cannot be written"),
    ],
)  # fmt: skip
def test_no_file_is_replaced_without_being_asked_and_the_model_never(
    arguments, said, model, run_cli, tmp_path
):
    (tmp_path / "taken.npz").write_bytes(b"mine")
    before = (tmp_path / "run" / "weights.npz").read_bytes()
    result = run_cli("export", "run", *arguments)
    assert result.exit_code == 2 and said in result.stderr
    assert (tmp_path / "run" / "weights.npz").read_bytes() == before
    assert (tmp_path / "taken.npz").read_bytes() == b"mine"


def test_a_file_is_replaced_when_that_is_asked_for(model, run_cli, tmp_path):
    (tmp_path / "taken.npz").write_bytes(b"mine")
    assert run_cli("export", "run", "--format", "npz", "--out", "taken.npz", "--overwrite").exit_code == 0
    assert (tmp_path / "taken.npz").read_bytes().startswith(b"PK")


@pytest.mark.parametrize(
    ("form", "extra"),
    [("safetensors", "safetensors"), ("onnx", "onnx"), ("torch", "torch"), ("sklearn", "skops")],
)
def test_a_library_that_is_not_there_is_one_line_that_names_its_extra(
    form, extra, model, run_cli, monkeypatch, tmp_path
):
    monkeypatch.setattr(workflow, "find_spec", lambda name: None)
    result = run_cli("export", "run", "--format", form)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert f"Error: --format {form}: expected {extra}, which writes " in result.stderr
    assert f"softmaxclf[{extra}]" in result.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"weights.npz"}


@pytest.mark.parametrize("form", ["npz", "json", "safetensors", "sklearn"])
def test_a_model_of_patch_features_is_refused_before_a_library_is_asked_for(
    form, run_cli, monkeypatch, tmp_path
):
    monkeypatch.setattr("softmaxclf.core.stages.patches.dictionary.PATCHES", 500)
    monkeypatch.setattr(workflow, "find_spec", lambda name: None)
    X = np.random.default_rng(0).integers(0, 256, (40, 12, 12, 3)).astype(np.uint8)
    settings = {"kind": "patches", "filters": 4, "patch": 3, "scales": [1]}
    patches = fit(X, np.arange(40) % 2, features=settings, regularization=1.0)
    save_model(tmp_path / "patches.npz", patches)
    result = run_cli("export", "patches.npz", "--format", form)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "cannot hold it: patch features take a convolution; choose onnx or torch" in result.stderr


def test_a_file_whose_scores_differ_is_not_kept(model, run_cli, monkeypatch, tmp_path):
    wrong = replace(NPZ, scores=lambda content, rows: NPZ.scores(content, rows) + 0.01)
    monkeypatch.setattr("softmaxclf.exports.plain.NPZ", wrong)
    result = run_cli("export", "run", "--format", "npz")
    assert result.exit_code == 3
    assert "expected the same scores from the NumPy arrays file, found them 0.01 apart" in result.stderr
    assert not (tmp_path / "run" / "export.npz").exists()


def test_a_model_that_no_format_can_hold_is_refused(model, run_cli, tmp_path):
    scaled = Preprocessing(scale=np.full(5, 2.0), unit_norm=True)
    save_model(tmp_path / "run" / "weights.npz", replace(model, preprocessing=scaled))
    result = run_cli("export", "run", "--format", "npz")
    assert (
        result.exit_code == 2 and "run/weights.npz: expected unit norm of rows as they are" in result.stderr
    )


def test_a_missing_model_is_3(run_cli):
    result = run_cli("export", "none", "--format", "npz")
    assert result.exit_code == 3 and "none: expected a run folder or a weights.npz" in result.stderr
