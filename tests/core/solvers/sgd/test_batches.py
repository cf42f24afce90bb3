"""The minibatches: every row once per epoch, the same ones whatever runs on them."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softmaxclf.core.problem import Problem
from softmaxclf.core.solvers.sgd.batches import Batches
from softmaxclf.core.solvers.sgd.state import Settings
from softmaxclf.core.stages.stage import Preprocessing


def problem_of(train_rows, *, total=60, block=None):
    X = np.zeros((total, 12), np.uint8)
    return Problem(X, np.zeros(total, np.int64), 3, train_rows, [Preprocessing()], block=block)


def batches_of(problem, settings, start, stop):
    batches = Batches(problem, settings)
    return [batches.rows(iteration).tolist() for iteration in range(start, stop)]


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
        assert sorted(chain.from_iterable(epoch)) == sorted(rows)
        assert all(len(part) == size for part in epoch[:-1])
        assert len(epoch[-1]) == len(rows) - size * (per_epoch - 1)


def test_epochs_differ_and_seeds_differ():
    problem = problem_of(np.arange(60))
    first, second = batches_of(problem, Settings(2, 60), 0, 2)
    (other,) = batches_of(problem, Settings(2, 60, seed=1), 0, 1)
    assert first != second and first != other


@pytest.mark.parametrize("start", [0, 1, 6, 7, 8, 13, 19])
def test_starting_anywhere_gives_the_batches_of_an_undisturbed_run(start):
    problem = problem_of(np.arange(50))
    whole = batches_of(problem, Settings(20, 8), 0, 20)
    assert batches_of(problem, Settings(20, 8), start, 20) == whole[start:]


def test_the_order_does_not_depend_on_the_number_of_iterations():
    problem = problem_of(np.arange(3, 53))
    assert batches_of(problem, Settings(20, 8), 0, 20) == batches_of(problem, Settings(999, 8), 0, 20)


def test_a_batch_larger_than_the_data_is_the_whole_data():
    found = batches_of(problem_of(np.arange(10, 20)), Settings(3, 1000), 0, 3)
    assert [sorted(rows) for rows in found] == [list(range(10, 20))] * 3
