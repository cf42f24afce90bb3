"""Options that several commands share, declared once and applied by decorators."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from softmaxclf.cli.console import Console
from softmaxclf.config import resolved
from softmaxclf.config.schema import SCHEMA
from softmaxclf.config.values import Choice, Number, Unexpected, Unset, number_in
from softmaxclf.config.yaml_reader import scalar, shown
from softmaxclf.errors import ConfigError, SoftmaxclfError
from softmaxclf.logs import LOGS

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]


class _Checked(click.ParamType):  # type: ignore[type-arg]  # click 8.1 has none
    """Text that is taken or refused in one line, as the settings of a configuration are."""

    name = "text"

    def __init__(self, read: Callable[[str], Any], completed: str = "") -> None:
        self._read, self._completed = read, completed

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

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """What a shell offers: file names where paths are taken, else nothing."""
        return [CompletionItem(incomplete, self._completed)] if self._completed else []


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
NUMBER, PATH, IMAGE = _Checked(_any_number), _Checked(_path, "file"), _Checked(_image, "file")


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
    def run(
        quiet: bool,
        verbose: bool,
        no_progress: bool,
        as_json: bool,
        debug: bool,
        log_file: Path | None,
        **others: Any,
    ) -> None:
        asked = Console(
            quiet=quiet, verbose=verbose, no_progress=no_progress, as_json=as_json, log_file=log_file
        )
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
        click.option(
            "--no-progress", is_flag=True, help="No progress bars, and in pipes no line every ten seconds."
        ),
        click.option(
            "--log-file", type=PATH, metavar="FILE", help="Add notes, warnings and errors, with times, to this file."
        ),
        click.option("--debug", is_flag=True, help="Show the traceback of an error."),
    )(run)  # fmt: skip


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


def setting(key: str, *names: str, metavar: str = "") -> Decorator:
    """An option that sets a configuration key; its help and default come from the configuration's own table."""
    told = SCHEMA[key]
    named = told.help.startswith(("cifar10", "sgd:", "lbfgs:"))  # names are written small
    kind = told.kind.kind if isinstance(told.kind, Unset) else told.kind
    words = kind.words if isinstance(kind, Choice) else ()
    return click.option(
        *(names or (f"--{key.split('.')[1].replace('_', '-')}",)),
        key.replace(".", "__"),
        metavar=metavar or "|".join(words) or "VALUE",
        help=f"{told.help if named else told.help[0].upper() + told.help[1:]}. [{key}; default {told.default}]",
        shell_complete=lambda ctx, param, typed: [word for word in words if word.startswith(typed)],
    )


def assignments(what: str) -> Decorator:
    """--set, as `settings`."""
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="SECTION.KEY=VALUE",
        help=what,
        shell_complete=lambda ctx, param, typed: [f"{key}=" for key in SCHEMA if key.startswith(typed)],
    )


def settings(function: Function) -> Function:
    """Options that make a configuration, which the function gets as `config`.

    Default < file < variables of the environment < --set < `setting`s that were typed.
    """

    @wraps(function)
    def run(config_file: Path | None, settings: tuple[str, ...], **others: Any) -> None:
        typed, environment = _named_settings(others)
        ctx = click.get_current_context()
        config, ctx.meta[ORIGINS] = resolved(config_file, settings, typed, environment)
        function(config=config, **{name: value for name, value in others.items() if "__" not in name})

    return together(
        click.option(
            "--config", "-c", "config_file", type=PATH, metavar="FILE", help="YAML configuration; see configs/."
        ),
        assignments("Set one configuration key; may be repeated."),
    )(run)  # fmt: skip


ORIGINS = "softmaxclf.origins"  # in a context's meta: where the settings that were given came from


def _named_settings(values: dict[str, Any]) -> tuple[dict[str, object], dict[str, tuple[str, object]]]:
    """What the `setting`s of a command say, by dotted key: as typed, and as the environment has it."""
    ctx = click.get_current_context()
    variables = {each.name: str(each.envvar) for each in ctx.command.params}
    typed: dict[str, object] = {}
    environment: dict[str, tuple[str, object]] = {}
    for name in filter(lambda name: "__" in name, values):
        key, source = name.replace("__", "."), ctx.get_parameter_source(name)
        if source is ParameterSource.ENVIRONMENT:
            environment[key] = variables[name], values[name]
        elif source is not ParameterSource.DEFAULT:
            typed[key] = values[name]
    return typed, environment


configuration = together(
    settings,
    setting("data.source", "--data", metavar="SOURCE"),
    setting("data.validation", metavar="ROWS"),
    setting("data.shots", metavar="N"),
    setting("preprocessing.scale"),
    setting("training.loss"),
    setting("training.solver"),
)
one_model = together(setting("training.learning_rate"), setting("training.regularization"))
grid = together(
    setting("tuning.learning_rates", metavar="AXIS"),
    setting("tuning.regularizations", metavar="AXIS"),
    setting("tuning.folds", metavar="N"),
    setting("tuning.repeats", metavar="N"),
    setting("tuning.halving", "--halving/--no-halving"),
    setting("tuning.select"),
)
descent = together(
    setting("training.iterations", metavar="N"),
    setting("training.batch_size", metavar="N"),
    setting("training.momentum"),
    setting("training.schedule"),
    setting("training.seed", metavar="N"),
)
engine = together(
    setting("engine.kind", "--engine"),
    setting("engine.scheduler", metavar="tcp://HOST:PORT"),
    setting("engine.workers", metavar="N"),
    setting("engine.device"),
    setting("engine.precision"),
)

run = together(
    out("DIR", "Run folder. [default: runs/<command>-<8 hex of settings and data>]"),
    click.option("--overwrite", is_flag=True, help="Replace the run that the folder holds."),
    click.option(
        "--max-time", type=number(Number(1e-3, 1e9)), metavar="SECONDS",
        help="End within this time with what was reached by then.",
    ),
    click.option(
        "--log", "logs", type=click.Choice([*LOGS]), multiple=True,
        help="Also tell TensorBoard or MLflow what is measured; may be repeated.",
    ),
)  # fmt: skip
