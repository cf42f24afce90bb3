"""Lines of images, of confused pairs and of runs: which images they hold, and what the lines are called."""

from collections.abc import Callable
from typing import Any

import numpy as np

from softmaxclf.plots.strips import MOST_PAIRS, draw_pairs, draw_templates_compared

COUNTS = np.full((40, 40), 7)


def pictures(generator: np.random.Generator, count: int) -> np.ndarray[Any, Any]:
    return generator.integers(0, 256, (count, 4, 5, 3), dtype=np.uint8)


def test_pairs_are_named_with_their_counts(
    check: Any, texts: Callable[..., list[str]], generator: Any
) -> None:
    counts = np.array([[0, 1200], [3, 0]])
    pairs = {(0, 1): pictures(generator, 3), (1, 0): pictures(generator, 1)}
    figure = check(lambda: draw_pairs(pairs, ["cat", "dog"], counts, heading="Pairs"))
    assert {"1,200 x cat → dog", "3 x dog → cat"} <= set(texts(figure)) and len(figure.axes) == 4


def test_images_of_a_pair_stand_in_a_line_below_those_of_the_pair_before(generator: Any) -> None:
    pairs = {(0, 1): pictures(generator, 2), (1, 0): pictures(generator, 0), (2, 0): pictures(generator, 3)}
    figure = draw_pairs(pairs, ["a", "b", "c"], COUNTS, heading="Pairs")
    assert len(figure.axes) == 5
    assert np.array_equal(figure.axes[2].images[0].get_array(), pairs[2, 0][0])
    assert figure.axes[2].get_position().y1 < figure.axes[0].get_position().y0


def test_of_very_many_pairs_the_first_are_shown(texts: Callable[..., list[str]], generator: Any) -> None:
    names = [f"k{k}" for k in range(40)]
    figure = draw_pairs({(k, k + 1): pictures(generator, 1) for k in range(39)}, names, COUNTS, heading="")
    assert len(figure.axes) == MOST_PAIRS and f"7 x k{MOST_PAIRS - 1} → k{MOST_PAIRS}" in texts(figure)
    assert f"7 x k{MOST_PAIRS} → k{MOST_PAIRS + 1}" not in texts(figure)


def test_a_long_name_is_cut_to_its_room(texts: Callable[..., list[str]], generator: Any) -> None:
    figure = draw_pairs({(0, 1): pictures(generator, 1)}, ["x" * 200, "y"], COUNTS, heading="")
    assert any("x…x" in text for text in texts(figure))


def test_a_sheet_of_no_pairs_is_drawn() -> None:
    assert draw_pairs({}, [], COUNTS, heading="").axes == []
    empty = np.zeros((0, 4, 5, 3), np.uint8)
    assert draw_pairs({(0, 1): empty}, ["a", "b"], COUNTS, heading="").axes == []


def test_templates_of_runs_stand_under_each_other(
    check: Any, texts: Callable[..., list[str]], generator: Any
) -> None:
    templates = list(generator.integers(0, 256, (2, 3, 4, 5, 3), dtype=np.uint8))
    figure = check(lambda: draw_templates_compared(templates, ["first", "second"], ["a", "b", "c"]))
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    assert all(
        np.array_equal(one, other) for one, other in zip(shown, [*templates[0], *templates[1]], strict=True)
    )
    assert {"first", "second", "a", "b", "c"} <= set(texts(figure))
    boxes = [axes.get_position() for axes in figure.axes]
    assert boxes[0].y0 > boxes[3].y1 and boxes[0].x0 == boxes[3].x0 < boxes[1].x0


def test_of_very_many_classes_the_first_are_compared_and_the_heading_says_so(
    texts: Callable[..., list[str]],
) -> None:
    names = [f"k{k}" for k in range(100)]
    figure = draw_templates_compared(
        [np.zeros((100, 2, 2, 1), np.uint8)], ["a run with a long name " * 9], names
    )
    assert "k11" in texts(figure) and "k12" not in texts(figure)
    assert any("first 12 of 100 classes" in text for text in texts(figure))
