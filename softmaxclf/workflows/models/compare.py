"""`softmaxclf compare`: models side by side, and which differences between them are more than chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.images import has_colours
from softmaxclf.core.metrics import mcnemar_p_value
from softmaxclf.core.model import LinearModel
from softmaxclf.core.problem import HISTORY_COLUMNS
from softmaxclf.core.scoring import Score, SplitRows, score_model
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.model_file import FILE_NAME, load_model, model_path
from softmaxclf.runs import HISTORY, METRICS, SPLIT_FORM, RunFolder, has_form, read_history, read_json
from softmaxclf.workflows.models.model_rows import SPLITS, ModelRows, fingerprint_of, open_rows
from softmaxclf.workflows.models.model_settings import data_of, differing, settings_of
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.output import output_folder

Array = NDArray[Any]
PAIR_COLUMNS = ("first", "second", "rows", "only_first_right", "only_second_right", "p_value")
NOT_COMPARABLE = "Softmax and hinge losses are different quantities: compare accuracies"
SPLIT_COLUMNS = ("accuracy", "low", "high", "rows", "loss")


@dataclass(frozen=True)
class ComparisonRequest:
    """Which models to compare on which split. source None is the models' own data; out None writes no files."""

    models: Sequence[Path]
    split: str = "test"
    source: str | None = None
    out: Path | None = None


@dataclass(frozen=True)
class Contender:
    """One of the models. folder: its run's, or None for a weights file that stands alone."""

    name: str
    path: Path
    model: LinearModel
    folder: Path | None


def compare(request: ComparisonRequest, observer: Observer) -> dict[str, Any]:
    """Settings that differ, accuracies per split, and the paired McNemar test of each pair on the split's rows.

    With `out` also as tables and pictures. Raises ConfigError where the models cannot be compared.
    """
    contenders = _contenders(request.models)
    _check_same_data(contenders, request.source)
    folder = None if request.out is None else output_folder(request.out)
    dataset, scores = _scores(contenders, request, observer)
    result = {
        "split": request.split,
        "data": dataset.name,
        "rows": len(scores[0][1].truth),
        "losses": [each.model.loss for each in contenders],
        "settings": differing([settings_of(each.model) for each in contenders]),
        "models": [
            {
                "name": each.name,
                "model": str(each.path),
                "splits": _splits(each, score, request, observer),
            }
            for each, (_, score) in zip(contenders, scores, strict=True)
        ],
        "pairs": _pairs([each.name for each in contenders], [score for _, score in scores]),
    }
    if folder is not None:
        result |= {"out": str(folder.path), "files": _write(folder, result, contenders)}
    return result


def _contenders(paths: Sequence[Path]) -> list[Contender]:
    names = _names(paths)
    found = []
    for name, path in zip(names, paths, strict=True):
        model, file = load_model(path), model_path(path)
        in_run = file.name == FILE_NAME and (file.parent / METRICS).exists()
        found.append(Contender(name, path, model, file.parent if in_run else None))
    return found


def _names(paths: Sequence[Path]) -> list[str]:
    """What to call each: its folder's or file's own name, or the whole path where that is ambiguous.

    Raises ConfigError when one model is named twice.
    """
    resolved = [path.expanduser().resolve() for path in paths]
    if len(set(resolved)) < len(resolved):
        raise ConfigError("compare: expected different models, got one of them twice; name each once")
    short = [_short_name(path) for path in resolved]
    return [
        name if name and short.count(name) == 1 else str(path)
        for name, path in zip(short, paths, strict=True)
    ]


def _short_name(path: Path) -> str:
    if path.name == FILE_NAME:
        return path.parent.name
    return path.name if path.is_dir() else f"{path.parent.name}/{path.name}"


def _check_same_data(contenders: Sequence[Contender], source: str | None) -> None:
    first = contenders[0]
    for other in contenders[1:]:
        if other.model.classes != first.model.classes:
            raise ConfigError(
                f"compare: expected models of the same classes, found {first.model.classes} in {first.path} and "
                f"{other.model.classes} in {other.path}; compare others"
            )
    if source is not None:
        return
    for each in contenders:
        own = fingerprint_of(each.model)
        if own is None or own != fingerprint_of(first.model):
            raise ConfigError(
                f"compare: expected models of the same data, found {data_of(first.model)} in {first.path} and "
                f"{data_of(each.model)} in {each.path}; name the rows to compare them on with --data"
            )


def _scores(
    contenders: Sequence[Contender], request: ComparisonRequest, observer: Observer
) -> tuple[Dataset, list[tuple[SplitRows, Score]]]:
    """The data, the rows of the split and each model's score on them; the test split is read once for all."""
    only_test = request.split == "test"
    dataset: Dataset | None = None
    test: SplitRows | None = None
    found: list[tuple[SplitRows, Score]] = []
    for each in contenders:
        source = open_rows(each.model, request.source, observer, only_test=only_test, dataset=dataset)
        dataset = source.dataset
        rows = test if test is not None else _rows_of(each, source, request.split)
        test = rows if only_test else None
        if found and not _same_rows(found[0][0], rows):
            raise ConfigError(
                f"compare: {contenders[0].path} and {each.path} have other {request.split} rows, and a paired test "
                "needs the same; use --split test"
            )
        found.append((rows, score_model(each.model, rows)))
    assert dataset is not None
    return dataset, found


