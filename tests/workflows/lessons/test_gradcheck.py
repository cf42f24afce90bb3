"""`softmaxclf gradcheck` must pass on right gradients, and fail on each of five that are broken on purpose."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from softmaxclf.core import losses
from softmaxclf.core.checks.selfcheck import (
    direction_checks,
    elementwise_checks,
    make_subject,
    small_subject,
)
from softmaxclf.core.losses.hinge import hinge_margins
from softmaxclf.core.losses.softmax import with_bias
from softmaxclf.core.solvers.sgd.solver import SGD
from softmaxclf.datasets.cifar.reader import read_cifar
from softmaxclf.datasets.sources import open_source
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.workflows.lessons.gradcheck import drawn_rows, gradcheck, standardized
from softmaxclf.workflows.observer import Observer

LOSSES = pytest.mark.parametrize("loss", ["softmax", "hinge"])
ELEMENTS, DIRECTIONS, ENGINE = "element by element", "random directions", "one step of the engine"


def slightly_too_large(dW, W, rows, reg):
    return dW * 1.001


def without_the_mean(dW, W, rows, reg):
    return dW * rows


def regularized_bias(dW, W, rows, reg):
    dW[-1] += reg * W[-1]
    return dW


def wrong_sign(dW, W, rows, reg):
    return -dW


def without_regularization(dW, W, rows, reg):
    dW[:-1] -= reg * W[:-1]
    return dW


BROKEN = [slightly_too_large, without_the_mean, regularized_bias, wrong_sign, without_regularization]


def broken_objective(loss, breaking):
    """The objective of that loss, right in its value and wrong in its gradient."""
    right = with_bias(losses.LOSSES.load(loss).vectorized)

    def objective(W, X, y, reg, regularize_bias):
        value, dW = right(W, X, y, reg, regularize_bias)
        return value, breaking(dW, W, len(X), reg)

    return objective


def run(source, loss="softmax", objective=None, **choices):
    return gradcheck(Observer(), source=str(source), loss=loss, **choices, objective=objective)


def of_group(document, group):
    return [check for check in document["checks"] if check["group"].startswith(group)]


@LOSSES
def test_the_programs_own_gradients_pass(features_file, loss):
    document = run(features_file, loss)
    assert [check["name"] for check in document["checks"] if not check["passed"]] == []
    assert document["passed"]
    assert (document["rows"], document["features"], document["classes"]) == (200, 12, 3)
    for group in (ELEMENTS, DIRECTIONS):
        blocks = [check["name"] for check in of_group(document, group)]
        assert blocks == ["weights W", "bias b", "W with a column of ones"]


@pytest.mark.slow
@LOSSES
def test_images_are_checked_at_full_size_and_mirror_folded(sample_folder, loss):
    document = run(sample_folder, loss, rows=60)
    assert document["passed"]
    assert "3,072 features" in of_group(document, DIRECTIONS)[0]["group"]
    folded = "raw rows", "centered", "centered, bias trick", "standardized", "unit norm", "mirror-folded"
    assert tuple(check["name"] for check in of_group(document, ENGINE)) == folded


@LOSSES
@pytest.mark.parametrize("breaking", BROKEN)
def test_a_broken_gradient_fails_both_kinds_of_numeric_check(features_file, loss, breaking):
    document = run(features_file, loss, broken_objective(loss, breaking))
    assert not document["passed"]
    for group in (ELEMENTS, DIRECTIONS):
        failed = [check for check in of_group(document, group) if not check["passed"]]
        assert failed
        assert all(check["value"] > 1e-5 for check in failed), "far beyond the tolerance, not by rounding"
        assert all("analytic" in check["found"] and "numeric" in check["found"] for check in failed)


@pytest.mark.real
@pytest.mark.slow
@LOSSES
def test_real_images_pass_and_each_broken_gradient_fails_on_them(real_cifar, loss):
    assert run(real_cifar, loss, rows=50)["passed"]
    raw, y = drawn_rows(read_cifar(real_cifar), 50, seed=0)
    for breaking in BROKEN:
        objective = broken_objective(loss, breaking)
        subject = make_subject(standardized(raw), y, 10, loss=loss, seed=0, objective=objective)
        for checks in (direction_checks(subject), elementwise_checks(small_subject(subject))):
            assert not all(check.passed for check in checks), breaking


def test_a_regularized_bias_is_found_where_it_is(features_file):
    document = run(features_file, "softmax", broken_objective("softmax", regularized_bias))
    blocks = {check["name"]: check["passed"] for check in of_group(document, ELEMENTS)}
    assert blocks == {"weights W": True, "bias b": False, "W with a column of ones": False}


def test_a_broken_gradient_differs_from_the_naive_loops(features_file):
    document = run(features_file, "hinge", broken_objective("hinge", slightly_too_large))
    compared = {check["name"]: check for check in of_group(document, "naive")}
    assert compared["softmax loss and gradient"]["passed"]
    assert not compared["hinge loss and gradient"]["passed"]
    assert compared["hinge loss and gradient"]["value"] == pytest.approx(1e-3, rel=1e-6)


def test_a_gradient_without_the_mean_also_fails_common_sense(features_file):
    document = run(features_file, "softmax", broken_objective("softmax", without_the_mean))
    passed = {check["name"]: check["passed"] for check in of_group(document, "sanity")}
    assert passed["loss at W = 0"], "only the gradient is wrong"
    assert not passed["update-to-weight ratio of the first step"]


@LOSSES
def test_an_engine_that_steps_wrongly_is_caught(features_file, loss, monkeypatch):
    right = SGD.run

    def too_far(self, until, *others):
        before = self.state.V.copy()
        reached = right(self, until, *others)
        self.state.V[:] += 1e-4 * (self.state.V - before)
        return reached

    monkeypatch.setattr(SGD, "run", too_far)
    document = run(features_file, loss)
    steps = of_group(document, ENGINE)
    assert steps
    assert [check["passed"] for check in steps] == [False] * len(steps)
    assert all(check["passed"] for check in document["checks"] if check not in steps)


def test_hinge_kinks_are_left_out_named_and_counted(features_file, monkeypatch):
    def at_a_kink(features, y, K, **choices):
        """The usual subject, its bias moved so that in row 5 the margin of a wrong class is almost 0."""
        subject = make_subject(features, y, K, **choices)
        margins = hinge_margins(subject.X @ subject.W, y)
        W = subject.W.copy()
        W[-1, (y[5] + 1) % K] -= margins[5, (y[5] + 1) % K] + 1e-12
        return replace(subject, W=W)

    monkeypatch.setattr("softmaxclf.workflows.lessons.gradcheck.make_subject", at_a_kink)
    document = run(features_file, "hinge")
    weights, bias, _ = of_group(document, DIRECTIONS)
    row = {"row": 5, "class": ("b", "c", "a")[_label_of_row(features_file, 5)]}
    assert row in weights["kinks"]
    assert row in bias["kinks"]
    assert bias["found"] == "nothing could be checked: kinks at all 10"
    assert not bias["passed"]
    assert all(check["kinks"] == [] for check in run(features_file, "softmax")["checks"])


def _label_of_row(source, place):
    return drawn_rows(open_source(str(source), Path()), None, seed=0)[1][place]


def test_both_times_and_their_ratio_are_told(features_file):
    for told in run(features_file)["times"]:
        assert told["loss"] in ("softmax", "hinge")
        assert told["ratio"] == pytest.approx(told["naive_seconds"] / told["vectorized_seconds"])


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(features_file):
    first, same, other = (run(features_file, seed=seed)["checks"] for seed in (3, 3, 4))
    assert first == same
    assert first != other


def test_the_document_is_json(features_file):
    json.dumps(run(features_file, "hinge"), allow_nan=False)


@pytest.mark.parametrize("scale", [1e-9, 1, 1e9])
@LOSSES
def test_features_of_any_unit_pass(tmp_path, scale, loss):
    generator = np.random.default_rng(0)
    X = scale * generator.normal(size=(80, 6)) * 10.0 ** np.arange(-2, 4)
    np.savez(tmp_path / "unit.npz", X_train=X, y_train=np.arange(80) % 3)
    document = run(tmp_path / "unit.npz", loss)
    numeric = [*of_group(document, ELEMENTS), *of_group(document, DIRECTIONS), *of_group(document, "sanity")]
    assert len(numeric) == 10
    assert all(check["passed"] for check in numeric)


def test_standardized_features_have_mean_0_and_size_1():
    raw = np.random.default_rng(0).integers(0, 256, (50, 7)).astype(np.uint8)
    features = standardized(raw)
    assert features.mean(axis=0) == pytest.approx(np.zeros(7), abs=1e-12)
    assert features.std(axis=0) == pytest.approx(np.ones(7))
    assert not standardized(np.full((5, 3), 9, np.uint8)).any()


@pytest.mark.parametrize("rows", [-1, 0, 1, 401])
def test_rows_that_are_not_there_are_refused(features_file, rows):
    with pytest.raises(ConfigError, match=r"--rows: expected 2 to 400 of the 400 training rows, got"):
        run(features_file, rows=rows)


def test_data_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(DataError, match="gone"):
        run(tmp_path / "gone")
