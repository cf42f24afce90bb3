"""softmaxclf tune."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from softmaxclf.cli import console, options

SHOWN = ("train_accuracy", "validation_accuracy", "validation_interval", "validation_loss", "status")


@click.command()
@options.configuration
@options.setting("tuning.learning_rates", metavar="AXIS")
@options.setting("tuning.regularizations", metavar="AXIS")
@options.setting("tuning.folds", metavar="N")
@options.setting("tuning.halving", "--halving/--no-halving")
@options.setting("tuning.select", metavar="RULE")
@options.setting("training.iterations", metavar="N")
@options.setting("training.batch_size", metavar="N")
@options.setting("training.seed", metavar="N")
@click.option("--dry-run", is_flag=True, help="Show the grid, its stacks, memory and time; write nothing.")
@options.run
@options.output
def tune(config_file: Path | None, settings: tuple[str, ...], dry_run: bool, **rest: Any) -> None:
    """Train a grid of learning rates and regularizations at once and save the best model.

    The objective is mean loss + 0.5 * regularization * |W|^2. An AXIS is a list such as 1e-7,3e-7 or a range
    such as 1e2:1e4:log5. The best cell is chosen on the validation rows (or by cross-validation); the test
    split is read once, for the winner.

    \b
    Example:
      softmaxclf tune --data sample --learning-rates 1e-7,1e-6 --regularizations 10,100
    """
    from softmaxclf.workflows.runs.plan import plan
    from softmaxclf.workflows.runs.session import Request
    from softmaxclf.workflows.runs.tune import tune as run_tune

    keyed, others = options.split_options(rest)
    config = options.read_config(config_file, settings, keyed)
    request = Request("tune", config, others["out"], others["overwrite"], others["max_time"])
    console_ = console.console_of(others)
    if dry_run:
        planned = plan(request, console_)
        if others["as_json"]:
            console.print_json(planned)
        else:
            click.echo(_plan_text(planned))
        return
    summary = run_tune(request, console_)
    if others["as_json"]:
        for warning in summary["warnings"]:
            console_.warn(warning)
        console.print_json(summary)
        return
    splits = summary["splits"]
    click.echo(_cells_table(summary["cells"], summary["best"]))
    click.echo(
        f"(train over {splits['train']['rows']:,} rows, validation over {splits['validation']['rows']:,})\n"
    )
    click.echo(_winner(summary["best"]))
    click.echo(console.splits_table(summary["splits"]))
    for warning in summary["warnings"]:
        console_.warn(warning)
    run = console.quoted(summary["run"])
    click.echo(f"\nThe best weights, the table and pictures are in {run}")
    click.echo(f"Next: softmaxclf visualize-weights {run}")


def _winner(best: Mapping[str, Any]) -> str:
    from softmaxclf.core.search import axes_of

    how = ", trained again on all training rows" if best["refit"] else ""
    return f"Best: {console.settings({name: best[name] for name in axes_of(best)})}{how}"


def _cells_table(cells: Sequence[Mapping[str, Any]], best: Mapping[str, Any]) -> str:
    from softmaxclf.core.search import axes_of

    axes = axes_of(best)
    figures = [name for name in cells[0] if name not in {*axes, *SHOWN}]
    rows = []
    for cell in cells:
        chosen = all(cell[name] == best[name] for name in axes)
        first, *others = [f"{cell[name]:g}" for name in axes]
        rows.append(
            [
                f"{'*' if chosen else ' '} {first}",
                *others,
                console.percent(cell["train_accuracy"]),
                console.percent(cell["validation_accuracy"]),
                console.interval(cell["validation_interval"]),
                console.number(cell["validation_loss"]),
                *(console.figure(cell.get(name)) for name in figures),
                cell["status"],
            ]
        )
    names = [name.replace("_", " ") for name in axes]
    columns = [
        f"  {names[0]}",
        *names[1:],
        "train",
        "validation",
        "95 % interval",
        "loss",
        *figures,
        "status",
    ]
    return console.table(columns, rows)


def _plan_text(planned: Mapping[str, Any]) -> str:
    grid = [
        *(
            f"{name.replace('_', ' ') + ':':18}{', '.join(f'{value:g}' for value in planned[name])}"
            for name in planned["axes"]
        ),
        f"models:           {planned['cells']:,} cells"
        + (f" x {planned['folds']} folds" if planned["folds"] else "")
        + f", {planned['iterations']:,} iterations of {planned['batch_size']:,} rows",
        f"stacks:           {', '.join(str(width) for width in planned['stacks'])} models wide",
        f"memory:           {planned['stack_bytes'] / 1e6:,.0f} MB for the widest stack, bound "
        f"{planned['bound_bytes'] / 1e6:,.0f} MB",
        f"time:             about {planned['seconds']:,.1f} s of training ({planned['probe']})",
        f"run folder:       {console.quoted(planned['run'])}",
    ]
    return "\n".join(grid)
