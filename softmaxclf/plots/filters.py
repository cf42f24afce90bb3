"""The filters of patch features: the most important of each scale, and those that speak for and against each class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from softmaxclf.core.model import LinearModel
from softmaxclf.core.stages.patches.excitation import (
    Response,
    exciting,
    importance,
    picture_of,
    speaking,
    weights_of,
)
from softmaxclf.core.stages.patches.stage import Patches
from softmaxclf.plots.figure import (
    DPI,
    FAINT,
    INK,
    MARGIN,
    MEDIUM,
    SMALL,
    WIDTH,
    fit_text,
    left_out,
    new_figure,
    styled,
    title,
)
from softmaxclf.plots.images import image_pixels, pixels, show

SHOWN, PER_ROW = 60, 30  # filters of a scale
SPEAKING, PATCHES = 6, 3  # filters for and against a class, and patches that excite each
MOST_CLASSES = 20
GAP, TOP, LINE, NAME = 4, pixels(0.42), pixels(0.26), pixels(0.9)

Tile = NDArray[np.uint8]


@dataclass(frozen=True)
class FilterSheet:
    """What is drawn: tiles (p, p, C) uint8 of the filters of each scale (its factor, how many, the first of them), and
    per class of the responses for it and against it. exciting: patches (n, p, p, C) uint8, empty where none are known.
    """

    scales: list[tuple[int, int, list[Tile]]]
    responses: dict[int, tuple[list[Response], list[Response]]]
    tiles: dict[Response, Tile]
    exciting: Mapping[Response, NDArray[np.uint8]] = field(default_factory=dict)


def patch_stage(model: LinearModel) -> Patches | None:
    """The stage of a model with patch features."""
    return next((each for each in model.preprocessing.reading if isinstance(each, Patches)), None)


def filter_sheet(
    model: LinearModel,
    rows: tuple[NDArray[Any], NDArray[np.int64]] | None = None,
    classes: Sequence[int] | None = None,
) -> FilterSheet:
    """The sheet of a model with patch features, of those classes (default all), at most MOST_CLASSES.

    rows: images X (N, D) and which of them to search for patches, if any.
    """
    stage = patch_stage(model)
    assert stage is not None
    scales = []
    for place, (scale, weight) in enumerate(zip(stage.scales, importance(stage, model.W), strict=True)):
        order = np.argsort(-weight, kind="stable")[:SHOWN].tolist()
        tiles = [_tile(picture_of(stage, Response(place, number, 0))) for number in order]
        scales.append((scale.factor, scale.filters, tiles))
    weights = weights_of(stage, model.W)
    chosen = range(model.classes) if classes is None else classes
    responses = {k: speaking(weights, k, SPEAKING) for k in chosen[:MOST_CLASSES]}
    wanted = list(dict.fromkeys(each for pair in responses.values() for side in pair for each in side))
    found = {} if rows is None else exciting(stage, *rows, wanted, PATCHES)
    patches = {}
    if found:
        shape = (stage.shape[0], stage.patch, stage.patch)
        flat = np.concatenate([each.transpose(0, 3, 1, 2).reshape(len(each), -1) for each in found.values()])
        images = image_pixels(np.rint(flat).astype(np.uint8) if flat.max() > 1 else flat, shape)
        ends = np.cumsum([len(each) for each in found.values()])
        patches = dict(zip(found, np.split(images, ends[:-1]), strict=True))
    return FilterSheet(scales, responses, {each: _tile(picture_of(stage, each)) for each in wanted}, patches)


def _tile(values: NDArray[np.float64]) -> Tile:
    return np.rint(127.5 + 127.5 * values).astype(np.uint8)


@styled
def draw_filters(
    sheet: FilterSheet, class_names: Sequence[str], *, classes: Sequence[int] | None = None
) -> Figure:
    """Return the sheet's figure. classes: those that were asked for, for the heading to say what is left out."""
    asked = len(class_names) if classes is None else len(classes)
    side = len(next(tile for _, _, tiles in sheet.scales for tile in tiles))
    room = pixels(WIDTH) - 2 * MARGIN
    small, step = _fitting(side, room // PER_ROW - GAP), room // PER_ROW
    half = (room - NAME) // 2
    wide = half // SPEAKING
    tile, patch = _fitting(side, wide * 3 // 5), _fitting(side, (wide - GAP) // PATCHES - 1)
    row = tile + (GAP + patch if sheet.exciting else 0) + 3 * GAP
    lines = [-(-len(tiles) // PER_ROW) for _, _, tiles in sheet.scales]
    height = (
        TOP + sum(LINE + line * step + GAP for line in lines) + 2 * LINE + len(sheet.responses) * row + MARGIN
    )
    figure = new_figure(WIDTH, height / DPI, automatic_layout=False)
    title(figure, "Filters: what is looked for in small patches")
    canvas = np.zeros(
        (height, pixels(WIDTH), 4), np.uint8
    )  # one picture of all tiles: axes for each would take seconds
    top = TOP
    for (factor, count, tiles), line in zip(sheet.scales, lines, strict=True):
        where = "of the image" if factor == 1 else f"of the image at 1 / {factor} of its size"
        _text(figure, MARGIN, top, f"The {len(tiles)} most important of {count} filters {where}", faint=True)
        for place, image in enumerate(tiles):
            down, across = divmod(place, PER_ROW)
            _paste(canvas, image, small, MARGIN + across * step, top + LINE - GAP + down * step)
        top += LINE + line * step + GAP
    note = "; beneath each, training patches that excite it most" if sheet.exciting else ""
    left = [MARGIN + NAME, MARGIN + NAME + half]
    _text(figure, MARGIN, top, f"By class{note}{left_out(len(sheet.responses), asked)}", faint=True)
    for x, told in zip(left, ("speak for it", "speak against it"), strict=True):
        _text(figure, x, top + LINE - GAP, told)
    top += 2 * LINE
    for k, sides in sheet.responses.items():
        _text(figure, MARGIN, top + tile // 3, fit_text(class_names[k], NAME - GAP, MEDIUM))
        for x, responses in zip(left, sides, strict=True):
            for place, response in enumerate(responses):
                at = x + place * wide
                _paste(canvas, sheet.tiles[response], tile, at, top)
                for number, image in enumerate(sheet.exciting.get(response, ())):
                    _paste(canvas, image, patch, at + number * (patch + 1), top + tile + GAP)
        top += row
    show(figure.add_axes((0, 0, 1, 1), zorder=-1), canvas)
    return figure


def _fitting(side: int, room: int) -> int:
    """The largest multiple of `side` in that room, or the room where there is none."""
    return room // side * side or room


def _paste(canvas: NDArray[np.uint8], image: NDArray[np.uint8], size: int, left: int, top: int) -> None:
    """Put an image (p, p, C) on the canvas (H, W, 4), `size` pixels wide and high."""
    places = np.arange(size) * len(image) // size
    canvas[top : top + size, left : left + size, :3] = image[places][:, places]
    canvas[top : top + size, left : left + size, 3] = 255


def _text(figure: Figure, x: int, top: int, told: str, *, faint: bool = False) -> None:
    place = x / figure.bbox.width, 1 - top / figure.bbox.height
    figure.text(*place, told, fontsize=SMALL if faint else MEDIUM, va="top", color=FAINT if faint else INK)
