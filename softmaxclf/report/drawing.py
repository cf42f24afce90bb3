"""The pictures of a run inside the page: matplotlib's figures as SVG whose text is text and whose ink is the page's."""

import re
from collections.abc import Mapping

from matplotlib.figure import Figure

from softmaxclf.plots.figure import AGAINST, BAR, COLOURS, FAINT, FOR, GRID_LINE, INK, PAPER, encoded
from softmaxclf.report.markup import Markup, element, text

# Colours that the style sheet sets instead, so that a picture is light and dark as the page is. White letters on
# a coloured tile stay white: of paper only lines are drawn again.
INKS = {
    INK: "var(--ink)",
    FAINT: "var(--muted)",
    GRID_LINE: "var(--line)",
    **{colour: f"var(--series-{letter})" for colour, letter in zip(COLOURS, "abcdef", strict=False)},
    COLOURS[6]: "var(--ink)",
    BAR: "var(--bar)",
    FOR: "var(--for)",
    AGAINST: "var(--against)",
}
LINES = {**INKS, PAPER: "var(--card)"}


def drawing(figure: Figure, name: str, alt: str, *, links: Mapping[str, str] | None = None) -> Markup:
    """The figure as an `<svg>` of the classes "drawing" and `name`; `alt` tells those who do not see it.

    links: of the anchors that parts of the figure lead to, what each link is called; with some it is no mere image.

    The ids in it begin with `name`, since clip paths of two drawings may be called alike. Styles become attributes,
    since the page's policy allows no others than its own sheet's.
    """
    svg = encoded(figure, "svg", paper="none", **{"svg.fonttype": "none"}).decode()
    opening, _, content = svg.partition("</defs>")  # up to there: prolog, metadata and a style sheet
    box = re.findall(r'viewBox="([^"]*)"', opening)[0]
    content = re.sub(r' style="([^"]*)"', _attributes, content.rpartition("</svg>")[0])
    content = re.sub(r'( id="|url\(#|(?<!<a xlink:)href="#)', rf"\g<1>{name}-", content)
    content = re.sub(
        r'<a xlink:href="#([^"]*)"[^>]*>',
        lambda link: f'<a href="#{link[1]}" aria-label="{text((links or {})[link[1]])}">',
        content,
    )
    role = "group" if links else "img"
    return element("svg", Markup(content), viewBox=box, role=role, aria_label=alt, class_=f"drawing {name}")


def _attributes(style: re.Match[str]) -> str:
    """The attributes of SVG that say what a style says."""
    said = dict(re.split(r":\s*", each.strip()) for each in style[1].split(";"))
    said = {name: (LINES if name == "stroke" else INKS).get(value, value) for name, value in said.items()}
    return "".join(f' {name}="{value}"' for name, value in said.items())
