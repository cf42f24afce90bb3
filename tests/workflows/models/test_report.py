"""report.html: every figure is the recorded one, nothing from outside gets in, nothing is left unsaid."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from softmaxclf.config import load_config
from softmaxclf.core.scoring import SplitRows
from softmaxclf.core.search import FURTHER
from softmaxclf.datasets.sources import open_source
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.model_file import load_model
from softmaxclf.workflows.models.report import remake_report, write_report
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.session import Request
from softmaxclf.workflows.runs.train import train
from softmaxclf.workflows.runs.tune import tune

VOID = {"meta", "img", "br", "hr", "col"}
HIDDEN = {"style", "script", "pre"}  # rules, program, and files quoted as they are
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "a & b")


class Page(HTMLParser):
    """A page taken apart: `figures` (name, value, text), `prose` outside figures, `tags`, `links`, `rows` of tables."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.figures: list[tuple[str, float, str]] = []
        self.prose, self.shown = "", ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self._figure: tuple[str, float] | None = None
        self.content = path.read_text(encoding="utf-8")
        self.feed(self.content)
        self.close()
        assert self.open == [], "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "data":
            self._figure = str(attributes["data-of"]), float(str(attributes["value"]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "data":
            self._figure = None

    def handle_data(self, data: str) -> None:
        if HIDDEN & set(self.open):
            return
        self.shown += data
        if self._figure is not None:
            self.figures.append((*self._figure, data))
        elif not {"svg", "title"} & set(self.open):
            self.prose += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of that name."""
        return [attributes for name, attributes in self.tags if name == tag]

    def section(self, name: str) -> bool:
        """Whether the page has that section."""
        return any(attributes.get("id") == name for attributes in self.named("section"))


def at(document: Any, path: str) -> Any:
    """The value at a dotted path."""
    for step in path.split("."):
        document = document[step] if isinstance(document, Mapping) else document[int(step)]
    return document


def says(text: str, value: float) -> bool:
    """Whether the text is the value, rounded to the digits that it shows; a share may stand in percent."""
    bare = text.replace(",", "").replace("\u00a0", " ").removesuffix("%").strip()
    digits = len(bare.partition("e")[0].partition(".")[2])
    shown = float(bare)
    half = 0.5 * 10.0 ** (int(bare.partition("e")[2] or 0) - digits) + 1e-9 * abs(value)
    return abs(shown - value) <= half or ("e" not in bare and abs(shown - 100 * value) <= half)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, sample_folder: Path) -> Path:
    """A finished grid on the sample, one of whose cells diverged, with its report."""
    folder = tmp_path_factory.mktemp("report") / "run"
    settings = {
        "data.source": str(sample_folder),
        "training.iterations": 30,
        "tuning.learning_rates": [1e-7, 1e-6, 1e3],
        "tuning.regularizations": [10, 1e4],
    }
    tune(Request("tune", load_config(options=settings), folder), Observer())
    write_report(folder, shown_rows(sample_folder))
    return folder


def shown_rows(source: Path) -> SplitRows:
    test = open_source(str(source), source.parent).test()
    return SplitRows("test", str(source), test.X, test.y)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, features_file: Path) -> Path:
    """A finished model of features whose class names and path are markup."""
    folder = tmp_path_factory.mktemp("hostile") / "<b onclick=alert(3)>&'\"\u202e"
    folder.mkdir()
    with np.load(features_file) as arrays:
        np.savez(folder / "data.npz", **{**arrays, "class_names": np.array(HOSTILE)})
    settings = {"data.source": str(folder / "data.npz"), "data.validation": 100, "training.iterations": 20,
                "training.learning_rate": 0.01, "training.regularization": 0.1}  # fmt: skip
    train(Request("train", load_config(options=settings), folder / "run", test=True), Observer())
    remake_report(folder / "run", None, Observer())
    return folder / "run"


@pytest.mark.slow
def test_every_figure_is_the_one_in_metrics_json(tuned):
    metrics, page = json.loads((tuned / "metrics.json").read_text()), Page(tuned / "report.html")
    found = set()
    for name, value, text in page.figures:
        if name.split(".")[0] in metrics:
            assert value == at(metrics, name), name
            found.add(name)
        assert says(text, value), (name, text, value)
    for split in metrics["splits"]:
        for part in ("accuracy", "interval.0", "interval.1", "loss", "rows", "correct"):
            assert f"splits.{split}.{part}" in found
    for place, cell in enumerate(metrics["cells"]):
        for part, value in cell.items():
            if isinstance(value, float) and part not in FURTHER:  # the picture shows those
                assert f"cells.{place}.{part}" in found
    assert {"best.learning_rate", "best.regularization", "seconds.train"} <= found


def test_no_percentage_stands_outside_a_marked_figure(tuned):
    prose = Page(tuned / "report.html").prose.replace("\u00a0", " ")
    bins = r"[\d.]+ to [\d.]+ %"  # the edges of the bins of the calibration
    loose = re.findall(r"[\d.]+ %", re.sub(bins, "", prose))
    assert set(loose) <= {"95 %", "5 %"}, loose  # the intervals' and the tests' levels


def test_says_tells_a_wrong_figure_from_a_right_one():
    assert says("35.27\u00a0%", 0.3527) and says("10,000", 10000) and says("1.5e-7", 1.5e-7)
    assert not says("35.28\u00a0%", 0.3527) and not says("10,001", 10000) and not says("1.6e-7", 1.5e-7)


def test_what_the_rows_show_agrees_with_a_plain_count(tuned, sample_folder):
    rows = shown_rows(sample_folder)
    chances = load_model(tuned).predict_proba(rows.X).astype(np.float64)
    predicted, expected = chances.argmax(axis=1), {}
    for k in range(10):
        hits = np.sum((rows.y == k) & (predicted == k))
        expected[f"per_class.{k}.recall"] = hits / np.sum(rows.y == k)
        expected[f"per_class.{k}.precision"] = hits / max(np.sum(predicted == k), 1)
    expected["calibration.brier"] = np.mean(np.sum((chances - np.eye(10)[rows.y]) ** 2, axis=1))
    expected["calibration.log_loss"] = np.mean(-np.log(chances[np.arange(len(rows.y)), rows.y]))
    expected["calibration.confidence"] = chances.max(axis=1).mean()
    gaps = []
    for low in np.arange(15) / 15:
        inside = (chances.max(axis=1) > low) & (chances.max(axis=1) <= low + 1 / 15)
        if inside.any():
            gaps.append(abs(np.sum((predicted == rows.y)[inside]) - np.sum(chances.max(axis=1)[inside])))
    expected["calibration.error"] = sum(gaps) / len(rows.y)
    wrong = np.where(predicted != rows.y, chances.max(axis=1), 0)
    expected["mistakes.0.probability"] = wrong.max()
    figures = {name: value for name, value, _ in Page(tuned / "report.html").figures}
    for name, value in expected.items():
        if name in figures or not name.endswith("precision"):  # a class that was never predicted has none
            assert figures[name] == pytest.approx(value, rel=1e-5), name


def test_every_part_is_there_and_reached_from_the_top(tuned):
    page = Page(tuned / "report.html")
    names = ["warnings", "result", "grid", "confusion", "mistakes", "templates", "curves", "calibration", "data",
             "asked", "environment", "reproduce", "files"]  # fmt: skip
    targets = [str(link["href"]).removeprefix("#") for link in page.named("a")]
    assert targets[: len(names)] == names
    assert [attributes["id"] for attributes in page.named("section")] == names
    assert page.named("html")[0]["lang"] == "en"
    assert len(page.named("h1")) == 1


def test_every_image_says_what_it_shows_and_lies_in_the_page(tuned):
    page = Page(tuned / "report.html")
    images = page.named("img")
    assert (
        len(images) == 10 + 10 + 10 + 2 * 24
    )  # a strip per confused pair and per class, a template per class, the most wrong with their evidence
    assert all(str(image["src"]).startswith("data:image/png;base64,") and image["alt"] for image in images)
    assert all(str(tag["xlink:href"]).startswith("#") for tag in page.named("use"))
    assert "@import" not in page.content and "url(http" not in page.content


def test_the_table_of_cells_is_complete_without_any_script(tuned):
    content = (tuned / "report.html").read_text()
    body = content.split("Cells</h3>")[1].split("<tbody>")[1].split("</tbody>")[0]
    assert body.count("<tr") == 6
    assert body.count("diverged at iteration") == 2
    assert body.count(">best<") == 1


def test_settings_that_differ_from_the_defaults_are_marked(tuned):
    content = (tuned / "report.html").read_text()
    everything = content.split('id="asked"')[1].split("<details>")[1].split("</details>")[0]
    changed = re.findall(r'<code>([\w.]+)</code></th><td class="prose"><strong>', everything)
    assert changed == [
        "data.source",
        "training.solver",
        "training.iterations",
        "tuning.learning_rates",
        "tuning.regularizations",
    ]


def test_settings_that_did_not_count_are_left_out(tuned, hostile):
    shown = [
        set(re.findall(r"<code>(\w+\.\w+)</code></th>", (run / "report.html").read_text()))
        for run in (tuned, hostile)
    ]
    descent = {"training.batch_size", "training.momentum", "training.iterations"}
    point = {"training.learning_rate", "training.regularization"}
    grid = {"tuning.learning_rates", "tuning.regularizations", "tuning.folds"}
    assert shown[0] >= descent | grid and not shown[0] & point  # the grid's axes take their place
    assert shown[1] >= descent | point and not shown[1] & grid
    for never in ("training.tolerance", "training.max_passes", "features.kind"):  # of lbfgs; of patches
        assert never not in shown[0] | shown[1]


def test_an_entry_of_the_matrix_leads_to_the_images_of_its_pair(tuned):
    page = Page(tuned / "report.html")
    targets = [str(link["href"]) for link in page.named("a") if link.get("aria-label")]
    listed = [f"#{item['id']}" for item in page.named("li") if item.get("id")]
    assert len(listed) == 10 and targets == listed
    pair = json.loads((tuned / "metrics.json").read_text())["splits"]["test"]
    assert pair["rows"] == 1000
    (first,) = [each for each in page.named("a") if each["href"] == listed[0]]
    true, predicted = str(first["aria-label"]).split(" taken for ")
    assert any(str(image["alt"]).endswith(f"images of {true} that are taken for {predicted}")
               for image in page.named("img"))  # fmt: skip


def test_links_lead_to_the_files_of_the_run_from_wherever_the_page_lies(tuned, tmp_path):
    for path in (tuned / "report.html", write_report(tuned, out=tmp_path / "else" / "a.html")):
        links = [str(link["href"]) for link in Page(path).named("a") if not str(link["href"]).startswith("#")]
        names = {Path(link).name for link in links}
        assert {"weights.npz", "metrics.json", "results.csv", "grid.png", "manifest.json"} <= names
        assert not {"report.html", "checkpoint.npz"} & names
        assert all((path.parent / link).is_file() for link in links)


@pytest.mark.slow
def test_the_same_folder_and_rows_give_the_same_bytes(tuned, sample_folder, tmp_path):
    pages = [
        write_report(tuned, shown_rows(sample_folder), out=tmp_path / name) for name in ("a.html", "b.html")
    ]
    assert pages[0].read_bytes() == pages[1].read_bytes()
    again = write_report(tuned, shown_rows(sample_folder), out=tuned / "again.html").read_bytes()
    assert again == (tuned / "report.html").read_bytes()


def test_without_rows_the_page_says_what_it_leaves_out(tuned, tmp_path):
    page = Page(write_report(tuned, out=tmp_path / "a.html"))
    assert page.section("unscored") and page.section("templates") and page.section("grid")
    assert not any(page.section(name) for name in ("confusion", "calibration", "mistakes"))
    assert "There is no contact sheet: the rows were not at hand" in page.shown


def test_rows_other_than_the_run_s_are_not_shown_as_its_own(tuned, sample_folder, tmp_path):
    rows = shown_rows(sample_folder)
    page = Page(write_report(tuned, replace(rows, y=np.roll(rows.y, 1)), out=tmp_path / "a.html"))
    assert not page.section("confusion")
    assert re.search(
        r"the test rows found give \d+ right of 1000, but the run recorded \d+ right of 1000", page.shown
    )


def test_names_and_paths_that_are_markup_stay_text(hostile):
    page = Page(hostile / "report.html")
    assert len(page.named("script")) == 1
    assert not page.named("img") and not page.named("b")
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert HOSTILE[0] in page.shown and HOSTILE[1] in page.shown
    assert "\u202e" not in page.content  # it would turn the direction of writing around
    assert str(hostile.parent / "data.npz").replace("\u202e", "\ufffd") in page.shown


def test_rows_that_are_no_images_are_told_as_tables(hostile):
    page = Page(hostile / "report.html")
    assert page.section("templates") and page.section("mistakes")
    assert "The columns of largest weight" in page.shown
    assert not page.section("grid")


@pytest.mark.slow
@pytest.mark.real
def test_the_page_of_a_large_grid_on_cifar_10_is_under_three_megabytes(real_cifar, tmp_path):
    settings = {"data.source": str(real_cifar), "training.iterations": 5}
    train(Request("train", load_config(options=settings), tmp_path / "run", test=True), Observer())
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    cell = {"train_accuracy": 0.25, "validation_accuracy": 0.25, "validation_loss": 2.1, "status": "ok",
            "validation_interval": [0.2, 0.3], "regularization": 9e3}  # fmt: skip
    metrics |= {"cells": [{**cell, "learning_rate": 1e-8 * (1 + place)} for place in range(24)],
                "best": {"learning_rate": 1e-8, "regularization": 9e3, "refit": False}}  # fmt: skip
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(metrics))
    page = write_report(tmp_path / "run", shown_rows(real_cifar))
    assert page.stat().st_size < 3_000_000
    assert len(Page(page).named("img")) == 78


class Heard(Observer):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def test_a_report_is_made_again_where_the_data_are_gone(hostile, tmp_path):
    heard = Heard()
    page = Page(remake_report(hostile, str(tmp_path / "gone.npz"), heard, out=tmp_path / "a.html"))
    assert page.section("unscored") and "gone.npz" in page.shown
    assert any("gone.npz" in text and "without the rows" in text for text in heard.warnings)


def test_a_history_that_is_no_table_is_refused(hostile, tmp_path):
    for file in hostile.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "history.csv").write_text("iteration,loss\n1,2\n")
    with pytest.raises(DataError, match=r"history\.csv: expected a table of iteration,loss,train_accuracy"):
        write_report(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: (path.mkdir(), (path / "config.yaml").touch()), "metrics.json: cannot be read"),
        (lambda path: path.write_text("x"), "expected a run folder, found a file"),
        (lambda path: None, "expected a run folder, found nothing"),
    ],
)
def test_what_is_no_run_is_refused(make: Callable[[Path], object], message: str, tmp_path: Path):
    make(tmp_path / "there")
    with pytest.raises(DataError, match=message):
        remake_report(tmp_path / "there", None, Observer())


def test_another_kind_of_file_is_not_written_over(tuned, tmp_path):
    (tmp_path / "notes.html").write_text("my notes")
    with pytest.raises(ConfigError, match=r"notes\.html: holds something that is no report"):
        write_report(tuned, out=tmp_path / "notes.html")
    assert (tmp_path / "notes.html").read_text() == "my notes"


def test_the_command_writes_the_page_and_says_where(
    tuned: Path, run_cli: Callable[..., Result], tmp_path: Path
):
    result = run_cli("report", tuned, "--out", tmp_path / "page.html")
    assert result.exit_code == 0
    assert f"Wrote {tmp_path / 'page.html'}" in result.stdout
    assert Page(tmp_path / "page.html").figures == Page(tuned / "report.html").figures
    document = json.loads(run_cli("report", tuned, "--out", tmp_path / "page.html", "--json").stdout)
    assert document == {"schema_version": 1, "run": str(tuned), "report": str(tmp_path / "page.html")}
    missing = run_cli("report", tmp_path / "none")
    assert missing.exit_code == 3 and "expected a run folder, found nothing" in missing.stderr
