"""The learned weights of each class as a picture, its template: what the model looks for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, sqrt
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from softmaxclf.errors import ConfigError
from softmaxclf.plots.figure import (
    DIVERGING,
    DPI,
    FAINT,
    MARGIN,
    MEDIUM,
    SMALL,
    WIDTH,
    fit_text,
    left_out,
    new_figure,
    number,
    styled,
    title,
)
from softmaxclf.plots.images import Tiling, pixels, planes_last, show, stretched, tile_size

View = Literal["shared", "per-class", "signed", "channels", "difference"]
VIEWS: tuple[View, ...] = get_args(View)
SIGNED = ("signed", "channels")  # views that are no colours, but how much and which way
MOST_TEMPLATES = 100
MOST_WITH_EXAMPLES = 20
GAP, EXAMPLE_GAP, EXAMPLE_ROOM = 14, 4, 70  # pixels of the page
HEADING_HEIGHT, NOTE_HEIGHT, NAME_HEIGHT, BAR_HEIGHT = map(pixels, (0.36, 0.26, 0.25, 0.65))
CLIPPED = 99  # percentile of the absolute weights at which signed colours end: one strong pixel would pale the others
CHANNEL_GAP = 2  # pixels of the image
EXAMPLES_NOTE = (
    "Beside each: the mean of its images, then those with its highest scores (above) and lowest (below)."
)
DESCRIPTIONS: dict[View, str] = {
    "shared": "one brightness scale for all classes",
    "per-class": "each class on its own brightness scale",
    "signed": "red raises the class's score, blue lowers it",
    "channels": "red raises, blue lowers; each channel (red, green, blue) by itself",
    "difference": "class minus the mean of the others (grey: no difference)",
}


class Examples(NamedTuple):
    """Images of a class, uint8: their mean (H, W, C), and those of highest and of lowest score (n, H, W, C)."""

    mean: NDArray[Any]
    most: NDArray[Any]
    least: NDArray[Any]


def template_images(
    W: NDArray[Any], image_shape: tuple[int, int, int], view: View = "shared"
) -> NDArray[Any]:
    """Return the templates (K, H, W, C) of weights W (D, K), D = C·H·W in plane order, ready to show.

    - shared: uint8; the least weight of all classes is 0, the largest 255 (the classic recipe).
    - per-class: uint8; the same with each class's own least and largest weight.
    - signed: float64 (K, H, W, 1); the sum of a pixel's weights over its channels, which is what a grey pixel
      one step brighter adds to the score.
    - channels: float64 (K, H, C·W + gaps, 1); the weights of each channel, side by side, NaN between them.
    - difference: uint8; class minus mean of the other classes, on one scale symmetric about zero (127.5).

    Raises ConfigError for an unknown view and for colour views of images with neither 1 nor 3 channels,
    ValueError where W and image_shape disagree.
    """
    check_view(view)
    images = planes_last(np.asarray(W, dtype=np.float64).T, image_shape)
    if view == "signed":
        sums: NDArray[np.float64] = images.sum(axis=3, keepdims=True)
        return sums
    if view == "channels":
        gap = np.full((*images.shape[:2], CHANNEL_GAP), np.nan)
        planes = [part for c in range(image_shape[0]) for part in (gap, images[..., c])][1:]
        return np.concatenate(planes, axis=2)[..., None]
    if image_shape[0] not in (1, 3):
        raise ConfigError(
            f"view: images of {image_shape[0]} channels have no colours to show; choose the view 'signed'"
        )
    if view == "difference":
        differences = minus_mean_of_others(images)
        limit = np.abs(differences).max(initial=0.0)
        return stretched(differences, -limit, limit)
    axis = (1, 2, 3) if view == "per-class" else None
    return stretched(images, images.min(axis=axis, keepdims=True), images.max(axis=axis, keepdims=True))


def check_view(name: str) -> View:
    """The view of that name. Raises ConfigError for an unknown one."""
    for view in VIEWS:
        if view == name:
            return view
    raise ConfigError(f"view: expected one of {', '.join(VIEWS)}, got {name!r}")


def minus_mean_of_others(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values (K, ...) of each class minus the mean of the others (a single class stays itself)."""
    others = max(1, len(values) - 1)
    differences: NDArray[np.float64] = values - (values.sum(axis=0, keepdims=True) - values) / others
    return differences


def rectangle(count: int) -> int:
    """Return how many columns show `count` equal tiles well: five for ten classes, ten for a hundred."""
    if count <= 10:
        return max(1, min(count, 5))
    return min(10, ceil(sqrt(count * 1.3)))


