"""softmaxclf train."""

from collections.abc import Mapping
from typing import Any

import click

from softmaxclf.cli import console, options


@click.command()
@options.configuration
@options.one_model
@options.descent
@options.engine
@click.option("--test", is_flag=True, help="Also score the test split.")
@options.run
@options.output
def train(output: console.Console, logs: tuple[str, ...], **request: Any) -> None:
    """Train one model and save its weights, metrics, curves and templates.

    The objective is mean loss + 0.5 * regularization * |W|^2.

    \b
    Example:
      softmaxclf train --data sample --iterations 500 --test
    """
    from softmaxclf.engines import engaged
    from softmaxclf.logs.log import logged
    from softmaxclf.workflows.runs.session import Request
    from softmaxclf.workflows.runs.train import train as run_train

    with logged(logs, output) as observer, engaged(request["config"].engine, observer) as engine:
        summary = run_train(Request("train", engine=engine, **request), observer)
    for warning in summary["warnings"]:
        output.warn(warning)
    output.answer(summary, _text)


def _text(summary: Mapping[str, Any]) -> str:
    run = console.quoted(summary["run"])
    following = "visualize-weights" if "test" in summary["splits"] else "evaluate"
    return (
        f"{console.splits_table(summary['splits'])}{console.proof(summary)}\n\n"
        f"Open {run}/report.html\nNext: softmaxclf {following} {run}"
    )
