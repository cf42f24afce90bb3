"""softmaxclf tune."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import click

from softmaxclf.cli import console, options
from softmaxclf.core.numbers import distinct, short

FIGURES = {
    "accuracy": ("validation", "{validation_accuracy:percent}"),
    "interval": ("95 % interval", "{validation_interval:interval}"),
    "loss": ("loss", "{validation_loss:number}"),
    "train": ("train", "{train_accuracy:percent}"),
}
SHOWN = ("train_accuracy", "validation_accuracy", "validation_interval", "validation_loss", "status", "tied")
UNSHOWN = (  # pictures and results.csv have them, and the table one with repeats
    *("train_loss", "weight_norm", "error", "loss_error", "validation_accuracy_sd", "validation_loss_sd"),
)
DEVIATION = ("± sd", "{validation_accuracy_sd:percent}")
BEST_CELLS, MOST_VALUES = 10, 8
# What a narrow screen does without, the first first; results.csv has all of it.
OPTIONAL = ("passes", "objective", "proven", "gap", "train", "95 % interval", "± sd", "note")
RESULT = """\
Best: {winner}
{table}
(train over {splits[train][rows]:,} rows, validation over {splits[validation][rows]:,})

{cells}

Open {run:quoted}/report.html
Next: softmaxclf visualize-weights {run:quoted}"""
PLAN = """\
models:           {cells:,} cells{repeated}{work}
stacks:           {widths} models wide
memory:           {megabytes:,.0f} MB for the widest stack, bound {bound:,.0f} MB
time:             about {seconds:,.1f} s of training
measured:         {probe}
run folder:       {run:quoted}"""


@click.command()
@options.configuration
@options.grid
@options.descent
@options.engine
@click.option("--all", "every", is_flag=True, help="List all cells of the grid, not only the ten best.")
@click.option("--dry-run", is_flag=True, help="Show the grid, its stacks, memory and time; write nothing.")
@options.run
@options.output
def tune(output: console.Console, logs: tuple[str, ...], every: bool, dry_run: bool, **choices: Any) -> None:
    """Train a grid of learning rates and regularizations at once and save the best model.

    The objective is mean loss + 0.5 * regularization * |W|^2. An AXIS is a list such as 1e-7,3e-7 or a range
    such as 1e2:1e4:log5. The best cell is chosen on the validation rows (or by cross-validation); the test
    split is read once, for the winner.

    \b
    Example:
      softmaxclf tune --data sample --regularizations 0.1:10:log3
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
    output.answer(summary, partial(_text, every))


ENGINE = (
    "engine:           {kind}, {workers} workers, the {what} in {parts} parts; {out:,.0f} MB go out, {back:,.0f} MB "
    "come back"
)
FEATURES = (
    "features:         {features:,} of each image, {megabytes:,.0f} MB, about {features_seconds:.0f} s if new"
)


def _text(every: bool, summary: Mapping[str, Any]) -> str:
    from softmaxclf.core.search import axes_of, named

    best = summary["best"]
    winner = named({name: best[name] for name in axes_of(best)})
    winner = console.coloured(winner, bold=True)
    winner += ", trained again on all rows" if best["refit"] else ""
    winner += console.proof(summary) + _repeats(summary)
    cells = _cells(summary, every)
    told = {**summary, "winner": winner, "table": console.splits_table(summary["splits"]), "cells": cells}
    return console.fill(RESULT, told)


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


def _cells(summary: Mapping[str, Any], every: bool) -> str:
    """The best cells by the deciding metric, or every one in the order of the grid, and what is to know of them."""
    from softmaxclf.core.search import axes_of

    cells, axes = summary["cells"], axes_of(summary["best"])
    metric = summary.get("chosen_by", {}).get("metric", "accuracy")
    shown, told = cells, [f"All {len(cells):,} cells"]
    if not every and len(cells) > BEST_CELLS:
        shown = sorted(cells, key=partial(_rank, metric))[:BEST_CELLS]
        told = [
            f"The {BEST_CELLS} best of {len(cells):,} cells by validation {metric}; --all lists the others"
        ]
        if gone := sum(cell["status"].startswith("diverged") for cell in cells):
            told.append(f"{gone:,} diverged")
    marks = [
        "*" if all(cell[name] == summary["best"][name] for name in axes) else "~" if cell.get("tied") else " "
        for cell in shown
    ]
    legend = [text for mark, text in (("*", "* best"), ("~", "~ cannot be told from it")) if mark in marks]
    table = _table(shown, marks, axes, metric, "repeats" in summary).splitlines()
    table = [console.coloured(line, bold=True, fg="green") if line[0] == "*" else line for line in table]
    lines = ["; ".join(told), ", ".join(legend), *(f"Note: {each}" for each in summary.get("notes", ()))]
    return "\n".join([*table, *map(console.wrapped, lines)])


def _rank(metric: str, cell: Mapping[str, Any]) -> tuple[float, ...]:
    """By the deciding metric, then the other; cells that were stopped early come behind, those without figures last."""
    merits = {
        name: sign * value
        if (value := cell[f"validation_{name}"]) is not None and value == value
        else math.inf
        for name, sign in (("accuracy", -1), ("loss", 1))
    }
    return not cell["status"].startswith(("ok", "cut")), merits.pop(metric), *merits.values()


def _table(
    cells: Sequence[Mapping[str, Any]], marks: Sequence[str], axes: Sequence[str], metric: str, repeated: bool
) -> str:
    """A line for each cell; what its solver tells beyond the usual, and what became of it, as far as there is room."""
    more = list(
        dict.fromkeys(name for cell in cells for name in cell if name not in {*axes, *SHOWN, *UNSHOWN})
    )
    (first, template), *others = [(name.replace("_", " "), f"{{settings[{name}]}}") for name in axes]
    order = ("accuracy", "interval", "loss") if metric == "accuracy" else ("loss", "accuracy", "interval")
    figures = [FIGURES[name] for name in order]
    if repeated:
        figures.insert(1 + figures.index(FIGURES["accuracy"]), DEVIATION)
    noted = any(cell["status"] != "ok" for cell in cells)
    columns = [
        (f"  {first}", f"{{mark}} {template}"),
        *others,
        *figures,
        FIGURES["train"],
        *((name, f"{{{name}:figure}}") for name in more),
        *([("note", "{note}")] * noted),
    ]
    settings = {name: distinct([cell[name] for cell in cells]) for name in axes}
    items = [
        {
            **dict.fromkeys(more), **cell, "mark": mark, "note": "" if cell["status"] == "ok" else cell["status"],
            "settings": {name: texts[cell[name]] for name, texts in settings.items()},
        }
        for cell, mark in zip(cells, marks, strict=True)
    ]  # fmt: skip
    return console.listed(items, columns, left=(0, len(columns) - 1) if noted else (0,), optional=OPTIONAL)


def _values(axis: Sequence[float]) -> str:
    """The values of an axis; of many, the first and the last."""
    if len(axis) <= MOST_VALUES:
        return ", ".join(map(short, axis))
    return f"{', '.join(map(short, axis[:2]))}, ... {short(axis[-1])} ({len(axis):,} values)"


def _plan_text(planned: Mapping[str, Any]) -> str:
    axes = [f"{name.replace('_', ' ') + ':':18}{_values(planned[name])}" for name in planned["axes"]]
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
