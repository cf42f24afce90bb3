"""The page of many predictions: what it says of each image, and how it looks in a real Chromium."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softmaxclf.core.model import LinearModel
from softmaxclf.report.predictions import Labelled, Shown, predictions_page
from tests.report.test_browser import TOO_FAINT, clipped_in_print

HOSTILE = "<script>document.title = 'hacked'</script>"
NAMES = ("frog", HOSTILE, "a class of a very long name that goes on and on")


def labelled(count: int = 30) -> Labelled:
    """Random images of a model of three classes, in turns labelled as each."""
    generator = np.random.default_rng(0)
    model = LinearModel(
        generator.normal(size=(3 * 64, 3)).astype(np.float32),
        np.zeros(3, np.float32),
        NAMES,
        image_shape=(3, 8, 8),
    )
    shown = [
        Shown(
            place, f"a/rather/long/folder/of/images/{HOSTILE}{place}.png",
            ((NAMES[place % 3], 0.9 - place / 100), (NAMES[(place + 1) % 3], 0.05)), (place % 3, (place + 1) % 3),
            generator.integers(0, 256, 192).astype(np.uint8),
        )
        for place in range(count)
    ]  # fmt: skip
    counts = Counter(each.top[0][0] for each in shown)
    return Labelled(
        model, f"runs/{HOSTILE}", counts, shown, ["b.png: broken; save it again"], ["the hinge loss"]
    )


def test_images_stand_under_their_label_the_least_sure_first() -> None:
    page = predictions_page(labelled(9))
    sections = re.findall(r'<section id="label-(\d)">(.*?)</section>', page)
    assert [int(k) for k, _ in sections] == [0, 1, 2]
    for k, content in sections:
        assert [int(place) for place in re.findall(r'id="image-(\d)"', content)] == [
            6 + int(k),
            3 + int(k),
            int(k),
        ]
    assert "All of them by label" in page and "Not read: 1" in page and "The hinge loss" in page
    assert HOSTILE not in page


def test_equal_predictions_give_equal_pages_and_none_is_a_page_too() -> None:
    assert predictions_page(labelled(3)) == predictions_page(labelled(3))
    empty = labelled(0)
    assert "0 images labelled" in predictions_page(empty) and "b.png: broken" in predictions_page(empty)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("predictions") / "predictions.html"
    path.write_text(predictions_page(labelled()))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 390])
def test_it_fits_the_screen_and_can_be_read(width: int, scheme: str, browser: Any, page: Path) -> None:
    browser.open(page, width=width, scheme=scheme)
    assert browser.complaints() == [] and browser.requests()[-1].startswith(("data:", page.as_uri()))
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.evaluate("[...document.images].every(image => image.naturalWidth === 8)")
    seen, faint = browser.evaluate(TOO_FAINT)
    assert seen > 100 and faint == []


def test_nothing_of_it_is_clipped_in_print(browser: Any, page: Path) -> None:
    assert clipped_in_print(browser, page) == []
