"""The page of a folder of runs: a sortable table of them, each with its result and a small picture of its weights."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from softmaxclf.core.images import has_colours
from softmaxclf.core.model import LinearModel
from softmaxclf.plots.figure import number
from softmaxclf.plots.filters import filter_sheet, patch_stage
from softmaxclf.plots.templates import template_images
from softmaxclf.report.figures import interval, percent
from softmaxclf.report.images import picture, strip
from softmaxclf.report.markup import NO_BREAK, Markup, element, join
from softmaxclf.report.page import WHOLE, address, copyable, files, header, page, paragraphs, section
from softmaxclf.report.tables import Cell, Column, table

RUNS = [
    Column("run", False), Column("weights", False, False), Column("test accuracy"), Column(f"95{NO_BREAK}% interval"),
    Column("validation accuracy"), Column("data", False), Column("made by", False), Column("on", False),
    Column("settings", False),
]  # fmt: skip
LEFT_OUT = [Column("folder", False), Column("why", False)]
NO_CHOICE = (
    "Choose between runs by validation, and quote the test accuracy of the one: the best of many on the test rows "
    "looks better than it is."
)
RAISES, LOWERS = "#d84a44", "#3a82c6"  # between those of light and of dark pages, to be seen on both
THUMBNAILS, THUMBNAIL_PIXELS, MOST_COLUMNS, DIGITS = 10, 18, 48, 4


@dataclass(frozen=True)
class ListedRun:
    """A run: its folder's name, its report's if it has one, what metrics.json and manifest.json hold, and its model."""

    name: str
    report: str | None
    metrics: Mapping[str, Any]
    manifest: Mapping[str, Any]
    model: LinearModel


@dataclass(frozen=True)
class Index:
    """What the page says. name: the folder's own; beside: the folder as seen from the page; runs: the newest first;
    comparisons: their pages, in the folder; left_out: why a folder is not listed, by its name.
    """

    folder: str
    name: str
    beside: str
    runs: Sequence[ListedRun]
    comparisons: Sequence[str]
    left_out: Mapping[str, str]


def index_page(index: Index) -> str:
    """The whole page as HTML text; equal folders give equal text."""
    sections = {
        "runs": ("Runs", _runs(index)),
        "comparisons": ("Comparisons", _comparisons(index)),
        "left-out": ("Left out", _left_out(index)),
    }
    present = {name: each for name, each in sections.items() if each[1] is not None}
    count = len(index.runs)
    title = f"{count:,} {'run' if count == 1 else 'runs'} in {index.name}"
    links = [(name, heading) for name, (heading, _) in present.items()]
    top = header(f"softmaxclf report · {index.folder}", title, links=links)
    main = element("main", *(part for _, part in present.values()))
    return page(title, [top, main, element("footer", WHOLE)], wide=True)


def _runs(index: Index) -> Markup | None:
    if not index.runs:
        return None
    rows = [_row(index, place) for place in range(len(index.runs))]
    caption = f"The newest first. {NO_CHOICE}"
    return section("runs", "Runs", table(caption, RUNS, rows, sortable=True, label="Runs"), _next(index))


def _row(index: Index, place: int) -> list[object]:
    run = index.runs[place]
    splits, manifest, of = run.metrics["splits"], run.manifest, f"runs.{place}.splits"
    test, validation = splits.get("test", {}), splits.get("validation", {})
    link = run.name
    if run.report is not None:
        link = element("a", run.name, href=address(index.beside, run.name, run.report))
    return [
        link,
        thumbnail(run.model, f"Weights of {run.name}"),
        percent(test.get("accuracy"), f"{of}.test.accuracy"),
        interval(test.get("interval", (None, None)), f"{of}.test.interval"),
        percent(validation.get("accuracy"), f"{of}.validation.accuracy"),
        Cell(manifest["data"]["name"], class_="status"),
        manifest["command"],
        Cell(str(manifest.get("started", ""))[:16].replace("T", " "), class_="status"),
        Cell(_settings(run), class_="prose"),
    ]


def _settings(run: ListedRun) -> str:
    """What was chosen or asked for: the cell's values, and whatever is not of the plainest kind."""
    model, cells = run.model, run.metrics.get("cells", ())
    facts = run.metrics.get("best") or model.provenance
    told = [
        f"{name.replace('_', ' ')} {number(facts[name], DIGITS)}"
        for name in ("learning_rate", "regularization")
        if isinstance(facts.get(name), int | float)
    ]
    told += [model.loss] if model.loss != "softmax" else []
    told += ["patch features"] if patch_stage(model) is not None else []
    told += [f"best of {len(cells):,}"] if cells else []
    return ", ".join(told)


def thumbnail(model: LinearModel, alt: str) -> Markup:
    """A small picture of what a model looks for: templates, filters of patches, or the weights as a map of signs."""
    if patch_stage(model) is not None:
        tiles = np.array(filter_sheet(model, classes=[]).scales[0][2][:THUMBNAILS])
        return strip(tiles, alt, THUMBNAIL_PIXELS)
    shape = model.template_shape
    if shape is not None and has_colours(shape):
        images = template_images(model.pixel_weights(), shape)[:THUMBNAILS]
        return strip(images, alt, THUMBNAIL_PIXELS)
    return picture(_signs(model.shown_weights[:MOST_COLUMNS, :THUMBNAILS]), alt)


def _signs(weights: NDArray[Any]) -> NDArray[np.uint8]:
    """Weights (D, K) as an image (K, D, 4), a line per class: for it, against it, and clear where they are small."""
    shares = weights.T / max(float(np.abs(weights).max(initial=0.0)), 1e-300)
    colours = np.where(shares[..., None] > 0, to_rgb(RAISES), to_rgb(LOWERS))
    pixels: NDArray[np.float64] = 255 * np.concatenate([colours, np.abs(shares)[..., None]], axis=2)
    return np.rint(pixels).astype(np.uint8)


def _next(index: Index) -> Markup | None:
    """The command that compares the newest run with the one before it on the same data."""
    newest = index.runs[0]
    data = newest.manifest["data"]["fingerprint"]
    other = next((run for run in index.runs[1:] if run.manifest["data"]["fingerprint"] == data), None)
    if other is None:
        return None
    paths = [str(PurePath(index.folder, run.name)) for run in (newest, other)]
    return join([
        paragraphs("To compare two of the same data:"), copyable(shlex.join(["softmaxclf", "compare", *paths]))
    ])  # fmt: skip


def _comparisons(index: Index) -> Markup | None:
    if not index.comparisons:
        return None
    return section("comparisons", "Comparisons", files(index.beside, dict.fromkeys(index.comparisons, "")))


def _left_out(index: Index) -> Markup | None:
    if not index.left_out:
        return None
    rows = [[name, Cell(why, class_="prose")] for name, why in index.left_out.items()]
    return section("left-out", "Left out", table("Folders that hold no finished run.", LEFT_OUT, rows))
