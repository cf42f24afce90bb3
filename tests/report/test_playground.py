"""The page to play with in a real Chromium: it computes what predict does, is worked by hand, keeps to itself."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from softmaxclf.core.model import LinearModel
from softmaxclf.core.stages.fitting import FittingRows, fit_stages
from softmaxclf.core.stages.stage import Preprocessing
from softmaxclf.datasets.images import read_image
from softmaxclf.datasets.sample import draw_sample
from softmaxclf.model_file import save_model
from softmaxclf.workflows.fit import fit
from softmaxclf.workflows.models.page import write_page
from softmaxclf.workflows.models.predict import Predictions
from softmaxclf.workflows.observer import Observer
from tests.core.stages_of import stages_of
from tests.report.test_browser import TOO_FAINT, clipped_in_print

HOSTILE = "</script><img src=x onerror=\"document.title='hacked'\">"
COLOUR, GREY = (3, 32, 32), (1, 9, 7)
WIDTHS = (1440, 768, 390)


def trained(shape: Any, **stages: Any) -> LinearModel:
    """A model of random weights with scores of the size of trained ones, its stages fitted on drawn rows."""
    generator = np.random.default_rng(0)
    X = generator.integers(0, 256, (200, int(np.prod(shape)))).astype(np.uint8)
    if shape == COLOUR:
        X = draw_sample(train_rows=200).train.X
    found = stages_of(**{**stages, "mirror": shape if stages.get("mirror") else None})
    preprocessing = fit_stages(found, FittingRows(X, np.arange(200), image_shape=shape))[0]
    features = preprocessing.apply(X)
    W = generator.normal(size=(features.shape[1], 10))
    W *= 4 / np.abs(features @ W).std()
    names = ("airplane", HOSTILE, *(f"class {k}" for k in range(2, 10)))
    bias = generator.normal(size=10).astype(np.float32)
    return LinearModel(W.astype(np.float32), bias, names, preprocessing, shape, temperature=1.5)


def patched(shape: Any, **settings: Any) -> LinearModel:
    """A model of the patch features of drawn rows, or of noise in another shape."""
    data, patch, coarse = draw_sample(train_rows=200).train, *((4, 3) if shape == COLOUR else (3, 2))
    X = data.X if shape == COLOUR else np.random.default_rng(0).integers(0, 256, (200, 63)).astype(np.uint8)
    kind = {"kind": "patches", "filters": 12, "patch": patch, "scales": [1, coarse]}
    with pytest.MonkeyPatch.context() as few:
        few.setattr("softmaxclf.core.stages.patches.dictionary.PATCHES", 2000)
        return fit(X, data.y, image_shape=shape, features=kind, regularization=0.1, **settings)


def of_unit_norm(model: LinearModel) -> LinearModel:
    """The model with rows of unit norm in place of its scales."""
    return replace(
        model, preprocessing=replace(model.preprocessing, scale=None, unit_norm=True), W=10 * model.W
    )


MODELS: dict[str, Callable[[], LinearModel]] = {
    "colour": lambda: trained(COLOUR, scale="standardize", mirror=True),
    "unit norm": lambda: trained(COLOUR, scale="unit-norm"),
    "unit norm, mirrored": lambda: trained(COLOUR, scale="unit-norm", mirror=True),
    "plain": lambda: trained(COLOUR, center=False),
    "grey": lambda: trained(GREY, scale="standardize"),
    "grey, mirrored": lambda: trained(GREY, mirror=True, scale="unit-norm"),
    "patches": lambda: patched(COLOUR),
    "patches, mirrored": lambda: patched(COLOUR, mirror=True),
    "patches, unit norm": lambda: of_unit_norm(patched(COLOUR, mirror=True)),
    "patches, grey": lambda: patched(GREY),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def paged(place: Path) -> Callable[[str], tuple[LinearModel, Path]]:
    """Makes the page of one of MODELS, once."""
    made: dict[str, tuple[LinearModel, Path]] = {}

    def make(name: str) -> tuple[LinearModel, Path]:
        if name not in made:
            model, path = MODELS[name](), place / f"{name}.npz"
            save_model(path, model)
            write_page(path, Observer(), out=path.with_suffix(".html"))
            made[name] = model, path.with_suffix(".html")
        return made[name]

    return make


@pytest.fixture(scope="module")
def images(place: Path) -> list[Path]:
    """Ten PNG images of many sizes: some of a model's own, larger, smaller, wide, high, grey, with a palette."""
    generator = np.random.default_rng(1)
    sizes = [(32, 32), (32, 32), (7, 9), (300, 200), (64, 64), (33, 32), (20, 50), (1, 1), (90, 91), (31, 77)]
    for number, size in enumerate(sizes):
        pixels = Image.fromarray(generator.integers(0, 256, (5, 6, 3)).astype(np.uint8)).resize(size)
        pixels.convert({3: "L", 4: "P"}.get(number, "RGB")).save(place / f"{number}.png")
    return [place / f"{number}.png" for number in range(len(sizes))]


