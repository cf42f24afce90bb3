"""A grid of one axis as curves: where values stand, what the bands are, how gaps and open ends show."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from softmaxclf.core.search import Outcome
from softmaxclf.plots.path import draw_cells, label_values, log_places, path_table

NAN = float("nan")
VALUES = (10.0, 0.1, 1.0, 100.0, 0.01)


def cell(value: float, status: str = "ok", **others: Any) -> Outcome:
    told: dict[str, Any] = {
        "interval": (0.6, 0.8),
        "error": 0.02,
        "loss_error": 0.1,
        "train_loss": 0.5,
        "weight_norm": 2.0,
    }
    return Outcome({"regularization": value}, 0.9, 0.7, 1.0, status=status, **{**told, **others})


CELLS = [cell(value) for value in VALUES]
BEST = {"regularization": 1.0}


def stars(figure: Any) -> list[int]:
    """The panels with a star."""
    return [n for n, axes in enumerate(figure.axes) if any(line.get_marker() == "*" for line in axes.lines)]


def test_values_ascend_and_bands_are_intervals_of_the_hold_out() -> None:
    table = path_table(CELLS, "regularization", best=BEST)
    assert table.values == [0.01, 0.1, 1.0, 10.0, 100.0] and table.best == 2
    assert table.bands["validation_accuracy"][:, 0] == pytest.approx([60, 80])
    assert table.bands["validation_loss"][:, 0] == pytest.approx([1 - 0.196, 1 + 0.196], abs=1e-4)
    assert "95 %" in table.band


def test_with_folds_bands_are_one_standard_error() -> None:
    table = path_table(CELLS, "regularization", folds=5)
    assert table.bands["validation_accuracy"][:, 0] == pytest.approx([68, 72])
    assert table.bands["validation_loss"][:, 0] == pytest.approx([0.9, 1.1])
    assert "5 folds" in table.band


@pytest.mark.parametrize(("metric", "panel"), [("accuracy", 0), ("loss", 1)])
def test_the_star_and_the_heading_name_the_metric_that_decided(
    check: Any, texts: Callable[..., list[str]], metric: str, panel: int
) -> None:
    figure = check(lambda: draw_cells(CELLS, best=BEST, metric=metric))
    assert len(figure.axes) == 3 and stars(figure) == [panel]
    assert any(f"validation {metric}: regularization 1 " in text for text in texts(figure))
    assert figure.axes[2].get_yscale() == "log"


def test_what_was_not_run_or_diverged_is_a_gap_and_what_is_unproven_is_hollow(
    texts: Callable[..., list[str]],
) -> None:
    cells = [
        cell(0.01, figures={"proven": False}),
        cell(0.1, figures={"proven": True}),
        Outcome({"regularization": 1.0}),
        Outcome({"regularization": 10.0}, validation_accuracy=0.1, status="diverged at iteration 3"),
        cell(100.0),
    ]
    table = path_table(cells, "regularization")
    assert table.state.tolist() == ["unproven", "ok", "not", "diverged", "ok"]
    for name in ("validation_accuracy", "weight_norm"):
        assert np.isnan(table.figures[name]).tolist() == [False, False, True, True, False]
    figure = draw_cells(cells, best={})
    assert {"not proven", "diverged", "not run"} <= set(texts(figure)) and "chosen" not in texts(figure)
    assert all(len(axes.patches) == 2 for axes in figure.axes)
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "#ffffff"]
    assert [list(line.get_xdata()) for line in hollow] == [[-2.0], [-2.0]]


def test_cells_of_a_smaller_budget_are_not_joined_to_the_others() -> None:
    cells = [replace(each, status="stopped at rung 1") if n == 2 else each for n, each in enumerate(CELLS)]
    lines = [line for line in draw_cells(cells, best=BEST).axes[0].lines if line.get_linestyle() == "-"]
    assert np.isnan(lines[0].get_ydata()).tolist() == [False, False, True, False, False]


def test_an_older_run_has_no_norm_and_no_training_loss() -> None:
    cells = [
        replace(
            each,
            train_loss=NAN,
            weight_norm=NAN,
            error=NAN,
            loss_error=NAN,
            values={"learning_rate": value, "regularization": 0.0},
        )
        for each, value in zip(CELLS, VALUES, strict=True)
    ]
    figure = draw_cells(cells, best={"learning_rate": 1.0, "regularization": 0.0})
    assert len(figure.axes) == 2 and figure.axes[1].get_xlabel().startswith("learning rate")
    assert len(draw_cells(cells[:1], best={}).axes) == 2


def test_a_plane_stays_heat_maps() -> None:
    cells = [replace(each, values={"learning_rate": n % 2, **each.values}) for n, each in enumerate(CELLS)]
    assert draw_cells(cells, best={}).axes[0].get_title("left") == "Validation accuracy (%) (decides)"


def test_zero_stands_one_step_before_the_others() -> None:
    assert log_places([0.0, 0.1, 1.0, 10.0]).tolist() == [-2, -1, 0, 1]
    assert len(log_places([0.0])) == 1


@pytest.mark.parametrize(
    ("values", "room", "expected"),
    [
        ([0.0, 0.02, 0.3, 4.0, 50.0], 900, ["0", "0.1", "1", "10"]),
        ([8000.0, 12000.0, 21000.0], 900, ["8,000", "12,000", "21,000"]),
        ([10.0**n for n in range(-6, 3)], 200, ["1e-6", "0.001", "1"]),
    ],
)
def test_labels_are_powers_of_ten_or_values_as_many_as_fit(
    values: list[float], room: float, expected: list[str]
) -> None:
    axes = draw_cells(CELLS, best={}).axes[-1]
    label_values(axes, values, log_places(values), room)
    assert [label.get_text() for label in axes.get_xticklabels()] == expected
