"""softmaxclf predict."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from softmaxclf.cli import console, options

if TYPE_CHECKING:
    from softmaxclf.workflows.models.predict import Prediction, Predictions

WIDEST_FILE, WIDEST_LABEL = 48, 24  # longer names push their line to the right


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("images", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--top", type=click.IntRange(min=1), default=3, show_default=True, help="Labels to show of each image."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write a sheet per image here: the image, its probabilities, and which pixels speak for and against the "
    "first two labels; and predictions.csv.",
)
@options.output
def predict(model: Path, images: tuple[Path, ...], top: int, out: Path | None, **others: Any) -> None:
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

    predictions = Predictions(model, images, console.console_of(others), top=top, out=out)
    if others["as_json"]:
        console.print_json([prediction.summary() for prediction in predictions])
        predictions.raise_if_failed()
        return
    line = _table_line(predictions, printable)
    for prediction in predictions:
        if prediction.error is None:
            tqdm.write(line(prediction))  # past the progress bar
    if out is not None:
        click.echo(f"\nSheets and predictions.csv are in {console.quoted(printable(out))}")
    predictions.raise_if_failed()
    if out is None:
        command = (
            f"softmaxclf predict {console.quoted(model)} {console.quoted(printable(predictions.files[0]))}"
        )
        click.echo(f"\nNext: {command} --out sheets")


def _table_line(
    predictions: "Predictions", printable: Callable[[Path], str]
) -> Callable[["Prediction"], str]:
    """What makes a line of the table; the first one comes with the names of the columns."""
    file_width = min(WIDEST_FILE, max(4, *(len(printable(file)) for file in predictions.files)))
    label_width = min(WIDEST_LABEL, max(5, *map(len, predictions.model.class_names)))
    heading = [f"{'file':{file_width}}  {'label':{label_width}}  probability"]
    if min(predictions.top, predictions.model.classes) > 1:
        heading[0] += "  runners-up"

    def line(prediction: "Prediction") -> str:
        (label, share), *others = prediction.top
        runners_up = ", ".join(f"{each} {console.percent(other)}" for each, other in others)
        cells = (
            f"{printable(prediction.file):{file_width}}  {label:{label_width}}  {console.percent(share):>11}"
        )
        return "\n".join([*[heading.pop() for _ in heading[:]], f"{cells}  {runners_up}".rstrip()])

    return line
