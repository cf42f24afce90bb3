"""Why one image was labelled as it was: the score of a class, spread over the pixels it comes from.

A score is a sum over pixels and channels of weight times (preprocessed) pixel, plus the bias. Summed over
the channels alone it is a map (H, W) whose total plus the bias is exactly the score.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from softmaxclf.plots.figure import (
    BAR,
    DPI,
    MARGIN,
    MEDIUM,
    PREDICTED,
    WIDTH,
    fit_text,
    left_out,
    new_figure,
    percentage,
    styled,
    title,
)
from softmaxclf.plots.images import Tiling, image_pixels, pixels, planes_last, show, tile_size
from softmaxclf.plots.templates import signed_colours

MOST_BARS = 10
GAP, BAR_STEP = 14, 34  # pixels of the page
TOP, TILE, NAME_ROOM = pixels(0.65), pixels(2.35), pixels(1.44)


@dataclass(frozen=True)
class Evidence:
    """One image explained: `image` (H, W, C) uint8 and all `probabilities` (K,).

    For the `classes` (n,) explained, winner then runner-up (one alone where K is 1): their `maps` (n, H, W) and
    `biases` (n,).
    """

    image: NDArray[np.uint8]
    probabilities: NDArray[np.float64]
    classes: NDArray[np.int64]
    maps: NDArray[np.float64]
    biases: NDArray[np.float64]


def evidence(
    row: NDArray[Any],
    contributions: NDArray[Any],
    biases: ArrayLike,
    classes: ArrayLike,
    probabilities: ArrayLike,
    image_shape: tuple[int, int, int],
) -> Evidence:
    """Return the evidence in one image for the `classes` (n,), winner first.

    `row` (D,) is the raw image in plane order, `contributions` (D, n) what each of its values adds to the
    score of each of these classes, `biases` (n,) theirs, `probabilities` (K,) those of all classes.
    """
    values = np.asarray(contributions, dtype=np.float64).T
    return Evidence(
        image=image_pixels(row[None], image_shape)[0],
        probabilities=np.asarray(probabilities, dtype=np.float64),
        classes=np.asarray(classes, dtype=np.int64),
        maps=planes_last(values, image_shape).sum(axis=3),
        biases=np.asarray(biases, dtype=np.float64),
    )


@styled
def draw_evidence(sheet: Evidence, class_names: Sequence[str], *, heading: str) -> Figure:
    """Return a sheet: the image, the maps of winner and runner-up beside it, all probabilities beneath.

    Both maps have one scale, symmetric about zero: red speaks for the class, blue against it.
    """
    width, height = tile_size(sheet.image.shape[:2], TILE)
    names = [class_names[k] for k in sheet.classes]
    bars = min(len(sheet.probabilities), MOST_BARS)
    bar_top = TOP + height + pixels(0.75)
    page_height = bar_top + bars * BAR_STEP + 3 * MARGIN
    figure = new_figure(WIDTH, page_height / DPI, automatic_layout=False)
    title(figure, heading, " (red speaks for the class, blue against it)")
    tiling = Tiling(3, width, height, MARGIN, TOP, max(width, TILE) + GAP, 0)
    image_axes = tiling.axes(figure, 0)
    show(image_axes, sheet.image)
    image_axes.set_title(fit_text(f"predicted: {names[0]}", tiling.step_x - 8, MEDIUM))
    colours = signed_colours(sheet.maps)
    for place, name in enumerate(names):
        axes = tiling.axes(figure, place + 1)
        show(axes, sheet.maps[place], **colours)
        axes.set_title(fit_text(f"evidence for {name}", tiling.step_x - 8, MEDIUM))
        axes.set_xlabel(sum_text(sheet, place), loc="left", linespacing=1.3)
    box = (0.2, 2 * MARGIN / page_height, 0.78, bars * BAR_STEP / page_height)
    _draw_probabilities(figure.add_axes(box), sheet, class_names)
    return figure


def sum_text(sheet: Evidence, place: int) -> str:
    """Return the sum that makes the score: the map's total plus the bias."""
    total, constant = float(sheet.maps[place].sum()), float(sheet.biases[place])
    mapped, bias, score = (f"{round(value, 4) + 0.0:.4f}" for value in (total, constant, total + constant))
    sign, size = ("−", bias[1:]) if bias.startswith("-") else ("+", bias)
    return f"sum of the map {mapped}\n{sign} bias {size} = score {score}"


def _draw_probabilities(axes: Axes, sheet: Evidence, class_names: Sequence[str]) -> None:
    order = np.argsort(-sheet.probabilities, kind="stable")[:MOST_BARS]
    chances, places = sheet.probabilities[order], np.arange(len(order))
    axes.barh(places, chances, color=[PREDICTED, *[BAR] * (len(order) - 1)], height=0.7)
    axes.set_yticks(places, [fit_text(class_names[k], NAME_ROOM) for k in order])
    axes.set_ylim(len(order) - 0.5, -0.5)
    for place, chance in enumerate(chances):
        axes.text(chance + 0.008, place, percentage(chance), va="center")
    axes.set(xlim=(0, 1.1), xticks=[])
    axes.tick_params(axis="y", length=0)
    axes.spines["bottom"].set_visible(False)
    axes.set_title("probability" + left_out(len(order), len(sheet.probabilities)))
