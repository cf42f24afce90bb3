"""What PyTorch's engine does otherwise than NumPy's; that it follows the plain formulas is in test_solver.py."""

from dataclasses import replace

import numpy as np
import pytest

from softmaxclf.core.solvers.sgd import solver
from softmaxclf.core.solvers.sgd.solver import SGD
from softmaxclf.core.solvers.sgd.state import Settings, initial_state
from tests.core.engines import NEEDS_TORCH, accelerator_on_the_processor, device_named
from tests.core.solvers.sgd.test_solver import (
    IMAGE,
    assert_close,
    cells_of,
    make_problem,
    rows_and_labels,
    trained,
)

pytest.importorskip("torch", reason=NEEDS_TORCH)


def relative(found, exact):
    return np.sqrt(np.square(found - exact).mean() / np.square(exact).mean())


@pytest.mark.parametrize("kind", ["pixels", "folded", "features"])
@pytest.mark.parametrize(("scale", "momentum"), [("none", 0.0), ("standardize", 0.9)])
def test_mixed_precision_is_within_three_of_float32s_own_errors(kind, scale, momentum):
    """Of the scores of models after a training, on features as many as images have."""
    shape = (3, 32, 32)
    X, y = rows_and_labels(600, seed=3, columns=3072)
    X = X if kind != "features" else X / np.float32(37) + 2
    rate = {"pixels": 2e-7, "folded": 2e-7, "features": 2e-4}[kind] if scale == "none" else 1e-3
    problem = make_problem(X, y, scale=scale, mirror=shape if kind == "folded" else None)
    cells, chosen = cells_of([rate, 2 * rate], [1e-3, 1.0]), Settings(60, 200, momentum=momentum)
    scores = {}
    for name, dtype, device in (
        ("exact", np.float64, None),
        ("single", np.float32, None),
        ("mixed", np.float32, device_named("torch-cpu", "mixed")),
    ):
        own = replace(problem, dtype=dtype, device=device)
        sgd = SGD(own, chosen, initial_state(cells, own, chosen))
        assert sgd.run(60)
        models = [sgd.weights(place) for place in range(2)]
        scores[name] = np.stack([problem.preprocessing[0].apply(X) @ W + b for W, b in models])
    errors = {name: relative(scores[name], scores["exact"]) for name in ("single", "mixed")}
    assert 0 < errors["mixed"] < 3 * errors["single"]


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("memory", [10**12, 0])
@pytest.mark.parametrize("mirror", [None, IMAGE])
@pytest.mark.parametrize("folds", [None, 3])
def test_rows_on_an_accelerator_train_the_same_model(mixed, memory, mirror, folds):
    X, y = rows_and_labels(90, seed=2)
    problem = make_problem(X, y, mirror=mirror, folds=folds, dtype=np.float32)
    cells = cells_of([1e-6] * 3, [1.0, 2.0, 3.0], None if folds is None else [0, 1, 2])
    chosen = Settings(25, 16, momentum=0.5)
    near = replace(problem, device=device_named("torch-cpu", "mixed" if mixed else "single"))
    far = replace(problem, device=accelerator_on_the_processor(mixed=mixed, memory=memory))
    assert_close(trained(far, cells, chosen).V, trained(near, cells, chosen).V, 1e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_training_begun_on_one_device_goes_on_on_another(momentum, monkeypatch):
    monkeypatch.setattr(solver, "SLICE_SECONDS", 0)
    X, y = rows_and_labels()
    problem = make_problem(X, y, dtype=np.float32)
    there = replace(problem, device=device_named("torch-cpu"))
    cells, chosen = cells_of([1e-6, 1e30, 1e-5], [1.0, 1.0, 10.0]), Settings(40, 16, momentum=momentum)
    whole = trained(problem, cells, chosen)
    for first, then in ((problem, there), (there, problem)):
        state = initial_state(cells, first, chosen)
        assert not SGD(first, chosen, state).run(40, lambda iteration: iteration == 17)
        again = initial_state(cells, then, chosen).restored(state.arrays())
        assert SGD(then, chosen, again).run(40)
        np.testing.assert_array_equal(again.diverged_at, whole.diverged_at)
        assert again.history.iteration == whole.history.iteration
        np.testing.assert_allclose(again.history.loss, whole.history.loss, rtol=1e-5)
        np.testing.assert_array_equal(again.history.train_accuracy, whole.history.train_accuracy)
        for place in (0, 2):
            assert_close(again.weights(place), whole.weights(place), 1e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_a_cell_diverges_at_the_iteration_at_which_it_does_in_numpy(loss, momentum):
    X, y = rows_and_labels()
    cells = cells_of([1e-6, 1e4, 1e12, 1e30, 1e300], [1.0] * 5)
    chosen = Settings(60, 16, loss, momentum, history_points=7)
    states = [
        trained(make_problem(X, y, dtype=np.float32, engine=engine), cells, chosen)
        for engine in ("numpy", "torch-cpu")
    ]
    np.testing.assert_array_equal(states[0].diverged_at, states[1].diverged_at)
    assert states[0].diverged_at[0] == -1 and states[0].diverged_at[-1] > 0
    for place in np.flatnonzero(states[0].diverged_at >= 0):
        assert not states[1].V[:, :, place].any() and states[1].shrinkage[place] == 1


def test_halving_sees_the_shares_that_numpy_sees():
    X, y = rows_and_labels(90)
    base = make_problem(X, y, train_rows=np.arange(60), dtype=np.float32)
    held_out = {"validation_X": X, "validation_y": y, "validation_rows": np.arange(60, 90)}
    shares = []
    for engine in ("numpy", "torch-cpu"):
        problem = replace(base, **held_out, device=device_named(engine))
        state = initial_state(cells_of([1e-6, 1e-5], [1.0, 10.0]), problem, Settings(40, 16))
        sgd = SGD(problem, Settings(40, 16), state)
        sgd.run(20)
        shares.append(sgd.validate())
    np.testing.assert_array_equal(*shares)
