"""What people see: progress bars and notes on stderr, tables on stdout."""

import logging
import os
import shlex
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from string import Formatter
from typing import Any, ClassVar

import click
from tqdm import tqdm

from softmaxclf.files import own_file, printable
from softmaxclf.workflows.observer import Observer

LINE_SECONDS = 10.0  # between two lines of progress where there is no bar, and in a log file
LINE = "{desc}: {n_fmt}/{total_fmt} {unit} [{elapsed}<{remaining}{postfix}]"
LOG = logging.getLogger("softmaxclf")
# Where an output has no blocks: a cell that is half full or fuller is full, and what is emptier is left out.
PLAIN = str.maketrans({**dict.fromkeys("▌▋▊▉█", "#"), **dict.fromkeys("▏▎▍", None), "│": "|"})


class Console(Observer):
    """Prints what a workflow tells, and its answer. Bars appear only when stderr is a terminal, elsewhere a line now
    and then. All of it but the answer also goes into the log file, if there is one.
    """

    def __init__(
        self, *, quiet: bool, verbose: bool, no_progress: bool, as_json: bool, log_file: Path | None = None
    ) -> None:
        self.quiet, self.verbose, self.as_json = quiet, verbose, as_json
        self.no_progress = no_progress or quiet
        self.answered = False
        self._bar: tqdm[Any] | None = None
        if log_file is not None:
            open_log(log_file)

    def answer(self, document: Mapping[str, Any], text: Callable[[Any], str]) -> None:
        """The result on stdout: as one JSON document if that was asked for, else the text made of it."""
        from softmaxclf.runs import answer_json

        told = answer_json(document) if self.as_json else text(document)
        self.answered = True
        say(told)

    def note(self, text: str) -> None:
        LOG.info(text)
        if not self.quiet:
            self._print(text)

    def detail(self, text: str) -> None:
        LOG.debug(text)
        if self.verbose:
            self._print(text)

    def warn(self, text: str) -> None:
        LOG.warning(text)
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
        self._line = {
            "prefix": what,
            "total": total,
            "initial": done,
            "unit": unit,
            "unit_scale": unit == "B",
        }
        self._begun = self._lined = time.monotonic()

    def advance(self, done: int, figures: str = "") -> None:
        if self._bar is None:
            return
        if not self._bar.disable:
            if figures:
                self._bar.set_postfix_str(figures, refresh=False)
            self._bar.update(done - self._bar.n)
        if (now := time.monotonic()) - self._lined >= LINE_SECONDS:
            self._lined = now
            asked: dict[str, Any] = {**self._line, "bar_format": LINE, "postfix": figures}
            line = tqdm.format_meter(done, elapsed=now - self._begun, **asked)
            LOG.info(line)
            if self._bar.disable and not self.no_progress:
                self._print(line)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _print(self, text: str) -> None:
        tqdm.write(text, file=sys.stderr)


def open_log(path: Path) -> None:
    """Add what is logged to the end of that file, until `close_log`. Raises OutputError."""
    stream = os.fdopen(own_file(path), "a", encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.DEBUG)
    LOG.info(printable(shlex.join(["softmaxclf", *sys.argv[1:]])))
    logging.raiseExceptions = False  # a full disk ends the log, not the work


def close_log() -> None:
    """Close the log file, if there is one."""
    for handler in [each for each in LOG.handlers if isinstance(each, logging.StreamHandler)]:
        LOG.removeHandler(handler)
        with suppress(OSError):
            handler.stream.close()


def say(text: str, *, end: str = "\n") -> None:
    """Print a text on stdout, past a progress bar, in the letters that stdout has.

    Others become escapes, and the blocks of bars # signs.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    with tqdm.external_write_mode(file=sys.stdout):
        click.echo(f"{text}{end}", nl=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Text columns under their names, padded; those numbered in `left` to the left, the others to the right."""
    lines = [columns, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def padded(line: Sequence[str]) -> str:
        cells = enumerate(zip(line, widths, strict=True))
        return "  ".join(f"{cell:{'<' if place in left else '>'}{width}}" for place, (cell, width) in cells)

    return "\n".join(padded(line).rstrip() for line in lines)


def listed(
    items: Iterable[Mapping[str, Any]], columns: Sequence[tuple[str, str]], left: Collection[int] = (0,)
) -> str:
    """A table of items, a line each: columns are pairs of a title and a template of the cell, see `fill`."""
    rows = [[fill(template, each) for _, template in columns] for each in items]
    return table([title for title, _ in columns], rows, left)


def percent(share: float | None) -> str:
    """A share as "38.60 %", or a dash when there is none."""
    return "-" if share is None or share != share else f"{100 * share:.2f} %"


def interval(bounds: Sequence[float]) -> str:
    """A 95 % interval as "35.6 to 41.7 %", or a dash when there is none."""
    if bounds[0] is None or bounds[0] != bounds[0]:
        return "-"
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"


def number(value: float | None) -> str:
    """A figure with four decimals, or a dash when there is none."""
    return "-" if value is None or value != value else f"{value:.4f}"


def decimals(value: float | None) -> str:
    """Four decimals, three digits and an exponent where those would show nothing, or nothing of nothing."""
    if value is None:
        return ""
    value += 0.0  # turns -0 into 0
    return f"{value:.4f}" if value == 0 or 1e-4 <= abs(value) < 1e6 else f"{value:.2e}"


def figure(value: Any) -> str:
    """What a solver reports of a cell: four digits, yes or no, or a dash when there is nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, int | float) else "-" if value is None else str(value)


def quoted(path: object) -> str:
    """A path as a shell would take it."""
    return shlex.quote(str(path))


class _Filler(Formatter):
    FORMATS: ClassVar[dict[str, Callable[[Any], str]]] = {
        each.__name__: each for each in (percent, interval, number, decimals, figure, quoted)
    }

    def format_field(self, value: Any, format_spec: str) -> Any:
        named = self.FORMATS.get(format_spec)
        return named(value) if named else super().format_field(value, format_spec)


def fill(template: str, values: Mapping[str, Any]) -> str:
    """A template such as "{loss:number} on {rows:,} rows of {data}", where a format may be a function of this file."""
    return _Filler().vformat(template, (), values)


def proof(figures: Mapping[str, Any]) -> str:
    """A line of how near the objective is to the optimum; empty where the solver does not say."""
    if figures.get("gap") is None:
        return ""
    how = "proven" if figures["proven"] else "estimated, not proven"
    return f"\nObjective {figures['objective']:.6g}, relatively within {figures['gap']:.1g} of the optimum, {how}"


def splits_table(splits: Mapping[str, Mapping[str, Any]], title: str = "split") -> str:
    """Accuracy of each split with its interval, rows and loss, and what is to be noted of them."""
    items = [{"name": name, **split} for name, split in splits.items()]
    columns = [
        (title, "{name}"),
        ("accuracy", "{accuracy:percent}"),
        ("95 % interval", "{interval:interval}"),
        ("rows", "{rows:,}"),
        ("loss", "{loss:number}"),
    ]
    notes = [fill("{name}: {note}", each) for each in items if each.get("note")]
    return "\n".join([listed(items, columns), *notes])
