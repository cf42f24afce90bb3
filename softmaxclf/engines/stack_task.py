"""What a worker does: it gets the rows, trains a stack as every run does, and hands back its last state.

It reads the rows itself where it can, and only those whose fingerprint is the client's are trained on. It never
touches the run folder.
"""

import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from distributed import get_worker

from softmaxclf import __version__
from softmaxclf.config import Config
from softmaxclf.core.problem import Array, Cells, Problem
from softmaxclf.core.search import Outcome
from softmaxclf.engines.cluster import Refused, other_rows, said
from softmaxclf.errors import ConfigError, DataError, InterruptedRunError
from softmaxclf.runs import RunFolder
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.control import Control
from softmaxclf.workflows.runs.device import device_for
from softmaxclf.workflows.runs.grid import GridTraining, reseeded
from softmaxclf.workflows.runs.training import build_problem
from softmaxclf.workflows.runs.training_data import TrainingData, prepare

TELLING = 0.5  # seconds between two words of progress
Checkpoint = tuple[dict[str, Array], dict[str, Any]]
Rows = tuple[TrainingData, Problem]


@dataclass(frozen=True)
class Order:
    """What all stacks of a grid share. token: of this grid alone. config: that of the first repeat."""

    token: str
    config: Config
    repeat: int
    fingerprint: str
    stacks: Sequence[Cells]
    halving: bool
    version: str = __version__


@dataclass
class Report:
    """What a worker hands back of a stack: its state, None where nothing was begun, and what became of its cells.

    outcomes: empty of a stack that was stopped. refused: why this worker cannot take part. unreadable: why it could not
    read the rows. failed: the error.
    """

    worker: str
    state: Checkpoint | None = None
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    refused: str = ""
    unreadable: str = ""
    failed: str = ""


_HELD: dict[tuple[str, Config, int], Rows] = {}  # the rows that this process trains on
_READING = threading.Lock()
_AT_WORK: dict[str, set[Control]] = defaultdict(set)  # by token
_STOPPED: set[str] = set()


def forget() -> None:
    """Let go of all rows."""
    _HELD.clear()


def stop(token: str) -> None:
    """Let the stacks of that grid end after their next step; those that wait do not begin."""
    _STOPPED.add(token)
    for control in _AT_WORK[token]:
        control.received = signal.SIGTERM


def train_stack(order: Order, number: int, begun: Checkpoint | None, given: Rows | None = None) -> Report:
    """The stack of that number, trained from what was begun on or its start. given: the rows, else they are read."""
    report = Report(get_worker().address)
    try:
        if order.token not in _STOPPED:
            _train(report, order, number, begun, given)
    except (Refused, ConfigError) as error:  # what the configuration names is not there
        report.refused = str(error)
    except DataError as error:
        report.unreadable = str(error)
    except Exception as error:  # noqa: BLE001 - the client decides what becomes of it, and says it
        report.failed = said(error)
    return report


def _train(report: Report, order: Order, number: int, begun: Checkpoint | None, given: Rows | None) -> None:
    if order.version != __version__:
        raise Refused(f"expected softmaxclf {order.version}, found {__version__}; install the same there")
    data, problem = _own_rows(order) if given is None else _on_device(order.config, *given)
    folder, control = _Desk(begun), Control()
    config = reseeded(order.config, order.repeat)
    grid = GridTraining(
        config, data, folder, control, _Teller(order, number, control), order.repeat, problem=problem
    )
    with _listening(order.token, control):
        try:
            result = grid.train_stack(number, order.stacks, order.halving)
            report.outcomes = grid.judged(result)
        except InterruptedRunError:
            pass  # what was reached is in the folder
    report.state = folder.held


def _own_rows(order: Order) -> Rows:
    """The rows as this worker reads them, kept for the next stack. Raises Refused, DataError."""
    key = order.fingerprint, order.config, order.repeat
    with _READING:
        if key not in _HELD:
            _HELD.clear()
            config = order.config
            data = prepare(config, Observer(), folds=config.tuning.folds, fit=True)
            if data.fingerprint != order.fingerprint:
                expected, found = (
                    f"fingerprint {each[:8]}" for each in (order.fingerprint, data.fingerprint)
                )
                raise Refused(other_rows(data.dataset.path, expected, found))
            config = reseeded(config, order.repeat)
            data = data.redrawn(config) if order.repeat else data
            _HELD[key] = data, build_problem(config, data)
        return _HELD[key]


def _on_device(config: Config, data: TrainingData, problem: Problem) -> Rows:
    whole = problem.whole or problem.preprocessing[0]
    return data, replace(problem, device=device_for(config, problem.X, whole.reading))


@contextmanager
def _listening(token: str, control: Control) -> Iterator[None]:
    _AT_WORK[token].add(control)
    try:
        yield
    finally:
        _AT_WORK[token].discard(control)


class _Desk(RunFolder):
    """The run folder as a worker has it: a checkpoint in memory."""

    def __init__(self, held: Checkpoint | None) -> None:
        super().__init__(Path("-"), lambda: True)
        self.held = held

    def load_checkpoint(self, name: str) -> Checkpoint | None:
        """What was begun."""
        return self.held

    def save_checkpoint(self, name: str, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
        """Keep it for the report; the last one counts."""
        self.held = dict(arrays), dict(facts)

    def write_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Nothing: the client writes tables."""


class _Teller(Observer):
    """Tells the client how far a stack is, and what was measured; and stops where the client is gone."""

    def __init__(self, order: Order, number: int, control: Control) -> None:
        self._order, self._number, self._control = order, number, control
        self._worker, self._told = get_worker(), 0.0
        self._key = self._worker.get_current_task()

    def advance(self, done: int, figures: str = "") -> None:
        """At most every TELLING seconds."""
        task = self._worker.state.tasks.get(self._key)
        if task is None or task.state == "cancelled":
            self._control.received = signal.SIGTERM
        if time.perf_counter() - self._told >= TELLING:
            self._told = time.perf_counter()
            self._tell("advance", self._number, done, figures)

    def measured(self, what: str, point: int, figures: Mapping[str, float]) -> None:
        """For logs that follow the run."""
        self._tell("measured", what, point, dict(figures))

    def warn(self, text: str) -> None:
        """Of the client's user."""
        self._tell("warn", f"{self._worker.address}: {text}")

    def _tell(self, *words: Any) -> None:
        self._worker.log_event(self._order.token, words)
