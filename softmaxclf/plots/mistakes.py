"""The wrong answers of which a model is surest, each with what spoke for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from softmaxclf.core.model import LinearModel
from softmaxclf.plots.figure import (
    DIVERGING,
    DPI,
    FAINT,
    MARGIN,
    SMALL,
    WIDTH,
    fit_text,
    new_figure,
    percentage,
    styled,
    title,
)
from softmaxclf.plots.images import Tiling, image_pixels, pixels, planes_last, show, tile_size

COLUMNS, GAP = 4, 14
TOP, NAME = pixels(0.62), pixels(0.36)


@dataclass(frozen=True)
class Mistakes:
    """n mistakes. images (n, H, W, C) and maps (n, H, W, 3): uint8, see `difference_maps`.

    probability: (n,) of the answer. truth, predicted: (n,) labels.
    """

    images: NDArray[np.uint8]
    maps: NDArray[np.uint8]
    probability: NDArray[np.float64]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]


def difference_maps(
    model: LinearModel, X: NDArray[Any], predicted: Sequence[int], truth: Sequence[int]
) -> NDArray[np.uint8]:
    """(n, H, W, 3) colours: each pixel's share in (score of the answer - score of the truth) of images X (n, D).

    Red speaks for the answer, blue for the truth; each image on a scale of its own. With the biases a map sums to
    that difference.
    """
    assert model.image_shape is not None
    maps = []
    for row, pair in zip(X, zip(predicted, truth, strict=True), strict=True):
        both = list(pair)
        shares, _ = replace(model, W=model.W[:, both], b=model.b[both], class_names=("", "")).evidence(row)
        values = planes_last((shares[:, 0] - shares[:, 1])[None], model.image_shape)[0].sum(axis=2)
        maps.append(values / (np.abs(values).max() or 1.0))
    drawn: NDArray[np.uint8] = mpl.colormaps[DIVERGING](np.array(maps) / 2 + 0.5, bytes=True)[..., :3]
    return drawn


def mistakes(
    model: LinearModel,
    X: NDArray[Any],
    predicted: NDArray[np.int64],
    truth: NDArray[np.int64],
    probability: NDArray[np.float64],
) -> Mistakes:
    """The mistakes on images X (n, D), surest first."""
    assert model.image_shape is not None
    maps = difference_maps(model, X, predicted.tolist(), truth.tolist())
    return Mistakes(image_pixels(X, model.image_shape), maps, probability, truth, predicted)


@styled
def draw_mistakes(wrong: Mistakes, class_names: Sequence[str], *, heading: str) -> Figure:
    """Return a sheet of the mistakes: each image with its map, the answer and what it should have been."""
    step = (pixels(WIDTH) - 2 * MARGIN + GAP) // COLUMNS
    width, height = tile_size(wrong.images.shape[1:3], (step - 2 * GAP) // 2)
    lines = -(-len(wrong.images) // COLUMNS)
    step_y = NAME + height + GAP
    figure = new_figure(WIDTH, (TOP + lines * step_y + MARGIN) / DPI, automatic_layout=False)
    title(figure, heading)
    place = MARGIN / figure.bbox.width, 1 - pixels(0.36) / figure.bbox.height
    told = "Beside each image: red speaks for the model's answer, blue for the truth."
    figure.text(*place, told, fontsize=SMALL, color=FAINT, va="top")
    tilings = [
        Tiling(COLUMNS, width, height, MARGIN + shift, TOP + NAME, step, step_y) for shift in (0, width + 3)
    ]
    for number, image in enumerate(wrong.images):
        axes = tilings[0].axes(figure, number)
        show(axes, image)
        show(tilings[1].axes(figure, number), wrong.maps[number])
        answer = f"{class_names[wrong.predicted[number]]} {percentage(float(wrong.probability[number]))}"
        names = [
            fit_text(each, 2 * width, SMALL) for each in (answer, f"is {class_names[wrong.truth[number]]}")
        ]
        axes.set_title("\n".join(names), fontsize=SMALL, loc="left", pad=3)
    return figure
