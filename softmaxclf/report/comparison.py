"""The page of a comparison: which model is better and by how much, then what they differ in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.plots.compare import draw_compare
from softmaxclf.plots.curves import LearningCurves, draw_curves
from softmaxclf.plots.figure import COLOURS, left_out
from softmaxclf.report.drawing import drawing
from softmaxclf.report.figures import count, decimal, interval, percent, points
from softmaxclf.report.images import picture, strip
from softmaxclf.report.markup import NO_BREAK, Markup, element, join
from softmaxclf.report.page import WHOLE, address, figure, files, header, page, paragraphs, section, warnings
from softmaxclf.report.tables import Cell, Column, captioned, table

Array = NDArray[Any]
HEADINGS = {
    "warnings": "Warnings", "accuracies": "Accuracies", "pairs": "Pairs", "settings": "Settings", "curves": "Curves",
    "templates": "Templates", "differing": "Differing rows", "files": "Files",
}  # fmt: skip
MOST_NAMED, MOST_CURVES, MOST_TEMPLATES = 3, len(COLOURS), 20
PAIRS = [
    Column("better", False), Column("other", False), Column("points better"), Column(f"95{NO_BREAK}% interval"),
    Column("only the better right"), Column("only the other right"), Column("p"), Column("change of seed", False),
]  # fmt: skip


@dataclass(frozen=True)
class Differing:
    """Images that one model labels right and another does not: how many there are, n of them (n, H, W, C) uint8, what
    they are (n,), and what the other takes them for (n,).
    """

    right: str
    wrong: str
    total: int
    images: NDArray[np.uint8]
    truth: Array
    predicted: Array


@dataclass(frozen=True)
class Comparison:
    """What the page says. result: what --json prints; best: the pairs of the most accurate model; reservations: what to
    know first. curves, and what they count (`along`); templates (K, H, W, C) by model; reports: the page of a model's
    run as seen from here, by model; files beside the page.
    """

    result: Mapping[str, Any]
    best: Sequence[Mapping[str, Any]]
    reservations: Sequence[str]
    class_names: Sequence[str]
    curves: Sequence[LearningCurves]
    along: str
    templates: Mapping[str, NDArray[np.uint8]]
    differing: Sequence[Differing]
    reports: Mapping[str, str]
    files: Sequence[str]


def comparison_page(facts: Comparison) -> str:
    """The whole page as HTML text; equal comparisons give equal text."""
    sections = {
        "warnings": warnings(facts.reservations),
        "accuracies": _accuracies(facts),
        "pairs": _pairs(facts),
        "settings": _settings(facts),
        "curves": _curves(facts),
        "templates": _templates(facts),
        "differing": _differing(facts),
        "files": section("files", "Files", files("", dict.fromkeys(facts.files, ""))),
    }
    present = {name: part for name, part in sections.items() if part is not None}
    result = facts.result
    title = _title([model["name"] for model in result["models"]])
    concluded = [element("p", f"{pair['conclusion']}.", class_="lead") for pair in facts.best]
    top = header(
        f"softmaxclf compare · {result['rows']:,} {result['split']} rows of {result['data']}", title,
        *concluded, links=[(name, HEADINGS[name]) for name in present],
    )  # fmt: skip
    return page(title, [top, element("main", *present.values()), element("footer", WHOLE)])


def _title(names: Sequence[str]) -> str:
    shown = list(names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        shown.append(f"{len(names) - MOST_NAMED} more")
    return f"{', '.join(shown[:-1])} or {shown[-1]}?"


def _accuracies(facts: Comparison) -> Markup:
    result, split = facts.result, facts.result["split"]
    models = result["models"]
    heading = f"Accuracy on the {split} rows, with 95 % intervals"
    drawn = draw_compare(
        [each["name"] for each in models], [each["splits"][split] for each in models], heading=""
    )
    known = [
        name for name in ("train", "validation", "test") if any(name in each["splits"] for each in models)
    ]
    columns = [
        Column("model", False),
        *(Column(f"{name} accuracy") for name in known),
        Column(f"95{NO_BREAK}% interval, {split}"),
        Column(f"{split} loss"),
    ]
    rows = [_line(facts, place, known) for place in range(len(models))]
    best = max(range(len(models)), key=lambda place: models[place]["splits"][split]["accuracy"])
    caption = "Accuracies of other splits are those that the runs recorded."
    listed = table(caption, columns, rows, sortable=True, marked=best, label="Models")
    picture = captioned(drawing(drawn, "accuracies", heading), f"{heading}.", label=heading)
    return section("accuracies", "Accuracies", picture, listed)


def _line(facts: Comparison, place: int, known: Sequence[str]) -> list[object]:
    model, split = facts.result["models"][place], facts.result["split"]
    of, splits = f"models.{place}.splits", model["splits"]
    name = model["name"]
    report = facts.reports.get(name)
    return [
        name if report is None else element("a", name, href=address(report)),
        *(percent(splits.get(each, {}).get("accuracy"), f"{of}.{each}.accuracy") for each in known),
        interval(splits[split]["interval"], f"{of}.{split}.interval"),
        decimal(splits[split]["loss"], f"{of}.{split}.loss"),
    ]


def _pairs(facts: Comparison) -> Markup:
    rows = [_pair(pair, f"pairs.{place}") for place, pair in enumerate(facts.result["pairs"])]
    caption = (
        "Points are hundredths. Intervals are Newcombe's for paired rows; p is the chance of a difference at least "
        "this large between equally accurate models on other rows (exact McNemar test)."
    )
    return section("pairs", "Each two", table(caption, PAIRS, rows, sortable=True, label="Each two models"))


def _pair(pair: Mapping[str, Any], of: str) -> list[object]:
    turned = pair["rows_difference"] < 0
    names, only = ("first", "second"), ("only_first_right", "only_second_right")
    better, other = names[::-1] if turned else names
    only_better, only_other = only[::-1] if turned else only
    noise = pair["noise"]
    if pair["least_difference"] is not None:
        noise = join([f"{noise} ", percent(pair["least_difference"], f"{of}.least_difference")])
    low, high = (points(bound, f"{of}.interval.{end}", turned) for end, bound in enumerate(pair["interval"]))
    return [
        pair[better],
        pair[other],
        points(pair["rows_difference"], f"{of}.rows_difference", turned),
        join([high, " to ", low] if turned else [low, " to ", high]),
        count(pair[only_better], f"{of}.{only_better}"),
        count(pair[only_other], f"{of}.{only_other}"),
        element("data", f"{pair['p_value']:.2g}", value=repr(pair["p_value"]), data_of=f"{of}.p_value"),
        Cell(noise, class_="status"),
    ]


def _settings(facts: Comparison) -> Markup:
    settings = facts.result["settings"]
    if not settings:
        return section("settings", "Settings", paragraphs("The models were made with the same settings."))
    columns = [
        Column(name, False) for name in ("setting", *(each["name"] for each in facts.result["models"]))
    ]
    rows = [
        [element("code", key), *(Cell(value, class_="prose") for value in values)]
        for key, values in settings.items()
    ]
    return section("settings", "What they differ in", table("Settings that are not the same.", columns, rows))


def _curves(facts: Comparison) -> Markup | None:
    shown = facts.curves[:MOST_CURVES]
    if not shown:
        return None
    told = f"Training loss and accuracy over each {facts.along}"
    drawn = drawing(draw_curves(shown, along=facts.along), "curves", told)
    note = left_out(len(shown), len(facts.curves), "runs")
    caption = f"{told}{note}. Of lines that lie on each other the thicker shows beside the thinner."
    return section("curves", "Training curves", captioned(drawn, caption, label=told))


def _templates(facts: Comparison) -> Markup | None:
    if not facts.templates:
        return None
    lines: list[Markup] = []
    for name, images in facts.templates.items():
        alt = f"Templates of {name}"
        lines += [element("dt", name), element("dd", strip(images[:MOST_TEMPLATES], alt))]
    names = ", ".join(facts.class_names[:MOST_TEMPLATES])
    note = left_out(MOST_TEMPLATES, len(facts.class_names))
    told = f"What each model looks for, each on its own brightness scale{note}: {names}."
    return section("templates", "Templates", figure(element("dl", *lines, class_="sheet"), told))


def _differing(facts: Comparison) -> Markup | None:
    if not facts.differing:
        return None
    parts: list[Markup] = []
    for number, each in enumerate(facts.differing):
        total = count(each.total, f"differing.{number}")
        heading = element("h3", join([f"Only {each.right} is right: ", total, " images"]))
        note = f"The first {len(each.images)}, and what {each.wrong} takes them for." if each.total else None
        parts += [heading, paragraphs(note), element("ul", *_tiles(facts, each), class_="tiles small")]
    return section("differing", "Where the two best differ", *parts)


def _tiles(facts: Comparison, differing: Differing) -> list[Markup]:
    tiles = []
    for image, truth, predicted in zip(differing.images, differing.truth, differing.predicted, strict=True):
        names = facts.class_names[truth], facts.class_names[predicted]
        caption = join([element("strong", names[0]), element("span", names[1], class_="muted")])
        tiles.append(element("li", figure(picture(image, f"{names[0]}, taken for {names[1]}"), caption)))
    return tiles