@pytest.fixture
def open_file(browser: Any) -> Callable[[Path], None]:
    """Opens a file by the page's own button, and waits until it is shown."""

    def open_it(path: Path) -> None:
        browser.evaluate("opening")
        root = browser.call("DOM.getDocument")["root"]["nodeId"]
        node = browser.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        browser.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])
        browser.evaluate("new Promise(done => setTimeout(done)).then(() => opening)")

    return open_it


def row_of(browser: Any) -> Any:
    return np.array(browser.evaluate("[...state.row]"))


def shown_shares(browser: Any, model: LinearModel) -> dict[str, float]:
    return dict(zip(model.class_names, browser.evaluate("[...state.shares]"), strict=True))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.slow
def test_ten_images_have_the_pixels_scores_and_probabilities_of_predict(
    name: str, browser: Any, paged: Any, images: list[Path], open_file: Any
) -> None:
    model, page = paged(name)
    predicted = [dict(each.top) for each in Predictions(page.with_suffix(".npz"), images, Observer(), top=10)]
    browser.open(page)
    for path, expected in zip(images, predicted, strict=True):
        open_file(path)
        assert browser.evaluate("byId('trouble').textContent") == ""
        row = read_image(path, model.image_shape)
        assert (row_of(browser) == row).all(), path
        assert browser.evaluate("[...state.scores]") == pytest.approx(model.scores(row[None])[0], abs=1e-4)
        assert shown_shares(browser, model) == pytest.approx(expected, abs=1e-4)
        assert browser.evaluate("byId('label').textContent") == max(expected, key=expected.__getitem__)


def test_transparent_turned_and_compressed_images_are_read_as_predict_does_within_a_few_levels(
    browser: Any, paged: Any, open_file: Any, place: Path
) -> None:
    model, page = paged("colour")
    smooth = Image.fromarray(np.random.default_rng(2).integers(0, 256, (4, 4, 4)).astype(np.uint8), "RGBA")
    clear, turned = smooth.resize((100, 80), Image.Resampling.BICUBIC), Image.Exif()
    turned[0x0112] = 6
    clear.save(place / "clear.png")
    clear.convert("RGB").save(place / "turned.jpg", exif=turned, quality=95)
    clear.convert("RGB").save(place / "photo.webp", lossless=True)
    browser.open(page)
    for name, levels in (("clear.png", 2), ("turned.jpg", 4), ("photo.webp", 0)):
        open_file(place / name)
        apart = np.abs(row_of(browser) - read_image(place / name, model.image_shape))
        assert apart.max() <= levels, name