@styled
def draw_templates(
    images: NDArray[Any],
    class_names: Sequence[str],
    *,
    view: View = "shared",
    columns: int | None = None,
    classes: Sequence[int] | None = None,
    examples: Mapping[int, Examples] | None = None,
) -> Figure:
    """Return a figure of the templates `images` (K, H, W, C) from `template_images`, named above each.

    `classes` selects and orders; the scale stays that of all classes. With `examples` the figure has one block per
    class. Of more than 100 classes (20 with examples) the first are shown, and the heading says so.
    """
    selected = range(len(images)) if classes is None else classes
    shown = selected[: MOST_TEMPLATES if examples is None else MOST_WITH_EXAMPLES]
    colours = signed_colours(images, CLIPPED) if view in SIGNED else {}
    if examples is None:
        tiling = _tiles(images.shape[1:3], min(columns or rectangle(len(shown)), max(1, len(shown))))
    else:
        longest = max((len(row) for each in examples.values() for row in (each.most, each.least)), default=0)
        tiling = _blocks(images.shape[1:3], longest)
    below = tiling.top - NAME_HEIGHT + ceil(len(shown) / tiling.columns) * tiling.step_y
    height = below + MARGIN + (BAR_HEIGHT if colours else 0)
    figure = new_figure(WIDTH, height / DPI, automatic_layout=False)
    title(figure, f"Learned templates: {DESCRIPTIONS[view]}", left_out(len(shown), len(selected)))
    size = MEDIUM if tiling.columns <= 5 else SMALL
    for place, k in enumerate(shown):
        axes = tiling.axes(figure, place)
        show(axes, images[k], **colours)
        axes.set_title(fit_text(class_names[k], tiling.step_x - GAP, size), fontsize=size, pad=4)
        if examples is not None and k in examples:
            _draw_examples(figure, tiling, place, examples[k])
    if examples is not None:
        x, y = MARGIN / figure.bbox.width, 1 - HEADING_HEIGHT / figure.bbox.height
        figure.text(x, y, EXAMPLES_NOTE, fontsize=SMALL, color=FAINT, va="top")
    if colours:
        _colour_bar(figure, colours, view)
    return figure


def _tiles(size: tuple[int, int], columns: int) -> Tiling:
    """Places of templates of (H, W) alone."""
    step = (pixels(WIDTH) - 2 * MARGIN + GAP) // columns
    width, height = tile_size(size, min(step - GAP, pixels(1.9)))
    top = HEADING_HEIGHT + NAME_HEIGHT
    return Tiling(columns, width, height, MARGIN, top, step, height + NAME_HEIGHT + GAP // 2)


def _blocks(size: tuple[int, int], count: int) -> Tiling:
    """Places of templates of (H, W), two tiles high; beside each is room for a mean and two rows of `count` images."""
    small_width, small_height = tile_size(size, EXAMPLE_ROOM)
    width, height = tile_size(size, 2 * small_width + EXAMPLE_GAP)
    room = pixels(WIDTH) - 2 * MARGIN + 2 * GAP
    columns = max(1, room // (2 * width + EXAMPLE_GAP + count * (small_width + EXAMPLE_GAP) + 2 * GAP))
    step_y = NAME_HEIGHT + 2 * (small_height + EXAMPLE_GAP) + GAP // 2
    top = HEADING_HEIGHT + NOTE_HEIGHT + NAME_HEIGHT
    return Tiling(columns, width, height, MARGIN, top, room // columns, step_y)


def _draw_examples(figure: Figure, blocks: Tiling, place: int, examples: Examples) -> None:
    """Draw the mean image and the two rows beside the template at `place`."""
    line, column = divmod(place, blocks.columns)
    left = blocks.left + column * blocks.step_x + blocks.tile_width + EXAMPLE_GAP
    width, height = tile_size(examples.mean.shape[:2], EXAMPLE_ROOM)
    top, step = blocks.top + line * blocks.step_y, width + EXAMPLE_GAP
    show(replace(blocks, columns=1, left=left, top=top).axes(figure, 0), examples.mean)
    left += blocks.tile_width + EXAMPLE_GAP
    for row in (examples.most, examples.least):
        tiling = Tiling(len(row), width, height, left, top, step, 0)
        for position, image in enumerate(row):
            show(tiling.axes(figure, position), image)
        top += height + EXAMPLE_GAP


def signed_colours(values: NDArray[Any], percentile: float = 100) -> dict[str, Any]:
    """Arguments of imshow for signed values: blue, white at zero, red, with one symmetric range for all.

    The range ends at that percentile of the absolute values that are known.
    """
    known = np.abs(values[np.isfinite(values)])
    limit = (float(np.percentile(known, percentile)) or float(known.max())) if known.size else 0.0
    limit = limit or 1.0
    return {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}


def _colour_bar(figure: Figure, colours: dict[str, Any], view: View) -> None:
    """Draw the scale of signed values at the foot of the page."""
    height = figure.bbox.height
    axes = figure.add_axes((0.3, pixels(0.42) / height, 0.4, pixels(0.12) / height))
    scale = ScalarMappable(Normalize(colours["vmin"], colours["vmax"]), cmap=colours["cmap"])
    limit = colours["vmax"]
    bar = figure.colorbar(scale, cax=axes, orientation="horizontal", ticks=[-limit, 0, limit])
    end = number(float(f"{limit:.2g}"))
    bar.set_ticklabels([f"−{end}", "0", end])
    what = "weight of a pixel" if view == "channels" else "sum of a pixel's weights over its channels"
    bar.set_label(f"{what}; the largest 1 % are clipped", labelpad=1)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
