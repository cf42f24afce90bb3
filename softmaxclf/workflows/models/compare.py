"""`softmaxclf compare`: models side by side, and which differences between them are more than chance."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.images import has_colours
from softmaxclf.core.metrics import mcnemar_p_value
from softmaxclf.core.model import LinearModel
from softmaxclf.core.problem import HISTORY_COLUMNS
from softmaxclf.core.repeats import told_apart
from softmaxclf.core.scoring import Score, SplitRows, score_model
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.errors import ConfigError
from softmaxclf.files import exists
from softmaxclf.model_file import FILE_NAME, load_model, model_path
from softmaxclf.runs import HISTORY, METRICS, OutputFolder, read_metrics, read_table
from softmaxclf.workflows.models.model_rows import SPLITS, ModelRows, fingerprint_of, open_rows
from softmaxclf.workflows.models.model_settings import SEEDS, asked_of, data_of, differing, settings_of
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.output import output_folder

Array = NDArray[Any]
PAIR_COLUMNS = (
    *("first", "second", "rows", "only_first_right", "only_second_right", "p_value"),
    *("difference", "least_difference", "noise"),
)
# What is known of a difference beside what another seed gives: `noise` of a pair.
SAME, ONLY_SEEDS, BEYOND, WITHIN, UNKNOWN = (
    "nothing differs",
    "only seeds differ",
    "beyond",
    "within",
    "unknown",
)
NOT_COMPARABLE = "Softmax and hinge losses are different quantities: compare accuracies"
SPLIT_COLUMNS = ("accuracy", "low", "high", "rows", "loss")


@dataclass(frozen=True)
class Contender:
    """One of the models."""

    name: str
    path: Path
    model: LinearModel

    @property
    def folder(self) -> Path | None:
        """Its run's, or None for a weights file that stands alone."""
        file = model_path(self.path)
        return file.parent if file.name == FILE_NAME and exists(file.parent / METRICS) else None

    @cached_property
    def asked(self) -> dict[str, str]:
        """What it was made by but for seeds."""
        return asked_of(self.model)

    @cached_property
    def seeds(self) -> tuple[str | None, ...]:
        """The seeds, None of one that it does not heed."""
        settings = settings_of(self.model)
        return tuple(settings.get(key) for key in SEEDS)


