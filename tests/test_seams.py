"""The seams: a solver, a stage, a source, a loss and a command, each drafted in one file and one registry line."""

import json
from dataclasses import dataclass, replace

import click
import numpy as np
import pytest
from click.testing import CliRunner

from softmaxclf import fit, load_model
from softmaxclf.cli.main import cli
from softmaxclf.config import schema
from softmaxclf.config.values import Choice
from softmaxclf.core.losses import LOSSES
from softmaxclf.core.losses.softmax import SOFTMAX, score_gradient
from softmaxclf.core.problem import MEASURED, History
from softmaxclf.core.rows import RowReader
from softmaxclf.core.solvers import SOLVERS
from softmaxclf.core.solvers.solver import Solver, State
from softmaxclf.core.stages import SCALES, STAGES
from softmaxclf.core.stages.stage import Reading
from softmaxclf.datasets import sources
from softmaxclf.datasets.dataset import Dataset, Split

# A second solver: plain gradient descent on all rows.


@dataclass(frozen=True)
class DescentSettings:
    iterations: int


@dataclass(kw_only=True)
class DescentState(State):
    W: np.ndarray
    b: np.ndarray


class GradientDescent(Solver):
    """W <- W - rate (X^T (p - y) / N + regularization W) on all rows, float64."""

    axes = ("learning_rate", "regularization")
    settings_type = DescentSettings

    @classmethod
    def start(cls, problem, settings, cells):
        G, K = len(cells), problem.classes
        zeros = np.zeros((problem.columns, K, G)), np.zeros((K, G))
        return DescentState(cells=cells, diverged_at=np.full(G, -1), W=zeros[0], b=zeros[1])

    @property
    def length(self):
        return self.settings.iterations

    def weights(self, place):
        return self.state.W[:, :, place], self.state.b[:, place]

    def run(self, until, stop=lambda point: False):
        state, problem = self.state, self.problem
        X = problem.preprocessing[0].apply(problem.X[problem.train_rows])
        y = problem.y[problem.train_rows]
        rates, penalties = state.cells.values["learning_rate"], state.cells.values["regularization"]
        while state.iteration < until:
            for g in range(len(state.cells)):
                slope = score_gradient(X @ state.W[:, :, g] + state.b[:, g], y) / len(y)
                state.W[:, :, g] -= rates[g] * (X.T @ slope + penalties[g] * state.W[:, :, g])
                state.b[:, g] -= rates[g] * slope.sum(axis=0)
            state.iteration += 1
            if stop(state.iteration):
                return state.iteration >= until
        return True


# A new stage: the root of every value, as for histograms.


@dataclass(frozen=True)
class Root(Reading):
    width: int
    name = "root"

    @classmethod
    def fit(cls, before, rows):
        return [replace(each, reading=(*each.reading, cls(rows.X.shape[1]))) for each in before]

    def read(self, rows, out):
        np.sqrt(rows, out=out)

    def arrays(self):
        return {"width": np.array(self.width)}

    @classmethod
    def from_arrays(cls, arrays, image_shape):
        return cls(int(arrays["width"]))


def rows_and_labels(count=120):
    generator = np.random.default_rng(3)
    y = np.arange(count) % 3
    return (generator.integers(0, 50, (count, 6)) + 60 * np.eye(3, 6)[y]).astype(np.uint8), y


@pytest.fixture
def registered(monkeypatch):
    """Add a line to a registry, and the name to the choices of a setting."""

    def add(registry, name, attribute, key=None):
        monkeypatch.setitem(registry, name, f"{__name__}:{attribute}")
        if key:
            setting = schema.SCHEMA[key]
            monkeypatch.setitem(
                schema.SCHEMA, key, setting._replace(kind=Choice((*setting.kind.words, name)))
            )

    import sys

    sys.modules.setdefault(__name__, sys.modules.get(__name__) or __import__(__name__))
    return add


@pytest.fixture
def run_in(tmp_path, monkeypatch):
    X, y = rows_and_labels()
    np.savez(tmp_path / "mine.npz", X_train=X, y_train=y, X_test=X[:30], y_test=y[:30])
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(cli, [*map(str, arguments)])
        assert result.exit_code == 0, result.stderr or result.exception
        return result

    return run


def test_a_second_solver_trains_tunes_and_resumes(registered, run_in):
    registered(SOLVERS, "gd", "GradientDescent", "training.solver")
    grid = ("--learning-rates", "0.01,0.1", "--regularizations", "0.001,0.1", "--iterations", "60")
    chosen = (
        "--set",
        "training.solver=gd",
        "--set",
        "preprocessing.scale=standardize",
        "--set",
        "data.validation=30",
    )
    found = json.loads(run_in("tune", "--data", "mine.npz", *grid, *chosen, "--json").stdout)
    assert found["splits"]["test"]["accuracy"] > 0.9
    assert set(found["best"]) == {"learning_rate", "regularization", "refit"}
    X, y = rows_and_labels()
    model = fit(
        X, y, solver="gd", scale="standardize", learning_rate=0.1, regularization=0.001, iterations=60
    )
    features = model.preprocessing.apply(X)
    W, b = np.zeros((6, 3)), np.zeros(3)
    for _ in range(60):
        slope = score_gradient(features @ W + b, y) / len(y)
        W, b = W - 0.1 * (features.T @ slope + 0.001 * W), b - 0.1 * slope.sum(axis=0)
    np.testing.assert_allclose(model.W, W, rtol=1e-5, atol=1e-6)


