"""`softmaxclf compare`: models side by side, and which differences between them are more than chance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from softmaxclf.core.scoring import Score, SplitRows, score_model
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.errors import ConfigError
from softmaxclf.model_file import FILE_NAME, load_model, model_path
from softmaxclf.runs import METRICS, read_metrics
from softmaxclf.workflows.models.comparison_files import write_comparison
from softmaxclf.workflows.models.model_rows import ModelRows, fingerprint_of, open_rows
from softmaxclf.workflows.models.model_settings import data_of, differing, settings_of
from softmaxclf.workflows.models.pairs import Contender, judged_pairs, seeded_accuracies
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.output import output_folder


def compare(
    models: Sequence[Path],
    observer: Observer,
    *,
    split: str = "test",
    source: str | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Settings that differ, accuracies per split, and the paired McNemar test of each pair on the split's rows.

    The test, and the interval of `rows_difference`, know what other rows would give, not what other seeds would. A pair
    that differs in seeds alone differs by the noise of training. Of others, `least_difference` is what seeds alone are
    not expected to give, `difference` that of the means, of the accuracies that the settings of either model have with
    several seeds: in its run's repeats, or as models that are compared too. See core/repeats.py; without any the noise
    is unknown.

    source None is the models' own data. With `out` also as tables, pictures and a page. Raises ConfigError where the
    models cannot be compared.
    """
    contenders = [
        Contender(name, path, load_model(path)) for name, path in zip(_names(models), models, strict=True)
    ]
    _check_same_data(contenders, source)
    folder = None if out is None else output_folder(out)
    dataset, rows, scores = _scores(contenders, split, source, observer)
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
        "pairs": judged_pairs(
            contenders, scores, seeded_accuracies(contenders, scores, split, source is None)
        ),
    }
    if folder is not None:
        result |= {
            "out": str(folder.path),
            "files": write_comparison(folder, result, contenders, rows, scores),
        }
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
) -> tuple[Dataset, SplitRows, list[Score]]:
    """The data, the rows of the split, each model's score on them; the test split is read once for all."""
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
    return (
        dataset,
        rows[0],
        [score_model(each.model, own) for each, own in zip(contenders, rows, strict=True)],
    )


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
