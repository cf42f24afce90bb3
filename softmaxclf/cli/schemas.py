"""What --json prints, as JSON Schemas (2020-12): forms in a short notation, and what makes schemas of them.

A form is the name of a type, with ? where null may stand; [form], a list; (form, form), a list of so many;
{key: form} with ? behind a key that may be missing; {...: form}, an object of any keys; Maybe(form). More keys than are
listed may come with the same version; SCHEMA_VERSION rises when one goes or changes its meaning.
"""

from typing import Any, NamedTuple

from softmaxclf import SCHEMA_VERSION

Form = Any
Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Maybe(NamedTuple):
    """The form of what may be null."""

    form: Form


INTERVAL = ("number?", "number?")
SPLIT = {
    "accuracy": "number?", "interval": INTERVAL, "loss": "number?", "rows": "integer", "correct": "integer",
    "note?": "string",
}  # fmt: skip
COUNTED = {key: form for key, form in SPLIT.items() if key not in ("loss", "note?")}
SPLITS = {"train?": SPLIT, "validation?": SPLIT, "test?": SPLIT}
PROOF = {"objective?": "number?", "gap?": "number?", "proven?": "boolean?", "passes?": "integer"}
AXES = {"learning_rate?": "number", "regularization?": "number"}
RUN = {
    "run": "string", "weights": "string", "splits": SPLITS, **PROOF, "warnings": ["string"],
    "seconds": {"load": "number", "train": "number", "total": "number"},
}  # fmt: skip
CELL = {
    **AXES, "train_accuracy": "number?", "validation_accuracy": "number?", "validation_interval": INTERVAL,
    "train_loss?": "number?", "validation_loss": "number?", "weight_norm?": "number?", "error?": "number?",
    "loss_error?": "number?", "validation_accuracy_sd?": "number?", "validation_loss_sd?": "number?",
    "status": "string", "tied?": "boolean", **PROOF,
}  # fmt: skip
CHOSEN = {"metric": "string", "folds": "integer", "repeats": "integer"}
SPREAD = {"mean": "number", "sd": "number?", "accuracies": ["number"]}
REPEATS = {
    "count": "integer", "metric": "string", "least_difference": "number?", "validation": SPREAD, "test?": SPREAD,
}  # fmt: skip
PLAN = {
    "run": "string", "axes": ["string"], "learning_rates?": ["number"], "regularizations?": ["number"],
    "cells": "integer", "folds": "integer", "repeats": "integer", "iterations?": "integer", "batch_size?": "integer",
    "stacks": ["integer"], "stack_bytes": "integer", "bound_bytes": "number", "seconds": "number", "probe": "string",
    "features?": "integer", "features_bytes?": "integer", "features_seconds?": "number",
    "engine?": {
        "kind": "string", "workers": "integer", "parts": "integer", "bytes_out": "integer", "bytes_back": "integer",
    },
}  # fmt: skip
PROBABILITIES = {
    "log_loss": "number?", "brier": "number?", "calibration_error": "number?", "top5_accuracy?": "number",
}  # fmt: skip
PREDICTED = {
    "file?": "string", "row?": "integer", "label?": "string", "probability?": "number",
    "top?": [{"label": "string", "probability": "number"}], "sheet?": "string", "error?": "string",
}  # fmt: skip
SOFTENED = {
    "scores": ["number"], "probabilities": ["number"], "entropy": "number", "effective_classes": "number",
}  # fmt: skip
WRITTEN = {"out?": "string", "files?": ["string"]}
# Of each command the documents that it may print, one of them at a time.
DOCUMENTS: dict[str, tuple[Form, ...]] = {
    "train": (RUN,),
    "tune": ({
        **RUN, "best": {**AXES, "refit": "boolean"}, "cells": [CELL], "chosen_by?": CHOSEN, "notes?": ["string"],
        "repeats?": REPEATS,
    }, PLAN),
    "evaluate": ({
        "model": "string", "split": "string", "data": "string", **SPLIT, "loss_function": "string",
        "baseline": {"class": "string", **COUNTED}, **PROBABILITIES, "probabilities": "string",
        "per_class": [{
            "class": "string", "precision": "number?", "precision_interval": INTERVAL, "recall": "number?",
            "recall_interval": INTERVAL, "f1": "number?", "support": "integer", "predicted": "integer",
        }],
        "confused_pairs": [{
            "true": "string", "predicted": "string", "rows": "integer", "share": "number", "interval": INTERVAL,
            "support": "integer",
        }],
        "tied_pairs": {"pairs": "integer", "rows": "integer"},
        "confusion": [["integer"]],
        "reliability": [{
            "low": "number", "high": "number", "rows": "integer", "confidence": "number?", "accuracy": "number?",
            "interval": INTERVAL,
        }],
        "calibration?": {
            "temperature": "number", "file": "string", "rows": "integer",
            "splits": {...: {"rows": "integer", "before": PROBABILITIES, "after": PROBABILITIES}},
        },
        **WRITTEN,
    },),
    "predict": ({"predictions": [PREDICTED]}, {"file": "string", "written": "integer"}),
    "visualize-weights": ({
        "model": "string", "view": "string", "picture": "string", "csv?": "string",
        "classes": [{
            "class": "string", "index": "integer", "least": "number", "greatest": "number", "norm": "number",
            "bias": "number",
            "strongest": {
                "feature": ["integer", "string"], "channel?": "integer", "row?": "integer", "column?": "integer",
                "weight": "number",
            },
        }],
    },),
    "report": (
        {"run": "string", "report": "string"},
        {
            "folder": "string", "index": "string", "runs": ["string"],
            "left_out": [{"folder": "string", "reason": "string"}],
        },
    ),
    "compare": ({
        "split": "string", "data": "string", "rows": "integer", "losses": ["string"],
        "settings": {...: ["string"]},
        "models": [{"name": "string", "model": "string", "splits": SPLITS}],
        "pairs": [{
            "first": "string", "second": "string", "rows": "integer", "only_first_right": "integer",
            "only_second_right": "integer", "p_value": "number", "difference": "number", "least_difference": "number?",
            "noise": "string", "rows_difference": "number", "interval": INTERVAL, "conclusion": "string",
        }],
        **WRITTEN,
    },),
    "page": ({"model": "string", "page": "string", "bytes": "integer", "largest_difference": "number"},),
    "export": ({
        "model": "string", "format": "string", "file": "string", "bytes": "integer", "formula": "string",
        "rows": "integer", "largest_difference": "number",
    },),
    "data download": ({"source": "string", "file": "string"},),
    "data verify": ({
        "found": [{"file": "string", "what": "string", "status": "string", "detail": "string"}],
    },),
    "data describe": ({
        "name": "string", "path": "string", "features": "integer", "image_shape": "array?", "feature_names": "array?",
        "splits": {...: {
            "rows": "integer", "type": "string", "least": "number?", "greatest": "number?", "repeated": "integer",
        }},
        "classes": [{"class": "string", ...: "integer"}],
        "shared": [{"of": "string", "also_in": "string", "rows": "integer", "first": ["integer"]}],
        "picture?": "string",
    },),
    "data sample": ({
        "folder": "string", "form": "string", "seed": "integer", "train_rows": "integer", "test_rows": "integer",
    },),
    "explain": ({
        "model": "string?", "image": "string?", "picture": "string?",
        "classes": [{
            "class": "string", "score": "number", "shifted": "number", "exp": "number", "probability": "number",
            "hard_max": "number", "gradient?": "number", "hinge_margin?": "number?", "hinge_gradient?": "number",
        }],
        "shift": "number", "sum_of_exp": "number", "winner": "string", "ties": ["string"], "entropy": "number",
        "effective_classes": "number", "label": Maybe({"index": "integer", "class": "string"}),
        "cross_entropy": "number?", "hinge": "number?", "jacobian": [["number"]],
        "adding": {"constant": "number", **SOFTENED, "largest_change": "number"},
        "scaling": {"factor": "number", **SOFTENED, "cross_entropy": "number?"},
    },),
    "gradcheck": ({
        "data": "string", "rows": "integer", "features": "integer", "classes": "integer", "loss": "string",
        "seed": "integer", "regularization": "number", "passed": "boolean",
        "checks": [{
            "group": "string", "name": "string", "expected": "string", "found": "string", "value": "number?",
            "passed": "boolean", "kinks": [{"row": "integer", "class": "string"}],
        }],
        "times": [{
            "loss": "string", "naive_seconds": "number", "vectorized_seconds": "number", "ratio": "number",
        }],
    },),
    "config": ({"settings": [{"key": "string", "value": "any", "origin": "string"}]},),
    "schema": ({"schema": "object"},),
    "completion": ({"shell": "string", "script": "string"},),
}  # fmt: skip
ERROR = {"error": {"messages": ["string"], "exit_code": "integer"}}
MEANINGS = {
    "accuracy": "share of rows labelled right, 0 to 1; null where there are none",
    "interval": "95 % interval of the share, or difference, before it",
    "loss": "mean loss over the rows, without the penalty",
    "gap": "how far above the optimum the objective may be, relative",
    "proven": "whether the gap is a bound, not an estimate",
    "objective": "mean loss + 0.5 * regularization * |W|^2 over the training rows",
    "passes": "readings of all rows",
    "p_value": "of a paired test on the rows that one of the two labels right",
    "validation_loss": "mean loss over the validation rows",
    "weight_norm": "|W|",
    "error": "standard error of validation_accuracy",
    "loss_error": "standard error of validation_loss",
    "tied": "whether it cannot be told from the winner",
    "status": "ok, or what became of it",
    "sd": "standard deviation over repeats",
    "validation_accuracy_sd": "standard deviation of validation_accuracy over repeats",
    "validation_loss_sd": "standard deviation of validation_loss over repeats",
    "least_difference": "the smallest difference of means that is more than chance, at the 5 % level",
    "difference": "of the mean accuracies with the seeds that are known of both",
    "rows_difference": "of the accuracies of these two models",
    "conclusion": "what to take from this, in a sentence",
    "noise": "only seeds differ, or whether the difference is beyond or within what another seed gives, or unknown",
    "exit_code": "what the command returned",
    "seconds": "wall-clock time, in seconds",
}


