"""What the model does: templates, calibration, its surest mistakes."""

import shlex
from collections.abc import Sequence

import numpy as np

from softmaxclf.core.images import has_colours
from softmaxclf.core.metrics import FEW_CLASSES, weakest, wilson_interval
from softmaxclf.core.model import LinearModel
from softmaxclf.plots.features import draw_features
from softmaxclf.plots.figure import left_out
from softmaxclf.plots.filters import filter_sheet, patch_stage
from softmaxclf.plots.reliability import draw_reliability
from softmaxclf.plots.templates import template_images
from softmaxclf.report.drawing import drawing
from softmaxclf.report.facts import Facts, Mistakes, Scored
from softmaxclf.report.figures import decimal, percent
from softmaxclf.report.images import picture, strip
from softmaxclf.report.markup import Markup, element, join
from softmaxclf.report.page import figure, paragraphs, section
from softmaxclf.report.tables import Column, captioned, table, terms

MOST_TEMPLATES, MOST_BARS, MOST_FILTERS = 100, 12, 30
BINS = (Column("confidence"), Column("rows"), Column("mean confidence"), Column("accuracy"))
MISTAKES = (Column("row"), Column("true", False), Column("predicted", False), Column("probability"))


def templates(facts: Facts) -> Markup:
    """The weights of each class, as an image or as its largest ones."""
    if patch_stage(facts.model) is not None:
        return section("templates", "Filters", *filters(facts.model))
    shape = facts.model.template_shape
    if shape is None or not has_colours(shape):
        return section("templates", "Weights", _largest_weights(facts))
    images = template_images(facts.model.pixel_weights(), shape, "per-class")[:MOST_TEMPLATES]
    tiles = [
        element("li", figure(picture(image, f"Template of {name}: its weights as an image"), name))
        for name, image in zip(facts.model.class_names, images, strict=False)
    ]
    told = (
        "What each class looks for: the brighter a colour is at a place, the more that colour there raises the class's "
        "score. Each class has its own brightness scale"
    )
    told += left_out(MOST_TEMPLATES, len(facts.model.class_names)) + "."
    content = element("ul", *tiles, class_="tiles")
    return section("templates", "Templates", paragraphs(told), content)


def filters(model: LinearModel) -> list[Markup]:
    """The filters of patch features: the most important, then those that speak for and against each class."""
    sheet, names = filter_sheet(model), model.class_names
    lines: list[Markup] = []
    for factor, count_of, tiles in sheet.scales:
        where = "of the image" if factor == 1 else f"of the image at 1 / {factor} of its size"
        shown = np.array(tiles[:MOST_FILTERS])
        lines += [
            element("dt", f"{len(shown)} of {count_of} filters {where}"),
            element("dd", strip(shown, where)),
        ]
    for k, (for_it, against) in sheet.responses.items():
        for side, responses in (("for", for_it), ("against", against)):
            told = f"{side} {names[k]}"
            shown = np.array([sheet.tiles[each] for each in responses])
            lines += [
                element("dt", told),
                element("dd", strip(shown, f"The filters that speak most {told}"), class_="few"),
            ]
    told = (
        "What is looked for in small patches: first the filters with the largest weights, then those whose responses "
        "raise or lower the score of a class most. softmaxclf visualize-weights shows the patches that excite them."
    )
    return [paragraphs(told), element("dl", *lines, class_="sheet")]


def _largest_weights(facts: Facts) -> Markup:
    """The largest weights of each class as bars; of many classes, those of the ones that are found least."""
    names, many = facts.model.class_names, len(facts.model.class_names) > FEW_CLASSES
    if many and facts.scored is not None:
        chosen, which = weakest(facts.scored.classes, MOST_BARS), "the {} of lowest recall"
    else:
        chosen, which = list(range(len(names)))[: MOST_BARS if many else None], "first {}"
    columns = None if facts.model.feature_names is not None else "Columns are counted from 0"
    bars = draw_features(
        facts.model.shown_weights, names, classes=chosen, heading="", names=facts.model.feature_names
    )
    told = "The columns of largest weight for each class, as trained: red raises the class's score, blue lowers it"
    caption = f"{told}{left_out(len(chosen), len(names), which=which)}."
    return captioned(
        drawing(bars, "weights", caption), " ".join(filter(None, (caption, columns))), label="Largest weights"
    )


