"""The page around the content: head, style, script and a content security policy that lets nothing else in.

The policy names the page's one style sheet and one script by their SHA-256, and lets images come only from
data: URIs: should hostile text ever get through as markup, a browser neither runs nor fetches it.
https://www.w3.org/TR/CSP3/
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LinearSegmentedColormap, to_hex

from softmaxclf.plots.figure import SEQUENTIAL, SHARES, ink_on
from softmaxclf.report.markup import Markup, element, join

STEPS = 40  # shades of a colour scale; a finer difference cannot be seen
DARK_SHARES = ("#1b2027", "#1f4468", "#2f7fc1", "#9cd0f7")  # from the dark card's colour upwards


def page(title: str, sections: Sequence[Markup]) -> str:
    """The whole HTML document."""
    style, script = style_sheet(), _packaged("script.js")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content="softmaxclf"),
        element("title", title),
        element("style", Markup(style)),
    )
    body = element("body", *sections, element("script", Markup(script)))
    return "<!DOCTYPE html>\n" + element("html", head, "\n", body, lang="en") + "\n"


def policy(style: str, script: str) -> str:
    """The content security policy of a page with this style sheet and this script."""
    allowed = [
        "default-src 'none'",
        "img-src data:",
        f"style-src {_hash(style)}",
        f"script-src {_hash(script)}",
    ]
    return "; ".join([*allowed, "base-uri 'none'", "form-action 'none'"])


@cache
def style_sheet() -> str:
    """The style sheet: the packaged one and the colour scales."""
    dark = LinearSegmentedColormap.from_list("dark shares", DARK_SHARES)
    on_dark = "".join(_scale("share", dark))
    scales = [*_scale("heat", colormaps[SEQUENTIAL]), *_scale("share", colormaps[SHARES])]
    dark_rule = f"@media screen and (prefers-color-scheme: dark) {{\n{on_dark}}}\n"
    return _packaged("style.css") + "".join(scales) + dark_rule


def shade(name: str, share: float) -> str:
    """The class of a cell with that share (0..1) of the scale "heat" or "share"."""
    return f"{name}-{min(STEPS - 1, max(0, int(share * STEPS)))}"


def _scale(name: str, colours: Any) -> list[str]:
    """One rule per step: the colour, and black or white text, whichever reads better on it."""
    rules = []
    for step, colour in enumerate(colours(np.linspace(0, 1, STEPS))):
        rules.append(f".{name}-{step} {{ background: {to_hex(colour)}; color: {ink_on(colour)}; }}\n")
    return rules


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


@cache
def _packaged(name: str) -> str:
    return resources.files("softmaxclf.report").joinpath(name).read_text(encoding="utf-8")


def section(name: str, heading: object, *content: object) -> Markup:
    """A section with a heading, to be reached by `#name`."""
    return element("section", element("h2", heading), *content, id=name)


def figure(content: object, caption: object, class_: str | None = None) -> Markup:
    """A figure with its caption."""
    return element("figure", content, element("figcaption", caption), class_=class_)


def paragraphs(*texts: object) -> Markup:
    """One paragraph per text that is not None."""
    return join(element("p", each) for each in texts if each is not None)