def test_the_state_of_a_solver_goes_through_arrays_and_back():
    from softmaxclf.core.search import grid_cells

    cells = grid_cells({"learning_rate": [0.1, 0.2], "regularization": [1.0]})

    def make():
        return DescentState(
            cells=cells, diverged_at=np.full(2, -1), W=np.zeros((4, 3, 2)), b=np.zeros((3, 2))
        )

    state = make()
    state.W[:], state.iteration = 5, 7
    state.history = History([3], *([np.ones(2)] for _ in MEASURED))
    found = make().restored(state.arrays())
    assert found.iteration == 7 and (found.W == 5).all() and found.history.iteration == [3]
    narrowed = make().restored(state.keep(np.array([1])).arrays())
    assert narrowed.cells.at(0) == {"learning_rate": 0.2, "regularization": 1.0}
    for spoilt in (
        {"W": np.zeros((4, 3, 1))},
        {"cells_learning_rate": np.array([0.1, 0.3])},
        {"b": np.zeros(3)},
    ):
        with pytest.raises(ValueError):
            make().restored({**state.arrays(), **spoilt})


def test_a_new_stage_is_fitted_trained_through_saved_and_loaded(registered, monkeypatch, tmp_path):
    from softmaxclf.model_file import save_model

    registered(STAGES, "root", "Root", "preprocessing.scale")
    monkeypatch.setattr("softmaxclf.core.stages.SCALES", [*SCALES, "root"])
    X, y = rows_and_labels()
    settings = {"learning_rate": 0.05, "regularization": 0.001, "iterations": 200, "batch_size": 30}
    model = fit(X, y, scale="root", center=False, **settings)
    by_hand = fit(np.sqrt(X.astype(np.float32)), y, scale="none", center=False, **settings)
    np.testing.assert_allclose(model.W, by_hand.W, rtol=1e-4, atol=1e-6)
    contributions, bias = model.evidence(X[0])
    np.testing.assert_allclose(contributions.sum(axis=0) + bias, model.scores(X[:1])[0], rtol=1e-4, atol=1e-4)
    save_model(tmp_path / "weights.npz", model)
    np.testing.assert_array_equal(load_model(tmp_path / "weights.npz").scores(X), model.scores(X))
    reader = RowReader(X, model.preprocessing.reading)
    np.testing.assert_allclose(reader.all(), np.sqrt(X.astype(np.float32)))


def test_a_new_source_is_one_line(monkeypatch, run_in, tmp_path):
    def read_letters(path, settings):
        text = path.read_text().split()
        X = np.array([[float(ord(letter)) for letter in word] for word in text], np.float32)
        return Dataset(
            "letters", str(path), lambda: ("a", "b"), None, lambda: Split(X, np.arange(len(X)) % 2)
        )

    letters = sources.Source("a file of words", lambda path, magic: magic.startswith(b"abc"), read_letters)
    monkeypatch.setattr(sources, "SOURCES", (*sources.SOURCES, letters))
    (tmp_path / "words.txt").write_text("abc zyx abd zyw abe zyv abf zyu")
    run_in("train", "--data", "words.txt", "--iterations", "5", "--set", "data.validation=0", "--out", "run")
    assert "a file of words" in sources.accepted()
    assert load_model(tmp_path / "run").class_names == ("a", "b")


def test_a_new_loss_is_one_line(registered):
    registered(LOSSES, "twice", "TWICE", "training.loss")
    X, y = rows_and_labels()
    settings = {"scale": "standardize", "regularization": 0.0, "iterations": 40}
    twice, once = (
        fit(X, y, loss="twice", learning_rate=0.05, **settings),
        fit(X, y, learning_rate=0.1, **settings),
    )
    np.testing.assert_allclose(twice.W, once.W, rtol=1e-4, atol=1e-6)


TWICE = replace(
    SOFTMAX,
    name="twice",
    of_rows=lambda scores, y: 2 * SOFTMAX.of_rows(scores, y),
    stacked=lambda scores, y: 2 * SOFTMAX.stacked(scores, y),
    descend=lambda scores, y, step: 2 * SOFTMAX.descend(scores, y, 2 * step),
)


def test_a_new_command_is_one_line(monkeypatch):
    @click.command()
    @click.argument("model")
    def classes(model):
        click.echo(" ".join(load_model(model).class_names))

    monkeypatch.setitem(cli.commands, "classes", classes)
    result = CliRunner().invoke(cli, ["classes", "no/such/run"])
    assert result.exit_code == 3 and "expected a run folder or a weights.npz" in result.stderr
