"""The figures of a grid: where each cell lands, which decides, which is best, what is marked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle

from softmaxclf.core.search import Outcome
from softmaxclf.plots.grid import draw_grid, grid_table, scale_of

NAN = float("nan")


def cell(rate: float, penalty: float, accuracy: float, loss: float, status: str = "ok") -> Outcome:
    values = {"learning_rate": rate, "regularization": penalty}
    return Outcome(values, validation_accuracy=accuracy, validation_loss=loss, status=status)


CELLS = [
    cell(1e-7, 9000.0, 0.38, 1.6),
    cell(2e-7, 9000.0, 0.39, 1.5),
    cell(1e-7, 1.0, 0.41, 1.7, "stopped at rung 1"),
    cell(2e-7, 1.0, 0.1, NAN, "diverged at iteration 7"),
    replace(cell(1e-7, 20000.0, 0.39, 1.4), tied=True),
]
BEST = {"learning_rate": 2e-7, "regularization": 9000.0}


def test_cells_land_at_their_values_whatever_their_order() -> None:
    for cells in (CELLS, CELLS[::-1]):
        table = grid_table(cells, best=BEST)
        assert (table.row_name, table.row_values) == ("regularization", [1.0, 9000.0, 20000.0])
        assert (table.column_name, table.column_values) == ("learning rate", [1e-7, 2e-7])
        assert np.allclose(table.figures["accuracy"], [[41, NAN], [38, 39], [39, NAN]], equal_nan=True)
        assert np.allclose(table.figures["loss"], [[1.7, NAN], [1.6, 1.5], [1.4, NAN]], equal_nan=True)
        assert table.state.tolist() == [["stopped", "diverged"], ["ok", "ok"], ["ok", "missing"]]
        assert np.argwhere(table.tied).tolist() == [[2, 0]] and table.best == (1, 1)


def test_learning_rates_are_columns_however_many_there_are() -> None:
    table = grid_table([cell(rate, 5.0, 2 * rate, 1.0) for rate in (0.1, 0.3, 0.2)])
    assert (table.column_name, table.column_values, table.row_values) == (
        "learning rate",
        [0.1, 0.2, 0.3],
        [5.0],
    )
    assert table.figures["accuracy"][0].tolist() == pytest.approx([20, 40, 60])


@pytest.mark.parametrize(
    ("metric", "titles", "chosen"),
    [
        ("accuracy", ["Validation accuracy (%) (decides)", "Validation loss"], "39.0 %"),
        ("loss", ["Validation loss (decides)", "Validation accuracy (%)"], "1.5"),
    ],
)
def test_what_decides_comes_first_and_is_named(
    metric: str, titles: list[str], chosen: str, texts: Callable[..., list[str]]
) -> None:
    figure = draw_grid(grid_table(CELLS, best=BEST, metric=metric))
    assert [axes.get_title("left") for axes in figure.axes[:2]] == titles
    heading = f"Chosen by validation {metric}: learning rate 2e-7, regularization 9,000 ({chosen})"
    assert {heading, f"best by validation {metric}", "cannot be told from it"} <= set(texts(figure))


def test_without_a_best_cell_none_is_outlined() -> None:
    table = grid_table([cell(1e-7, 0.0, NAN, NAN, "diverged at iteration 1")])
    assert table.best is None and table.heading == ""
    assert len(draw_grid(table).axes) == 4


def test_what_is_better_is_brighter_and_a_loss_far_off_leaves_the_others_their_colours() -> None:
    accuracy, loss = draw_grid(grid_table(CELLS, best=BEST)).axes[:2]
    brightness = [axes.collections[0].to_rgba([low, high])[:, :3].sum(axis=1)
                  for axes, low, high in ((accuracy, 38, 41), (loss, 1.4, 1.7))]  # fmt: skip
    assert brightness[0][0] < brightness[0][1] and brightness[1][0] > brightness[1][1]
    assert isinstance(scale_of(np.array([0.8, 6.4])), LogNorm)
    assert not isinstance(scale_of(np.array([0.8, 1.4])), LogNorm)


def test_tiles_carry_their_numbers_and_the_legend_names_what_occurs(
    check: Any, texts: Callable[..., list[str]]
) -> None:
    figure = check(lambda: draw_grid(grid_table(CELLS, best=BEST)))
    found = texts(figure)
    for text in ("39.0", "41.0", "1.5", "1e-7", "9,000", "20,000", "diverged", "not run", "regularization"):
        assert text in found
    assert any("stopped early" in text for text in found)
    numbers = {(text.get_position(), text.get_text()) for text in figure.axes[0].texts}
    assert numbers == {((0, 0), "41.0"), ((0, 1), "38.0"), ((1, 1), "39.0"), ((0, 2), "39.0")}


def test_the_best_cell_is_outlined_a_tied_one_has_a_dot_and_the_diverged_one_is_hatched() -> None:
    axes = draw_grid(grid_table(CELLS, best=BEST)).axes[0]
    rectangles = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [patch.get_xy() for patch in rectangles if patch.get_hatch()] == [(0.5, -0.5)]
    assert {patch.get_xy() for patch in rectangles if not patch.get_fill()} == {(0.5, 0.5)}
    dots = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "."]
    assert dots == [[[-0.4, 2.3]]]


def test_a_large_grid_is_drawn_without_numbers(texts: Callable[..., list[str]]) -> None:
    cells = [cell(10.0**-i, 10.0**j, 0.2 + 0.001 * i, 1.0) for i in range(14) for j in range(14)]
    figure = draw_grid(grid_table(cells))
    assert not any(axes.texts for axes in figure.axes[:2]) and "1e-13" in texts(figure)
    upper, lower = (axes.get_position() for axes in figure.axes[:2])
    assert upper.y0 > lower.y1  # too wide to stand side by side
