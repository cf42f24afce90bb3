"""`softmaxclf gradcheck` as people type it."""

import json
from dataclasses import replace

import pytest

from softmaxclf.core.losses import softmax

GROUPS = ["element by element", "random directions", "one step of the engine", "naive loops", "sanity"]


def test_the_table_says_what_was_expected_and_found(run_cli, features_file):
    result = run_cli("gradcheck", "--data", features_file)
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0].startswith(
        "softmax on 200 rows of features: 12 standardized features, 3 classes, regular"
    )
    assert lines[2] == "check expected result found"
    assert [line[3:].startswith(group) for line, group in zip(filter(_is_group, lines), GROUPS, strict=True)]
    assert "loss at W = 0 log 3 = 1.09861 ok 1.09861" in lines
    assert "time of loss and gradient naive loops vectorized times as fast" in lines
    assert lines[-1] == "All 17 checks passed."
    assert "FAILED" not in result.stdout


def _is_group(line):
    return line.startswith("-- ")


def test_the_hinge_has_its_kinks_named(run_cli, features_file):
    result = run_cli("gradcheck", "--data", features_file, "--loss", "hinge", "--rows", 50, "--seed", 3)
    assert result.exit_code == 0
    assert result.stdout.startswith("hinge on 50 rows of features")
    assert "Kinks: none; no margin s_j - s_y + 1 changes its sign" in result.stdout
    assert " 3 - 1 = 2 " in result.stdout


def test_a_failed_check_exits_1_with_the_table(run_cli, features_file, monkeypatch):
    right = softmax.SOFTMAX

    def slightly_wrong(W, X, y, reg):
        loss, dW = right.vectorized(W, X, y, reg)
        return loss, dW * 1.001

    monkeypatch.setattr(softmax, "SOFTMAX", replace(right, vectorized=slightly_wrong))
    result = run_cli("gradcheck", "--data", features_file)
    assert result.exit_code == 1
    assert result.stderr == ""
    assert "FAILED: 7 of 17 checks: weights W (element by element" in result.stdout
    assert "; analytic " in result.stdout
    as_json = run_cli("gradcheck", "--data", features_file, "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["passed"] is False
    assert run_cli("gradcheck", "--data", features_file, "--loss", "hinge").exit_code == 1  # it compares both


def test_json_holds_every_check_and_both_times(run_cli, features_file):
    result = run_cli("gradcheck", "--data", features_file, "--loss", "hinge", "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["passed"], document["loss"]) == (0, True, "hinge")
    assert {"group", "name", "expected", "found", "value", "passed", "kinks"} == set(document["checks"][0])
    assert [told["loss"] for told in document["times"]] == ["softmax", "hinge"]


def test_kinks_are_shown_by_row_and_class(run_cli, features_file, monkeypatch):
    from softmaxclf.workflows.lessons import gradcheck

    right = gradcheck._facts
    met = [{"row": 5, "class": "b"}, {"row": 2, "class": "c"}]
    monkeypatch.setattr(gradcheck, "_facts", lambda check, names: {**right(check, names), "kinks": met})
    text = run_cli("gradcheck", "--data", features_file, "--loss", "hinge").stdout
    assert "within a step: row 2 at class c, row 5 at class b" in text
    assert "Kinks: 2, where" in text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("--rows 1", 2, "Error: --rows: expected 2 to 400 of the 400 training rows, got 1"),
        ("--rows 401", 2, "Error: --rows: expected 2 to 400 of the 400 training rows, got 401"),
        ("--loss huber", 2, "'huber' is not one of 'softmax', 'hinge'"),
        ("--seed -1", 2, "Error: --seed: expected a whole number from 0 to 4,294,967,295, got -1"),
        ("--data gone.npz", 3, "Error: gone.npz: expected a source, found no such file"),
    ],
)
def test_wrong_arguments_are_refused(run_cli, features_file, arguments, code, message):
    result = run_cli("gradcheck", "--data", features_file, *arguments.split())
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
