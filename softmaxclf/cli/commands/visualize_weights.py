"""softmaxclf visualize-weights."""

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
    "--out", type=click.Path(path_type=Path), metavar="FILE",
    help="Picture file; its ending names the format. [default: templates.png beside the weights]",
)
@options.output
def visualize_weights(model: Path, view: str, out: Path | None, **others: Any) -> None:
    """Draw what each class looks for: its weights as an image, or its largest weights as bars.

    MODEL is a run folder or a weights.npz.

    \b
    Example:
      softmaxclf visualize-weights runs/demo --view signed --out templates.png
    """
    from softmaxclf.workflows.visualize import visualize

    path = visualize(model, view=view, out=out)
    if others["as_json"]:
        console.print_json({"model": str(model), "view": view, "picture": str(path)})
        return
    click.echo(f"Wrote {console.quoted(path)}")
