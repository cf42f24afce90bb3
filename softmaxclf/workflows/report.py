"""`report.html`: everything that a run folder holds, and what its rows show, on one page."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.config import describe, load_config
from softmaxclf.config.schema import SCHEMA
from softmaxclf.core import metrics as measures
from softmaxclf.core.model import LinearModel, chunked_scores
from softmaxclf.core.softmax import log_softmax
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.files import write_text
from softmaxclf.model_file import load_model
from softmaxclf.runs import CONFIG, HISTORY, METRICS, WEIGHTS, read_json, read_manifest
from softmaxclf.workflows.model_rows import open_rows
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.pictures import HISTORY_COLUMNS

Array = NDArray[Any]
REPORT = "report.html"
DOCTYPE = b"<!DOCTYPE html>"
PER_CLASS, MOST_WRONG, MOST_CLASSES = 10, 24, 40
NO_ROWS = "the rows were not at hand when this page was made; softmaxclf report makes it again with them"


@dataclass(frozen=True)
class Shown:
    """The rows of one split that the page may look at: raw X (N, D), y (N,), rows (n,) indices, default all.

    scores: (n, K) of the run's model on those rows, where the caller has them; else they are computed.
    """

    split: str
    X: Array
    y: Array
    rows: Array | None = None
    scores: Array | None = None


def write_report(
    folder: Path, shown: Shown | None = None, *, unscored: str = NO_ROWS, out: Path | None = None
) -> Path:
    """Write the page of the run in `folder`, to report.html in it or to `out`; returns its path.

    It reads config.yaml, manifest.json, metrics.json, history.csv and weights.npz, which must be there.
    Without `shown`, or where its rows do not give the count that the run recorded, the page leaves out what
    only rows can show, and says why. Equal folders and rows give equal bytes.
    Raises DataError, ConfigError, ModelError on what cannot be read, OutputError.
    """
    from softmaxclf.report.content import report_page

    out = out or folder / REPORT
    _refuse_other_file(out)
    write_text(out, report_page(_facts(folder, shown, unscored)))
    return out


def _refuse_other_file(path: Path) -> None:
    if path.is_file() and path.stat().st_size and not path.read_bytes().startswith(DOCTYPE):
        raise ConfigError(f"{path}: holds something that is no report; choose another name with --out")


def remake_report(folder: Path, source: str | None, observer: Observer, *, out: Path | None = None) -> Path:
    """Make the page of a finished run again, with the rows of its own data set or of `source`.

    Where the rows cannot be had, the page is made without them and a warning says why.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}: expected a run folder, found {'a file' if folder.exists() else 'nothing'}; name one"
        )
    shown, unscored = None, NO_ROWS
    try:
        shown = _rows_of(folder, source, observer)
    except (DataError, ConfigError) as error:
        unscored = str(error).splitlines()[0]
        observer.warn(f"{unscored}; the report is made without the rows")
    return write_report(folder, shown, unscored=unscored, out=out)


def _rows_of(folder: Path, source: str | None, observer: Observer) -> Shown:
    from softmaxclf.report.facts import headline_split

    split = headline_split(_metrics(folder)["splits"])
    rows = open_rows(load_model(folder), source, observer, only_test=split == "test").rows(split)
    return Shown(split, rows.X, rows.y, rows.rows)


def _facts(folder: Path, shown: Shown | None, unscored: str) -> Any:
    from softmaxclf.report.facts import Facts

    metrics, manifest, model = _metrics(folder), read_manifest(folder), load_model(folder / WEIGHTS)
    if manifest is None:
        raise DataError(
            f"{folder}: expected a run folder with its manifest.json, found none; name a run folder"
        )
    scored, reason = _scored(model, metrics, shown, unscored)
    return Facts(
        folder=str(folder),
        metrics=metrics,
        manifest=manifest,
        settings=_settings(folder),
        config_text=(folder / CONFIG).read_text(encoding="utf-8"),
        history=_history(folder / HISTORY),
        class_names=model.class_names,
        image_shape=model.image_shape,
        weights=model.pixel_weights(),
        loss=model.loss,
        temperature=model.temperature,
        scored=scored,
        unscored=reason,
    )


def _metrics(folder: Path) -> Any:
    content = read_json(folder / METRICS)
    if not (isinstance(content, dict) and isinstance(content.get("splits"), dict) and content["splits"]):
        raise DataError(
            f"{folder / METRICS}: expected the splits of a run, found none; run the command again"
        )
    return content


