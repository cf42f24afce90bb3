"""The page in a real Chromium: it renders, sorts, can be read, and asks the network for nothing."""

import json
from pathlib import Path

import pytest

from softmaxclf.config import load_config
from softmaxclf.core.scoring import SplitRows
from softmaxclf.datasets.sources import open_source
from softmaxclf.workflows.models.report import write_report
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.session import Request
from softmaxclf.workflows.runs.tune import tune

TABLE = "#grid table.sortable"
LIGHT_INK = "rgb(28, 33, 39)"
# Every text of the page whose contrast with what lies behind it is below WCAG's AA. Large text needs 3 to 1.
TOO_FAINT = """(() => {
  const parse = c => { const n = c.match(/[\\d.]+/g).map(Number); return n.length > 3 ? n : [...n, 1]; };
  const lum = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; }
    return [255, 255, 255, 1];
  };
  for (const details of document.querySelectorAll("details")) details.open = true;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = []; let seen = 0;
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), e = walker.currentNode.parentElement;
    if (!text || e.closest("script, title")) continue;
    // Letters on coloured tiles are black or white, whichever reads better: test_page.py and test_figure.py.
    if (e.closest("svg") && !e.getAttribute("fill")?.startsWith("var(")) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    const front = lum(parse(e.closest("svg") ? style.fill : style.color)), back = lum(behind(e));
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    seen += 1;
    if (ratio < (large ? 3 : 4.5)) found.push([text.slice(0, 40), Number(ratio.toFixed(2))]);
  }
  return [seen, found];
})()"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, sample_folder: Path) -> Path:
    """The page of a grid of six cells on the sample, two of which diverged."""
    folder = tmp_path_factory.mktemp("browser") / "run"
    settings = {
        "data.source": str(sample_folder),
        "training.iterations": 30,
        "tuning.learning_rates": [1e-7, 1e3, 1e-6],
        "tuning.regularizations": [10, 1e4],
    }
    tune(Request("tune", load_config(options=settings), folder), Observer())
    test = open_source(str(sample_folder), sample_folder.parent).test()
    return write_report(folder, SplitRows("test", str(sample_folder), test.X, test.y))


@pytest.fixture(scope="module")
def cells(report):
    return json.loads((report.parent / "metrics.json").read_text())["cells"]


def column(browser, place: int) -> list[float | None]:
    """The values of a column of the table of cells from the top down, None for a dash."""
    rows = f"[...document.querySelectorAll('{TABLE} tbody tr')]"
    return browser.evaluate(
        f"{rows}.map(row => {{ const d = row.cells[{place}].querySelector('data'); return d && Number(d.value); }})"
    )


def falling(values: list[float | None]) -> list[float | None]:
    """The values from the highest down, those that are not known last."""
    return sorted(values, key=lambda value: float("inf") if value is None else -value)


@pytest.mark.parametrize("width", [1440, 768, 390, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.slow
def test_it_renders_without_a_complaint_and_fits_the_screen(browser, report, width, scheme):
    browser.open(report, width=width, scheme=scheme)
    assert browser.complaints() == []
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    heights = browser.evaluate(
        "[...document.querySelectorAll('section, svg')].map(e => e.getBoundingClientRect().height)"
    )
    assert len(heights) == 13 + 5 and min(heights) > 50
    loaded = browser.evaluate("[...document.images].map(image => image.complete && image.naturalWidth)")
    assert len(loaded) == 78 and all(loaded)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_wcag_aa(browser, report, scheme):
    browser.open(report, scheme=scheme)
    seen, faint = browser.evaluate(TOO_FAINT)
    assert seen > 500
    assert faint == []


def test_the_contrast_check_finds_a_faint_text(browser, tmp_path):
    page = tmp_path / "faint.html"
    page.write_text(
        "<body style='background:#fff'><p style='color:#999'>faint</p><p style='color:#555'>well</p>"
    )
    browser.open(page)
    assert browser.evaluate(TOO_FAINT) == [2, [["faint", 2.85]]]


def test_dark_is_dark_and_print_is_light(browser, report):
    ink = "getComputedStyle(document.body).color"
    browser.open(report)
    assert browser.evaluate(ink) == LIGHT_INK
    browser.open(report, scheme="dark")
    assert browser.evaluate(ink) != LIGHT_INK
    browser.call(
        "Emulation.setEmulatedMedia",
        media="print",
        features=[{"name": "prefers-color-scheme", "value": "dark"}],
    )
    assert browser.evaluate(ink) == LIGHT_INK
    assert browser.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    browser.call("Emulation.setEmulatedMedia", media="")
    assert browser.pdf().startswith(b"%PDF-")


def test_a_click_on_a_header_sorts_and_a_second_one_turns_it_around(browser, report, cells):
    browser.open(report)
    original = column(browser, 3)
    assert original == falling([cell["validation_accuracy"] for cell in cells])  # by the metric that decides
    browser.click(f"{TABLE} th:nth-child(2) button")  # any other order
    browser.click(f"{TABLE} th:nth-child(4) button")
    assert column(browser, 3) == original
    assert browser.evaluate(f"document.querySelector('{TABLE} th:nth-child(4)').ariaSort") == "descending"
    browser.click(f"{TABLE} th:nth-child(4) button")
    known = [value for value in original if value is not None]
    assert column(browser, 3) == [*sorted(known), None, None]  # what diverged stays last
    browser.click(f"{TABLE} th:nth-child(2) button")
    assert column(browser, 1) == [1e4] * 3 + [10] * 3
    assert browser.evaluate(
        f"[...document.querySelectorAll('{TABLE} [aria-sort]')].map(e => e.cellIndex)"
    ) == [1]


@pytest.mark.parametrize(("key", "code", "text"), [("Enter", 13, "\r"), (" ", 32, " ")])
def test_the_keyboard_sorts_as_the_mouse_does(browser, report, key, code, text):
    browser.open(report)
    browser.evaluate(f"document.querySelector('{TABLE} th:nth-child(2) button').focus()")
    browser.press("Tab", 9)
    assert browser.evaluate("document.activeElement.closest('th').cellIndex") == 2
    original = column(browser, 2)
    browser.press(key, code, text)
    assert column(browser, 2) == falling(original)


def test_the_first_column_stays_when_a_table_scrolls(browser, report):
    browser.open(report, width=390)
    place = "document.querySelector('#grid tbody th').getBoundingClientRect().left"
    before = browser.evaluate(place)
    browser.evaluate("document.querySelector('#grid table').parentElement.scrollLeft = 150")
    browser.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert browser.evaluate("document.querySelector('#grid table').parentElement.scrollLeft") == 150
    assert browser.evaluate(place) == pytest.approx(before, abs=3)
    assert browser.evaluate("document.querySelector('#grid table').parentElement.className") == "scroll moved"


def test_a_click_on_an_entry_of_the_matrix_goes_to_its_images(browser, report):
    browser.open(report)
    target = browser.evaluate("document.querySelector('.matrix a').getAttribute('href')")
    browser.click(".matrix a")
    assert browser.evaluate("location.hash") == target
    assert browser.evaluate("document.querySelector(':target img').naturalWidth") > 100


def test_commands_are_copied_with_a_button(browser, report):
    browser.open(report)
    browser.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: t => { window.copied = t; }}})"
    )
    browser.click("#reproduce .copy:nth-of-type(2) button")
    assert browser.evaluate("window.copied").startswith("softmaxclf tune --config ")
    assert browser.evaluate("document.querySelectorAll('#reproduce .copy button')[1].textContent") == "Copied"
    browser.evaluate(
        "Object.defineProperty(navigator.clipboard, 'writeText', {value: () => { throw Error(); }})"
    )
    browser.click(
        "#reproduce .copy:nth-of-type(2) button"
    )  # where the clipboard is refused, the text is marked
    assert browser.evaluate("getSelection().toString()").startswith("softmaxclf tune --config ")


def test_what_needs_the_script_is_not_offered_without_it_nor_in_print(browser, report, tmp_path):
    browser.open(report)
    offered = (
        "[...document.querySelectorAll('.hint, .copy button')].filter(e => e.checkVisibility())"
        ".map(e => e.textContent)"
    )
    assert len(browser.evaluate(offered)) == 2 + 7
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.evaluate(offered) == []
    browser.call("Emulation.setEmulatedMedia", media="")
    without = tmp_path / "page.html"
    without.write_text(
        report.read_text().replace("<script>", "<script>//")
    )  # its policy runs no other script
    browser.open(without)
    assert browser.evaluate(offered) == []


# What sticks out of the paper, or of a box that cuts it off, in print media; drawings count as a whole.
CLIPPED = """(() => [...document.querySelectorAll("body *:not(svg *)")].filter(e => e.checkVisibility()).filter(e => {
  const box = e.getBoundingClientRect();
  if (box.right > document.documentElement.clientWidth + 1) return true;
  return getComputedStyle(e).overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1 && !(e instanceof SVGElement);
}).map(e => `${e.tagName} ${e.className.baseVal ?? e.className} ${e.textContent.trim().slice(0, 30)}`))()"""
PAPER = 680  # pixels: A4 without its margins of 15 mm, 180 mm at 96 to the inch


def clipped_in_print(browser, page) -> list[str]:
    """What would be cut off on paper."""
    browser.open(page, width=PAPER)
    browser.call("Emulation.setEmulatedMedia", media="print")
    found = browser.evaluate(CLIPPED)
    browser.call("Emulation.setEmulatedMedia", media="")
    return found


def test_nothing_is_clipped_in_print(browser, report):
    assert clipped_in_print(browser, report) == []


def test_what_would_be_clipped_is_found(browser, tmp_path):
    page = tmp_path / "wide.html"
    page.write_text(
        "<p style='width: 900px'>wide</p><div style='width: 90px; overflow: auto'><pre>" + "x" * 99
    )
    assert [each.split()[0] for each in clipped_in_print(browser, page)] == ["P", "DIV"]


def test_words_sort_by_the_alphabet(browser, report):
    browser.open(report)
    names = "[...document.querySelectorAll('#confusion table.sortable tbody tr')].map(row => row.cells[0].textContent)"
    original = browser.evaluate(names)
    for expected in (sorted(original), sorted(original, reverse=True)):
        browser.click("#confusion table.sortable th button")
        assert browser.evaluate(names) == expected


def test_nothing_is_requested_from_the_network(browser, report):
    browser.open(report)
    browser.click(f"{TABLE} th button")
    browser.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    requests = browser.requests()
    assert report.as_uri() in requests
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert [url for url in requests if url.startswith("file:")] == [report.as_uri()]


def test_a_request_would_be_seen(browser, tmp_path):
    page = tmp_path / "leak.html"
    page.write_text("<img src='http://example.invalid/picture.png'>")
    browser.open(page)
    assert "http://example.invalid/picture.png" in browser.requests()


def test_what_gets_in_is_neither_run_nor_fetched(browser, report, tmp_path):
    smuggled = (
        "<script>document.title = 'hacked'</script><b id=x onclick=\"document.title = 'hacked'\">x</b>"
        "<script src='http://example.invalid/a.js'></script><style>body { color: red }</style>"
        "<img src='http://example.invalid/b.png' onerror=\"document.title = 'hacked'\">"
    )
    page = tmp_path / "page.html"
    page.write_text(report.read_text().replace("<main>", f"<main>{smuggled}"))
    browser.open(page)
    browser.click("#x")
    assert browser.evaluate("document.title") != "hacked"
    assert browser.evaluate("getComputedStyle(document.body).color") == LIGHT_INK
    assert [event for event in browser.events if event.get("method") == "Network.responseReceived"
            and event["params"]["response"]["url"].startswith("http")] == []  # fmt: skip
    refused = [text for text in browser.complaints() if "Content Security Policy" in text]
    assert len(refused) >= 4
    assert (
        browser.evaluate(f"document.querySelectorAll('{TABLE} button').length") == 7
    )  # its own script still runs
