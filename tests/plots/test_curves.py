"""Learning curves: gaps, percent, smoothing, one run and several."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from softmaxclf.plots.curves import (
    LearningCurves,
    curves_of_cells,
    draw_curves,
    learning_curves,
    run_colours,
    running_mean,
)

NAN = float("nan")


def short_run(name: str = "") -> LearningCurves:
    return learning_curves(
        [(0, 2.3, NAN, 0.1, 2.4), (5, NAN, 0.2, NAN, NAN), (10, 1.9, 0.4, 0.25, 2.0)], name=name
    )


def losses_only(losses: Sequence[float]) -> LearningCurves:
    return learning_curves([(place, loss, NAN, NAN, NAN) for place, loss in enumerate(losses)])


def test_missing_values_are_left_out_and_accuracies_are_percent() -> None:
    run = short_run()
    assert [series.tolist() for series in run.loss] == [[0, 10], [2.3, 1.9]]
    assert [series.tolist() for series in run.train] == [[5, 10], [20, 40]]
    assert [series.tolist() for series in run.validation] == [[0, 10], [10, 25]]
    assert run.smooth_loss[1].tolist() == [2.3, 1.9]


def test_infinite_losses_of_a_diverged_run_are_left_out() -> None:
    run = losses_only([2.3, np.inf, NAN])
    assert run.loss[0].tolist() == [0] and run.train[0].size == 0


def test_a_running_mean_is_centred_and_looks_back_at_the_end() -> None:
    values = np.array([10.0, 1.0, 4.0, 1.0, 4.0, 7.0])
    expected = [10.0, 5.0, 2.0, 3.0, 4.0, 5.5]
    assert running_mean(values, 1).tolist() == pytest.approx(expected)
    assert running_mean(np.arange(9.0), 3)[:6].tolist() == pytest.approx(list(range(6)))
    assert running_mean(np.empty(0), 3).size == 0
    assert running_mean(np.array([1e30, 1.0, 1.0, 1.0, 1.0]), 1)[3] == 1.0


def test_a_long_noisy_loss_is_smoothed() -> None:
    noise = np.where(np.arange(200) % 2 == 0, 1.0, 3.0)
    run = losses_only(noise.tolist())
    assert np.ptp(run.smooth_loss[1][20:-20]) < 0.3 and np.ptp(run.loss[1]) == 2


def test_one_run_has_its_curves_and_its_last_accuracies(check: Any, texts: Callable[..., list[str]]) -> None:
    figure = check(lambda: draw_curves([short_run()]))
    loss, accuracy = figure.axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [[2.3, 1.9], [2.4, 2.0]]
    assert [line.get_ydata().tolist() for line in accuracy.lines] == [[20, 40], [10, 25]]
    assert {"train", "validation", "accuracy (%)", "iteration"} <= set(texts(figure))


def test_the_figures_on_all_rows_are_points_at_the_end_and_other_cells_are_pale(
    texts: Callable[..., list[str]],
) -> None:
    splits = {"train": {"accuracy": 0.35, "loss": 1.95}, "test": {"accuracy": 0.2, "loss": 2.0}}
    own = learning_curves([(0, 2.3, NAN, 0.1, 2.4), (10, 1.9, 0.4, 0.25, 2.0)], splits=splits)
    lines = [(rate, 1.0, point, 9.0, 0.1, 0.2, 50.0) for rate in (0.1, 0.2) for point in (0, 10)]
    others = curves_of_cells(lines)
    assert [each.validation_loss[1].tolist() for each in others] == [[50, 50]] * 2
    figure = draw_curves([own], others=others)
    loss, accuracy = figure.axes
    ends = [line.get_xydata().tolist() for line in (*loss.lines, *accuracy.lines) if line.get_marker() == "o"]
    assert [[10, 1.95]] in ends and [[10, 35]] in ends
    assert {"train (1.95 on all rows)", "train (35.0 % on all rows)", "other cells, validation"} <= set(
        texts(figure)
    )
    assert sum(line.get_alpha() == 0.3 for line in loss.lines) == 2
    assert loss.get_ylim()[1] < 3  # what others lost does not flatten its own curve


def test_a_noisy_training_accuracy_is_smoothed_over_a_pale_line() -> None:
    noise = [(place, 2.0, 0.3 + 0.1 * (place % 2), 0.3, 2.0) for place in range(100)]
    accuracy = draw_curves([learning_curves(noise)], panels=["accuracy"]).axes[0]
    pale, smooth = accuracy.lines[:2]
    assert pale.get_alpha() == 0.25 and np.ptp(pale.get_ydata()) == pytest.approx(10)
    assert np.ptp(np.asarray(smooth.get_ydata())[10:-10]) < 4


def test_several_runs_are_named_and_coloured_alike_in_both_panels(
    check: Any, texts: Callable[..., list[str]]
) -> None:
    figure = check(lambda: draw_curves([short_run("first"), short_run("second")], heading="Two"))
    assert {"Two", "first", "second", "train", "validation"} <= set(texts(figure))
    loss, accuracy = figure.axes
    assert [line.get_color() for line in loss.lines] == run_colours(2)
    colours = [line.get_color() for line in accuracy.lines]
    assert colours == 2 * run_colours(2)  # both trained, then both judged


def test_of_runs_that_lie_on_each_other_none_hides_another() -> None:
    figure = draw_curves([short_run("a"), short_run("b"), short_run("c")], along="epoch")
    for axes in figure.axes[:2]:
        widths = [
            line.get_linewidth()
            for line in axes.lines
            if line.get_linestyle() == "-" and len(line.get_xdata())
        ]
        assert len(widths) == 3 and widths == sorted(widths, reverse=True) and widths[0] > 1.5 * widths[2]
        assert axes.get_xlabel() == "epoch"


def test_a_loss_over_many_orders_gets_a_logarithmic_axis() -> None:
    exploding = losses_only([2.3, 1e9])
    assert draw_curves([exploding]).axes[0].get_yscale() == "log"
    assert draw_curves([short_run()]).axes[0].get_yscale() == "linear"


def test_a_panel_can_be_drawn_alone(texts: Callable[..., list[str]]) -> None:
    for panel, other in (("loss", "accuracy (%)"), ("accuracy", "loss")):
        (axes,) = draw_curves([short_run()], panels=[panel]).axes
        assert axes.lines and other not in texts(axes.figure)


def test_histories_of_no_point_are_drawn() -> None:
    for nothing in ([], np.empty((0, 4))):
        assert len(draw_curves([learning_curves(nothing)]).axes) == 2
    assert len(draw_curves([]).axes) == 2


def test_every_run_has_its_own_colour() -> None:
    assert len(set(run_colours(7))) == 7 and len(set(run_colours(30))) == 30
