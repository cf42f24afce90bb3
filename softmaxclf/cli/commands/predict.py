"""softmaxclf predict."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from softmaxclf.cli import console, options
from softmaxclf.config.values import Number
from softmaxclf.errors import ConfigError

if TYPE_CHECKING:
    from softmaxclf.workflows.models.predict import Prediction, Predictions
    from softmaxclf.workflows.models.predict_rows import RowPredictions

WIDEST_FILE, WIDEST_LABEL = 48, 24  # longer names push their line to the right
ROW_WIDTH = 7


@click.command()
@options.model
@click.argument("inputs", type=options.IMAGE, nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--top",
    type=options.number(Number(1, 10**6, whole=True)),
    default=3,
    show_default=True,
    metavar="N",
    help="Labels to show of each image or row.",
)
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "jsonl"]), help="What is printed. [default: table]"
)
@click.option("--probabilities", is_flag=True, help="csv, jsonl: the probabilities of all classes too.")
@options.out(
    "FILE|DIR",
    "A table to write, if it ends in .csv or .jsonl. Else a folder for predictions.csv and, of one image, a sheet with "
    "its probabilities and which pixels speak for and against the first two labels; of several, predictions.html, "
    "a page of them all (of more than 200: the least sure).",
)
@options.output
def predict(
    output: console.Console,
    model: Path,
    inputs: tuple[Path, ...],
    top: int,
    form: str | None,
    probabilities: bool,
    out: Path | None,
) -> None:
    """Labels and probabilities of image files, of a table or of an array.

    MODEL is a run folder or a weights.npz. INPUT is an image (PNG, JPEG, GIF, BMP, WEBP, TIFF), a folder of them,
    searched through, a table (.csv, .tsv, .parquet), an .npy of rows, or a pattern of such files ('features/*.npy'). An
    image of another size than the model's is cropped to its centre and resized, what is transparent is white,
    animations give their first frame; one that cannot be read is reported and the others are done; the exit code is
    then 3. A table has the model's columns by name, in any order; it needs no labels. Rows are counted from 0.

    \b
    Examples:
      softmaxclf predict runs/demo photo.jpg --out sheets
      softmaxclf predict runs/flowers flowers.csv --out predictions.csv
    """  # fmt: skip
    from softmaxclf.workflows.models.predict_rows import FORMATS, chosen_format, lines, written

    form = chosen_format(form, out)
    file = out if out is not None and out.suffix[1:].lower() in FORMATS else None
    if probabilities and file is None and form == "table":
        raise ConfigError(
            "--probabilities: expected --format csv or jsonl, or --out FILE.csv, got a table; choose one"
        )
    predictions = _predictions(output, model, inputs, top, None if file else out)
    names = predictions.model.class_names
    if file is not None:
        count = written(file, predictions, names, probabilities=probabilities)
        document = {"file": str(file), "written": count}
        output.answer(document, lambda _: f"{count:,} predictions are in {console.quoted(file)}")
    elif output.as_json:
        output.answer({"predictions": [prediction.summary() for prediction in predictions]}, str)
    elif form != "table":
        for text in lines(predictions, form, names, probabilities=probabilities):
            console.say(text, end="")
    else:
        _print_table(predictions, model, out)
        return
    predictions.raise_if_failed()


def _predictions(
    output: console.Console, model: Path, inputs: tuple[Path, ...], top: int, out: Path | None
) -> "Predictions | RowPredictions":
    """Those of image files, or of one table or array."""
    from softmaxclf.workflows.models.predict import Predictions
    from softmaxclf.workflows.models.predict_rows import RowPredictions, is_rows

    tables = [path for path in inputs if is_rows(path)]
    if not tables:
        return Predictions(model, inputs, output, top=top, out=out)
    if len(inputs) > 1:
        raise ConfigError(
            f"predict: expected one table or array, or images, got {len(inputs)} inputs; name {tables[0]} alone"
        )
    if out is not None:
        raise ConfigError(
            f"--out {out}: expected a file ending in .csv or .jsonl for rows, which have no sheets; choose one"
        )
    return RowPredictions(model, tables[0], output, top=top)


def _print_table(predictions: "Predictions | RowPredictions", model: Path, out: Path | None) -> None:
    """The lines as they come, and what to do next."""
    from softmaxclf.files import printable
    from softmaxclf.workflows.models.predict import Predictions

    images = isinstance(predictions, Predictions)
    row = _row(predictions, printable)
    several = min(predictions.top, predictions.model.classes) > 1
    rows = [("file" if images else "row", "label", "probability", "runners-up" if several else "")]
    for prediction in predictions:
        if prediction.error is None:
            rows.append((printable(prediction.item), *_cells(prediction)))
            for cells in rows:
                console.say(row(*cells).rstrip())
            rows.clear()
    if isinstance(predictions, Predictions) and predictions.picture is not None:
        picture = console.quoted(printable(predictions.picture))
        console.say(f"\nOpen {picture}; the table beside it is predictions.csv")
    predictions.raise_if_failed()
    if out is None:
        given = predictions.files[0] if isinstance(predictions, Predictions) else predictions.source
        command = f"softmaxclf predict {console.quoted(model)} {console.quoted(printable(given))}"
        console.say(f"\nNext: {command} --out {'sheets' if images else 'predictions.csv'}")


def _row(predictions: "Predictions | RowPredictions", printable: Callable[[Path], str]) -> Callable[..., str]:
    """What makes a line of the table of four cells; lines are shown as they come, so widths are fixed before."""
    files = getattr(predictions, "files", None)
    width = ROW_WIDTH if files is None else max(4, *(len(printable(file)) for file in files))
    label_width = min(WIDEST_LABEL, max(5, *map(len, predictions.model.class_names)))
    return f"{{:{min(WIDEST_FILE, width)}}}  {{:{label_width}}}  {{:>11}}  {{}}".format


def _cells(prediction: "Prediction") -> tuple[str, str, str]:
    (label, share), *others = prediction.top
    return (
        label,
        console.percent(share),
        ", ".join(f"{each} {console.percent(other)}" for each, other in others),
    )
