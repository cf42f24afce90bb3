"""The page of a folder of runs in a real Chromium; what it says is in tests/workflows/models/test_run_index.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softmaxclf.core.model import LinearModel
from softmaxclf.report.index import Index, ListedRun, index_page
from tests.report.test_browser import TOO_FAINT, clipped_in_print, falling

HOSTILE = "<script>document.title = 'hacked'</script>"


def runs() -> list[ListedRun]:
    """Runs of images and tables in turns."""
    generator = np.random.default_rng(0)
    listed = []
    for place in range(8):
        shape = (3, 8, 8) if place % 2 else None
        W = generator.normal(size=(192 if shape else 5, 3)).astype(np.float32)
        model = LinearModel(W, np.zeros(3, np.float32), ("a", HOSTILE, "c"), image_shape=shape,
                            provenance={"regularization": 0.1})  # fmt: skip
        share = float(generator.uniform(0.2, 0.9))
        split = {
            "accuracy": share,
            "interval": [share - 0.05, share + 0.05],
            "loss": 1.0,
            "rows": 100,
            "correct": 50,
        }
        manifest = {"command": "train", "started": f"2026-01-0{9 - place}T10:00:00+00:00",
                    "data": {"name": "data", "fingerprint": "f"}}  # fmt: skip
        metrics = {"splits": {"validation": split, **({"test": split} if place else {})}}
        report = "report.html" if place else None
        listed.append(ListedRun(f"run-{place}-of-a-long-name", report, metrics, manifest, model))
    return listed


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("index") / "index.html"
    left_out = {HOSTILE: "expected a run's manifest.json, found none"}
    path.write_text(index_page(Index("runs", "runs", "", runs(), ["both/comparison.html"], left_out)))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 390])
def test_it_fits_the_screen_and_can_be_read(width: int, scheme: str, browser: Any, page: Path) -> None:
    browser.open(page, width=width, scheme=scheme)
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == [page.as_uri()]
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.evaluate("[...document.images].filter(image => image.naturalWidth > 2).length") == 8
    seen, faint = browser.evaluate(TOO_FAINT)
    assert seen > 60 and faint == []


def test_runs_are_sorted_by_a_click_and_pictures_offer_no_sorting(browser: Any, page: Path) -> None:
    browser.open(page)
    shown = "[...document.querySelectorAll('#runs tbody tr')].map(r => r.cells[2].querySelector('data'))"
    values = f"{shown}.map(d => d && Number(d.value))"
    original = browser.evaluate(values)
    browser.click("#runs th:nth-child(3) button")
    assert browser.evaluate(values) == falling(original) != original
    assert browser.evaluate("document.querySelectorAll('#runs th:nth-child(2) button').length") == 0


def test_nothing_of_it_is_clipped_in_print(browser: Any, page: Path) -> None:
    assert clipped_in_print(browser, page) == []
