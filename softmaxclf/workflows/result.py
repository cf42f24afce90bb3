"""Finishing a run: its scores, its files in one order, its summary in one shape. train and tune share it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from softmaxclf import __version__
from softmaxclf.config import Config, to_dict
from softmaxclf.core.metrics import majority_baseline
from softmaxclf.core.model import LinearModel
from softmaxclf.model_file import load_model, save_model
from softmaxclf.runs import HISTORY, METRICS, RESULTS, WEIGHTS
from softmaxclf.workflows import pictures
from softmaxclf.workflows.control import Control
from softmaxclf.workflows.material import Material
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.report import Shown, write_report
from softmaxclf.workflows.scoring import Score, score_models
from softmaxclf.workflows.session import FINISHED, PARTIAL, Session

Summary = dict[str, Any]
CELL_COLUMNS = (
    "learning_rate", "regularization", "train_accuracy", "validation_accuracy", "validation_loss", "status",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What a run found. splits: scores by name; best, cells: of a grid; complete: not cut short by --max-time."""

    model: LinearModel
    history: Sequence[tuple[int, float, float, float]]
    splits: Mapping[str, Score]
    warnings: Sequence[str] = ()
    complete: bool = True
    best: Mapping[str, Any] = field(default_factory=dict)
    cells: Sequence[Mapping[str, Any]] = ()


def with_provenance(model: LinearModel, config: Config, material: Material, **facts: Any) -> LinearModel:
    """The model, saying how it was made: the whole configuration, the data, and `facts`."""
    data = material.dataset
    provenance = {
        "softmaxclf": __version__,
        "config": to_dict(config),
        "data": {
            "name": data.name,
            "fingerprint": material.fingerprint,
            "majority": majority_baseline(data.train.y, ())[
                0
            ],  # so that evaluating need not read the training rows
        },
        **facts,
    }
    return replace(model, provenance=provenance)


def score_splits(model: LinearModel, material: Material, *, test: bool) -> dict[str, Score]:
    """The scores on the training rows, the validation rows if any, and, when asked, the test split."""
    train = material.dataset.train
    splits = {"train": score_models([model], train.X, train.y, material.train_rows)[0]}
    if len(material.validation_rows):
        rows = material.validation_rows
        splits["validation"] = score_models([model], material.validation_X, material.validation_y, rows)[0]
    if test:
        splits["test"] = score_test(model, material)
    return splits


def score_test(model: LinearModel, material: Material) -> Score:
    """The score on the test split, which is read here and nowhere else in a run."""
    return score_models([model], material.test.X, material.test.y)[0]


def finish(
    session: Session,
    finding: Finding,
    material: Material,
    control: Control,
    observer: Observer,
    training: float,
) -> Summary:
    """Write everything a run leaves behind, the metrics after what they describe, the manifest last."""
    folder = session.folder
    save_model(folder.path / WEIGHTS, finding.model)
    folder.write_table(HISTORY, pictures.HISTORY_COLUMNS, finding.history)
    if finding.cells:
        folder.write_table(
            RESULTS, CELL_COLUMNS, [[cell[name] for name in CELL_COLUMNS] for cell in finding.cells]
        )
    _draw(folder.path, finding, note_of(session), control, observer)
    seconds = {"load": material.seconds, "train": training, "total": control.elapsed}
    seconds = {name: round(value, 3) for name, value in seconds.items()}
    summary: Summary = {
        **_places(folder.path),
        "splits": {name: score.summary() for name, score in finding.splits.items()},
        **({"best": dict(finding.best), "cells": list(finding.cells)} if finding.cells else {}),
        "warnings": list(finding.warnings),
        "seconds": seconds,
    }
    folder.write_json(METRICS, summary)
    if control.out_of_time(0):
        observer.warn("report.html was not written: --max-time has passed")
    else:
        write_report(folder.path, _shown(finding.splits, material))
    session.close(FINISHED if finding.complete else PARTIAL, seconds)
    return summary


def stored_summary(session: Session) -> Summary:
    """The summary of a finished run, with its paths as they are now."""
    summary: Summary = session.folder.read_metrics(session.manifest["command"])
    return {**summary, **_places(session.folder.path)}


def add_test(session: Session, material: Material) -> Summary:
    """Score the test split of a finished run that was made without, and add it to its metrics."""
    path = session.folder.path
    model = load_model(path)
    score = score_test(model, material)
    summary = stored_summary(session)
    summary["splits"]["test"] = score.summary()
    pictures.draw_confusion(score, "test", model.class_names, path / "confusion.png", note_of(session))
    session.folder.write_json(METRICS, summary)
    write_report(path, _shown(summary["splits"], material))
    return summary


def _shown(splits: Collection[str], material: Material) -> Shown | None:
    """The rows that the report may look at: the test split if it was scored, else the validation rows."""
    if "test" in splits:
        return Shown("test", material.test.X, material.test.y)
    if len(material.validation_rows):
        return Shown("validation", material.validation_X, material.validation_y, material.validation_rows)
    return None


def note_of(session: Session) -> str:
    """How a picture of this run was made, for the picture's own metadata."""
    return "made by " + " ".join(session.manifest["command_line"])


def _places(path: Path) -> dict[str, str]:
    return {"run": str(path), "weights": str(path / WEIGHTS)}


def _draw(path: Path, finding: Finding, note: str, control: Control, observer: Observer) -> None:
    """The run's pictures, as long as there is time."""
    names = finding.model.class_names
    shown = next((name for name in ("test", "validation", "train") if name in finding.splits), "train")
    image_shape = finding.model.image_shape
    view = "shared" if image_shape is None or pictures.has_colours(image_shape) else "signed"
    drawings: dict[str, Callable[[Path], None]] = {
        "templates.png": lambda file: pictures.draw_weights(finding.model, file, note, view=view),
        "curves.png": lambda file: pictures.draw_history(finding.history, file, note),
        "confusion.png": lambda file: pictures.draw_confusion(
            finding.splits[shown], shown, names, file, note
        ),
    }
    if finding.cells:
        best = (finding.best["learning_rate"], finding.best["regularization"])
        drawings["grid.png"] = lambda file: pictures.draw_cells(finding.cells, best, file, note)
    for name, draw in drawings.items():
        if control.out_of_time(0):
            observer.warn(f"{name} and what follows it was not drawn: --max-time has passed")
            return
        draw(path / name)
