"""The minibatches: every row once per epoch, the same ones whatever runs on them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softmaxclf.core.batches import Batches, offset_rows
from softmaxclf.core.preprocessing import Preprocessing, fit_preprocessing
from softmaxclf.core.rows import RowReader
from softmaxclf.core.stack import Problem, Settings

SHAPE = (1, 3, 4)


def problem_of(train_rows, *, total=60, center=False, mirror=None, folds=None, block=None):
    generator = np.random.default_rng(0)
    X = generator.integers(0, 256, (total, 12)).astype(np.uint8)
    y = generator.integers(0, 3, total)
    groups = None if folds is None else np.arange(len(train_rows)) % folds
    fitted = fit_preprocessing(RowReader(X, mirror), train_rows, groups, center=center, scale="none")
    return Problem(X, y, 3, train_rows, fitted, block=block)


def batches_of(problem, settings, start, stop):
    return [
        (batch.rows.copy(), batch.y.copy(), batch.Z.copy())
        for batch in Batches(problem, settings).between(start, stop)
    ]


@given(
    rows=st.lists(st.integers(0, 59), min_size=1, max_size=60, unique=True),
    size=st.integers(1, 70),
    seed=st.integers(0, 9),
    block=st.sampled_from([None, 1, 7]),
)
def test_each_epoch_visits_every_training_row_once_and_no_other(rows, size, seed, block):
    problem = problem_of(np.array(rows), block=block)
    per_epoch = -(-len(rows) // size)
    assert Batches(problem, Settings(1, size, seed=seed)).per_epoch == per_epoch
    found = batches_of(problem, Settings(10, size, seed=seed), 0, 2 * per_epoch)
    for epoch in (found[:per_epoch], found[per_epoch:]):
        assert sorted(np.concatenate([part for part, _, _ in epoch])) == sorted(rows)
        assert all(len(part) == size for part, _, _ in epoch[:-1])
        assert len(epoch[-1][0]) == len(rows) - size * (per_epoch - 1)


def test_a_batch_holds_the_rows_and_labels_that_it_names():
    problem = problem_of(np.arange(5, 50))
    for rows, y, Z in batches_of(problem, Settings(20, 8), 0, 20):
        np.testing.assert_array_equal(Z, problem.X[rows])
        np.testing.assert_array_equal(y, problem.y[rows])
        assert Z.dtype == np.float32


def test_epochs_differ_and_seeds_differ():
    problem = problem_of(np.arange(60))
    first, second = (part.tolist() for part, _, _ in batches_of(problem, Settings(2, 60), 0, 2))
    ((other, _, _),) = batches_of(problem, Settings(2, 60, seed=1), 0, 1)
    assert first != second and first != other.tolist()


@pytest.mark.parametrize("start", [0, 1, 6, 7, 8, 13, 19])
def test_starting_anywhere_gives_the_batches_of_an_undisturbed_run(start):
    problem = problem_of(np.arange(50), center=True)
    whole = batches_of(problem, Settings(20, 8), 0, 20)
    for found, expected in zip(batches_of(problem, Settings(20, 8), start, 20), whole[start:], strict=True):
        for left, right in zip(found, expected, strict=True):
            np.testing.assert_array_equal(left, right)


def test_the_order_does_not_depend_on_folds_preprocessing_or_the_number_of_iterations():
    rows = np.arange(3, 53)
    plain = batches_of(problem_of(rows), Settings(20, 8), 0, 20)
    folded = batches_of(problem_of(rows, folds=4, center=True, mirror=SHAPE), Settings(999, 8), 0, 20)
    for (left, _, _), (right, _, _) in zip(plain, folded, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("mirror", [None, SHAPE])
def test_offsets_of_the_folds_stand_before_the_rows_of_every_batch(mirror):
    problem = problem_of(np.arange(50), folds=3, center=True, mirror=mirror)
    for rows, _, Z in batches_of(problem, Settings(20, 8), 0, 20):
        assert len(Z) == 3 + len(rows)
        for fold, preprocessing in enumerate(problem.preprocessing):
            np.testing.assert_allclose(Z[fold], preprocessing.offset, rtol=1e-6)
        images = problem.X[rows].astype(float).reshape(-1, 3, 4)
        expected = problem.X[rows] if mirror is None else (images + images[..., ::-1])[..., :2].reshape(-1, 6)
        np.testing.assert_array_equal(Z[3:], expected)


def test_without_centering_no_row_is_put_before():
    X = np.ones((4, 12), np.float32)
    buffer, count = offset_rows([Preprocessing(), Preprocessing()], 5, RowReader(X))
    assert count == 0 and buffer.shape == (5, 12)


def test_a_batch_larger_than_the_data_is_the_whole_data():
    found = batches_of(problem_of(np.arange(10, 20)), Settings(3, 1000), 0, 3)
    assert [sorted(rows.tolist()) for rows, _, _ in found] == [list(range(10, 20))] * 3


def test_no_iterations_give_no_batches():
    assert batches_of(problem_of(np.arange(10)), Settings(0, 4), 0, 0) == []
