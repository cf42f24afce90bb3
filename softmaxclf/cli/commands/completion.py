"""softmaxclf completion."""

import click
from click.shell_completion import get_completion_class

from softmaxclf.cli import console, options

VARIABLE = "_SOFTMAXCLF_COMPLETE"  # which click reads; see its pages on shell completion
INSTALL = {
    "bash": "softmaxclf completion bash > ~/.softmaxclf-completion.bash\n"
    "#   echo '. ~/.softmaxclf-completion.bash' >> ~/.bashrc",
    "zsh": "softmaxclf completion zsh > ~/.softmaxclf-completion.zsh\n"
    "#   echo '. ~/.softmaxclf-completion.zsh' >> ~/.zshrc   (behind the line with compinit)",
    "fish": "softmaxclf completion fish > ~/.config/fish/completions/softmaxclf.fish",
}


@click.command()
@click.argument("shell", type=click.Choice([*INSTALL]))
@options.output
def completion(output: console.Console, shell: str) -> None:
    """Print the script that lets a shell complete commands, options and file names.

    Its last lines say how to install it.

    \b
    Example:
      softmaxclf completion bash
    """
    made_by = get_completion_class(shell)
    assert made_by is not None
    command = click.get_current_context().find_root().command
    script = made_by(command, {}, "softmaxclf", VARIABLE).source()
    text = f"{script.strip()}\n\n# To install this for {shell}, type\n#   {INSTALL[shell]}"
    output.answer({"shell": shell, "script": text}, lambda answer: answer["script"])
