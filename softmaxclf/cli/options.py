"""Options that several commands share, declared once and applied by decorators."""

import math
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from softmaxclf.cli.console import Console
from softmaxclf.config import load_config
from softmaxclf.config.schema import SCHEMA

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]
PATH = click.Path(path_type=Path)


def finite(context: click.Context, option: click.Parameter, value: float | None) -> float | None:
    """The value, unless it is infinite or no number, which a range lets through."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"expected a number of seconds, got {value}", context, option)
    return value


def together(*decorators: Decorator) -> Decorator:
    """One decorator that applies several, the first one outermost, so that --help lists them in this order."""

    def apply(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def output(function: Function) -> Function:
    """The options of every command; the Console that they ask for becomes the function's first argument."""

    @wraps(function)
    def run(quiet: bool, verbose: bool, no_progress: bool, as_json: bool, debug: bool, **others: Any) -> None:
        asked = Console(quiet=quiet, verbose=verbose, no_progress=no_progress, as_json=as_json)
        function(asked, **others)

    return together(
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table."),
        click.option(
            "--quiet", "-q", is_flag=True, help="No notes and no progress; warnings and errors stay."
        ),
        click.option("--verbose", "-v", is_flag=True, help="Say more about what is done."),
        click.option("--no-progress", is_flag=True, help="No progress bars (they are off in pipes anyway)."),
        click.option("--debug", is_flag=True, help="Show the traceback of an error."),
    )(run)


model = click.argument("model", type=PATH)


def split(what: str) -> Decorator:
    """--split, of all rows that a model can be scored on."""
    names = click.Choice(["train", "validation", "test"])
    return click.option("--split", type=names, default="test", show_default=True, help=what)


def data(what: str = "Data set.") -> Decorator:
    """--data, as `source`."""
    told = f"{what} [default: the one that the model was trained on]"
    return click.option("--data", "source", metavar="SOURCE", help=told)


def out(metavar: str, what: str) -> Decorator:
    """--out, where files go."""
    return click.option("--out", type=PATH, metavar=metavar, help=what)


def setting(key: str, *names: str, metavar: str = "VALUE") -> Decorator:
    """An option that sets a configuration key; its help and default come from the configuration's own table."""
    told = SCHEMA[key]
    return click.option(
        *(names or (f"--{key.split('.')[1].replace('_', '-')}",)),
        key.replace(".", "__"),
        metavar=metavar,
        help=f"{told.help[0].upper()}{told.help[1:]}. [{key}; default {told.default}]",
    )


def assignments(what: str) -> Decorator:
    """--set, as `settings`."""
    return click.option("--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help=what)


def settings(function: Function) -> Function:
    """Options that make a configuration, which the function gets as `config`: default < file < --set < `setting`s."""

    @wraps(function)
    def run(config_file: Path | None, settings: tuple[str, ...], **others: Any) -> None:
        named = {name: others.pop(name) for name in list(others) if "__" in name}
        keyed = {name.replace("__", "."): value for name, value in named.items()}
        function(config=load_config(config_file, settings, keyed), **others)

    return together(
        click.option(
            "--config", "-c", "config_file", type=PATH, metavar="FILE", help="YAML configuration; see configs/."
        ),
        assignments("Set one configuration key; may be repeated."),
    )(run)  # fmt: skip


def configuration(function: Function) -> Function:
    """`settings`, and --data."""
    return settings(setting("data.source", "--data", metavar="SOURCE")(function))


run = together(
    out("DIR", "Run folder. [default: runs/<command>-<8 hex of settings and data>]"),
    click.option("--overwrite", is_flag=True, help="Replace the run that the folder holds."),
    click.option(
        "--max-time", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", callback=finite,
        help="End within this time with what was reached by then.",
    ),
)  # fmt: skip
