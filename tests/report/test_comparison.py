"""The page of a comparison: what it says, and how it looks in a real Chromium."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softmaxclf.core.problem import HISTORY_COLUMNS
from softmaxclf.plots.curves import learning_curves
from softmaxclf.report.comparison import Comparison, Differing, comparison_page
from tests.report.test_browser import TOO_FAINT, clipped_in_print
from tests.workflows.models.test_report import Page

HOSTILE = "<script>document.title = 'hacked'</script>"
NAMES = ("a run", HOSTILE, "a-run-of-a-very-long-name-that-goes-on-and-on")
CLASSES = ("frog", HOSTILE, "ship")


def compared() -> Comparison:
    """Three models of random figures."""
    generator = np.random.default_rng(0)
    accuracies = (0.41, 0.37, 0.4)
    models = [
        {
            "name": name,
            "model": name,
            "splits": {
                split: {
                    "accuracy": share,
                    "interval": [share - 0.01, share + 0.01],
                    "loss": 1.7,
                    "rows": 10_000,
                }
                for split in ("train", "test")
            },
        }
        for name, share in zip(NAMES, accuracies, strict=True)
    ]
    pairs = [
        {
            "first": NAMES[i], "second": NAMES[j], "rows": 10_000, "only_first_right": 900, "only_second_right": 500,
            "p_value": 4e-28, "difference": accuracies[i] - accuracies[j], "least_difference": least,
            "rows_difference": accuracies[i] - accuracies[j], "interval": interval,
            "noise": "unknown" if least is None else "beyond", "conclusion": f"{NAMES[i]} and {NAMES[j]} differ",
        }
        for i, j, least, interval in (
            (0, 1, None, [0.03, 0.05]), (0, 2, 0.01, [-0.01, 0.03]), (1, 2, 0.01, [-0.05, -0.01])
        )
    ]  # fmt: skip
    history = np.column_stack([np.arange(9) / 3, *generator.uniform(0.2, 0.5, (len(HISTORY_COLUMNS) - 1, 9))])
    images = generator.integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    return Comparison(
        result={"split": "test", "rows": 10_000, "data": "data", "losses": ["softmax"] * 3, "models": models,
                "pairs": pairs, "settings": {"training.learning_rate": ["0.1", "0.2", "0.3"]}},
        best=pairs[:2],
        reservations=["p knows nothing of seeds"],
        class_names=CLASSES,
        curves=[learning_curves(history, name=name) for name in NAMES],
        along="epoch",
        templates=dict.fromkeys(NAMES, images[:3]),
        differing=[Differing(*NAMES[:2], 900, images, np.array([0, 1, 2, 0]), np.array([1, 2, 0, 1]))],
        reports={NAMES[0]: "../runs/a run/report.html"},
        files=["compare.csv"],
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("comparison") / "comparison.html"
    path.write_text(comparison_page(compared()))
    return path


def test_it_begins_with_the_conclusion_and_links_to_the_reports(page: Path) -> None:
    content, found = page.read_text(), Page(page)
    assert content.index("differ.</p>") < content.index("<nav")
    assert [str(each["href"]) for each in found.named("a") if each["href"][:1] != "#"] == [
        "../runs/a%20run/report.html",
        "compare.csv",
    ]
    assert HOSTILE not in content and HOSTILE in found.shown
    assert re.search(r"Training loss and accuracy over each epoch", found.shown)


def test_every_figure_is_the_one_of_the_answer(page: Path) -> None:
    result = compared().result
    for name, value, text in Page(page).figures:
        if name.startswith("pairs."):
            _, place, key, *end = name.split(".")
            expected = result["pairs"][int(place)][key]
            assert value == (expected[int(end[0])] if end else expected)
            if key in ("rows_difference", "interval") and int(place) == 2:  # the better one is named first
                assert float(text) == pytest.approx(-100 * value)


def test_equal_comparisons_give_equal_pages(page: Path) -> None:
    assert comparison_page(compared()) == page.read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 390])
def test_it_fits_the_screen_and_can_be_read(width: int, scheme: str, browser: Any, page: Path) -> None:
    browser.open(page, width=width, scheme=scheme)
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == [page.as_uri()]
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    seen, faint = browser.evaluate(TOO_FAINT)
    assert seen > 80 and faint == []


def test_nothing_of_it_is_clipped_in_print(browser: Any, page: Path) -> None:
    assert clipped_in_print(browser, page) == []
