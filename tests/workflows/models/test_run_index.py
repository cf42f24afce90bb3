"""The page of a folder of runs: all of them, from good folders, and what is left out of the others."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from softmaxclf.cli.main import cli
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.workflows.models.run_index import write_index
from softmaxclf.workflows.observer import Observer
from tests.workflows.models.test_report import Page

HOSTILE = "<b onclick=alert(1)>&'"


class Listener(Observer):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(scope="module")
def made(
    undrawn: None, sample_folder: Path, features_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with a model of images, a grid on features, and a model of patches."""
    folder = tmp_path_factory.mktemp("index") / "runs"
    sample = ["--data", sample_folder, "--iterations", 5, "--learning-rate", 1e-6, "--regularization", 10]
    patches = [
        "--set",
        "features.kind=patches",
        "--set",
        "features.filters=20",
        "--set",
        "features.scales=[1]",
    ]
    for name, arguments in {
        "images": ["train", *sample, "--test"],
        "grid": ["tune", "--data", features_file, "--regularizations", "0.1,1", "--validation", 100],
        "patches": ["train", *sample, *patches],
    }.items():
        command = [str(word) for word in [*arguments, "--out", folder / name]]
        assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0
    return folder


@pytest.fixture
def runs(made: Path, tmp_path: Path) -> Path:
    """A copy of it to write into."""
    shutil.copytree(made, tmp_path / "runs")
    return tmp_path / "runs"


def test_each_run_is_a_line_with_its_recorded_figures(runs: Path) -> None:
    answer = write_index(runs, None, Observer())
    assert answer["index"] == str(runs / "index.html") and answer["left_out"] == []
    assert sorted(answer["runs"]) == ["grid", "images", "patches"]
    page = Page(runs / "index.html")
    figures = {name: value for name, value, _ in page.figures}
    for place, name in enumerate(answer["runs"]):
        for split, found in json.loads((runs / name / "metrics.json").read_text())["splits"].items():
            if split != "train":
                assert figures[f"runs.{place}.splits.{split}.accuracy"] == found["accuracy"]
    assert "regularization 0.1, best of 2" in page.shown or "regularization 1, best of 2" in page.shown
    assert "learning rate 1e-6, regularization 10, patch features" in page.shown


def test_the_newest_run_stands_first_and_names_lead_to_reports(runs: Path) -> None:
    for year, name in enumerate(("grid", "images", "patches")):
        manifest = json.loads((runs / name / "manifest.json").read_text())
        (runs / name / "manifest.json").write_text(
            json.dumps({**manifest, "started": f"20{20 + year}-01-01T00:00:00"})
        )
    (runs / "images" / "report.html").unlink()
    assert write_index(runs, None, Observer())["runs"] == ["patches", "images", "grid"]
    links = [str(link["href"]) for link in Page(runs / "index.html").named("a") if link["href"][:1] != "#"]
    assert links == ["patches/report.html", "grid/report.html"]


def test_every_run_has_a_small_picture_inside_the_page(runs: Path) -> None:
    write_index(runs, None, Observer())
    images = Page(runs / "index.html").named("img")
    assert {image["alt"] for image in images} == {
        f"Weights of {name}" for name in ("grid", "images", "patches")
    }
    assert all(str(image["src"]).startswith("data:image/png;base64,") for image in images)
    assert (runs / "index.html").stat().st_size < 100_000


def test_the_same_runs_give_the_same_bytes_and_an_index_is_made_again(runs: Path) -> None:
    write_index(runs, None, Observer())
    first = (runs / "index.html").read_bytes()
    write_index(runs, None, Observer())
    assert (runs / "index.html").read_bytes() == first


def _torn(folder: Path) -> None:
    (folder / "metrics.json").write_text('{"splits": ')


def _unfinished(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "status": "running"}))


def _foreign(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "manifest.json").write_text('{"name": "a web application"}')


