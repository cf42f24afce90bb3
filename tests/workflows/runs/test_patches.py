"""Runs on patch features: trained, tuned, kept, continued, scored, explained."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from softmaxclf import fit, load_model
from softmaxclf.core.rows import RowReader
from softmaxclf.errors import ConfigError
from softmaxclf.workflows.runs.extraction import _Extraction

SETTINGS = ["--set", "features.kind=patches", "--set", "features.filters=16", "--set", "features.patch=4"]
PATCHES = 4000


pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture(autouse=True)
def few_patches(monkeypatch):
    monkeypatch.setattr("softmaxclf.core.stages.patches.dictionary.PATCHES", PATCHES)


def stripes(count, seed):
    """Images (count, 16, 16, 3) of stripes at four angles in any phase, which no template fits, and their labels."""
    generator = np.random.default_rng(seed)
    y = np.arange(count) % 4
    angle = y * np.pi / 4
    row, column = np.mgrid[:16, :16]
    phase = generator.uniform(0, 2 * np.pi, count)
    wave = np.cos(
        np.cos(angle)[:, None, None] * row * 1.3
        + np.sin(angle)[:, None, None] * column * 1.3
        + phase[:, None, None]
    )
    images = 128 + 60 * wave[..., None] + generator.normal(scale=30, size=(count, 16, 16, 3))
    return np.clip(images, 0, 255).astype(np.uint8), y


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    (X, y), (X_test, y_test) = stripes(240, 0), stripes(80, 1)
    path = tmp_path_factory.mktemp("images") / "stripes.npz"
    np.savez(path, X_train=X, y_train=y, X_test=X_test, y_test=y_test)
    return path


def arrays(path):
    with np.load(path) as file:
        return dict(file)


@pytest.fixture
def run(run_cli, images):
    """A command on the images; its JSON."""

    def call(command, *arguments, out="run", code=0):
        places = ["--data", images, "--out", out] if command in ("train", "tune") else []
        result = run_cli(
            command, *places, *arguments, *(["--json"] if command != "visualize-weights" else [])
        )
        assert result.exit_code == code, result.stderr
        return (
            json.loads(result.stdout) if code == 0 and command != "visualize-weights" else {}
        ), result.stderr

    return call


ONE = (*SETTINGS, "--regularization", "0.01", "--test")


def test_stripes_in_any_phase_are_told_apart_by_patches_and_not_by_pixels(run):
    by_pixels, _ = run("train", "--regularization", "0.01", "--test", out="pixels")
    by_patches, _ = run("train", *ONE)
    assert by_pixels["splits"]["test"]["accuracy"] < 0.6 < 0.95 < by_patches["splits"]["test"]["accuracy"]


def test_a_saved_model_takes_raw_images_and_gives_the_metrics_of_its_run(run, images):
    found, _ = run("train", *ONE)
    data = arrays(images)
    model = load_model("run")
    assert model.scores(data["X_test"]).argmax(axis=1).tolist() == model.predict(data["X_test"]).tolist()
    right = int((model.predict(data["X_test"]) == data["y_test"]).sum())
    assert right == found["splits"]["test"]["correct"]
    for split in ("test", "validation"):
        again, _ = run("evaluate", "run", "--split", split)
        assert [again[key] for key in ("correct", "loss")] == [
            found["splits"][split][key] for key in ("correct", "loss")
        ]
    assert "rounded to a byte" in found["splits"]["train"]["note"]
    trained, _ = run("evaluate", "run", "--split", "train")
    assert abs(trained["loss"] - found["splits"]["train"]["loss"]) < 1e-3


def test_the_model_is_what_training_on_the_features_themselves_gives(run, images):
    run("train", *ONE, "--set", "preprocessing.mirror=true", "--set", "data.validation=0")
    model = load_model("run")
    stage = model.preprocessing.reading[0]
    assert stage.fold and len(model.W) == stage.columns == 2 * 4 * 8 * 2
    data = arrays(images)
    X = data["X_train"].transpose(0, 3, 1, 2).reshape(240, -1)
    features = RowReader(X, (stage,)).all()
    own = fit(features, data["y_train"], regularization=0.01)
    test = data["X_test"].transpose(0, 3, 1, 2).reshape(80, -1)
    ours = model.scores(test)
    theirs = own.scores(RowReader(test, (stage,)).all())
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.9995  # but for the rounding to bytes


def test_features_are_kept_and_found_again_by_other_settings_of_the_same_rows(run):
    _, first = run("train", *ONE)
    assert "the features are kept in data/cache/features-" in first
    _, again = run("train", *SETTINGS, "--regularization", "0.1", out="other")
    assert "the features are kept" not in again
    assert len(list(Path("data/cache").iterdir())) == 1
    _, seeded = run("train", *ONE, "--set", "features.seed=1", out="third")
    assert "the features are kept" in seeded
    assert len(list(Path("data/cache").iterdir())) == 2


def test_kept_features_give_the_bytes_of_those_made_anew_in_memory_and_of_those_in_a_file(run):
    run("train", *ONE)
    for name, setting in (("memory", "data.cache=false"), ("mapped", "features.memory=1")):
        run("train", *ONE, "--set", setting, out=name)
        assert Path(name, "weights.npz").stat().st_size > 0
        first, second = load_model("run"), load_model(name)
        assert first.W.tobytes() == second.W.tobytes() and first.digest == second.digest


def test_without_a_place_to_keep_them_features_stay_in_memory(run):
    Path("data").write_text("a file where the folder should be")
    _, told = run("train", *ONE)
    assert "here they are kept in memory" in told
    _, refused = run("train", *ONE, "--set", "features.memory=1000", out="other", code=2)
    assert "features.memory: expected features of at most 1,000 bytes" in refused


def test_a_second_process_at_the_same_features_does_not_wait(run):
    run("train", *ONE)
    import fcntl

    folder = next(Path("data/cache").iterdir())
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _, told = run("train", *ONE, out="other")
    assert "another softmaxclf process makes these features; here they are kept in memory" in told


def test_damaged_features_are_made_again(run):
    run("train", *ONE)
    folder = next(Path("data/cache").iterdir())
    for name in ("stage.npz", "train.rows"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:100] + b"damage" + content[106:])
        run("train", *ONE, out=name)
        assert load_model("run").W.tobytes() == load_model(name).W.tobytes()


def test_a_grid_is_tuned_with_folds_and_refitted_on_all_rows(run):
    found, _ = run("tune", *SETTINGS, "--regularizations", "0.001,0.1", "--folds", "3")
    assert found["best"]["refit"] and found["splits"]["test"]["accuracy"] > 0.95
    assert found["splits"]["train"]["rows"] == 240 == found["splits"]["validation"]["rows"]
    found, _ = run(
        "tune", *SETTINGS, "--regularizations", "0.001,0.1", "--set", "tuning.refit=true", out="refit"
    )
    assert found["best"]["refit"] and found["splits"]["train"]["rows"] == 240
    again, _ = run("evaluate", "refit")
    assert again["correct"] == found["splits"]["test"]["correct"]


def test_descent_and_automatic_settings_work_on_features(run):
    rate = ("--learning-rate", "0.01", "--iterations", "200", "--regularization", "0.01")
    found, _ = run("train", *SETTINGS, *rate, "--test")
    assert found["splits"]["test"]["accuracy"] > 0.95
    found, _ = run("tune", *SETTINGS, out="auto")
    assert found["splits"]["test"]["accuracy"] > 0.95 and len(found["cells"]) == 25


@pytest.mark.parametrize("preprocessing", ["scale=none", "scale=unit-norm", "center=false"])
def test_each_preprocessing_is_fitted_on_features_and_travels_to_images(run, preprocessing):
    found, _ = run("train", *ONE, "--set", f"preprocessing.{preprocessing}")
    again, _ = run("evaluate", "run")
    assert again["correct"] == found["splits"]["test"]["correct"] > 40


def test_the_evidence_of_an_image_adds_up_to_its_score(run, images):
    run("train", *ONE)
    model = load_model("run")
    x = arrays(images)["X_test"][:1].transpose(0, 3, 1, 2).reshape(1, -1)
    contributions, bias = model.evidence(x[0])
    assert contributions.shape == (768, 4)
    np.testing.assert_allclose(contributions.sum(axis=0) + bias, model.scores(x)[0], rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_filters_are_drawn_with_and_without_the_data_and_templates_are_refused(with_pictures, run, images):
    run("train", *ONE)
    assert Path("run/templates.png").read_bytes().startswith(b"\x89PNG")
    _, told = run("visualize-weights", "run", "--out", "filters.png")
    assert "without patches" not in told and Path("filters.png").exists()
    _, told = run(
        "visualize-weights", "run/weights.npz", "--classes", "1,3", "--csv", "weights.csv", "--out", "two.png"
    )
    assert Path("weights.csv").read_text().splitlines()[1].startswith("1/1 filter 0+ row 0 column 0,")
    for option in (["--view", "signed"], ["--columns", "2"], ["--examples"]):
        _, told = run("visualize-weights", "run", *option, code=2)
        assert f"{option[0]}: expected a model of pixels" in told


def test_filters_are_drawn_without_patches_where_the_data_are_gone(run, images):
    run("train", *ONE, out="moved")
    Path("gone.npz").write_bytes(Path("moved/weights.npz").read_bytes())
    images_away = images.with_suffix(".away")
    images.rename(images_away)
    try:
        _, told = run("visualize-weights", "gone.npz", "--out", "filters.png")
    finally:
        images_away.rename(images)
    assert "the filters are drawn without patches that excite them" in told


@pytest.mark.slow
def test_evaluation_compares_reports_and_calibrates(with_pictures, run):
    run("train", *ONE)
    X, y = stripes(40, 2)
    np.savez("wrong.npz", X_train=X, y_train=y, X_test=X, y_test=np.roll(y, 1))
    run("evaluate", "run", "--data", "wrong.npz", "--out", "evaluation")
    assert {"mistakes.png", "confusion.png"} <= {each.name for each in Path("evaluation").iterdir()}
    page = Path("run/report.html").read_text()
    assert ">Filters<" in page
    run("train", "--regularization", "0.01", "--test", out="pixels")
    found, _ = run("compare", "run", "pixels")
    assert len(found["models"]) == 2


def test_a_dry_run_tells_the_features_and_leaves_no_trace(run):
    found, _ = run("tune", *SETTINGS, "--dry-run")
    assert found["features"] == 2 * 4 * 16 * 2 and found["features_bytes"] == 240 * 256
    assert found["features_seconds"] > 0
    assert not Path("data").exists() and not Path("run").exists()


def test_max_time_that_ends_within_the_features_says_so_and_the_next_goes_on(run, monkeypatch):
    from softmaxclf.datasets import stored_rows

    monkeypatch.setattr(stored_rows, "BLOCK_BYTES", 1)
    monkeypatch.setattr(stored_rows, "SAVED_SECONDS", 0.0)
    _, told = run("train", *ONE, "--max-time", "0.001", code=2)
    assert re.search(r"--max-time: expected time for the features of 240 images", told)
    run("train", *ONE)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (("features.patch=20",), "features.patch: expected images of at least 40 pixels on either side"),
        (("features.filters=7",), "features.filters: expected one even number"),
        (("features.scales=[1, 8]",), "features.patch: expected images of at least 32 pixels"),
        (("features.kind=patch",), "did you mean patches?"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_anything_is_made(run, settings, told):
    arguments = [part for each in settings for part in ("--set", each)]
    _, found = run("train", *ONE, *arguments, code=2)
    assert told in found and not Path("data").exists() and not Path("run").exists()


def test_rows_that_are_no_images_are_refused(run_cli, features_file):
    result = run_cli("train", "--data", features_file, *SETTINGS)
    assert result.exit_code == 2
    assert "features.kind: expected rows that are images" in result.stderr


def test_grey_images_of_another_shape_work(run_cli, tmp_path):
    X, y = stripes(120, 0)
    np.savez(tmp_path / "grey.npz", X_train=X[:, :13, :, 0], y_train=y, X_test=X[:, :13, :, 1], y_test=y)
    result = run_cli(
        "train", "--data", "grey.npz", *ONE, "--set", "features.scales=1", "--out", "grey", "--json"
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["splits"]["test"]["accuracy"] > 0.9


def test_fit_takes_the_settings_of_features(images):
    data = arrays(images)
    model = fit(
        data["X_train"],
        data["y_train"],
        features={"kind": "patches", "filters": 16, "patch": 4},
        regularization=0.01,
    )
    assert (model.predict(data["X_test"]) == data["y_test"]).mean() > 0.95
    with pytest.raises(ConfigError, match="expected settings out of kind, filters"):
        fit(data["X_train"], data["y_train"], features={"sort": "patches"})


DRIVER = f"""
import sys
from softmaxclf.core.stages.patches import dictionary
from softmaxclf.datasets import stored_rows
dictionary.PATCHES = {PATCHES}
stored_rows.BLOCK_BYTES, stored_rows.SAVED_SECONDS = 1, 0.0
if sys.argv[-1].isdigit():
    append, limit = stored_rows._append, int(sys.argv.pop())
    def killed(place, shape, done, check, fill, progress):
        def deadly(done, total):
            import os, signal
            if done >= limit:
                os.kill(os.getpid(), signal.SIGKILL)
        append(place, shape, done, check, fill, deadly)
    stored_rows._append = killed
