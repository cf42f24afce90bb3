"""softmaxclf compare."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from softmaxclf.cli import console, options


@click.command()
@click.argument("models", metavar="RUN RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    default="test",
    show_default=True,
    help="Rows on which the models are compared.",
)
@click.option("--data", metavar="SOURCE", help="Data set. [default: the one that the models were trained on]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also write comparison.json, tables (CSV) and pictures into this folder.",
)
@options.output
def compare(models: tuple[Path, ...], split: str, data: str | None, out: Path | None, **others: Any) -> None:
    """Show models side by side: settings that differ, accuracies, and a paired test of each two.

    A RUN is a run folder or a weights.npz; give at least two.

    \b
    Example:
      softmaxclf compare runs/softmax runs/hinge --out runs/softmax-or-hinge
    """
    from softmaxclf.workflows.models.compare import compare as run_compare

    if len(models) < 2:
        raise click.UsageError(f"expected at least two models, got {len(models)}; name another run")
    result = run_compare(models, console.console_of(others), split=split, source=data, out=out)
    if others["as_json"]:
        console.print_json(result)
        return
    click.echo("\n\n".join([_settings(result), _accuracies(result), _pairs(result)]))
    if "out" in result:
        click.echo(f"\n{', '.join(result['files'])} are in {console.quoted(result['out'])}")
    click.echo(f"\nNext: softmaxclf visualize-weights {console.quoted(result['models'][0]['model'])}")


def _settings(result: Mapping[str, Any]) -> str:
    names = [model["name"] for model in result["models"]]
    if not result["settings"]:
        return f"{' and '.join(names)} were made with the same settings on the same data"
    rows = [[key, *values] for key, values in result["settings"].items()]
    return console.table(["setting that differs", *names], rows)


def _accuracies(result: Mapping[str, Any]) -> str:
    from softmaxclf.workflows.models.compare import NOT_COMPARABLE

    rows = [
        [
            f"{model['name']}, {name}",
            console.percent(split["accuracy"]),
            console.interval(split["interval"]),
            f"{split['rows']:,}",
            console.number(split["loss"]),
        ]
        for name in ("train", "validation", "test")
        for model in result["models"]
        if (split := model["splits"].get(name)) is not None
    ]
    text = console.table(["model, split", "accuracy", "95 % interval", "rows", "loss"], rows)
    notes = [
        f"{model['name']}, {name}: {split['note']}"
        for model in result["models"]
        for name, split in model["splits"].items()
        if split.get("note")
    ]
    if len(set(result["losses"])) > 1:
        notes.append(NOT_COMPARABLE)
    return "\n".join([text, *notes])


def _pairs(result: Mapping[str, Any]) -> str:
    rows = [
        [
            f"{pair['first']} : {pair['second']}",
            f"{pair['only_first_right']:,}",
            f"{pair['only_second_right']:,}",
            f"{pair['p_value']:.2g}",
        ]
        for pair in result["pairs"]
    ]
    lines = [
        f"On the same {result['rows']:,} {result['split']} rows of {result['data']} (paired exact McNemar test):",
        console.table(["pair", "only first right", "only second right", "p"], rows),
        "p is the chance of a difference at least this large between equally accurate models",
    ]
    if len(rows) > 1:
        lines.append(f"p is not corrected for making {len(rows)} tests")
    return "\n".join(lines)
