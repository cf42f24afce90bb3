"""The evidence for a label: the map plus the bias is the score."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from softmaxclf.plots.evidence import Evidence, draw_evidence, evidence, sum_text

SHAPE = (3, 4, 5)


def sheet(generator: np.random.Generator, classes: int = 4) -> tuple[Evidence, np.ndarray[Any, Any]]:
    row = generator.integers(0, 256, 60, dtype=np.uint8)
    W, b = generator.normal(size=(60, classes)), generator.normal(size=classes)
    scores = (row - 127.5) @ W + b
    probabilities = np.linspace(0.1, 0.4, classes)
    shown = np.arange(classes)[::-1][:2]
    contributions = (row - 127.5)[:, None] * W[:, shown]
    return evidence(row, contributions, b[shown], shown, probabilities, SHAPE), scores


def test_what_a_value_adds_is_drawn_at_its_pixel_summed_over_the_channels() -> None:
    contributions = np.zeros((60, 1))
    contributions[2 * 20 + 1 * 5 + 3] = -8.0
    contributions[0 * 20 + 1 * 5 + 3] = -2.0
    drawn = evidence(np.zeros(60, np.uint8), contributions, [0.0], [0], [1.0], SHAPE).maps[0]
    assert np.argwhere(drawn).tolist() == [[1, 3]] and drawn[1, 3] == -10.0


def test_the_map_and_the_bias_sum_to_the_score_of_winner_and_runner_up(
    generator: np.random.Generator,
) -> None:
    found, scores = sheet(generator)
    assert found.classes.tolist() == [3, 2]
    assert found.maps.sum(axis=(1, 2)) + found.biases == pytest.approx(scores[[3, 2]])


def test_the_image_is_the_row_the_right_way_round(generator: np.random.Generator) -> None:
    row = np.arange(60, dtype=np.uint8)
    found = evidence(row, np.zeros((60, 1)), [0.0], [0], [1.0], SHAPE)
    assert found.image[2, 3].tolist() == [13, 33, 53] and len(found.classes) == 1


def test_the_sheet_shows_image_maps_bars_and_the_sum(
    check: Any, texts: Callable[..., list[str]], generator: Any
) -> None:
    found, scores = sheet(generator)
    figure = check(lambda: draw_evidence(found, ["a", "b", "c", "d"], heading="photo.png"))
    written, heading = texts(figure), "photo.png (red speaks for the class, blue against it)"
    assert {heading, "predicted: d", "evidence for d", "evidence for c", "40.0 %"} <= set(written)
    assert sum_text(found, 0) in written and f"score {scores[3]:.4f}" in sum_text(found, 0)
    limits = {(axes.images[0].norm.vmin, axes.images[0].norm.vmax) for axes in figure.axes[1:3]}
    assert limits == {(-np.abs(found.maps).max(), np.abs(found.maps).max())}


def test_a_negative_bias_is_subtracted() -> None:
    found = Evidence(
        np.zeros((1, 1, 1), np.uint8),
        np.ones(1),
        np.zeros(1, int),
        np.ones((1, 1, 1)),
        np.array([-2.0]),
    )
    assert sum_text(found, 0) == "sum of the map 1.0000\n− bias 2.0000 = score -1.0000"


def test_one_class_and_a_thousand_classes_are_drawn(generator: Any, texts: Callable[..., list[str]]) -> None:
    single, _ = sheet(generator, 1)
    assert "predicted: only" in texts(draw_evidence(single, ["only"], heading="a.png"))
    many, _ = sheet(generator, 1000)
    written = texts(draw_evidence(many, [f"n{k}" for k in range(1000)], heading="a.png"))
    assert (
        "probability (first 10 of 1,000 classes)" in written and "n990" in written and "n989" not in written
    )
