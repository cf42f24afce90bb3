"""softmaxclf gradcheck."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from softmaxclf.cli import console, options


@click.command()
@click.option(
    "--data", default="sample", show_default=True, metavar="SOURCE", help="Data set whose rows are used."
)
@click.option(
    "--rows",
    type=int,
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
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Of the rows, weights and directions drawn.",
)
@options.output
def gradcheck(data: str, rows: int | None, loss: str, seed: int, **others: Any) -> None:
    """Check every gradient by an independent route: numeric differences, naive loops, common sense.

    Exits with 1, after the same table, when a check fails.

    \b
    Example:
      softmaxclf gradcheck --loss hinge
    """  # fmt: skip
    from softmaxclf.workflows.lessons.gradcheck import GradcheckRequest
    from softmaxclf.workflows.lessons.gradcheck import gradcheck as run_gradcheck

    result = run_gradcheck(GradcheckRequest(data, rows, loss, seed), console.console_of(others))
    if others["as_json"]:
        console.print_json(result)
    else:
        click.echo("\n\n".join(_parts(result)))
    if not result["passed"]:
        click.get_current_context().exit(1)


def _parts(result: Mapping[str, Any]) -> list[str]:
    head = (
        f"{result['loss']} on {result['rows']:,} rows of {result['data']}: {result['features']:,} standardized "
        f"features, {result['classes']:,} classes, regularization {result['regularization']:g}, seed {result['seed']}"
    )
    parts = [head, _checks(result["checks"]), _times(result["times"])]
    if result["loss"] == "hinge":
        parts.append(_kinks(result["checks"]))
    failed = [f"{check['name']} ({check['group']})" for check in result["checks"] if not check["passed"]]
    every = len(result["checks"])
    parts.append(
        f"FAILED: {len(failed)} of {every} checks: {'; '.join(failed)}"
        if failed
        else f"All {every} checks passed."
    )
    return parts


def _checks(checks: Sequence[Mapping[str, Any]]) -> str:
    """The table of all checks, under a line for each group."""
    columns = [[check[name] for check in checks] for name in ("name", "expected", "found")]
    titles = ("check", "expected", "found")
    widths = [max(map(len, (title, *column))) for title, column in zip(titles, columns, strict=True)]
    # The table aligns to the right what is not in the first column; these are words.
    padded = [
        [text.ljust(width) for text in (title, *column)]
        for title, column, width in zip(titles, columns, widths, strict=True)
    ]
    results = ["ok" if check["passed"] else "FAILED" for check in checks]
    lines = console.table(
        [column[0] for column in padded] + ["result"],
        [
            [*cells, result]
            for *cells, result in zip(*(column[1:] for column in padded), results, strict=True)
        ],
    ).splitlines()
    text = [lines[0]]
    group = None
    for check, line in zip(checks, lines[1:], strict=True):
        if check["group"] != group:
            group = check["group"]
            text.append(f"-- {group}")
        text.append(line)
    return "\n".join(text)


def _times(times: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [each["loss"], *(f"{1000 * each[key]:.2f} ms" for key in ("naive_seconds", "vectorized_seconds")),
         f"{each['ratio']:.1f}"]
        for each in times
    ]  # fmt: skip
    return console.table(["time of loss and gradient", "naive loops", "vectorized", "times as fast"], rows)


def _kinks(checks: Sequence[Mapping[str, Any]]) -> str:
    """Where the hinge bends within a step of a numeric difference, so that nothing can be said there."""
    found = {(kink["row"], kink["class"]) for check in checks for kink in check["kinks"]}
    if not found:
        return "Kinks: none; no margin s_j - s_y + 1 changes its sign within a step of a numeric difference."
    named = ", ".join(f"row {row} at class {name}" for row, name in sorted(found))
    return f"Kinks: {len(found)}, where a margin s_j - s_y + 1 changes its sign within a step: {named}"
