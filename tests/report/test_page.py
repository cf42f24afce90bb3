"""The page around the content: who may do what in it, and colours that can be read."""

import base64
import hashlib
import re
from importlib import resources
from itertools import product

import numpy as np
import pytest
from matplotlib.colors import to_hex

from softmaxclf.plots.figure import SHARES, ink_on
from softmaxclf.report.markup import element
from softmaxclf.report.page import page

AA = 4.5  # WCAG 2.2, success criterion 1.4.3, for text of any size
# Which colours of text stand on which backgrounds.
TEXTS = [
    *product(("ink", "muted", "accent"), ("page", "card", "tint")),
    *product(("ink", "muted"), ("code",)),
    ("warn", "warn-card"),
]
# Lines and marks need less: 3 to 1 against what lies behind them (criterion 1.4.11).
MARKS = [
    *product((*(f"series-{letter}" for letter in "abcdef"), "bar", "for", "against", "control"), ("card",))
]


def luminance(colour: str) -> float:
    """The relative luminance of "#rrggbb"."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, from 1 to 21."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def properties(scheme: str) -> dict[str, str]:
    """The custom properties of the style sheet in "light" or "dark"."""
    blocks = re.findall(
        r":root \{([^}]*)\}", resources.files("softmaxclf.report").joinpath("style.css").read_text()
    )
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[("light", "dark").index(scheme)]))


def test_the_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the well-known near miss


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(scheme):
    colours = properties(scheme)
    assert set(properties("light")) == set(properties("dark"))
    low = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in TEXTS}
    assert min(low.values()) >= AA, {pair: ratio for pair, ratio in low.items() if ratio < AA}
    marks = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in MARKS}
    assert min(marks.values()) >= 3, marks


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_counts_can_be_read_on_every_share_of_the_confusion_matrix(scheme):
    colours = properties(scheme)
    card = np.array([int(colours["card"][place : place + 2], 16) / 255 for place in (1, 3, 5)])
    for *rgb, alpha in SHARES(np.linspace(0, 1, 101)):
        tile = to_hex(alpha * np.array(rgb) + (1 - alpha) * card)
        # Black letters take the colour of the style sheet, white ones stay.
        front = colours["tile-ink"] if ink_on((*rgb, alpha)) == "#000000" else "#ffffff"
        assert contrast(tile, front) >= AA


def test_the_policy_allows_this_style_and_this_script_and_nothing_else():
    content = page("a <title>", [element("p", "text")])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', content)[1].replace("&#x27;", "'")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"
    for tag in ("style", "script"):
        inside = re.search(rf"<{tag}>(.*)</{tag}>", content, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    assert "<title>a &lt;title&gt;</title>" in content
    assert not re.search(r"\sstyle=|\son\w+=", content)  # the policy would refuse both