@pytest.mark.parametrize(
    "name", ["colour", "unit norm, mirrored", "grey", "patches", "patches, mirrored", "patches, unit norm"]
)
def test_the_map_is_the_models_evidence_and_its_sum_with_the_bias_the_score(
    name: str, browser: Any, paged: Any, images: list[Path], open_file: Any
) -> None:
    model, page = paged(name)
    browser.open(page)
    open_file(images[0])
    row = read_image(images[0], model.image_shape)
    contributions, bias = model.evidence(row)
    scores = model.scores(row[None])[0]
    for chosen, other in ((3, None), (3, 5)):
        browser.evaluate(
            f"byId('chosen').value = '{chosen}', byId('other').value = '{'' if other is None else other}', render()"
        )
        shares = contributions[:, chosen] - (0 if other is None else contributions[:, other])
        found = np.array(browser.evaluate("[...mapOf(evidenceOf(state.row, chosen(), other()))]"))
        expected = shares.reshape(model.image_shape).sum(axis=0).ravel()
        if (
            model.preprocessing.reading
        ):  # the model looks at the sum of both halves; the split between them is free
            height, width = model.image_shape[1:]
            found, expected = (
                (each + each.reshape(height, width)[:, ::-1].ravel()) / 2 for each in (found, expected)
            )
        assert found == pytest.approx(expected, abs=1e-4)
        shown = [float(browser.evaluate(f"byId('{each}').textContent").replace("−", "-").replace(" ", ""))
                 for each in ("map-sum", "map-bias", "map-score")]  # fmt: skip
        score = scores[chosen] - (0 if other is None else scores[other])
        assert shown[0] + shown[1] == pytest.approx(shown[2], abs=2e-4)
        assert shown[2] == pytest.approx(score, abs=2e-4)
        assert bias[chosen] == model.b[chosen]


def test_the_evidence_follows_label_and_runner_up_and_no_class_is_set_against_itself(
    browser: Any, paged: Any
) -> None:
    model, page = paged("colour")
    browser.open(page)
    browser.evaluate("opening.then(() => { byId('other').value = 'next'; render(); })")
    scores = browser.evaluate("[...state.scores]")
    first, second, *_ = np.argsort(scores)[::-1]
    names = [model.class_names[k] for k in (first, second)]
    options = browser.evaluate(
        "[byId('chosen').options[0].textContent, byId('other').options[1].textContent]"
    )
    assert options == [f"label: {names[0]}", f"runner-up: {names[1]}"]
    assert (
        browser.evaluate("byId('score-name').textContent") == f"= score of {names[0]} − score of {names[1]}"
    )
    odds = np.exp((scores[first] - scores[second]) / model.temperature)
    told = browser.evaluate("byId('odds').textContent")
    assert told.startswith(f"So {names[0]} is ") and float(told.split(" is ")[1].split()[0]) == pytest.approx(
        odds, rel=1e-3
    )
    browser.evaluate(f"byId('other').value = '{first}', render()")
    assert browser.evaluate("byId('score-name').textContent") == f"= score of {names[0]}"
    assert browser.evaluate("byId('odds').textContent") == f"This is the score of {names[0]} alone."


def test_a_temperature_changes_the_probabilities_and_a_shift_does_not(
    browser: Any, paged: Any, images: list[Path], open_file: Any
) -> None:
    model, page = paged("colour")
    browser.open(page)
    open_file(images[0])
    before, row = shown_shares(browser, model), read_image(images[0], model.image_shape)
    powers = "byId('powers').textContent"
    sum_before = browser.evaluate(powers)
    browser.evaluate("byId('shift').value = 7, byId('shift').dispatchEvent(new Event('input'))")
    assert shown_shares(browser, model) == pytest.approx(before, rel=1e-12)
    assert browser.evaluate(powers) != sum_before
    browser.evaluate(
        "byId('temperature').value = Math.log10(5), byId('temperature').dispatchEvent(new Event('input'))"
    )
    expected = replace(model, temperature=5.0).predict_proba(row[None])[0]
    assert browser.evaluate("[...state.shares]") == pytest.approx(expected, abs=1e-4)
    browser.click("#reset")
    assert shown_shares(browser, model) == pytest.approx(before, rel=1e-6)


