"""`report.html`: everything that a run folder holds, and what its rows show, on one page."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.config import load_config, values_of
from softmaxclf.config.schema import SCHEMA
from softmaxclf.core import metrics as measures
from softmaxclf.core.losses.softmax import log_softmax
from softmaxclf.core.model import LinearModel
from softmaxclf.core.problem import HISTORY_COLUMNS
from softmaxclf.core.scoring import SplitRows
from softmaxclf.core.search import Outcome, axes_of
from softmaxclf.errors import ConfigError, DataError, RunConflictError
from softmaxclf.files import exists, is_file, is_folder, read_bytes, write_text
from softmaxclf.model_file import load_model
from softmaxclf.runs import (
    CONFIG,
    HISTORIES,
    HISTORY,
    MANIFEST,
    REPORT,
    WEIGHTS,
    RunFolder,
    read_manifest,
    read_metrics,
    read_table,
)
from softmaxclf.workflows.models.coefficients import with_coefficients
from softmaxclf.workflows.models.model_rows import open_rows
from softmaxclf.workflows.models.model_settings import counted_of
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.output import refuse_other

Array = NDArray[Any]
DOCTYPE = b"<!DOCTYPE html>"
PER_CLASS, PER_PAIR, MOST_WRONG, MOST_CLASSES = 10, 8, 24, 40
NO_ROWS = "the rows were not at hand when this page was made; softmaxclf report makes it again with them"


def write_report(
    folder: Path,
    shown: SplitRows | None = None,
    run: RunFolder | None = None,
    metrics: Mapping[str, Any] | None = None,
    *,
    unscored: str = NO_ROWS,
    out: Path | None = None,
) -> Path:
    """Write the page of the run in `folder`, to report.html in it or to `out`; returns its path.

    It reads config.yaml, manifest.json, metrics.json unless `metrics` are its content to be, history.csv and
    weights.npz, which must be there, and coefficients.csv. run: the folder as the one who holds it has it.
    Without `shown`, or where its rows do not give the count that the run recorded, the page leaves out what
    only rows can show, and says why. Equal folders, rows and places of the page give equal bytes.
    Raises DataError, ConfigError, ModelError on what cannot be read, OutputError.
    """
    from softmaxclf.report.content import report_page

    out = out or folder / REPORT
    refuse_other(out, (DOCTYPE,), "something that is no report")
    page = report_page(_facts(folder, out, metrics or read_metrics(folder), shown, unscored))
    if run is None:
        write_text(out, page)
    else:
        run.write_text(REPORT, page)
    return out


def remake_report(folder: Path, source: str | None, observer: Observer, *, out: Path | None = None) -> Path:
    """Make the page of a finished run again, with the rows of its own data set or of `source`.

    Where the rows cannot be had, the page is made without them and a warning says why.
    """
    if not is_folder(folder):
        found = "a file" if exists(folder) else "nothing"
        raise DataError(f"{folder}: expected a run folder, found {found}; name one")
    shown, unscored = None, NO_ROWS
    try:
        shown = _rows_of(folder, source, observer)
    except (DataError, ConfigError) as error:
        unscored = str(error).splitlines()[0]
        observer.warn(f"{unscored}; the report is made without the rows")
    return write_report(folder, shown, unscored=unscored, out=out)


def _rows_of(folder: Path, source: str | None, observer: Observer) -> SplitRows:
    from softmaxclf.report.facts import headline_split

    split = headline_split(read_metrics(folder)["splits"])
    return open_rows(load_model(folder), source, observer, only_test=split == "test").rows(split)


def _facts(
    folder: Path, out: Path, metrics: Mapping[str, Any], shown: SplitRows | None, unscored: str
) -> Any:
    from softmaxclf.report.facts import Facts

    manifest, model = _manifest(folder), load_model(folder / WEIGHTS)
    listed = [name for name in manifest.get("files", ()) if not name.startswith("checkpoint")]
    scored, reason = _scored(model, metrics, shown, unscored)
    try:
        config_text = read_bytes(folder / CONFIG).decode()
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder / CONFIG}: cannot be read: {error}; run the command again to make it"
        ) from error
    return Facts(
        folder=str(folder),
        metrics=metrics,
        manifest=manifest,
        settings=_settings(folder, model),
        config_text=config_text,
        history=read_table(folder / HISTORY, HISTORY_COLUMNS),
        histories=_histories(folder, metrics),
        model=model,
        cells=with_coefficients(folder, _cells(metrics), len(model.W)),
        beside=os.path.relpath(folder, out.parent),
        files=[name for name in [MANIFEST, *listed] if name != REPORT and is_file(folder / name)],
        scored=scored,
        unscored=reason,
    )


def _histories(folder: Path, metrics: Mapping[str, Any]) -> Array:
    """The histories of other cells of a grid; none where the run keeps none."""
    columns = (*axes_of(metrics.get("best", ())), *HISTORY_COLUMNS)
    return (
        read_table(folder / HISTORIES, columns) if exists(folder / HISTORIES) else np.empty((0, len(columns)))
    )


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = read_manifest(folder)
    except RunConflictError as error:  # here it is not the place of another run
        raise DataError(str(error)) from error
    if manifest is None:
        raise DataError(
            f"{folder}: expected a run folder with its manifest.json, found none; name a run folder"
        )
    return manifest


def _settings(folder: Path, model: LinearModel) -> list[Any]:
    from softmaxclf.report.facts import Setting

    values, counted = values_of(load_config(folder / CONFIG)), counted_of(model) or set(SCHEMA)
    return [
        Setting(each.key, each.kind.text(values[each.key]), each.default, each.help, each.key in counted)
        for each in SCHEMA.values()
    ]


def _cells(metrics: Any) -> list[Outcome]:
    """The cells of a grid; none of a single model."""
    best, cells = metrics.get("best"), metrics.get("cells")
    return [Outcome.of_document(cell, axes_of(best)) for cell in cells] if best and cells else []


def _scored(model: LinearModel, metrics: Any, shown: SplitRows | None, unscored: str) -> tuple[Any, str]:
    """(what the rows show, "") or (None, why nothing is shown)."""
    if shown is None:
        return None, unscored
    scores = np.concatenate([scores for _, scores in shown.scored_by(model)])
    y = shown.labels
    right, recorded = int((scores.argmax(axis=1) == y).sum()), metrics["splits"].get(shown.name, {})
    if (right, len(y)) != (recorded.get("correct"), recorded.get("rows")):
        told = f"{recorded.get('correct')} right of {recorded.get('rows')}"
        return (
            None,
            f"the {shown.name} rows found give {right} right of {len(y)}, but the run recorded {told}",
        )
    return _figures(model, recorded, shown, scores), ""


def _figures(model: LinearModel, recorded: Any, shown: SplitRows, scores: Array) -> Any:
    from softmaxclf.report.facts import Scored

    y = shown.labels
    logs = log_softmax(scores.astype(np.float64) / model.temperature)
    probabilities = np.exp(logs)
    counts = measures.confusion_matrix(y, scores.argmax(axis=1), model.classes)
    # Where the loss is that of these probabilities it is the log-loss: one number, recorded once.
    same = model.loss_function.trains_probabilities and model.temperature == 1
    return Scored(
        split=shown.name,
        confusion=counts,
        classes=measures.precision_recall_f1(counts),
        bins=measures.outcome_bins(probabilities.max(axis=1), scores.argmax(axis=1) == y),
        log_loss=recorded["loss"] if same else measures.log_loss(logs, y),
        brier=measures.brier_score(probabilities, y),
        mistakes=_mistakes(model, shown, probabilities),
        confused=_confused(model, shown, probabilities, counts),
        examples=_examples(model, shown),
    )


def _mistakes(model: LinearModel, shown: SplitRows, probabilities: Array) -> Any:
    from softmaxclf.plots.images import image_pixels
    from softmaxclf.plots.mistakes import difference_maps
    from softmaxclf.report.facts import Mistakes

    wrong = measures.most_wrong(probabilities, shown.labels, MOST_WRONG)
    predicted, truth, rows = probabilities[wrong].argmax(axis=1), shown.labels[wrong], shown.places[wrong]
    X, shape = shown.X[rows], model.image_shape
    return Mistakes(
        rows=rows,
        truth=truth,
        predicted=predicted,
        probability=probabilities[wrong, predicted],
        truth_probability=probabilities[wrong, truth],
        images=None if shape is None else image_pixels(X, shape),
        evidence=None
        if shape is None or not len(rows)
        else difference_maps(model, X, predicted.tolist(), truth.tolist()),
    )


def _confused(model: LinearModel, shown: SplitRows, probabilities: Array, counts: Array) -> dict[Any, Any]:
    """The most confused pairs with the images (n, H, W, C) of their surest errors, None where rows are no images."""
    pairs = measures.confused_pairs(counts, measures.pairs_listed(model.classes))
    if model.image_shape is None:
        return dict.fromkeys(pairs)
    predicted, groups = probabilities.argmax(axis=1), []
    for true, taken in pairs:
        rows = np.flatnonzero((shown.labels == true) & (predicted == taken))
        groups.append(rows[np.argsort(-probabilities[rows, taken], kind="stable")[:PER_PAIR]])
    return dict(zip(pairs, _images(model, shown, groups), strict=True))


def _images(model: LinearModel, shown: SplitRows, groups: Sequence[Array]) -> list[NDArray[np.uint8]]:
    """The images (n, H, W, C) of groups of rows (n,), all on one brightness scale."""
    from softmaxclf.plots.images import image_groups

    assert model.image_shape is not None
    found = [shown.X[shown.places[rows]] for rows in groups]
    return image_groups(found, model.image_shape) if found else []


def _examples(model: LinearModel, shown: SplitRows) -> Any:
    """The first images of each class (n, H, W, C); None where rows are no images."""
    if model.image_shape is None:
        return None
    first = [np.flatnonzero(shown.labels == k)[:PER_CLASS] for k in range(model.classes)]
    first = [rows if k < MOST_CLASSES else rows[:0] for k, rows in enumerate(first)]
    return _images(model, shown, first)