def compare(
    models: Sequence[Path],
    observer: Observer,
    *,
    split: str = "test",
    source: str | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Settings that differ, accuracies per split, and the paired McNemar test of each pair on the split's rows.

    That test knows what other rows would give, not what other seeds would. A pair that differs in seeds alone differs
    by the noise of training. Of others, `least_difference` is what seeds alone are not expected to give, `difference`
    that of the means, of the accuracies that the settings of either model have with several seeds: in its run's
    repeats, or as models that are compared too. See core/repeats.py; without any the noise is unknown.

    source None is the models' own data. With `out` also as tables and pictures. Raises ConfigError where the models
    cannot be compared.
    """
    contenders = [
        Contender(name, path, load_model(path)) for name, path in zip(_names(models), models, strict=True)
    ]
    _check_same_data(contenders, source)
    folder = None if out is None else output_folder(out)
    dataset, scores = _scores(contenders, split, source, observer)
    result = {
        "split": split,
        "data": dataset.name,
        "rows": len(scores[0].truth),
        "losses": [each.model.loss for each in contenders],
        "settings": differing([settings_of(each.model) for each in contenders]),
        "models": [
            {
                "name": each.name,
                "model": str(each.path),
                "splits": _splits(each, split, score, source is None, observer),
            }
            for each, score in zip(contenders, scores, strict=True)
        ],
        "pairs": _pairs(contenders, scores, _seeded(contenders, scores, split, source is None)),
    }
    if folder is not None:
        result |= {"out": str(folder.path), "files": _write(folder, result, contenders)}
    return result


def _names(paths: Sequence[Path]) -> list[str]:
    """What to call each: its folder's or file's own name, or the whole path where that is ambiguous.

    Raises ConfigError when one model is named twice.
    """
    resolved = [model_path(path).resolve() for path in paths]
    if len(set(resolved)) < len(resolved):
        raise ConfigError("compare: expected different models, got one of them twice; name each once")
    short = [_short_name(path) for path in resolved]
    return [
        name if name and short.count(name) == 1 else str(path)
        for name, path in zip(short, paths, strict=True)
    ]


def _short_name(path: Path) -> str:
    return path.parent.name if path.name == FILE_NAME else f"{path.parent.name}/{path.name}"


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
    contenders: Sequence[Contender], split: str, source: str | None, observer: Observer
) -> tuple[Dataset, list[Score]]:
    """The data and each model's score on the rows of the split; the test split is read once for all."""
    dataset: Dataset | None = None
    rows: list[SplitRows] = []
    for each in contenders:
        found = open_rows(each.model, source, observer, only_test=split == "test", dataset=dataset)
        dataset = found.dataset
        rows.append(rows[0] if rows and split == "test" else _rows_of(each, found, split))
        if not all(np.array_equal(getattr(rows[0], n), getattr(rows[-1], n)) for n in ("labels", "places")):
            raise ConfigError(
                f"compare: {contenders[0].path} and {each.path} have other {split} rows, and a paired test "
                "needs the same; use --split test"
            )
    assert dataset is not None
    return dataset, [score_model(each.model, own) for each, own in zip(contenders, rows, strict=True)]


def _rows_of(contender: Contender, source: ModelRows, split: str) -> SplitRows:
    """The model's rows of that split; the error says of which model there are none."""
    try:
        return source.rows(split)
    except ConfigError as error:
        raise ConfigError(f"{contender.path}: {error}") from error


def _splits(
    contender: Contender, split: str, score: Score, own_data: bool, observer: Observer
) -> dict[str, dict[str, Any]]:
    """The figures on the compared split, beside those that the run recorded of the others.

    With another data source only the former, since the recorded figures are of other rows.
    """
    found = score.summary()
    folder = contender.folder if own_data else None
    recorded: dict[str, Any] = {} if folder is None else read_metrics(folder)["splits"]
    there = recorded.get(split, found)
    if there["rows"] != found["rows"] or there["correct"] != found["correct"]:
        observer.warn(
            f"{contender.path}: its {METRICS} records {there['correct']:,} of {there['rows']:,} {split} rows "
            f"right, now it is {found['correct']:,} of {found['rows']:,}; the data are not what they were"
        )
    return {**recorded, split: there}


def _seeded(
    contenders: Sequence[Contender], scores: Sequence[Score], split: str, own_data: bool
) -> list[list[float]]:
    """Per model the accuracies on the split that its settings have with various seeds, at least its own.

    Those of a run's repeats are of its own data.
    """
    found = []
    for own in contenders:
        alike = [place for place, other in enumerate(contenders) if other.asked == own.asked]
        given = {contenders[place].seeds: scores[place].accuracy for place in alike}
        recorded = [_repeats(contenders[place], split) for place in alike] if own_data else []
        found.append(max([list(given.values()), *recorded], key=len))
    return found


def _repeats(contender: Contender, split: str) -> list[float]:
    """The accuracies on that split of the repeats of its run; none of a run without."""
    if contender.folder is None:
        return []
    recorded = read_metrics(contender.folder).get("repeats", {})
    return list(recorded.get(split, {}).get("accuracies", ()))


def _pairs(
    contenders: Sequence[Contender], scores: Sequence[Score], seeded: Sequence[list[float]]
) -> list[dict[str, Any]]:
    """The exact McNemar test of every two models, and what is known of the noise of training."""
    listed = []
    for first, second in combinations(range(len(contenders)), 2):
        pair = [contenders[place] for place in (first, second)]
        one, other = (scores[place].correct for place in (first, second))
        only_first, only_second = int(np.count_nonzero(one & ~other)), int(np.count_nonzero(other & ~one))
        p_value = mcnemar_p_value(only_first, only_second)
        if pair[0].asked == pair[1].asked:
            difference, least = scores[first].accuracy - scores[second].accuracy, math.nan
            noise = SAME if pair[0].seeds == pair[1].seeds else ONLY_SEEDS
        else:
            difference, least = told_apart(seeded[first], seeded[second])
            noise = BEYOND if abs(difference) > least else WITHIN
            noise = UNKNOWN if math.isnan(least) else noise
        names = [each.name for each in pair]
        bound = None if math.isnan(least) else least
        values = (*names, len(one), only_first, only_second, p_value, difference, bound, noise)
        listed.append(dict(zip(PAIR_COLUMNS, values, strict=True)))
    return listed


def _write(folder: OutputFolder, result: dict[str, Any], contenders: Sequence[Contender]) -> list[str]:
    """The tables, then the pictures, then comparison.json; returns their names."""
    folder.write_table("compare.csv", _columns(result), _lines(result))
    folder.write_table("pairs.csv", PAIR_COLUMNS, [list(pair.values()) for pair in result["pairs"]])
    files = ["compare.csv", "pairs.csv", *_draw(folder.path, result, contenders), "comparison.json"]
    folder.write_answer("comparison.json", {**result, "out": str(folder.path), "files": files})
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
    found = {each.name: _history(each.folder) for each in contenders if each.folder is not None}
    histories = {name: history for name, history in found.items() if len(history)}
    if histories:
        lines = [learning_curves(history, name=name) for name, history in histories.items()]
        whose: str | None = NOT_COMPARABLE if len(set(result["losses"])) > 1 else None
        if len(histories) == 1:
            whose = f"{lines[0].name}, the only one with a history"
        drawn["curves.png"] = draw_curves(lines, heading=whose)
    images = {
        each.name: template_images(each.model.pixel_weights(), shape)
        for each in contenders
        if (shape := each.model.template_shape) is not None and has_colours(shape)
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
    return read_table(path, HISTORY_COLUMNS) if exists(path) else np.empty((0, len(HISTORY_COLUMNS)))
