"""The bound, the path, folds, resume, storage types; references are independent of the solver."""

import numpy as np
import pytest

from softmaxclf.core.solvers.lbfgs.gram import reduced_rows
from softmaxclf.core.solvers.lbfgs.minimizer import Minimizer, Settings
from softmaxclf.core.solvers.lbfgs.path import Path, run
from softmaxclf.core.solvers.lbfgs.preconditioner import Basis, bias_step
from softmaxclf.core.solvers.lbfgs.proof import finite, gap, without_absent
from softmaxclf.core.solvers.lbfgs.sums import ALL_ROWS, ArrayRows, Point

DEFAULTS = Settings()


def plain_objective(X, y, U, reg, w=None, bias_reg=False):
    Z = X @ U[:-1] + U[-1]
    top = Z.max(axis=1)
    losses = np.log(np.exp(Z - top[:, None]).sum(axis=1)) + top - Z[np.arange(len(y)), y]
    return np.average(losses, weights=w) + 0.5 * reg * (
        (U[:-1] ** 2).sum() + (bias_reg and (U[-1] ** 2).sum())
    )


def reference(X, y, K, reg, w=None, bias_reg=False):
    """The optimum by Newton's method with backtracking in float64, on present classes only where the bias is free."""
    w = np.ones(len(y)) if w is None else w
    keep = w > 0
    X, y, w = X[keep], y[keep], w[keep] / w[keep].sum()
    if not bias_reg:
        names, y = np.unique(y, return_inverse=True)
        K = len(names)
    if X.shape[1] > len(X):
        u, s, _ = np.linalg.svd(X, full_matrices=False)
        X = u * s
    F = np.column_stack([X, np.ones(len(X))])
    D = F.shape[1]
    U = np.zeros((D, K))
    R = np.full((D, K), reg)
    if not bias_reg:
        R[-1] = 0
    Y = np.eye(K)[y]

    def value(U):
        Z = F @ U
        top = Z.max(axis=1, keepdims=True)
        L = top[:, 0] + np.log(np.exp(Z - top).sum(axis=1))
        return w @ (L - (Z * Y).sum(axis=1)) + 0.5 * (R * U * U).sum(), np.exp(Z - L[:, None])

    f, P = value(U)
    for _ in range(200):
        G = F.T @ (w[:, None] * (P - Y)) + R * U
        T = (F[:, :, None] * P[:, None, :]).reshape(len(F), -1)
        H = -(T * w[:, None]).T @ T
        B = H.reshape(D, K, D, K)
        for k in range(K):
            B[:, k, :, k] += (F * (w * P[:, k])[:, None]).T @ F
        H[np.diag_indices(D * K)] += R.ravel() + 1e-15 * np.trace(H) / len(H)
        H[-K:, -K:] += 1 / K
        step = -np.linalg.solve(H, G.ravel()).reshape(D, K)
        slope, t = (step * G).sum(), 1.0
        if -slope < 1e-15 * max(f, 1e-3):
            break
        while t > 1e-10:
            f2, P2 = value(U + t * step)
            if f2 <= f + 1e-4 * t * slope:
                break
            t /= 2
        else:
            break
        U, f, P = U + t * step, f2, P2
    return f


