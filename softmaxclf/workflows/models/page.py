"""`softmaxclf page`: a model as one HTML file in which anyone can use it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.model import LinearModel
from softmaxclf.datasets.sample import draw_sample
from softmaxclf.errors import ConfigError, ModelError
from softmaxclf.files import write_text
from softmaxclf.model_file import load_model, model_path
from softmaxclf.workflows.models.export import TOLERANCE, drawn_rows
from softmaxclf.workflows.models.predict import cautions
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.output import refuse_other

Array = NDArray[Any]
NAME, DOCTYPE = "page.html", b"<!DOCTYPE html>"
MOST_WEIGHTS = 8_000_000  # 32 MB of page, about what a browser opens without a thought
MOST_PRODUCTS = 1_000_000_000  # about a second of a browser
SAMPLE_SEED = 1


def write_page(path: Path, observer: Observer, *, out: Path | None = None) -> dict[str, Any]:
    """Write the page of the model at `path` to `out`, default page.html beside its weights; returns what was written.

    Raises ModelError, OutputError, and ConfigError for a model that no page can compute and a file that is no page.
    """
    from softmaxclf.report.playground.content import Playground, playground_page

    weights = model_path(path)
    out = weights.with_name(NAME) if out is None else out
    refuse_other(out, (DOCTYPE,), "something that is no page")
    model = load_model(weights)
    _refuse_unsuited(path, model)
    apart = _largest_difference(path, model)
    notes = list(cautions(model))
    for note in notes:
        observer.warn(note)
    images, names = _samples(model)
    content = playground_page(Playground(model, str(path), images, names, notes))
    write_text(out, content)
    return {"model": str(path), "page": str(out), "bytes": len(content.encode()), "largest_difference": apart}


def _refuse_unsuited(path: Path, model: LinearModel) -> None:
    """Raise ConfigError for a model that a page cannot compute, or that is too large or too slow for one."""
    from softmaxclf.report.playground.document import layer, products, shown_shape, stored

    try:
        layer(model)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}, which no page computes; use softmaxclf predict") from error
    if not model.preprocessing.linear and shown_shape(model) is None:
        raise ConfigError(
            f"{path}: expected patch features of grey or coloured images, found other channels, which no page shows; "
            "use softmaxclf predict"
        )
    for most, found, what in (
        (MOST_WEIGHTS, stored(model), "weights, found {}, too many for a page"),
        (MOST_PRODUCTS, products(model), "multiplications an image, found {}, too slow for a page"),
    ):
        if found > most:
            raise ConfigError(
                f"{path}: expected at most {most:,} {what.format(f'{found:,}')}; train on smaller images "
                "(data.image_size) or with fewer filters or classes, or use softmaxclf predict"
            )


def _largest_difference(path: Path, model: LinearModel) -> float:
    """How far scores by the page's weights are from the model's, on drawn rows. Raises ModelError where too far."""
    from softmaxclf.report.playground.document import page_scores

    rows = drawn_rows(model)
    expected, found = model.scores(rows), page_scores(model, rows)
    apart, largest = float(np.abs(found - expected).max()), float(np.abs(expected).max())
    if not apart <= TOLERANCE * max(1.0, largest):
        raise ModelError(
            f"{path}: expected the same scores on the page, found them {apart:.2g} apart; nothing was written, "
            "standardize the features (preprocessing.scale) and train again"
        )
    return apart


def _samples(model: LinearModel) -> tuple[NDArray[np.uint8], list[str]]:
    """An image of each class of the built-in set (n, H, W, C), and the classes' names; none for features."""
    from softmaxclf.plots.images import image_pixels
    from softmaxclf.report.playground.document import shown_shape

    drawn = draw_sample(SAMPLE_SEED, test_rows=10)
    if shown_shape(model) is None or drawn.image_shape is None:
        return np.empty((0, 1, 1, 3), np.uint8), []
    split, names = drawn.test(), drawn.class_names
    order = np.argsort(split.y)
    return image_pixels(split.X[order], drawn.image_shape), [names[k] for k in split.y[order]]
