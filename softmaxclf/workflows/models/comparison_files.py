"""What `compare --out` writes: tables, pictures, a page, and the answer itself."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.images import has_colours
from softmaxclf.core.problem import HISTORY_COLUMNS
from softmaxclf.core.scoring import Score, SplitRows
from softmaxclf.files import exists
from softmaxclf.runs import HISTORY, MANIFEST, REPORT, OutputFolder, read_json, read_table
from softmaxclf.workflows.models.model_rows import SPLITS, provenance_of
from softmaxclf.workflows.models.pairs import NOT_COMPARABLE, PAIR_COLUMNS, Contender, foremost, reservations

Array = NDArray[Any]
PAGE, ANSWER = "comparison.html", "comparison.json"
SPLIT_COLUMNS = ("accuracy", "low", "high", "rows", "loss")
FLAT_PAIR_COLUMNS = [
    part for name in PAIR_COLUMNS for part in (("low", "high") if name == "interval" else (name,))
]
MOST_DIFFERING = 12  # images that only one of two models labels right


def write_comparison(
    folder: OutputFolder,
    result: dict[str, Any],
    contenders: Sequence[Contender],
    rows: SplitRows,
    scores: Sequence[Score],
) -> list[str]:
    """Write the tables, then the pictures, the page, and comparison.json; returns their names.

    rows: those that the models are compared on, scores: of each model.
    """
    curves, along = curves_of(contenders)
    tables, pictures = ["compare.csv", "pairs.csv"], _pictures(result, contenders, curves, along)
    files = [*tables, *pictures, PAGE, ANSWER]
    folder.write_table(tables[0], _columns(result), _lines(result))
    folder.write_table(tables[1], FLAT_PAIR_COLUMNS, [_flat(pair) for pair in result["pairs"]])
    _draw(folder.path, pictures, contenders)
    folder.write_text(PAGE, _page(folder.path, result, contenders, curves, along, rows, scores, files))
    folder.write_answer(ANSWER, {**result, "out": str(folder.path), "files": files})
    return files


def _flat(pair: Mapping[str, Any]) -> list[Any]:
    """The values in order, both ends of an interval one after the other."""
    return [part for value in pair.values() for part in (value if isinstance(value, list) else [value])]


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


def curves_of(contenders: Sequence[Contender]) -> tuple[list[Any], str]:
    """The learning curves of the runs that have some, and what they count: epochs where batch sizes differ."""
    from softmaxclf.plots.curves import learning_curves

    found = [(each, _history(each.folder)) for each in contenders if each.folder is not None]
    found = [(each, history) for each, history in found if len(history)]
    shares = [_epochs_per_iteration(each) for each, _ in found]
    epochs = None not in shares and len({_batch_size(each) for each, _ in found}) > 1
    for share, (_, history) in zip(shares, found, strict=True):
        history[:, 0] *= share if epochs and share is not None else 1
    lines = [learning_curves(history, name=each.name) for each, history in found]
    return lines, "epoch" if epochs else "iteration"


def _history(folder: Path) -> Array:
    """The lines of a run's history.csv; none without the file."""
    path = folder / HISTORY
    return read_table(path, HISTORY_COLUMNS) if exists(path) else np.empty((0, len(HISTORY_COLUMNS)))


def _batch_size(contender: Contender) -> int | None:
    training = provenance_of(contender.model, "config").get("training")
    size = training.get("batch_size") if isinstance(training, Mapping) else None
    return size if isinstance(size, int) else None


def _epochs_per_iteration(contender: Contender) -> float | None:
    """A batch's share of the training rows; None where the run does not say."""
    assert contender.folder is not None
    manifest = read_json(contender.folder / MANIFEST) if exists(contender.folder / MANIFEST) else {}
    data = manifest.get("data") if isinstance(manifest, dict) else None
    rows = data.get("train_rows") if isinstance(data, dict) else None
    size = _batch_size(contender)
    return size / rows if size and isinstance(rows, int) and rows > 0 else None


