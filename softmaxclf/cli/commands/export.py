"""softmaxclf export."""

from pathlib import Path

import click

from softmaxclf.cli import console, options
from softmaxclf.exports import FORMATS

TEXT = """\
Wrote {file:quoted}: {formula}
Its scores are the model's to {largest_difference:figure} on {rows:,} rows"""


@click.command()
@options.model
@click.option("--format", "form", type=click.Choice([*FORMATS]), required=True, help="What reads it.")
@options.out("FILE", "The file. [default: export and the format's ending, beside the weights]")
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
@options.output
def export(output: console.Console, model: Path, form: str, out: Path | None, overwrite: bool) -> None:
    """Write a model for other programs: raw pixels or features go in, scores come out.

    MODEL is a run folder or a weights.npz. Preprocessing is folded into weights W and bias b; what cannot be, such as a
    unit norm, stands in the file as a formula; patch features go to onnx and torch, as a convolution. Class names and
    how the model was made travel along. The file is read back, and its scores are compared, before it is kept. npz and
    json need nothing more; the others need the extras safetensors, onnx, torch, and skops for sklearn.

    \b
    Example:
      softmaxclf export runs/demo --format npz --out frogs.npz
    """
    from softmaxclf.workflows.models.export import export as run_export

    result = run_export(model, form=form, out=out, overwrite=overwrite)
    output.answer(result, lambda found: console.fill(TEXT, found))
