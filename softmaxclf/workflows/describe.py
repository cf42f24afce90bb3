"""`softmaxclf data describe`: what a source holds, and which of its rows stand there more than once."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from softmaxclf.config import Config
from softmaxclf.core.images import has_colours
from softmaxclf.datasets.dataset import Dataset, Split
from softmaxclf.datasets.duplicates import repeated_rows, shared_rows
from softmaxclf.errors import ConfigError
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.output import refuse_no_picture
from softmaxclf.workflows.runs.training_data import load_dataset

EXAMPLES = 10  # images of each class on the contact sheet


def describe(config: Config, observer: Observer, out: Path | None = None) -> dict[str, Any]:
    """Rows, classes, ranges and exact duplicates of the data set that `config.data` names; a contact sheet in `out`.

    Raises ConfigError where a sheet of rows that are no images is asked for, DataError, OutputError.
    """
    if out is not None:
        from softmaxclf.plots.figure import format_of

        format_of(out)
        refuse_no_picture(out)
    dataset = load_dataset(config, observer)
    if dataset.drawing():
        observer.note(dataset.drawing())
    shape = dataset.image_shape
    if out is not None and not has_colours(shape):
        raise ConfigError(f"--out {out}: expected grey or coloured images, found features; leave --out out")
    splits = _splits(dataset)
    pairs = {pair: shared_rows(splits[pair[0]].X, splits[pair[1]].X) for pair in combinations(splits, 2)}
    found: dict[str, Any] = {
        "name": dataset.name,
        "path": dataset.path,
        "features": dataset.features,
        "image_shape": shape,
        "feature_names": dataset.feature_names,
        "splits": {name: _facts(split) for name, split in splits.items()},
        "classes": [
            {"class": name, **{part: int((split.y == k).sum()) for part, split in splits.items()}}
            for k, name in enumerate(dataset.class_names)
        ],
        "shared": [
            {"of": other, "also_in": one, "rows": len(places), "first": places[:EXAMPLES].tolist()}
            for (one, other), places in pairs.items()
        ],
    }
    if out is not None:
        _draw(dataset, out)
        found["picture"] = str(out)
    return found


def _splits(dataset: Dataset) -> dict[str, Split]:
    parts = {"train": dataset.train, "validation": dataset.validation}
    parts["test"] = dataset.test() if dataset.read_test is not None else None
    return {name: split for name, split in parts.items() if split is not None}


def _facts(split: Split) -> dict[str, Any]:
    least, greatest = [], []

    def look(start: int, stop: int) -> None:
        block = split.X[start:stop]
        least.append(block.min().item())
        greatest.append(block.max().item())

    split.examine(look)
    return {
        "rows": len(split.y),
        "type": str(split.X.dtype),
        "least": min(least),
        "greatest": max(greatest),
        "repeated": repeated_rows(split.X),
    }


def _draw(dataset: Dataset, out: Path) -> None:
    from softmaxclf.plots.figure import save
    from softmaxclf.plots.images import image_groups
    from softmaxclf.plots.strips import draw_contact_sheet

    train = dataset.train
    assert dataset.image_shape is not None
    first = [np.flatnonzero(train.y == k)[:EXAMPLES] for k in range(len(dataset.class_names))]
    images = image_groups([train.X[rows] for rows in first], dataset.image_shape)
    figure = draw_contact_sheet(images, dataset.class_names, heading=f"Training images of {dataset.name}")
    save(figure, out, made_by=f"softmaxclf data describe {dataset.path}")
