"""softmaxclf compare."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from softmaxclf.cli import console, options

PAIRS = (
    ("pair", "{first} : {second}"),
    ("only first", "{only_first_right:,}"),
    ("only second", "{only_second_right:,}"),
    ("p", "{p_value:figure}"),
    ("difference", "{difference:percent}"),
    ("another seed gives", "{seeds}"),
)
OPTIONAL = ("another seed gives",)  # on a narrow screen, where the conclusion says it


@click.command()
@click.argument("models", metavar="RUN RUN...", nargs=-1, required=True, type=options.PATH)
@options.split("Rows on which the models are compared.")
@options.data()
@options.out(
    "DIR", "Also write comparison.html, comparison.json, tables (CSV) and pictures into this folder."
)
@options.output
def compare(output: console.Console, models: tuple[Path, ...], **request: Any) -> None:
    """Show models side by side: which is better and by how much, settings that differ, accuracies, and a paired test of
    each two.

    A RUN is a run folder or a weights.npz; give at least two.

    \b
    Example:
      softmaxclf compare runs/softmax runs/hinge --out runs/softmax-or-hinge
    """
    from softmaxclf.workflows.models.compare import compare as run_compare

    if len(models) < 2:
        raise click.UsageError(f"expected at least two models, got {len(models)}; name another run")
    output.answer(run_compare(models, output, **request), _text)


def _text(result: Mapping[str, Any]) -> str:
    from softmaxclf.workflows.models.pairs import foremost

    concluded = "\n".join(pair["conclusion"] for pair in foremost(result))
    parts = [concluded, _settings(result), _accuracies(result), _pairs(result)]
    if "out" in result:
        parts.append(f"{', '.join(result['files'])} are in {console.quoted(result['out'])}")
        parts.append(f"Open {console.quoted(Path(result['out']) / 'comparison.html')}")
    parts.append(f"Next: softmaxclf visualize-weights {console.quoted(result['models'][0]['model'])}")
    return "\n\n".join(parts)


def _settings(result: Mapping[str, Any]) -> str:
    names = [model["name"] for model in result["models"]]
    if not result["settings"]:
        return f"{' and '.join(names)} were made with the same settings on the same data"
    rows = [[key, *values] for key, values in result["settings"].items()]
    return console.table(["setting that differs", *names], rows)


def _accuracies(result: Mapping[str, Any]) -> str:
    splits = {
        f"{model['name']}, {name}": model["splits"][name]
        for name in ("train", "validation", "test")
        for model in result["models"]
        if name in model["splits"]
    }
    return console.splits_table(splits, "model, split")


def _pairs(result: Mapping[str, Any]) -> str:
    from softmaxclf.workflows.models.pairs import reservations

    lines = [
        console.fill(
            "Rows that only one labels right, of the same {rows:,} {split} rows of {data} (paired exact McNemar test):",
            result,
        ),
        console.listed(
            [{**pair, "seeds": _seeds(pair)} for pair in result["pairs"]], PAIRS, optional=OPTIONAL
        ),
        "p is the chance of a difference at least this large between equally accurate models on other rows",
        *reservations(result),
    ]
    return "\n".join(lines)


def _seeds(pair: Mapping[str, Any]) -> str:
    from softmaxclf.workflows.models.pairs import BEYOND, ONLY_SEEDS, WITHIN

    if pair["noise"] in (BEYOND, WITHIN):
        less = "less" if pair["noise"] == BEYOND else "as much"
        return console.fill(f"{less}, up to {{least_difference:percent}}", pair)
    return "this, training noise" if pair["noise"] == ONLY_SEEDS else pair["noise"]
