"""Templates in numbers and as pictures: the right rows beside them, and nothing else written over."""

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from softmaxclf.cli.main import cli
from softmaxclf.datasets.sources import open_source
from softmaxclf.errors import ConfigError
from softmaxclf.model_file import load_model
from softmaxclf.plots.images import image_groups
from softmaxclf.workflows.models.model_rows import open_rows
from softmaxclf.workflows.models.visualize import (
    chosen_classes,
    class_facts,
    visualize,
)
from softmaxclf.workflows.observer import Observer


@pytest.fixture(scope="module")
def runs(sample_folder: Path, features_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a mirror-folded run on images and a run on features."""
    folder = tmp_path_factory.mktemp("visualize")
    for name, arguments in {
        "images": ["--data", sample_folder, "--learning-rate", "1e-6", "--set", "preprocessing.mirror=true"],
        "features": ["--data", features_file, "--learning-rate", "0.1", "--set", "data.validation=100"],
    }.items():
        command = ["train", *map(str, arguments), "--iterations", "50", "--regularization", "0.01"]
        result = CliRunner().invoke(cli, [*command, "--out", str(folder / name)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    return folder


@pytest.mark.slow
def test_classes_are_named_or_numbered_in_any_order_each_once(runs: Path) -> None:
    model = load_model(runs / "images")
    names = model.class_names
    assert chosen_classes(model, None) == list(range(10))
    assert chosen_classes(model, f"{names[7]}, 2,{names[0]},7") == [7, 2, 0]


@pytest.mark.parametrize("word", ["10", "-1", "1.5", "²", "99999999999999999999", "nonsense"])
def test_an_unknown_class_is_refused(runs: Path, word: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a class name or an index from 0 to 9.*known: "):
        chosen_classes(load_model(runs / "images"), word)
    with pytest.raises(ConfigError, match="got none"):
        chosen_classes(load_model(runs / "images"), " ,")


def test_a_misspelt_class_gets_the_nearest_name(runs: Path) -> None:
    name = load_model(runs / "images").class_names[4]
    with pytest.raises(ConfigError, match=f"did you mean {name}\\?"):
        chosen_classes(load_model(runs / "images"), name + "x")


def test_the_numbers_are_those_of_the_unfolded_weights(runs: Path) -> None:
    model = load_model(runs / "images")
    weights = model.pixel_weights().reshape(3, 32, 32, 10)
    assert np.array_equal(weights, weights[:, :, ::-1])  # the model is mirror-folded
    for k, facts in zip([3, 1], class_facts(model, [3, 1]), strict=True):
        own, strongest = weights[..., k], facts["strongest"]
        assert (facts["least"], facts["greatest"], facts["index"]) == (own.min(), own.max(), k)
        assert facts["norm"] == pytest.approx(np.sqrt((own**2).sum()))
        at = own[strongest["channel"], strongest["row"], strongest["column"]]
        assert at == strongest["weight"] and abs(at) == np.abs(own).max()


def test_the_table_holds_every_weight_at_its_place(runs: Path, tmp_path: Path) -> None:
    visualize(runs / "images", Observer(), classes="4,0", out=tmp_path / "a.png", csv=tmp_path / "w.csv")
    model = load_model(runs / "images")
    header, *lines = csv.reader((tmp_path / "w.csv").read_text().splitlines())
    assert header == ["feature", "channel", "row", "column", model.class_names[4], model.class_names[0]]
    assert len(lines) == 3072 and lines[1024 + 2 * 32 + 5][:4] == ["1093", "1", "2", "5"]
    assert np.array_equal(np.array(lines, float)[:, 4:], model.pixel_weights()[:, [4, 0]])


def test_the_examples_are_the_rows_of_highest_and_lowest_score(
    runs: Path, sample_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, Any] = {}
    monkeypatch.setattr(
        "softmaxclf.plots.weights.draw_weights", lambda model, **options: drawn.update(options)
    )
    monkeypatch.setattr("softmaxclf.plots.figure.save", lambda *_, **__: None)
    visualize(runs / "images", Observer(), examples=True)
    model = load_model(runs / "images")
    rows = open_rows(model, None, Observer()).rows("train")
    X = open_source(str(sample_folder), Path("data")).train.X[rows.places]
    scores = model.scores(X)
    ordered = [X[np.argsort(sign * scores[:, k])[:4]] for k in range(10) for sign in (-1, 1)]
    expected = image_groups(ordered, (3, 32, 32))
    for k, each in drawn["examples"].items():
        assert np.array_equal(each.most, expected[2 * k]) and np.array_equal(each.least, expected[2 * k + 1])
        mean = image_groups([np.rint(X[rows.labels == k].mean(axis=0))[None].astype(np.uint8)], (3, 32, 32))
        assert np.array_equal(each.mean, mean[0][0])


@pytest.mark.parametrize("view", ["shared", "per-class", "signed", "channels", "difference"])
@pytest.mark.parametrize("name", ["images", "features"])
def test_every_view_of_images_and_of_features_is_drawn(
    runs: Path, tmp_path: Path, name: str, view: str
) -> None:
    found = visualize(runs / name, Observer(), view=view, classes="0,2", columns=1, out=tmp_path / "a.png")
    assert len(found["classes"]) == 2
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width == 1200


def test_examples_stand_in_a_picture_of_their_own_name(runs: Path) -> None:
    templates = (runs / "images" / "templates.png").read_bytes()
    found = visualize(runs / "images", Observer(), view="signed", classes="1", examples=True)
    path = runs / "images" / "templates-signed-selected-examples.png"
    assert found["picture"] == str(path) and path.exists()
    assert (runs / "images" / "templates.png").read_bytes() == templates


def test_files_of_another_kind_stay_as_they_are(runs: Path, tmp_path: Path) -> None:
    model = runs / "features"
    disguised, notes = tmp_path / "model.png", tmp_path / "notes.csv"
    shutil.copy(model / "weights.npz", disguised)
    notes.write_text("my,own,table\n")
    before = {
        file: file.read_bytes() for file in (disguised, notes, model / "weights.npz", model / "history.csv")
    }
    for options, message in (
        ({"out": model / "weights.npz"}, r"ending in \.png"),
        ({"out": tmp_path / "noending"}, "no ending"),
        ({"out": disguised}, "holds something that is no picture"),
        ({"out": tmp_path / "a.png", "csv": notes}, "holds another table"),
        (
            {"out": tmp_path / "a.png", "csv": model / "history.csv"},
            "holds another table",
        ),
        ({"out": tmp_path / "a.png", "csv": tmp_path / "w.txt"}, r"ending in \.csv"),
    ):
        with pytest.raises(ConfigError, match=message):
            visualize(model, Observer(), **options)
    assert {file: file.read_bytes() for file in before} == before
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "jpg", "jpeg", "webp"])
def test_a_picture_of_any_format_is_replaced_by_a_later_one(runs: Path, tmp_path: Path, ending: str) -> None:
    places = {"out": tmp_path / f"a.{ending}", "csv": tmp_path / "w.csv"}
    visualize(runs / "features", Observer(), **places)
    first = (tmp_path / f"a.{ending}").read_bytes()
    visualize(runs / "features", Observer(), **places)
    assert (tmp_path / f"a.{ending}").read_bytes() == first


def test_examples_need_rows_that_are_images(runs: Path) -> None:
    with pytest.raises(ConfigError, match="the model's rows are no images; leave it out"):
        visualize(runs / "features", Observer(), examples=True)


def test_images_of_other_than_one_or_three_channels_are_trained_and_drawn(run_cli, tmp_path):
    generator = np.random.default_rng(0)
    X, y = generator.integers(0, 256, (60, 2, 4, 6)).astype(np.uint8), np.arange(60) % 3
    np.savez(tmp_path / "two.npz", X_train=X, y_train=y, image_shape=[2, 4, 6])
    arguments = [
        "--data",
        tmp_path / "two.npz",
        "--set",
        "data.validation=20",
        "--iterations",
        5,
        "--out",
        "run",
    ]
    result = run_cli("train", *arguments)
    assert result.exit_code == 0, result.stderr
    assert Path("run/templates.png").exists()
