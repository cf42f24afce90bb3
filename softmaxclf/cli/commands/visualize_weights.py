"""softmaxclf visualize-weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from softmaxclf.cli import console, options


@click.command("visualize-weights")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--view",
    type=click.Choice(["shared", "per-class", "signed", "difference"]),
    default="shared",
    show_default=True,
    help="One brightness scale for all classes, one per class, red for and blue against, or minus the others.",
)
@click.option(
    "--classes", metavar="LIST", help="Only these classes, names or indices: cat,dog. [default: all]"
)
@click.option("--columns", type=click.IntRange(1, 50), metavar="N", help="Classes side by side.")
@click.option(
    "--examples",
    is_flag=True,
    help="Beside each template the training images of highest and of lowest score; needs the data.",
)
@click.option(
    "--data",
    metavar="SOURCE",
    help="Data set for --examples. [default: the one that the model was trained on]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Picture file; its ending names the format. [default: templates.png beside the weights]",
)
@click.option("--table", "as_table", is_flag=True, help="Also print each class's weights in numbers.")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write all weights as a table, a line per pixel or feature.",
)
@options.output
def visualize_weights(
    model: Path,
    view: str,
    classes: str | None,
    columns: int | None,
    examples: bool,
    data: str | None,
    out: Path | None,
    as_table: bool,
    csv_file: Path | None,
    **others: Any,
) -> None:
    """Draw what each class looks for: its weights as an image, or its largest weights as bars.

    MODEL is a run folder or a weights.npz.

    \b
    Example:
      softmaxclf visualize-weights runs/demo --view signed --out templates.png
    """
    from softmaxclf.workflows.models.visualize import visualize

    if data is not None and not examples:
        raise click.UsageError("--data is for --examples; add it, or leave both out")
    result = visualize(
        model,
        console.console_of(others),
        view=view,
        classes=classes,
        columns=columns,
        examples=examples,
        source=data,
        out=out,
        csv=csv_file,
    )
    if others["as_json"]:
        console.print_json(result)
        return
    if as_table:
        click.echo(f"{_table(result['classes'])}\n")
    for name in ("picture", "csv"):
        if name in result:
            click.echo(f"Wrote {console.quoted(result[name])}")


def _table(classes: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            each["class"],
            *(f"{each[name]:.4g}" for name in ("least", "greatest", "norm", "bias")),
            f"{each['strongest']['weight']:.4g}",
            _place(each["strongest"]),
        ]
        for each in classes
    ]
    return console.table(["class", "least weight", "greatest", "norm", "bias", "strongest", "at"], rows)


def _place(strongest: Mapping[str, int]) -> str:
    if "channel" not in strongest:
        return f"feature {strongest['feature']}"
    return f"channel {strongest['channel']}, row {strongest['row']}, column {strongest['column']}"
