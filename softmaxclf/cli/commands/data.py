"""softmaxclf data."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from softmaxclf.cli import console, options
from softmaxclf.config import Config
from softmaxclf.config.schema import SEED

MOST_CLASSES = 50  # that describe lists
DIRECTORY = click.option(
    "--directory", type=options.PATH, default=Path("data"), show_default=True, metavar="DIR",
    help="Folder of the data.",
)  # fmt: skip
FORM = click.option(
    "--form",
    type=click.Choice(["python", "binary"]),
    default="python",
    show_default=True,
    help="File layout.",
)


@click.group()
def data() -> None:
    """Fetch CIFAR or MNIST, check what is on disk, look at any data, write the sample set.

    \b
    Example:
      softmaxclf data verify
    """


@data.command(short_help="Fetch CIFAR-10, CIFAR-100, MNIST or Fashion-MNIST.")
@click.argument(
    "source", type=click.Choice(["cifar10", "cifar100", "mnist", "fashion-mnist"]), default="cifar10"
)
@DIRECTORY
@FORM
@click.option(
    "--mirror", metavar="URL", help="Folder URL to fetch from instead; the hash is checked all the same."
)
@options.output
def download(output: console.Console, source: str, directory: Path, form: str, mirror: str | None) -> None:
    """Fetch CIFAR-10 or CIFAR-100 (about 170 MB), MNIST (12 MB) or Fashion-MNIST (31 MB).

    A download that was cut is resumed, and counts only when its hash (SHA-256, of MNIST MD5) is the published one.

    \b
    Example:
      softmaxclf data download cifar10
    """
    from softmaxclf.workflows.data import download as run_download

    path = run_download(source, directory, form, mirror, output)
    output.answer(
        {"source": source, "file": str(path)},
        lambda _: f"{console.quoted(path)} is complete\nNext: softmaxclf train --data {source}",
    )


@data.command(short_help="Say what data lies in a folder and whether it is official.")
@DIRECTORY
@options.output
def verify(output: console.Console, directory: Path) -> None:
    """Say what data lies in a folder, whether it is official, and whether it can be read.

    \b
    Example:
      softmaxclf data verify --directory data
    """
    from softmaxclf.workflows.data import verify as run_verify

    output.answer({"found": run_verify(directory)}, _findings)


def _findings(answer: Mapping[str, Any]) -> str:
    return "\n".join("{file}: {status}\n  {what}: {detail}".format_map(each) for each in answer["found"])


@data.command(short_help="Say what a source holds.")
@options.settings
@click.argument("data__source", metavar="SOURCE")
@options.out("FILE", "Draw a contact sheet of the training images.")
@options.output
def describe(output: console.Console, config: Config, out: Path | None) -> None:
    """Say what a source holds: rows and classes, ranges, and rows that stand there twice.

    SOURCE is what --data takes: images, arrays, a table, a pattern of files ('features/*.npy'). Test rows that stand
    among the training rows too are listed by number, from 0: they make a test accuracy too good.

    \b
    Example:
      softmaxclf data describe sample --out sheet.png
    """  # fmt: skip
    from softmaxclf.workflows.describe import describe as run_describe

    label = config.data.label
    label_set = "" if label is None else f" --set {console.quoted(f'data.label={label}')}"
    output.answer(run_describe(config, output, out), partial(_description, label_set))


def _description(options: str, found: Mapping[str, Any]) -> str:
    parts = list(found["splits"])
    listed = found["classes"][:MOST_CLASSES]
    rows = [[str(each["class"]), *(f"{each[part]:,}" for part in parts)] for each in listed]
    rows.append(["all", *(f"{found['splits'][part]['rows']:,}" for part in parts)])
    shape, left_out = found["image_shape"], len(found["classes"]) - len(listed)
    what = "{2} x {1} pixels, {0} channels".format(*shape) if shape else "features"
    lines = [f"{found['name']}: {len(found['classes']):,} classes, {found['features']:,} columns ({what})"]
    lines += [
        "",
        console.table(["class", *parts], rows),
        *([f"({left_out:,} more classes)"] * (left_out > 0)),
        "",
    ]
    for part, facts in found["splits"].items():
        told = f"{facts['least']:.6g} to {facts['greatest']:.6g} ({facts['type']})"
        lines.append(f"{part}: values {told}, {facts['repeated']:,} rows stand there before")
    for pair in found["shared"]:
        which = f" (rows {', '.join(map(str, pair['first']))}{', ...' * (pair['rows'] > len(pair['first']))})"
        lines.append(
            f"{pair['rows']:,} {pair['of']} rows stand in {pair['also_in']} too{which if pair['rows'] else ''}"
        )
    picture = [f"\nWrote {console.quoted(found['picture'])}"] if "picture" in found else []
    return "\n".join(
        [*lines, *picture, f"\nNext: softmaxclf tune --data {console.quoted(found['path'])}{options}"]
    )


@data.command(short_help="Write the built-in sample set to a folder.")
@click.argument("directory", type=options.PATH)
@FORM
@click.option(
    "--seed",
    type=options.number(SEED),
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of the drawing.",
)
@click.option("--overwrite", is_flag=True, help="Write into a folder that holds files.")
@options.output
def sample(output: console.Console, directory: Path, form: str, seed: int, overwrite: bool) -> None:
    """Write the built-in sample set to DIRECTORY in CIFAR-10's own layout.

    \b
    Example:
      softmaxclf data sample data/sample
    """
    from softmaxclf.workflows.data import write_sample

    output.answer(write_sample(directory, form, seed, overwrite), partial(_written, directory))


def _written(directory: Path, written: Mapping[str, Any]) -> str:
    rows = f"{written['train_rows']:,} training and {written['test_rows']:,} test images"
    folder = console.quoted(directory)
    return f"Wrote {rows} to {folder}\nNext: softmaxclf train --data {folder}"
