"""softmaxclf visualize-weights."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from softmaxclf.cli import console, options
from softmaxclf.config.values import Number


@click.command("visualize-weights")
@options.model
@click.option(
    "--view",
    type=click.Choice(["shared", "per-class", "signed", "channels", "difference"]),
    default="shared",
    show_default=True,
    help="One brightness scale for all classes, one per class, red for and blue against (of a pixel, or of each "
    "channel), or minus the others.",
)
@click.option(
    "--classes", metavar="LIST", help="Only these classes, names or indices: cat,dog. [default: all]"
)
@click.option(
    "--columns", type=options.number(Number(1, 50, whole=True)), metavar="N", help="Classes side by side."
)
@click.option(
    "--examples",
    is_flag=True,
    help="Beside each template the mean of its training images, and those of highest and of lowest score.",
)
@options.data("Data set for --examples, and for the patches beside filters.")
@options.out("FILE", "Picture file; its ending names the format. [default: templates.png beside the weights]")
@click.option("--table", "as_table", is_flag=True, help="Also print each class's weights in numbers.")
@click.option(
    "--csv",
    type=options.PATH,
    metavar="FILE",
    help="Also write all weights as a table, a line per pixel or feature.",
)
@options.output
def visualize_weights(output: console.Console, model: Path, as_table: bool, **request: Any) -> None:
    """Draw what each class looks for: its weights as an image, or its largest weights as bars.

    MODEL is a run folder or a weights.npz. Of a model with patch features: its filters, and for each class those that
    speak for and against it, with the training patches that excite them most.

    \b
    Example:
      softmaxclf visualize-weights runs/demo --view signed --out templates.png
    """
    from softmaxclf.workflows.models.visualize import visualize

    result = visualize(model, output, **request)
    output.answer(result, partial(_text, as_table))


def _text(as_table: bool, result: Mapping[str, Any]) -> str:
    wrote = [f"Wrote {console.quoted(result[name])}" for name in ("picture", "csv") if name in result]
    return "\n".join([*([f"{_table(result['classes'])}\n"] if as_table else []), *wrote])


def _table(classes: Sequence[Mapping[str, Any]]) -> str:
    pixels = "channel" in classes[0]["strongest"]
    pixel = "{strongest[channel]}, {strongest[row]}, {strongest[column]}"
    columns = [
        ("class", "{class}"),
        ("least", "{least:figure}"),
        ("greatest", "{greatest:figure}"),
        ("norm", "{norm:figure}"),
        ("bias", "{bias:figure}"),
        ("strongest", "{strongest[weight]:figure}"),
        ("at channel, row, column", pixel) if pixels else ("at feature", "{strongest[feature]}"),
    ]
    return console.listed(classes, columns, optional=("norm", "bias"))
