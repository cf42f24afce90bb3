"""The page of a model: what is written, that its numbers are the model's, and what is refused."""

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softmaxclf.core.folding import FoldedModel
from softmaxclf.core.model import LinearModel
from softmaxclf.core.stages.stage import Preprocessing
from softmaxclf.errors import ConfigError, ModelError
from softmaxclf.model_file import save_model
from softmaxclf.report.playground.document import packed, unpacked
from softmaxclf.workflows.fit import fit
from softmaxclf.workflows.models import page
from softmaxclf.workflows.models.page import write_page
from softmaxclf.workflows.observer import Observer

HOSTILE = "</script><script>alert(1)</script>"


def model_of(classes: int = 10, shape: Any = (3, 32, 32), **changes: Any) -> LinearModel:
    """A model of random weights on standardized columns."""
    generator, D = np.random.default_rng(0), int(np.prod(shape))
    W = generator.normal(size=(D, classes)).astype(np.float32) / 20
    stages = Preprocessing(generator.uniform(90, 150, D), generator.uniform(40, 80, D))
    names = tuple(f"class {k}" for k in range(classes))
    return replace(LinearModel(W, np.ones(classes, np.float32), names, stages, shape), **changes)


def written(tmp_path: Path, model: LinearModel) -> str:
    save_model(tmp_path / "weights.npz", model)
    write_page(tmp_path, Observer())
    return (tmp_path / "page.html").read_text()


def told(content: str) -> dict[str, Any]:
    """The JSON that the page's scripts read."""
    found = re.findall(r'<script id="model" type="application/json">(.*?)</script>', content, re.DOTALL)
    assert len(found) == 1
    return json.loads(found[0])


def decoded(text: str, kind: Any) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(text), kind)


def test_weights_are_within_a_millionth_of_the_largest_of_their_column() -> None:
    W = np.random.default_rng(0).normal(size=(50, 7)) * np.logspace(-12, 12, 50)[:, None]
    W[3], W[4, 2] = 0, -1e9
    content, steps = packed(W)
    assert content.shape == (350, 3) and steps.shape == (50,)
    assert (np.abs(unpacked(content, steps) - W).max(axis=1) <= np.abs(W).max(axis=1) * 1e-7).all()


def test_the_page_holds_the_folded_model_with_its_center(tmp_path: Path) -> None:
    model = model_of()
    found, folded = told(written(tmp_path, model)), FoldedModel.of(model)
    W = unpacked(decoded(found["weights"], np.uint8).reshape(-1, 3), decoded(found["steps"], "<f8"))
    center = decoded(found["center"], "<f8")
    assert np.abs(W - folded.W).max() < 1e-9 and (center == model.preprocessing.offset).all()
    assert np.array(found["bias"]) - center @ W == pytest.approx(folded.b, abs=1e-6)


@pytest.mark.parametrize(("classes", "most"), [(10, 300_000), (100, 1_500_000)])
def test_the_page_of_a_cifar_model_is_small(classes: int, most: int, tmp_path: Path) -> None:
    assert len(written(tmp_path, model_of(classes)).encode()) <= most


def test_equal_models_give_equal_pages(tmp_path: Path) -> None:
    assert written(tmp_path, model_of(shape=(1, 4, 4))) == written(tmp_path, model_of(shape=(1, 4, 4)))


def test_names_cannot_leave_their_place(tmp_path: Path) -> None:
    names = ("a & b", HOSTILE)
    content = written(tmp_path, model_of(2, class_names=names))
    assert told(content)["classes"] == list(names)
    assert HOSTILE not in content and content.count("</script>") == 2
    table = model_of(2, (6,), image_shape=None, class_names=names, feature_names=(HOSTILE, *"bcdef"))
    content = written(tmp_path, table)
    assert told(content)["features"][0] == HOSTILE and HOSTILE not in content


def test_a_model_of_other_classes_than_the_drawn_ones_does_not_begin_with_one_of_them(tmp_path: Path) -> None:
    assert "data-known" not in written(tmp_path, model_of())
    names = ("frog", *(f"class {k}" for k in range(9)))
    content = written(tmp_path, model_of(class_names=names))
    assert content.count("data-known") == 1 and content.count("A drawn ") == 10


def test_cautions_stand_on_the_page(tmp_path: Path) -> None:
    assert "Before you trust it" not in written(tmp_path, model_of())
    assert "the hinge loss trains margins" in written(tmp_path, model_of(loss="hinge"))


def refused(tmp_path: Path, model: LinearModel, kind: type[Exception], said: str) -> None:
    save_model(tmp_path / "weights.npz", model)
    with pytest.raises(kind, match=said):
        write_page(tmp_path, Observer())
    assert not (tmp_path / "page.html").exists()


def test_too_many_weights_too_much_work_and_scores_that_differ_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    X = generator.integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
    patches = {"kind": "patches", "filters": 4, "patch": 3, "scales": [1]}
    model = fit(X, np.arange(40) % 2, features=patches)
    with monkeypatch.context() as patch:  # 28 numbers of 2 filters, 16 features for each of two classes
        patch.setattr(page, "MOST_WEIGHTS", 100)
        refused(
            tmp_path,
            model,
            ConfigError,
            "expected at most 100 weights, found 120, too many for a page; train on",
        )
    with monkeypatch.context() as patch:
        patch.setattr(page, "MOST_PRODUCTS", 1000)
        refused(
            tmp_path, model, ConfigError, "at most 1,000 multiplications an image, found 4,[0-9]+, too slow"
        )
    with monkeypatch.context() as patch:
        patch.setattr("softmaxclf.report.playground.document.LARGEST", 2**8)
        refused(tmp_path, model_of(), ModelError, "expected the same scores on the page, found them")


def test_maps_that_no_page_computes_are_refused(tmp_path: Path) -> None:
    stages = Preprocessing(np.zeros(12), np.arange(1.0, 13), unit_norm=True)
    odd = model_of(2, (3, 2, 2), preprocessing=stages)
    refused(
        tmp_path,
        odd,
        ConfigError,
        "expected unit norm of rows as they are, found it after other scales, which no page",
    )


def test_what_is_no_page_stays(tmp_path: Path) -> None:
    save_model(tmp_path / "weights.npz", model_of(2, (1, 2, 2)))
    (tmp_path / "mine.html").write_text("mine")
    with pytest.raises(ConfigError, match="holds something that is no page; choose another name"):
        write_page(tmp_path, Observer(), out=tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text() == "mine"
    for _ in range(2):  # its own is replaced
        write_page(tmp_path, Observer(), out=tmp_path / "page.html")
