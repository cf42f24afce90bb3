"""Pictures inside the page: text stays text, colours are the page's, nothing that the page's policy would refuse."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from softmaxclf.core.metrics import ReliabilityBins
from softmaxclf.plots.confusion import draw_confusion
from softmaxclf.plots.curves import draw_curves, learning_curves
from softmaxclf.plots.reliability import draw_reliability
from softmaxclf.report.drawing import drawing

HOSTILE = '<script>alert(1)</script> style="x: y" id="z" & \'"'


def reliability() -> str:
    bins = ReliabilityBins(
        np.array([0, 0.5, 1]), np.array([10, 30]), np.array([0.4, 0.8]), np.array([0.4, 0.6])
    )
    return drawing(draw_reliability(bins), "reliability", "an alt <&>")


@pytest.fixture(scope="module")
def matrix() -> str:
    return drawing(draw_confusion(np.eye(3), [HOSTILE, "b", "c"], heading=HOSTILE), "matrix", "alt")


def parsed(made: str) -> ElementTree.Element:
    return ElementTree.fromstring(made.replace("<svg", '<svg xmlns:xlink="http://www.w3.org/1999/xlink"', 1))


def test_it_is_one_named_element_that_says_what_it_shows():
    root = parsed(reliability())
    assert root.tag == "svg" and root.get("role") == "img" and root.get("class") == "drawing reliability"
    assert root.get("aria-label") == "an alt <&>"
    assert root.get("viewBox") and root.get("width") is None  # the style sheet sizes it


def test_text_stays_text(matrix):
    texts = [each.text or "" for each in parsed(matrix).iter("text")]
    assert {"predicted class", "true class", "b", "c"} <= set(texts)
    assert any(text.startswith("<script>") for text in texts)


def test_there_is_no_style_no_script_and_nothing_from_outside(matrix):
    for root in (parsed(reliability()), parsed(matrix)):
        assert not {"style", "script", "metadata", "foreignObject", "a"} & {each.tag for each in root.iter()}
        names = {name for each in root.iter() for name in each.attrib}
        assert "style" not in names and not any(name.startswith("on") for name in names)
        links = [value for each in root.iter() for name, value in each.attrib.items() if "href" in name]
        assert links and all(link.startswith(("#", "data:image/png;base64,")) for link in links)


def test_ids_are_its_own_and_every_reference_finds_one():
    made = reliability()
    known = re.findall(r' id="([^"]+)"', made)
    assert len(known) == len(set(known)) and all(each.startswith("reliability-") for each in known)
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', made))
    assert used and used <= set(known)


def test_colours_are_those_of_the_page_and_white_on_tiles_stays_white(matrix):
    curves = draw_curves([learning_curves(np.full((3, 5), 0.5))], panels=["accuracy"])
    made = reliability() + drawing(curves, "accuracy", "alt")
    assert not re.search(r'"#(222222|666666|dddddd|0072b2|d55e00)"', made + matrix)
    for name in ("ink", "muted", "line", "series-b", "bar", "card"):
        assert f"var(--{name})" in made
    white = [each.text for each in parsed(matrix).iter("text") if each.get("fill") == "#ffffff"]
    assert white == ["1.0"] * 3
    assert 'fill="#ffffff"' not in made  # no paper behind it


def test_equal_figures_give_equal_text():
    assert reliability() == reliability()


@pytest.mark.parametrize("rows", [0, 1])
def test_next_to_no_history_is_drawn_all_the_same(rows):
    for panel in ("loss", "accuracy"):
        figure = draw_curves([learning_curves(np.full((rows, 5), 0.5))], panels=[panel])
        assert "iteration" in [each.text for each in parsed(drawing(figure, panel, "alt")).iter("text")]
