import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from softmaxclf.core import splits
from softmaxclf.core.splits import (
    WINDOW_BLOCKS,
    drawn_shots,
    epoch_permutation,
    stratified_folds,
    validation_split,
)

LABELS = hnp.arrays(np.int64, st.integers(2, 60), elements=st.integers(0, 5))
SEEDS = st.integers(0, 2**40)


def counts(labels, classes=6):
    return np.bincount(labels, minlength=classes)


@settings(deadline=None)
@given(LABELS, st.data(), st.sampled_from(["drawn", "last"]), SEEDS)
def test_both_parts_are_sorted_and_together_hold_every_row_once(y, data, rows, seed):
    count = data.draw(st.integers(0, len(y) - 1))
    train, validation = validation_split(y, count, rows, seed)
    assert len(validation) == count
    assert train.dtype == validation.dtype == np.int64
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()
    assert sorted([*train, *validation]) == list(range(len(y)))


@settings(deadline=None)
@given(LABELS, st.data(), SEEDS)
def test_drawn_rows_hold_each_class_within_one_row_of_its_share(y, data, seed):
    count = data.draw(st.integers(0, len(y) - 1))
    _, validation = validation_split(y, count, "drawn", seed)
    shares = counts(y) * count / len(y)
    assert (np.abs(counts(y[validation]) - shares) < 1).all()


def test_the_largest_remainders_get_the_left_over_rows():
    y = np.repeat([0, 1, 2], [50, 30, 20])  # shares of 7 rows: 3.5, 2.1, 1.4
    for seed in range(5):
        _, validation = validation_split(y, 7, "drawn", seed)
        assert counts(y[validation], 3).tolist() == [4, 2, 1]


def test_a_draw_depends_on_the_seed_alone_and_every_row_can_be_drawn():
    y = np.arange(40) % 4
    assert (validation_split(y, 8, "drawn", 3)[1] == validation_split(y, 8, "drawn", 3)[1]).all()
    drawn = {int(row) for seed in range(60) for row in validation_split(y, 8, "drawn", seed)[1]}
    assert drawn == set(range(40))


def test_last_takes_the_last_rows():
    train, validation = validation_split([1, 0, 1, 0, 1], 2, "last")
    assert (train.tolist(), validation.tolist()) == ([0, 1, 2], [3, 4])


def test_the_draw_is_the_one_that_saved_runs_were_made_with():
    y = np.arange(20) % 3
    assert validation_split(y, 5, "drawn", 7)[1].tolist() == [2, 4, 7, 12, 18]
    assert stratified_folds(y, 3, 7).tolist() == [2, 1, 1, 1, 1, 1, 0, 0, 2, 0, 2, 0, 2, 1, 2, 1, 2, 0, 0, 0]
    assert epoch_permutation(6, 7, 2).tolist() == [2, 3, 0, 5, 1, 4]
    assert epoch_permutation(6, 7, 2, block=2).tolist() == [1, 4, 2, 3, 0, 5]


@pytest.mark.parametrize("rows", ["drawn", "last"])
@pytest.mark.parametrize("count", [-1, 5, 6])
def test_a_split_that_leaves_no_training_rows_is_refused(rows, count):
    with pytest.raises(ValueError, match=f"fewer than the 5 training rows, got {count}; ask for fewer"):
        validation_split([0, 1, 0, 1, 0], count, rows)


@settings(deadline=None)
@given(LABELS, st.data(), SEEDS)
def test_folds_hold_each_class_and_all_rows_evenly(y, data, seed):
    folds = data.draw(st.integers(2, len(y)))
    fold = stratified_folds(y, folds, seed)
    assert fold.dtype == np.int16
    assert fold.shape == y.shape
    for members in [fold, *(fold[y == k] for k in range(6))]:
        sizes = counts(members, folds)
        assert len(sizes) == folds
        assert sizes.max() - sizes.min() <= 1


def test_folds_depend_on_the_seed_and_on_nothing_else():
    y = np.arange(50) % 5
    assert (stratified_folds(y, 5, 1) == stratified_folds(y, 5, 1)).all()
    assert (stratified_folds(y, 5, 1) != stratified_folds(y, 5, 2)).any()
    assert (stratified_folds(y.astype(np.uint8), 5, 1) == stratified_folds(y, 5, 1)).all()


