"""The command group, and the one place where errors become exit codes."""

import sys
import traceback
from typing import Any

import click

from softmaxclf import __version__
from softmaxclf.cli.commands.compare import compare
from softmaxclf.cli.commands.data import data
from softmaxclf.cli.commands.evaluate import evaluate
from softmaxclf.cli.commands.explain import explain
from softmaxclf.cli.commands.export import export
from softmaxclf.cli.commands.gradcheck import gradcheck
from softmaxclf.cli.commands.predict import predict
from softmaxclf.cli.commands.report import report
from softmaxclf.cli.commands.train import train
from softmaxclf.cli.commands.tune import tune
from softmaxclf.cli.commands.visualize_weights import visualize_weights
from softmaxclf.errors import ConfigError, SoftmaxclfError
from softmaxclf.files import printable

EXIT_CODES = """\b
Exit codes:
  0    done
  1    a bug of ours (with its traceback), or a failed gradcheck
  2    usage or configuration, or an output that cannot be written
  3    a data or model file is missing, broken or unsafe
  4    every cell diverged
  5    the output folder holds another run, or another process works in it
  130  interrupted by Ctrl-C; the same command continues
  143  interrupted by SIGTERM; the same command continues
"""


class ErrorBoundary(click.Group):
    """Turns the errors that we explain ourselves into one line each and their exit code; bugs pass through."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SoftmaxclfError as error:
            if _debugging():
                traceback.print_exc()
            # A file's name may hold a line break or move the cursor: what cannot be printed is escaped.
            for problem in error.problems if isinstance(error, ConfigError) else (str(error),):
                click.echo(f"Error: {printable(problem)}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("Error: interrupted; the same command starts again or continues", err=True)
            ctx.exit(130)
        except MemoryError as error:
            if _debugging():
                traceback.print_exc()
            detail = str(error) or "an array"
            click.echo(
                f"Error: not enough memory for {detail}; lower tuning.memory or the batch size", err=True
            )
            ctx.exit(2)


def _debugging() -> bool:
    return "--debug" in sys.argv


@click.group(
    cls=ErrorBoundary,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="softmaxclf")
def cli() -> None:
    """Train, tune, inspect and understand softmax linear classifiers.

    \b
    Example:
      softmaxclf tune --config configs/sample.yaml
    """


for command in (
    train, tune, visualize_weights, evaluate, predict, export, report, compare, data, explain, gradcheck,
):  # fmt: skip
    cli.add_command(command)


def main() -> None:
    """Run the command line and exit with its code."""
    cli(prog_name="softmaxclf")
