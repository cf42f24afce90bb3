"""An observer that does something in the middle of a run."""

from collections.abc import Callable

from softmaxclf.engines import engaged
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.session import Request
from softmaxclf.workflows.runs.tune import tune


class Acting(Observer):
    """Does it once, when a stack is being trained; keeps what it hears."""

    def __init__(self, act: Callable[[], None] = lambda: None) -> None:
        self.act, self.acted, self.said, self.begun = act, False, [], []

    def advance(self, done: int, figures: str = "") -> None:
        if figures and not self.acted:
            self.acted = True
            self.act()

    def begin(self, what: str, total: int, done: int = 0, unit: str = "it") -> None:
        self.begun.append((what, total, done))

    def warn(self, text: str) -> None:
        self.said.append(text)

    note = warn


def run(wanted: Request, observer: Observer | None = None) -> dict:
    """The summary of a grid, by the engine that its configuration names."""
    observer = observer or Observer()
    with engaged(wanted.config.engine, observer) as engine:
        return tune(Request(wanted.command, wanted.config, wanted.out, engine=engine), observer)
