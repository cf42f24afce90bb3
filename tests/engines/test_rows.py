"""Sums over rows that lie with workers are those of one process, whatever becomes of workers."""

import os
import re
import signal
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from softmaxclf.arrays import JoinedArray
from softmaxclf.config import EngineConfig, load_config
from softmaxclf.core.solvers.lbfgs.sums import ArrayRows, Point
from softmaxclf.datasets.dataset import Split
from softmaxclf.datasets.patterns import matching
from softmaxclf.datasets.shards import open_shards
from softmaxclf.errors import DataError, EngineError, InterruptedRunError
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs import training
from softmaxclf.workflows.runs.session import Request
from tests.core.engines import NEEDS_TORCH
from tests.engines.acting import Acting, run

engine = pytest.importorskip("softmaxclf.engines.rows", reason="needs the extra dask")
Blocks, Cluster, DividedRows, Refused = engine.Blocks, engine.Cluster, engine.DividedRows, engine.Refused
reading = pytest.importorskip("softmaxclf.engines.shards")
KEPT, bounds_at_shards, read_block = reading.KEPT, reading.bounds_at_shards, reading.read_block
shards_of = reading.shards_of
pytestmark = [pytest.mark.usefixtures("undrawn"), pytest.mark.filterwarnings("default")]
ROWS, FEATURES, CLASSES, FOLDS = 500, 7, 4, 3


@pytest.fixture(scope="module")
def connected(cluster):
    """The engine's own view of the cluster."""
    found = Cluster(EngineConfig("dask", cluster.address), Observer(), list)
    yield found
    found.close()


def drawn():
    generator = np.random.default_rng(1)
    X = generator.normal(3, 2, (ROWS + 100, FEATURES))
    return SimpleNamespace(
        X=X,
        y=generator.integers(0, CLASSES, len(X)),
        rows=np.sort(generator.choice(len(X), ROWS, replace=False)),
        weights=generator.random(ROWS),
        folds=generator.integers(0, FOLDS, ROWS),
        norms=1 / np.linalg.norm(X - 3, axis=1),
        shift=generator.normal(3, 0.1, (FOLDS + 1, FEATURES)),
        U=generator.normal(size=(FEATURES + 2, CLASSES)),
    )


