"""`softmaxclf explain`: every step from scores to probabilities, losses and derivatives, as numbers to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isfinite
from pathlib import Path
from typing import Any

import numpy as np

from softmaxclf.config.values import number_in
from softmaxclf.config.yaml_reader import shown
from softmaxclf.core.losses.hinge import hinge, hinge_margins, hinge_score_gradient
from softmaxclf.core.losses.loss import Array
from softmaxclf.core.losses.softmax import (
    cross_entropy,
    entropy,
    score_gradient,
    shifted_powers,
    shifted_scores,
    softmax,
    softmax_jacobian,
)
from softmaxclf.errors import ConfigError
from softmaxclf.workflows.models.visualize import class_index
from softmaxclf.workflows.output import refuse_no_picture

LARGEST = 1e100  # of a score or a factor: sums and products of two are finite


@dataclass(frozen=True)
class ExplainRequest:
    """What to explain: `scores` as texts, or those that `model` gives `image`.

    label: a class name or an index. classes: names with commas between. constant: added to every score.
    factor: multiplies every score. out: a picture file.
    """

    scores: Sequence[str] = ()
    label: str | None = None
    classes: str | None = None
    constant: float = 100.0
    factor: float = 0.5
    model: Path | None = None
    image: Path | None = None
    out: Path | None = None


def explain(request: ExplainRequest) -> dict[str, Any]:
    """The arithmetic of a request as one JSON-able document; its picture is written when asked for.

    Without a label, what needs one (the losses and the gradient) is null.
    Raises ConfigError for wrong scores, names, label or numbers, DataError and ModelError for the files.
    """
    _check_numbers(request)
    values, names, source = _scores_of(request)
    label = None if request.label is None else class_index(request.label.strip(), names, "--label")
    if request.out is not None:
        _draw(request.out, values, names, label)
    return {
        **source,
        **_arithmetic(values, names, label, request.constant, request.factor),
        "picture": None if request.out is None else str(request.out),
    }


def _arithmetic(
    values: Array, names: Sequence[str], label: int | None, constant: float, factor: float
) -> dict[str, Any]:
    ties = np.flatnonzero(values == values.max()).tolist()
    return {
        "classes": _class_facts(values, names, label),
        "shift": float(values.max()),
        "sum_of_exp": float(shifted_powers(values).sum()),
        "winner": names[ties[0]],
        "ties": [names[k] for k in ties] if len(ties) > 1 else [],
        **_softness(values),
        "label": None if label is None else {"index": label, "class": names[label]},
        "cross_entropy": None if label is None else cross_entropy(values, label),
        "hinge": None if label is None else hinge(values, label),
        "jacobian": softmax_jacobian(values).tolist(),
        "adding": {
            "constant": constant,
            **_changed(values + constant),
            # nothing, beyond the rounding of the sums
            "largest_change": float(np.abs(softmax(values + constant) - softmax(values)).max()),
        },
        "scaling": {
            "factor": factor,
            **_changed(values * factor),
            "cross_entropy": None if label is None else cross_entropy(values * factor, label),
        },
    }


def _class_facts(values: Array, names: Sequence[str], label: int | None) -> list[dict[str, Any]]:
    """One mapping per class: name, score, shifted score, exp of it, probability, hard max, and with a label more."""
    columns: dict[str, Any] = {
        "class": list(names),
        "score": values.tolist(),
        "shifted": shifted_scores(values).tolist(),
        "exp": shifted_powers(values).tolist(),
        "probability": softmax(values).tolist(),
        "hard_max": np.eye(len(values))[values.argmax()].tolist(),
    }
    if label is not None:
        columns["gradient"] = score_gradient(values, label).tolist()
        columns["hinge_margin"] = hinge_margins(values, label).tolist()
        columns["hinge_margin"][label] = None  # the label has no margin over itself
        columns["hinge_gradient"] = hinge_score_gradient(values, label).tolist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _softness(values: Array) -> dict[str, float]:
    """Entropy in nats, and how many equally likely classes would be as uncertain."""
    found = entropy(values)
    return {"entropy": found, "effective_classes": exp(found)}


def _changed(values: Array) -> dict[str, Any]:
    """What becomes of all that softmax makes of scores when they are these instead."""
    scores = values + 0.0  # the sum turns -0 into 0
    return {"scores": scores.tolist(), "probabilities": softmax(scores).tolist(), **_softness(scores)}


def parse_scores(texts: Sequence[str]) -> Array:
    """Scores (K,), float64, K >= 2. Raises ConfigError unless the texts are finite numbers up to 1e100."""
    values = []
    for text in texts:
        value = number_in(text.strip())
        if value is None:
            raise ConfigError(f"SCORES: expected numbers with spaces between, got {shown(text)!r}")
        if not abs(value) <= LARGEST:
            raise ConfigError(
                f"SCORES: expected finite numbers up to {LARGEST:g}, got {shown(text.strip())}; leave it out"
            )
        values.append(float(value))
    if len(values) < 2:
        raise ConfigError(
            f"SCORES: expected at least two, one per class, got {len(values) or 'none'}; "
            "for example: softmaxclf explain -3 2 -1 0"
        )
    return np.array(values)


def parse_names(text: str | None, count: int) -> tuple[str, ...]:
    """`count` class names out of a text with commas between; "0", "1", ... for None. Raises ConfigError."""
    if text is None:
        return tuple(str(k) for k in range(count))
    names = tuple(" ".join(name.split()) for name in text.split(","))
    if len(names) != count:
        raise ConfigError(f"--classes: expected {count} names, one per score, got {len(names)}")
    if not all(name and name.isprintable() for name in names):
        raise ConfigError(f"--classes: expected {count} names that can be printed, got {shown(text)!r}")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"--classes: expected names that differ, got {shown(twice[0])!r} twice")
    return names


def _scores_of(request: ExplainRequest) -> tuple[Array, tuple[str, ...], dict[str, Any]]:
    """(scores (K,) in float64, names [K], what a reader should know of where they come from)."""
    if request.model is None and request.image is None:
        values = parse_scores(request.scores)
        return values, parse_names(request.classes, len(values)), {"model": None, "image": None}
    if request.model is None or request.image is None:
        missing = "--model" if request.model is None else "--image"
        raise ConfigError(f"{missing}: expected --model and --image together, got one of them; add {missing}")
    if request.scores:
        raise ConfigError(
            f"SCORES: expected none beside --model and --image, got {len(request.scores)}; leave them out"
        )
    if request.classes is not None:
        raise ConfigError("--classes: expected none beside --model, whose classes have names; leave it out")
    return _image_scores(request.model, request.image)


def _image_scores(path: Path, image: Path) -> tuple[Array, tuple[str, ...], dict[str, Any]]:
    """As _scores_of: what a model gives an image file, divided by the temperature as for its probabilities."""
    # These bring Pillow along, which typed scores do not need.
    from softmaxclf.datasets.images import read_image
    from softmaxclf.workflows.models.predict import load_image_model

    model, shape = load_image_model(path)
    values = model.scores(read_image(image, shape)[None])[0].astype(np.float64) / model.temperature
    if not (np.abs(values) <= LARGEST).all():
        raise ConfigError(f"{path}: expected finite scores for {image}, found others; choose another model")
    source = {"model": str(path), "image": str(image), "temperature": model.temperature}
    return values, model.class_names, source


def _check_numbers(request: ExplainRequest) -> None:
    """Raise ConfigError for numbers that no finite result can come from, and for a picture that cannot be made."""
    if not (isfinite(request.constant) and abs(request.constant) <= LARGEST):
        raise ConfigError(f"--add: expected a finite number up to {LARGEST:g}, got {request.constant:g}")
    if not 0 <= request.factor <= LARGEST:
        raise ConfigError(f"--scale: expected a number from 0 to {LARGEST:g}, got {request.factor:g}")
    if request.out is not None:
        from softmaxclf.plots.figure import format_of

        format_of(request.out)
        refuse_no_picture(request.out)


def _draw(out: Path, values: Array, names: tuple[str, ...], label: int | None) -> None:
    """Write the bar chart of scores beside probabilities to `out`."""
    from softmaxclf.plots.explain import draw_explain
    from softmaxclf.plots.figure import save

    numbered = names == parse_names(None, len(names))
    called = [f"class {name}" for name in names] if numbered else names
    drawn = draw_explain(values, softmax(values), called, label=label)
    save(drawn, out, made_by="softmaxclf explain " + " ".join(f"{value:g}" for value in values))
