"""softmaxclf report."""

from pathlib import Path
from typing import Any

import click

from softmaxclf.cli import console, options


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", metavar="SOURCE", help="Data set. [default: the one that the model was trained on]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="HTML file. [default: report.html in the run folder]",
)
@options.output
def report(run: Path, data: str | None, out: Path | None, **others: Any) -> None:
    """Make a run's report again: one HTML page with its results, pictures and how to reproduce them.

    RUN is a run folder. The page needs no network; rows of the run's data are shown where they can be read.

    \b
    Example:
      softmaxclf report runs/demo --out report.html
    """
    from softmaxclf.workflows.models.report import remake_report

    path = remake_report(run, data, console.console_of(others), out=out)
    if others["as_json"]:
        console.print_json({"run": str(run), "report": str(path)})
        return
    click.echo(f"Wrote {console.quoted(path)}")
    click.echo("Next: open it in a browser")
