"""softmaxclf evaluate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from softmaxclf.cli import console, options


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    default="test",
    show_default=True,
    help="Rows to score.",
)
@click.option("--data", metavar="SOURCE", help="Data set. [default: the one that the model was trained on]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also write evaluation.json, tables (CSV) and pictures into this folder.",
)
@click.option(
    "--calibrate",
    is_flag=True,
    help="Fit a temperature on the validation rows, which makes probabilities honest; labels do not change.",
)
@click.option(
    "--calibrated-out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Model file for --calibrate. [default: weights-calibrated.npz beside the weights]",
)
@options.output
def evaluate(
    model: Path,
    split: str,
    data: str | None,
    out: Path | None,
    calibrate: bool,
    calibrated_out: Path | None,
    **others: Any,
) -> None:
    """Score a saved model: accuracy with its interval, loss, per class figures, confusion, calibration.

    MODEL is a run folder or a weights.npz.

    \b
    Example:
      softmaxclf evaluate runs/demo --split validation --out runs/demo/evaluation
    """
    from softmaxclf.workflows.models.evaluate import evaluate as run_evaluate

    if calibrated_out is not None and not calibrate:
        raise click.UsageError("--calibrated-out is for --calibrate; add it, or leave both out")
    result = run_evaluate(
        model,
        console.console_of(others),
        split=split,
        source=data,
        out=out,
        calibrated=calibrate,
        calibrated_out=calibrated_out,
    )
    if others["as_json"]:
        console.print_json(result)
        return
    parts = [_accuracy(result), _probabilities(result), _classes(result), _pairs(result)]
    if "calibration" in result:
        parts.append(_calibration(result["calibration"]))
    click.echo("\n\n".join(part for part in parts if part))
    if "out" in result:
        click.echo(f"\n{', '.join(result['files'])} are in {console.quoted(result['out'])}")
    click.echo(f"\nNext: softmaxclf visualize-weights {console.quoted(model)}")


def _accuracy(result: Mapping[str, Any]) -> str:
    baseline = result["baseline"]
    rows = f"{result['rows']:,}"
    lines = [
        console.splits_table({result["split"]: result}),
        f"{result['correct']:,} of {rows} rows of {result['data']} are labelled right ({result['loss_function']} loss)",
        f"always saying {baseline['class']}, the most frequent training label: {console.percent(baseline['accuracy'])} "
        f"({console.interval(baseline['interval'])}, {rows} rows)",
    ]
    return "\n".join(lines)


def _probabilities(result: Mapping[str, Any]) -> str:
    bins = f"{len(result['reliability'])} bins"
    return (
        f"Probabilities ({result['probabilities']}), {result['rows']:,} rows:\n"
        f"log-loss {console.number(result['log_loss'])}, Brier score {console.number(result['brier'])}, "
        f"expected calibration error {console.percent(result['calibration_error'])} ({bins})"
    )


def _classes(result: Mapping[str, Any]) -> str:
    rows = [
        [
            each["class"],
            console.percent(each["precision"]),
            console.interval(each["precision_interval"]),
            console.percent(each["recall"]),
            console.interval(each["recall_interval"]),
            console.percent(each["f1"]),
            f"{each['support']:,}",
        ]
        for each in result["per_class"]
    ]
    return console.table(
        ["class", "precision", "95 % interval", "recall", "95 % interval", "F1", "rows"], rows
    )


def _pairs(result: Mapping[str, Any]) -> str:
    rows = [
        [
            f"{each['true']} -> {each['predicted']}",
            f"{each['rows']:,}",
            f"{each['support']:,}",
            console.percent(each["share"]),
            console.interval(each["interval"]),
        ]
        for each in result["confused_pairs"]
    ]
    if not rows:
        return ""
    return console.table(["most confused (true -> predicted)", "rows", "of", "share", "95 % interval"], rows)


def _calibration(calibration: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            f"{each['rows']:,}",
            *(console.number(each[when]["log_loss"]) for when in ("before", "after")),
            *(console.percent(each[when]["calibration_error"]) for when in ("before", "after")),
        ]
        for name, each in calibration["splits"].items()
    ]
    columns = ["split", "rows", "log-loss before", "after", "calibration error before", "after"]
    return (
        f"Temperature {calibration['temperature']:.4g}, fitted on {calibration['rows']:,} validation rows; the model "
        f"with it is {console.quoted(calibration['file'])}, its labels are the same\n{console.table(columns, rows)}"
    )
