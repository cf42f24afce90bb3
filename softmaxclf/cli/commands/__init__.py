"""The commands: what each is called, where it is and what it does, so that none is loaded before it is asked for."""

from collections import UserDict
from typing import Any

import click

from softmaxclf.core.registry import Registry

# In the order in which they are used.
DOES = {
    "train": "Train one model.",
    "tune": "Train a grid of models at once and save the best.",
    "evaluate": "Score a model: per class, confusion, calibration.",
    "predict": "Labels and probabilities of images, tables or arrays.",
    "visualize-weights": "Draw what each class looks for.",
    "report": "Make a run's page again, or an index of runs.",
    "compare": "Models side by side, with a test of their difference.",
    "page": "Write a page in which anyone can use a model.",
    "export": "Write a model for other programs.",
    "data": "Fetch, check, describe data; write the sample set.",
    "explain": "Softmax step by step, on scores that you type.",
    "gradcheck": "Check every gradient by an independent route.",
    "config": "Print the settings, and where each comes from.",
    "schema": "Print the JSON Schema of a command's --json.",
    "completion": "Print a shell's completion script.",
}
HOMES = Registry(
    {
        "train": "softmaxclf.cli.commands.train:train",
        "tune": "softmaxclf.cli.commands.tune:tune",
        "evaluate": "softmaxclf.cli.commands.evaluate:evaluate",
        "predict": "softmaxclf.cli.commands.predict:predict",
        "visualize-weights": "softmaxclf.cli.commands.visualize_weights:visualize_weights",
        "report": "softmaxclf.cli.commands.report:report",
        "compare": "softmaxclf.cli.commands.compare:compare",
        "page": "softmaxclf.cli.commands.page:page",
        "export": "softmaxclf.cli.commands.export:export",
        "data": "softmaxclf.cli.commands.data:data",
        "explain": "softmaxclf.cli.commands.explain:explain",
        "gradcheck": "softmaxclf.cli.commands.gradcheck:gradcheck",
        "config": "softmaxclf.cli.commands.config:config",
        "schema": "softmaxclf.cli.commands.schema:schema",
        "completion": "softmaxclf.cli.commands.completion:completion",
    }
)


class Commands(UserDict[str, Any]):
    """The commands by name, each loaded when it is first asked for."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(DOES))

    def __getitem__(self, name: str) -> click.Command:
        command = self.data[name]
        if command is None:
            command = self.data[name] = HOMES.load(name)
            with_variables(command, f"SOFTMAXCLF_{name}")
            command.short_help = DOES[name]
        found: click.Command = command
        return found


def with_variables(command: click.Command, prefix: str) -> None:
    """Give every option, also of commands in a group, its variable of the environment: SOFTMAXCLF_TRAIN_BATCH_SIZE."""
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            with_variables(each, f"{prefix}_{name}")
        return
    options = [each for each in command.params if isinstance(each, click.Option)]
    for option in options:
        option.envvar = f"{prefix}_{max(option.opts, key=len).lstrip('-')}".replace("-", "_").upper()
    command.epilog = f"Options may also be set by variables such as {options[0].envvar}."
