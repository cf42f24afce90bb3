"""The learned weights of each class as a picture, its template: what the model looks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any, Literal, get_args

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

View = Literal["shared", "per-class", "signed", "difference"]
VIEWS: tuple[View, ...] = get_args(View)
MOST_TEMPLATES = 100
MOST_WITH_EXAMPLES = 20
GAP, EXAMPLE_GAP, EXAMPLE_ROOM = 14, 4, 70  # pixels of the page
HEADING_HEIGHT, NAME_HEIGHT = pixels(0.36), pixels(0.25)
EXAMPLES_NOTE = "Beside each: the images with its highest scores (upper row) and its lowest (lower row)."
DESCRIPTIONS: dict[View, str] = {
    "shared": "one brightness scale for all classes",
    "per-class": "each class on its own brightness scale",
    "signed": "red raises the class's score, blue lowers it",
    "difference": "class minus the mean of the others (grey: no difference)",
}


def template_images(
    W: NDArray[Any], image_shape: tuple[int, int, int], view: View = "shared"
) -> NDArray[Any]:
    """Return the templates (K, H, W, C) of weights W (D, K), D = C·H·W in plane order, ready to show.

    - shared: uint8; the least weight of all classes is 0, the largest 255 (the classic recipe).
    - per-class: uint8; the same with each class's own least and largest weight.
    - signed: float64 (K, H, W, 1); the sum of a pixel's weights over its channels, which is what a grey pixel
      one step brighter adds to the score.
    - difference: uint8; class minus mean of the other classes, on one scale symmetric about zero (127.5).

    Raises ConfigError for an unknown view and for colour views of images with neither 1 nor 3 channels,
    ValueError where W and image_shape disagree.
    """
    check_view(view)
    images = planes_last(np.asarray(W, dtype=np.float64).T, image_shape)
    if view == "signed":
        sums: NDArray[np.float64] = images.sum(axis=3, keepdims=True)
        return sums
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
    examples: Mapping[int, tuple[NDArray[Any], NDArray[Any]]] | None = None,
) -> Figure:
    """Return a figure of the templates `images` (K, H, W, C) from `template_images`, named above each.

    `classes` selects and orders; the scale stays that of all classes. `examples` maps a class to its most
    and least template-like images, two arrays (n, H, W, C) of uint8; the figure then has one block per class.
    Of more than 100 classes (20 with examples) the first are shown, and the heading says so.
    """
    selected = range(len(images)) if classes is None else classes
    shown = selected[: MOST_TEMPLATES if examples is None else MOST_WITH_EXAMPLES]
    sheet = _Sheet(
        images=images,
        class_names=class_names,
        shown=shown,
        colours=signed_colours(images) if view == "signed" else {},
        heading=f"Learned templates: {DESCRIPTIONS[view]}",
        note=left_out(len(shown), len(selected)),
    )
    if examples is not None:
        return _draw_with_examples(sheet, examples)
    return _draw_tiles(sheet, min(columns or rectangle(len(shown)), max(1, len(shown))))


@dataclass(frozen=True)
class _Sheet:
    """What both layouts draw: `shown` are the classes, `colours` the scale of signed values, else empty."""

    images: NDArray[Any]
    class_names: Sequence[str]
    shown: Sequence[int]
    colours: dict[str, Any]
    heading: str
    note: str

    def page(self, height: int) -> Figure:
        """Return a page with the heading, `height` pixels for the tiles, and the scale of signed values below."""
        below = pixels(0.65) if self.colours else 0
        figure = new_figure(WIDTH, (height + below) / DPI, automatic_layout=False)
        title(figure, self.heading, self.note)
        if self.colours:
            _colour_bar(figure, self.colours)
        return figure

    def show(self, figure: Figure, tiling: Tiling, place: int, k: int, size: float) -> None:
        """Draw the template of class k with its name above, as wide as the way to the next tile."""
        axes = tiling.axes(figure, place)
        show(axes, self.images[k], **self.colours)
        name = fit_text(self.class_names[k], tiling.step_x - 6, size)
        axes.set_title(name, fontsize=size, loc="center" if tiling.step_y else "left", pad=4)


def signed_colours(values: NDArray[Any]) -> dict[str, Any]:
    """Arguments of imshow for signed values: blue, white at zero, red, with one symmetric range for all."""
    limit = float(np.abs(values).max(initial=0.0)) or 1.0
    return {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}


def _draw_tiles(sheet: _Sheet, columns: int) -> Figure:
    room = min((pixels(WIDTH) - 2 * MARGIN - (columns - 1) * GAP) // columns, pixels(1.9))
    tile_width, tile_height = tile_size(sheet.images.shape[1:3], room)
    tiling = Tiling(
        columns=columns,
        tile_width=tile_width,
        tile_height=tile_height,
        left=MARGIN + (room - tile_width) // 2,
        top=HEADING_HEIGHT + NAME_HEIGHT,
        step_x=room + GAP,
        step_y=tile_height + NAME_HEIGHT + GAP // 2,
    )
    rows = ceil(len(sheet.shown) / columns)
    figure = sheet.page(HEADING_HEIGHT + rows * tiling.step_y + MARGIN)
    for place, k in enumerate(sheet.shown):
        sheet.show(figure, tiling, place, k, MEDIUM if columns <= 5 else SMALL)
    return figure


def _draw_with_examples(sheet: _Sheet, examples: Mapping[int, tuple[NDArray[Any], NDArray[Any]]]) -> Figure:
    """One block per class: its name, the template two tiles high, and two rows of images beside it."""
    tile_width, tile_height = tile_size(sheet.images.shape[1:3], EXAMPLE_ROOM)
    step = tile_width + EXAMPLE_GAP
    large = tile_size(sheet.images.shape[1:3], step + tile_width)
    room = pixels(WIDTH) - 2 * MARGIN
    longest = max((len(row) for pair in examples.values() for row in pair), default=0)
    count = min((room - large[0]) // step, longest)
    blocks = max(1, (room + 2 * GAP) // (large[0] + count * step + 2 * GAP))
    block_width = (room + 2 * GAP) // blocks
    block_height = NAME_HEIGHT + 2 * (tile_height + EXAMPLE_GAP) + GAP // 2
    top = HEADING_HEIGHT + pixels(0.26)
    figure = sheet.page(top + ceil(len(sheet.shown) / blocks) * block_height + MARGIN)
    y = 1 - HEADING_HEIGHT / figure.bbox.height
    figure.text(MARGIN / figure.bbox.width, y, EXAMPLES_NOTE, fontsize=SMALL, color=FAINT, va="top")
    for position, k in enumerate(sheet.shown):
        line, block = divmod(position, blocks)
        left, below = MARGIN + block * block_width, top + line * block_height + NAME_HEIGHT
        sheet.show(figure, Tiling(1, *large, left, below, block_width - GAP, 0), 0, k, MEDIUM)
        beside = left + large[0] + EXAMPLE_GAP
        tiling = Tiling(count, tile_width, tile_height, beside, below, step, tile_height + EXAMPLE_GAP)
        for row, strip in enumerate(examples.get(k, ())):
            for place, image in enumerate(strip[:count]):
                show(tiling.axes(figure, row * count + place), image)
    return figure


def _colour_bar(figure: Figure, colours: dict[str, Any]) -> None:
    """Draw the scale of signed values at the foot of the page."""
    height = figure.bbox.height
    axes = figure.add_axes((0.3, pixels(0.42) / height, 0.4, pixels(0.12) / height))
    scale = ScalarMappable(Normalize(colours["vmin"], colours["vmax"]), cmap=colours["cmap"])
    limit = colours["vmax"]
    bar = figure.colorbar(scale, cax=axes, orientation="horizontal", ticks=[-limit, 0, limit])
    end = number(float(f"{limit:.2g}"))
    bar.set_ticklabels([f"−{end}", "0", end])
    bar.set_label("sum of a pixel's weights over its channels", labelpad=1)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
