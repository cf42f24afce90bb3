"""softmaxclf explain."""

from typing import Any

import click

from softmaxclf.cli import console, explanation, options


class NumbersCommand(click.Command):
    """A command that takes negative numbers as arguments; anything else with a dash remains an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # click takes a token for an option by its first letter; float() overlooks a space there.
        return super().parse_args(ctx, [f" {each}" if _is_negative(each) else each for each in args])


def _is_negative(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return token.startswith("-")


@click.command(cls=NumbersCommand)
@click.argument("scores", nargs=-1, metavar="SCORES...")
@click.option("--label", metavar="CLASS", help="The right class, by index or name: adds losses and gradient.")
@click.option("--classes", metavar="NAMES", help="Class names with commas between, as in cat,dog,ship.")
@click.option(
    "--scale",
    "factor",
    type=options.NUMBER,
    default=0.5,
    show_default=True,
    metavar="NUMBER",
    help="Multiply the scores by this, as a larger regularization would by less than 1.",
)
@click.option(
    "--add",
    "constant",
    type=options.NUMBER,
    default=100.0,
    show_default=True,
    metavar="NUMBER",
    help="Add this to every score.",
)
@click.option(
    "--model",
    type=options.PATH,
    metavar="MODEL",
    help="Take the scores that this run folder or weights.npz gives the --image.",
)
@click.option("--image", type=options.IMAGE, metavar="FILE", help="The image file for --model.")
@options.out("FILE", "Also draw scores and probabilities; the ending names the format.")
@options.output
def explain(output: console.Console, **request: Any) -> None:
    """Show what softmax makes of scores: probabilities, losses and derivatives, step by step.

    SCORES are numbers, one per class; negative ones need no "--" before them.

    \b
    Example:
      softmaxclf explain --label 0 -3 2 -1 0
    """  # fmt: skip
    from softmaxclf.workflows.lessons.explain import ExplainRequest
    from softmaxclf.workflows.lessons.explain import explain as run_explain

    output.answer(run_explain(ExplainRequest(**request)), explanation.text)
