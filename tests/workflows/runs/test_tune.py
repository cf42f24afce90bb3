"""`softmaxclf tune` from the command line: the table, the winner, the folds, the warnings."""

import csv
import json
import math
import re

import numpy as np
import pytest

from softmaxclf import load_model
from softmaxclf.config import load_config
from softmaxclf.core.solvers.sgd.solver import SGD
from softmaxclf.core.splits import epoch_permutation, stratified_folds, validation_split
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.datasets.sources import open_source
from softmaxclf.workflows.runs import plan, training

pytestmark = pytest.mark.usefixtures("no_pictures")
SMALL = tuple(
    word
    for each in (
        "data.validation=100",
        "training.momentum=0",
        "training.schedule=constant",
        "preprocessing.scale=none",
    )
    for word in ("--set", each)
)
GRID = ("--learning-rates", "0.01,0.03,0.1", "--regularizations", "0.01,1", "--iterations", "60", *SMALL)
RESULT_COLUMNS = [
    "learning_rate", "regularization", "train_accuracy", "validation_accuracy", "validation_loss", "status",
    "train_loss", "weight_norm", "error", "loss_error", "validation_accuracy_sd", "validation_loss_sd",
    "tied",
]  # fmt: skip


def read_npz(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def read_results(folder):
    """results.csv as dictionaries of numbers (None for an empty field) and the status."""
    with (folder / "results.csv").open() as file:
        lines = list(csv.DictReader(file))
    return [
        {
            name: text
            if name == "status"
            else text == "True"
            if name == "tied"
            else float(text)
            if text
            else None
            for name, text in line.items()
        }
        for line in lines
    ]


def read_metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def tune(run_cli, data, out, *more, grid=GRID):
    result = run_cli("tune", "--data", data, *grid, "--out", out, *more)
    assert result.exit_code == 0, result.stderr
    return result


def forbid(monkeypatch, owner, name, what):
    def fail(*arguments, **choices):
        pytest.fail(what)

    monkeypatch.setattr(owner, name, fail)


# What a run leaves


def test_a_run_folder_holds_what_the_design_names(run_cli, features_file, tmp_path, with_pictures):
    result = tune(run_cli, features_file, tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    expected = {"config.yaml", "manifest.json", "weights.npz", "metrics.json", "history.csv", "results.csv"}
    assert expected | {"templates.png", "curves.png", "confusion.png", "grid.png"} <= names
    assert not [name for name in names if "checkpoint" in name or name.endswith((".tmp", ".lock"))]
    assert (tmp_path / "run" / "grid.png").read_bytes().startswith(b"\x89PNG")
    assert result.stdout.rstrip().splitlines()[-1].startswith("Next: softmaxclf ")


def test_results_are_one_line_per_cell_in_the_order_of_the_grid(run_cli, features_file, tmp_path):
    tune(run_cli, features_file, tmp_path / "run", "--regularizations", "1,0.01")
    with (tmp_path / "run" / "results.csv").open() as file:
        assert next(csv.reader(file)) == RESULT_COLUMNS
    results = read_results(tmp_path / "run")
    pairs = [(line["learning_rate"], line["regularization"]) for line in results]
    assert pairs == [(rate, strength) for rate in (0.01, 0.03, 0.1) for strength in (0.01, 1)]
    assert all(line["status"] == "ok" for line in results)


def test_json_is_one_document_that_equals_metrics_json_and_the_table(run_cli, features_file, tmp_path):
    document = json.loads(tune(run_cli, features_file, tmp_path / "run", "--json").stdout)
    assert document == read_metrics(tmp_path / "run")
    assert {"run", "weights", "splits", "seconds", "best", "cells"} <= set(document)
    assert set(document["splits"]) == {"train", "validation", "test"}
    assert set(document["best"]) >= {"learning_rate", "regularization"}
    cells = [{name: cell[name] for name in RESULT_COLUMNS} for cell in document["cells"]]
    assert cells == read_results(tmp_path / "run")


def test_the_winner_on_disk_is_exactly_the_model_that_was_scored(run_cli, features_file, tmp_path):
    tune(run_cli, features_file, tmp_path / "run")
    results, metrics = read_results(tmp_path / "run"), read_metrics(tmp_path / "run")
    model, data = load_model(tmp_path / "run"), read_npz(features_file)
    trained, held_out = validation_split(data["y_train"], 100, "drawn", 0)
    best = metrics["best"]
    (line,) = [each for each in results if all(each[name] == best[name] for name in list(best)[:2])]
    assert line["validation_accuracy"] == max(each["validation_accuracy"] for each in results)
    for split, name, rows in (
        ("train", "train_accuracy", trained),
        ("validation", "validation_accuracy", held_out),
    ):
        hits = np.count_nonzero(model.predict(data["X_train"][rows]) == data["y_train"][rows])
        assert metrics["splits"][split]["correct"] == hits
        assert metrics["splits"][split]["accuracy"] == line[name] == hits / len(rows)
    assert metrics["splits"]["validation"]["loss"] == line["validation_loss"]
    tested = np.count_nonzero(model.predict(data["X_test"]) == data["y_test"])
    assert metrics["splits"]["test"]["correct"] == tested


def test_each_cell_is_the_one_that_train_makes_of_its_settings(run_cli, features_file, tmp_path):
    tune(run_cli, features_file, tmp_path / "grid")
    best = read_metrics(tmp_path / "grid")["best"]
    for place, line in enumerate(read_results(tmp_path / "grid")):
        rate, strength, out = line["learning_rate"], line["regularization"], tmp_path / f"alone{place}"
        chosen = ["--learning-rate", rate, "--regularization", strength, "--iterations", 60, *SMALL]
        assert run_cli("train", "--data", features_file, *chosen, "--out", out).exit_code == 0
        splits = read_metrics(out)["splits"]
        assert splits["validation"]["accuracy"] == pytest.approx(line["validation_accuracy"], abs=0.003)
        assert splits["train"]["accuracy"] == pytest.approx(line["train_accuracy"], abs=0.003)
        if (rate, strength) == (best["learning_rate"], best["regularization"]):
            W = load_model(tmp_path / "grid").W
            assert np.abs(load_model(out).W - W).max() <= 1e-4 * np.abs(W).max()


def test_the_test_split_is_read_once_and_after_the_winner_is_chosen(
    run_cli, features_file, tmp_path, monkeypatch
):
    read, trained = [], []
    read_test, run_solver = Dataset.test, SGD.run

    def counted(dataset):
        assert trained, "the test split was read before training ended"
        read.append(dataset)
        return read_test(dataset)

    def noted(solver, *arguments):
        assert not read, "something was trained after the test split was read"
        trained.append(solver)
        return run_solver(solver, *arguments)

    monkeypatch.setattr(Dataset, "test", counted)
    monkeypatch.setattr(SGD, "run", noted)
    tune(run_cli, features_file, tmp_path / "run", "--folds", "2")
    assert len(read) == 1 and len(trained) == 2


def test_another_order_of_the_test_rows_does_not_change_the_choice(run_cli, features_file, tmp_path):
    data = read_npz(features_file)
    data["y_test"] = np.roll(data["y_test"], 1)
    np.savez(tmp_path / "other.npz", **data)
    for name, source in (("one", features_file), ("other", tmp_path / "other.npz")):
        tune(run_cli, source, tmp_path / name)
    results = [(tmp_path / name / "results.csv").read_bytes() for name in ("one", "other")]
    assert results[0] == results[1]
    assert read_metrics(tmp_path / "one")["best"] == read_metrics(tmp_path / "other")["best"]


# Cross-validation


def fold_by_fold(X, y, rate, strength, folds, iterations, batch_size=200):
    """(share right per held-out fold) of a plain loop that trains one model per fold on the other folds' rows."""
    fold_of_row, shares = stratified_folds(y, folds, 0), []
    for fold in range(folds):
        kept, own = fold_of_row != fold, fold_of_row == fold
        features = X.astype(np.float64) - X[kept].astype(np.float64).mean(axis=0)
        W, b = np.zeros((X.shape[1], 3)), np.zeros(3)
        per_epoch = -(-len(y) // batch_size)
        for iteration in range(iterations):
            epoch, place = divmod(iteration, per_epoch)
            rows = epoch_permutation(len(y), 0, epoch)[place * batch_size : (place + 1) * batch_size]
            rows = rows[kept[rows]]
            scores = features[rows] @ W + b
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            errors = powers / powers.sum(axis=1, keepdims=True)
            errors[np.arange(len(rows)), y[rows]] -= 1
            W -= rate * (features[rows].T @ errors / len(rows) + strength * W)
            b -= rate * errors.mean(axis=0)
        shares.append(np.count_nonzero((features[own] @ W + b).argmax(axis=1) == y[own]) / own.sum())
    return shares


def test_cross_validation_counts_what_separate_training_of_each_fold_counts(run_cli, features_file, tmp_path):
    tune(run_cli, features_file, tmp_path / "run", "--folds", "3")
    data = read_npz(features_file)
    for line in read_results(tmp_path / "run"):
        shares = fold_by_fold(
            data["X_train"], data["y_train"], line["learning_rate"], line["regularization"], 3, 60
        )
        assert line["validation_accuracy"] == pytest.approx(np.mean(shares), abs=1e-12)


def test_after_cross_validation_the_winner_is_trained_again_on_all_rows_and_says_so(
    run_cli, features_file, tmp_path
):
    result = tune(run_cli, features_file, tmp_path / "run", "--folds", "3")
    metrics = read_metrics(tmp_path / "run")
    assert metrics["best"]["refit"] is True and "trained again on all rows" in result.stdout
    splits = metrics["splits"]
    assert splits["train"]["rows"] == splits["validation"]["rows"] == 400
    assert "did not see" in splits["validation"]["note"]
    model, data = load_model(tmp_path / "run"), read_npz(features_file)
    assert model.provenance["refit"] is True
    hits = np.count_nonzero(model.predict(data["X_train"]) == data["y_train"])
    assert splits["train"]["correct"] == hits
    best = [f"{metrics['best'][name]}" for name in ("learning_rate", "regularization")]
    chosen = [*SMALL, "--learning-rate", best[0], "--regularization", best[1], "--set", "data.validation=0"]
    result = run_cli("train", "--data", features_file, *chosen, "--iterations", 60, "--out", "plain")
    assert result.exit_code == 0, result.stderr
    np.testing.assert_array_equal(load_model("plain").W, model.W)


def test_pooled_validation_counts_each_row_once_by_the_model_that_did_not_see_it(
    run_cli, features_file, tmp_path
):
    tune(run_cli, features_file, tmp_path / "run", "--folds", "3")
    metrics, data = read_metrics(tmp_path / "run"), read_npz(features_file)
    shares = fold_by_fold(
        data["X_train"],
        data["y_train"],
        metrics["best"]["learning_rate"],
        metrics["best"]["regularization"],
        3,
        60,
    )
    sizes = np.bincount(stratified_folds(data["y_train"], 3, 0))
    assert metrics["splits"]["validation"]["correct"] == round(float(np.dot(shares, sizes)))


def test_without_validation_rows_or_folds_there_is_nothing_to_choose_by(run_cli, features_file):
    command = ["tune", "--data", features_file, *GRID, "--set", "data.validation=0"]
    result = run_cli(*command)
    assert result.exit_code == 2 and "data.validation" in result.stderr and "--folds 5" in result.stderr
    assert run_cli(*command, "--folds", "2", "--out", "run").exit_code == 0


# Divergence


@pytest.mark.parametrize("strengths", ["0.01,0.1", "1e4", "1e6,1e8", "0.01,1e8"])
@pytest.mark.parametrize("folds", ["0", "2"])
def test_all_diverged_exits_4_with_a_learning_rate_that_works(
    strengths, folds, run_cli, features_file, tmp_path
):
    command = ["tune", "--data", features_file, *SMALL, "--regularizations", strengths, "--iterations", "300"]
    wild = run_cli(*command, "--learning-rates", "1e30,1e35", "--folds", folds, "--out", "wild")
    assert wild.exit_code == 4
    line = wild.stderr.strip().splitlines()[-1]
    assert "diverged" in line
    suggested = re.search(r"try a learning rate of (\S+) or lower", line)[1]
    assert not (tmp_path / "wild" / "weights.npz").exists()
    tame = run_cli(*command, "--learning-rates", suggested, "--folds", folds, "--out", "tame")
    assert tame.exit_code == 0, f"{suggested} was suggested: {tame.stderr}"


def test_the_suggested_learning_rate_is_for_the_grid_and_not_for_the_strength_that_train_would_use(
    run_cli, features_file
):
    """With an L2 strength of 0.01 these rows bear steps near 1; train's default strength of 9,000 only 1e-4."""
    grid = ("--learning-rates", "1e300", "--regularizations", "0.01", "--iterations", "300", *SMALL)
    wild = run_cli("tune", "--data", features_file, *grid, "--out", "wild")
    assert wild.exit_code == 4
    assert float(re.search(r"try a learning rate of (\S+) or lower", wild.stderr)[1]) >= 0.1


@pytest.mark.slow
def test_some_diverged_cells_are_named_with_their_iteration_and_the_others_compete(
    run_cli, features_file, tmp_path, with_pictures
):
    grid = ("--learning-rates", "0.1,1e20", "--regularizations", "0.01,1", "--iterations", "60", *SMALL)
    result = tune(run_cli, features_file, tmp_path / "run", grid=grid)
    results = read_results(tmp_path / "run")
    assert [line["status"].split()[0] for line in results] == ["ok", "ok", "diverged", "diverged"]
    for line in results[2:]:
        assert 0 < int(re.fullmatch(r"diverged at iteration (\d+)", line["status"])[1]) <= 60
        assert line["validation_accuracy"] is line["train_accuracy"] is line["validation_loss"] is None
    assert read_metrics(tmp_path / "run")["best"]["learning_rate"] == 0.1
    assert "diverged at iteration" in result.stdout
    again = tune(run_cli, features_file, tmp_path / "run", grid=grid)
    assert again.stdout == result.stdout, "the table of the finished run is told again"
    tune(run_cli, features_file, tmp_path / "tame", "--learning-rates", "0.1", grid=grid)
    assert read_results(tmp_path / "tame") == results[:2]


def test_cells_that_halving_stopped_are_not_said_to_have_diverged(run_cli, features_file, monkeypatch):
    """The one cell that goes on diverges after its last rung: its weights double in every step."""
    monkeypatch.setattr(training, "narrowed", lambda accuracies, index, keep: index == index.max())
    grid = ("--learning-rates", "1e-3,3", "--regularizations", "1", "--iterations", "300", *SMALL)
    result = run_cli("tune", "--data", features_file, *grid, "--halving", "--out", "run")
    assert result.exit_code in (0, 4)
    assert "all 2 cells diverged" not in result.stderr


# Edges, selection


def edge_notes(text):
    return re.findall(r"a wider grid to paste: (\w+): (\[[^]]*\])", text)


def test_a_winner_on_the_edge_comes_with_a_wider_grid_that_can_be_pasted(run_cli, features_file, tmp_path):
    edge = ("--learning-rates", "1e-9,1e-8", "--regularizations", "1", "--set", "tuning.metric=loss")
    result = tune(run_cli, features_file, tmp_path / "run", *edge)
    ((name, values),) = edge_notes(result.stderr)
    assert name == "learning_rates"
    assert "the winner lies on the edge of tuning.learning_rates" in result.stderr
    (tmp_path / "wider.yaml").write_text(f"tuning:\n  {name}: {values}\n")
    from_file = load_config(tmp_path / "wider.yaml").tuning.learning_rates
    assert from_file == pytest.approx((1e-9, 1e-8, 1e-7, 1e-6, 1e-5))
    assert load_config(settings=[f"tuning.{name}={values}"]).tuning.learning_rates == from_file
    assert load_config(settings=[f"tuning.{name}={values.strip('[]')}"]).tuning.learning_rates == from_file


def test_a_winner_inside_the_grid_gives_no_warning_of_an_edge(run_cli, features_file, tmp_path):
    grid = ("--learning-rates", "1e-9,0.1,1e20", "--regularizations", "1", "--set", "tuning.metric=loss")
    result = tune(run_cli, features_file, tmp_path / "run", *grid)
    assert read_metrics(tmp_path / "run")["best"]["learning_rate"] == 0.1
    assert edge_notes(result.stderr) == []


def test_the_best_of_many_is_said_to_be_optimistic_and_ties_are_counted(run_cli, features_file, tmp_path):
    result = tune(run_cli, features_file, tmp_path / "run")
    assert "cannot be told from the winner" not in result.stderr  # which is no warning
    told = re.search(
        r"Note: of the 5 other finished cells (\w+) cannot be told from the\swinner", result.stdout
    )
    tied = sum(cell["tied"] for cell in read_metrics(tmp_path / "run")["cells"])
    assert (
        told and told[1] == {0: "none", 5: "all"}.get(tied, str(tied)) and tied == result.stdout.count("\n~ ")
    )
    assert "best of 6 and so optimistic" in result.stderr
    single = ("--learning-rates", "0.1", "--regularizations", "0.01")
    alone = tune(run_cli, features_file, tmp_path / "alone", *single)
    assert "optimistic" not in alone.stderr and edge_notes(alone.stderr) == []


def test_one_se_selects_the_strongest_penalty_within_one_standard_error(run_cli, features_file, tmp_path):
    strengths = ("--regularizations", "0.001,0.03,0.1,0.3,1,3,8", "--learning-rates", "0.1")
    tune(run_cli, features_file, tmp_path / "best", *strengths)
    tune(run_cli, features_file, tmp_path / "one-se", *strengths, "--select", "one-se")
    results = read_results(tmp_path / "one-se")
    assert [{**line, "tied": 0} for line in read_results(tmp_path / "best")] == [
        {**line, "tied": 0} for line in results
    ]
    top = max(line["validation_accuracy"] for line in results)
    bound = top - math.sqrt(top * (1 - top) / 100)
    within = [line["regularization"] for line in results if line["validation_accuracy"] >= bound]
    assert read_metrics(tmp_path / "one-se")["best"]["regularization"] == max(within)
    best = read_metrics(tmp_path / "best")["best"]["regularization"]
    assert best < max(within), "otherwise this test shows nothing"


def test_by_loss_the_lowest_validation_loss_wins(run_cli, features_file, tmp_path):
    tune(run_cli, features_file, tmp_path / "run", "--set", "tuning.metric=loss")
    results, metrics = read_results(tmp_path / "run"), read_metrics(tmp_path / "run")
    assert metrics["splits"]["validation"]["loss"] == min(line["validation_loss"] for line in results)


# Halving and stacks


@pytest.mark.slow
def test_halving_tells_at_which_rung_a_cell_stopped_and_compares_equal_budgets_only(
    run_cli, features_file, tmp_path, with_pictures
):
    rates = ("--learning-rates", "1e-5,1e-4,1e-3,0.1", "--iterations", "80")
    tune(run_cli, features_file, tmp_path / "halved", *rates, "--halving")
    tune(run_cli, features_file, tmp_path / "whole", *rates)
    halved, whole = read_results(tmp_path / "halved"), read_results(tmp_path / "whole")
    statuses = sorted(line["status"] for line in halved)
    assert statuses == [
        *["ok"] * 2, *["stopped at rung 1 (iteration 16)"] * 4, *["stopped at rung 2 (iteration 40)"] * 2
    ]  # fmt: skip
    for short, full in zip(halved, whole, strict=True):
        assert (short["learning_rate"], short["regularization"]) == (
            full["learning_rate"],
            full["regularization"],
        )
        if short["status"] == "ok":
            assert short["validation_accuracy"] == pytest.approx(full["validation_accuracy"], abs=0.011)
            assert read_metrics(tmp_path / "halved")["best"]["learning_rate"] == short["learning_rate"]
        assert short["validation_accuracy"] is not None


def test_halving_with_folds_stops_all_folds_of_a_cell_together(run_cli, features_file, tmp_path):
    tune(run_cli, features_file, tmp_path / "run", "--halving", "--folds", "2", "--iterations", "80")
    statuses = [line["status"] for line in read_results(tmp_path / "run")]
    assert statuses.count("ok") == 1 and len(statuses) == 6
    assert all(line["validation_accuracy"] > 0 for line in read_results(tmp_path / "run"))


@pytest.mark.parametrize("folds", ["0", "2"])
def test_several_small_stacks_find_what_one_stack_finds(folds, run_cli, features_file, tmp_path, monkeypatch):
    runs, run_solver = [], SGD.run

    def noted(solver, *arguments):
        runs.append(len(solver.state.cells))
        return run_solver(solver, *arguments)

    monkeypatch.setattr(SGD, "run", noted)
    bound = ("--set", "tuning.memory=12kB" if folds == "0" else "tuning.memory=24kB")
    tune(run_cli, features_file, tmp_path / "split", *bound, "--folds", folds)
    widths = [width for width in runs if width > 1]
    assert len(runs) - (folds != "0") > 1 and sum(widths) <= 12
    tune(run_cli, features_file, tmp_path / "whole", "--folds", folds)
    split, whole = read_results(tmp_path / "split"), read_results(tmp_path / "whole")
    for one, other in zip(split, whole, strict=True):
        assert {**one, **other} == {**one, **other, "status": "ok"}
        assert (
            one["learning_rate"] == other["learning_rate"]
            and one["regularization"] == other["regularization"]
        )
        for name in ("train_accuracy", "validation_accuracy"):
            assert one[name] == pytest.approx(other[name], abs=0.003)
    assert read_metrics(tmp_path / "split")["best"] == read_metrics(tmp_path / "whole")["best"]
    W = load_model(tmp_path / "whole").W
    assert np.abs(load_model(tmp_path / "split").W - W).max() <= 1e-4 * np.abs(W).max()
    assert not list((tmp_path / "split").glob("checkpoint*"))


def test_no_iterations_in_several_stacks_still_give_an_untrained_winner(run_cli, features_file, tmp_path):
    tune(run_cli, features_file, tmp_path / "run", "--iterations", "0", "--set", "tuning.memory=12kB")
    assert not load_model(tmp_path / "run").W.any()
    assert all(line["status"] == "ok" for line in read_results(tmp_path / "run"))


def test_a_refit_that_time_cut_short_is_not_continued_for_another_winner(run_cli, features_file, tmp_path):
    """After one iteration another cell leads than in the end; its refit must not become the final model."""
    more = ("--folds", "2", "--regularizations", "0.01", "--learning-rates", "0.01,1")
    tune(run_cli, features_file, tmp_path / "short", *more, "--max-time", "0.01")
    early = read_metrics(tmp_path / "short")["best"]["learning_rate"]
    tune(run_cli, features_file, tmp_path / "short", *more)
    best = read_metrics(tmp_path / "short")["best"]
    assert best["learning_rate"] != early, "otherwise this test shows nothing"
    chosen = ["--learning-rate", best["learning_rate"], "--regularization", best["regularization"]]
    plain = (*SMALL, "--iterations", 60, "--set", "data.validation=0", "--out", "plain")
    assert run_cli("train", "--data", features_file, *chosen, *plain).exit_code == 0
    np.testing.assert_array_equal(load_model(tmp_path / "short").W, load_model("plain").W)


def test_time_that_runs_out_between_stacks_leaves_a_valid_result_that_can_be_continued(
    run_cli, features_file, tmp_path
):
    more = ("--set", "tuning.memory=24kB")
    short = tune(run_cli, features_file, tmp_path / "short", *more, "--max-time", "0.01")
    assert "--max-time ended training at iteration" in short.stderr
    statuses = [line["status"] for line in read_results(tmp_path / "short")]
    assert {"cut short", "not start"} == {status[:9] for status in statuses}
    assert re.fullmatch(r"cut short at iteration \d+", statuses[0])
    load_model(tmp_path / "short")
    tune(run_cli, features_file, tmp_path / "short", *more)
    tune(run_cli, features_file, tmp_path / "whole", *more)
    for name in ("results.csv", "history.csv", "weights.npz"):
        assert (tmp_path / "short" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_the_bound_of_memory_does_not_make_another_run(run_cli, features_file, tmp_path):
    tune(run_cli, features_file, tmp_path / "run", "--set", "tuning.memory=1GB")
    again = tune(run_cli, features_file, tmp_path / "run", "--set", "tuning.memory=12kB")
    assert "holds this very run, finished" in again.stderr


# Dry run, and finding the run again


def test_a_dry_run_shows_the_grid_and_writes_nothing(run_cli, features_file, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "PROBE_SECONDS", 0.01)
    forbid(monkeypatch, Dataset, "test", "the test split was read")
    result = run_cli("tune", "--data", features_file, *GRID, "--folds", "4", "--dry-run", "--out", "run")
    assert result.exit_code == 0, result.stderr
    assert "6 cells x 4 folds" in result.stdout and "60 iterations" in result.stdout
    assert "0.01, 0.03, 0.1" in result.stdout and "memory:" in result.stdout and "time:" in result.stdout
    bound = ("--set", "tuning.memory=12kB")
    document = json.loads(
        run_cli("tune", "--data", features_file, *GRID, "--dry-run", "--json", *bound).stdout
    )
    assert document["cells"] == 6 and sum(document["stacks"]) == 6 and len(document["stacks"]) > 1
    assert document["stack_bytes"] <= document["bound_bytes"] == 12_000
    assert document["seconds"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_finished_run_is_recognized_and_not_repeated(run_cli, features_file, tmp_path, monkeypatch):
    first = tune(run_cli, features_file, tmp_path / "run", "--json")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    forbid(monkeypatch, SGD, "run", "the finished run was trained again")
    forbid(monkeypatch, Dataset, "test", "the test split was read again")
    second = tune(run_cli, features_file, tmp_path / "run", "--json")
    assert "holds this very run, finished" in second.stderr
    assert json.loads(second.stdout) == json.loads(first.stdout)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_another_grid_in_the_same_folder_is_refused_with_the_keys_that_differ(
    run_cli, features_file, tmp_path
):
    tune(run_cli, features_file, tmp_path / "run")
    result = run_cli("tune", "--data", features_file, *GRID, "--folds", "2", "--out", tmp_path / "run")
    assert result.exit_code == 5 and "tuning.folds: 0 -> 2" in result.stderr
    assert "tuning.learning_rates" not in result.stderr
    tune(run_cli, features_file, tmp_path / "run", "--folds", "2", "--overwrite")
    assert read_metrics(tmp_path / "run")["best"]["refit"] is True


def test_the_default_folder_is_stable_and_differs_with_the_data(run_cli, features_file, tmp_path):
    data = read_npz(features_file)
    data["y_train"][7] = (data["y_train"][7] + 1) % 3
    np.savez(tmp_path / "other.npz", **data)
    sources = (features_file, features_file, tmp_path / "other.npz")
    names = [json.loads(run_cli("tune", "--data", each, *GRID, "--json").stdout)["run"] for each in sources]
    assert names[0] == names[1] != names[2]
    assert all(re.fullmatch(r"runs/tune-[0-9a-f]{8}", name) for name in names)


def test_rows_for_validation_that_the_file_brings_are_used(run_cli, features_file, tmp_path):
    data = read_npz(features_file)
    data |= {"X_validation": data["X_train"][:50], "y_validation": data["y_train"][:50]}
    np.savez(tmp_path / "own.npz", **data)
    tune(run_cli, tmp_path / "own.npz", tmp_path / "run")
    splits = read_metrics(tmp_path / "run")["splits"]
    assert splits["validation"]["rows"] == 50 and splits["train"]["rows"] == 400
    model = load_model(tmp_path / "run")
    hits = np.count_nonzero(model.predict(data["X_validation"]) == data["y_validation"])
    assert splits["validation"]["correct"] == hits


def test_images_in_cifar_layout_are_tuned_and_scored_by_the_saved_model(run_cli, sample_folder, tmp_path):
    grid = ("--learning-rates", "1e-8,3e-7", "--regularizations", "10,1000", "--iterations", "30")
    tune(run_cli, sample_folder, tmp_path / "run", "--set", "preprocessing.mirror=true", grid=grid)
    metrics, model = read_metrics(tmp_path / "run"), load_model(tmp_path / "run")
    data = open_source(str(sample_folder), tmp_path)
    test = data.test()
    assert metrics["splits"]["test"]["correct"] == np.count_nonzero(model.predict(test.X) == test.y)
    assert metrics["splits"]["test"]["accuracy"] > 0.2
    assert model.class_names == data.class_names
