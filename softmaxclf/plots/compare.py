"""Several runs side by side: their accuracies, each with its interval, and their templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from softmaxclf.plots.figure import (
    COLOURS,
    DPI,
    SMALL,
    WIDTH,
    fit_text,
    new_figure,
    plain,
    styled,
    text_width,
    title,
)
from softmaxclf.plots.images import MARGIN, Tiling, page_heading, pixels, show, tile_size

MOST_RUNS = 40
MOST_CLASSES = 12  # side by side, so that a template is still to be recognized
GAP = 6  # pixels between templates
TOP, MOST_NAME_ROOM, CLASS_ROOM = pixels(0.36), pixels(1.15), pixels(0.22)


@dataclass(frozen=True)
class Accuracies:
    """Accuracies of R runs in percent: `centre` (R,) and the reach of the interval `below` and `above` it."""

    names: tuple[str, ...]
    centre: NDArray[np.float64]
    below: NDArray[np.float64]
    above: NDArray[np.float64]


def accuracies(names: Sequence[str], splits: Sequence[Mapping[str, Any]]) -> Accuracies:
    """Return the runs' accuracies with their intervals, out of what metrics.json holds of a split, as percent."""
    centre = 100 * np.array([split["accuracy"] for split in splits])
    low, high = 100 * np.array([split["interval"] for split in splits]).T
    return Accuracies(tuple(names), centre, centre - low, high - centre)


@styled
def draw_compare(runs: Accuracies, *, split: str = "test", heading: str | None = None) -> Figure:
    """Return a figure with one line per run: accuracy as a dot, interval as a bar, number beside them.

    At most 40 runs are shown, and the heading says so.
    """
    count = min(len(runs.names), MOST_RUNS)
    figure = new_figure(WIDTH, 1.2 + 0.34 * count)
    text = heading or f"Accuracy on the {split} images, with 95 % intervals"
    note = f" (first {count} of {len(runs.names)} runs)"
    title(figure, text, note if count < len(runs.names) else "")
    axes = figure.subplots()
    places = np.arange(count)
    reach = np.stack([runs.below[:count], runs.above[:count]])
    axes.errorbar(
        runs.centre[:count],
        places,
        xerr=reach,
        fmt="o",
        color=COLOURS[0],
        markersize=6,
        capsize=4,
        linewidth=1.8,
    )
    right = float((runs.centre + runs.above)[:count].max(initial=0.0))
    left = float((runs.centre - runs.below)[:count].min(initial=right))
    span = max(right - left, 1.0)
    axes.set_xlim(max(0.0, left - 0.08 * span), right + 0.3 * span)
    for place in range(count):
        axes.text(right + 0.04 * span, place, f"{runs.centre[place]:.2f} %", va="center")
    axes.set_yticks(places, [fit_text(figure, name, 330) for name in runs.names[:count]])
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_xlabel("accuracy (%)")
    axes.grid(visible=True, axis="x")
    axes.tick_params(axis="y", length=0)
    return figure


@styled
def draw_templates_compared(
    templates: Sequence[NDArray[Any]],
    names: Sequence[str],
    class_names: Sequence[str],
    *,
    heading: str | None = None,
) -> Figure:
    """Return a figure with a line per run and a column per class: `templates[r]` (K, H, W, C) of run `names[r]`.

    There is at least one of each; at most 40 runs and 12 classes are shown, and the heading says so.
    """
    runs, classes = len(templates), len(class_names)
    shown = min(classes, MOST_CLASSES)
    measure = new_figure(WIDTH, 1.0, automatic_layout=False)
    name_room = min(
        MOST_NAME_ROOM, max(round(text_width(measure, plain(name), SMALL)) for name in names) + 3 * GAP
    )
    room = (pixels(WIDTH) - 2 * MARGIN - name_room) // shown - GAP
    shapes = [images.shape[1:3] for images in templates[:MOST_RUNS]]
    sizes = [tile_size(shape, min(room, pixels(0.9))) for shape in shapes]
    height = max(size[1] for size in sizes)
    page_height = TOP + CLASS_ROOM + len(sizes) * (height + GAP) + MARGIN
    figure = new_figure(WIDTH, page_height / DPI, automatic_layout=False)
    cut = [f"first {MOST_RUNS} of {runs} runs"] if runs > MOST_RUNS else []
    cut += [f"first {shown} of {classes:,} classes"] if shown < classes else []
    text = heading or "Learned templates, each run on its own brightness scale"
    page_heading(figure, text, f" ({', '.join(cut)})" if cut else "")
    for line, (images, size) in enumerate(zip(templates, sizes, strict=False)):
        top = TOP + CLASS_ROOM + line * (height + GAP)
        x, y = MARGIN / figure.bbox.width, 1 - (top + height / 2) / page_height
        figure.text(x, y, fit_text(figure, names[line], name_room - 2 * GAP), va="center")
        tiling = Tiling(shown, *size, MARGIN + name_room, top, room + GAP, 0)
        for k in range(shown):
            axes = tiling.axes(figure, k)
            show(axes, images[k])
            if line == 0:
                axes.set_title(fit_text(figure, class_names[k], room), fontsize=SMALL, loc="center", pad=3)
    return figure
