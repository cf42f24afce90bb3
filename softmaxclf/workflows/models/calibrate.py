"""How far a model's probabilities can be believed, and the temperature that makes them more so."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.calibration import fit_temperature
from softmaxclf.core.losses.softmax import log_softmax, softmax
from softmaxclf.core.metrics import TOP_FROM, ReliabilityBins, brier_score, log_loss, outcome_bins, top_hits
from softmaxclf.core.model import LinearModel
from softmaxclf.core.scoring import SplitRows
from softmaxclf.errors import ConfigError, DataError, ModelError
from softmaxclf.files import digest_of_file, exists, refuse_no_file
from softmaxclf.model_file import load_model, save_model
from softmaxclf.runs import CALIBRATED
from softmaxclf.workflows.models.model_rows import CALIBRATION, ModelRows, provenance_of

Array = NDArray[Any]


@dataclass(frozen=True)
class Assessment:
    """The probabilities of a model on n rows: softmax of its scores divided by its temperature.

    confidence (n,): of the predicted label. figures: log_loss (nats) and brier, means over the rows, and
    calibration_error (in 0..1).
    """

    confidence: Array
    bins: ReliabilityBins
    figures: dict[str, float]


@np.errstate(over="ignore", invalid="ignore")  # scores that overflow are refused by _finite_scores
def assess(model: LinearModel, rows: SplitRows) -> Assessment:
    """How good the model's probabilities are on those rows. Raises DataError where a score is not finite.

    In float64, so that what fit_temperature minimizes is what is reported.
    """
    labels = rows.labels
    confidence, correct = np.empty(len(labels)), np.empty(len(labels), bool)
    losses, briers, top, done = 0.0, 0.0, 0, 0
    for part, scores in _finite_scores(model, rows):
        here = slice(done, done + len(part))
        probabilities = softmax(scores / model.temperature)
        losses += len(part) * log_loss(log_softmax(scores / model.temperature), labels[here])
        briers += len(part) * brier_score(probabilities, labels[here])
        confidence[here] = probabilities.max(axis=1)
        correct[here] = scores.argmax(axis=1) == labels[here]
        top += top_hits(scores, labels[here])
        done += len(part)
    bins = outcome_bins(confidence, correct)
    figures = {"log_loss": losses / done, "brier": briers / done, "calibration_error": bins.expected_error()}
    if model.classes > TOP_FROM:
        figures["top5_accuracy"] = top / done
    return Assessment(confidence, bins, figures)


def calibrate(path: Path, source: ModelRows, target: Path) -> tuple[LinearModel, dict[str, Any]]:
    """The model of the file `path` with the temperature of least log-loss on its validation rows, saved in `target`.

    Also what was done: temperature, file, validation rows, and their figures before and after. Labels stay.
    Raises ConfigError where there are no such rows.
    """
    rows = source.rows("validation")
    scores = np.concatenate([scores for _, scores in _finite_scores(source.model, rows)])
    temperature = fit_temperature(scores, rows.labels)
    try:
        facts = {"temperature": temperature, "rows": len(rows.labels), "of": digest_of_file(path)}
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}; check the disk and try again") from error
    provenance = {**source.model.provenance, CALIBRATION: facts}
    calibrated = replace(source.model, temperature=temperature, provenance=provenance)
    save_model(target, calibrated)
    return calibrated, {"temperature": temperature, "file": str(target), "rows": len(rows.labels)}


def calibrated_path(path: Path, chosen: Path | None, model: LinearModel) -> Path:
    """Where the calibrated copy of the weights file `path` goes, default beside it. Raises ConfigError.

    Only an earlier calibrated copy of the same weights is ever replaced.
    """
    target = chosen or path.with_name(CALIBRATED)
    if target.suffix != ".npz":
        raise ConfigError(f"--calibrated-out: expected a name ending in .npz, got {target}")
    refuse_no_file(target)
    present = exists(target)
    if present and target.samefile(path):
        raise ConfigError(f"--calibrated-out: {target} is the model itself, which stays; choose another name")
    if present and not _is_earlier_copy(target, model):
        raise ConfigError(f"--calibrated-out: {target} holds something else; choose another name")
    return target


def _is_earlier_copy(target: Path, model: LinearModel) -> bool:
    try:
        found = load_model(target)
    except ModelError:
        return False
    return CALIBRATION in found.provenance and np.array_equal(found.W, model.W)


def calibration_of(model: LinearModel) -> str:
    """One line about the temperature that a model carries, empty for none."""
    rows = provenance_of(model, CALIBRATION).get("rows")
    if model.temperature == 1 and rows is None:
        return ""
    told = f", fitted on {rows:,} validation rows" if isinstance(rows, int) else ""
    return f"temperature {model.temperature:.4g}{told}"


def _finite_scores(model: LinearModel, rows: SplitRows) -> Iterable[tuple[Array, Array]]:
    """(row indices (n,), scores (n, K) in float64) of each chunk."""
    for part, scores in rows.scored_by(model):
        if not np.isfinite(scores).all():
            raise DataError(
                f"{rows.place}: expected rows with finite scores, found some beyond the range of float32; "
                "give rows on the scale of those that the model was trained on"
            )
        yield part, scores.astype(np.float64)
