"""A model's weights as a picture: which view is drawn for which rows, and from which weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from softmaxclf.core.images import ImageShape
from softmaxclf.core.model import LinearModel
from softmaxclf.core.stages.stage import Preprocessing
from softmaxclf.errors import ConfigError
from softmaxclf.plots.templates import template_images
from softmaxclf.plots.weights import draw_weights

NAMES = ("cat", "dog", "bird")


def model_of(shape: ImageShape | None, columns: int = 12) -> LinearModel:
    """A model whose weights on raw columns are not W itself."""
    generator = np.random.default_rng(3)
    W = generator.normal(size=(columns, 3)).astype(np.float32)
    preprocessing = Preprocessing(scale=generator.uniform(0.1, 10, columns))
    return LinearModel(W, np.zeros(3, np.float32), NAMES, preprocessing, shape)


def shown(figure: Figure, count: int) -> list[np.ndarray[Any, Any]]:
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes[:count]]


@pytest.mark.parametrize(
    ("shape", "view", "drawn"),
    [
        ((3, 2, 2), None, "shared"),
        ((1, 3, 4), None, "shared"),
        ((2, 2, 3), None, "signed"),
        ((3, 2, 2), "difference", "difference"),
    ],
)
def test_templates_are_those_of_the_weights_on_pixels(
    shape: ImageShape, view: str | None, drawn: Any, check: Any, texts: Callable[..., list[str]]
) -> None:
    model = model_of(shape)
    figure = check(lambda: draw_weights(model, view=view))
    expected = template_images(model.pixel_weights(), shape, drawn)
    for found, image in zip(shown(figure, 3), expected, strict=True):
        assert np.array_equal(found.squeeze(), image.squeeze())
    assert set(NAMES) <= set(texts(figure))


def test_selected_classes_are_drawn_alone(texts: Callable[..., list[str]]) -> None:
    for shape in ((3, 2, 2), None):
        found = texts(draw_weights(model_of(shape), classes=[2], columns=1))
        assert "bird" in found and "cat" not in found


@pytest.mark.parametrize("view", [None, "difference"])
def test_features_that_are_no_images_are_drawn_as_their_largest_weights(view: str | None, check: Any) -> None:
    model = model_of(None)
    weights = model.W.astype(np.float64)  # as trained: columns of other units can be compared
    if view:
        weights = weights - np.stack([np.delete(weights, k, axis=1).mean(axis=1) for k in range(3)], axis=1)
    figure = check(lambda: draw_weights(model, view=view))
    lengths = [sorted(bar.get_width() for bar in axes.patches) for axes in figure.axes[:3]]
    assert [max(map(abs, each)) for each in lengths] == pytest.approx(np.abs(weights).max(axis=0).tolist())


def test_an_unknown_view_is_refused_for_any_rows() -> None:
    for shape in ((3, 2, 2), None):
        with pytest.raises(ConfigError, match="got 'nice'"):
            draw_weights(model_of(shape), view="nice")
