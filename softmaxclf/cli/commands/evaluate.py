"""softmaxclf evaluate."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from softmaxclf.cli import console, options

CLASSES = (
    ("class", "{class}"),
    ("precision", "{precision:percent}"),
    ("95 % interval", "{precision_interval:interval}"),
    ("recall", "{recall:percent}"),
    ("95 % interval", "{recall_interval:interval}"),
    ("F1", "{f1:percent}"),
    ("rows", "{support:,}"),
)
PAIRS = (
    ("most confused (true -> predicted)", "{true} -> {predicted}"),
    ("rows", "{rows:,}"),
    ("of", "{support:,}"),
    ("share", "{share:percent}"),
    ("95 % interval", "{interval:interval}"),
)
CALIBRATION = (
    ("split", "{name}"),
    ("rows", "{rows:,}"),
    ("log-loss", "{before[log_loss]:number}"),
    ("after", "{after[log_loss]:number}"),
    ("calibration error", "{before[calibration_error]:percent}"),
    ("after", "{after[calibration_error]:percent}"),
)
ACCURACY = """\
{correct:,} of {rows:,} rows of {data} are labelled right ({loss_function} loss)
always saying {baseline[class]}, the most frequent training label: {baseline[accuracy]:percent} \
({baseline[interval]:interval}, {rows:,} rows)
{top}
Probabilities ({probabilities}), {rows:,} rows:
log-loss {log_loss:number}, Brier score {brier:number}, \
expected calibration error {calibration_error:percent} ({bins} bins)"""
MOST_CLASSES = 20
OPTIONAL = ("F1", "95 % interval")  # what a narrow screen does without
TOP = "right among the five most probable labels: {top5_accuracy:percent}\n"
TIED = "\n({pairs:,} more pairs with as many rows as the last)"
TEMPERATURE = """\
Temperature {temperature:figure}, fitted on {rows:,} validation rows; the model with it is {file:quoted}, \
its labels are the same"""


@click.command()
@options.model
@options.split("Rows to score.")
@options.data()
@options.assignments("Set one key of data, as data.label, instead of the model's own; may be repeated.")
@options.out("DIR", "Also write evaluation.json, tables (CSV) and pictures into this folder.")
@click.option(
    "--calibrate",
    "calibrated",
    is_flag=True,
    help="Fit a temperature on the validation rows, which makes probabilities honest; labels do not change.",
)
@click.option(
    "--calibrated-out",
    type=options.PATH,
    metavar="FILE",
    help="Model file for --calibrate. [default: weights-calibrated.npz beside the weights]",
)
@options.output
def evaluate(output: console.Console, model: Path, **request: Any) -> None:
    """Score a saved model: accuracy with its interval, loss, per class figures, confusion, calibration.

    MODEL is a run folder or a weights.npz.

    \b
    Example:
      softmaxclf evaluate runs/demo --split validation --out runs/demo/evaluation
    """
    from softmaxclf.workflows.models.evaluate import evaluate as run_evaluate

    if request["calibrated_out"] is not None and not request["calibrated"]:
        raise click.UsageError("--calibrated-out is for --calibrate; add it, or leave both out")
    output.answer(run_evaluate(model, output, **request), _text)


def _classes(classes: Sequence[Mapping[str, Any]]) -> str:
    """The figures of each class; of many, those of lowest recall."""
    if len(classes) <= MOST_CLASSES:
        return console.listed(classes, CLASSES, optional=OPTIONAL)
    weak = sorted(classes, key=lambda each: (each["recall"] is None, each["recall"]))[:MOST_CLASSES]
    rest = len(classes) - MOST_CLASSES
    told = f"(the {MOST_CLASSES} classes of lowest recall; --json and --out have the {rest:,} others)"
    return f"{console.listed(weak, CLASSES, optional=OPTIONAL)}\n{told}"


def _text(result: Mapping[str, Any]) -> str:
    top = console.fill(TOP, result) if "top5_accuracy" in result else ""
    judged = console.fill(ACCURACY, {**result, "bins": len(result["reliability"]), "top": top})
    parts = [
        f"{console.splits_table({result['split']: result})}\n{judged}",
        _classes(result["per_class"]),
    ]
    if result["confused_pairs"]:
        parts.append(console.listed(result["confused_pairs"], PAIRS))
    if result["tied_pairs"]["pairs"]:
        parts[-1] += console.fill(TIED, result["tied_pairs"])
    if "calibration" in result:
        splits = [{"name": name, **each} for name, each in result["calibration"]["splits"].items()]
        told = console.fill(TEMPERATURE, result["calibration"])
        parts.append(f"{told}\n{console.listed(splits, CALIBRATION, optional=('rows',))}")
    if "out" in result:
        parts.append(f"{', '.join(result['files'])} are in {console.quoted(result['out'])}")
    parts.append(console.fill("Next: softmaxclf visualize-weights {model:quoted}", result))
    return "\n\n".join(parts)
