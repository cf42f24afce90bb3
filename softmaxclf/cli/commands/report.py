"""softmaxclf report."""

from pathlib import Path

import click

from softmaxclf.cli import console, options


@click.command()
@click.argument("run", type=options.PATH)
@options.data()
@options.out("FILE", "HTML file. [default: report.html in the run folder]")
@options.output
def report(output: console.Console, run: Path, source: str | None, out: Path | None) -> None:
    """Make a run's report again: one HTML page with its results, pictures and how to reproduce them.

    RUN is a run folder. The page needs no network; rows of the run's data are shown where they can be read.

    \b
    Example:
      softmaxclf report runs/demo --out report.html
    """
    from softmaxclf.workflows.models.report import remake_report

    path = remake_report(run, source, output, out=out)
    output.answer(
        {"run": str(run), "report": str(path)},
        lambda _: f"Wrote {console.quoted(path)}\nNext: open it in a browser",
    )
