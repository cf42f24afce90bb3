"""`softmaxclf evaluate`: how a saved model does on one split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.images import has_colours
from softmaxclf.core.metrics import (
    ReliabilityBins,
    confused_pairs,
    confusion_matrix,
    majority_baseline,
    precision_recall_f1,
    wilson_interval,
)
from softmaxclf.core.model import LinearModel
from softmaxclf.core.scoring import Score, SplitRows, score_model
from softmaxclf.datasets.dataset import Dataset
from softmaxclf.model_file import load_model, model_path
from softmaxclf.runs import OutputFolder
from softmaxclf.workflows.models.calibrate import (
    Assessment,
    assess,
    calibrate,
    calibrated_path,
    calibration_of,
)
from softmaxclf.workflows.models.model_rows import open_rows, provenance_of
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.output import output_folder

if TYPE_CHECKING:
    from softmaxclf.plots.mistakes import Mistakes

Array = NDArray[Any]
PAIRS, EXAMPLES = 10, 8  # confused pairs that are listed, and example images of each
MISTAKES = 24
RELIABILITY_COLUMNS = ("low", "high", "rows", "confidence", "accuracy", "accuracy_low", "accuracy_high")
CLASS_COLUMNS = (
    "class", "precision", "precision_low", "precision_high", "recall", "recall_low", "recall_high", "f1",
    "support", "predicted",
)  # fmt: skip


@dataclass(frozen=True)
class _Evaluation:
    """One split's figures. after: with the temperature that was just fitted."""

    model: LinearModel
    dataset: Dataset
    rows: SplitRows
    score: Score
    confusion: Array
    now: Assessment
    after: Assessment | None = None


def evaluate(
    path: Path,
    observer: Observer,
    *,
    split: str = "test",
    source: str | None = None,
    settings: Sequence[str] = (),
    out: Path | None = None,
    calibrated: bool = False,
    calibrated_out: Path | None = None,
) -> dict[str, Any]:
    """Accuracy, loss, per class figures, confusion counts (rows true, columns predicted) and calibration.

    source None is the model's own data; settings: `data.key=value` texts over the model's own. With `out` also as
    tables and pictures. calibrated also fits a temperature, stored in calibrated_out, by default beside the weights.
    Raises ConfigError, DataError, ModelError, OutputError.
    """
    model, file = load_model(path), model_path(path)
    target = calibrated_path(file, calibrated_out, model) if calibrated else None
    folder = None if out is None else output_folder(out)
    only_test = split == "test" and target is None
    data = open_rows(model, source, observer, only_test=only_test, settings=settings)
    rows, after, calibration = data.rows(split), None, {}
    if target is not None:
        warm, facts = calibrate(file, data, target)
        splits = {}
        for name in dict.fromkeys(["validation", split]):
            scored = data.rows(name)
            figures = (assess(each, scored).figures for each in (model, warm))
            splits[name] = {
                "rows": len(scored.labels),
                **dict(zip(("before", "after"), figures, strict=True)),
            }
        calibration = {"calibration": {**facts, "splits": splits}}
        after = assess(warm, rows)
    now = assess(model, rows)  # first: it refuses rows that cannot be scored
    score = score_model(model, rows)
    confusion = confusion_matrix(score.truth, score.predicted, model.classes)
    found = _Evaluation(model, data.dataset, rows, score, confusion, now, after)
    result = {"model": str(path), **_summary(found), **calibration}
    if folder is not None:
        result |= {"out": str(folder.path), "files": _write(folder, found, result)}
    return result


def _summary(found: _Evaluation) -> dict[str, Any]:
    model, dataset = found.model, found.dataset
    return {
        "split": found.rows.name,
        "data": dataset.name,
        **found.score.summary(),
        "loss_function": model.loss,
        "baseline": _baseline(model, dataset, found.score.truth),
        **found.now.figures,
        "probabilities": _origin(model),
        "confused_pairs": _pairs(model, found.confusion),
        "per_class": _per_class(model, found.confusion),
        "confusion": found.confusion.tolist(),
        "reliability": _bins(found.now.bins),
    }


def _origin(model: LinearModel) -> str:
    """Where the probabilities come from."""
    caution = model.loss_function.caution
    what = "softmax of the scores" + (f"; {caution}" if caution else "")
    calibration = calibration_of(model)
    return f"{what}; {calibration}" if calibration else what


def _share(part: int, whole: int) -> tuple[float, list[float]]:
    """A share with its 95 % interval; NaN of no rows."""
    if not whole:
        return float("nan"), [float("nan")] * 2
    return part / whole, list(wilson_interval(part, whole))


def _baseline(model: LinearModel, dataset: Dataset, y: Array) -> dict[str, Any]:
    """How often the most frequent training label is right: what a classifier must beat.

    It is the label that the model's file records; only where that records none are the training rows read.
    """
    recorded = provenance_of(model, "data").get("majority")
    known = type(recorded) is int and 0 <= recorded < model.classes
    label, correct = majority_baseline(np.array([recorded]) if known else dataset.train.y, y)
    accuracy, interval = _share(correct, len(y))
    return {
        "class": model.class_names[label],
        "accuracy": accuracy,
        "interval": interval,
        "rows": len(y),
        "correct": correct,
    }


