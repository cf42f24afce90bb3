"""Lines of images: examples of each class, the most confused pairs of classes, or the templates of several runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from numpy.typing import NDArray

from softmaxclf.plots.figure import (
    DPI,
    MARGIN,
    MEDIUM,
    SMALL,
    WIDTH,
    fit_text,
    left_out,
    new_figure,
    plain,
    styled,
    text_width,
    title,
)
from softmaxclf.plots.images import Tiling, pixels, show, tile_size

GAP = 6  # pixels between images
MOST_PAIRS, MOST_RUNS, MOST_SHEET = 12, 40, 40
MOST_CLASSES = 12  # side by side, so that a template is still to be recognized
TOP, LINE, COLUMN_NAMES = pixels(0.42), pixels(0.17), pixels(0.22)
MOST_NAME_ROOM, MOST_WIDE = pixels(2.2), pixels(0.9)


@styled
def draw_pairs(
    pairs: Mapping[tuple[int, int], NDArray[Any]],
    class_names: Sequence[str],
    counts: NDArray[Any],
    *,
    heading: str,
) -> Figure:
    """Return a sheet of the most confused pairs: (true, predicted) -> example images (n, H, W, C).

    `counts` (K, K) is the confusion matrix. At most 12 pairs are shown.
    """
    names = [f"{counts[pair]:,} x {class_names[pair[0]]} → {class_names[pair[1]]}" for pair in pairs]
    return _draw_strips(names[:MOST_PAIRS], list(pairs.values())[:MOST_PAIRS], heading)


@styled
def draw_templates_compared(
    templates: Sequence[NDArray[Any]], names: Sequence[str], class_names: Sequence[str]
) -> Figure:
    """Return a figure with a line per run and a column per class: `templates[r]` (K, H, W, C) of run `names[r]`.

    At most 40 runs and 12 classes are shown, and the heading says so.
    """
    heading = "Learned templates, each run on its own brightness scale"
    columns = class_names[:MOST_CLASSES]
    note = left_out(MOST_RUNS, len(names), "runs") + left_out(len(columns), len(class_names))
    images = [each[:MOST_CLASSES] for each in templates[:MOST_RUNS]]
    return _draw_strips(names[:MOST_RUNS], images, heading, note, columns)


@styled
def draw_contact_sheet(images: Sequence[NDArray[Any]], class_names: Sequence[str], *, heading: str) -> Figure:
    """Return a sheet with a line per class: images[k] (n, H, W, C). At most 40 classes are shown, and it says so."""
    note = left_out(MOST_SHEET, len(class_names))
    return _draw_strips(class_names[:MOST_SHEET], images[:MOST_SHEET], heading, note)


def _draw_strips(
    names: Sequence[str],
    strips: Sequence[NDArray[Any]],
    heading: str,
    note: str = "",
    columns: Sequence[str] = (),
) -> Figure:
    """One line per strip (n, H, W, C): its name, then its images; `columns` are their names, if they have any."""
    widest = max((text_width(plain(name), MEDIUM) for name in names), default=0.0)
    name_room = min(MOST_NAME_ROOM, round(widest) + 3 * GAP)
    step = (pixels(WIDTH) - 2 * MARGIN - name_room) // max([1, *map(len, strips)])
    sizes = [tile_size(strip.shape[1:3], min(step - GAP, MOST_WIDE)) for strip in strips]
    step = min(step, max((width for width, _ in sizes), default=0) + GAP)
    line_height = max([LINE, *(height for _, height in sizes)]) + GAP
    top = TOP + (COLUMN_NAMES if columns else 0)
    page_height = top + max(len(strips), 1) * line_height + MARGIN
    figure = new_figure(WIDTH, page_height / DPI, automatic_layout=False)
    title(figure, heading, note)
    for line, (name, strip, size) in enumerate(zip(names, strips, sizes, strict=True)):
        tiling = Tiling(len(strip), *size, MARGIN + name_room, top + line * line_height, step, 0)
        x, y = MARGIN / figure.bbox.width, 1 - (tiling.top + size[1] / 2) / page_height
        figure.text(x, y, fit_text(name, name_room - 2 * GAP, MEDIUM), fontsize=MEDIUM, va="center")
        for place, image in enumerate(strip):
            axes = tiling.axes(figure, place)
            show(axes, image)
            if columns and line == 0:
                axes.set_title(fit_text(columns[place], step), fontsize=SMALL, loc="center", pad=3)
    return figure
