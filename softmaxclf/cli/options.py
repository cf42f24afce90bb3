"""Options that several commands share, declared once and applied by decorators."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from softmaxclf.config import Config, describe, load_config

Function = Callable[..., Any]
DESCRIBED = {each.key: each for each in describe()}


def finite(context: click.Context, option: click.Parameter, value: float | None) -> float | None:
    """The value, unless it is infinite or no number, which a range lets through."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"expected a number of seconds, got {value}", context, option)
    return value


def together(*decorators: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """One decorator that applies several, the first one outermost, so that --help lists them in this order."""

    def apply(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def setting(key: str, *names: str, metavar: str = "VALUE") -> Callable[[Function], Function]:
    """An option that sets a configuration key; its help and default come from the configuration's own table."""
    told = DESCRIBED[key]
    destination = key.replace(".", "__")
    return click.option(
        *(names or (f"--{key.split('.')[1].replace('_', '-')}",)),
        destination,
        metavar=metavar,
        help=f"{told.help[0].upper()}{told.help[1:]}. [{key}; default {told.default}]",
    )


output = together(
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table."),
    click.option("--quiet", "-q", is_flag=True, help="No notes and no progress; warnings and errors stay."),
    click.option("--verbose", "-v", is_flag=True, help="Say more about what is done."),
    click.option("--no-progress", is_flag=True, help="No progress bars (they are off in pipes anyway)."),
    click.option("--debug", is_flag=True, help="Show the traceback of an error."),
)

configuration = together(
    click.option(
        "--config", "-c", "config_file", type=click.Path(path_type=Path), metavar="FILE",
        help="YAML configuration; see configs/.",
    ),
    click.option(
        "--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE",
        help="Set one configuration key; may be repeated.",
    ),
    setting("data.source", "--data", metavar="SOURCE"),
)  # fmt: skip

run = together(
    click.option(
        "--out", type=click.Path(path_type=Path), metavar="DIR",
        help="Run folder. [default: runs/<command>-<8 hex of settings and data>]",
    ),
    click.option("--overwrite", is_flag=True, help="Replace the run that the folder holds."),
    click.option(
        "--max-time", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", callback=finite,
        help="End within this time with what was reached by then.",
    ),
)  # fmt: skip


def read_config(config_file: Path | None, settings: Sequence[str], options: dict[str, Any]) -> Config:
    """The configuration: default < file < --set < named options, which arrive as section__key=text."""
    named = {key.replace("__", "."): value for key, value in options.items() if "__" in key}
    return load_config(config_file, settings, named)


def split_options(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(options that set configuration keys, all others)."""
    keyed = {key: value for key, value in options.items() if "__" in key}
    return keyed, {key: value for key, value in options.items() if key not in keyed}
