"""Images as PNG files in class folders train to what the same images train to as batches, bit for bit."""

import importlib.machinery
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from softmaxclf import load_model
from softmaxclf.datasets.cifar.writer import write_cifar_folder
from softmaxclf.datasets.dataset import Split
from softmaxclf.datasets.images import find_images, read_image
from softmaxclf.datasets.sources import open_source
from softmaxclf.runs import read_manifest

pytestmark = pytest.mark.usefixtures("no_pictures")
SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "cifar-as-png"
SGD = ("train", "--learning-rate", "1e-3", "--iterations", "60", "--regularization", "0.1", "--test")
OPTIMUM = ("tune", "--regularizations", "1,10,100")


def write_pngs(*arguments: object) -> None:
    loader = importlib.machinery.SourceFileLoader("cifar_as_png", str(SCRIPT))
    spec = importlib.util.spec_from_loader("cifar_as_png", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    module.main([str(each) for each in arguments])


def by_class(split: Split, count: int) -> Split:
    """The first rows, class by class, as the names of the folders and files sort them."""
    order = np.argsort(split.y[:count], kind="stable")
    return Split(split.X[:count][order], split.y[:count][order])


def written(folder, source, count=400):
    """The first rows of a data set as PNG files in class folders, and as batches in their order."""
    write_pngs(folder / "pngs", "--data", source, "--first", count)
    dataset = open_source(str(source), folder)
    parts = [by_class(split, count) for split in (dataset.train, dataset.test())]
    write_cifar_folder(folder / "batches", *parts, dataset.class_names)
    return folder / "pngs", folder / "batches"


@pytest.fixture
def folders(tmp_path, sample_folder):
    return written(tmp_path, sample_folder)


@pytest.mark.parametrize(
    ("source", "command", "cache"),
    [
        ("sample_folder", SGD, "true"),
        pytest.param("sample_folder", OPTIMUM, "false", marks=pytest.mark.slow),
        pytest.param("real_cifar", SGD, "false", marks=[pytest.mark.real, pytest.mark.slow]),
        pytest.param("real_cifar", OPTIMUM, "true", marks=[pytest.mark.real, pytest.mark.slow]),
    ],
)
@pytest.mark.slow
def test_pngs_in_class_folders_train_to_the_same_weights_as_the_batches(
    source, command, cache, run_cli, tmp_path, request
):
    pngs, batches = written(tmp_path, request.getfixturevalue(source))
    for place, out in ((pngs, "a"), (batches, "b")):
        result = run_cli(*command, "--data", place, "--out", out, "--set", f"data.cache={cache}")
        assert result.exit_code == 0, result.stderr
    first, second = load_model("a"), load_model("b")
    np.testing.assert_array_equal(first.W, second.W)
    np.testing.assert_array_equal(first.b, second.b)
    assert first.class_names == second.class_names
    fingerprints = [read_manifest(Path(out))["data"]["fingerprint"] for out in "ab"]
    assert fingerprints[0] == fingerprints[1]
    assert splits_of("a") == splits_of("b")
    assert Path("data").exists() == (cache == "true")


def splits_of(run):
    return json.loads((Path(run) / "metrics.json").read_text())["splits"]


def test_predict_gives_a_training_image_the_row_that_was_trained_on(folders, run_cli):
    run_cli(
        *SGD,
        "--data",
        folders[0],
        "--out",
        "run",
        "--set",
        "data.image_size=[16, 24]",
        "--set",
        "data.color=grey",
    )
    model, dataset = (
        load_model("run"),
        open_source(str(folders[0]), Path("data"), image_size=(16, 24), color="grey"),
    )
    files = find_images([folders[0] / "train" / name for name in dataset.class_names])
    rows = np.stack([read_image(file, model.image_shape) for file in files])
    np.testing.assert_array_equal(rows, dataset.train.X)


def test_evaluate_reads_another_folder_in_the_models_size_and_colours(folders, run_cli, tmp_path):
    run_cli(
        *SGD, "--data", folders[0], "--out", "run", "--set", "data.image_size=8", "--set", "data.color=grey"
    )
    (folders[0]).rename(tmp_path / "moved")
    result = run_cli("evaluate", "run", "--data", tmp_path / "moved", "--split", "train")
    assert result.exit_code == 0, result.stderr
    assert "Warning" not in result.stderr


def test_a_bad_image_ends_the_command_before_anything_is_trained(folders, run_cli):
    bad = next((folders[0] / "train" / "frog").iterdir())
    bad.write_bytes(b"")
    result = run_cli(*SGD, "--data", folders[0], "--out", "run")
    assert result.exit_code == 3 and f"1 of 400 that cannot be read: train/frog/{bad.name}" in result.stderr
    assert not Path("run").exists() and not Path("data").exists()
    result = run_cli(*SGD, "--data", folders[0], "--out", "run", "--set", "data.skip_unreadable=true")
    assert (
        result.exit_code == 0
        and "Warning: " in result.stderr
        and "left out of the images: 1 of 400" in result.stderr
    )


def test_the_last_rows_of_a_folder_are_of_one_class_which_is_said(folders, run_cli):
    rows = ("--set", "data.validation_rows=last", "--set", "data.validation=20")
    result = run_cli(*SGD, "--data", folders[0], "--out", "run", *rows)
    assert "all 20 validation rows are of class truck; use data.validation_rows: drawn" in result.stderr
