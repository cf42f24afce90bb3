"""The stacked engine against a plain loop that knows none of its tricks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softmaxclf.core.losses.hinge import hinge_score_gradient
from softmaxclf.core.losses.softmax import score_gradient
from softmaxclf.core.problem import Cells, Problem
from softmaxclf.core.solvers.sgd import descent, solver
from softmaxclf.core.solvers.sgd.solver import SGD
from softmaxclf.core.solvers.sgd.state import Settings, SGDState, initial_state
from softmaxclf.core.splits import epoch_permutation, stratified_folds
from softmaxclf.core.stages.fitting import FittingRows, fit_stages
from softmaxclf.core.stages.stage import Preprocessing
from tests.core.engines import ENGINES, device_named
from tests.core.stages_of import stages_of

IMAGE = (3, 4, 6)
CLASSES = 4


def rows_and_labels(count=60, seed=0, columns=72):
    generator = np.random.default_rng(seed)
    y = generator.integers(0, CLASSES, count)
    X = generator.integers(0, 200, (count, columns)) + 10 * y[:, None] * (
        np.arange(columns) % CLASSES == y[:, None]
    )
    return X.astype(np.uint8), np.concatenate([np.arange(CLASSES), y[CLASSES:]])


def cells_of(learning_rates, regularizations, folds=None):
    count = len(learning_rates)
    fold = np.full(count, -1) if folds is None else np.array(folds)
    values = {
        "learning_rate": np.array(learning_rates, float),
        "regularization": np.array(regularizations, float),
    }
    return Cells(values, fold, np.arange(count))


def make_problem(
    X,
    y,
    *,
    train_rows=None,
    folds=None,
    center=True,
    scale="none",
    mirror=None,
    dtype=np.float64,
    engine="numpy",
):
    train_rows = np.arange(len(X)) if train_rows is None else train_rows
    fold_of_row = None if folds is None else stratified_folds(y, folds)
    groups = None if fold_of_row is None else fold_of_row[train_rows]
    stages = stages_of(center=center, scale=scale, mirror=mirror)
    fitted = fit_stages(stages, FittingRows(X, train_rows, groups, mirror))
    device = device_named(engine)
    return Problem(X, y, CLASSES, train_rows, fitted, fold_of_row=fold_of_row, dtype=dtype, device=device)


def trained(problem, cells, settings):
    state = initial_state(cells, problem, settings)
    SGD(problem, settings, state).run(settings.iterations)
    return state


def weights_of(state: SGDState, place: int, preprocessing: Preprocessing):
    V = state.weights(place)
    return V * np.broadcast_to(preprocessing.divisor, len(V))[:, None]


def plain_loop(problem, settings, learning_rate, regularization, fold=-1):
    """One model by the formulas of the engine's docstring, on features that are computed and centered in full."""
    preprocessing = problem.preprocessing[fold if len(problem.preprocessing) > 1 else 0]
    features = preprocessing.apply(problem.X)
    W, b = np.zeros((features.shape[1], CLASSES)), np.zeros(CLASSES)
    velocity, b_velocity = np.zeros_like(W), np.zeros_like(b)
    per_epoch = -(-len(problem.train_rows) // settings.batch_size)
    gradient_of = {"softmax": score_gradient, "hinge": hinge_score_gradient}[settings.loss]
    for iteration in range(settings.iterations):
        epoch, place = divmod(iteration, per_epoch)
        order = problem.train_rows[epoch_permutation(len(problem.train_rows), settings.seed, epoch)]
        rows = order[place * settings.batch_size : (place + 1) * settings.batch_size]
        if fold >= 0:
            rows = rows[problem.fold_of_row[rows] != fold]
        dW, db = regularization * W, np.zeros(CLASSES)
        if settings.regularize_bias:
            db = regularization * b
        if len(rows):
            dS = gradient_of(features[rows] @ W + b, problem.y[rows]) / len(rows)
            dW, db = dW + features[rows].T @ dS, db + dS.sum(axis=0)
        eta = learning_rate * settings.rate(iteration)
        velocity = settings.momentum * velocity - eta * dW
        b_velocity = settings.momentum * b_velocity - eta * db
        W = W + settings.momentum * velocity - eta * dW
        b = b + settings.momentum * b_velocity - eta * db
    return W, b


def assert_close(found, expected, tolerance):
    scale = max(np.abs(expected).max(), 1e-12)
    assert np.abs(found - expected).max() <= tolerance * scale


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("regularize_bias", [False, True])
@ENGINES
def test_every_cell_of_a_stack_follows_the_plain_formulas(loss, momentum, schedule, regularize_bias, engine):
    X, y = rows_and_labels()
    problem = make_problem(X, y, engine=engine)
    chosen = Settings(35, 16, loss, momentum, schedule, regularize_bias, seed=3)
    rates, strengths = [1e-6, 3e-6, 1e-5], [0.0, 10.0, 1000.0]
    state = trained(problem, cells_of(rates, strengths), chosen)
    for place, (rate, strength) in enumerate(zip(rates, strengths, strict=True)):
        W, b = plain_loop(problem, chosen, rate, strength)
        assert_close(weights_of(state, place, problem.preprocessing[0]), W, 1e-10)
        assert_close(state.b[:, place], b, 1e-10)


@pytest.mark.parametrize("scale", ["none", "standardize", "unit-norm"])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("mirror", [None, IMAGE])
@pytest.mark.parametrize("folds", [None, 3])
@ENGINES
def test_every_preprocessing_equals_training_on_the_preprocessed_features(
    scale, center, mirror, folds, engine
):
    X, y = rows_and_labels(seed=1)
    problem = make_problem(X, y, center=center, scale=scale, mirror=mirror, folds=folds, engine=engine)
    chosen = Settings(25, 16, seed=1, momentum=0.5)
    rate = 1e-6 if scale == "none" else 1e-2
    assigned = None if folds is None else [0, 1, 2]
    state = trained(problem, cells_of([rate] * 3, [1.0, 2.0, 3.0], assigned), chosen)
    for place in range(3):
        fold = -1 if folds is None else place
        W, b = plain_loop(problem, chosen, rate, place + 1.0, fold)
        own = problem.preprocessing[fold if len(problem.preprocessing) > 1 else 0]
        assert_close(weights_of(state, place, own), W, 1e-9)
        assert_close(state.b[:, place], b, 1e-9)


@settings(deadline=None, max_examples=25)
@given(
    grid=st.lists(st.tuples(st.floats(1e-8, 1e-5), st.floats(0, 1e4)), min_size=1, max_size=5),
    folds=st.integers(2, 6),
    batch_size=st.integers(1, 70),
    count=st.integers(13, 50),
    seed=st.integers(0, 1000),
)
@ENGINES
def test_masked_cells_equal_separate_training_on_their_own_rows(grid, folds, batch_size, count, seed, engine):
    X, y = rows_and_labels(count, seed)
    problem = make_problem(X, y, folds=folds, engine=engine)
    chosen = Settings(2 * (-(-count // batch_size)) + 1, batch_size, seed=seed, momentum=0.3)
    pairs = [(rate, strength, fold) for rate, strength in grid for fold in range(folds)]
    state = trained(problem, cells_of(*zip(*pairs, strict=True)), chosen)
    for place, (rate, strength, fold) in enumerate(pairs):
        W, b = plain_loop(problem, chosen, rate, strength, fold)
        assert_close(weights_of(state, place, problem.preprocessing[fold]), W, 1e-5)
        assert_close(state.b[:, place], b, 1e-5)


@ENGINES
@pytest.mark.slow
def test_a_cell_alone_and_in_a_stack_agree_in_float32_after_many_iterations(engine):
    X, y = rows_and_labels(200, seed=5)
    problem = make_problem(X, y, dtype=np.float32, engine=engine)
    chosen = Settings(3000, 20, seed=2)
    stacked = trained(problem, cells_of([1e-7, 1e-6, 3e-6], [5.0, 50.0, 500.0]), chosen)
    for place, (rate, strength) in enumerate([(1e-7, 5.0), (1e-6, 50.0), (3e-6, 500.0)]):
        alone = trained(problem, cells_of([rate], [strength]), chosen)
        assert_close(stacked.V[:, :, place], alone.V[:, :, 0], 1e-4)


@ENGINES
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(engine):
    X, y = rows_and_labels()
    problem = make_problem(X, y, dtype=np.float32, engine=engine)
    cells = cells_of([1e-6, 1e-5], [1.0, 10.0])
    first, second, other = (trained(problem, cells, Settings(30, 16, seed=seed)) for seed in (4, 4, 5))
    assert first.V.tobytes() == second.V.tobytes()
    assert first.V.tobytes() != other.V.tobytes()


@ENGINES
def test_a_diverged_cell_is_marked_with_its_iteration_and_leaves_its_neighbours_alone(engine):
    X, y = rows_and_labels()
    problem = make_problem(X, y, dtype=np.float32, engine=engine)
    chosen = Settings(60, 16)
    wild = trained(problem, cells_of([1e-6, 1e30, 1e-5], [1.0, 1.0, 10.0]), chosen)
    tame = trained(problem, cells_of([1e-6, 1e-6, 1e-5], [1.0, 1.0, 10.0]), chosen)
    assert list(wild.diverged_at >= 0) == [False, True, False]
    assert 0 < wild.diverged_at[1] <= 60
    for place in (0, 2):
        assert wild.V[:, :, place].tobytes() == tame.V[:, :, place].tobytes()
    assert not wild.V[:, :, 1].any()
    assert np.isnan(wild.history.loss[-1][1]) and np.isfinite(wild.history.loss[-1][0])


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@ENGINES
def test_learning_rates_from_the_smallest_to_the_largest_never_raise(loss, engine):
    X, y = rows_and_labels()
    rates = [1e-300, 1e-100, 1e-10, 1.0, 1e10, 1e38, 1e300]
    state = trained(
        make_problem(X, y, dtype=np.float32, engine=engine),
        cells_of(rates, [1.0] * len(rates)),
        Settings(20, 16, loss),
    )
    assert np.isfinite(state.V).all()
    assert state.diverged_at[0] == -1 and state.diverged_at[-1] > 0


def test_the_loss_starts_at_log_k():
    X, y = rows_and_labels()
    state = trained(make_problem(X, y), cells_of([1e-12], [0.0]), Settings(1, 60))
    assert state.history.loss[0][0] == pytest.approx(np.log(CLASSES), rel=1e-9)


@pytest.mark.parametrize("folds", [None, 2])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@ENGINES
def test_stopping_anywhere_and_going_on_gives_the_same_bits(folds, momentum, engine, monkeypatch):
    monkeypatch.setattr(solver, "SLICE_SECONDS", 0)  # PyTorch asks then, too, after each iteration
    X, y = rows_and_labels()
    problem = make_problem(X, y, dtype=np.float32, folds=folds, engine=engine)
    cells = cells_of([1e-6, 1e-5], [1.0, 10.0], None if folds is None else [0, 1])
    chosen = Settings(40, 16, momentum=momentum, schedule="cosine")
    whole = trained(problem, cells, chosen)
    for stop in (1, 7, 39):
        state = initial_state(cells, problem, chosen)
        assert not SGD(problem, chosen, state).run(40, lambda iteration, stop=stop: iteration == stop)
        assert state.iteration == stop
        assert SGD(problem, chosen, state).run(40)
        assert state.V.tobytes() == whole.V.tobytes()
        np.testing.assert_array_equal(state.history.train_accuracy, whole.history.train_accuracy)
        np.testing.assert_array_equal(state.history.loss, whole.history.loss)


@ENGINES
def test_cells_that_leave_the_stack_do_not_move_the_others(engine):
    X, y = rows_and_labels()
    problem = make_problem(X, y, engine=engine)
    cells = cells_of([1e-6, 1e-5, 2e-6], [1.0, 10.0, 5.0])
    chosen = Settings(40, 16, momentum=0.9)
    state = initial_state(cells, problem, chosen)
    SGD(problem, chosen, state).run(15)
    narrowed = state.keep(np.array([0, 2]))
    SGD(problem, chosen, narrowed).run(40)
    whole = trained(problem, cells, chosen)
    assert list(narrowed.cells.index) == [0, 2]
    assert_close(narrowed.V, whole.V[:, :, [0, 2]], 1e-10)


@ENGINES
def test_history_counts_accuracy_of_the_current_weights_on_validation_rows(engine):
    X, y = rows_and_labels(90)
    train_rows, validation_rows = np.arange(60), np.arange(60, 90)
    base = make_problem(X, y, train_rows=train_rows)
    problem = Problem(
        X,
        y,
        CLASSES,
        train_rows,
        base.preprocessing,
        X,
        y,
        validation_rows,
        dtype=np.float64,
        device=device_named(engine),
    )
    state = trained(problem, cells_of([1e-5], [1.0]), Settings(30, 16, history_points=5))
    W = weights_of(state, 0, problem.preprocessing[0])
    labels = (problem.preprocessing[0].apply(X[validation_rows]) @ W + state.b[:, 0]).argmax(axis=1)
    assert state.history.iteration == [0, 6, 12, 18, 24, 30]
    assert state.history.validation_accuracy[-1][0] == np.mean(labels == y[validation_rows])
    assert len(state.history.loss) == 6 and state.history.loss[0][0] == np.log(CLASSES)


def test_a_history_has_a_hundred_lines_of_a_long_training_and_all_of_a_short_one():
    X, y = rows_and_labels(90)
    train_rows, validation_rows = np.arange(60), np.arange(60, 90)
    base = make_problem(X, y, train_rows=train_rows)
    problem = Problem(X, y, CLASSES, train_rows, base.preprocessing, X, y, validation_rows, dtype=np.float64)
    long, short = (trained(problem, cells_of([1e-5], [1.0]), Settings(n, 4)).history for n in (250, 7))
    assert short.iteration == [*range(8)]
    assert len(long.iteration) == 101 and long.iteration[-1] == 250
    assert np.isfinite(long.loss).all() and np.isfinite(long.train_accuracy[1:]).all()
    validated = np.flatnonzero(np.isfinite(long.validation_accuracy))
    assert len(validated) == 25 and validated[-1] == 100  # that costs more than a step


@ENGINES
def test_zero_iterations_leave_zero_weights(engine):
    X, y = rows_and_labels()
    state = trained(make_problem(X, y, engine=engine), cells_of([1e-5], [1.0]), Settings(0, 16))
    assert not state.V.any() and state.iteration == 0 and state.history.iteration == [0]


def test_a_batch_larger_than_the_data_is_the_whole_data():
    X, y = rows_and_labels()
    problem = make_problem(X, y)
    one = trained(problem, cells_of([1e-6], [1.0]), Settings(5, 60))
    larger = trained(problem, cells_of([1e-6], [1.0]), Settings(5, 10_000))
    assert_close(one.V, larger.V, 1e-12)


@pytest.fixture(params=[2, 3])
def divided(request, monkeypatch):
    """Several groups, however small the work and whatever the machine. Returns a way back to a single one."""
    monkeypatch.setattr(solver, "groups_of", lambda state: request.param)
    return lambda: monkeypatch.setattr(solver, "groups_of", lambda state: 1)


@pytest.mark.parametrize("blocks", [1, 4])
@pytest.mark.parametrize("folds", [None, 2])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("scale", ["none", "standardize", "unit-norm"])
def test_many_threads_train_what_one_trains(blocks, folds, momentum, scale, divided, monkeypatch):
    X, y = rows_and_labels(90)
    base = make_problem(X, y, train_rows=np.arange(60), folds=folds, scale=scale)
    held_out = {} if folds else {"validation_X": X, "validation_y": y, "validation_rows": np.arange(60, 90)}
    problem = replace(base, **held_out)
    rate = 1e-6 if scale == "none" else 1e-2
    strengths = [
        1.0,
        1.0,
        0.3 / rate,
        1.5 / rate,
    ]  # the last: each step multiplies the weights by less than 0
    assigned = None if folds is None else [0, 1, 0, 1]
    cells = cells_of([rate, 1e30, 2 * rate, rate], strengths, assigned)
    chosen = Settings(41, 16, momentum=momentum)
    many = initial_state(cells, problem, chosen)
    if blocks > 1:
        monkeypatch.setattr(descent, "BLOCK_NUMBERS", many.V.size // blocks)
    trainer = SGD(problem, chosen, many)
    asked = []
    assert trainer.run(41, lambda iteration: bool(asked.append(iteration)))
    validated = trainer.validate()
    divided()
    one = initial_state(cells, problem, chosen)
    single = SGD(problem, chosen, one)
    assert single.run(41)
    assert many.iteration == 41 and asked[-1] == 41
    for place in range(4):
        assert_close(many.weights(place), one.weights(place), 1e-10)
    assert_close(many.b, one.b, 1e-10)
    np.testing.assert_array_equal(many.diverged_at, one.diverged_at)
    assert many.history.iteration == one.history.iteration
    for name in ("loss", "train_accuracy", "validation_accuracy"):
        np.testing.assert_allclose(getattr(many.history, name), getattr(one.history, name), rtol=1e-9)
    np.testing.assert_array_equal(validated, single.validate())


def test_many_threads_that_are_stopped_and_continued_give_the_same_bits(divided, monkeypatch):
    X, y = rows_and_labels()
    problem = make_problem(X, y, dtype=np.float32)
    cells = cells_of([1e-6, 1e-5, 2e-6, 1e-7], [1.0, 10.0, 5.0, 2.0])
    chosen = Settings(200, 16, momentum=0.9)
    whole = trained(problem, cells, chosen)
    monkeypatch.setattr(solver, "SLICE_SECONDS", 0)
    state = initial_state(cells, problem, chosen)
    assert not SGD(problem, chosen, state).run(200, lambda iteration: iteration == 77)
    assert state.iteration == 77
    assert SGD(problem, chosen, state).run(200)
    assert state.V.tobytes() == whole.V.tobytes()
    assert state.history.iteration == whole.history.iteration
    np.testing.assert_array_equal(state.history.loss, whole.history.loss)


@pytest.mark.parametrize(
    ("threads", "grid", "expected"),
    [(1, 24, 1), (2, 1, 1), (2, 12, 1), (2, 24, 2), (8, 24, 1), (8, 120, 8)],
)
def test_a_stack_wide_enough_for_all_threads_is_divided_into_groups(threads, grid, expected, monkeypatch):
    monkeypatch.setattr(solver.blas, "threads", lambda: threads)
    problem = Problem(
        np.zeros((500, 3072), np.uint8), np.zeros(500, np.int64), 10, np.arange(500), [Preprocessing()]
    )
    assert (
        solver.groups_of(initial_state(cells_of([1.0] * grid, [1.0] * grid), problem, Settings(1, 200)))
        == expected
    )


@ENGINES
def test_decay_is_exact_for_rates_whose_factor_float32_would_round_away(engine):
    """1e-9 a step: next to 1, float32 knows nothing of it."""
    X, y = rows_and_labels()
    problem = make_problem(X, y, dtype=np.float32, engine=engine)
    chosen = Settings(200, 60)
    state = initial_state(cells_of([1e-12], [1e3]), problem, chosen)
    state.V[:] = 1
    SGD(problem, chosen, state).run(200)
    assert state.shrinkage[0] == pytest.approx((1 - 1e-9) ** 200, rel=1e-15)
    assert state.weights(0)[0, 1] < 1 - 1.9e-7


@pytest.mark.parametrize("folds", [None, 3])
@pytest.mark.parametrize("loss", ["softmax", "hinge"])
@ENGINES
def test_whole_weights_are_repeated_rows_in_descent_on_all_of_them(folds, loss, engine):
    X, y = rows_and_labels()
    weights = np.random.default_rng(4).integers(1, 4, len(X))
    base = make_problem(X, y, folds=folds, engine=engine)
    fold_of_row = base.fold_of_row
    repeated = replace(
        base,
        X=X.repeat(weights, axis=0),
        y=y.repeat(weights),
        train_rows=np.arange(weights.sum()),
        fold_of_row=None if folds is None else fold_of_row.repeat(weights),
    )
    cells = cells_of([1e-6, 3e-6], [0.0, 100.0], [-1, -1] if folds is None else [0, 2])
    found = trained(
        replace(base, weights=weights.astype(float)), cells, Settings(30, 60, loss, history_points=3)
    )
    expected = trained(repeated, cells, Settings(30, int(weights.sum()), loss, history_points=3))
    if folds is None:
        assert_close(found.V, expected.V, 1e-10)
        np.testing.assert_allclose(found.history.loss, expected.history.loss, rtol=1e-10)
    else:  # of folds a batch's mean is that of all its rows on average
        assert_close(found.V, expected.V, 0.02)


def test_equal_weights_are_none_and_weights_of_rows_in_small_batches_hold_on_average():
    X, y = rows_and_labels()
    base, cells, chosen = make_problem(X, y), cells_of([1e-6], [1.0]), Settings(40, 16)
    plain = trained(base, cells, chosen)
    assert_close(trained(replace(base, weights=np.full(60, 7.0)), cells, chosen).V, plain.V, 1e-12)
    weights = np.random.default_rng(1).uniform(0.5, 2, 60)
    weighted = replace(base, weights=weights)
    columns = descent.Columns(weighted, initial_state(cells, base, chosen))
    batches = np.arange(60).reshape(4, 15)
    shares = (
        np.concatenate([columns.inputs(rows, 1, *np.ones((2, 1)), None).shares[0] for rows in batches]) / 4
    )
    np.testing.assert_allclose(shares, weights / weights.sum())