def test_samples_drops_and_pastes_are_opened_and_undone(browser: Any, paged: Any, images: list[Path]) -> None:
    model, page = paged("colour")
    browser.open(page)
    browser.evaluate("opening")
    first = row_of(browser)
    browser.click("#samples li:nth-child(3) button")
    browser.evaluate("opening")
    third = row_of(browser)
    assert (first != third).any()
    content = base64.b64encode(images[0].read_bytes()).decode()
    for kind, holder in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        browser.evaluate(
            "(() => { const carried = new DataTransfer(); "
            f"carried.items.add(new File([bytesOf('{content}')], 'a.png', {{type: 'image/png'}})); "
            f"const event = new Event('{kind}', {{bubbles: true, cancelable: true}}); event.{holder} = carried; "
            "document.body.dispatchEvent(event); return opening; })()"
        )
        assert (row_of(browser) == read_image(images[0], model.image_shape)).all(), kind
        browser.click("#undo")
        assert (row_of(browser) == third).all()
    browser.click("#undo")
    assert (row_of(browser) == first).all()


def test_an_image_is_painted_by_mouse_and_by_keyboard(browser: Any, paged: Any) -> None:
    _, page = paged("colour")
    browser.open(page)
    browser.evaluate(
        "byId('paints').checked = true, byId('colour').value = '#0102ff', byId('brush').value = 1, opening"
    )
    browser.click("#fill")
    assert sorted(set(row_of(browser).tolist())) == [1, 2, 255]
    browser.evaluate("byId('colour').value = '#ffffff'")
    browser.click("#picture")
    row = row_of(browser).reshape(3, 32, 32)
    assert (row[:, 16, 16] == 255).all() and (row[0] == 255).sum() == 1
    browser.evaluate("byId('picture').focus()")
    for key, code in (("ArrowRight", 39), ("ArrowDown", 40), ("ArrowDown", 40)):
        browser.press(key, code)
    assert "Row 18, column 17 (1, 2, 255)" in browser.evaluate("byId('reading').textContent")
    browser.press(" ", 32, " ")
    row = row_of(browser).reshape(3, 32, 32)
    assert (row[:, 18, 17] == 255).all() and (row[0] == 255).sum() == 2


def test_what_is_no_image_is_said_and_changes_nothing(
    browser: Any, paged: Any, open_file: Any, place: Path
) -> None:
    _, page = paged("colour")
    (place / "no.png").write_text("no image")
    browser.open(page)
    browser.evaluate("opening")
    before = row_of(browser)
    open_file(place / "no.png")
    assert browser.evaluate("byId('trouble').textContent").startswith(
        "no.png: this browser cannot read it as an image; "
    )
    assert (row_of(browser) == before).all()


def test_a_class_called_as_markup_is_a_name(browser: Any, paged: Any) -> None:
    _, page = paged("colour")
    browser.open(page)
    browser.evaluate("opening.then(() => choose(1))")
    assert browser.evaluate("model.classes[1]") == HOSTILE
    assert browser.evaluate("byId('score-name').textContent") == f"= score of {HOSTILE}"
    assert browser.evaluate("document.querySelectorAll('img[src=x]').length") == 0
    assert "hacked" not in browser.evaluate("document.title") and browser.complaints() == []


def features_model(scale: str = "standardize") -> LinearModel:
    generator = np.random.default_rng(3)
    names = tuple(f"feature <{d}>" for d in range(30))
    scales = generator.uniform(0.1, 50, 30) if scale == "standardize" else None
    preprocessing = Preprocessing(generator.normal(size=30) * 100, scales, scale == "unit-norm")
    W = generator.normal(size=(30, 3)).astype(np.float32)
    return LinearModel(W, np.ones(3, np.float32), ("a", "b", HOSTILE), preprocessing, feature_names=names)


@pytest.fixture(scope="module")
def features_page(place: Path) -> Path:
    save_model(place / "table.npz", features_model())
    write_page(place / "table.npz", Observer(), out=place / "table.html")
    return place / "table.html"