SETTINGS = {
    "plain": lambda of: {},
    "centered rows of a subset": lambda of: {"shift": of.shift[-1], "scale": np.full(FEATURES, 2.0), "rows": of.rows},
    "weighted folds and a regularized bias": lambda of: {
        "shift": of.shift, "scale": np.full(FEATURES, 2.0), "rows": of.rows, "weights": of.weights, "folds": of.folds,
        "ones": True,
    },
    "unit norm": lambda of: {"shift": of.shift[-1], "rows": of.rows, "norms": of.norms},
}  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_every_sum_is_that_of_one_process(settings, workers, connected):
    of = drawn()
    given = settings(of)
    local = ArrayRows(of.X, of.y, CLASSES, **given)
    divided = DividedRows(connected, Observer(), None, of.X, of.y, CLASSES, **given)
    assert len(divided.blocks.parts) == 3
    folds = range(FOLDS) if "folds" in given else ()
    for fold in (-1, *folds):
        for name, expected in vars(local.moments(fold)).items():
            np.testing.assert_allclose(getattr(divided.moments(fold), name), expected, 1e-12, 1e-14)
    np.testing.assert_allclose(divided.covariance(), local.covariance(), rtol=1e-12)
    np.testing.assert_allclose(divided.variances(), local.variances(), rtol=1e-12)
    U = of.U[: local.features + 1]
    points = [Point(U, spread=True), *(Point(U / 2, fold, hessian=True) for fold in folds)]
    for ours, theirs in zip(divided.evaluate(points), local.evaluate(points), strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-12)
        np.testing.assert_allclose(ours.gradient, theirs.gradient, rtol=1e-10, atol=1e-14)
        for one, other in ((ours.spread, theirs.spread), (ours.hessian, theirs.hessian)):
            assert (one is None) == (other is None)
        if ours.spread is not None:
            for name, expected in vars(theirs.spread).items():
                np.testing.assert_allclose(getattr(ours.spread, name), expected, rtol=1e-10)
        if ours.hessian is not None:
            np.testing.assert_allclose(ours.hessian, theirs.hessian, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("device", [("torch-cpu", "single"), ("cpu", "mixed")])
def test_sums_on_the_devices_of_workers_are_those_of_one_process(device, workers, connected):
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    of = drawn()
    X = np.clip(of.X * 20 + 100, 0, 255).astype(np.uint8)
    given = {"shift": X.mean(axis=0), "scale": X.std(axis=0), "rows": of.rows}
    local = ArrayRows(X, of.y, CLASSES, **given)
    divided = DividedRows(connected, Observer(), None, X, of.y, CLASSES, device=device, **given)
    points = [Point(of.U[:-1], spread=True)]
    ours, theirs = (each.evaluate(points)[0] for each in (divided, local))
    assert ours.loss == pytest.approx(theirs.loss, rel=1e-6)
    np.testing.assert_allclose(ours.gradient, theirs.gradient, rtol=1e-4, atol=1e-6)
    assert divided.evaluate(points, True)[0].loss == pytest.approx(
        local.evaluate(points, True)[0].loss, rel=1e-12
    )


def test_equal_calls_add_up_to_equal_bits_and_rows_are_sent_once(workers, connected, monkeypatch):
    of = drawn()
    divided = DividedRows(connected, Observer(), None, of.X, of.y, CLASSES, rows=of.rows)
    first = divided.evaluate([Point(of.U[:-1])])[0]
    sent = []
    monkeypatch.setattr(connected, "send", lambda what, *others, **named: sent.append(what) or Cluster.send(
        connected, what, *others, **named))  # fmt: skip
    again = divided.evaluate([Point(of.U[:-1])])[0]
    assert again.loss == first.loss
    assert np.array_equal(again.gradient, first.gradient)
    other = DividedRows(
        connected, Observer(), divided, of.X, of.y, CLASSES, rows=of.rows.copy(), norms=of.norms
    )
    other.moments()
    assert other.blocks is divided.blocks
    assert not [each for each in sent if isinstance(each, np.ndarray)], "X was sent again"


def test_more_blocks_than_one_worker_adds_up_come_back_in_a_tree(workers, connected):
    of, many = drawn(), engine.FAN_IN * 2 + 1
    local = ArrayRows(of.X, of.y, CLASSES)
    divided = DividedRows(connected, Observer(), None, of.X, of.y, CLASSES)
    bounds = np.linspace(0, len(of.X), many + 1).astype(int)
    divided.blocks.parts = [slice(*each) for each in pairwise(bounds)]
    divided.blocks.workers = [workers.addresses[n % 3] for n in range(many)]
    ours, theirs = (each.evaluate([Point(of.U[:-1])])[0] for each in (divided, local))
    np.testing.assert_allclose(ours.gradient, theirs.gradient, rtol=1e-10, atol=1e-14)


class Few:
    """A cluster of a few workers, by name."""

    least_memory = 1000

    def __init__(self, names: str) -> None:
        self.names = names

    def living(self) -> dict[str, dict]:
        return {name: {} for name in self.names}


def test_blocks_move_from_workers_that_are_gone_and_to_those_that_have_none():
    cluster = Few("abc")
    blocks = Blocks(cluster, np.zeros((30, 2)), None)
    assert blocks.parts == [slice(0, 10), slice(10, 20), slice(20, 30)]
    cluster.names = "ac"
    blocks.settle()
    assert blocks.workers == ["a", "a", "c"]
    cluster.names = "acd"
    blocks.settle()
    assert sorted(blocks.workers) == ["a", "c", "d"]
    blocks.failed.add("a")
    blocks.settle()
    assert set(blocks.workers) == {"c", "d"}
    cluster.names = "a"
    blocks.settle()
    assert blocks.workers == ["a", "a", "a"]


def test_blocks_that_would_fill_a_worker_are_refused():
    with pytest.raises(
        EngineError, match=r"expected blocks of rows of at most 0\.0 GB, 0\.4 of a worker's memory"
    ):
        Blocks(Few("a"), np.zeros((30, 2)), None)


# A path of regularizations, found on these rows.


def request(rows: Path, out: Path, engine: str = "", **given: object) -> Request:
    options = {
        "data.source": str(rows),
        "tuning.regularizations": "1e-3:1:log6",
        "data.validation": 100,
        **given,
    }
    options |= {"engine.kind": "dask", "engine.scheduler": engine} if engine else {}
    return Request("tune", load_config(None, ["training.tolerance=1e-7"], options), out)


@pytest.fixture(scope="module")
def local(features_file, tmp_path_factory):
    return run(request(features_file, tmp_path_factory.mktemp("local") / "run"))


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Progress after every reading, so that something can happen there."""
    monkeypatch.setattr(training, "PROGRESS_SECONDS", -1.0)


def assert_alike(found: dict, local: dict) -> None:
    """The same winner, all proven, objectives within 1e-6."""
    assert found["best"] == local["best"]
    assert len(found["cells"]) == 6
    for one, other in zip(found["cells"], local["cells"], strict=True):
        assert one["proven"]
        assert one["objective"] == pytest.approx(other["objective"], rel=1e-6)
        assert one["validation_accuracy"] == other["validation_accuracy"]


def test_a_path_with_a_worker_killed_in_the_middle_ends_as_a_local_one(
    features_file, local, workers, tmp_path
):
    killed = []

    def kill() -> None:
        (worker, pid), *_ = workers.pids.items()
        os.kill(pid, signal.SIGKILL)
        killed.append(worker)

    observer = Acting(kill)
    assert_alike(run(request(features_file, tmp_path / "run", workers.address), observer), local)
    assert any(line.startswith("a sum over rows failed on worker ") for line in observer.said), observer.said
    assert any("it is done again (1 of 3)" in line for line in observer.said)


def test_a_stopped_path_goes_on_from_its_checkpoint(features_file, local, workers, tmp_path):
    wanted = request(features_file, tmp_path / "run", workers.address)
    with pytest.raises(InterruptedRunError, match="the same command continues"):
        run(wanted, Acting(lambda: signal.raise_signal(signal.SIGINT)))
    assert (tmp_path / "run" / "checkpoint.npz").exists()
    assert_alike(run(wanted), local)


def test_a_slow_worker_is_waited_for(features_file, local, workers, tmp_path, monkeypatch):
    slow = []

    def halt() -> None:
        slow.append(next(iter(workers.pids.values())))
        os.kill(slow[0], signal.SIGSTOP)
        waited = Cluster.next_done

        def waking(self, futures):
            done = waited(self, futures)
            if not done and slow:  # the others have nothing left to do
                os.kill(slow.pop(), signal.SIGCONT)
            return done

        monkeypatch.setattr(Cluster, "next_done", waking)

    assert_alike(run(request(features_file, tmp_path / "run", workers.address), Acting(halt)), local)
    assert not slow


def _grow() -> None:
    """Let this process need more memory for a sum than there is."""
    from softmaxclf.core.solvers.lbfgs import sums

    sums.ArrayRows.totals = lambda *others: np.ones(1 << 50)


def test_a_worker_out_of_memory_leaves_its_block_to_others(features_file, local, spoilt, tmp_path):
    poor = spoilt.addresses[0]
    spoilt.client.run(_grow, workers=[poor])
    observer = Acting()
    assert_alike(run(request(features_file, tmp_path / "run", spoilt.address), observer), local)
    (line,) = [each for each in observer.said if "failed on worker" in each]
    assert f"worker {poor}: " in line
    assert "MemoryError: Unable to allocate 8.00 PiB" in line


@pytest.mark.slow
def test_folds_of_unit_norm_go_through_workers_too(features_file, workers, tmp_path):
    given = {"tuning.folds": 2, "preprocessing.scale": "unit-norm", "tuning.regularizations": "1e-2,1e-1"}
    here, there = (
        run(request(features_file, tmp_path / (engine or "local")[:5], engine, **given))
        for engine in ("", workers.address)
    )
    for one, other in zip(here["cells"], there["cells"], strict=True):
        assert one["objective"] == pytest.approx(other["objective"], rel=1e-6)
        assert one["validation_loss"] == pytest.approx(other["validation_loss"], rel=1e-4)


# Rows that workers read from shards themselves.

SIZES = (90, 60, 75, 120, 40, 105, 110)


def shards(folder: Path, X: np.ndarray, y: np.ndarray | None = None, sizes: tuple[int, ...] = SIZES) -> str:
    """Write them, with labels beside if there are any; returns the pattern."""
    folder.mkdir(exist_ok=True)
    for n, end in enumerate(np.cumsum(sizes)):
        part = slice(end - sizes[n], end)
        np.save(folder / f"part-{n}.npy", X[part])
        if y is not None:
            np.save(folder / f"part-{n}.labels.npy", y[part])
    return str(folder / "part-*.npy")


def joined(folder: Path, of: SimpleNamespace, rows: np.ndarray | None = None) -> JoinedArray:
    """The rows of `of`, or some, in shards, examined as a run does it."""
    found = open_shards(matching(Path(shards(folder, of.X))))[0]
    found = found if rows is None else found.chosen(rows)
    Split(found, np.zeros(len(found), int)).examine()
    return found


@pytest.fixture
def sent(connected, monkeypatch) -> list:
    """What the client sends from now on."""
    found = []
    monkeypatch.setattr(connected, "send", lambda what, *others: found.append(what) or Cluster.send(
        connected, what, *others))  # fmt: skip
    return found


@pytest.mark.parametrize("held", [False, True], ids=["in files", "in memory"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_sums_over_shards_are_those_of_one_process_and_no_row_is_sent(
    settings, held, workers, connected, sent, tmp_path
):
    of = drawn()
    given, X = settings(of), joined(tmp_path / "shards", of)
    X = X.load() if held else X
    assert (X._held is not None) == held
    X.examined(np.asarray(X), 0)
    local = ArrayRows(of.X, of.y, CLASSES, **given)
    divided = DividedRows(connected, Observer(), None, X, of.y, CLASSES, **given)
    for name, expected in vars(local.moments()).items():
        np.testing.assert_allclose(getattr(divided.moments(), name), expected, 1e-12, 1e-14)
    U = of.U[: local.features + 1]
    (ours,), (theirs,) = (each.evaluate([Point(U)]) for each in (divided, local))
    assert ours.loss == pytest.approx(theirs.loss, rel=1e-12)
    np.testing.assert_allclose(ours.gradient, theirs.gradient, rtol=1e-10, atol=1e-14)
    assert divided.blocks.in_shards and len(divided.blocks.parts) == 3
    assert not [each for each in sent if isinstance(each, np.ndarray)], "rows were sent"
    read = [each for each in sent if isinstance(each, list)]
    assert sorted(one.path.name for each in read for one in each) == [f"part-{n}.npy" for n in range(7)]
    assert len({future.key for _, future in divided.blocks._given.values()}) == 3
    before = len(sent)
    divided.evaluate([Point(U)])
    assert not [each for each in sent[before:] if isinstance(each, list)], "shards were read again"


def test_rows_that_were_drawn_as_test_rows_are_left_out_on_workers_too(workers, connected, sent, tmp_path):
    of = drawn()
    train = np.setdiff1d(np.arange(600), [*range(3, 600, 7), *range(90, 150)])  # the second shard as a whole
    X = joined(tmp_path / "shards", of, train)
    rows = np.flatnonzero(np.arange(len(train)) % 5)
    local = ArrayRows(of.X[train], of.y[train], CLASSES, rows=rows)
    divided = DividedRows(connected, Observer(), None, X, of.y[train], CLASSES, rows=rows)
    np.testing.assert_allclose(divided.class_sums(), local.class_sums(), rtol=1e-12)
    read = [one for each in sent if isinstance(each, list) for one in each]
    assert sorted(one.path.name for one in read) == [f"part-{n}.npy" for n in (0, 2, 3, 4, 5, 6)]
    assert sum(int((one.fate == KEPT).sum()) for one in read) == len(rows)


def test_blocks_end_where_shards_end(tmp_path):
    of = drawn()
    X = joined(tmp_path / "shards", of)
    borders = {0, *np.cumsum(SIZES).tolist()}
    for count in range(1, 8):
        bounds = bounds_at_shards(X, None, count)
        assert (
            len(set(bounds)) == count + 1 and (bounds[0], bounds[-1]) == (0, 600) and set(bounds) <= borders
        )
        assert max(np.diff(bounds)) <= 600 / count + max(SIZES)
    assert bounds_at_shards(X, None, 8) is None, "shards too few for so many workers"
    assert bounds_at_shards(X, None, 3) == [0, 225, 385, 600]
    assert bounds_at_shards(X, np.arange(100, 230), 3) == [0, 50, 125, 130]
    assert bounds_at_shards(X, np.arange(100, 130), 2) is None
    assert bounds_at_shards(of.X, None, 1) is None


@pytest.fixture(scope="module")
def sources(features_file, tmp_path_factory) -> SimpleNamespace:
    """Shards of the rows of `features_file`, others, and none."""
    arrays = np.load(features_file)
    X, y, folder = arrays["X_train"], arrays["y_train"], tmp_path_factory.mktemp("sources")
    sizes = (80, 100, 60, 90, 70)
    shards(folder / "right", X, y, sizes)
    shards(folder / "wrong", X + np.float32(1), y, sizes)
    (folder / "none").mkdir()
    return SimpleNamespace(**{each.name: each for each in folder.iterdir()})


HERE = "/proc/self/cwd/part-*.npy"  # each process has its own


@pytest.fixture(scope="module")
def local_of_shards(sources, tmp_path_factory):
    return run(request(sources.right / "part-*.npy", tmp_path_factory.mktemp("local") / "run"))


def placed(spoilt, monkeypatch, right: Path, others: Path, count: int) -> list[str]:
    """So many workers with `others` in place of the right shards."""
    odd, even = spoilt.addresses[:count], spoilt.addresses[count:]
    monkeypatch.chdir(right)
    spoilt.client.run(os.chdir, str(others), workers=odd)
    if even:
        spoilt.client.run(os.chdir, str(right), workers=even)
    return odd


def test_a_path_over_shards_with_a_worker_killed_ends_as_a_local_one(
    sources, local_of_shards, workers, tmp_path
):
    observer = Acting(lambda: os.kill(next(iter(workers.pids.values())), signal.SIGKILL))
    wanted = request(sources.right / "part-*.npy", tmp_path / "run", workers.address)
    assert_alike(run(wanted, observer), local_of_shards)
    assert any("it is done again (1 of 3)" in line for line in observer.said), observer.said


def test_a_worker_with_other_shards_is_refused_and_others_read_its_block(
    sources, local_of_shards, spoilt, tmp_path, monkeypatch
):
    odd = placed(spoilt, monkeypatch, sources.right, sources.wrong, 2)
    observer = Acting()
    assert_alike(run(request(HERE, tmp_path / "run", spoilt.address), observer), local_of_shards)
    refusals = [line for line in observer.said if "takes no part" in line]
    assert refusals
    assert len({line.split()[1] for line in refusals}) == len(refusals), "each worker once"
    assert len({line.split(": ", 1)[1] for line in refusals}) == len(refusals), "each reason once"
    for line in refusals:
        assert re.fullmatch(
            rf"worker ({'|'.join(odd)}): /proc/self/cwd/part-\d\.npy: expected the rows of this run, fingerprint "
            r"\w{8}, found others, fingerprint \w{8}; copy the same there; it takes no part", line
        ), line  # fmt: skip
    assert not [line for line in observer.said if "done again" in line]


@pytest.mark.slow
def test_a_path_whose_shards_no_worker_has_is_refused(sources, spoilt, tmp_path, monkeypatch):
    placed(spoilt, monkeypatch, sources.right, sources.wrong, 3)
    with pytest.raises(DataError, match=r"no worker is left: .*part-\d\.npy: expected the rows of this run"):
        run(request(HERE, tmp_path / "run", spoilt.address))


def test_shards_of_another_length_are_others(tmp_path):
    of = drawn()
    X = joined(tmp_path / "shards", of)
    given = shards_of(X, np.arange(100, 300))
    assert [each.path.name for each in given] == ["part-1.npy", "part-2.npy", "part-3.npy"]
    np.testing.assert_array_equal(read_block(given, FEATURES, X.dtype), of.X[100:300])
    np.save(tmp_path / "shards" / "part-2.npy", of.X[:74])
    with pytest.raises(
        Refused, match=r"part-2\.npy: expected the rows .*, 75 x 7 float64, found others, 74 x 7"
    ):
        read_block(given, FEATURES, X.dtype)


@pytest.mark.slow
def test_a_worker_that_cannot_read_shards_gets_its_rows(
    sources, local_of_shards, spoilt, tmp_path, monkeypatch
):
    odd = placed(spoilt, monkeypatch, sources.right, sources.none, 2)
    observer = Acting()
    assert_alike(run(request(HERE, tmp_path / "run", spoilt.address), observer), local_of_shards)
    (line,) = [each for each in observer.said if "cannot read the rows" in each]
    assert re.fullmatch(
        rf"worker ({'|'.join(odd)}) cannot read the rows \(/proc/self/cwd/part-\d\.npy: expected a readable file.*\): "
        "they are sent", line
    ), line  # fmt: skip
    assert not [each for each in observer.said if "takes no part" in each or "done again" in each]
