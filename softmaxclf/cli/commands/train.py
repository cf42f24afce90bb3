"""softmaxclf train."""

from pathlib import Path
from typing import Any

import click

from softmaxclf.cli import console, options


@click.command()
@options.configuration
@options.setting("training.learning_rate")
@options.setting("training.regularization")
@options.setting("training.iterations", metavar="N")
@options.setting("training.batch_size", metavar="N")
@options.setting("training.seed", metavar="N")
@click.option("--test", is_flag=True, help="Also score the test split.")
@options.run
@options.output
def train(config_file: Path | None, settings: tuple[str, ...], test: bool, **rest: Any) -> None:
    """Train one model and save its weights, metrics, curves and templates.

    The objective is mean loss + 0.5 * regularization * |W|^2.

    \b
    Example:
      softmaxclf train --data sample --iterations 500 --test
    """
    from softmaxclf.workflows.runs.train import TrainRequest
    from softmaxclf.workflows.runs.train import train as run_train

    keyed, others = options.split_options(rest)
    config = options.read_config(config_file, settings, keyed)
    request = TrainRequest("train", config, others["out"], others["overwrite"], others["max_time"], test)
    console_ = console.console_of(others)
    summary = run_train(request, console_)
    for warning in summary["warnings"]:
        console_.warn(warning)
    if others["as_json"]:
        console.print_json(summary)
        return
    click.echo(console.splits_table(summary["splits"]))
    run = console.quoted(summary["run"])
    click.echo(f"\nWeights, metrics and pictures are in {run}")
    following = "visualize-weights" if "test" in summary["splits"] else "evaluate"
    click.echo(f"Next: softmaxclf {following} {run}")
