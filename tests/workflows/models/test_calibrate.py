"""Temperature scaling of a saved model: a better log-loss, the same labels, the original untouched."""

import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from softmaxclf.cli.main import cli
from softmaxclf.core.losses.softmax import cross_entropy
from softmaxclf.datasets.sources import open_source
from softmaxclf.errors import ConfigError
from softmaxclf.model_file import load_model
from softmaxclf.workflows.models.calibrate import assess, calibrate, calibrated_path
from softmaxclf.workflows.models.evaluate import evaluate
from softmaxclf.workflows.models.model_rows import open_rows
from softmaxclf.workflows.observer import Observer

COMMON = ["--iterations", "30", "--learning-rate", "0.5", "--regularization", "0.001"]


def train(folder: Path, *arguments: object) -> Path:
    result = CliRunner().invoke(
        cli, [str(each) for each in (*arguments, "--out", folder)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def run(undrawn: None, features_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrate") / "run"
    return train(folder, "train", "--data", features_file, *COMMON, "--set", "data.validation=100")


def test_the_temperature_is_that_of_least_validation_log_loss_by_independent_search(run: Path) -> None:
    model = load_model(run)
    source = open_rows(model, None, Observer())
    rows = source.rows("validation")
    scores = model.scores(rows.X[rows.places]).astype(np.float64)

    def loss(log_temperature: float) -> float:
        return float(np.mean(cross_entropy(scores / math.exp(log_temperature), rows.labels)))

    low, high = -4.0, 4.0  # golden section search
    ratio = (math.sqrt(5) - 1) / 2
    while high - low > 1e-8:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    calibrated, facts = calibrate(run / "weights.npz", source, run / "found.npz")
    assert facts["temperature"] == pytest.approx(math.exp((low + high) / 2), rel=1e-3)
    assert facts["rows"] == 100
    assert assess(calibrated, rows).figures["log_loss"] == pytest.approx(
        loss(math.log(calibrated.temperature)), rel=1e-12
    )
    assert assess(calibrated, rows).figures["log_loss"] <= assess(model, rows).figures["log_loss"]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_labels_stay_and_the_original_keeps_its_bytes(
    run: Path, features_file: Path, tmp_path: Path, split: str
) -> None:
    before = (run / "weights.npz").read_bytes()
    target = tmp_path / "calibrated.npz"
    plain = evaluate(run, Observer(), split=split)
    found = evaluate(run, Observer(), split=split, calibrated=True, calibrated_out=target)
    assert (run / "weights.npz").read_bytes() == before
    splits = found["calibration"]["splits"]
    assert list(splits) == list(dict.fromkeys(["validation", split]))
    assert splits["validation"]["after"]["log_loss"] <= splits["validation"]["before"]["log_loss"]
    assert splits[split]["before"]["log_loss"] == plain["log_loss"] == found["log_loss"]
    again = evaluate(target, Observer(), split=split)
    assert again["confusion"] == plain["confusion"] and again["loss"] == plain["loss"]
    assert again["log_loss"] == splits[split]["after"]["log_loss"]
    assert f"temperature {found['calibration']['temperature']:.4g}, fitted on 100" in again["probabilities"]
    X = open_source(str(features_file), Path("data")).test().X
    one, other = load_model(run), load_model(target)
    assert np.array_equal(one.predict(X), other.predict(X))
    assert not np.allclose(one.predict_proba(X), other.predict_proba(X))


def test_calibrating_again_replaces_the_copy_with_the_same_bytes(run: Path) -> None:
    evaluate(run, Observer(), calibrated=True)
    first = (run / "weights-calibrated.npz").read_bytes()
    evaluate(run, Observer(), calibrated=True)
    assert (run / "weights-calibrated.npz").read_bytes() == first


def test_neither_the_original_nor_another_file_is_ever_replaced(run: Path, tmp_path: Path) -> None:
    original, model = run / "weights.npz", load_model(run)
    copy, link, text = tmp_path / "copy.npz", tmp_path / "link.npz", tmp_path / "text.npz"
    copy.write_bytes(original.read_bytes())
    link.symlink_to(original)
    text.write_text("notes")
    for target, message in (
        (original, "is the model itself"),
        (link, "is the model itself"),
        (copy, "holds something else"),
        (text, "holds something else"),
        (tmp_path / "model.txt", "ending in .npz"),
    ):
        with pytest.raises(ConfigError, match=message):
            calibrated_path(original, target, model)


def test_without_rows_that_the_model_did_not_see_there_is_no_calibration(
    features_file: Path, tmp_path: Path
) -> None:
    none = train(tmp_path / "none", "train", "--data", features_file, *COMMON, "--set", "data.validation=0")
    with pytest.raises(ConfigError, match="but there are none"):
        evaluate(none, Observer(), calibrated=True)
    refit = train(tmp_path / "refit", "tune", "--data", features_file, "--iterations", 5, "--folds", 2,
                  "--learning-rates", 0.1, "--regularizations", 0.01)  # fmt: skip
    with pytest.raises(ConfigError, match="it was refitted on all training rows"):
        evaluate(refit, Observer(), calibrated=True)
    assert not list(tmp_path.glob("*/weights-calibrated.npz"))