def _rows_of(contender: Contender, source: ModelRows, split: str) -> SplitRows:
    """The model's rows of that split; the error says of which model there are none."""
    try:
        return source.rows(split)
    except ConfigError as error:
        raise ConfigError(f"{contender.path}: {error}") from error


def _same_rows(first: SplitRows, second: SplitRows) -> bool:
    return np.array_equal(first.labels, second.labels) and np.array_equal(first.places, second.places)


def _splits(
    contender: Contender, score: Score, request: ComparisonRequest, observer: Observer
) -> dict[str, dict[str, Any]]:
    """What the run recorded per split, and what was found on the compared one where it recorded none.

    With another data source only the latter, since the recorded figures are of other rows.
    """
    own = score.summary()
    if contender.folder is None or request.source is not None:
        return {request.split: own}
    recorded = _recorded(contender.folder)
    there = recorded.get(request.split)
    if there is None:
        return {**recorded, request.split: own}
    if there["rows"] != own["rows"] or there["correct"] != own["correct"]:
        observer.warn(
            f"{contender.path}: its {METRICS} records {there['correct']:,} of {there['rows']:,} {request.split} rows "
            f"right, now it is {own['correct']:,} of {own['rows']:,}; the data are not what they were"
        )
    return recorded


def _recorded(folder: Path) -> dict[str, dict[str, Any]]:
    """The splits of a run's metrics.json. Raises DataError when they are no such thing."""
    content = read_json(folder / METRICS)
    if not has_form(content, {"splits": {str: {**SPLIT_FORM, "correct": int}}}):
        raise DataError(
            f"{folder / METRICS}: expected the splits of a run, found something else; run it again"
        )
    return {name: content["splits"][name] for name in SPLITS if name in content["splits"]}


def _pairs(names: Sequence[str], scores: Sequence[Score]) -> list[dict[str, Any]]:
    """The exact McNemar test of every two models."""
    listed = []
    for first, second in combinations(range(len(names)), 2):
        a, b = scores[first].correct, scores[second].correct
        only_a, only_b = int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a))
        values = (names[first], names[second], len(a), only_a, only_b, mcnemar_p_value(only_a, only_b))
        listed.append(dict(zip(PAIR_COLUMNS, values, strict=True)))
    return listed


def _write(folder: RunFolder, result: dict[str, Any], contenders: Sequence[Contender]) -> list[str]:
    """The tables, then the pictures, then comparison.json; returns their names."""
    folder.write_table("compare.csv", _columns(result), _lines(result))
    folder.write_table("pairs.csv", PAIR_COLUMNS, [list(pair.values()) for pair in result["pairs"]])
    files = ["compare.csv", "pairs.csv", *_draw(folder.path, result, contenders), "comparison.json"]
    folder.write_json("comparison.json", {**result, "out": str(folder.path), "files": files})
    return files


def _columns(result: Mapping[str, Any]) -> list[str]:
    return ["model", *result["settings"], *(f"{split}_{name}" for split in SPLITS for name in SPLIT_COLUMNS)]


def _lines(result: Mapping[str, Any]) -> list[list[Any]]:
    nothing: dict[str, Any] = {"accuracy": "", "interval": ["", ""], "rows": "", "loss": ""}
    lines = []
    for place, model in enumerate(result["models"]):
        figures: list[Any] = []
        for name in SPLITS:
            split = model["splits"].get(name, nothing)
            figures += [split["accuracy"], *split["interval"], split["rows"], split["loss"]]
        lines.append([model["name"], *(values[place] for values in result["settings"].values()), *figures])
    return lines


def _draw(path: Path, result: Mapping[str, Any], contenders: Sequence[Contender]) -> list[str]:
    from softmaxclf.plots.compare import draw_compare
    from softmaxclf.plots.curves import draw_curves, learning_curves
    from softmaxclf.plots.figure import save
    from softmaxclf.plots.strips import draw_templates_compared
    from softmaxclf.plots.templates import template_images

    names = [each.name for each in contenders]
    split = result["split"]
    splits = [model["splits"][split] for model in result["models"]]
    counts = ", ".join(f"{rows:,}" for rows in sorted({each["rows"] for each in splits}))
    heading = f"Accuracy on {counts} {split} rows, with 95 % intervals"
    drawn = {"compare.png": draw_compare(names, splits, heading=heading)}
    histories = {each.name: _history(each.folder) for each in contenders if each.folder is not None}
    if any(map(len, histories.values())):
        lines = [learning_curves(history, name=name) for name, history in histories.items()]
        drawn["curves.png"] = draw_curves(
            lines, heading=NOT_COMPARABLE if len(set(result["losses"])) > 1 else None
        )
    images = {
        each.name: template_images(each.model.pixel_weights(), shape)
        for each in contenders
        if (shape := each.model.image_shape) is not None and has_colours(shape)
    }
    if images:
        class_names = contenders[0].model.class_names
        drawn["templates.png"] = draw_templates_compared(list(images.values()), list(images), class_names)
    for name, figure in drawn.items():
        save(figure, path / name, made_by=f"softmaxclf compare {' '.join(names)}")
    return list(drawn)


def _history(folder: Path) -> Array:
    """The lines (T, 4) of a run's history.csv; none without the file."""
    path = folder / HISTORY
    return read_history(path, HISTORY_COLUMNS) if path.exists() else np.empty((0, len(HISTORY_COLUMNS)))
