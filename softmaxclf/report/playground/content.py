"""The page's markup: everything that stands still on it. The scripts fill in what moves."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.model import LinearModel
from softmaxclf.plots.features import draw_features
from softmaxclf.plots.figure import left_out
from softmaxclf.plots.filters import patch_stage
from softmaxclf.report.drawing import drawing
from softmaxclf.report.images import picture
from softmaxclf.report.markup import Markup, element, join
from softmaxclf.report.page import STYLE, WHOLE, figure, page, paragraphs, section, warnings
from softmaxclf.report.playground.document import document, has_deviations, shown_shape
from softmaxclf.report.tables import captioned, terms
from softmaxclf.report.understanding import filters

MOST_TEMPLATES = 100
DECADES = 1.0  # to either side of 1 that the temperature reaches
BRUSH = 16  # the brush is at first this part of an image's width
KINDS = {3: "colour", 1: "grey"}
POWER = join(["e", element("sup", "z")])


@dataclass(frozen=True)
class Playground:
    """What the page is about. place: the model as it was named. notes: what to know before its answers are believed.

    samples: (n, H, W, C) uint8 images to begin with, of the classes `sample_names`; none for features.
    """

    model: LinearModel
    place: str
    samples: NDArray[np.uint8]
    sample_names: Sequence[str]
    notes: Sequence[str] = ()


def playground_page(play: Playground) -> str:
    """The whole page as HTML text; equal models give equal text. Raises ValueError for one that is no linear map."""
    model = play.model
    bench = element("div", _input(play), _evidence(model), _softmax(model), class_="bench")
    main = element("main", warnings(play.notes), bench, _templates(model), _about(play))
    title = f"A softmax classifier of {_name(model)} to play with"
    return page(
        title,
        [_header(play), main, document(model, "model")],
        styles=(STYLE, "playground/style.css"),
        scripts=[f"playground/{name}.js" for name in _scripts(model)],
    )


def _scripts(model: LinearModel) -> tuple[str, ...]:
    """The names of those that this model needs, in their order."""
    if not shown_shape(model):
        return "model", "bench", "features"
    if patch_stage(model) is not None:
        return "model", "patches", "pixels", "canvas", "bench", "images"
    return "model", "pixels", "canvas", "bench", "templates", "images"


def _name(model: LinearModel) -> str:
    told: Any = model.provenance.get("data")
    return str(told["name"]) if isinstance(told, dict) and "name" in told else "unnamed rows"


def _header(play: Playground) -> Markup:
    what = "an image" if shown_shape(play.model) else "a row of features"
    verdict = element(
        "p",
        element("strong", "…", id="label"), " ", element("strong", id="share", class_="share"), " ",
        element("span", id="runners"),
        class_="result", id="verdict",
    )  # fmt: skip
    return element(
        "header",
        element("p", f"softmaxclf page · {play.place} · trained on {_name(play.model)}", class_="kicker"),
        element("h1", f"What does a softmax classifier see in {what}?"),
        verdict,
        element("p", role="status", id="status", class_="unseen"),
        element("noscript", paragraphs("This page computes with JavaScript, which is switched off here.")),
    )


# Where a row comes from


def _input(play: Playground) -> Markup:
    if shown_shape(play.model):
        return section("input", "Image", *_image_input(play))
    return section("input", "Features", *_feature_input(play.model))


def _image_input(play: Playground) -> list[Markup]:
    shape = shown_shape(play.model)
    assert shape is not None
    channels, height, width = shape
    canvas = element(
        "canvas", id="picture", tabindex=0, role="application", aria_describedby="painting",
        aria_label=f"The image, {width} by {height} pixels",
    )  # fmt: skip
    brush = element(
        "input", id="brush", type="range", min=1, max=max(2, width // 3), value=max(1, width // BRUSH)
    )
    told = (
        f"Whatever you open becomes {width} × {height} pixels in {KINDS[channels]}: all that the model sees. Draw with "
        "the mouse, or with the arrow keys and the space bar once the image has the focus."
    )
    return [
        canvas,
        element(
            "div", element("input", id="file", type="file", accept="image/*", class_="unseen"),
            element("label", "Open an image …", for_="file", class_="button"),
            element("span", "or drop or paste one here", class_="muted"),
            class_="tools",
        ),
        element("p", role="alert", id="trouble"),
        element(
            "div",
            element("label", element("input", id="paints", type="checkbox"), " Draw on it"),
            element("label", "Colour ", element("input", id="colour", type="color", value="#d9480f")),
            element("label", "Brush ", brush),
            element("button", "Fill", id="fill", type="button"),
            element("button", "Undo", id="undo", type="button"),
            class_="tools",
        ),
        *_samples(play),
        element("p", told, id="painting", class_="muted small"),
    ]  # fmt: skip


def _samples(play: Playground) -> list[Markup]:
    known = set(play.model.class_names) & set(play.sample_names)
    told = (
        "Or pick one (drawn by a program)" if known else "Or pick what it has never seen (drawn by a program)"
    )
    buttons = [
        element(
            "button",
            picture(image, f"A drawn {name}"),
            type="button",
            class_="plain",
            data_known=name in known,
        )
        for image, name in zip(play.samples, play.sample_names, strict=True)
    ]
    return [element("h3", told), element("ul", *(element("li", each) for each in buttons), id="samples")]


def _feature_input(model: LinearModel) -> list[Markup]:
    reach = (
        "Each slider reaches three standard deviations to either side of the training mean."
        if has_deviations(model)
        else "The model does not store how far its features spread, so the sliders' ends are a guess."
    )
    return [
        element(
            "div",
            element("button", "Training mean", id="middle", type="button"),
            element("button", "Random row", id="random", type="button"),
            element("label", "Find ", element("input", id="sought", type="search", autocomplete="off")),
            class_="tools",
        ),
        element("ul", id="features"),
        element("p", id="found", class_="muted small", role="status"),
        element("p", f"{reach} Beside it, any number may be typed.", class_="muted small"),
    ]


# Evidence


def _evidence(model: LinearModel) -> Markup:
    names = [element("option", name, value=k) for k, name in enumerate(model.class_names)]
    chosen = element("select", element("option", "label", value="label"), *names, id="chosen")
    against = element(
        "select", element("option", "nothing", value=""), element("option", "runner-up", value="next"), *names,
        id="other",
    )  # fmt: skip
    choice = element(
        "div", element("label", "For ", chosen), element("label", "against ", against), class_="versus"
    )
    shown = _map() if shown_shape(model) else _bars()
    odds = element("p", id="odds", class_="muted small")
    return section("evidence", "Evidence", choice, *shown, _sum(bool(shown_shape(model))), odds)


def _map() -> list[Markup]:
    return [
        element("canvas", id="map", tabindex=0, role="img", aria_label="Evidence map", aria_describedby="reading"),
        element(
            "div", element("span", id="least", class_="number"), element("span", class_="scale", aria_hidden="true"),
            element("span", id="most", class_="number"), class_="legend",
        ),
        element("p", id="reading", class_="muted small"),
    ]  # fmt: skip


def _bars() -> list[Markup]:
    told = "Share of each feature: its weight times its distance from the training mean; red speaks for, blue against."
    bars = element("table", element("tbody", id="evidence-bars"), class_="bars")
    return [captioned(bars, told, label="Evidence of each feature")]


def _sum(mapped: bool) -> Markup:
    of_map = "sum of the map" if mapped else "sum of the shares"
    lines = [
        (of_map, "map-sum", None),
        ("bias", "map-bias", "bias-name"),
        ("= score", "map-score", "score-name"),
    ]
    rows = [
        element("tr", element("th", name, scope="row", id=name_id), element("td", id=place, class_="number"))
        for name, place, name_id in lines
    ]
    return element("table", element("tbody", *rows), class_="sum")


# Softmax


def _softmax(model: LinearModel) -> Markup:
    own = log10(model.temperature)
    reach = max(DECADES, abs(own) + 0.1)
    temperature = _slider("temperature", "Temperature T", -reach, reach, own)
    shift = _slider("shift", "Shift c, added to all scores", -10, 10, 0)
    heads = [("class", None), ("score s", "number score"), ("z = (s + c) / T", "number input"),
             (POWER, "number power"), ("probability", "share")]  # fmt: skip
    head = element("tr", *(element("th", name, scope="col", class_=class_) for name, class_ in heads))
    foot = element(
        "tr", element("th", "sum", scope="row"), element("td", class_="number score"), element("td", class_="input"),
        element("td", id="powers", class_="number power"), element("td", "divides each ", POWER, class_="muted"),
    )  # fmt: skip
    body = element("tbody", id="classes")
    content = element("table", element("thead", head), body, element("tfoot", foot), class_="classes")
    told = (
        "A shift changes every exponential and no probability: softmax sees differences only. A high temperature makes "
        "the model less sure, a low one surer; the label stays."
    )
    ranked = f" Of {model.classes:,} classes the ten highest are listed." if model.classes > 12 else ""
    return section(
        "softmax", "Softmax", temperature, shift,
        element("button", "Reset", id="reset", type="button"),
        captioned(content, told + ranked, label="Scores and probabilities of the classes"),
    )  # fmt: skip


def _slider(name: str, label: str, low: float, high: float, value: float) -> Markup:
    number = element("output", id=f"{name}-figure", for_=name, class_="number")
    slider = element(
        "input", id=name, type="range", min=f"{low:g}", max=f"{high:g}", step="any", value=f"{value:.9g}"
    )
    return element("div", element("label", label, for_=name), slider, number, class_="slider")


# What the model has learned, and what it is


def _templates(model: LinearModel) -> Markup:
    if patch_stage(model) is not None:
        return section("templates", "Filters", *filters(model))
    if not shown_shape(model):
        drawn = draw_features(model.shown_weights, model.class_names, names=model.column_names)
        alt = "The features of largest weight of each class, as bars"
        told = "Red weights raise a class's score, blue ones lower it. They are those of the features as trained on."
        return section("templates", "Weights", captioned(drawing(drawn, "weights", alt), told, label=alt))
    options = [("as images", "image"), ("red for, blue against", "signed")]
    views = element("select", *(element("option", name, value=value) for name, value in options), id="view")
    told = (
        "Each class has a weight for every pixel and colour: its template. A score is the sum of weight × (pixel − "
        "mean) over all of them, plus the class's bias. Choose one to see its evidence"
    )
    tiles = [_template(name) for name in model.class_names[:MOST_TEMPLATES]]
    mean = figure(
        element("canvas", id="mean", class_="tile", role="img", aria_label="The mean of the training images"),
        "mean image",
    )
    return section(
        "templates", "Templates", paragraphs(told + left_out(MOST_TEMPLATES, model.classes) + "."),
        element("div", element("label", "Show them ", views), class_="tools"),
        element("ul", *tiles, element("li", mean), class_="tiles small"),
    )  # fmt: skip


def _template(name: str) -> Markup:
    canvas = element("canvas", class_="tile", aria_hidden="true")
    button = element(
        "button", canvas, element("span", name), type="button", class_="plain", aria_pressed="false"
    )
    return element("li", button)


def _about(play: Playground) -> Markup:
    model, shape = play.model, shown_shape(play.model)
    columns = (
        f"{model.features:,}: {shape[2]} × {shape[1]} pixels, {KINDS[shape[0]]}"
        if shape
        else f"{model.features:,}"
    )
    strength: Any = model.provenance.get("regularization")
    facts = [
        ("Trained on", _name(model)),
        ("Inputs", columns),
        ("Classes", f"{model.classes:,}"),
        ("Loss", model.loss_function.title),
        *([("Regularization", f"{strength:g}")] if isinstance(strength, int | float) else []),
        ("Temperature", f"{model.temperature:.4g}"),
    ]
    return section("about", "The model", terms(facts), _footer(play.place))


def _footer(place: str) -> Markup:
    return element(
        "footer",
        "Made from ", element("code", place), f". {WHOLE} What you open in it stays on your computer: the weights are "
        "in the page, and it computes with them what softmaxclf predict does.",
    )  # fmt: skip