def calibration(facts: Facts, scored: Scored) -> Markup:
    """Whether probabilities come true: the reliability diagram and the scores behind it."""
    bins = scored.bins
    filled = bins.counts > 0
    mean = float(np.average(bins.confidence[filled], weights=bins.counts[filled]))
    right = float(np.average(bins.accuracy[filled], weights=bins.counts[filled]))
    rows = int(bins.counts.sum())
    low, high = wilson_interval(round(right * rows), rows)
    sides = ("less sure than it is right", "about as sure as it is right", "surer than it is right")
    side = sides[int(mean >= low) + int(mean > high)]
    alt = f"Reliability diagram of the {scored.split} rows: the model is on the whole {side}"
    lead = join([
        "On average the model gives its own answer a probability of ", percent(mean, "calibration.confidence", 1),
        " and is right in ", percent(right, "calibration.accuracy", 1), f" of the {scored.split} rows: it is {side}.",
    ])  # fmt: skip
    figures = terms([
        ("Expected calibration error (0 is best)", percent(bins.expected_error(), "calibration.error")),
        ("Log-loss in nats (0 is best)", decimal(scored.log_loss, "calibration.log_loss")),
        ("Brier score (0 best, 2 worst)", decimal(scored.brier, "calibration.brier")),
        ("Temperature", f"{facts.model.temperature:.4g}"),
    ])  # fmt: skip
    caution = facts.model.loss_function.caution
    told = f"{caution[:1].upper()}{caution[1:]}." if caution else None
    remedy = None if side == sides[1] else _calibrating(facts)
    diagonal = (
        "On the diagonal, probabilities come true as often as they say; vertical lines are 95 % intervals."
    )
    diagram = figure(drawing(draw_reliability(bins), "reliability", alt), diagonal)
    details = element("details", element("summary", "The bins as a table"), _bin_table(scored))
    beside = element("div", diagram, element("div", figures, details), class_="pair")
    return section("calibration", "Calibration", paragraphs(lead, told, remedy), beside)


def _calibrating(facts: Facts) -> Markup:
    """What makes the probabilities honest."""
    command = f"softmaxclf evaluate {shlex.quote(str(facts.folder))} --calibrate"
    return join(["Honest probabilities, with the same labels: ", element("code", command), "."])


def _bin_table(scored: Scored) -> Markup:
    bins = scored.bins
    rows = [
        [
            f"{100 * bins.edges[i]:.1f} to {100 * bins.edges[i + 1]:.1f} %",
            f"{int(bins.counts[i]):,}",
            percent(float(bins.confidence[i]), f"calibration.bins.{i}.confidence"),
            percent(float(bins.accuracy[i]), f"calibration.bins.{i}.accuracy"),
        ]
        for i in range(len(bins.counts))
    ]
    return table("Rows by the probability of their predicted class.", BINS, rows)


def mistakes(facts: Facts, scored: Scored) -> Markup:
    """The wrong answers of which the model is most sure."""
    wrong = scored.mistakes
    counted = "The wrong answer" if len(wrong.rows) == 1 else f"The {len(wrong.rows)} wrong answers"
    if not len(wrong.rows):
        return section("mistakes", "Most wrong", paragraphs(f"No {scored.split} row is labelled wrong."))
    told = (
        f"{counted} of which the model is surest, among the {scored.split} {facts.noun}: "
        "the answer and its probability, and what it should have been."
    )
    if wrong.evidence is not None:
        told += " Beside each image, red speaks for the answer and blue for the truth."
    shown = (
        _mistake_table(facts, wrong)
        if wrong.images is None
        else _mistake_tiles(facts.model.class_names, wrong)
    )
    return section("mistakes", "Most wrong", paragraphs(told), shown)


def _mistake_tiles(names: Sequence[str], wrong: Mistakes) -> Markup:
    assert wrong.images is not None
    tiles = []
    for place, image in enumerate(wrong.images):
        true, called = names[wrong.truth[place]], names[wrong.predicted[place]]
        alt = f"Labelled {true}, taken for {called} at {100 * wrong.probability[place]:.0f} %"
        pictures = picture(image, alt)
        if wrong.evidence is not None:
            told = f"What speaks for {called} (red) and for {true} (blue)"
            pictures = element("div", pictures, picture(wrong.evidence[place], told), class_="beside")
        tiles.append(element("li", figure(pictures, _mistake_caption(wrong, place, true, called))))
    return element("ul", *tiles, class_="tiles small")


def _mistake_caption(wrong: Mistakes, place: int, true: str, called: str) -> Markup:
    sure, other = float(wrong.probability[place]), float(wrong.truth_probability[place])
    given = percent(other, f"mistakes.{place}.truth_probability", 0)
    return join([
        element("strong", called), " ", percent(sure, f"mistakes.{place}.probability", 0),
        element("span", "is ", true, " (", given, ")", class_="muted"),
        element("span", f"row {int(wrong.rows[place]):,}", class_="muted"),
    ])  # fmt: skip


def _mistake_table(facts: Facts, wrong: Mistakes) -> Markup:
    names = facts.model.class_names
    rows = [
        [f"{int(row):,}", names[wrong.truth[place]], names[wrong.predicted[place]],
         percent(float(wrong.probability[place]), f"mistakes.{place}.probability", 1)]
        for place, row in enumerate(wrong.rows)
    ]  # fmt: skip
    caption = "Rows are counted from 0 in the part of the data set that they lie in."
    return table(caption, MISTAKES, rows, sortable=True, label="Most wrong rows")
