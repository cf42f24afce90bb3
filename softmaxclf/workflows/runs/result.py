"""Finishing a run: its scores, its files in one order, its summary in one shape. train and tune share it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from softmaxclf.core.metrics import confusion_matrix
from softmaxclf.core.model import LinearModel
from softmaxclf.core.problem import HISTORY_COLUMNS
from softmaxclf.core.problem import MEASURED as MEASURES
from softmaxclf.core.scoring import Score, SplitRows, score_model
from softmaxclf.core.search import FURTHER, MEASURED, Outcome
from softmaxclf.model_file import load_model, model_bytes
from softmaxclf.runs import (
    HISTORIES,
    HISTORY,
    METRICS,
    RESULTS,
    WEIGHTS,
    OutputFolder,
    read_metrics,
    read_table,
)
from softmaxclf.workflows.models.coefficients import write_coefficients
from softmaxclf.workflows.models.report import write_report
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.control import Control
from softmaxclf.workflows.runs.session import Session
from softmaxclf.workflows.runs.training_data import TrainingData

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Summary = dict[str, Any]
KEPT = "scored by the features as they were kept for training, rounded to a byte each"


@dataclass(frozen=True)
class Finding:
    """What a run found. splits: scores by name; best, cells: of a grid; complete: not cut short by --max-time.

    figures: what the solver reports of the model. judged: metric, folds and repeats by which the best cell was chosen.
    repeats: what other seeds made of its settings. notes: what is good to know of the choice.
    others: the histories of other cells, each line behind the cell's settings.
    """

    model: LinearModel
    history: Sequence[tuple[float, ...]]
    splits: Mapping[str, Score]
    warnings: Sequence[str] = ()
    complete: bool = True
    best: Mapping[str, Any] = field(default_factory=dict)
    cells: Sequence[Outcome] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    judged: Mapping[str, Any] = field(default_factory=dict)
    repeats: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    others: Sequence[tuple[float, ...]] = ()


def score_splits(model: LinearModel, data: TrainingData, *, test: bool | None = None) -> dict[str, Score]:
    """The scores on the training rows, the validation rows if any, and the test split: if any, or as asked."""
    names = ["train"] + ["validation"] * (len(data.validation_rows) > 0)
    names += ["test"] * (data.dataset.read_test is not None if test is None else test)
    if data.front is None:
        return {name: score_model(model, data.split(name)) for name in names}
    # Of the training rows as they are kept: to compute them once more would take as long as the first time.
    train, deployed = replace(score_model(model, data.split("train")), note=KEPT), data.deployed(model)
    return {"train": train, **{name: score_model(deployed, data.own.split(name)) for name in names[1:]}}


def spread_of(accuracies: Sequence[float]) -> dict[str, Any]:
    """What metrics.json holds of the accuracies of repeats: their mean, standard deviation, and themselves."""
    return {
        "mean": float(np.mean(accuracies)),
        "sd": float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else None,
        "accuracies": list(accuracies),
    }


def finish(
    session: Session,
    finding: Finding,
    data: TrainingData,
    control: Control,
    observer: Observer,
    training: float,
) -> Summary:
    """Write everything a run leaves behind, the metrics after what they describe, the manifest last.

    Metrics of an earlier sitting, which --max-time ended, go first: they never lie beside the weights of another.
    """
    folder, data = session.folder, data.own
    folder.remove([METRICS])
    folder.write_bytes(WEIGHTS, model_bytes(finding.model))
    folder.write_table(HISTORY, HISTORY_COLUMNS, finding.history)
    if finding.others:
        folder.write_table(HISTORIES, (*finding.cells[0].values, *HISTORY_COLUMNS), finding.others)
    documents = [cell.document() for cell in finding.cells]
    if finding.cells:
        figures = dict.fromkeys(name for cell in finding.cells for name in cell.figures)
        columns = (*finding.cells[0].values, *MEASURED, *figures, "status", *FURTHER, "tied")
        folder.write_table(RESULTS, columns, [[cell.get(name) for name in columns] for cell in documents])
        write_coefficients(folder, finding.cells)
    _draw(folder, finding, data, note_of(session), control, observer)
    seconds = {"load": data.seconds, "train": training, "total": control.elapsed}
    seconds = {name: round(value, 3) for name, value in seconds.items()}
    summary: Summary = {
        **_places(folder.path),
        "splits": {name: score.summary() for name, score in finding.splits.items()},
        **finding.figures,
        **({"best": dict(finding.best), "chosen_by": dict(finding.judged)} if finding.cells else {}),
        **({"cells": documents, "notes": list(finding.notes)} if finding.cells else {}),
        **({"repeats": dict(finding.repeats)} if finding.repeats else {}),
        "warnings": [
            *finding.warnings,
            *data.changes(),
            *(data.leaks() if "test" in finding.splits else []),
        ],
        "seconds": seconds,
    }
    folder.write_answer(METRICS, summary)
    if control.out_of_time(0):
        observer.warn("report.html was not written: --max-time has passed")
    else:
        write_report(folder.path, _reported(finding.splits, data), folder)
    session.close(complete=finding.complete, seconds=seconds)
    observer.finished(summary)
    return summary


def found(session: Session, observer: Observer) -> Summary:
    """The summary of a finished run, told to who listens as if it had just been made."""
    observer.note(session.found())
    summary = stored_summary(session)
    if (session.folder.path / HISTORY).is_file():
        for point, *figures in read_table(session.folder.path / HISTORY, HISTORY_COLUMNS):
            named = {name: value for name, value in zip(MEASURES, figures, strict=True) if np.isfinite(value)}
            observer.measured(session.manifest["command"], int(point), named)
    observer.finished(summary)
    return summary


def stored_summary(session: Session) -> Summary:
    """The summary of a finished run, with its paths as they are now."""
    summary: Summary = read_metrics(session.folder.path, session.manifest["command"])
    return {**summary, **_places(session.folder.path)}


def add_test(session: Session, data: TrainingData) -> Summary:
    """Score the test split of a finished run that was made without, and add it to its metrics, last of all files."""
    folder = session.folder
    model = load_model(folder.path)
    score = score_model(model, data.split("test"))
    summary = stored_summary(session)
    summary["splits"]["test"] = score.summary()
    summary["warnings"] += data.leaks()
    _save(confusion_figure(score, "test", model.class_names), folder, "confusion.png", note_of(session))
    write_report(folder.path, _reported(summary["splits"], data), folder, summary)
    folder.write_answer(METRICS, summary)
    return summary


def _reported(splits: Collection[str], data: TrainingData) -> SplitRows | None:
    """The rows that the report may look at: the test split if it was scored, else the validation rows."""
    if "test" in splits:
        return data.split("test")
    return data.split("validation") if len(data.validation_rows) else None


def note_of(session: Session) -> str:
    """How a picture of this run was made, for the picture's own metadata."""
    return "made by " + " ".join(session.manifest["command_line"])