def _settings(folder: Path) -> list[Any]:
    from softmaxclf.report.facts import Setting

    config = load_config(folder / CONFIG)
    rows = []
    for each in describe():
        section, name = each.key.split(".")
        value = SCHEMA[each.key].kind.text(getattr(getattr(config, section), name))
        rows.append(Setting(each.key, value, each.default, each.help))
    return rows


def _history(path: Path) -> Array:
    """history.csv as (n, 4) floats, empty fields as NaN. Raises DataError on anything else."""
    try:
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
        if tuple(lines[0]) != HISTORY_COLUMNS:
            raise ValueError
        rows = [[float(field) if field else float("nan") for field in line] for line in lines[1:]]
        return np.array(rows, np.float64).reshape(-1, len(HISTORY_COLUMNS))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror}; run the command again to make it"
        ) from error
    except (ValueError, IndexError, csv.Error) as error:
        columns = ",".join(HISTORY_COLUMNS)
        raise DataError(
            f"{path}: expected a table of {columns}, found something else; run the command again"
        ) from error


def _scored(model: LinearModel, metrics: Any, shown: Shown | None, unscored: str) -> tuple[Any, str]:
    """(what the rows show, "") or (None, why nothing is shown)."""
    if shown is None:
        return None, unscored
    rows = np.arange(len(shown.y)) if shown.rows is None else shown.rows
    scores = shown.scores if shown.scores is not None else _scores(model, shown.X, rows)
    y = shown.y[rows]
    right, recorded = int((scores.argmax(axis=1) == y).sum()), metrics["splits"].get(shown.split, {})
    if (right, len(y)) != (recorded.get("correct"), recorded.get("rows")):
        told = f"{recorded.get('correct')} right of {recorded.get('rows')}"
        return (
            None,
            f"the {shown.split} rows found give {right} right of {len(y)}, but the run recorded {told}",
        )
    return _figures(model, recorded, shown, rows, y, scores), ""


def _scores(model: LinearModel, X: Array, rows: Array) -> Array:
    return np.concatenate([scores[0] for _, scores in chunked_scores([model], X, rows)])


def _figures(model: LinearModel, recorded: Any, shown: Shown, rows: Array, y: Array, scores: Array) -> Any:
    from softmaxclf.plots.reliability import reliability
    from softmaxclf.report.facts import ClassFigures, Scored

    logs = log_softmax(scores.astype(np.float64) / model.temperature)
    probabilities = np.exp(logs)
    counts = measures.confusion_matrix(y, scores.argmax(axis=1), model.classes)
    bins = measures.reliability_bins(probabilities, y)
    # For a softmax model at temperature 1 the log-loss is the split's loss: one number, recorded once.
    same = model.loss == "softmax" and model.temperature == 1
    classes = [
        ClassFigures(c.precision, c.recall, c.f1, c.support) for c in measures.precision_recall_f1(counts)
    ]
    return Scored(
        split=shown.split,
        confusion=counts,
        classes=classes,
        bins=reliability(bins.edges, bins.counts, bins.confidence, bins.accuracy, bins.expected_error()),
        log_loss=recorded["loss"] if same else measures.log_loss(logs, y),
        brier=measures.brier_score(probabilities, y),
        mistakes=_mistakes(model, shown.X, rows, y, probabilities),
        examples=_examples(model, shown.X, rows, y),
    )


def _mistakes(model: LinearModel, X: Array, rows: Array, y: Array, probabilities: Array) -> Any:
    from softmaxclf.plots.contact import most_wrong
    from softmaxclf.plots.images import image_pixels
    from softmaxclf.report.facts import Mistakes

    wrong = most_wrong(probabilities, y, MOST_WRONG)
    predicted = probabilities[wrong].argmax(axis=1)
    return Mistakes(
        rows=rows[wrong],
        truth=y[wrong],
        predicted=predicted,
        probability=probabilities[wrong, predicted],
        truth_probability=probabilities[wrong, y[wrong]],
        images=None if model.image_shape is None else image_pixels(X[rows[wrong]], model.image_shape),
    )


def _examples(model: LinearModel, X: Array, rows: Array, y: Array) -> Any:
    """The first images of each class (n, H, W, C), all on one brightness scale; None where rows are no images."""
    from softmaxclf.plots.contact import class_rows
    from softmaxclf.plots.images import image_pixels

    if model.image_shape is None:
        return None
    groups = class_rows(y, model.classes, PER_CLASS)
    groups = [group if k < MOST_CLASSES else group[:0] for k, group in enumerate(groups)]
    images = image_pixels(X[rows[np.concatenate(groups)]], model.image_shape)
    return np.split(images, np.cumsum([len(group) for group in groups])[:-1])
