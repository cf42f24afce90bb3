"""The pictures of a run: which ones, from which numbers, under which names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.metrics import ReliabilityBins, confusion_matrix
from softmaxclf.core.model import LinearModel
from softmaxclf.core.stack import History
from softmaxclf.errors import ConfigError
from softmaxclf.workflows.scoring import Score

Array = NDArray[Any]
HISTORY_COLUMNS = ("iteration", "loss", "train_accuracy", "validation_accuracy")


def draw_weights(
    model: LinearModel,
    path: Path,
    note: str,
    *,
    view: str = "shared",
    classes: Sequence[int] | None = None,
    columns: int | None = None,
    examples: Mapping[int, tuple[Array, Array]] | None = None,
) -> None:
    """Write the templates of an image model, or a bar chart of the largest weights of any other, to `path`.

    classes, columns, examples: as in plots.templates.draw_templates; examples are for image models only.
    """
    from softmaxclf.plots import features, figure, templates

    if view not in templates.VIEWS:
        raise ConfigError(f"--view: expected one of {', '.join(templates.VIEWS)}, got {view!r}")
    weights, names = model.pixel_weights(), model.class_names
    if model.image_shape is None:
        if view == "difference":
            weights = templates.minus_mean_of_others(weights.T).T
        drawn = features.draw_features(
            features.top_features(weights),
            names,
            classes=classes,
            columns=columns,
            heading=features.HEADINGS.get(view),
        )
    else:
        images = templates.template_images(weights, model.image_shape, view)
        drawn = templates.draw_templates(
            images, names, view=view, classes=classes, columns=columns, examples=examples
        )
    figure.save(drawn, path, made_by=note)


def draw_history(history: Sequence[Sequence[float]], path: Path, note: str) -> None:
    """Write the loss and accuracy curves of a history table (rows of HISTORY_COLUMNS) to `path`."""
    from softmaxclf.plots import curves, figure

    columns = np.array(history, np.float64).reshape(-1, len(HISTORY_COLUMNS)).T
    figure.save(curves.draw_curves([curves.learning_curves(*columns)]), path, made_by=note)


def draw_confusion(score: Score, split: str, names: Sequence[str], path: Path, note: str) -> None:
    """Write the confusion matrix of a score to `path`."""
    from softmaxclf.plots import confusion, figure

    view = confusion.confusion_view(confusion_matrix(score.truth, score.predicted, len(names)))
    heading = f"Confusion matrix, {len(score.truth):,} {split} rows"
    drawn = confusion.draw_confusion(view, names, heading=heading)
    figure.save(drawn, path, made_by=note)


def draw_reliability(
    bins: ReliabilityBins,
    path: Path,
    note: str,
    *,
    heading: str,
    after: ReliabilityBins | None = None,
    temperature: float | None = None,
) -> None:
    """Write the reliability diagram of those bins, and of those after calibration, to `path`."""
    from softmaxclf.plots import figure, reliability

    def drawable(each: ReliabilityBins) -> reliability.Reliability:
        return reliability.reliability(
            each.edges, each.counts, each.confidence, each.accuracy, each.expected_error()
        )

    laid_over = None if after is None else drawable(after)
    drawn = reliability.draw_reliability(
        drawable(bins), after=laid_over, temperature=temperature, heading=heading
    )
    figure.save(drawn, path, made_by=note)


def draw_pairs(
    pairs: Mapping[tuple[int, int], Array],
    image_shape: tuple[int, int, int],
    names: Sequence[str],
    counts: Array,
    path: Path,
    note: str,
    *,
    heading: str | None = None,
) -> None:
    """Write a sheet of example rows (n, D) of each confused pair (true, predicted) to `path`."""
    from softmaxclf.plots import contact, figure

    images = in_groups(list(pairs.values()), image_shape)
    drawn = contact.draw_pairs(dict(zip(pairs, images, strict=True)), names, counts=counts, heading=heading)
    figure.save(drawn, path, made_by=note)


def in_groups(groups: Sequence[Array], image_shape: tuple[int, int, int]) -> list[Array]:
    """Groups of rows (n, D) as groups of images (n, H, W, C), all on one brightness scale."""
    from softmaxclf.plots.images import image_pixels

    images = image_pixels(np.concatenate(groups), image_shape)
    return np.split(images, np.cumsum([len(group) for group in groups])[:-1])


def has_colours(image_shape: tuple[int, int, int] | None) -> bool:
    """Whether rows of that shape can be shown as pictures: grey or red, green and blue."""
    return image_shape is not None and image_shape[0] in (1, 3)


def draw_accuracies(
    names: Sequence[str], splits: Sequence[Mapping[str, Any]], split: str, path: Path, note: str
) -> None:
    """Write the accuracies of several models, each with its interval, to `path`."""
    from softmaxclf.plots import compare, figure

    rows = {each["rows"] for each in splits}
    heading = (
        f"Accuracy on {', '.join(f'{count:,}' for count in sorted(rows))} {split} rows, with 95 % intervals"
    )
    low, high = zip(*(each["interval"] for each in splits), strict=True)
    accuracies = compare.accuracies(names, [each["accuracy"] for each in splits], low, high)
    figure.save(compare.draw_compare(accuracies, split=split, heading=heading), path, made_by=note)


def draw_histories(
    histories: Mapping[str, Sequence[Sequence[float]]], path: Path, note: str, *, heading: str | None = None
) -> None:
    """Write the curves of several runs, by name, laid over each other to `path`."""
    from softmaxclf.plots import curves, figure

    lines = []
    for name, history in histories.items():
        columns = np.array(history, np.float64).reshape(-1, len(HISTORY_COLUMNS)).T
        lines.append(curves.learning_curves(*columns, name=name))
    figure.save(curves.draw_curves(lines, heading=heading), path, made_by=note)


def draw_templates_compared(models: Mapping[str, LinearModel], path: Path, note: str) -> None:
    """Write the templates of several image models, by name, under each other to `path`."""
    from softmaxclf.plots import compare, figure, templates

    images = [
        templates.template_images(model.pixel_weights(), model.image_shape)
        for model in models.values()
        if model.image_shape is not None
    ]
    class_names = next(iter(models.values())).class_names
    figure.save(compare.draw_templates_compared(images, list(models), class_names), path, made_by=note)


def draw_cells(cells: Sequence[Mapping[str, Any]], best: tuple[float, float], path: Path, note: str) -> None:
    """Write the heat maps of a grid's cells, as results.csv holds them, to `path`."""
    from softmaxclf.plots import figure, grid

    drawn = grid.draw_grid(
        grid.grid_table(
            [
                grid.GridCell(
                    cell["learning_rate"],
                    cell["regularization"],
                    cell["train_accuracy"],
                    cell["validation_accuracy"],
                    cell["status"],
                )
                for cell in cells
            ],
            best=best,
        )
    )
    figure.save(drawn, path, made_by=note)


def history_rows(history: History, place: int) -> list[tuple[int, float, float, float]]:
    """The history of the cell at `place`, a row of HISTORY_COLUMNS per line."""
    return [
        (iteration, float(loss[place]), float(train[place]), float(validation[place]))
        for iteration, loss, train, validation in zip(
            history.iteration, history.loss, history.train_accuracy, history.validation_accuracy, strict=True
        )
    ]
