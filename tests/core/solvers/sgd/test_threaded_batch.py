"""The products with the rows of a batch, whoever has gathered which of them."""

from contextlib import ExitStack

import numpy as np
import pytest

from softmaxclf.core.problem import Problem
from softmaxclf.core.solvers.sgd.row_buffer import CACHE_LINE, RowBuffer
from softmaxclf.core.solvers.sgd.threaded_batch import ThreadedBatch
from softmaxclf.core.solvers.sgd.worker import Worker
from softmaxclf.core.stages.fitting import FittingRows, fit_stages
from tests.core.stages_of import stages_of

SHAPE = (1, 3, 4)


def problem_of(*, center=True, mirror=None, folds=None, dtype=np.float64):
    generator = np.random.default_rng(0)
    X = generator.integers(0, 256, (60, 12)).astype(np.uint8)
    rows = np.arange(50)
    groups = None if folds is None else rows % folds
    fitted = fit_stages(stages_of(center=center, mirror=mirror), FittingRows(X, rows, groups, mirror))
    return Problem(X, generator.integers(0, 3, 60), 3, rows, fitted, dtype=dtype)


def expected_rows(problem, rows, mirror):
    Z = problem.X[rows].astype(float)
    if mirror is not None:
        images = Z.reshape(-1, 3, 4)
        Z = (images + images[..., ::-1])[..., :2].reshape(-1, 6)
    offsets = [each.offset for each in problem.preprocessing if each.offset is not None]
    return np.vstack([*offsets, Z]) if offsets else Z


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("mirror", [None, SHAPE])
@pytest.mark.parametrize(("center", "folds"), [(False, None), (True, None), (True, 4)])
def test_the_products_are_those_of_offsets_and_rows(threads, workers, mirror, center, folds):
    problem = problem_of(center=center, mirror=mirror, folds=folds)
    crew = [Worker() for _ in range(workers)]
    parts = ThreadedBatch(problem, problem.X, 20, crew)
    generator = np.random.default_rng(1)
    batches = [generator.permutation(60)[:count] for count in (20, 1, 7, 20)]
    V = generator.standard_normal((6 if mirror else 12, 5))
    with ExitStack() as stack:
        for worker in crew if threads else []:
            stack.enter_context(worker)
        parts.load(batches[0])
        for rows, coming in zip(batches, [*batches[1:], None], strict=True):
            Z = expected_rows(problem, rows, mirror)
            assert parts.offsets + len(rows) == len(Z)
            out = np.empty((len(Z), 5))
            parts.forward(V, out)
            np.testing.assert_allclose(out, Z @ V, rtol=1e-12)
            dS = generator.standard_normal((len(Z), 5))
            for block, last in ((slice(0, 4), False), (slice(4, len(V)), True)):
                change = np.empty((block.stop - block.start, 5))
                parts.backward(dS, block, change, coming if last else None)
                np.testing.assert_allclose(change, Z[:, block].T @ dS, rtol=1e-10, atol=1e-9)


def test_loading_again_before_a_product_counts():
    problem = problem_of()
    parts = ThreadedBatch(problem, problem.X, 20, [Worker(), Worker()])
    parts.load(np.arange(20))
    parts.load(np.arange(30, 35))
    out = np.empty((6, 2))
    parts.forward(np.ones((12, 2)), out)
    np.testing.assert_allclose(out, expected_rows(problem, np.arange(30, 35), None) @ np.ones((12, 2)))


@pytest.mark.parametrize("features", [1, 12, 16, 3072])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_lie_on_an_odd_number_of_cache_lines(features, dtype):
    X = np.zeros((10, features), np.uint8)
    fitted = fit_stages(stages_of(center=False), FittingRows(X, np.arange(10)))
    buffer = RowBuffer(Problem(X, np.zeros(10, np.int64), 2, np.arange(10), fitted, dtype=dtype), X, 10)
    lines, rest = divmod(buffer.view(10).strides[0], CACHE_LINE)
    assert rest == 0 and lines % 2 == 1
