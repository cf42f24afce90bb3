"""How a workflow tells what it does, without knowing who listens."""


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
