"""When a run has to stop before its end: a signal, or --max-time. And what the signal handler does meanwhile."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from softmaxclf.errors import InterruptedRunError, OutOfTimeError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Control:
    """Asks and answers: was a signal received, is the time up?

    Inside `deferring` a signal is only noted, for the training loop to ask for after each iteration; elsewhere
    it ends the workflow at once, since everything up to there is saved or quickly made again.
    """

    def __init__(self, max_time: float | None = None) -> None:
        self.started = time.perf_counter()
        self.max_time = max_time
        self.received: int | None = None
        self._deferring = False

    @property
    def elapsed(self) -> float:
        """Seconds since the workflow began."""
        return time.perf_counter() - self.started

    def out_of_time(self, reserve: float) -> bool:
        """Whether less than `reserve` seconds of --max-time are left."""
        return self.max_time is not None and self.elapsed + reserve > self.max_time

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Handle SIGINT and SIGTERM as this class says while the block runs."""
        before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def deferring(self) -> Iterator[None]:
        """Only note a signal while the block runs."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False

    def raise_if_received(self, message: str) -> None:
        """Raise InterruptedRunError with that message if a signal was noted."""
        if self.received is not None:
            raise InterruptedRunError(message, self.received)

    def raise_if_over(self, message: str) -> None:
        """Raise InterruptedRunError if a signal was noted, OutOfTimeError where time is up; message: what went on."""
        self.raise_if_received(f"stopped {message}")
        if self.out_of_time(0):
            raise OutOfTimeError(f"--max-time: time was up {message}")

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            os._exit(128 + number)  # asked twice: leave now; every file is whole
        self.received = number
        if not self._deferring:
            raise InterruptedRunError("stopped; the same command continues", number)
