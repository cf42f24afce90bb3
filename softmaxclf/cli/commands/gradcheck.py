"""softmaxclf gradcheck."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import click

from softmaxclf.cli import console, options
from softmaxclf.config.schema import SEED
from softmaxclf.config.values import Number

HEAD = """\
{loss} on {rows:,} rows of {data}: {features:,} standardized features, {classes:,} classes, \
regularization {regularization:short}, seed {seed}"""
CHECKS = (("check", "{name}"), ("expected", "{expected}"), ("result", "{result}"), ("found", "{found}"))
TIMES = (
    ("time of loss and gradient", "{loss}"),
    ("naive loops", "{naive:.2f} ms"),
    ("vectorized", "{vectorized:.2f} ms"),
    ("times as fast", "{ratio:.1f}"),
)


@click.command()
@click.option(
    "--data",
    "source",
    default="sample",
    show_default=True,
    metavar="SOURCE",
    help="Data set whose rows are used.",
)
@click.option(
    "--rows",
    type=options.number(Number(0, 10**9, whole=True)),
    metavar="N",
    help="Training rows to use, drawn with --seed: 2 to 5,000.  [default: 200, or all if fewer]",
)
@click.option(
    "--loss",
    type=click.Choice(["softmax", "hinge"]),
    default="softmax",
    show_default=True,
    help="The loss to check.",
)
@click.option(
    "--seed",
    type=options.number(SEED),
    default=0,
    show_default=True,
    metavar="N",
    help="Of the rows, weights and directions drawn.",
)
@options.output
def gradcheck(output: console.Console, **request: Any) -> None:
    """Check every gradient by an independent route: numeric differences, naive loops, common sense.

    Exits with 1, after the same table, when a check fails.

    \b
    Example:
      softmaxclf gradcheck --loss hinge
    """  # fmt: skip
    from softmaxclf.workflows.lessons.gradcheck import gradcheck as run_gradcheck

    result = run_gradcheck(output, **request)
    output.answer(result, _text)
    if not result["passed"]:
        click.get_current_context().exit(1)


def _text(result: Mapping[str, Any]) -> str:
    checks = result["checks"]
    times = [
        {**each, **{name: 1000 * each[f"{name}_seconds"] for name in ("naive", "vectorized")}}
        for each in result["times"]
    ]
    parts = [console.fill(HEAD, result), _checks(checks), console.listed(times, TIMES)]
    if result["loss"] == "hinge":
        parts.append(_kinks(checks))
    failed = [console.fill("{name} ({group})", check) for check in checks if not check["passed"]]
    if failed:
        parts.append(f"FAILED: {len(failed)} of {len(checks)} checks: {'; '.join(failed)}")
    else:
        parts.append(f"All {len(checks)} checks passed.")
    return "\n\n".join(parts)


def _checks(checks: Sequence[Mapping[str, Any]]) -> str:
    """The table of all checks, under a line for each group."""
    items = [{**check, "result": "ok" if check["passed"] else "FAILED"} for check in checks]
    heading, *lines = console.listed(items, CHECKS, left=(0, 1, 3)).splitlines()
    text = [heading]
    for group, members in groupby(zip(checks, lines, strict=True), key=lambda each: each[0]["group"]):
        text += [f"-- {group}", *(line for _, line in members)]
    return "\n".join(text)


def _kinks(checks: Sequence[Mapping[str, Any]]) -> str:
    """Where the hinge bends within a step of a numeric difference, so that nothing can be said there."""
    found = {(kink["row"], kink["class"]) for check in checks for kink in check["kinks"]}
    if not found:
        return "Kinks: none; no margin s_j - s_y + 1 changes its sign within a step of a numeric difference."
    named = ", ".join(f"row {row} at class {name}" for row, name in sorted(found))
    return f"Kinks: {len(found)}, where a margin s_j - s_y + 1 changes its sign within a step: {named}"
