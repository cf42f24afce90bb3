"""The rows of a batch in memory."""

import numpy as np
import pytest

from softmaxclf.core.problem import Problem
from softmaxclf.core.solvers.sgd.row_buffer import CACHE_LINE, RowBuffer
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


@pytest.mark.parametrize("mirror", [None, SHAPE])
@pytest.mark.parametrize(("center", "folds"), [(False, None), (True, None), (True, 4)])
def test_a_batch_is_the_offsets_and_the_rows_asked_for(mirror, center, folds):
    problem = problem_of(center=center, mirror=mirror, folds=folds)
    buffer = RowBuffer(problem, problem.X, 20)
    generator = np.random.default_rng(1)
    for count in (20, 1, 7, 20):
        rows = generator.permutation(60)[:count]
        Z = buffer.gather(rows)
        assert buffer.offsets + count == len(Z)
        np.testing.assert_allclose(Z, expected_rows(problem, rows, mirror), rtol=1e-12)


@pytest.mark.parametrize("features", [1, 12, 16, 3072])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_lie_on_an_odd_number_of_cache_lines(features, dtype):
    X = np.zeros((10, features), np.uint8)
    fitted = fit_stages(stages_of(center=False), FittingRows(X, np.arange(10)))
    buffer = RowBuffer(Problem(X, np.zeros(10, np.int64), 2, np.arange(10), fitted, dtype=dtype), X, 10)
    lines, rest = divmod(buffer.gather(np.arange(10)).strides[0], CACHE_LINE)
    assert rest == 0 and lines % 2 == 1
