"""Rows as images, the right way round, and tiles of whole pixels."""

import numpy as np
import pytest

from softmaxclf.plots.figure import new_figure
from softmaxclf.plots.images import Tiling, image_pixels, planes_last, show, stretched, tile_size


def test_planes_become_the_last_axis_and_rows_stay_rows() -> None:
    row = np.arange(3 * 4 * 5)
    images = planes_last(row[None], (3, 4, 5))
    assert images.shape == (1, 4, 5, 3)
    assert images[0, 2, 3].tolist() == [13, 33, 53]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="3 x 4 x 5"):
        planes_last(np.zeros((1, 59)), (3, 4, 5))


def test_bytes_stay_and_shares_are_scaled_and_other_numbers_are_stretched() -> None:
    assert image_pixels(np.array([[3, 250]], np.uint8), (1, 1, 2)).ravel().tolist() == [3, 250]
    assert image_pixels(np.array([[0.0, 0.2, 1.0]]), (1, 1, 3)).ravel().tolist() == [0, 51, 255]
    assert image_pixels(np.array([[-1.0, 0.0, 3.0]]), (1, 1, 3)).ravel().tolist() == [0, 64, 255]


def test_stretching_a_constant_gives_mid_grey() -> None:
    assert stretched(np.full(3, 7.0), 7.0, 7.0).tolist() == [128, 128, 128]


@pytest.mark.parametrize(
    ("size", "room", "tile"),
    [
        ((32, 32), 225, (224, 224)),
        ((28, 28), 100, (84, 84)),
        ((300, 600), 150, (150, 75)),
        ((64, 8), 40, (8, 64)),
    ],
)
def test_tiles_are_whole_multiples_of_small_images(
    size: tuple[int, int], room: int, tile: tuple[int, int]
) -> None:
    assert tile_size(size, room) == tile


def test_tiles_lie_on_whole_pixels() -> None:
    figure = new_figure(2, 1, automatic_layout=False)
    axes = Tiling(2, 32, 64, 10, 5, 40, 70).axes(figure, 3)
    box = axes.get_window_extent()
    assert np.allclose(box.extents, [50, 150 - 5 - 70 - 64, 82, 150 - 5 - 70])


def test_grey_bytes_are_drawn_on_the_full_scale_and_large_images_are_averaged() -> None:
    figure = new_figure(1, 1, automatic_layout=False)
    axes = Tiling(1, 100, 100, 0, 0, 0, 0).axes(figure, 0)
    drawn = show(axes, np.full((4, 4, 1), 9, np.uint8))
    assert (drawn.norm.vmin, drawn.norm.vmax) == (0, 255) and drawn.get_interpolation() == "nearest"
    assert show(axes, np.zeros((200, 200, 3), np.uint8)).get_interpolation() != "nearest"
