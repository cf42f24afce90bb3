"""A sheet of images: examples of the most confused pairs of classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from numpy.typing import NDArray

from softmaxclf.plots.figure import (
    DPI,
    INK,
    MEDIUM,
    WIDTH,
    fit_text,
    new_figure,
    styled,
)
from softmaxclf.plots.images import MARGIN, Tiling, page_heading, pixels, show, tile_size

GAP = 4  # pixels between images
MOST_CLASSES, MOST_CAPTIONED, MOST_PAIRS = 40, 40, 12
TOP, LINE = pixels(0.45), pixels(0.17)


@dataclass(frozen=True)
class Strip:
    """One line of a sheet: a `name` and its `images`, at most as many as asked for."""

    name: str
    images: Sequence[NDArray[Any]]


@styled
def draw_pairs(
    pairs: Mapping[tuple[int, int], NDArray[Any]],
    class_names: Sequence[str],
    *,
    counts: NDArray[Any] | None = None,
    heading: str | None = None,
) -> Figure:
    """Return a sheet of the most confused pairs: (true, predicted) -> example images (n, H, W, C).

    `counts` (K, K) adds how many there are. At most 12 pairs are shown.
    """
    strips = []
    for (true, predicted), row in list(pairs.items())[:MOST_PAIRS]:
        number = "" if counts is None else f"{counts[true, predicted]:,} x "
        strips.append(Strip(f"{number}{class_names[true]} → {class_names[predicted]}", list(row)))
    return _draw_strips(strips, heading or "Most confused pairs (true → predicted)", pixels(2.2))


def _draw_strips(strips: Sequence[Strip], heading: str, name_width: int, note: str = "") -> Figure:
    """Return one line per strip: the name, then as many of its images as fit."""
    shapes = [strip.images[0].shape[:2] for strip in strips if len(strip.images)]
    longest = max((len(strip.images) for strip in strips), default=0)
    room = (pixels(WIDTH) - 2 * MARGIN - name_width + GAP) // max(1, longest) - GAP
    width, height = tile_size(shapes[0] if shapes else (1, 1), min(max(room, 64), 110))
    fitting = max(1, (pixels(WIDTH) - 2 * MARGIN - name_width + GAP) // (width + GAP))
    step_y = max(height, LINE) + GAP
    page_height = TOP + max(len(strips), 1) * step_y + MARGIN
    figure = _page(heading, page_height, note)
    for line, strip in enumerate(strips):
        top = TOP + line * step_y
        name = fit_text(figure, strip.name, name_width - 2 * GAP, MEDIUM)
        x, y = MARGIN / figure.bbox.width, 1 - (top + height / 2) / page_height
        figure.text(x, y, name, fontsize=MEDIUM, va="center", color=INK)
        tiling = Tiling(fitting, width, height, MARGIN + name_width, top, width + GAP, 0)
        for place, image in enumerate(strip.images[:fitting]):
            show(tiling.axes(figure, place), image)
    return figure


def _page(heading: str, page_height: int, note: str = "") -> Figure:
    figure = new_figure(WIDTH, page_height / DPI, automatic_layout=False)
    page_heading(figure, heading, note)
    return figure
