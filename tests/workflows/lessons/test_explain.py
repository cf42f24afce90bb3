"""The document of `softmaxclf explain` against numbers worked out elsewhere and against numeric differences."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from softmaxclf.core.losses.softmax import cross_entropy, softmax
from softmaxclf.core.model import LinearModel
from softmaxclf.errors import ConfigError, DataError, ModelError
from softmaxclf.model_file import save_model
from softmaxclf.workflows.lessons.explain import ExplainRequest, explain, parse_names
from tests.core.numeric import numeric_gradient

WORKED = ("-3", "2", "-1", "0")
SCORES = st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=8)


def column(document, name):
    return [each[name] for each in document["classes"]]


def explained(*scores, **choices):
    return explain(ExplainRequest(tuple(map(str, scores)), **choices))


@pytest.fixture(scope="module")
def image_model(tmp_path_factory):
    """(model, its file, an image file, that image as a row) of 3 classes on images of 3 x 2 x 2."""
    folder = tmp_path_factory.mktemp("model")
    generator = np.random.default_rng(0)
    W = generator.normal(size=(12, 3)).astype(np.float32) / 100
    model = LinearModel(
        W, np.array([1, 0, -1], np.float32), ("cat", "dog", "ship"), image_shape=(3, 2, 2), temperature=2.0
    )
    save_model(folder / "weights.npz", model)
    row = generator.integers(0, 256, 12).astype(np.uint8)
    Image.fromarray(row.reshape(3, 2, 2).transpose(1, 2, 0)).save(folder / "image.png")
    return model, folder / "weights.npz", folder / "image.png", row


def test_every_step_of_the_worked_example_is_there():
    document = explained(*WORKED, label="0")
    assert column(document, "shifted") == [-5, 0, -3, -2]
    assert column(document, "exp") == pytest.approx([math.exp(-5), 1, math.exp(-3), math.exp(-2)])
    assert column(document, "hard_max") == [0, 1, 0, 0]
    assert column(document, "hinge_margin") == [None, 6, 3, 4]
    assert column(document, "hinge_gradient") == [-3, 1, 1, 1]
    assert document["sum_of_exp"] == pytest.approx(sum(column(document, "exp")))
    assert document["hinge"] == 13
    assert (document["shift"], document["winner"], document["ties"]) == (2, "1", [])


@given(SCORES, st.data())
def test_gradient_and_jacobian_are_the_numeric_derivatives(scores, data):
    values = np.array(scores)
    label = data.draw(st.integers(0, len(scores) - 1))
    document = explained(*map(repr, scores), label=str(label))
    numeric = numeric_gradient(lambda s: cross_entropy(s, label), values)
    assert column(document, "gradient") == pytest.approx(numeric, abs=1e-4)
    for i, line in enumerate(document["jacobian"]):
        assert line == pytest.approx(numeric_gradient(lambda s, i=i: float(softmax(s)[i]), values), abs=1e-5)


@given(SCORES)
def test_adding_a_constant_changes_nothing_beyond_rounding(scores):
    assert explained(*map(repr, scores))["adding"]["largest_change"] < 1e-10


def test_a_constant_that_swallows_the_scores_is_told_not_hidden():
    assert explained(1, 2, 3, constant=1e100)["adding"]["largest_change"] > 0.3


def test_scaling_down_softens_and_scaling_up_sharpens():
    soft, sharp = (explained(*WORKED, factor=factor)["scaling"] for factor in (0.5, 2.0))
    plain = explained(*WORKED)
    assert sharp["entropy"] < plain["entropy"] < soft["entropy"]
    assert explained(1, 2, 3, factor=0.0)["scaling"]["effective_classes"] == pytest.approx(3)
    assert explained(*WORKED, label="1")["scaling"]["cross_entropy"] == pytest.approx(
        cross_entropy([-1.5, 1, -0.5, 0], 1)
    )


def test_ties_are_named():
    document = explained(5, 1, 5, classes="cat,dog,ship")
    assert (document["winner"], document["ties"]) == ("cat", ["cat", "ship"])
    assert column(document, "hard_max") == [1, 0, 0]
    assert document["entropy"] == pytest.approx(math.log(2), abs=0.1)


def test_without_a_label_there_is_no_loss():
    document = explained(*WORKED)
    assert [document[name] for name in ("label", "cross_entropy", "hinge")] == [None, None, None]
    assert "gradient" not in document["classes"][0]


@pytest.mark.parametrize("scores", [("1e4", "-1e4", "0"), ("123", "456", "789"), ("1e100", "-1e100")])
def test_huge_scores_give_finite_numbers_without_a_warning(scores):
    document = explained(*scores, label="1", constant=-1e100, factor=1e100)
    text = json.dumps(document, allow_nan=False)
    assert "null" in text  # model, image, picture and the label's own margin
    assert sum(column(document, "probability")) == pytest.approx(1)


def test_an_image_gets_the_scores_of_its_model(image_model):
    model, weights, image, row = image_model
    document = explain(ExplainRequest(model=weights, image=image, label="ship"))
    assert column(document, "class") == ["cat", "dog", "ship"]
    assert column(document, "score") == pytest.approx(model.scores(row[None])[0] / 2.0, abs=1e-6)
    assert column(document, "probability") == pytest.approx(model.predict_proba(row[None])[0], abs=1e-6)
    assert (document["temperature"], document["label"]) == (2.0, {"index": 2, "class": "ship"})


def test_a_model_of_no_images_is_refused(image_model, tmp_path):
    features = LinearModel(np.ones((2, 2), np.float32), np.zeros(2, np.float32), ("a", "b"))
    save_model(tmp_path / "weights.npz", features)
    with pytest.raises(ModelError, match="expected a model of grey or RGB images, found one of 2 features"):
        explain(ExplainRequest(model=tmp_path, image=image_model[2]))
    with pytest.raises(DataError, match="gone"):
        explain(ExplainRequest(model=image_model[1], image=tmp_path / "gone.png"))


def test_a_picture_is_written_and_nothing_else_replaced(tmp_path):
    out = tmp_path / "bars.png"
    assert explained(1, 2, classes="cat,dog", out=out)["picture"] == str(out)
    with Image.open(out) as picture:
        assert picture.size[0] > 500
    other = tmp_path / "notes.png"
    other.write_text("mine")
    with pytest.raises(ConfigError, match="no picture"):
        explained(1, 2, out=other)
    assert other.read_text() == "mine"


@pytest.mark.parametrize(("text", "place"), [("dog", 1), (" dog ", 1), ("0", 0), ("2", 2), ("007", 2)])
def test_a_label_is_a_name_or_else_an_index(text, place):
    assert explained(1, 2, 3, classes="cat,dog,007", label=text)["label"]["index"] == place


@pytest.mark.parametrize("text", ["3", "-1", "1.0", "", "dgo", "²", "9" * 40])
def test_any_other_label_is_refused(text):
    with pytest.raises(ConfigError, match="--label: expected a class name or an index from 0 to 2, got "):
        explained(1, 2, 3, classes="cat,dog,ship", label=text)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b", "expected 3 names, one per score, got 2"), ("a,,c", "can be printed"), ("a,b,a", "'a' twice")],
)
def test_class_names_must_fit_the_scores(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_names(text, 3)
