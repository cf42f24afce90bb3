"""Templates: each weight at its place, the four scales, and the sheet."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from softmaxclf.errors import ConfigError
from softmaxclf.plots.templates import (
    CHANNEL_GAP,
    CLIPPED,
    SIGNED,
    VIEWS,
    Examples,
    View,
    draw_templates,
    minus_mean_of_others,
    rectangle,
    signed_colours,
    template_images,
)

SHAPE = (3, 4, 5)
NAMES = ["plane", "a rather long class name " * 5, "c", "d", "e", "f"]


def feature(channel: int, row: int, column: int) -> int:
    """Index of one value in a row of planes, written out independently of reshape."""
    return channel * 4 * 5 + row * 5 + column


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("k", "row", "column", "channel"), [(0, 0, 4, 2), (3, 1, 2, 0), (5, 3, 0, 1)])
def test_a_known_pixel_of_one_class_is_found_at_its_place(
    view: View, k: int, row: int, column: int, channel: int
) -> None:
    W = np.zeros((60, 6))
    W[feature(channel, row, column), k] = 2.5
    images = template_images(W, SHAPE, view)
    beside = channel * (5 + CHANNEL_GAP) if view == "channels" else 0
    place = (k, row, column + beside, 0 if view in SIGNED else channel)
    width = 3 * 5 + 2 * CHANNEL_GAP if view == "channels" else 5
    assert images.shape == (6, 4, width, 1 if view in SIGNED else 3)
    assert np.argwhere(images == np.nanmax(images)).tolist() == [list(place)]
    assert images[place] == (2.5 if view in SIGNED else 255)


def test_the_shared_view_has_one_scale_and_the_per_class_view_one_for_each() -> None:
    W = np.zeros((12, 2))
    W[:, 0] = np.linspace(-1, 1, 12)
    W[:, 1] = np.linspace(-0.5, 0.5, 12)
    shared = template_images(W, (3, 2, 2), "shared")
    assert (shared[0].min(), shared[0].max()) == (0, 255)
    assert (shared[1].min(), shared[1].max()) == (64, 191)
    per_class = template_images(W, (3, 2, 2), "per-class")
    assert [(image.min(), image.max()) for image in per_class] == [(0, 255), (0, 255)]


def test_the_signed_view_sums_over_channels() -> None:
    W = np.array([[1.0], [2.0], [10.0], [20.0], [-100.0], [-200.0]])
    assert template_images(W, (3, 1, 2), "signed")[0, 0, :, 0].tolist() == [-89.0, -178.0]


def test_the_difference_is_class_minus_mean_of_the_others_with_mid_grey_for_none() -> None:
    values = np.array([[4.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    assert minus_mean_of_others(values).tolist() == [[3.0, 0.0], [-1.5, 0.0], [-1.5, 0.0]]
    images = template_images(values.T, (1, 1, 2), "difference")
    assert images[..., 0].tolist() == [[[255, 128]], [[64, 128]], [[64, 128]]]


def test_a_single_class_keeps_its_weights_in_the_difference() -> None:
    assert minus_mean_of_others(np.array([[4.0, -1.0]])).tolist() == [[4.0, -1.0]]


@pytest.mark.parametrize("view", VIEWS)
def test_weights_of_zero_and_grey_images_are_drawn(view: View) -> None:
    images = template_images(np.zeros((4, 2)), (1, 2, 2), view)
    assert np.unique(images).tolist() == ([0.0] if view in SIGNED else [128])
    assert len(draw_templates(images, ["a", "b"], view=view).axes) == (3 if view in SIGNED else 2)


def test_an_unknown_view_and_images_without_colours_are_refused() -> None:
    with pytest.raises(
        ConfigError, match="expected one of shared, per-class, signed, channels, difference, got 'nice'"
    ):
        template_images(np.zeros((4, 2)), (1, 2, 2), "nice")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="2 channels"):
        template_images(np.zeros((8, 2)), (2, 2, 2), "shared")
    assert template_images(np.ones((8, 2)), (2, 2, 2), "signed").max() == 2


def test_weights_that_do_not_fit_the_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="3 x 4 x 5"):
        template_images(np.zeros((59, 2)), SHAPE)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 3), (10, 5), (100, 10), (1000, 10), (20, 6)])
def test_the_classes_stand_in_a_rectangle(count: int, columns: int) -> None:
    assert rectangle(count) == columns


def test_ten_classes_stand_in_two_rows_of_five_with_their_names(check: Any, generator: Any) -> None:
    images = template_images(generator.normal(size=(60, 10)), SHAPE)
    names = [f"name {k}" for k in range(10)]
    figure = check(lambda: draw_templates(images, names))
    assert [axes.get_title("left") for axes in figure.axes] == names
    tops = [round(axes.get_position().y1, 6) for axes in figure.axes]
    lefts = [round(axes.get_position().x0, 6) for axes in figure.axes]
    assert (
        len(set(tops)) == 2 and len(set(lefts)) == 5 and tops[0] > tops[5] and lefts[:5] == sorted(lefts[:5])
    )
    for k, axes in enumerate(figure.axes):
        assert np.array_equal(axes.images[0].get_array(), images[k])


def test_selected_classes_keep_the_scale_of_all(generator: Any) -> None:
    images = template_images(generator.normal(size=(60, 6)), SHAPE, "signed")
    figure = draw_templates(images, NAMES, view="signed", classes=[4, 1], columns=1)
    assert figure.axes[0].get_title("left") == "e" and "…" in figure.axes[1].get_title("left")
    limits = {axes.images[0].norm.vmax for axes in figure.axes[:2]}
    assert limits == {np.percentile(np.abs(images), CLIPPED)}


def test_one_strong_weight_does_not_pale_the_others() -> None:
    values = np.full((1, 40, 40, 1), 0.5)
    values[0, 0, 0] = -1000.0
    assert signed_colours(values, CLIPPED)["vmax"] == 0.5 and signed_colours(values)["vmax"] == 1000
    values[0, 1:] = 0  # more than 99 of 100 are 0
    values[0, 0, 1:] = 0
    assert signed_colours(values, CLIPPED)["vmax"] == 1000


def test_of_a_thousand_classes_a_hundred_are_shown_and_the_heading_says_so(
    texts: Callable[..., list[str]],
) -> None:
    images = np.zeros((1000, 2, 2, 3), np.uint8)
    figure = draw_templates(images, [str(k) for k in range(1000)])
    assert len(figure.axes) == 100
    assert any("first 100 of 1,000 classes" in text for text in texts(figure))


def test_examples_stand_beside_their_template(check: Any, generator: Any) -> None:
    images = template_images(generator.normal(size=(60, 2)), SHAPE)
    most, least = generator.integers(0, 256, (2, 3, 4, 5, 3), dtype=np.uint8)
    mean = np.full((4, 5, 3), 7, np.uint8)
    figure = check(lambda: draw_templates(images, NAMES, examples={0: Examples(mean, most, least)}))
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    expected = [images[0], mean, *most, *least, images[1]]
    assert all(np.array_equal(one, other) for one, other in zip(shown, expected, strict=True))
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(box.x0 > boxes[1].x0 > boxes[0].x0 for box in boxes[2:8]) and boxes[2].y0 > boxes[5].y0
    np.testing.assert_allclose((boxes[1].y0, boxes[1].width), (boxes[0].y0, boxes[0].width))
