"""How a workflow tells what it does, without knowing who listens."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Observer:
    """Hears notes, warnings and progress; this one keeps silent. The command line prints them."""

    def note(self, text: str) -> None:
        """One line about what was done or is about to be done."""

    def detail(self, text: str) -> None:
        """One line that only the curious want (--verbose)."""

    def warn(self, text: str) -> None:
        """One line about something that the user should know before trusting a result."""

    def begin(self, what: str, total: int, done: int = 0, unit: str = "it") -> None:
        """A longer piece of work of `total` units starts, `done` of them already behind it."""

    def advance(self, done: int, figures: str = "") -> None:
        """`done` units of it are behind us; `figures` are the latest."""

    def end(self) -> None:
        """That piece of work ended, well or not."""

    def opened(self, folder: Path, settings: Mapping[str, str]) -> None:
        """A run works in that folder from now on, with these settings by dotted key."""

    def measured(self, what: str, point: int, figures: Mapping[str, float]) -> None:
        """Figures of the piece of work `what` at a point of it, such as a loss; of a grid, of the best cell so far."""

    def finished(self, summary: Mapping[str, Any]) -> None:
        """The run's folder holds its result."""


class WorkProgress:
    """A callback (done, total) that begins, advances and ends one piece of work after another, counted in `unit`."""

    def __init__(self, observer: Observer, what: str, unit: str = "B") -> None:
        self._observer, self._what, self._unit, self._begun = observer, what, unit, False

    def __call__(self, done: int, total: int) -> None:
        if not self._begun:
            self._observer.begin(self._what, total, done, unit=self._unit)
            self._begun = True
        self._observer.advance(done)
        if done >= total:
            self._observer.end()
            self._begun = False


class Several(Observer):
    """Passes all that it hears on to several others."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers


def _passing_on(name: str) -> Callable[..., None]:
    def told(self: Several, *arguments: Any, **named: Any) -> None:
        for observer in self._observers:
            getattr(observer, name)(*arguments, **named)

    return told


for _name in [name for name in vars(Observer) if not name.startswith("_")]:
    setattr(Several, _name, _passing_on(_name))
