"""The grid of accuracies: where each cell lands, which is best, what is marked."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from softmaxclf.core.search import Outcome
from softmaxclf.plots.grid import accuracy_scale, draw_grid, grid_table

NAN = float("nan")


def cell(rate: float, penalty: float, train: float, validation: float, status: str = "ok") -> Outcome:
    return Outcome({"learning_rate": rate, "regularization": penalty}, train, validation, status=status)


CELLS = [
    cell(1e-7, 9000.0, 0.40, 0.38),
    cell(2e-7, 9000.0, 0.42, 0.39),
    cell(1e-7, 1.0, 0.50, 0.41, "stopped at rung 1"),
    cell(2e-7, 1.0, NAN, 0.1, "diverged at iteration 7"),
    cell(1e-7, 20000.0, 0.3, 0.39),
]
BEST = {"learning_rate": 2e-7, "regularization": 9000.0}


def test_cells_land_at_their_values_whatever_their_order() -> None:
    for cells in (CELLS, CELLS[::-1]):
        table = grid_table(cells, best=BEST)
        assert (table.row_name, table.row_values) == ("regularization", [1.0, 9000.0, 20000.0])
        assert (table.column_name, table.column_values) == ("learning rate", [1e-7, 2e-7])
        assert np.allclose(table.validation, [[41, NAN], [38, 39], [39, NAN]], equal_nan=True)
        assert np.allclose(table.train, [[50, NAN], [40, 42], [30, NAN]], equal_nan=True)
        assert table.state.tolist() == [["stopped", "diverged"], ["ok", "ok"], ["ok", "missing"]]
        assert table.best == (1, 1)


def test_the_longer_axis_becomes_the_rows() -> None:
    table = grid_table([cell(rate, 5.0, rate, 2 * rate) for rate in (0.1, 0.3, 0.2)])
    assert (table.row_name, table.row_values, table.column_values) == (
        "learning rate",
        [0.1, 0.2, 0.3],
        [5.0],
    )
    assert table.validation[:, 0].tolist() == pytest.approx([20, 40, 60])


def test_without_a_best_cell_none_is_outlined() -> None:
    table = grid_table([cell(1e-7, 0.0, NAN, NAN, "diverged at iteration 1")])
    assert table.best is None
    assert len(draw_grid(table).axes) == 3


def test_both_panels_share_one_scale() -> None:
    scale = accuracy_scale(grid_table(CELLS))
    assert (scale.vmin, scale.vmax) == (pytest.approx(30), pytest.approx(50))


def test_tiles_carry_their_numbers_and_the_legend_names_what_occurs(
    check: Any, texts: Callable[..., list[str]]
) -> None:
    figure = check(lambda: draw_grid(grid_table(CELLS, best=BEST)))
    found = texts(figure)
    for text in (
        "42.0",
        "41.0",
        "1e-7",
        "9,000",
        "20,000",
        "best",
        "diverged",
        "not run",
        "regularization",
    ):
        assert text in found
    assert any("stopped early" in text for text in found)
    validation = figure.axes[1]
    numbers = {(text.get_position(), text.get_text()) for text in validation.texts}
    assert numbers == {((0, 0), "41.0"), ((0, 1), "38.0"), ((1, 1), "39.0"), ((0, 2), "39.0")}


def test_the_best_cell_is_outlined_and_the_diverged_one_hatched() -> None:
    figure = draw_grid(grid_table(CELLS, best=BEST))
    rectangles = [patch for patch in figure.axes[1].patches if isinstance(patch, Rectangle)]
    assert [patch.get_xy() for patch in rectangles if patch.get_hatch()] == [(0.5, -0.5)]
    assert {patch.get_xy() for patch in rectangles if not patch.get_fill()} == {(0.5, 0.5)}


def test_a_large_grid_is_drawn_without_numbers(texts: Callable[..., list[str]]) -> None:
    cells = [cell(10.0**-i, 10.0**j, 0.3, 0.2 + 0.001 * i) for i in range(14) for j in range(14)]
    figure = draw_grid(grid_table(cells))
    assert not any(axes.texts for axes in figure.axes[:2]) and "1e-13" in texts(figure)
    assert (
        figure.axes[0].get_position().y0 > figure.axes[1].get_position().y1
    )  # too wide to stand side by side
