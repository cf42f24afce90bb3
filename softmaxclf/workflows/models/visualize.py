"""`softmaxclf visualize-weights`: what each class of a saved model looks for, as a picture and as numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.config.values import nearest
from softmaxclf.config.yaml_reader import shown
from softmaxclf.core.images import has_colours
from softmaxclf.core.model import CHUNK_ROWS, LinearModel
from softmaxclf.core.scoring import SplitRows
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.files import write_text
from softmaxclf.model_file import load_model, model_path
from softmaxclf.runs import csv_text
from softmaxclf.workflows.models.model_rows import open_rows
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.output import refuse_no_picture, refuse_other_table

if TYPE_CHECKING:
    from softmaxclf.plots.templates import Examples

Array = NDArray[Any]
EXAMPLES = 4  # images of highest and of lowest score beside a template: two classes then fit on a line


def visualize(
    path: Path,
    observer: Observer,
    *,
    view: str = "shared",
    classes: str | None = None,
    columns: int | None = None,
    examples: bool = False,
    source: str | None = None,
    out: Path | None = None,
    csv: Path | None = None,
) -> dict[str, Any]:
    """Draw the templates, or the largest weights of rows that are no images; returns the places and the numbers.

    classes: names or indices with commas between; None is all. examples adds training images, read from source or the
    model's own data. out None: beside the weights. csv: a file for the weights.
    Raises ConfigError for wrong choices (before anything is read or written), DataError, ModelError, OutputError.
    """
    from softmaxclf.plots.figure import format_of, save
    from softmaxclf.plots.weights import draw_weights

    model = load_model(path)
    chosen = chosen_classes(model, classes)
    # templates.png is the one that a run draws; any other choice has a name of its own.
    named = {view: view != "shared", "selected": classes, "examples": examples}
    out = out or model_path(path).with_name("-".join(["templates", *filter(named.get, named)]) + ".png")
    format_of(out)
    refuse_no_picture(out)
    if csv is not None:
        refuse_other_table(csv, "feature,channel,row,column," if model.template_shape else "feature,")
    filters = not model.preprocessing.linear and model.image_shape is not None
    if filters:
        _check_filters(view, columns, examples)
    elif source is not None and not examples:
        raise ConfigError("--data is for --examples; add it, or leave both out")
    if examples:
        _check_examples(model, columns)
        rows = open_rows(model, source, observer).rows("train")
    figure = draw_weights(
        model,
        view=view,
        classes=chosen if classes else None,
        columns=columns,
        examples=_examples(model, rows, chosen) if examples else None,
        rows=_searched(model, source, observer) if filters else None,
    )
    save(figure, out, made_by=f"softmaxclf visualize-weights {path} --view {view}")
    result = {"model": str(path), "view": view, "picture": str(out)}
    if csv is not None:
        write_text(csv, weights_csv(model, chosen))
        result["csv"] = str(csv)
    return {**result, "classes": class_facts(model, chosen)}


def chosen_classes(model: LinearModel, text: str | None) -> list[int]:
    """The classes that `text` names, by name or index, in its order, each once; all of them for None.

    Raises ConfigError for an unknown one.
    """
    if text is None:
        return list(range(model.classes))
    names = model.class_names
    # A class may itself have a comma in its name.
    words = [text] if text in names else [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise ConfigError("--classes: expected names or indices with commas between, got none")
    return list(dict.fromkeys(class_index(word, names, "--classes") for word in words))


def class_index(word: str, names: Sequence[str], option: str) -> int:
    """The index of the class that `word` names, or else is the index of. Raises ConfigError for any other word."""
    if word in names:
        return names.index(word)
    if word.isascii() and word.isdecimal() and len(word) < 10 and int(word) < len(names):
        return int(word)
    known = "" if names[0] == "0" else f"; {shown(nearest(word, names))}"
    raise ConfigError(
        f"{option}: expected a class name or an index from 0 to {len(names) - 1}, got {shown(word)!r}{known}"
    )


def class_facts(model: LinearModel, chosen: Sequence[int]) -> list[dict[str, Any]]:
    """Per class: least and greatest weight, Euclidean norm, bias, and where the strongest weight stands.

    Weights are those that are drawn: what one step of brightness, or one deviation of a standardized feature, adds
    to the score.
    """
    weights = model.shown_weights
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
                "strongest": {**_place(strongest, model), "weight": float(own[strongest])},
            }
        )
    return facts


def _place(column: int, model: LinearModel) -> dict[str, int | str]:
    """Where a column of a row stands: its feature's number or name, and for an image its channel, row and column."""
    shape, names = model.template_shape, model.column_names
    inside = () if shape is None else map(int, np.unravel_index(column, shape))
    feature = column if names is None else names[column]
    return dict(zip(("feature", "channel", "row", "column"), (feature, *inside), strict=False))


