"""Options that several commands share, declared once and applied by decorators."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from softmaxclf.cli.console import Console
from softmaxclf.config import load_config
from softmaxclf.config.schema import SCHEMA
from softmaxclf.config.values import Number, Unexpected, number_in
from softmaxclf.config.yaml_reader import scalar, shown
from softmaxclf.errors import ConfigError, SoftmaxclfError

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]


class _Checked(click.ParamType):  # type: ignore[type-arg]  # click 8.1 has none
    """Text that is taken or refused in one line, as the settings of a configuration are."""

    name = "text"

    def __init__(self, read: Callable[[str], Any]) -> None:
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value of a text that was typed; defaults pass. Raises ConfigError."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ConfigError as error:
            assert param is not None
            named = isinstance(param, click.Option)
            called = max(param.opts, key=len) if named else param.human_readable_name
            raise ConfigError(f"{called}: {error}") from error


def number(kind: Number) -> _Checked:
    """The type of an option that takes a number as `kind` of the configuration reads it."""

    def read(text: str) -> int | float:
        try:
            return kind.read(scalar(text))
        except Unexpected as error:
            raise ConfigError(error.against(kind)) from error

    return _Checked(read)


def _any_number(text: str) -> float:
    found = number_in(text.strip())
    if found is None:
        raise ConfigError(f"expected a number, got {shown(text) or 'nothing'}")
    return float(found)


def _path(text: str) -> Path:
    if any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        raise ConfigError(f"expected a name in UTF-8, got {shown(text)}; rename it")
    return _image(text)


def _image(text: str) -> Path:
    if not text:
        raise ConfigError("expected a path, got an empty text; leave it out or name one")
    return Path(text)


# NUMBER: in no range. IMAGE: of files that others named; PATH: of all others, whose names we write into files.
NUMBER, PATH, IMAGE = _Checked(_any_number), _Checked(_path), _Checked(_image)


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
        try:
            function(asked, **others)
        except SoftmaxclfError as error:
            error.answered = asked.answered
            raise

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
        "--max-time", type=number(Number(1e-3, 1e9)), metavar="SECONDS",
        help="End within this time with what was reached by then.",
    ),
)  # fmt: skip
