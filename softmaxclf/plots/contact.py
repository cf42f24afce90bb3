"""Sheets of images: examples of each class, the most wrong ones, the most confused pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from softmaxclf.plots.figure import (
    DPI,
    INK,
    MEDIUM,
    SMALL,
    WIDTH,
    fit_text,
    new_figure,
    styled,
    text_width,
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


def class_rows(y: ArrayLike, classes: int, per_class: int) -> list[NDArray[np.int64]]:
    """Return for each class the first `per_class` rows of y (N,) that belong to it, or fewer."""
    labels = np.asarray(y)
    return [np.flatnonzero(labels == k)[:per_class] for k in range(classes)]


def most_wrong(probabilities: NDArray[Any], y: ArrayLike, count: int) -> NDArray[np.int64]:
    """Return the `count` misclassified rows of highest probability for the wrong class, highest first.

    probabilities (N, K), y (N,).
    """
    labels = np.asarray(y)
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    chances = probabilities[wrong, predicted[wrong]]
    return wrong[np.argsort(-chances, kind="stable")[:count]]


@styled
def draw_contact(
    images: Sequence[NDArray[Any]], class_names: Sequence[str], *, heading: str | None = None
) -> Figure:
    """Return a contact sheet: one line per class, `images[k]` (n, H, W, C) beside its name.

    Of more than 40 classes the first are shown, and the heading says so.
    """
    text = heading or "Examples of each class"
    note = f" (first {MOST_CLASSES} of {len(images):,} classes)" if len(images) > MOST_CLASSES else ""
    strips = [Strip(name, list(row)) for name, row in zip(class_names, images, strict=True)]
    return _draw_strips(strips[:MOST_CLASSES], text, pixels(1.0), note)


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


@styled
def draw_wrong(
    images: NDArray[Any],
    true_names: Sequence[str],
    predicted_names: Sequence[str],
    *,
    probabilities: ArrayLike | None = None,
    heading: str | None = None,
) -> Figure:
    """Return a sheet of misclassified images (n, H, W, C), each above its true and its predicted class.

    `probabilities` (n,) of the predicted class are added where given. At most 40 images are shown.
    """
    count = min(len(images), MOST_CAPTIONED)
    columns = 6
    step = (pixels(WIDTH) - 2 * MARGIN + GAP) // columns
    width, height = tile_size(images.shape[1:3], step - GAP)
    step_y = height + 2 * LINE + 4 * GAP
    page_height = TOP + ceil(max(count, 1) / columns) * step_y + MARGIN
    figure = _page(heading or "Most wrong (true → predicted, with its probability)", page_height)
    tiling = Tiling(columns, width, height, MARGIN, TOP, step, step_y)
    for place in range(count):
        axes = tiling.axes(figure, place)
        show(axes, images[place])
        sure = "" if probabilities is None else f" {100 * np.asarray(probabilities)[place]:.0f} %"
        called = fit_text(figure, f"→ {predicted_names[place]}", step - GAP - text_width(figure, sure, SMALL))
        fitted = [fit_text(figure, true_names[place], step - GAP), called + sure]
        axes.set_xlabel("\n".join(fitted), fontsize=SMALL, labelpad=3, loc="left", linespacing=1.15)
    return figure


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