def weights_csv(model: LinearModel, chosen: Sequence[int]) -> str:
    """A table with a line per raw column (for images with its channel, row and column) and a column per class."""
    weights = model.pixel_weights()[:, list(chosen)]
    places = [_place(column, model) for column in range(len(weights))]
    names = [model.class_names[k] for k in chosen]
    rows = [[*place.values(), *line.tolist()] for place, line in zip(places, weights, strict=True)]
    return csv_text([*places[0], *names], rows)


def _examples(model: LinearModel, rows: SplitRows, chosen: Sequence[int]) -> "dict[int, Examples]":
    """By class the mean image, and the images of highest and of lowest score."""
    from softmaxclf.plots.images import image_groups
    from softmaxclf.plots.templates import Examples

    assert model.image_shape is not None
    scores = np.concatenate([scores for _, scores in rows.scored_by(model)])
    groups = [
        rows.X[rows.places[np.argsort(sign * scores[:, k], kind="stable")[:EXAMPLES]]]
        for k in chosen
        for sign in (-1, 1)
    ]
    means = [_mean_row(rows, k) for k in chosen]
    *images, centres = image_groups([*groups, np.array(means)], model.image_shape)
    told = zip(centres, images[::2], images[1::2], strict=True)
    return {k: Examples(*each) for k, each in zip(chosen, told, strict=True)}


def _mean_row(rows: SplitRows, k: int) -> Array:
    """The mean (D,) of the rows of a class, of the type that they have; zeros of none."""
    own = rows.places[rows.labels == k]
    total = np.zeros(rows.X.shape[1])
    for start in range(0, len(own), CHUNK_ROWS):
        total += rows.X[own[start : start + CHUNK_ROWS]].sum(axis=0, dtype=np.float64)
    mean = total / max(1, len(own))
    whole = np.issubdtype(rows.X.dtype, np.integer)
    return (np.rint(mean) if whole else mean).astype(rows.X.dtype)


def _searched(model: LinearModel, source: str | None, observer: Observer) -> tuple[Array, Array] | None:
    """The training images in which patches are looked for; None, with a note, where they cannot be had."""
    try:
        rows = open_rows(model, source, observer).rows("train")
    except (DataError, ConfigError) as error:
        if source is not None:
            raise
        observer.note(f"{str(error).splitlines()[0]}; the filters are drawn without patches that excite them")
        return None
    return rows.X, rows.places


def _check_filters(view: str, columns: int | None, examples: bool) -> None:
    """Raise ConfigError for choices that only templates have."""
    asked = {"--view": view != "shared", "--columns": columns, "--examples": examples}
    for option in filter(asked.get, asked):
        raise ConfigError(
            f"{option}: expected a model of pixels, which has templates, but this one has patch features, whose "
            "filters are drawn with the patches that excite them; leave it out"
        )


def _check_examples(model: LinearModel, columns: int | None) -> None:
    if not has_colours(model.image_shape):
        found = "the model's rows are no images" if model.image_shape is None else "they have no colours"
        raise ConfigError(
            f"--examples: expected a model of grey or coloured images, but {found}; leave it out"
        )
    if columns:
        raise ConfigError(
            "--columns: expected a picture without --examples, which has its own layout; leave one out"
        )
