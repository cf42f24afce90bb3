"""What a dry run says of a cluster, and the model behind it."""

import json

import numpy as np
import pytest

from softmaxclf.engines.cost import LATENCY, Machines, of_blocks, of_stacks, of_sums
from softmaxclf.workflows.runs import plan

GRID = ["--learning-rates", "1e-3:1:log16", "--regularizations", "1e-3:1:log16", "--iterations", 60]


def test_one_worker_takes_the_time_of_the_work_and_of_moving_it():
    machines = Machines(1, local=False, network=1e6)
    assert of_stacks(machines, 100, [3, 3, 3], rows=2_000_000, states=1_000_000) == pytest.approx(103)
    expected = 100 + 8 + 10 * (LATENCY + 2 * 8 * 1000 / 1e6)
    assert of_sums(machines, 100, 10, rows=8_000_000, numbers=1000) == pytest.approx(expected)


def test_stacks_take_whole_rounds_of_the_widest():
    machines = Machines(4, local=False)
    assert of_stacks(machines, 100, [1] * 4, 0, 0) == pytest.approx(25)
    assert of_stacks(machines, 100, [1] * 5, 0, 0) == pytest.approx(40)
    assert of_stacks(machines, 100, [2, 1, 1], 0, 0) == pytest.approx(50)


def test_features_take_the_work_or_what_moves_beside_it():
    machines = Machines(4, local=False, network=1e6)
    assert of_blocks(machines, 100, 1_000_000, 2_000_000) == pytest.approx(25)
    assert of_blocks(machines, 100, 10_000_000, 20_000_000) == pytest.approx(30)


def test_a_dry_run_counts_features_that_workers_make_and_get(run_cli, monkeypatch):
    cluster = pytest.importorskip("softmaxclf.engines.cluster", reason="needs the extra dask")
    monkeypatch.setattr(cluster, "LocalCluster", None)
    monkeypatch.setattr(plan, "PROBE_SECONDS", 0.01)
    settings = ["features.kind=patches", "features.filters=8", "features.scales=1", "data.cache=false"]
    typed = [word for each in settings for word in ("--set", each)]
    command = [
        "tune",
        "--data",
        "sample",
        *GRID,
        *typed,
        "--dry-run",
        "--json",
        "--engine",
        "dask",
        "--workers",
        4,
    ]
    several = json.loads(run_cli(*command).stdout)
    images = several["features_bytes"] // several["features"]
    told = several["engine"]
    assert told["bytes_out"] == images * 3072 + several["features_bytes"], (
        "images for features, features for stacks"
    )
    assert told["bytes_back"] > several["features_bytes"]


def test_sums_of_many_workers_are_bound_by_what_they_send():
    small, large = 1000, 1024 * 1000
    for numbers, quickest in ((small, True), (large, False)):
        times = [of_sums(Machines(w, local=False), 50, 100, 0, numbers) for w in (1, 8, 64)]
        assert times[1] < times[0]
        assert (times[2] < times[1]) == quickest


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_a_dry_run_shows_the_cut_bytes_and_time_and_starts_nothing(
    solver, run_cli, features_file, tmp_path, monkeypatch
):
    cluster = pytest.importorskip("softmaxclf.engines.cluster", reason="needs the extra dask")
    monkeypatch.setattr(cluster, "LocalCluster", None)
    monkeypatch.setattr(plan, "PROBE_SECONDS", 0.01)
    typed = GRID if solver == "sgd" else GRID[2:4]
    command = ["tune", "--data", features_file, *typed, "--dry-run", "--engine", "dask", "--workers", 3]
    result = run_cli(*command, "--json")
    assert result.exit_code == 0, result.stderr
    planned = json.loads(result.stdout)
    told = planned["engine"]
    assert (told["kind"], told["workers"]) == ("dask", 3)
    if solver == "sgd":
        assert len(planned["stacks"]) == told["parts"] == 6, "two for each worker"
        assert told["bytes_out"] == 0, "workers of this machine read its disk"
    else:
        assert len(planned["stacks"]) == 1
        assert told["parts"] == 3
        assert told["bytes_out"] == 320 * 12 * 4, "each training row once"
    assert told["bytes_back"] > 0
    assert planned["seconds"] > 0
    shown = run_cli(*command).stdout
    assert (
        f"engine:           dask, 3 workers, the {'grid' if solver == 'sgd' else 'rows'} in {told['parts']} parts;"
        in shown
    )
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_over_shards_sends_no_row(run_cli, features_file, tmp_path, monkeypatch):
    cluster = pytest.importorskip("softmaxclf.engines.cluster", reason="needs the extra dask")
    monkeypatch.setattr(cluster, "LocalCluster", None)
    monkeypatch.setattr(plan, "PROBE_SECONDS", 0.01)
    arrays = np.load(features_file)
    for n in range(4):
        np.save(tmp_path / f"{n}.npy", arrays["X_train"][n::4])
        np.save(tmp_path / f"{n}.labels.npy", arrays["y_train"][n::4])
    for workers, sent in ((4, 0), (5, 256 * 12 * 4)):  # shards too few for each worker to have one
        command = [
            "tune",
            "--data",
            tmp_path / "*.npy",
            *GRID[2:4],
            "--dry-run",
            "--engine",
            "dask",
            "--json",
        ]
        planned = json.loads(run_cli(*command, "--workers", workers).stdout)
        assert planned["engine"]["bytes_out"] == sent