@pytest.mark.parametrize("scale", ["standardize", "unit-norm", "none"])
def test_rows_of_a_table_have_the_models_scores(scale: str, browser: Any, place: Path) -> None:
    model = features_model(scale)
    save_model(place / "rows.npz", model)
    write_page(place / "rows.npz", Observer(), out=place / "rows.html")
    rows = np.random.default_rng(4).normal(size=(10, 30)) * 60
    browser.open(place / "rows.html")
    for row in rows:
        browser.evaluate(f"setRow(Float64Array.from({json.dumps(row.tolist())}))")
        expected = model.scores(row[None])[0]
        assert browser.evaluate("[...state.scores]") == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_sliders_move_one_feature_between_three_deviations_and_any_number_may_be_typed(
    browser: Any, features_page: Path
) -> None:
    model = features_model()
    offset, scale = model.preprocessing.offset, model.preprocessing.scale
    assert offset is not None and scale is not None
    browser.open(features_page)
    assert row_of(browser) == pytest.approx(offset)
    browser.evaluate("byId('sought').value = '<7>', byId('sought').dispatchEvent(new Event('input'))")
    assert browser.evaluate("[...document.querySelectorAll('#features label')].map(e => e.textContent)") == [
        "feature <7>"
    ]
    bounds = browser.evaluate("[byId('feature-7').min, byId('feature-7').max].map(Number)")
    assert bounds == pytest.approx([offset[7] - 3 * scale[7], offset[7] + 3 * scale[7]])
    browser.evaluate("byId('feature-7').focus()")
    browser.press("End", 35)
    expected = offset.copy()
    expected[7] = bounds[1]
    assert row_of(browser) == pytest.approx(expected)
    browser.evaluate(
        "(e => { e.value = '1000.5'; e.dispatchEvent(new Event('input')); })"
        "(document.querySelector('#features .value'))"
    )
    assert row_of(browser)[7] == 1000.5
    first = "document.querySelector('#evidence-bars tr').textContent"
    assert browser.evaluate(first).startswith("feature <7> = 1000.5")
    browser.click("#middle")
    assert row_of(browser) == pytest.approx(offset)


# How it looks, and to whom it speaks


def pages(paged: Any, features_page: Path) -> Iterator[Path]:
    yield from (paged("colour")[1], paged("grey")[1], paged("patches, mirrored")[1], features_page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_the_screen_without_a_complaint(
    width: int, scheme: str, browser: Any, paged: Any, features_page: Path
) -> None:
    for page in pages(paged, features_page):
        browser.open(page, width=width, scheme=scheme)
        assert browser.complaints() == []
        assert browser.evaluate("document.documentElement.scrollWidth") == width


def test_nothing_of_it_is_clipped_in_print(browser: Any, paged: Any, features_page: Path) -> None:
    for page in pages(paged, features_page):
        assert clipped_in_print(browser, page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_and_every_control_has_a_name(
    scheme: str, browser: Any, paged: Any, features_page: Path
) -> None:
    for page in pages(paged, features_page):
        browser.open(page, scheme=scheme)
        seen, faint = browser.evaluate(TOO_FAINT)
        assert seen > 80 and faint == []
        nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
        roles = {
            "button",
            "checkbox",
            "slider",
            "combobox",
            "searchbox",
            "spinbutton",
            "img",
            "application",
            "ColorWell",
        }
        found = [each for each in nodes if not each["ignored"] and each["role"]["value"] in roles]
        assert len(found) > 20
        assert [each for each in found if not each.get("name", {}).get("value")] == []


def test_nothing_is_asked_of_the_network_and_what_gets_in_is_not_run(
    browser: Any, paged: Any, place: Path
) -> None:
    _, page = paged("colour")
    browser.open(page)
    browser.evaluate("opening")
    assert [url for url in browser.requests() if not url.startswith("data:")] == [page.as_uri()]
    smuggled = "<script>document.title = 'hacked'</script><img src='http://example.invalid/a.png'>"
    (place / "smuggled.html").write_text(page.read_text().replace("<main", f"{smuggled}<main", 1))
    browser.open(place / "smuggled.html")
    assert browser.evaluate("document.title") != "hacked"
    assert sum("Content Security Policy" in each for each in browser.complaints()) >= 2
    assert browser.evaluate("opening.then(() => state.shares.length)") == 10  # its own script still runs
