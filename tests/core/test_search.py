"""The search over a grid: which cells, in which stacks, which go on, which wins."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softmaxclf.core.metrics import wilson_interval
from softmaxclf.core.repeats import least_difference
from softmaxclf.core.search import (
    FURTHER,
    Outcome,
    averaged,
    axes_of,
    choose,
    grid_cells,
    least_told,
    narrowed,
    only_axis,
    rungs,
    split_stacks,
    stable_learning_rate,
    tied_with,
    widened,
)

NAN = float("nan")


def outcome(
    accuracy, *, penalty=1.0, rate=1.0, loss=1.0, error=0.01, iterations=10, status="ok", correct=None
):
    values = {"learning_rate": rate, "regularization": penalty}
    interval = (accuracy, accuracy)
    return Outcome(
        values,
        accuracy,
        accuracy,
        loss,
        interval,
        error=error,
        iterations=iterations,
        status=status,
        correct=correct,
    )


def axes(rates, penalties):
    return {"learning_rate": list(rates), "regularization": list(penalties)}


# The grid and its stacks


def test_the_grid_goes_through_folds_fastest_and_learning_rates_slowest():
    cells = grid_cells(axes([1e-7, 1e-6], [3, 4, 5]), folds=2)
    expected = [(rate, penalty, fold) for rate in (1e-7, 1e-6) for penalty in (3, 4, 5) for fold in (0, 1)]
    columns = [column.tolist() for column in cells.values.values()]
    assert list(cells.values) == ["learning_rate", "regularization"]
    assert list(zip(*columns, cells.fold.tolist(), strict=True)) == expected
    assert cells.at(3) == {"learning_rate": 1e-7, "regularization": 4.0}
    assert cells.index.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_without_folds_each_cell_is_one_model():
    cells = grid_cells(axes([1, 2], [3]))
    assert cells.fold.tolist() == [-1, -1] and cells.index.tolist() == [0, 1]


@pytest.mark.parametrize("folds", [0, 2])
def test_a_grid_may_have_one_axis_or_three(folds):
    one = grid_cells({"regularization": [1, 2]}, folds)
    assert one.values["regularization"].tolist() == ([1.0, 1.0, 2.0, 2.0] if folds else [1.0, 2.0])
    three = grid_cells({"a": [1, 2], "b": [3], "c": [4, 5]}, folds)
    settings = [three.at(place) for place in range(0, len(three), folds or 1)]
    assert settings == [{"a": a, "b": 3, "c": c} for a in (1, 2) for c in (4, 5)]


@given(
    rates=st.integers(1, 9),
    penalties=st.integers(1, 9),
    folds=st.sampled_from([0, 2, 5]),
    size=st.integers(1, 1000),
    memory=st.integers(0, 50_000),
)
def test_stacks_hold_every_cell_once_within_the_bound_and_of_equal_width(
    rates, penalties, folds, size, memory
):
    cells = grid_cells(axes(range(1, rates + 1), range(penalties)), folds)
    stacks = split_stacks(cells, size, memory)
    each = max(1, folds)
    members = [(index, fold) for stack in stacks for index, fold in zip(stack.index, stack.fold, strict=True)]
    assert members == list(zip(cells.index, cells.fold, strict=True))
    counts = [len(np.unique(stack.index)) for stack in stacks]
    assert [len(stack) for stack in stacks] == [count * each for count in counts]
    assert max(counts) - min(counts) <= 1
    assert all(len(stack) * size <= memory for stack in stacks) or max(counts) == 1
    fitting = memory // (size * each)
    if fitting:
        assert len(stacks) == math.ceil(rates * penalties / fitting)


# Halving


def column_iterations(plan, iterations, count):
    """How many (cell, iteration) pairs are computed."""
    done, total = 0, 0
    for iteration, kept in plan:
        total += (iteration - done) * count
        done, count = iteration, kept
    return total + (iterations - done) * count


@given(iterations=st.integers(0, 5000), count=st.integers(1, 300))
def test_rungs_come_in_order_and_keep_fewer_and_fewer_cells_but_one(iterations, count):
    plan = rungs(iterations, count)
    steps = [iteration for iteration, _ in plan]
    kept = [count, *(keep for _, keep in plan)]
    assert steps == sorted(steps) and all(0 < step < iterations for step in steps)
    assert all(after < before for before, after in pairwise(kept)) and kept[-1] >= 1


@given(iterations=st.integers(100, 5000), count=st.integers(3, 300))
def test_halving_computes_at_most_half_of_the_column_iterations(iterations, count):
    assert column_iterations(rungs(iterations, count), iterations, count) <= 0.5 * iterations * count


def test_two_cells_are_halved_at_the_first_rung():
    assert rungs(800, 2) == [(160, 1)]
    assert rungs(800, 24) == [(160, 12), (400, 6)]
    assert rungs(800, 5) == [(160, 2), (400, 1)]
    assert rungs(1, 24) == []


def test_the_cells_with_the_best_mean_over_their_folds_go_on_with_all_folds():
    accuracies = np.array([0.9, 0.1, 0.6, 0.6, 0.3, 0.8])
    index = np.array([4, 4, 7, 7, 9, 9])
    assert narrowed(accuracies, index, 1).tolist() == [False, False, True, True, False, False]
    assert narrowed(accuracies, index, 2).tolist() == [False, False, True, True, True, True]
    assert narrowed(accuracies, index, 3).all()


def test_a_cell_of_which_a_fold_diverged_goes_on_last():
    accuracies = np.array([NAN, 1.0, 0.0, 0.0, NAN, NAN])
    index = np.array([0, 0, 1, 1, 2, 2])
    assert narrowed(accuracies, index, 1).tolist() == [False, False, True, True, False, False]


def test_of_equal_cells_the_first_ones_go_on():
    assert narrowed(np.full(4, 0.5), np.arange(4), 2).tolist() == [True, True, False, False]


# The winner


def test_the_highest_accuracy_wins_then_the_lower_loss_then_the_stronger_penalty():
    assert choose([outcome(0.3), outcome(0.5), outcome(0.4)]) == 1
    assert choose([outcome(0.5, loss=2), outcome(0.5, loss=1), outcome(0.5, loss=3)]) == 1
    assert choose([outcome(0.5, penalty=1), outcome(0.5, penalty=9), outcome(0.5, penalty=3)]) == 1


def test_by_loss_the_lowest_loss_wins_then_the_higher_accuracy():
    outcomes = [outcome(0.9, loss=2), outcome(0.1, loss=1), outcome(0.2, loss=1)]
    assert choose(outcomes, metric="loss") == 2


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
@pytest.mark.parametrize("select", ["best", "one-se"])
def test_only_finished_cells_can_win(metric, select):
    gone = outcome(NAN, loss=NAN, error=NAN, iterations=3, status="diverged at iteration 3")
    left = outcome(0.9, loss=0.1, iterations=5, status="stopped at rung 1 (iteration 5)")
    never = outcome(NAN, loss=NAN, error=NAN, iterations=0, status="not started")
    assert choose([gone, left, outcome(0.2), never], metric, select) == 2
    assert choose([gone, left, never], metric, select) is None
    assert choose([], metric, select) is None


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
@pytest.mark.parametrize("select", ["best", "one-se"])
@pytest.mark.parametrize("places", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_a_cell_whose_loss_is_no_number_loses_against_any_other(metric, select, places):
    outcomes = [outcome(0.5, loss=NAN, penalty=9), outcome(0.4, loss=2), outcome(0.5, loss=math.inf)]
    shuffled = [outcomes[place] for place in places]
    winner = shuffled[choose(shuffled, metric, select)]
    assert not math.isnan(winner.validation_loss)


def test_cells_that_time_cut_short_are_compared_at_equal_budgets():
    early = outcome(0.9, iterations=4, status="cut short at iteration 4")
    assert choose([early, outcome(0.2, iterations=10)]) == 1
    assert choose([early, outcome(0.2, iterations=4, status="cut short at iteration 4")]) == 0


def test_one_standard_error_prefers_the_strongest_penalty_that_is_as_good_as_can_be_told():
    """Best 0.40 with an error of 0.02: 0.38 is within it, 0.37 is not."""
    outcomes = [
        outcome(0.39, penalty=1, error=0.5),
        outcome(0.40, penalty=10, error=0.02),
        outcome(0.385, penalty=100),
        outcome(0.38, penalty=1000),
        outcome(0.37, penalty=10_000),
        outcome(0.99, penalty=1e6, status="stopped at rung 2 (iteration 5)"),
    ]
    assert choose(outcomes, select="best") == 1
    assert choose(outcomes, select="one-se") == 3


def test_of_equally_strong_penalties_within_one_standard_error_the_best_wins():
    outcomes = [outcome(0.40, penalty=1), outcome(0.391, penalty=5), outcome(0.395, penalty=5, rate=2)]
    assert choose(outcomes, select="one-se") == 2


def right(*places, rows=40):
    return np.isin(np.arange(rows), places)


def test_cells_that_a_paired_test_cannot_tell_from_the_winner_are_counted():
    """Only the rows on which two cells differ count: 5 to 0 has p = 2 / 32, 6 to 0 has p = 2 / 64."""
    winner = outcome(0.9, correct=right(*range(30)))
    others = [
        outcome(0.9, correct=right(*range(30))),
        outcome(0.8, correct=right(*range(25))),
        outcome(0.7, correct=right(*range(24))),
        outcome(0.9, correct=right(*range(25)), status="stopped at rung 1 (iteration 3)"),
        outcome(0.9, correct=right(*range(25)), iterations=3),
        outcome(NAN, status="diverged at iteration 3"),
    ]
    assert tied_with([*others[:3], winner, *others[3:]], 3) == {0, 1}
    assert tied_with([winner], 0) == set()


def test_where_the_loss_decides_cells_of_a_clearly_higher_loss_are_not_tied():
    same = right(*range(30))
    cells = [
        replace(outcome(0.9, correct=same), validation_loss=loss, loss_error=0.03)
        for loss in (0.5, 0.58, 0.6, 6)
    ]
    assert tied_with(cells, 0, "loss") == {1}  # 1.96 * 0.03 * sqrt(2) = 0.083
    assert tied_with(cells, 0, "accuracy") == {1, 2, 3}


# Repeats


def repeated(accuracies, losses=None, **choices):
    """One outcome per repeat of a cell, of 40 held-out rows and no folds."""
    losses = [1 - each for each in accuracies] if losses is None else losses
    return [
        replace(
            outcome(accuracy, loss=loss, correct=right(0), **choices),
            train_loss=2 * loss,
            weights=np.full((2, 2), accuracy),
            by_fold={"validation_accuracy": np.array([accuracy]), "validation_loss": np.array([loss])},
        )
        for accuracy, loss in zip(accuracies, losses, strict=True)
    ]


def test_over_repeats_a_cell_has_means_deviations_and_errors_that_know_of_shared_rows():
    found = averaged(repeated([0.5, 0.6, 0.7], [1.0, 1.2, 1.1]), held_out=0.2)
    assert found.finished and found.validation_accuracy == pytest.approx(0.6)
    assert found.validation_loss == pytest.approx(1.1) and found.train_loss == pytest.approx(2.2)
    assert found.validation_accuracy_sd == found.validation_loss_sd == pytest.approx(0.1)
    assert found.error == found.loss_error == pytest.approx(0.1 * math.sqrt(1 / 3 + 0.25))
    assert found.interval == wilson_interval(24, 40)
    assert found.weights.tolist() == pytest.approx(np.full((2, 2), 0.6))


def test_a_single_repeat_is_as_it_is():
    (alone,) = repeated([0.5])
    assert averaged([alone], held_out=0.2) is alone


def test_a_cell_that_one_repeat_did_not_finish_is_finished_in_none():
    good, bad = repeated([0.5, 0.6])
    bad = replace(bad, status="diverged at iteration 7", validation_accuracy=NAN, validation_loss=NAN)
    late, first = averaged([good, bad], 0.1), averaged([bad, good], 0.1)
    assert late.status == "diverged at iteration 7 in repeat 2" and not late.finished
    assert first.status == "diverged at iteration 7" and not first.finished


def test_repeats_tell_cells_apart_by_their_differences_however_much_the_draws_vary():
    draws = np.array([0.5, 0.9, 0.7, 0.6])  # of all cells alike
    noise = np.array([0.01, -0.01, 0.02, -0.02])
    cells = [averaged(repeated(draws + 0.05), 0.1), averaged(repeated(draws + noise), 0.1),
             averaged(repeated(draws + 0.05 - noise / 2), 0.1)]  # fmt: skip
    assert len(tied_with(cells, 0, "accuracy", 0.1)) == 1
    least = [least_difference(each, 0.1) for each in (0.05 - noise, noise / 2)]
    assert least[0] < 0.05 and least_told(cells, 0, "accuracy", 0.1) == pytest.approx(np.median(least))


def test_without_rivals_the_least_difference_is_that_of_two_settings_on_draws_of_their_own():
    accuracies = [0.5, 0.9, 0.7, 0.6]
    alone = [averaged(repeated(accuracies), 0.0)]
    expected = math.sqrt(2) * least_difference(np.array(accuracies), 0.0)
    assert least_told(alone, 0, "accuracy", 0.0) == pytest.approx(expected)


# What metrics.json holds of a cell


@pytest.mark.parametrize("values", [{"regularization": 3.0}, {"learning_rate": 1e-7, "regularization": 3.0}])
@pytest.mark.parametrize("figures", [{}, {"steps": 7, "gap": 1e-9}])
def test_an_outcome_is_read_back_from_its_document(values, figures):
    told = Outcome(values, 0.5, 0.4, 1.2, (0.3, 0.5), 0.01, 10, "cut short at iteration 10", figures,
                   train_loss=1.1, weight_norm=3.0, loss_error=0.1, validation_accuracy_sd=0.02,
                   validation_loss_sd=0.03)  # fmt: skip
    document = json.loads(json.dumps(told.document()))
    assert list(document)[: len(values)] == list(values)
    assert document["validation_accuracy"] == 0.4 and document["validation_interval"] == [0.3, 0.5]
    found = Outcome.of_document(document, tuple(values))
    bare = Outcome.of_document({k: v for k, v in document.items() if k not in FURTHER}, tuple(values))
    assert math.isnan(bare.train_loss) and bare.figures == figures  # as earlier runs wrote it
    kept = (
        "values",
        "train_accuracy",
        "validation_accuracy",
        "validation_loss",
        "interval",
        "status",
        "figures",
        *FURTHER,
    )
    assert all(getattr(found, name) == getattr(told, name) for name in kept)
    assert found.state == "cut"


def test_what_is_null_in_a_document_is_not_a_number():
    document = {"regularization": 1.0, "train_accuracy": None, "validation_accuracy": None}
    document |= {"validation_loss": None, "validation_interval": [None, None], "status": "not started"}
    found = Outcome.of_document(document, ("regularization",))
    numbers = (found.train_accuracy, found.validation_accuracy, found.validation_loss, *found.interval)
    assert all(math.isnan(each) for each in numbers) and not found.finished


def test_the_one_axis_is_the_one_that_varies():
    def axis(*pairs):
        return only_axis([Outcome({"learning_rate": rate, "regularization": reg}) for rate, reg in pairs])

    assert axis((1, 1), (1, 2)) == "regularization" and axis((1, 1), (2, 1)) == "learning_rate"
    assert axis((1, 1), (2, 2)) is None and axis((1, 1)) == "regularization" and only_axis([]) is None


def test_the_axes_are_the_settings_of_the_best_cell():
    assert axes_of({"learning_rate": 1e-7, "regularization": 3.0, "refit": True}) == (
        "learning_rate",
        "regularization",
    )


# Wider grids


def test_an_edge_widens_by_three_steps_in_its_own_ratio():
    assert widened([1e-7, 1e-6, 1e-5], 1e-5) == (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
    assert widened([1, 10], 1) == (0.001, 0.01, 0.1, 1, 10)
    assert widened([10, 1], 1) == (0.001, 0.01, 0.1, 1, 10)


def test_a_narrow_axis_widens_at_least_by_doubling():
    assert widened([1.4, 1.5, 1.6], 1.6) == (1.4, 1.5, 1.6, 3.2, 6.4, 12.8)


def test_inside_and_on_axes_of_one_value_and_at_zero_there_is_no_edge():
    assert widened([1, 2, 3], 2) is None
    assert widened([5], 5) is None
    assert widened([0, 2, 3], 0) is None
    assert widened([0, 100], 100) == (0, 100, 200, 400, 800)


def test_an_axis_is_not_widened_to_zero_or_infinity():
    assert widened([1e-300, 1e-200], 1e-300) == (1e-300, 1e-200)
    assert widened([1e-290, 1e-280], 1e-290) == (1e-320, 1e-310, 1e-300, 1e-290, 1e-280)
    assert widened([1e200, 1e300], 1e300) == (1e200, 1e300)
    assert widened([1e-200, 1.0], 1e-200) == (1e-200, 1.0)
    assert widened([1.0, 1e200], 1e200) == (1.0, 1e200)
    assert widened([1e-300, 1e300], 1e-300) == widened([1e-300, 1e300], 1e300) == (1e-300, 1e300)


@given(
    axis=st.lists(st.floats(1e-9, 1e9), min_size=2, max_size=6, unique=True),
    low=st.booleans(),
)
def test_a_wider_axis_keeps_the_values_of_the_old_one_and_adds_three_beyond_its_edge(axis, low):
    ordered = sorted(axis)
    wider = widened(axis, ordered[0] if low else ordered[-1])
    assert wider is not None
    assert list(wider) == sorted(set(wider))
    assert (list(wider[3:]) if low else list(wider[:-3])) == ordered


# A learning rate that cannot diverge


def objective_and_gradient(features, y, W, b, strength):
    scores = features @ W + b
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(y))
    value = -logs[rows, y].mean() + 0.5 * strength * (W**2).sum()
    errors = np.exp(logs)
    errors[rows, y] -= 1
    return value, features.T @ errors / len(y) + strength * W, errors.mean(axis=0)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 300.0])
@pytest.mark.parametrize("strength", [0.0, 0.1, 1e5])
@pytest.mark.parametrize("shape", [(30, 8), (8, 30)])
def test_the_stable_learning_rate_lowers_the_objective_in_every_step(spread, strength, shape):
    """With the bias learned too, as the engine does, from a start far from the optimum."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=shape) * spread
    features -= features.mean(axis=0)
    y = generator.integers(0, 3, len(features))
    rate = stable_learning_rate(features, strength)
    W, b = generator.normal(size=(shape[1], 3)) / spread, 5 * generator.normal(size=3)
    values = []
    for _ in range(200):
        value, dW, db = objective_and_gradient(features, y, W, b, strength)
        values.append(value)
        W, b = W - rate * dW, b - rate * db
    assert np.all(np.diff(values) <= 1e-9 * np.abs(values[0]))
    assert values[-1] < values[0]


@pytest.mark.parametrize("strength", [0.0, 2.0, 1e300])
def test_the_stable_learning_rate_is_one_digit_below_the_inverse_of_the_curvature_bound(strength):
    features = np.array([[3.0, 0.0], [0.0, 4.0]])
    sigma = np.linalg.svd([[3, 0, 1], [0, 4, 1]])[1][0]  # the bias is a column of ones
    bound = 1 / (0.5 * sigma**2 / 2 + strength)
    rate = stable_learning_rate(features, strength)
    assert 0.5 * bound < rate <= bound * (1 + 1e-12)
    assert float(f"{rate:.0e}") == rate


def test_features_without_any_spread_leave_the_curvature_of_the_bias():
    assert stable_learning_rate(np.zeros((4, 3)), 0.0) == 2.0