def _emptied(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_torn, "expected JSON, found a broken file"),
        (_unfinished, "the run is running, not finished; the same command continues it"),
        (_foreign, "expected format version 1, found None"),
        (_emptied, "expected a run's manifest.json, found none"),
        (lambda folder: (folder / "weights.npz").write_bytes(b"no weights"), "weights.npz: expected"),
        (lambda folder: (folder / "weights.npz").unlink(), "expected a run folder with weights.npz"),
    ],
)
def test_a_spoilt_run_is_left_out_with_one_line_and_the_others_stay(
    runs: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    (runs / "images").rename(runs / HOSTILE)
    spoil(runs / HOSTILE)
    listener = Listener()
    answer = write_index(runs, None, listener)
    assert sorted(answer["runs"]) == ["grid", "patches"]
    (left,) = answer["left_out"]
    assert left["folder"] == HOSTILE and reason in left["reason"] and "\n" not in left["reason"]
    assert listener.warnings == [f"{runs}: left out, without a finished run: {HOSTILE}"]
    page = Page(runs / "index.html")
    assert HOSTILE in page.shown and not page.named("b")


def test_names_of_any_kind_lead_to_their_runs_and_nowhere_else(runs: Path) -> None:
    (runs / "images").rename(runs / "javascript:alert(1)")
    (runs / "grid").rename(runs / os.fsdecode(b"a \xff#?%20"))
    write_index(runs, None, Observer())
    links = [str(link["href"]) for link in Page(runs / "index.html").named("a") if link["href"][:1] != "#"]
    assert sorted(links)[:2] == ["a%20%FF%23%3F%2520/report.html", "javascript%3Aalert%281%29/report.html"]


def test_hidden_folders_and_files_are_passed_over_and_comparisons_are_linked(
    runs: Path, run_cli: Callable[..., Result], tmp_path: Path
) -> None:
    (runs / ".cache").mkdir()
    (runs / "notes.txt").write_text("mine")
    shutil.copytree(runs / "grid", tmp_path / "again")
    result = run_cli("compare", runs / "grid", tmp_path / "again", "--out", runs / "both")
    assert result.exit_code == 0, result.output
    listener = Listener()
    assert write_index(runs, None, listener)["left_out"] == [] and listener.warnings == []
    assert any(link["href"] == "both/comparison.html" for link in Page(runs / "index.html").named("a"))


def test_links_hold_where_the_page_lies_elsewhere(runs: Path, tmp_path: Path) -> None:
    write_index(runs, None, Observer(), out=tmp_path / "pages" / "all.html")
    links = [
        link["href"] for link in Page(tmp_path / "pages" / "all.html").named("a") if link["href"][:1] != "#"
    ]
    assert len(links) == 3 and all((tmp_path / "pages" / str(link)).is_file() for link in links)


def test_a_page_of_someone_else_is_not_written_over(runs: Path) -> None:
    (runs / "index.html").write_text("<!DOCTYPE html>\n<html><p>my own page</p></html>")
    with pytest.raises(ConfigError, match=r"index\.html: holds something that is no page of softmaxclf"):
        write_index(runs, None, Observer())
    assert "my own page" in (runs / "index.html").read_text()


def test_what_is_no_folder_of_runs_is_refused(
    runs: Path, run_cli: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected a run folder or a folder of runs, found neither"):
        write_index(tmp_path / "empty", None, Observer())
    assert not (tmp_path / "empty" / "index.html").exists()
    refused = run_cli("report", runs, "--data", "sample")
    assert refused.exit_code == 2 and "--data: expected one run, whose rows they are" in refused.stderr


def test_the_command_tells_a_folder_of_runs_from_a_run(runs: Path, run_cli: Callable[..., Result]) -> None:
    result = run_cli("report", runs)
    assert result.exit_code == 0 and f"Wrote {runs / 'index.html'}: 3 runs" in result.stdout
    assert f"Wrote {runs / 'grid' / 'report.html'}" in run_cli("report", runs / "grid").stdout


def test_the_map_of_weights_is_red_for_and_blue_against_and_clear_where_nothing_is() -> None:
    from softmaxclf.report.index import _signs

    pixels = _signs(np.array([[1.0, -0.5], [0.0, -1.0]]))
    assert pixels.shape == (2, 2, 4)
    red, clear = pixels[0]
    assert red[0] > red[2] and red[3] == 255 and clear[3] == 0
    assert (
        pixels[1, 0, 2] > pixels[1, 0, 0]
        and pixels[1, 0, 3] in (127, 128)
        and re.match("uint8", str(pixels.dtype))
    )
