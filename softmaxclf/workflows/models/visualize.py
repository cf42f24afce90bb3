"""`softmaxclf visualize-weights`: what each class of a saved model looks for, as a picture and as numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.config.values import nearest
from softmaxclf.core.images import has_colours
from softmaxclf.core.model import LinearModel, chunked_scores
from softmaxclf.core.scoring import SplitRows
from softmaxclf.errors import ConfigError
from softmaxclf.files import write_text
from softmaxclf.model_file import load_model, model_path
from softmaxclf.runs import csv_text
from softmaxclf.workflows.models.model_rows import open_rows
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.output import refuse_no_picture, refuse_other_table

Array = NDArray[Any]
EXAMPLES = 6  # images of highest and of lowest score beside a template: two classes then fit on a line


@dataclass(frozen=True)
class VisualizationRequest:
    """What to draw. classes: names or indices with commas between; None is all. out None: beside the weights.

    examples adds training images, read from source or the model's own data. csv: a file for the weights.
    """

    model: Path
    view: str = "shared"
    classes: str | None = None
    columns: int | None = None
    examples: bool = False
    source: str | None = None
    out: Path | None = None
    csv: Path | None = None


def visualize(request: VisualizationRequest, observer: Observer) -> dict[str, Any]:
    """Draw the templates, or the largest weights of rows that are no images; returns the places and the numbers.

    Raises ConfigError for wrong choices (before anything is read or written), DataError, ModelError, OutputError.
    """
    from softmaxclf.plots.figure import save
    from softmaxclf.plots.weights import draw_weights

    model = load_model(request.model)
    chosen = chosen_classes(model, request.classes)
    out = request.out or model_path(request.model).with_name(_default_name(request))
    _check(request, model, out)
    examples = None
    if request.examples:
        source = open_rows(model, request.source, observer)
        examples = _examples(model, source.rows("train"), chosen, observer)
    note = f"softmaxclf visualize-weights {request.model} --view {request.view}"
    figure = draw_weights(
        model,
        view=request.view,
        classes=chosen if request.classes else None,
        columns=request.columns,
        examples=examples,
    )
    save(figure, out, made_by=note)
    result = {"model": str(request.model), "view": request.view, "picture": str(out)}
    if request.csv is not None:
        write_text(request.csv, weights_csv(model, chosen))
        result["csv"] = str(request.csv)
    return {**result, "classes": class_facts(model, chosen)}


def chosen_classes(model: LinearModel, text: str | None) -> list[int]:
    """The classes that `text` names, by name or index, in its order, each once; all of them for None.

    Raises ConfigError for an unknown one.
    """
    if text is None:
        return list(range(model.classes))
    names = {name: place for place, name in reversed(list(enumerate(model.class_names)))}
    # A class may itself have a comma in its name.
    words = [text] if text in names else [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise ConfigError("--classes: expected names or indices with commas between, got none")
    return list(dict.fromkeys(_class_of(word, names, model.classes) for word in words))


def _class_of(word: str, names: Mapping[str, int], classes: int) -> int:
    if word in names:
        return names[word]
    if word.isascii() and word.isdecimal() and len(word) < 10 and int(word) < classes:
        return int(word)
    raise ConfigError(
        f"--classes: expected a class name or an index from 0 to {classes - 1}, got {word!r}; {nearest(word, names)}"
    )


def class_facts(model: LinearModel, chosen: Sequence[int]) -> list[dict[str, Any]]:
    """Per class: least and greatest weight, Euclidean norm, bias, and where the strongest weight stands.

    Weights are those on raw columns: how much one unit (one step of brightness) of a column adds to the score.
    """
    weights = model.pixel_weights()
    facts = []
    for k in chosen:
        own = weights[:, k]
        strongest = int(np.abs(own).argmax())
        facts.append(
            {
                "class": model.class_names[k],
                "index": k,
                "least": float(own.min()),
                "greatest": float(own.max()),
                "norm": float(np.linalg.norm(own)),
                "bias": float(model.b[k]),
                "strongest": {**_place(strongest, model.image_shape), "weight": float(own[strongest])},
            }
        )
    return facts


def _place(column: int, image_shape: tuple[int, int, int] | None) -> dict[str, int]:
    """Where a column of a row stands: its feature number, and for an image its channel, row and column."""
    if image_shape is None:
        return {"feature": column}
    channel, row, across = (int(each) for each in np.unravel_index(column, image_shape))
    return {"feature": column, "channel": channel, "row": row, "column": across}


def weights_csv(model: LinearModel, chosen: Sequence[int]) -> str:
    """A table with a line per raw column (for images with its channel, row and column) and a column per class."""
    weights = model.pixel_weights()[:, list(chosen)]
    places = [_place(column, model.image_shape) for column in range(len(weights))]
    names = [model.class_names[k] for k in chosen]
    rows = [[*place.values(), *line.tolist()] for place, line in zip(places, weights, strict=True)]
    return csv_text([*places[0], *names], rows)


def extreme_rows(model: LinearModel, rows: SplitRows, count: int, observer: Observer) -> tuple[Array, Array]:
    """(highest, lowest): row indices (K, n) of highest and of lowest score of each class, n <= count.

    Of equal scores the earlier row comes first. Memory does not grow with the rows.
    """
    highest = _Best(model.classes, count)
    lowest = _Best(model.classes, count)
    total, done = len(rows.labels), 0
    observer.begin("examples", total, unit="rows")
    for part, scores in chunked_scores(model, rows.X, rows.rows):
        highest.add(part, scores)
        lowest.add(part, -scores)
        done += len(part)
        observer.advance(done)
    observer.end()
    return highest.rows.T, lowest.rows.T


class _Best:
    """The `count` rows of highest value in each of K columns, among all that were added."""

    def __init__(self, columns: int, count: int) -> None:
        self.count = count
        self.values: Array = np.empty((0, columns), np.float32)
        self.rows: Array = np.empty((0, columns), np.int64)

    def add(self, rows: Array, values: Array) -> None:
        """Consider rows (n,) with their values (n, K)."""
        every = np.concatenate([self.values, values])
        indices = np.concatenate([self.rows, np.broadcast_to(rows[:, None], values.shape)])
        order = np.argsort(-every, axis=0, kind="stable")[: self.count]
        self.values = np.take_along_axis(every, order, axis=0)
        self.rows = np.take_along_axis(indices, order, axis=0)


def _examples(
    model: LinearModel, rows: SplitRows, chosen: Sequence[int], observer: Observer
) -> dict[int, tuple[Array, Array]]:
    """Images (n, H, W, C) of highest and of lowest score, by class."""
    from softmaxclf.plots.images import image_groups

    assert model.image_shape is not None
    highest, lowest = extreme_rows(model, rows, EXAMPLES, observer)
    groups = [rows.X[each[k]] for k in chosen for each in (highest, lowest)]
    images = image_groups(groups, model.image_shape)
    return {k: (images[2 * place], images[2 * place + 1]) for place, k in enumerate(chosen)}


def _default_name(request: VisualizationRequest) -> str:
    """templates.png is the one that a run draws; any other choice has a name of its own."""
    parts = ["templates"]
    parts += [request.view] if request.view != "shared" else []
    parts += ["selected"] if request.classes else []
    parts += ["examples"] if request.examples else []
    return "-".join(parts) + ".png"


def _check(request: VisualizationRequest, model: LinearModel, out: Path) -> None:
    """Raise ConfigError for choices that cannot be drawn or places that must not be written to."""
    from softmaxclf.plots.figure import format_of

    format_of(out)
    refuse_no_picture(out)
    if request.csv is not None:
        header = "feature,channel,row,column," if model.image_shape else "feature,"
        refuse_other_table(request.csv, header)
    if request.examples and not has_colours(model.image_shape):
        found = "the model's rows are no images" if model.image_shape is None else "they have no colours"
        raise ConfigError(
            f"--examples: expected a model of grey or coloured images, but {found}; leave it out"
        )
    if request.examples and request.columns:
        raise ConfigError(
            "--columns: expected a picture without --examples, which has its own layout; leave one out"
        )
