"""softmaxclf tune."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from softmaxclf.cli import console, options

FIGURES = (
    ("train", "{train_accuracy:percent}"),
    ("validation", "{validation_accuracy:percent}"),
    ("95 % interval", "{validation_interval:interval}"),
    ("loss", "{validation_loss:number}"),
)
SHOWN = ("train_accuracy", "validation_accuracy", "validation_interval", "validation_loss", "status")
UNSHOWN = (  # pictures and results.csv have them, and the table one with repeats
    *("train_loss", "weight_norm", "error", "loss_error", "validation_accuracy_sd", "validation_loss_sd"),
)
DEVIATION = ("± sd", "{validation_accuracy_sd:percent}")
RESULT = """\
(train over {splits[train][rows]:,} rows, validation over {splits[validation][rows]:,})

{winner}
{table}

The best weights, the table and pictures are in {run:quoted}
Next: softmaxclf visualize-weights {run:quoted}"""
PLAN = """\
models:           {cells:,} cells{repeated}{work}
stacks:           {widths} models wide
memory:           {megabytes:,.0f} MB for the widest stack, bound {bound:,.0f} MB
time:             about {seconds:,.1f} s of training ({probe})
run folder:       {run:quoted}"""


@click.command(short_help="Train a grid of models at once and save the best.")
@options.configuration
@options.grid
@options.descent
@options.engine
@click.option("--dry-run", is_flag=True, help="Show the grid, its stacks, memory and time; write nothing.")
@options.run
@options.output
def tune(output: console.Console, logs: tuple[str, ...], dry_run: bool, **choices: Any) -> None:
    """Train a grid of learning rates and regularizations at once and save the best model.

    The objective is mean loss + 0.5 * regularization * |W|^2. An AXIS is a list such as 1e-7,3e-7 or a range
    such as 1e2:1e4:log5. The best cell is chosen on the validation rows (or by cross-validation); the test
    split is read once, for the winner.

    \b
    Example:
      softmaxclf tune --data sample --regularizations 1e-4:1:log5
    """
    from softmaxclf.engines import engaged
    from softmaxclf.logs.log import logged
    from softmaxclf.workflows.runs.plan import plan
    from softmaxclf.workflows.runs.session import Request
    from softmaxclf.workflows.runs.tune import tune as run_tune

    if dry_run:
        with engaged(choices["config"].engine, output) as engine:
            output.answer(plan(Request("tune", engine=engine, **choices), output), _plan_text)
        return
    with logged(logs, output) as observer, engaged(choices["config"].engine, observer) as engine:
        summary = run_tune(Request("tune", engine=engine, **choices), observer)
    for warning in summary["warnings"]:
        output.warn(warning)
    output.answer(summary, _text)


ENGINE = (
    "engine:           {kind}, {workers} workers, the {what} in {parts} parts; {out:,.0f} MB go out, {back:,.0f} MB "
    "come back"
)
FEATURES = (
    "features:         {features:,} of each image, {megabytes:,.0f} MB, about {features_seconds:.0f} s if new"
)


def _text(summary: Mapping[str, Any]) -> str:
    from softmaxclf.core.search import axes_of, named

    best = summary["best"]
    axes = axes_of(best)
    how = ", trained again on all rows" if best["refit"] else ""
    winner = f"Best: {named({name: best[name] for name in axes})}{how}"
    winner += console.proof(summary) + _repeats(summary)
    told = {**summary, "winner": winner, "table": console.splits_table(summary["splits"])}
    return f"{_cells_table(summary['cells'], best, axes, 'repeats' in summary)}\n{console.fill(RESULT, told)}"


def _repeats(summary: Mapping[str, Any]) -> str:
    """What other seeds made of the winner's settings; empty of a grid that was trained once."""
    repeats = summary.get("repeats")
    if repeats is None:
        return ""
    spreads = [
        console.fill(f"{name} {{mean:percent}} ± {{sd:percent}}", repeats[name])
        for name in ("validation", "test")
        if name in repeats
    ]
    least = "{least_difference:percent}" if repeats["metric"] == "accuracy" else "{least_difference:number}"
    lines = [
        f"{{count}} repeats, with other seeds: {', '.join(spreads)} (mean ± standard deviation)",
        f"Differences of the mean validation {{metric}} below {least} cannot be told from chance",
        "The weights, and the table below, are those of the first repeat",
    ]
    return "".join(f"\n{console.fill(line, repeats)}" for line in lines)


def _cells_table(
    cells: Sequence[Mapping[str, Any]], best: Mapping[str, Any], axes: Sequence[str], repeated: bool
) -> str:
    """All cells, the best one with a star, and what their solver tells beyond the usual."""
    more = list(
        dict.fromkeys(name for cell in cells for name in cell if name not in {*axes, *SHOWN, *UNSHOWN})
    )
    (first, template), *others = [(name.replace("_", " "), f"{{{name}:g}}") for name in axes]
    columns = [
        (f"  {first}", f"{{mark}} {template}"),
        *others,
        *FIGURES[:2],
        *([DEVIATION] if repeated else []),
        *FIGURES[2:],
        *((name, f"{{{name}:figure}}") for name in more),
        ("status", "{status}"),
    ]
    marks = ["*" if all(cell[name] == best[name] for name in axes) else " " for cell in cells]
    items = [{**dict.fromkeys(more), **cell, "mark": mark} for cell, mark in zip(cells, marks, strict=True)]
    return console.listed(items, columns)


def _plan_text(planned: Mapping[str, Any]) -> str:
    axes = [
        f"{name.replace('_', ' ') + ':':18}{', '.join(f'{value:g}' for value in planned[name])}"
        for name in planned["axes"]
    ]
    work = ""
    if "iterations" in planned:
        work = console.fill(", {iterations:,} iterations of {batch_size:,} rows", planned)
    told = {
        **planned,
        "work": work,
        "repeated": "".join(
            f" x {planned[each]} {each}" for each in ("folds", "repeats") if planned[each] > 1
        ),
        "widths": ", ".join(map(str, planned["stacks"])),
        "megabytes": planned["stack_bytes"] / 1e6,
        "bound": planned["bound_bytes"] / 1e6,
    }
    if "features" in planned:
        axes.append(console.fill(FEATURES, {**planned, "megabytes": planned["features_bytes"] / 1e6}))
    if engine := planned.get("engine"):
        what = "grid" if "iterations" in planned else "rows"
        sizes = {"out": engine["bytes_out"] / 1e6, "back": engine["bytes_back"] / 1e6}
        axes.append(console.fill(ENGINE, {**engine, **sizes, "what": what}))
    return "\n".join([*axes, console.fill(PLAN, told)])
