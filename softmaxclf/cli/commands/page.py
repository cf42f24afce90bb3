"""softmaxclf page."""

from pathlib import Path

import click

from softmaxclf.cli import console, options

TEXT = """\
Wrote {page:quoted} ({bytes:,} bytes)
Next: open it in a browser, or send it to someone"""


@click.command()
@options.model
@options.out("FILE", "HTML file. [default: page.html beside the weights]")
@options.output
def page(output: console.Console, model: Path, out: Path | None) -> None:
    """Write a page in which anyone can use a model: one HTML file that needs no network and no Python.

    MODEL is a run folder or a weights.npz. On the page images are opened, dropped, pasted, picked or drawn, and the
    features of a table have sliders; it shows scores, probabilities, the evidence of any class against any other, the
    templates, and what a temperature and a shift do to softmax. Its scores are those of predict within 1e-4.

    \b
    Example:
      softmaxclf page runs/demo --out frogs.html
    """
    from softmaxclf.workflows.models.page import write_page

    output.answer(write_page(model, output, out=out), lambda found: console.fill(TEXT, found))
