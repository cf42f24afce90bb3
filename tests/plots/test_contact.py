"""The sheet of confused pairs: which images it holds, and what their lines are called."""

from collections.abc import Callable
from typing import Any

import numpy as np

from softmaxclf.plots.contact import MOST_PAIRS, draw_pairs


def pictures(generator: np.random.Generator, count: int) -> np.ndarray[Any, Any]:
    return generator.integers(0, 256, (count, 4, 5, 3), dtype=np.uint8)


def test_pairs_are_named_with_their_counts(
    check: Any, texts: Callable[..., list[str]], generator: Any
) -> None:
    counts = np.array([[0, 1200], [3, 0]])
    pairs = {(0, 1): pictures(generator, 3), (1, 0): pictures(generator, 1)}
    figure = check(lambda: draw_pairs(pairs, ["cat", "dog"], counts=counts))
    assert {"1,200 x cat → dog", "3 x dog → cat"} <= set(texts(figure)) and len(figure.axes) == 4


def test_images_of_a_pair_stand_in_a_line_below_those_of_the_pair_before(generator: Any) -> None:
    pairs = {(0, 1): pictures(generator, 2), (1, 0): pictures(generator, 0), (2, 0): pictures(generator, 3)}
    figure = draw_pairs(pairs, ["a", "b", "c"])
    assert len(figure.axes) == 5
    assert np.array_equal(figure.axes[2].images[0].get_array(), pairs[2, 0][0])
    assert figure.axes[2].get_position().y1 < figure.axes[0].get_position().y0


def test_of_very_many_pairs_the_first_are_shown(texts: Callable[..., list[str]], generator: Any) -> None:
    names = [f"k{k}" for k in range(40)]
    figure = draw_pairs({(k, k + 1): pictures(generator, 1) for k in range(39)}, names)
    assert len(figure.axes) == MOST_PAIRS and f"k{MOST_PAIRS - 1} → k{MOST_PAIRS}" in texts(figure)
    assert f"k{MOST_PAIRS} → k{MOST_PAIRS + 1}" not in texts(figure)


def test_a_long_name_is_cut_to_its_room(texts: Callable[..., list[str]], generator: Any) -> None:
    figure = draw_pairs({(0, 1): pictures(generator, 1)}, ["x" * 200, "y"])
    assert any(text.endswith("…") for text in texts(figure))


def test_a_sheet_of_no_pairs_is_drawn() -> None:
    assert draw_pairs({}, []).axes == []
    assert draw_pairs({(0, 1): np.zeros((0, 4, 5, 3), np.uint8)}, ["a", "b"]).axes == []