@pytest.mark.parametrize(("folds", "most"), [(1, 4), (5, 4), (0, 4), (-3, 4)])
def test_too_few_or_too_many_folds_are_refused(folds, most):
    with pytest.raises(ValueError, match=f"folds: expected 2 to {most} for 4 rows, got {folds}"):
        stratified_folds([0, 1, 0, 1], folds)


def test_more_folds_than_int16_holds_are_refused():
    with pytest.raises(ValueError, match="2 to 32767"):
        stratified_folds(np.zeros(40_000, int), 32_768)


@settings(deadline=None)
@given(st.integers(0, 300), SEEDS, st.integers(0, 1000), st.none() | st.integers(1, 400))
def test_an_epoch_visits_every_row_once(rows, seed, epoch, block):
    order = epoch_permutation(rows, seed, epoch, block)
    assert order.dtype == np.int64
    assert sorted(order) == list(range(rows))
    assert (order == epoch_permutation(rows, seed, epoch, block)).all()


@pytest.mark.parametrize("block", [None, 10])
def test_epochs_and_seeds_differ(block):
    orders = [epoch_permutation(500, seed, epoch, block) for seed in range(3) for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 9


def test_a_window_reads_only_its_blocks_and_mixes_their_rows():
    block, rows = 5, 203
    order = epoch_permutation(rows, 1, 0, block)
    blocks = order // block
    start, seen, mixed = 0, set(), 0
    while start < rows:
        stop = start + 1
        while stop < rows and len(set(blocks[start : stop + 1])) <= WINDOW_BLOCKS:
            stop += 1
        window = blocks[start:stop]
        assert not seen & set(window), "no block is visited twice"
        seen |= set(window)
        mixed += np.count_nonzero(np.diff(window))
        start = stop
    assert mixed > rows / 2, "neighbours in time mostly come from different blocks"
    assert blocks[0] != 0 or blocks[-1] != rows // block, "blocks are visited in random order"


def test_an_epoch_never_repeats_the_draw_of_the_split_or_the_folds():
    # NumPy pads seeds with zeros: [seed] and [seed, 0] are one stream, so streams have a third word.
    y = np.zeros(30, int)
    order = epoch_permutation(30, 4, 0)
    assert set(order[:9]) != set(validation_split(y, 9, "drawn", 4)[1])
    assert (np.argsort(order) % 3 != stratified_folds(y, 3, 4)).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: validation_split([0, 1], 1, "first"), "'drawn' or 'last', got 'first'"),
        (lambda: validation_split([0, 1], 1, "drawn", -1), "numbers >= 0, got -1"),
        (lambda: validation_split([[0, 1]], 1, "drawn"), r"int64 \(1, 2\)"),
        (lambda: stratified_folds([0.5, 1.0], 2), "integer labels"),
        (lambda: epoch_permutation(-1, 0, 0), "rows"),
        (lambda: epoch_permutation(3, 0, -2), "got 0, -2"),
        (lambda: epoch_permutation(3, 0, 0, 0), "block: expected at least 1"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_test_split_is_stratified_and_not_the_validation_draw():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    rest, drawn = splits.drawn_test_split(y, 0.2, seed=3)
    assert np.bincount(y[drawn]).tolist() == [10, 6, 4]
    assert sorted([*rest, *drawn]) == list(range(100))
    assert drawn.tolist() == splits.drawn_test_split(y, 20, seed=3)[1].tolist()
    assert drawn.tolist() != splits.validation_split(y, 20, "drawn", seed=3)[1].tolist()
    assert splits.count_of(0.001, 100) == 1 and splits.count_of(1e2, 300) == 100
    with pytest.raises(ValueError, match="fewer than the 100 rows"):
        splits.drawn_test_split(y, 100)


@given(LABELS, st.integers(0, 9), SEEDS)
def test_shots_are_so_many_rows_of_each_class_or_all_that_it_has(y, shots, seed):
    rows = drawn_shots(y, shots, seed)
    assert (np.diff(rows) > 0).all()
    assert counts(y[rows]).tolist() == np.minimum(counts(y), shots).tolist()


def test_more_shots_of_a_seed_hold_the_fewer_ones_and_another_seed_draws_others():
    y = np.arange(200) % 4
    few, more = (set(drawn_shots(y, shots, 5).tolist()) for shots in (3, 8))
    assert few < more and few != set(drawn_shots(y, 3, 6).tolist())


def test_the_shots_are_those_that_saved_runs_were_made_with():
    assert drawn_shots(np.arange(20) % 3, 2, 7).tolist() == [5, 9, 11, 13, 16, 18]
