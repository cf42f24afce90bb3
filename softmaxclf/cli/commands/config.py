"""softmaxclf config."""

from typing import Any

import click

from softmaxclf.cli import console, options
from softmaxclf.config import Config, dump_config, values_of
from softmaxclf.files import printable

DEFAULT = "default"


@click.command()
@options.configuration
@options.one_model
@options.grid
@options.descent
@options.output
def config(output: console.Console, config: Config) -> None:
    """Print the configuration that a file and options make, and where each value comes from.

    What is printed is a configuration file; what is auto is decided when the data are read. Of several places the
    last one counts: default, file, variable of the environment, --set, option.

    \b
    Example:
      softmaxclf config --data sample --learning-rates 1e-7,1e-6
    """
    given = click.get_current_context().meta[options.ORIGINS]
    origins = {key: printable(given.get(key, DEFAULT)) for key in values_of(config)}

    def text(_: Any) -> str:
        return dump_config(config, origins).rstrip()

    settings = [
        {"key": key, "value": value, "origin": origins[key]} for key, value in values_of(config).items()
    ]
    output.answer({"settings": settings}, text)
