"""Sheets of images: which rows they hold, and their captions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from softmaxclf.plots.contact import (
    class_rows,
    draw_contact,
    draw_pairs,
    draw_wrong,
    most_wrong,
)
from softmaxclf.plots.pairs import confused_pairs


def pictures(generator: np.random.Generator, count: int) -> np.ndarray[Any, Any]:
    return generator.integers(0, 256, (count, 4, 5, 3), dtype=np.uint8)


def test_the_first_rows_of_each_class_are_found() -> None:
    assert [rows.tolist() for rows in class_rows([1, 0, 1, 1, 3], 4, 2)] == [[1], [0, 2], [], [4]]


def test_the_most_wrong_rows_are_the_surest_errors() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
    assert most_wrong(probabilities, [0, 0, 1, 0], 5).tolist() == [1, 3]
    assert most_wrong(probabilities, [1, 0, 0, 0], 2).tolist() == [0, 1]


def test_the_most_confused_pairs_come_first_without_the_diagonal_or_empty_ones() -> None:
    counts = np.array([[90, 1, 5], [7, 80, 0], [0, 0, 70]])
    assert confused_pairs(counts, 9) == [(1, 0), (0, 2), (0, 1)]
    assert confused_pairs(counts, 1) == [(1, 0)]
    assert counts[0, 0] == 90


def test_a_contact_sheet_has_a_line_per_class(
    check: Any, texts: Callable[..., list[str]], generator: Any
) -> None:
    images = [pictures(generator, 2), pictures(generator, 0), pictures(generator, 3)]
    figure = check(lambda: draw_contact(images, ["a", "b", "c"]))
    assert len(figure.axes) == 5 and {"a", "b", "c"} <= set(texts(figure))
    assert np.array_equal(figure.axes[2].images[0].get_array(), images[2][0])
    assert figure.axes[2].get_position().y1 < figure.axes[0].get_position().y0


def test_many_classes_are_cut_and_the_heading_says_so(
    texts: Callable[..., list[str]], generator: Any
) -> None:
    figure = draw_contact([pictures(generator, 1)] * 100, [f"k{k}" for k in range(100)])
    assert len(figure.axes) == 40 and any("first 40 of 100 classes" in text for text in texts(figure))


def test_wrong_images_carry_both_labels_and_the_probability(check: Any, generator: Any) -> None:
    images = pictures(generator, 2)
    figure = check(lambda: draw_wrong(images, ["cat", "x" * 200], ["dog", "y"], probabilities=[0.964, 0.5]))
    assert figure.axes[0].get_xlabel() == "cat\n→ dog 96 %"
    true, predicted = figure.axes[1].get_xlabel().split("\n")
    assert true.endswith("…") and predicted == "→ y 50 %"


def test_pairs_are_named_with_their_counts(
    check: Any, texts: Callable[..., list[str]], generator: Any
) -> None:
    counts = np.array([[0, 1200], [3, 0]])
    pairs = {(0, 1): pictures(generator, 3), (1, 0): pictures(generator, 1)}
    figure = check(lambda: draw_pairs(pairs, ["cat", "dog"], counts=counts))
    assert {"1,200 x cat → dog", "3 x dog → cat"} <= set(texts(figure)) and len(figure.axes) == 4


def test_sheets_of_nothing_are_drawn() -> None:
    empty = np.zeros((0, 4, 5, 3), np.uint8)
    assert (
        draw_pairs({}, []).axes == []
        and draw_wrong(empty, [], []).axes == []
        and draw_contact([], []).axes == []
    )