def _places(path: Path) -> dict[str, str]:
    return {"run": str(path), "weights": str(path / WEIGHTS)}


def _draw(
    folder: OutputFolder,
    finding: Finding,
    data: TrainingData,
    note: str,
    control: Control,
    observer: Observer,
) -> None:
    """The run's pictures, as long as there is time."""
    from softmaxclf.plots.coefficients import coefficients, draw_coefficients
    from softmaxclf.plots.curves import curves_of_cells, draw_curves, learning_curves
    from softmaxclf.plots.path import draw_cells
    from softmaxclf.plots.weights import draw_weights

    splits = {name: score.summary() for name, score in finding.splits.items()}
    own = learning_curves(finding.history, splits=splits)
    others = curves_of_cells(finding.others)
    shown = next((name for name in ("test", "validation", "train") if name in finding.splits), "train")
    drawings: dict[str, Callable[[], Figure]] = {
        "templates.png": lambda: draw_weights(finding.model, rows=(data.dataset.train.X, data.train_rows)),
        "curves.png": lambda: draw_curves([own], others=others),
        "confusion.png": lambda: confusion_figure(finding.splits[shown], shown, finding.model.class_names),
    }
    if finding.figures and not len(finding.history):  # a solver that goes from optimum to optimum has none
        del drawings["curves.png"]
    if finding.cells:
        best = {name: finding.best[name] for name in finding.cells[0].values}
        drawings["grid.png"] = lambda: draw_cells(finding.cells, best=best, **finding.judged)
        if paths := coefficients(finding.cells, best=best):
            drawings["coefficients.png"] = lambda: draw_coefficients(
                paths, finding.model.class_names, finding.model.feature_names
            )
    for name, draw in drawings.items():
        if control.out_of_time(0):
            observer.warn(f"{name} and what follows it was not drawn: --max-time has passed")
            return
        _save(draw(), folder, name, note)


def confusion_figure(score: Score, split: str, names: Sequence[str]) -> "Figure":
    """The confusion matrix of a score."""
    from softmaxclf.plots.confusion import draw_confusion

    counts = confusion_matrix(score.truth, score.predicted, len(names))
    return draw_confusion(counts, names, heading=f"Confusion matrix, {len(score.truth):,} {split} rows")


def _save(figure: "Figure", folder: OutputFolder, name: str, note: str) -> None:
    from softmaxclf.plots.figure import encoded, format_of

    folder.write_bytes(name, encoded(figure, format_of(Path(name)), made_by=note))
