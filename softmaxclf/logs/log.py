"""What a log is: an observer that passes on what is measured. A log that fails ends; the work goes on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from softmaxclf.errors import ConfigError, lacking
from softmaxclf.logs import LOGS
from softmaxclf.workflows.observer import Observer, Several

Figures = Mapping[str, float]
Settings = Mapping[str, str]
DONE, STOPPED = True, False


class Log(Observer):
    """Passes on a run's settings, what is measured while it runs, its pictures and its final table.

    package: the library that it needs, of the extra `extra`. Each writes `begin_run`, `write`, `end_run` and `close`.
    """

    extra: ClassVar[str]
    package: ClassVar[str]

    def __init__(self, observer: Observer) -> None:
        self.observer, self.begun = observer, False

    def opened(self, folder: Path, settings: Settings) -> None:
        """Begin the log of the run in that folder. Raises ConfigError where there can be none."""
        try:
            self.begin_run(folder, settings)
        except Exception as error:  # whatever a library or a server raises
            raise ConfigError(
                f"--log {self.extra}: cannot begin: {_said(error)}; or leave --log out"
            ) from error
        self.begun = True

    def measured(self, what: str, point: int, figures: Figures) -> None:
        self._trying(lambda: self.write(what, point, figures))

    def finished(self, summary: Mapping[str, Any]) -> None:
        self._trying(lambda: self.end_run(summary))

    def leave(self, done: bool) -> None:
        """Close the log of a run that is done, or was stopped."""
        self._trying(lambda: self.close(done))

    def begin_run(self, folder: Path, settings: Settings) -> None:
        """Begin, with the settings by dotted key."""
        raise NotImplementedError

    def write(self, what: str, point: int, figures: Figures) -> None:
        """Write figures of the piece of work `what` at a point of it."""
        raise NotImplementedError

    def end_run(self, summary: Mapping[str, Any]) -> None:
        """Write the final figures, the table of cells and the pictures in the folder."""
        raise NotImplementedError

    def close(self, done: bool) -> None:
        """Let go of files and connections."""
        raise NotImplementedError

    def _trying(self, act: Callable[[], None]) -> None:
        if not self.begun:
            return
        try:
            act()
        except Exception as error:  # noqa: BLE001 - whatever a library or a server raises
            self.begun = False
            self.observer.warn(f"--log {self.extra}: {_said(error)}; its log ends here, the work goes on")


@contextmanager
def logged(names: Sequence[str], observer: Observer) -> Iterator[Observer]:
    """`observer` together with the logs of those names, for the block. Raises ConfigError where a library lacks."""
    logs = [_made(name, observer) for name in dict.fromkeys(names)]
    done = STOPPED
    try:
        yield Several(observer, *logs) if logs else observer
        done = DONE
    finally:
        for log in logs:
            log.leave(done)


def final_figures(summary: Mapping[str, Any]) -> dict[str, float]:
    """The accuracies and losses of the splits, by names such as "test/accuracy"."""
    return {
        f"{split}/{name}": figures[name]
        for split, figures in summary["splits"].items()
        for name in ("accuracy", "loss")
        if _is_number(figures[name])
    }


def table(summary: Mapping[str, Any]) -> list[tuple[dict[str, float], dict[str, float]]]:
    """For each cell of a grid that was trained its values by axis, and what was measured of it."""
    rows = []
    for cell in summary.get("cells", ()):
        axes = {name: cell[name] for name in ("learning_rate", "regularization") if name in cell}
        measured = {name: value for name, value in cell.items() if name not in axes and _is_number(value)}
        if measured:
            rows.append((axes, measured))
    return rows


def pictures(folder: Path) -> list[Path]:
    """The pictures in a run's folder."""
    return sorted(folder.glob("*.png"))


def _made(name: str, observer: Observer) -> Log:
    try:
        log: Log = LOGS.load(name)(observer)
    except ImportError as error:
        missing = lacking(f"--log {name}", error.name or name, f"writes what {name} shows", name)
        raise ConfigError(missing) from error
    return log


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _said(error: Exception) -> str:
    """The first line of what a library says."""
    return f"{type(error).__name__}: {(str(error).splitlines() or ['no more is said'])[0][:200]}"