from softmaxclf.__main__ import main
main()
"""


@pytest.mark.parametrize("limits", [[80], pytest.param(range(16, 240, 16), marks=pytest.mark.slow)], ids=len)
@pytest.mark.slow
def test_an_extraction_killed_at_any_block_continues_to_the_same_bytes(limits, images, tmp_path):
    def train(out, *more):
        arguments = ["train", "--data", str(images), *ONE[:-1], "--out", out, "--no-progress"]
        command = [sys.executable, "-c", DRIVER, *arguments, *more]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    for limit in limits:
        assert train("killed", str(limit)).returncode == -signal.SIGKILL
    done = json.loads(next((tmp_path / "data" / "cache").glob("*/train.json")).read_text())["rows"]
    assert limits[-1] - 16 <= done <= limits[-1]
    assert train("killed").returncode == 0
    assert train("whole", "--set", "data.cache=false").returncode == 0
    first, second = (load_model(tmp_path / name) for name in ("killed", "whole"))
    assert first.W.tobytes() == second.W.tobytes() and first.b.tobytes() == second.b.tobytes()


def test_each_repeat_learns_filters_from_the_rows_that_it_trains_on(run):
    grid = (*SETTINGS, "--regularizations", "0.01", "--set", "data.validation=60")
    found, _ = run("tune", *grid, "--repeats", "2")
    alone = [
        run("tune", *grid, "--set", f"data.seed={seed}", out=f"alone{seed}")[0]["splits"] for seed in range(2)
    ]
    for split in ("validation", "test"):
        told = found["repeats"][split]["accuracies"]
        # Validation rows of repeats are scored by the features as they are kept, rounded to a byte.
        assert told == pytest.approx([each[split]["accuracy"] for each in alone], abs=0.02)
    assert found["repeats"]["test"]["accuracies"] == [each["test"]["accuracy"] for each in alone]


def test_time_that_runs_out_with_the_features_of_a_repeat_leaves_the_repeats_before(run, monkeypatch):
    grid = (*SETTINGS, "--regularizations", "0.01", "--set", "data.validation=60", "--repeats", "2")
    fill = _Extraction._fill

    def late(extraction, *arguments):
        if extraction.config.data.seed == 1:
            extraction.control.max_time = 1e-9
        fill(extraction, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_Extraction, "_fill", late)
        found, said = run("tune", *grid, "--max-time", "1e6")
    assert found["repeats"]["count"] == 1 and "--max-time ended the run in repeat 2 of 2" in said
    assert run("tune", *grid)[0]["repeats"]["count"] == 2
