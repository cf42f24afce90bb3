"""The confusion matrix: shares of the true class, counts as text, a selection of very many."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from softmaxclf.plots.confusion import draw_confusion, row_shares, shown_classes

COUNTS = np.array([[8, 2, 0], [1, 1, 2], [0, 0, 0]])


def test_each_row_is_divided_by_its_sum_and_an_empty_row_stays_zero() -> None:
    assert row_shares(COUNTS).tolist() == [[0.8, 0.2, 0.0], [0.25, 0.25, 0.5], [0.0, 0.0, 0.0]]


def test_rows_are_true_classes_with_counts_as_text(check: Any, texts: Callable[..., list[str]]) -> None:
    figure = check(lambda: draw_confusion(COUNTS, ["a", "b", "long name " * 20], heading="A title"))
    axes = figure.axes[0]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true class", "predicted class")
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written[(1, 0)] == "2" and written[(0, 1)] == "1" and len(written) == 9
    assert axes.images[0].get_array()[1, 2] == 0.5
    assert any(text.startswith("long name") and "…" in text for text in texts(figure))


def test_more_than_twenty_classes_have_no_text_and_no_diagonal(texts: Callable[..., list[str]]) -> None:
    counts = 50 * np.eye(21, dtype=int)
    counts[3, 17] = 2
    figure = draw_confusion(counts, [str(k) for k in range(21)], heading="A title")
    shares = figure.axes[0].images[0].get_array()
    assert not figure.axes[0].texts and "A title, without the diagonal" in texts(figure)
    assert shares is not None and np.count_nonzero(shares) == 1 and shares.max() == 2 / 52


def test_of_many_classes_those_that_are_confused_stand_side_by_side() -> None:
    """Seven families of four, scattered, of which each class is now and then taken for another of its family."""
    family = np.random.default_rng(0).permutation(np.repeat(np.arange(7), 4))
    counts = np.where(family[:, None] == family, 3, 0) + 20 * np.eye(28, dtype=int)
    order = shown_classes(counts)
    assert sorted(order) == list(range(28))
    assert sum(first != second for first, second in pairwise(family[order])) == 6
    assert shown_classes(counts[:20, :20]).tolist() == list(range(20))


def test_counts_that_do_not_fit_their_cell_are_left_out() -> None:
    figure = draw_confusion(np.full((20, 20), 10**9), [str(k) for k in range(20)], heading="")
    assert not figure.axes[0].texts


def test_of_very_many_classes_the_most_confused_are_shown(texts: Callable[..., list[str]]) -> None:
    counts = np.eye(1000, dtype=int) * 50
    counts[700, 300] = 9
    counts[5, 999] = 50
    classes = shown_classes(counts).tolist()
    assert len(classes) == 40 and {5, 300, 700, 999} <= set(classes)
    assert abs(classes.index(5) - classes.index(999)) == abs(classes.index(700) - classes.index(300)) == 1
    figure = draw_confusion(counts, [str(k) for k in range(1000)], heading="A title")
    shares = figure.axes[0].images[0].get_array()
    assert shares is not None and shares[classes.index(5), classes.index(999)] == 0.5  # of all its images
    assert any("the 40 most confused of 1,000 classes" in text for text in texts(figure))
