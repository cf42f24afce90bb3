"""softmaxclf schema."""

import json

import click

from softmaxclf.cli import console, options
from softmaxclf.cli.schemas import DOCUMENTS, schema_of


@click.command()
@click.argument("command", type=click.Choice([*DOCUMENTS]), metavar="COMMAND")
@options.output
def schema(output: console.Console, command: str) -> None:
    """Print the JSON Schema of what COMMAND prints with --json, errors included.

    The key schema_version rises when something that was there goes or changes its meaning; more keys may come with the
    same version. Of data's commands write "data describe".

    \b
    Example:
      softmaxclf schema tune
    """
    output.answer(
        {"schema": schema_of(command)},
        lambda answer: json.dumps(answer["schema"], indent=2, ensure_ascii=False),
    )
