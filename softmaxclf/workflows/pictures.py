"""The pictures of a run: which ones, from which numbers, under which names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.metrics import confusion_matrix
from softmaxclf.core.model import LinearModel
from softmaxclf.core.stack import History
from softmaxclf.errors import ConfigError
from softmaxclf.workflows.scoring import Score

Array = NDArray[Any]
HISTORY_COLUMNS = ("iteration", "loss", "train_accuracy", "validation_accuracy")


def draw_weights(model: LinearModel, path: Path, note: str, *, view: str = "shared", **choices: Any) -> None:
    """Write the templates of an image model, or a bar chart of the largest weights of any other, to `path`.

    choices: `classes`, `columns`, `examples` of plots.templates.draw_templates.
    """
    from softmaxclf.plots import features, figure, templates

    weights = model.pixel_weights()
    if model.image_shape is None:
        drawn = features.draw_features(features.top_features(weights), model.class_names)
    else:
        if view not in templates.VIEWS:
            raise ConfigError(f"--view: expected one of {', '.join(templates.VIEWS)}, got {view!r}")
        images = templates.template_images(weights, model.image_shape, view)
        drawn = templates.draw_templates(images, model.class_names, view=view, **choices)
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