def schema_of(command: str) -> Schema:
    """The JSON Schema of what the command prints with --json, errors included."""
    version = {"schema_version": SCHEMA_VERSION}
    documents = [_schema({**version, **form}) for form in (*DOCUMENTS[command], ERROR)]
    return {"$schema": DIALECT, "title": f"softmaxclf {command} --json", "anyOf": documents}


def _schema(form: Form) -> Schema:
    if isinstance(form, dict):
        return _object(form)
    if isinstance(form, Maybe):
        return {"anyOf": [_schema(form.form), {"type": "null"}]}
    if isinstance(form, tuple):
        items = [_schema(each) for each in form]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if isinstance(form, list):
        return {"type": form} if len(form) > 1 else {"type": "array", "items": _schema(form[0])}
    if isinstance(form, int):
        return {"const": form}
    name = form.removesuffix("?")
    return {} if name == "any" else {"type": [name, "null"] if form != name else name}


def _object(form: dict[Any, Form]) -> Schema:
    named = {key.removesuffix("?"): each for key, each in form.items() if key is not ...}
    made: Schema = {"type": "object"}
    if named:
        made["properties"] = {key: _property(key, each) for key, each in named.items()}
        made["required"] = [key for key in form if key is not ... and not key.endswith("?")]
    if ... in form:
        made["additionalProperties"] = _schema(form[...])
    return made


def _property(key: str, form: Form) -> Schema:
    meaning = MEANINGS.get(key)
    return {"description": meaning, **_schema(form)} if meaning else _schema(form)
