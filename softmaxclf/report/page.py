"""The page around the content: head, style, script and a content security policy that lets nothing else in.

The policy names the page's one style sheet and one script by their SHA-256, and lets images come only from
data: URIs: should hostile text ever get through as markup, a browser neither runs nor fetches it.
https://www.w3.org/TR/CSP3/

All pages share `style.css`; one that has more of its own names the files, beside this one.
"""

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import PurePath
from urllib.parse import quote

from softmaxclf.report.markup import Markup, element, join

STYLE, SCRIPT = "style.css", "script.js"
# How every page of ours begins, so that no other is taken for one of them and written over.
BEGIN = '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="generator" content="softmaxclf">'
WHOLE = "This page is complete in itself and asks the network for nothing."


def page(
    title: str,
    sections: Sequence[Markup],
    *,
    styles: Sequence[str] = (STYLE,),
    scripts: Sequence[str] = (SCRIPT,),
    wide: bool = False,
) -> str:
    """The whole HTML document, with the style sheets and scripts of these names, each kind as one. wide: for tables."""
    style, script = ("\n".join(map(_packaged, names)) for names in (styles, scripts))
    head = join([
        element("meta", http_equiv="Content-Security-Policy", content=policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(style)),
    ])  # fmt: skip
    body = element("body", *sections, element("script", Markup(script)), class_="wide" if wide else None)
    return f"{BEGIN}{head}</head>\n{body}</html>\n"


def policy(style: str, script: str) -> str:
    """The content security policy of a page with this style sheet and this script."""
    allowed = [
        "default-src 'none'",
        "img-src data:",
        f"style-src {_hash(style)}",
        f"script-src {_hash(script)}",
    ]
    return "; ".join([*allowed, "base-uri 'none'", "form-action 'none'"])


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


@cache
def _packaged(name: str) -> str:
    return resources.files("softmaxclf.report").joinpath(name).read_text(encoding="utf-8")


def header(
    kicker: str, title: str, *content: object, links: Sequence[tuple[str, object]], label: str = "Sections"
) -> Markup:
    """The top of a page: where it comes from, its title, what is said first, and links (anchor, text) to its parts."""
    ways = [element("li", element("a", text, href=f"#{target}")) for target, text in links]
    return element(
        "header",
        element("p", kicker, class_="kicker"),
        element("h1", title),
        *content,
        element("nav", element("ul", *ways), aria_label=label),
    )


def section(name: str, heading: object, *content: object) -> Markup:
    """A section with a heading, to be reached by `#name`."""
    return element("section", element("h2", heading), *content, id=name)


def figure(content: object, caption: object, class_: str | None = None) -> Markup:
    """A figure with its caption."""
    return element("figure", content, element("figcaption", caption), class_=class_)


def paragraphs(*texts: object) -> Markup:
    """One paragraph per text that is not None."""
    return join(element("p", each) for each in texts if each is not None)


def copyable(*lines: str) -> Markup:
    """Each line as code in a box of its own, to which the page's script adds a button that copies it."""
    return join(element("div", element("pre", line, tabindex=0), class_="copy") for line in lines)


def files(folder: str, named: Mapping[str, str]) -> Markup:
    """Links to files of `folder`, a path as seen from the page, and what each holds."""
    items = [
        element("li", element("a", name, href=address(folder, name)), ": " if told else None, told)
        for name, told in named.items()
    ]
    return element("ul", *items, class_="files")


def address(*parts: str) -> str:
    """A path as a relative address; a name that looks like a scheme leads nowhere else."""
    return quote(os.fsencode(PurePath(*parts)))


def warnings(notes: Sequence[str]) -> Markup | None:
    """What to know before anything else on the page is believed; None when there is nothing."""
    if not notes:
        return None
    items = element("ul", *(element("li", note[:1].upper() + note[1:]) for note in notes))
    return element("section", element("h2", "Before you trust it"), items, id="warnings", class_="warnings")
