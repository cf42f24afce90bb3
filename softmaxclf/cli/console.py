"""What people see: progress bars and notes on stderr, tables on stdout."""

import logging
import os
import shlex
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from string import Formatter
from typing import Any, ClassVar, TextIO

import click
from tqdm import tqdm

from softmaxclf.core.numbers import short
from softmaxclf.files import own_file, printable
from softmaxclf.workflows.observer import Observer

LINE_SECONDS = 10.0  # between two lines of progress where there is no bar, and in a log file
LINE = "{desc}: {n_fmt}/{total_fmt} {unit} [{elapsed}<{remaining}{postfix}]"
LOG = logging.getLogger("softmaxclf")
LINE_WIDTH, LEAST_BAR, LEAST_TEXT = 80, 10, 12
GAP = "  "  # between the columns of a table
COMMANDS = ("Next: ", "Open ", "Wrote ")  # lines to be copied
# Of these the first that leaves room for a bar; where none does, the last, which has none.
BARS = (
    "{desc} |{bar}| {n_fmt}/{total_fmt} {unit} [{elapsed}<{remaining}]{postfix}",
    "{desc} |{bar}| {n_fmt}/{total_fmt}, {remaining} left{postfix}",
    "{desc} |{bar}| {percentage:.0f} %, {remaining} left{postfix}",
    "{desc} {percentage:.0f} %{postfix}",
)
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
        self._line: dict[str, Any] = {}  # what its bar and its lines are made of
        if log_file is not None:
            open_log(log_file)

    def answer(self, document: Mapping[str, Any], text: Callable[[Any], str]) -> None:
        """The result on stdout: as one JSON document if that was asked for, else the text made of it."""
        from softmaxclf.runs import answer_json

        told = answer_json(document) if self.as_json else on_screen(text(document))
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
        self._print(f"{coloured('Warning:', sys.stderr, fg='yellow', bold=True)} {text}")

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
        self._begun, self._lined = time.monotonic(), 0.0

    def advance(self, done: int, figures: str = "") -> None:
        if self._bar is None:
            return
        elapsed = time.monotonic() - self._begun
        if not self._bar.disable:
            told = partial(tqdm.format_meter, done, elapsed=elapsed, postfix=figures or None, **self._line)
            self._bar.bar_format = _fitting(told, self._bar.ncols or LINE_WIDTH)
            if figures:
                self._bar.set_postfix_str(figures, refresh=False)
            self._bar.update(done - self._bar.n)
        if elapsed - self._lined >= LINE_SECONDS:
            self._lined = elapsed
            asked: dict[str, Any] = {**self._line, "bar_format": LINE, "postfix": figures}
            line = tqdm.format_meter(done, elapsed=elapsed, **asked)
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


def _fitting(told: Callable[..., str], width: int) -> str:
    """The longest of BARS whose line, as `told` writes it, fits with its values whole."""
    bar = LEAST_BAR * "#"
    fits = (each for each in BARS if len(told(bar_format=each.replace("{bar}", bar))) < width)
    return next(fits, BARS[-1])


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


def coloured(text: str, stream: TextIO | None = None, **style: Any) -> str:
    """The text in a style of click's where the stream, by default stdout, is a terminal and NO_COLOR is not set."""
    plain = os.environ.get("NO_COLOR") or not (stream or sys.stdout).isatty()
    return text if plain else click.style(text, **style)


def on_screen(text: str) -> str:
    """The text with its sentences in lines that the terminal can hold; tables and commands stay as they are."""
    if not sys.stdout.isatty():
        return text
    return "\n".join(
        line if GAP in line or line.startswith(COMMANDS) else wrapped(line) for line in text.splitlines()
    )


def wrapped(text: str) -> str:
    """The text in lines that the screen can hold."""
    return textwrap.fill(text, screen_width(), break_long_words=False, break_on_hyphens=False)


def screen_width() -> int:
    """Columns of the terminal, or what COLUMNS says; 80 of a pipe."""
    return shutil.get_terminal_size((LINE_WIDTH, 24)).columns


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: Collection[int] = (0,),
    optional: Sequence[str] = (),
) -> str:
    """Text columns under their names, padded; those numbered in `left` to the left, the others to the right.

    Where it is wider than the screen, the columns named `optional` go, one after the other, and then the middle of the
    widest texts, but for those of the last column, which may be sentences.
    """
    lines, left = [list(columns), *map(list, rows)], set(left)
    for name in optional:
        if _width(lines) > screen_width():
            kept = [place for place, title in enumerate(lines[0]) if title != name]
            left = {new for new, place in enumerate(kept) if place in left}
            lines = [[line[place] for place in kept] for line in lines]
    cut = left - {len(lines[0]) - 1}
    while (excess := _width(lines) - screen_width()) > 0 and cut:
        widest, place = max((max(len(line[each]) for line in lines), each) for each in cut)
        if widest <= LEAST_TEXT:
            break
        for line in lines:
            line[place] = elided(line[place], max(LEAST_TEXT, widest - max(1, excess // 4)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def padded(line: Sequence[str]) -> str:
        cells = enumerate(zip(line, widths, strict=True))
        return GAP.join(f"{cell:{'<' if place in left else '>'}{width}}" for place, (cell, width) in cells)

    return "\n".join(padded(line).rstrip() for line in lines)


def folded(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns are all alike but for the first, in as many parts as the screen makes of it."""
    first, *others = zip(columns, *rows, strict=True)
    widest = max(len(cell) for column in others for cell in column) + len(GAP)
    count = max(1, (screen_width() - max(map(len, first))) // widest)
    parts = [
        zip(first, *others[start : start + count], strict=True) for start in range(0, len(others), count)
    ]
    return "\n\n".join(table(*_head_and_rows(part)) for part in parts)


def _head_and_rows(lines: Iterable[Sequence[str]]) -> tuple[Sequence[str], list[Sequence[str]]]:
    head, *rows = lines
    return head, rows


def _width(lines: Sequence[Sequence[str]]) -> int:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return sum(widths) + len(GAP) * (len(widths) - 1)


def elided(text: str, room: int) -> str:
    """`text` in at most so many letters, "..." in place of its middle."""
    if len(text) <= room:
        return text
    end = (room - 3) // 2
    return f"{text[: room - 3 - end]}...{text[len(text) - end :]}"


def listed(
    items: Iterable[Mapping[str, Any]],
    columns: Sequence[tuple[str, str]],
    left: Collection[int] = (0,),
    optional: Sequence[str] = (),
) -> str:
    """A table of items, a line each: columns are pairs of a title and a template of the cell, see `fill`."""
    rows = [[fill(template, each) for _, template in columns] for each in items]
    return table([title for title, _ in columns], rows, left, optional)


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
    return f"{value:.4f}" if value == 0 or 1e-4 <= abs(value) < 1e6 else short(value, 3)


def figure(value: Any) -> str:
    """What a solver reports of a cell: four digits, yes or no, or a dash when there is nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return short(value, 4) if isinstance(value, int | float) else "-" if value is None else str(value)


def quoted(path: object) -> str:
    """A path as a shell would take it."""
    return shlex.quote(str(path))


class _Filler(Formatter):
    FORMATS: ClassVar[dict[str, Callable[[Any], str]]] = {
        each.__name__: each for each in (percent, interval, number, decimals, figure, quoted, short)
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
    objective, gap = short(figures["objective"]), short(figures["gap"], 1)
    return f"\nObjective {objective}, relatively within {gap} of the optimum, {how}"


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
