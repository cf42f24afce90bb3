"""softmaxclf data."""

from pathlib import Path
from typing import Any

import click

from softmaxclf.cli import console, options

DIRECTORY = click.option(
    "--directory", type=click.Path(path_type=Path), default=Path("data"), show_default=True, metavar="DIR",
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
    """Fetch CIFAR, check what is on disk, write the sample set.

    \b
    Example:
      softmaxclf data verify
    """


@data.command()
@click.argument("source", type=click.Choice(["cifar10", "cifar100"]), default="cifar10")
@DIRECTORY
@FORM
@click.option(
    "--mirror", metavar="URL", help="Folder URL to fetch from instead; the hash is checked all the same."
)
@options.output
def download(source: str, directory: Path, form: str, mirror: str | None, **others: Any) -> None:
    """Fetch CIFAR-10 or CIFAR-100 (about 170 MB); resumes, and checks the SHA-256 before it counts.

    \b
    Example:
      softmaxclf data download cifar10
    """
    from softmaxclf.workflows.data import download as run_download

    path = run_download(source, directory, form, mirror, console.console_of(others))
    if others["as_json"]:
        console.print_json({"source": source, "file": str(path)})
        return
    click.echo(f"{console.quoted(path)} is complete")
    click.echo(f"Next: softmaxclf train --data {source}")


@data.command()
@DIRECTORY
@options.output
def verify(directory: Path, **others: Any) -> None:
    """Say what data lies in a folder, whether it is official, and whether it can be read.

    \b
    Example:
      softmaxclf data verify --directory data
    """
    from softmaxclf.workflows.data import verify as run_verify

    found = run_verify(directory)
    if others["as_json"]:
        console.print_json(found)
        return
    rows = [[each["file"], each["what"], each["status"], each["detail"]] for each in found]
    for row in rows:
        click.echo(f"{row[0]}: {row[2]}\n  {row[1]}: {row[3]}")


@data.command()
@click.argument("directory", type=click.Path(path_type=Path))
@FORM
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of the drawing."
)
@click.option("--overwrite", is_flag=True, help="Write into a folder that holds files.")
@options.output
def sample(directory: Path, form: str, seed: int, overwrite: bool, **others: Any) -> None:
    """Write the built-in sample set to DIRECTORY in CIFAR-10's own layout.

    \b
    Example:
      softmaxclf data sample data/sample
    """
    from softmaxclf.workflows.data import write_sample

    written = write_sample(directory, form, seed, overwrite)
    if others["as_json"]:
        console.print_json(written)
        return
    rows = f"{written['train_rows']:,} training and {written['test_rows']:,} test images"
    click.echo(f"Wrote {rows} to {console.quoted(directory)}")
    click.echo(f"Next: softmaxclf train --data {console.quoted(directory)}")
