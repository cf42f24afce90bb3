"""--device and --precision on the command line."""

import json

import numpy as np
import pytest

from tests.core.engines import NEEDS_TORCH

pytestmark = pytest.mark.usefixtures("undrawn")
GRID = ("--learning-rates", "1e-2,3e-2", "--regularizations", "1e-3,1e-2", "--iterations", "60")


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason=NEEDS_TORCH)


def test_a_device_that_is_not_there_ends_a_command_before_rows_are_read(torch, run_cli, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for command in ("train", "tune"):
        result = run_cli(command, "--data", "missing.npz", "--device", "cuda")
        assert result.exit_code == 2
        assert "engine.device: expected an NVIDIA or AMD GPU for cuda" in result.stderr
        assert "missing.npz" not in result.stderr


@pytest.mark.parametrize("more", [("--device", "torch-cpu"), ("--precision", "mixed")])
def test_a_grid_on_pytorch_is_that_of_numpy_and_the_same_run(more, torch, run_cli, features_file, tmp_path):
    command = ("tune", "--data", features_file, *GRID)
    result = run_cli(*command, *more, "--json", "--out", "there")
    assert result.exit_code == 0, result.stderr
    assert "PyTorch" in result.stderr and "on cpu: float32 products" in result.stderr
    there = json.loads(result.stdout)
    here = json.loads(run_cli(*command, "--json", "--out", "here").stdout)
    assert there["best"] == here["best"]
    for one, other in zip(there["cells"], here["cells"], strict=True):
        assert one["validation_accuracy"] == pytest.approx(other["validation_accuracy"], abs=0.02)
        assert one["validation_loss"] == pytest.approx(other["validation_loss"], rel=1e-4)
    again = run_cli(*command, "--out", "there")
    assert again.exit_code == 0 and "there holds this very run, finished" in again.stderr
    manifest = json.loads((tmp_path / "there" / "manifest.json").read_text())
    assert manifest["engine"]["device"] == "torch-cpu"
    assert json.loads((tmp_path / "here" / "manifest.json").read_text())["engine"]["device"] == "cpu"


def test_a_model_is_the_same_file_whatever_engine_was_named_that_computes_alike(
    torch, run_cli, features_file, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    command = ("train", "--data", features_file, "--iterations", "40")
    for name in ("cpu", "auto"):
        assert run_cli(*command, "--device", name, "--out", name).exit_code == 0
    with (
        np.load(tmp_path / "cpu" / "weights.npz") as one,
        np.load(tmp_path / "auto" / "weights.npz") as other,
    ):
        for name in one.files:
            assert one[name].tobytes() == other[name].tobytes(), name


def test_the_optimum_on_pytorch_is_proven(torch, run_cli, features_file):
    command = ("train", "--data", features_file, "--solver", "lbfgs", "--json")
    results = [run_cli(*command, "--device", name, "--out", name) for name in ("torch-cpu", "cpu")]
    found = [json.loads(result.stdout) for result in results]
    assert all(each["proven"] for each in found)
    assert found[0]["objective"] == pytest.approx(found[1]["objective"], rel=1e-4)


@pytest.mark.real
@pytest.mark.slow
def test_the_classic_grid_on_pytorch_has_the_table_of_numpy(torch, run_cli, real_cifar):
    config = real_cifar.parents[1] / "configs" / "classic.yaml"
    command = ("tune", "--config", config, "--iterations", 1000, "--data", real_cifar, "--json")
    here = json.loads(run_cli(*command, "--out", "here").stdout)
    for precision in ("single", "mixed"):
        told = run_cli(*command, "--device", "torch-cpu", "--precision", precision, "--out", precision)
        there = json.loads(told.stdout)
        for one, other in zip(there["cells"], here["cells"], strict=True):
            for name in ("train_accuracy", "validation_accuracy"):
                assert one[name] == pytest.approx(other[name], abs=0.001)
        tested = [each["splits"]["test"]["accuracy"] for each in (there, here)]
        assert tested[0] == pytest.approx(tested[1], abs=0.001)
