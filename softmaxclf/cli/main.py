"""The command group, and the one place where errors become exit codes."""

import errno
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from logging import NullHandler, getLogger
from typing import Any, NoReturn

import click

from softmaxclf import __version__
from softmaxclf.cli import console, streams
from softmaxclf.cli.commands import DOES, Commands
from softmaxclf.errors import ConfigError, InterruptedRunError, OutputError, SoftmaxclfError
from softmaxclf.files import printable

BUG = 1
MOST_NAMED = 120  # letters of a message that lists the files of an unquoted pattern
EXIT_CODES = """\b
Exit codes:
  0    done
  1    a bug of ours (with its traceback), or a failed gradcheck
  2    usage or configuration, or an output that cannot be written
  3    a data or model file is missing, broken or unsafe
  4    every cell diverged
  5    the output folder holds another run, or another process works in it
  130  interrupted by Ctrl-C; the same command continues
  141  the reader of the output went away, as head does
  143  interrupted by SIGTERM; the same command continues
"""


class ErrorBoundary(click.Group):
    """Turns the errors that we explain ourselves into one line each and their exit code; bugs pass through.

    With --json every failure is a document on stdout as well, {"error": {"messages": [...], "exit_code": ...}}.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are used."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each does, without loading it."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, DOES.get(name) or self.commands[name].get_short_help_str()) for name in self.commands]
            )

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:  # before click prints an empty line
            raise click.Abort from error

    def main(self, args: Sequence[str] | None = None, *others: Any, **extra: Any) -> NoReturn:
        """Run the command that `args` say and exit with its code."""
        given = sys.argv[1:] if args is None else list(args)
        code: Any = BUG
        try:
            code = super().main(args, *others, **{**extra, "standalone_mode": False}) or 0
            sys.stdout.flush()  # what cannot be written shows here at the latest
        except Exception as error:
            told = _with_hint(error, given)
            code = _told(told, debug=_asked("debug", given), as_json=_asked("json", given))
            if code == BUG:
                raise
        finally:
            console.LOG.info(f"ended with exit code {code}")
            console.close_log()
        sys.exit(code)


def _asked(flag: str, given: Sequence[str]) -> bool:
    """Whether a flag of all commands was given, on a command line that may be wrong, or by the environment."""
    words = [word.replace("-", "_").upper() for word in given[:2] if not word.startswith("-")]
    variables = (f"SOFTMAXCLF_{'_'.join(words[:count])}_{flag.upper()}" for count in (1, 2))
    set_to = {os.environ.get(each, "").lower() for each in variables}
    return f"--{flag}" in given or bool(set_to & {"1", "true", "t", "yes", "y", "on"})


def _with_hint(error: Exception, given: Sequence[str]) -> Exception:
    """The error, of a pattern that a shell has made many words of with what was meant."""
    if (
        not isinstance(error, click.UsageError)
        or "extra argument" not in error.message
        or "--data" not in given
    ):
        return error
    hint = "files that are one SOURCE are a pattern in quotes, such as 'rows/*.npy'"
    named = error.message if len(error.message) <= MOST_NAMED else f"{error.message[:MOST_NAMED]} ..."
    return click.UsageError(f"{named}; {hint}", error.ctx)


def _told(error: Exception, *, debug: bool, as_json: bool) -> int:
    """Say what went wrong, and return the exit code."""
    if isinstance(error, click.ClickException):
        messages, code = [error.format_message()], error.exit_code
        error.show()
    else:
        known = _explained(error)
        messages = _messages(known or error)
        code = known.exit_code if known else BUG
        if debug and known:
            traceback.print_exception(error)
        for message in messages if known else ():
            click.echo(f"Error: {message}", err=True)
    for message in messages:
        console.LOG.error(message)
    if as_json and not getattr(error, "answered", False):
        document = {"error": {"messages": messages, "exit_code": code}}
        with suppress(OutputError):  # that stdout takes nothing may be what went wrong
            from softmaxclf.runs import answer_json  # brings NumPy along

            console.say(answer_json(document))
    return code


def _messages(error: Exception) -> list[str]:
    """A line for each problem; a file's name may hold a line break or move the cursor, so that is escaped."""
    if not isinstance(error, SoftmaxclfError):
        return [f"{type(error).__name__}: {printable(error)}"]
    return [printable(each) for each in (error.problems if isinstance(error, ConfigError) else [str(error)])]


def _explained(error: Exception) -> SoftmaxclfError | None:
    """The error that we explain ourselves: `error`, or what it says of the machine; None of a bug."""
    if isinstance(error, SoftmaxclfError):
        return error
    if isinstance(error, click.Abort):
        return InterruptedRunError("interrupted; the same command starts again or continues", signal.SIGINT)
    if _lacks_memory(error):
        detail = f" ({error})" if isinstance(error, MemoryError) and str(error) else ""
        return SoftmaxclfError(
            f"expected enough memory, found too little{detail}; lower tuning.memory or the batch size"
        )
    if isinstance(error, OSError) and error.filename is not None:
        from softmaxclf.datasets.inputs import unreadable  # brings NumPy along

        return unreadable(os.fsdecode(error.filename), error)
    return None


_NO_MEMORY = ("failed to map segment", "can't start new thread", "out of memory", "can't allocate memory")


def _lacks_memory(error: Exception) -> bool:
    """Whether memory is what an array, a mapping, a library or a thread could not get."""
    if isinstance(error, ImportError | RuntimeError):
        return any(said in str(error) for said in _NO_MEMORY)
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


@click.group(
    cls=ErrorBoundary,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "-V", "--version", prog_name="softmaxclf")
def cli() -> None:
    """Train, tune, inspect and understand softmax linear classifiers.

    \b
    Example:
      softmaxclf tune --config configs/sample.yaml
    """


cli.commands = Commands()  # a mapping, which is all that click asks for


def main() -> None:
    """Run the command line and exit with its code."""
    streams.prepare()
    if not sys.warnoptions:  # python -W shows what libraries say; what users should know we say ourselves
        warnings.simplefilter("ignore")
    getLogger().addHandler(NullHandler())  # without a handler, logging writes on stderr
    cli(prog_name="softmaxclf")