def _per_class(model: LinearModel, confusion: Array) -> list[dict[str, Any]]:
    predicted = confusion.sum(axis=0).tolist()
    listed = []
    for k, each in enumerate(precision_recall_f1(confusion)):
        hits = int(confusion[k, k])
        listed.append(
            {
                "class": model.class_names[k],
                "precision": each.precision,
                "precision_interval": _share(hits, predicted[k])[1],
                "recall": each.recall,
                "recall_interval": _share(hits, each.support)[1],
                "f1": each.f1,
                "support": each.support,
                "predicted": predicted[k],
            }
        )
    return listed


def _pairs(model: LinearModel, confusion: Array) -> list[dict[str, Any]]:
    """The most confused pairs: how many rows, and their share of the true class."""
    listed = []
    for true, predicted in confused_pairs(confusion, PAIRS):
        count, support = int(confusion[true, predicted]), int(confusion[true].sum())
        share, interval = _share(count, support)
        names = {"true": model.class_names[true], "predicted": model.class_names[predicted]}
        listed.append({**names, "rows": count, "share": share, "interval": interval, "support": support})
    return listed


def _bins(bins: ReliabilityBins) -> list[dict[str, Any]]:
    listed = []
    for place, count in enumerate(bins.counts.tolist()):
        correct = round(float(bins.accuracy[place]) * count) if count else 0
        listed.append(
            {
                "low": float(bins.edges[place]),
                "high": float(bins.edges[place + 1]),
                "rows": count,
                "confidence": float(bins.confidence[place]),
                "accuracy": float(bins.accuracy[place]),
                "interval": _share(correct, count)[1],
            }
        )
    return listed


def _write(folder: OutputFolder, found: _Evaluation, result: dict[str, Any]) -> list[str]:
    """The tables, then the pictures, then evaluation.json; returns their names."""
    names = found.model.class_names
    counts = [[name, *counts] for name, counts in zip(names, result["confusion"], strict=True)]
    folder.write_table("per_class.csv", CLASS_COLUMNS, [_flat(each) for each in result["per_class"]])
    folder.write_table("confusion.csv", ["true class", *names], counts)
    folder.write_table(
        "reliability.csv", RELIABILITY_COLUMNS, [_flat(each) for each in result["reliability"]]
    )
    drawn = _draw(folder.path, found, result.get("calibration", {}))
    files = ["per_class.csv", "confusion.csv", "reliability.csv", *drawn, "evaluation.json"]
    folder.write_answer("evaluation.json", {**result, "out": str(folder.path), "files": files})
    return files


def _flat(figures: Mapping[str, Any]) -> list[Any]:
    """The values in order, both ends of an interval one after the other."""
    return [part for value in figures.values() for part in (value if isinstance(value, list) else [value])]


def _draw(path: Path, found: _Evaluation, calibration: Mapping[str, Any]) -> list[str]:
    from softmaxclf.plots.figure import save
    from softmaxclf.plots.images import image_groups
    from softmaxclf.plots.mistakes import draw_mistakes
    from softmaxclf.plots.reliability import draw_reliability
    from softmaxclf.plots.strips import draw_pairs
    from softmaxclf.workflows.runs.result import confusion_figure

    model, split = found.model, found.rows.name
    rows = f"{len(found.score.truth):,} {split} rows"
    drawn = {
        "confusion.png": confusion_figure(found.score, split, model.class_names),
        "reliability.png": draw_reliability(
            found.now.bins,
            heading=rows,
            after=None if found.after is None else found.after.bins,
            temperature=calibration.get("temperature"),
        ),
    }
    examples = _examples(found)
    if model.image_shape is not None and has_colours(model.image_shape) and examples:
        images = image_groups(list(examples.values()), model.image_shape)
        drawn["confused-pairs.png"] = draw_pairs(
            dict(zip(examples, images, strict=True)),
            model.class_names,
            found.confusion,
            heading=f"Most confused pairs of {rows} (true → predicted)",
        )
        drawn["mistakes.png"] = draw_mistakes(
            _mistakes(found), model.class_names, heading=f"Surest wrong answers among {rows}"
        )
    for name, figure in drawn.items():
        save(figure, path / name, made_by=f"softmaxclf evaluate, {split} rows of {found.dataset.name}")
    return list(drawn)


def _mistakes(found: _Evaluation) -> "Mistakes":
    from softmaxclf.plots.mistakes import mistakes

    score, sure = found.score, found.now.confidence
    wrong = np.flatnonzero(~score.correct)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")[:MISTAKES]]
    X = found.rows.X[found.rows.places[wrong]]
    return mistakes(found.model, X, score.predicted[wrong], score.truth[wrong], sure[wrong])


def _examples(found: _Evaluation) -> dict[tuple[int, int], Array]:
    """Rows (n, D) of each confused pair, the surest errors first."""
    score, rows = found.score, found.rows
    examples = {}
    for true, predicted in confused_pairs(found.confusion, PAIRS):
        places = np.flatnonzero((score.truth == true) & (score.predicted == predicted))
        surest = places[np.argsort(-found.now.confidence[places], kind="stable")[:EXAMPLES]]
        examples[true, predicted] = rows.X[rows.places[surest]]
    return examples
