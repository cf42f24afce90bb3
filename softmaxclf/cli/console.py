"""What people see: progress bars and notes on stderr, tables on stdout."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from tqdm import tqdm

from softmaxclf.workflows.observer import Observer


class Console(Observer):
    """Prints what a workflow tells. Bars appear only when stderr is a terminal."""

    def __init__(
        self, *, quiet: bool = False, verbose: bool = False, no_progress: bool = False, **others: Any
    ) -> None:
        self.quiet, self.verbose, self.no_progress = quiet, verbose, no_progress or quiet
        self._bar: tqdm[Any] | None = None

    def note(self, text: str) -> None:
        if not self.quiet:
            self._print(text)

    def detail(self, text: str) -> None:
        if self.verbose:
            self._print(text)

    def warn(self, text: str) -> None:
        self._print(f"Warning: {text}")

    def begin(self, what: str, total: int, done: int = 0, unit: str = "it") -> None:
        self._bar = tqdm(
            desc=what,
            total=total,
            initial=done,
            unit=unit,
            unit_scale=unit == "B",
            unit_divisor=1000,
            file=sys.stderr,
            disable=True if self.no_progress else None,
            dynamic_ncols=True,
            leave=False,
        )

    def advance(self, done: int, figures: str = "") -> None:
        if self._bar is not None and not self._bar.disable:
            if figures:
                self._bar.set_postfix_str(figures, refresh=False)
            self._bar.update(done - self._bar.n)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _print(self, text: str) -> None:
        tqdm.write(text, file=sys.stderr)


def console_of(options: Mapping[str, Any]) -> Console:
    """The console that the output options ask for."""
    return Console(**{name: options[name] for name in ("quiet", "verbose", "no_progress")})


def print_json(document: object) -> None:
    """One JSON document on stdout."""
    from softmaxclf.runs import to_json

    click.echo(to_json(document))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text columns under their names, padded; the first column to the left, the others to the right."""
    lines = [list(columns), *map(list, rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]

    def padded(line: list[str]) -> str:
        first = line[0].ljust(widths[0])
        return "  ".join(
            [first, *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )

    return "\n".join(padded(line).rstrip() for line in lines)


def percent(share: float | None) -> str:
    """A share as "38.60 %", or a dash when there is none."""
    return "-" if share is None or share != share else f"{100 * share:.2f} %"


def interval(bounds: Sequence[float]) -> str:
    """A 95 % interval as "35.6 to 41.7 %", or a dash when there is none."""
    if bounds[0] is None or bounds[0] != bounds[0]:
        return "-"
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"


def number(value: float | None, digits: int = 4) -> str:
    """A figure with that many decimals, or a dash when there is none."""
    return "-" if value is None or value != value else f"{value:.{digits}f}"


def figure(value: Any) -> str:
    """What a solver reports of a cell: four digits, yes or no, or a dash when there is nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, int | float) else "-" if value is None else str(value)


def settings(values: Mapping[str, float]) -> str:
    """The settings of a cell in words: "learning rate 1e-07, regularization 8000"."""
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in values.items())


def splits_table(splits: Mapping[str, Mapping[str, Any]]) -> str:
    """Accuracy of each split with its interval, rows and loss."""
    rows = [
        [
            name,
            percent(split["accuracy"]),
            interval(split["interval"]),
            f"{split['rows']:,}",
            number(split["loss"]),
        ]
        for name, split in splits.items()
    ]
    text = table(["split", "accuracy", "95 % interval", "rows", "loss"], rows)
    notes = [f"{name}: {split['note']}" for name, split in splits.items() if split.get("note")]
    return "\n".join([text, *notes])


def quoted(path: object) -> str:
    """A path as a shell would take it."""
    return shlex.quote(str(path))