def problem(seed):
    """A small random problem of a hard kind: (X, y, K, weights or None)."""
    r = np.random.default_rng(seed)
    K, N = int(r.integers(2, 21)), int(r.integers(2, 61))
    D = int(r.integers(1, 9)) if r.random() < 0.7 else int(r.integers(N, 2 * N + 2))
    if D * K > 500:
        K = max(2, 500 // D)
    X = r.standard_normal((N, D))
    y = r.integers(0, K, N)
    kind = seed % 6
    if kind == 1:
        y = (X @ r.standard_normal((D, K))).argmax(axis=1)  # separable
    if kind == 2:
        X[:, 0] = 3.0  # constant
    if kind == 3 and D > 1:
        X[:, -1] = X[:, 0] * 2  # collinear
    if kind == 4:
        X *= 10.0 ** r.uniform(-2, 2, D)
    if kind == 5:
        y = np.minimum(y, K // 2)  # absent classes
    w = None if r.random() < 0.5 else r.integers(0, 3, N).astype(float)
    if w is not None and w.sum() == 0:
        w = None
    return X, y.astype(np.int64), K, w


def solved(rows, regs, settings=DEFAULTS, fold=ALL_ROWS, guide=()):
    path = Path(rows, Basis.of(rows.covariance()), regs, settings, fold, guide)
    assert run([path])
    return path


@pytest.mark.parametrize("part", [pytest.param(n, marks=[pytest.mark.slow] * (n >= 6)) for n in range(20)])
@pytest.mark.slow
def test_the_bound_is_never_violated_and_the_optimum_is_reached(part):
    """1,000 problems: at random weights, at poor ones and at the solver's own, f - f* is at most the gap."""
    for seed in range(50 * part, 50 * part + 50):
        X, y, K, w = problem(seed)
        r = np.random.default_rng(seed)
        reg, bias_reg = 10.0 ** r.uniform(-6, 1), seed % 7 == 0
        rows = ArrayRows(X, y, K, weights=w, ones=bias_reg, threads=1)
        best = reference(X, y, K, reg, w, bias_reg)
        settings = Settings(tolerance=1e-6, free_bias=not bias_reg)
        path = solved(rows, [reg * 10, reg], settings)
        moments = rows.moments()
        weights = path.solutions[-1].weights
        tried = [
            weights,
            weights * 0.9,
            weights + r.standard_normal(weights.shape) * 10.0 ** r.uniform(-9, 0),
        ]
        for U in tried:
            U = U if not bias_reg else np.vstack([U[:-1], 0 * U[-1:]])
            at = without_absent(U, moments) if not bias_reg else U
            bound = gap(at, rows.evaluate([Point(at)], True)[0], moments, reg, free_bias=not bias_reg)
            assert bound.objective - best <= bound.gap + 1e-13, seed
            assert bound.objective >= best - 1e-9 * best - 1e-13, (seed, bound.objective, best)
        solution = path.solutions[-1]
        assert solution.proven, (seed, solution.gap)
        assert solution.objective - best <= 1e-6 * solution.objective + 1e-13
        if not bias_reg:
            users = path.users_weights(-1)
            assert np.isfinite(users).all()
            assert plain_objective(X, y, users, reg, w) == pytest.approx(
                solution.objective, rel=1e-11, abs=1e-14
            )


@pytest.mark.parametrize("bias", [True, False])
def test_gradient_and_hessian_are_finite_differences(bias):
    r = np.random.default_rng(3)
    X, y = r.standard_normal((70, 4)) * 3 + 1, r.integers(0, 3, 70)
    folds = r.integers(0, 3, 70)
    shift, scale = r.standard_normal((4, 4)), r.uniform(0.5, 2, (4, 4))
    rows = ArrayRows(X, y, 3, shift=shift, scale=scale, folds=folds, ones=bias, weights=r.uniform(0, 1, 70))
    U = r.standard_normal((5 + bias, 3))
    dU = r.standard_normal(U.shape)
    for fold in (ALL_ROWS, 0, 2):
        low, mid, high = rows.evaluate([Point(U + e * dU, fold, hessian=True) for e in (-1e-5, 0, 1e-5)])
        assert (high.loss - low.loss) / 2e-5 == pytest.approx(np.vdot(mid.gradient, dU), rel=1e-6)
        change = (high.gradient - low.gradient).ravel() / 2e-5
        np.testing.assert_allclose(mid.hessian @ dU.ravel(), change, rtol=1e-5, atol=1e-8)


def test_a_fold_is_the_training_on_its_rows_and_a_stack_is_its_members():
    r = np.random.default_rng(1)
    X, y = r.standard_normal((80, 5)), r.integers(0, 4, 80)
    folds = r.integers(0, 3, 80)
    rows = ArrayRows(X, y, 4, folds=folds)
    full = solved(rows, [1, 1e-2, 1e-4])
    paths = [
        Path(rows, Basis.of(rows.covariance()), [1, 1e-2, 1e-4], Settings(), fold, full.solutions)
        for fold in range(3)
    ]
    assert run(paths)
    for fold, path in enumerate(paths):
        kept = folds != fold
        alone = solved(ArrayRows(X[kept], y[kept], 4), [1, 1e-2, 1e-4], Settings(tolerance=1e-9))
        for a, b in zip(path.solutions, alone.solutions, strict=True):
            assert b.objective <= a.objective * (1 + 1e-9)
            assert a.objective == pytest.approx(b.objective, rel=1.1e-4)


def test_a_path_ends_where_single_fits_do():
    r = np.random.default_rng(5)
    X, y = r.standard_normal((300, 8)).astype(np.float32), r.integers(0, 5, 300)
    rows = ArrayRows(X, y, 5)
    path = solved(rows, np.logspace(-5, 1, 7), Settings(tolerance=1e-9))
    for solution in path.solutions:
        single = solved(rows, [solution.regularization], Settings(tolerance=1e-9)).solutions[0]
        assert single.proven and solution.proven
        assert single.objective == pytest.approx(solution.objective, rel=2e-9)


@pytest.mark.parametrize(("size", "wide"), [(0, 0), (2000, 0), (0, 15), (2000, 15)])
def test_a_path_resumed_after_any_reading_gives_the_same_bits(size, wide, monkeypatch):
    monkeypatch.setattr("softmaxclf.core.solvers.lbfgs.path.LONG", 0)
    monkeypatch.setattr("softmaxclf.core.solvers.lbfgs.path.WIDE", wide)
    monkeypatch.setattr("softmaxclf.core.solvers.lbfgs.minimizer.EXACT_SIZE", size)
    monkeypatch.setattr("softmaxclf.core.solvers.lbfgs.minimizer.EXACT_AFTER", 5)
    r = np.random.default_rng(5)
    X, y = r.standard_normal((200, 6)).astype(np.float32), r.integers(0, 5, 200)
    y[:60] = (X[:60, 0] > 0) * 3
    rows = ArrayRows(X, y, 5, threads=2)
    basis = Basis.of(rows.covariance())

    def fresh():
        return Path(rows, basis, np.logspace(-6, 1, 5), Settings(tolerance=1e-5))

    whole, broken = fresh(), fresh()
    run([whole])
    while not run([broken], stop=lambda: True):
        saved = {name: array.copy() for name, array in broken.arrays().items()}
        broken = fresh()
        broken.restore(saved)
    for a, b in zip(whole.solutions, broken.solutions, strict=True):
        assert a.weights.tobytes() == b.weights.tobytes()
        assert (a.gap, a.passes) == (b.gap, b.passes)


def test_values_side_by_side_are_solved_as_those_one_after_another(monkeypatch):
    r = np.random.default_rng(6)
    X, y = r.standard_normal((300, 8)).astype(np.float32), r.integers(0, 5, 300)
    rows, values = ArrayRows(X, y, 5), np.logspace(-5, 1, 7)
    alone = solved(rows, values)
    monkeypatch.setattr("softmaxclf.core.solvers.lbfgs.path.LONG", 0)
    beside = solved(rows, values)
    assert [len(each.group) for each in (alone, beside)] == [1, 7]
    for a, b in zip(alone.solutions, beside.solutions, strict=True):
        assert a.proven and b.proven and a.regularization == b.regularization
        assert a.objective == pytest.approx(b.objective, rel=1.1e-4)


def test_a_step_of_the_bias_alone_closes_the_bound():
    r = np.random.default_rng(8)
    X, y, present = r.standard_normal((500, 4)), r.integers(0, 6, 500), np.arange(7) < 6
    rows, U = ArrayRows(X, y, 7), r.standard_normal((5, 7)) * present
    for left in (1, 1, 0.1, 1e-3, 1e-6, 1e-12):
        sums = rows.evaluate([Point(without_absent(U, rows.moments()), spread=True)])[0]
        assert np.abs(sums.gradient[-1]).max() < left
        U[-1] += bias_step(sums.gradient[-1], sums.spread.coupling, present)


def test_a_large_covariance_is_known_by_its_leading_directions(monkeypatch):
    r = np.random.default_rng(2)
    X = r.standard_normal((400, 60)) * np.logspace(0, -3, 60)
    C, R = X.T @ X / 400, r.standard_normal((60, 3))
    factors = np.array([0.5, 1.0, 2.0])
    exact = np.column_stack(
        [np.linalg.solve(s * C + 1e-2 * np.eye(60), g) for s, g in zip(factors, R.T, strict=True)]
    )
    np.testing.assert_allclose(Basis.of(C).solve(R, factors, 1e-2), exact, rtol=1e-9, atol=1e-12)
    for name, value in (("LARGE", 50), ("LEADING", 30)):
        monkeypatch.setattr(f"softmaxclf.core.solvers.lbfgs.preconditioner.{name}", value)
    assert np.linalg.norm(Basis.of(C).solve(R, factors, 1e-2) - exact) < 0.1 * np.linalg.norm(exact)
    assert Basis.of(C).variance == pytest.approx(np.trace(C), rel=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64", "memmap"])
def test_any_storage_gives_the_optimum_of_its_values(dtype, tmp_path):
    r = np.random.default_rng(7)
    X = r.integers(0, 256, (400, 10))
    y = (X @ r.standard_normal((10, 3)) + 200 * r.standard_normal((400, 3))).argmax(axis=1)
    stored = X.astype("float32" if dtype == "memmap" else dtype)
    if dtype == "memmap":
        stored.tofile(tmp_path / "X")
        stored = np.memmap(tmp_path / "X", np.float32, "r", shape=X.shape)
    shift, scale = X.mean(axis=0), X.std(axis=0)
    path = solved(ArrayRows(stored, y, 3, shift=shift, scale=scale), [1e-1, 1e-4], Settings(tolerance=1e-7))
    for solution in path.solutions:
        best = reference((X - shift) / scale, y, 3, solution.regularization)
        assert solution.proven
        assert best * (1 - 1e-12) <= solution.objective <= best * (1 + 1e-7)


def test_more_features_than_rows_go_by_the_gram_matrix():
    r = np.random.default_rng(9)
    X, y = r.standard_normal((40, 3000)).astype(np.float32), r.integers(0, 3, 40)
    for ones in (False, True):
        rows = ArrayRows(X, y, 3, shift=X.mean(axis=0), ones=ones)
        small, back = reduced_rows(rows, ALL_ROWS)
        assert small.features <= 40
        path = solved(small, [1, 1e-3], Settings(tolerance=1e-8, free_bias=not ones))
        for solution in path.solutions:
            U = back(solution.weights)
            reg = solution.regularization
            bound = gap(U, rows.evaluate([Point(U)], True)[0], rows.moments(), reg, free_bias=not ones)
            assert bound.relative <= 1.01e-8
            assert bound.objective == pytest.approx(solution.objective, rel=1e-10)


def test_passes_that_are_spent_end_with_a_bound_that_holds():
    r = np.random.default_rng(5)
    X, y = r.standard_normal((300, 8)).astype(np.float32), r.integers(0, 5, 300)
    solution = solved(ArrayRows(X, y, 5), [1e-5], Settings(tolerance=1e-12, max_passes=4)).solutions[0]
    best = reference(X.astype(float), y, 5, 1e-5)
    assert not solution.proven and solution.passes <= 5
    assert 0 < solution.objective - best <= solution.gap * solution.objective
    assert finite(solution.weights, ArrayRows(X, y, 5).moments()).shape == (9, 5)
    assert isinstance(Minimizer, type)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
@pytest.mark.parametrize("rows", [None, slice(0, 90), slice(5, 100), slice(0, 100, 3)])
def test_rows_that_are_read_in_place_stay_as_they_are(dtype, rows):
    r = np.random.default_rng(0)
    X = r.integers(90, 110, (100, 5)).astype(dtype)
    X.flags.writeable = False  # as a mapped file is
    y, chosen = r.integers(0, 3, 100), None if rows is None else np.arange(100)[rows]
    own = X if rows is None else X[rows]
    mean, deviation = own.mean(axis=0, dtype=np.float64), own.std(axis=0, dtype=np.float64)
    before = X.copy()
    data = ArrayRows(X, y, 3, shift=mean, scale=deviation, rows=chosen)
    path = solved(data, [0.1])
    np.testing.assert_array_equal(X, before)
    plain = ArrayRows((own - mean) / deviation, y if rows is None else y[rows], 3)
    np.testing.assert_allclose(data.covariance(), plain.covariance(), atol=1e-5)
    assert path.solutions[0].objective == pytest.approx(solved(plain, [0.1]).solutions[0].objective, rel=1e-4)


def test_a_machine_of_many_cores_reads_few_rows():
    r = np.random.default_rng(0)
    rows = ArrayRows(r.normal(size=(7, 2)), np.arange(7) % 2, 2, threads=16)
    assert solved(rows, [0.1]).solutions[0].proven


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("free_bias", [True, False])
def test_a_polished_optimum_has_the_digits_of_float64(dtype, free_bias):
    r = np.random.default_rng(3)
    X, y, w = r.standard_normal((80, 6)).astype(dtype), r.integers(0, 3, 80), r.uniform(0.1, 3, 80)
    rows = ArrayRows(X, y, 3, weights=w, ones=not free_bias)
    for solution in solved(rows, [1.0, 1e-2, 1e-4], Settings(free_bias=free_bias, polish=1e9)).solutions:
        U = solution.weights
        gradient = rows.evaluate([Point(U)], True)[0].gradient
        gradient[:-1] += solution.regularization * U[:-1]
        assert solution.proven and solution.curve[-1] == solution.objective
        assert np.abs(gradient if free_bias else gradient[:-1]).max() < 1e-12
    assert solution.passes < 40


def test_a_polish_that_costs_more_than_is_allowed_is_left_out():
    r = np.random.default_rng(3)
    X, y = r.standard_normal((80, 6)), r.integers(0, 3, 80)
    plain, cheap = (
        solved(ArrayRows(X, y, 3), [1e-3], Settings(polish=each)) for each in (0.0, 80 * 21**2 - 1)
    )
    assert plain.solutions[0].weights.tobytes() == cheap.solutions[0].weights.tobytes()
    assert not plain.solutions[0].exact
    polished = solved(ArrayRows(X, y, 3), [1e-3], Settings(polish=80 * 21**2))
    assert polished.solutions[0].exact and polished.solutions[0].objective < plain.solutions[0].objective
