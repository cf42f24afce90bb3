"""softmaxclf train."""

from collections.abc import Mapping
from typing import Any

import click

from softmaxclf.cli import console, options


@click.command()
@options.configuration
@options.setting("training.solver", metavar="NAME")
@options.setting("training.learning_rate")
@options.setting("training.regularization")
@options.setting("training.iterations", metavar="N")
@options.setting("training.batch_size", metavar="N")
@options.setting("training.seed", metavar="N")
@options.setting("data.shots", metavar="N")
@click.option("--test", is_flag=True, help="Also score the test split.")
@options.run
@options.output
def train(output: console.Console, **request: Any) -> None:
    """Train one model and save its weights, metrics, curves and templates.

    The objective is mean loss + 0.5 * regularization * |W|^2.

    \b
    Example:
      softmaxclf train --data sample --iterations 500 --test
    """
    from softmaxclf.workflows.runs.session import Request
    from softmaxclf.workflows.runs.train import train as run_train

    summary = run_train(Request("train", **request), output)
    for warning in summary["warnings"]:
        output.warn(warning)
    output.answer(summary, _text)


def _text(summary: Mapping[str, Any]) -> str:
    run = console.quoted(summary["run"])
    following = "visualize-weights" if "test" in summary["splits"] else "evaluate"
    return (
        f"{console.splits_table(summary['splits'])}{console.proof(summary)}\n\n"
        f"Weights, metrics and pictures are in {run}\nNext: softmaxclf {following} {run}"
    )
