"""softmaxclf report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from softmaxclf.cli import console, options


@click.command()
@click.argument("run", type=options.PATH)
@options.data()
@options.out("FILE", "HTML file. [default: report.html in the run folder, or index.html]")
@options.output
def report(output: console.Console, run: Path, source: str | None, out: Path | None) -> None:
    """Make a run's report again: one HTML page with its results, pictures and how to reproduce them.

    RUN is a run folder, or a folder of runs: then the page is a table of them with their results. The page needs no
    network; rows of a run's data are shown where they can be read.

    \b
    Example:
      softmaxclf report runs/demo --out report.html
      softmaxclf report runs
    """
    from softmaxclf.workflows.models.report import remake_report
    from softmaxclf.workflows.models.run_index import is_folder_of_runs, write_index

    if is_folder_of_runs(run):
        output.answer(write_index(run, source, output, out=out), _index_text)
        return
    path = remake_report(run, source, output, out=out)
    output.answer(
        {"run": str(run), "report": str(path)},
        lambda _: f"Wrote {console.quoted(path)}\nNext: open it in a browser",
    )


def _index_text(result: Mapping[str, Any]) -> str:
    count = len(result["runs"])
    runs = f"{count:,} {'run' if count == 1 else 'runs'}"
    return f"Wrote {console.quoted(result['index'])}: {runs}\nNext: open it in a browser"
