"""softmaxclf predict."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from softmaxclf.cli import console, options

if TYPE_CHECKING:
    from softmaxclf.workflows.models.predict import Prediction, Predictions

WIDEST_FILE, WIDEST_LABEL = 48, 24  # longer names push their line to the right


@click.command()
@options.model
@click.argument("images", type=options.PATH, nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--top", type=click.IntRange(min=1), default=3, show_default=True, help="Labels to show of each image."
)
@options.out(
    "DIR",
    "Write a sheet per image here: the image, its probabilities, and which pixels speak for and against the "
    "first two labels; and predictions.csv.",
)
@options.output
def predict(
    output: console.Console, model: Path, images: tuple[Path, ...], top: int, out: Path | None
) -> None:
    """Labels and probabilities of image files, with the evidence behind them.

    MODEL is a run folder or a weights.npz. IMAGE is a file (PNG, JPEG, GIF, BMP, WEBP, TIFF, PPM) or a folder,
    searched through. An image of another size than the model's is cropped to its centre and resized, what is
    transparent is white, animations give their first frame. A file that cannot be read is reported and the
    others are done; the exit code is then 3.

    \b
    Example:
      softmaxclf predict runs/demo photo.jpg --out sheets
    """  # fmt: skip
    from softmaxclf.files import printable
    from softmaxclf.workflows.models.predict import Predictions

    predictions = Predictions(model, images, output, top=top, out=out)
    if output.as_json:
        output.answer([prediction.summary() for prediction in predictions], str)
        predictions.raise_if_failed()
        return
    row = _row(predictions, printable)
    several = min(top, predictions.model.classes) > 1
    rows = [("file", "label", "probability", "runners-up" if several else "")]
    for prediction in predictions:
        if prediction.error is None:
            rows.append((printable(prediction.file), *_cells(prediction)))
            for cells in rows:
                tqdm.write(row(*cells).rstrip())  # past the progress bar
            rows.clear()
    if out is not None:
        click.echo(f"\nSheets and predictions.csv are in {console.quoted(printable(out))}")
    predictions.raise_if_failed()
    if out is None:
        command = (
            f"softmaxclf predict {console.quoted(model)} {console.quoted(printable(predictions.files[0]))}"
        )
        click.echo(f"\nNext: {command} --out sheets")


def _row(predictions: "Predictions", printable: Callable[[Path], str]) -> Callable[..., str]:
    """What makes a line of the table of four cells; lines are shown as they come, so widths are fixed before."""
    file_width = min(WIDEST_FILE, max(4, *(len(printable(file)) for file in predictions.files)))
    label_width = min(WIDEST_LABEL, max(5, *map(len, predictions.model.class_names)))
    return f"{{:{file_width}}}  {{:{label_width}}}  {{:>11}}  {{}}".format


def _cells(prediction: "Prediction") -> tuple[str, str, str]:
    (label, share), *others = prediction.top
    return (
        label,
        console.percent(share),
        ", ".join(f"{each} {console.percent(other)}" for each, other in others),
    )