def _pictures(
    result: Mapping[str, Any], contenders: Sequence[Contender], curves: Sequence[Any], along: str
) -> dict[str, Any]:
    """The figures by the name of their file."""
    from softmaxclf.plots.compare import draw_compare
    from softmaxclf.plots.curves import draw_curves
    from softmaxclf.plots.strips import draw_templates_compared

    split = result["split"]
    splits = [model["splits"][split] for model in result["models"]]
    counts = ", ".join(f"{rows:,}" for rows in sorted({each["rows"] for each in splits}))
    heading = f"Accuracy on {counts} {split} rows, with 95 % intervals"
    drawn = {"compare.png": draw_compare([each.name for each in contenders], splits, heading=heading)}
    if curves:
        whose: str | None = NOT_COMPARABLE if len(set(result["losses"])) > 1 else None
        if len(curves) == 1:
            whose = f"{curves[0].name}, the only one with a history"
        drawn["curves.png"] = draw_curves(curves, heading=whose, along=along)
    images = _templates(contenders)
    if images:
        class_names = contenders[0].model.class_names
        drawn["templates.png"] = draw_templates_compared(list(images.values()), list(images), class_names)
    return drawn


def _templates(contenders: Sequence[Contender]) -> dict[str, Array]:
    """The templates (K, H, W, C) of the models that have such, by their names."""
    from softmaxclf.plots.templates import template_images

    return {
        each.name: template_images(each.model.pixel_weights(), shape)
        for each in contenders
        if (shape := each.model.template_shape) is not None and has_colours(shape)
    }


def _draw(path: Path, pictures: Mapping[str, Any], contenders: Sequence[Contender]) -> None:
    from softmaxclf.plots.figure import save

    for name, figure in pictures.items():
        save(figure, path / name, made_by=f"softmaxclf compare {' '.join(each.name for each in contenders)}")


def _page(
    path: Path,
    result: Mapping[str, Any],
    contenders: Sequence[Contender],
    curves: Sequence[Any],
    along: str,
    rows: SplitRows,
    scores: Sequence[Score],
    files: Sequence[str],
) -> str:
    from softmaxclf.report.comparison import Comparison, comparison_page

    return comparison_page(
        Comparison(
            result=result,
            best=foremost(result),
            reservations=reservations(result),
            class_names=contenders[0].model.class_names,
            curves=curves,
            along=along,
            templates=_templates(contenders),
            differing=_differing(result, contenders, rows, scores),
            reports={each.name: report for each in contenders if (report := _report(path, each)) is not None},
            files=[name for name in files if name != PAGE],
        )
    )


def _report(path: Path, contender: Contender) -> str | None:
    """The report of a model's run as seen from the folder `path`; None where it has none."""
    if contender.folder is None or not exists(contender.folder / REPORT):
        return None
    return os.path.relpath(contender.folder / REPORT, path)


def _differing(
    result: Mapping[str, Any], contenders: Sequence[Contender], rows: SplitRows, scores: Sequence[Score]
) -> list[Any]:
    """Images that only one of the two best models labels right; none where rows are no images."""
    from softmaxclf.plots.images import image_pixels
    from softmaxclf.report.comparison import Differing

    shape = contenders[0].model.image_shape
    if shape is None or not has_colours(shape):
        return []
    best = np.argsort([-score.accuracy for score in scores], kind="stable")[:2].tolist()
    found = []
    for one, other in (best, best[::-1]):
        chosen = np.flatnonzero(scores[one].correct & ~scores[other].correct)
        shown = chosen[:MOST_DIFFERING]
        images = image_pixels(rows.X[rows.places[shown]], shape)
        names = (contenders[one].name, contenders[other].name)
        found.append(
            Differing(*names, len(chosen), images, scores[one].truth[shown], scores[other].predicted[shown])
        )
    return found
