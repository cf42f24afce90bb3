"""softmaxclf evaluate."""

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
@options.output
def evaluate(model: Path, split: str, data: str | None, **others: Any) -> None:
    """Score a saved model: accuracy with its interval, loss, per class figures and confusion.

    MODEL is a run folder or a weights.npz.

    \b
    Example:
      softmaxclf evaluate runs/demo --split validation
    """
    from softmaxclf.workflows.evaluate import evaluate as run_evaluate

    result = run_evaluate(model, split, data, console.console_of(others))
    if others["as_json"]:
        console.print_json(result)
        return
    click.echo(console.splits_table({split: result}))
    click.echo(f"{result['correct']:,} of {result['rows']:,} rows of {result['data']} are labelled right\n")
    rows = [
        [each["class"], *(console.percent(each[name]) for name in ("precision", "recall", "f1")), f"{each['support']:,}"]
        for each in result["per_class"]
    ]
    click.echo(console.table(["class", "precision", "recall", "F1", "rows"], rows))
    click.echo(f"\nNext: softmaxclf visualize-weights {console.quoted(model)}")
