"""Predictions for image files: what they say, the evidence behind them, and what is refused before any work."""

import csv
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from softmaxclf.core.model import LinearModel
from softmaxclf.core.stages import SCALES
from softmaxclf.core.stages.fitting import FittingRows, fit_stages
from softmaxclf.core.stages.stage import Preprocessing
from softmaxclf.datasets.sources import open_source
from softmaxclf.errors import ConfigError, DataError, ModelError, OutputError
from softmaxclf.model_file import save_model
from softmaxclf.workflows.models.predict import Predictions, sheet_name
from softmaxclf.workflows.observer import Observer
from tests.core.stages_of import stages_of

Array = np.ndarray[Any, Any]
SHAPE = (3, 5, 7)  # an odd width has a middle column, which mirror folding treats alone
PREPROCESSINGS = list(itertools.product((False, True), SCALES, (False, True)))


class Heard(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.work: list[Any] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def begin(self, what: str, total: int, done: int = 0, unit: str = "it") -> None:
        self.work.append((what, total, unit))

    def advance(self, done: int, figures: str = "") -> None:
        self.work.append(done)

    def end(self) -> None:
        self.work.append("end")


def fitted_model(
    X: Array, shape: tuple[int, int, int], center: bool, scale: str, mirror: bool
) -> LinearModel:
    """A model of random weights whose preprocessing is fitted on X, with scores of the size of trained ones."""
    generator = np.random.default_rng(2)
    stages = stages_of(center=center, scale=scale, mirror=shape if mirror else None)
    preprocessing = fit_stages(stages, FittingRows(X, np.arange(len(X)), image_shape=shape))[0]
    features = preprocessing.apply(X)
    W = generator.normal(size=(features.shape[1], 10))
    W *= 2 / np.abs(features @ W).std()
    names = tuple(f"class {k}" for k in range(10))
    return LinearModel(
        W.astype(np.float32), generator.normal(size=10).astype(np.float32), names, preprocessing, shape
    )


@pytest.fixture
def images() -> Array:
    return np.random.default_rng(1).integers(0, 256, (20, 105), dtype=np.uint8)


def save_png(path: Path, row: Array, shape: tuple[int, int, int] = SHAPE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(row.reshape(shape).transpose(1, 2, 0))).save(path)
    return path


@pytest.fixture
def model_path(tmp_path: Path, images: Array) -> Path:
    save_model(tmp_path / "weights.npz", fitted_model(images, SHAPE, True, "none", False))
    return tmp_path / "weights.npz"


Sheets = list[tuple[Any, Any]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sheets]:
    """(evidence, class names) of every sheet that is drawn while a test runs."""
    from softmaxclf.plots import evidence

    sheets: Sheets = []
    draw = evidence.draw_evidence

    def keeping(sheet: Any, names: Any, **options: Any) -> Any:
        sheets.append((sheet, names))
        return draw(sheet, names, **options)

    monkeypatch.setattr(evidence, "draw_evidence", keeping)
    yield sheets


def check_sheet(model: LinearModel, row: Array, sheet: Any) -> None:
    scores = model.scores(row[None])[0]
    best = np.argsort(-scores)[:2]
    assert sheet.classes.tolist() == best.tolist()
    assert sheet.maps.sum(axis=(1, 2)) + sheet.biases == pytest.approx(scores[best], abs=1e-4)


@pytest.mark.parametrize(("center", "scale", "mirror"), PREPROCESSINGS)
@pytest.mark.parametrize("shape", [SHAPE, (3, 5, 8), (1, 6, 5)])
def test_evidence_and_bias_sum_to_the_score_of_every_class_under_every_preprocessing(
    shape: tuple[int, int, int], center: bool, scale: str, mirror: bool
) -> None:
    X = np.random.default_rng(1).integers(0, 256, (20, int(np.prod(shape))), dtype=np.uint8)
    model = fitted_model(X, shape, center, scale, mirror)
    for row in X[:5]:
        contributions, bias = model.evidence(row)
        assert contributions.sum(axis=0) + bias == pytest.approx(model.scores(row[None])[0], abs=1e-4)


@pytest.mark.parametrize("mirror", [False, True])
def test_the_sheet_of_an_image_shows_its_score(
    mirror: bool, images: Array, tmp_path: Path, drawn: Sheets
) -> None:
    model = fitted_model(images, SHAPE, True, "standardize", mirror)
    save_model(tmp_path / "weights.npz", model)
    file = save_png(tmp_path / "in" / "a.png", images[0])
    (found,) = Predictions(tmp_path, (file,), Observer(), out=tmp_path / "out")
    ((sheet, names),) = drawn
    check_sheet(model, images[0], sheet)
    assert (sheet.image == images[0].reshape(SHAPE).transpose(1, 2, 0)).all()
    assert names[sheet.classes[0]] == found.top[0][0] and names == model.class_names
    assert found.sheet == tmp_path / "out" / "a-evidence.png"
    with Image.open(found.sheet) as picture:
        assert picture.width > 800


@pytest.mark.real
@pytest.mark.parametrize(("center", "scale", "mirror"), [(True, "none", False), (True, "standardize", True)])
def test_a_png_of_a_cifar_row_gives_that_rows_scores_and_evidence(
    real_cifar: Path, center: bool, scale: str, mirror: bool, tmp_path: Path, drawn: Sheets
) -> None:
    shape = (3, 32, 32)
    X = open_source(str(real_cifar), tmp_path).test().X[:200]
    model = fitted_model(X, shape, center, scale, mirror)
    save_model(tmp_path / "weights.npz", model)
    for place in range(3):
        file = save_png(tmp_path / "in" / f"{place}.png", X[place], shape)
        (found,) = Predictions(tmp_path, (file,), Observer(), top=10, out=tmp_path / "out")
        expected = model.predict_proba(X[place : place + 1])[0]
        assert dict(found.top) == pytest.approx(dict(zip(model.class_names, expected, strict=True)), abs=1e-4)
        check_sheet(model, X[place], drawn[place][0])


def test_labels_come_best_first_with_the_models_own_probabilities(
    images: Array, tmp_path: Path, model_path: Path
) -> None:
    model = replace(fitted_model(images, SHAPE, True, "none", False), temperature=2.5)
    save_model(model_path, model)
    files = tuple(save_png(tmp_path / f"{place:02}.png", row) for place, row in enumerate(images))
    found = list(Predictions(model_path, files, Observer(), top=99))
    probabilities, labels = model.predict_proba(images), model.predict(images)
    for place, prediction in enumerate(found):
        shares = [share for _, share in prediction.top]
        assert prediction.item == files[place] and len(shares) == 10  # --top is clipped to the classes
        assert prediction.top[0][0] == model.class_names[labels[place]]
        assert shares == pytest.approx(sorted(probabilities[place], reverse=True), abs=1e-6)
    assert found[0].summary()["top"][1] == {"label": found[0].top[1][0], "probability": found[0].top[1][1]}
    hotter = Predictions(model_path, files[:1], Observer(), top=1)
    hotter.model = replace(model, temperature=1.0)
    assert next(iter(hotter)).top[0][1] > found[0].top[0][1]


def test_broken_files_are_passed_over(images: Array, tmp_path: Path, model_path: Path) -> None:
    files = [save_png(tmp_path / "in" / f"{place:02}.png", row) for place, row in enumerate(images[:8])]
    for broken in (files[0], files[4], files[5]):
        broken.write_bytes(b"broken")
    heard = Heard()
    predictions = Predictions(model_path, (tmp_path / "in",), heard)
    found = [prediction.summary() for prediction in predictions]
    with pytest.raises(DataError, match=r"^3 of 8 files could not be read; "):
        predictions.raise_if_failed()
    assert len(heard.warnings) == 3 and all(": expected " in each for each in heard.warnings)
    assert heard.work == [("predict", 8, "image"), *range(1, 9), "end"]
    assert [("error" in each) for each in found] == [True, False, False, False, True, True, False, False]
    assert [each["error"] for each in found if "error" in each] == heard.warnings


def test_a_single_broken_file_is_told_once(tmp_path: Path, model_path: Path) -> None:
    heard = Heard()
    predictions = Predictions(model_path, (tmp_path / "missing.png",), heard)
    assert [each.summary().keys() for each in predictions] == [{"file", "error"}]
    with pytest.raises(DataError, match=r"missing\.png: expected a readable image file, found No such file"):
        predictions.raise_if_failed()
    assert heard.warnings == []


def test_several_images_make_a_page_and_a_table_that_says_where_on_it_each_is(
    images: Array, tmp_path: Path, model_path: Path
) -> None:
    good, bad = save_png(tmp_path / "in" / "a, b.png", images[0]), tmp_path / "in" / "bad.png"
    bad.write_bytes(b"")
    out = tmp_path / "out" / "deeper"
    predictions = Predictions(model_path, (good, bad), Observer(), top=1, out=out)
    found = list(predictions)
    with (out / "predictions.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (
        first["file"] == str(good) and first["sheet"] == "predictions.html#image-0" and first["error"] == ""
    )
    assert (first["label"], float(first["probability"])) == found[0].top[0] and first["runner_up"] == ""
    assert second["label"] == second["sheet"] == "" and "an empty file" in second["error"]
    assert sorted(path.name for path in out.iterdir()) == ["predictions.csv", "predictions.html"]
    assert predictions.picture == out / "predictions.html"
    page = predictions.picture.read_text()
    assert 'id="image-0"' in page and "an empty file" in page


def test_of_many_images_the_page_shows_the_least_sure_and_counts_all(
    images: Array, tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softmaxclf.workflows.models.contact_sheet.MOST_SHOWN", 5)
    files = tuple(save_png(tmp_path / "in" / f"{place:02}.png", row) for place, row in enumerate(images))
    found = list(Predictions(model_path, files, Observer(), out=tmp_path / "out"))
    page = (tmp_path / "out" / "predictions.html").read_text()
    least_sure = sorted(range(20), key=lambda place: found[place].top[0][1])[:5]
    assert {int(place) for place in re.findall('id="image-([0-9]+)"', page)} == set(least_sure)
    assert "Shown are the 5 of which the model is least sure" in page and "20 images labelled" in page
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        shown = [place for place, line in enumerate(csv.DictReader(file)) if line["sheet"]]
    assert shown == sorted(least_sure)


def test_a_sheet_has_a_name_that_every_system_takes() -> None:
    names = [Path("a/x.png"), Path("../é $(rm)\n.png"), Path("y" * 300)]
    first, second, third = map(sheet_name, names)
    assert first == "x-evidence.png" and second == "é___rm__-evidence.png" and len(third) < 100


def test_a_model_of_two_classes_of_grey_images_is_drawn(tmp_path: Path) -> None:
    shape = (1, 4, 4)
    model = LinearModel(
        np.eye(16, 2, dtype=np.float32), np.zeros(2, np.float32), ("a", "b"), image_shape=shape
    )
    save_model(tmp_path / "weights.npz", model)
    (tmp_path / "in").mkdir()
    Image.new("RGB", (9, 9), "white").save(tmp_path / "in" / "a.png")
    (found,) = Predictions(tmp_path, (tmp_path / "in",), Observer(), out=tmp_path / "out")
    assert found.top == (("a", 0.5), ("b", 0.5)) and found.sheet is not None and found.sheet.exists()


# Refused or warned about before any work


def model_with(tmp_path: Path, **changes: Any) -> Path:
    base = LinearModel(
        np.ones((12, 2), np.float32),
        np.zeros(2, np.float32),
        ("a", "b"),
        Preprocessing(),
        image_shape=(3, 2, 2),
    )
    save_model(tmp_path / "weights.npz", replace(base, **changes))
    return tmp_path / "weights.npz"


@pytest.mark.parametrize(
    ("shape", "found"),
    [(None, "12 features; give predict a table"), ((4, 1, 3), "4 channels; give predict a table")],
)
def test_a_model_of_other_rows_than_images_is_refused(shape: Any, found: str, tmp_path: Path) -> None:
    path = model_with(tmp_path, image_shape=shape)
    with pytest.raises(ModelError, match=f"expected a model of grey or RGB images, found one of {found}"):
        Predictions(path, (tmp_path / "x.png",), Observer())


def test_weights_whose_scores_overflow_are_refused_and_not_answered(tmp_path: Path) -> None:
    path = model_with(tmp_path, W=np.full((12, 2), 3e38, np.float32))
    Image.new("RGB", (2, 2), "white").save(tmp_path / "x.png")
    with pytest.raises(ModelError, match="expected weights that give finite scores"):
        list(Predictions(path, (tmp_path / "x.png",), Observer()))


def test_hinge_models_and_models_of_shares_are_warned_about(tmp_path: Path) -> None:
    def warnings(**changes: Any) -> list[str]:
        heard = Heard()
        Predictions(model_with(tmp_path, **changes), (tmp_path / "x.png",), heard)
        return heard.warnings

    assert warnings() == []
    (told,) = warnings(loss="hinge")
    assert "the hinge loss trains margins, not probabilities" in told
    (told,) = warnings(preprocessing=Preprocessing(np.full(12, 0.47)))
    assert "mean of at most 0.47" in told and "train it on bytes" in told
    assert warnings(preprocessing=Preprocessing(np.full(12, 120.0))) == []


def test_the_folder_of_the_images_is_no_place_for_sheets(
    images: Array, tmp_path: Path, model_path: Path
) -> None:
    save_png(tmp_path / "in" / "a.png", images[0])
    (tmp_path / "same").symlink_to(tmp_path / "in")
    for out in (tmp_path / "in", tmp_path / "same", tmp_path / "in" / ".." / "in"):
        with pytest.raises(ConfigError, match="expected a folder apart from the images"):
            Predictions(model_path, (tmp_path / "in",), Observer(), out=out)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a.png"]


@pytest.mark.parametrize("blocked", ["file", "file/inside"])
def test_a_file_where_the_folder_of_sheets_belongs_is_an_output_error(
    blocked: str, images: Array, tmp_path: Path, model_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    file = save_png(tmp_path / "in" / "a.png", images[0])
    with pytest.raises(OutputError, match="cannot be written"):
        Predictions(model_path, (file,), Observer(), out=tmp_path / blocked)
    assert (tmp_path / "file").read_text() == "kept"


def test_progress_ends_when_the_reader_of_predictions_stops(
    images: Array, tmp_path: Path, model_path: Path
) -> None:
    heard: Heard = Heard()
    files = tuple(save_png(tmp_path / f"{place}.png", images[place]) for place in range(3))
    iterator: Callable[..., Any] = iter(Predictions(model_path, files, heard)).__next__
    assert iterator().item == files[0]
    del iterator
    assert heard.work[-1] == "end"
