"""Threads that help one thread with its products.

Only what runs outside Python for long is worth handing over: gathering rows, products. While two threads
both run Python code, each waits for the other at every array operation.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from types import TracebackType

import numpy as np

Task = Callable[[], object]


class Worker:
    """Does tasks in the order in which they come: in a thread of its own inside a `with` block, else at once."""

    def __init__(self) -> None:
        # SimpleQueue hands over several times quicker than what is built on threading.Condition.
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._outcomes: SimpleQueue[BaseException | None] = SimpleQueue()
        self._begun = 0
        self._thread: Thread | None = None

    def begin(self, task: Task) -> None:
        """Hand over a task."""
        self._begun += 1
        if self._thread is None:
            self._do(task)
        else:
            self._tasks.put(task)

    def end(self, left: int = 0) -> None:
        """Wait until all tasks but the `left` last ones are done. Raises what one of them raised."""
        while self._begun > left:
            outcome = self._outcomes.get()
            self._begun -= 1
            if outcome is not None:
                raise outcome

    def __enter__(self) -> "Worker":
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._thread is not None
        self._tasks.put(None)
        self._thread.join()
        self._thread = None
        while self._begun:
            self._outcomes.get()
            self._begun -= 1

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            self._do(task)

    def _do(self, task: Task) -> None:
        try:
            with np.errstate(all="ignore"):  # divergence is handled by who asked
                task()
            self._outcomes.put(None)
        except BaseException as error:  # noqa: BLE001  raised again by `end`
            self._outcomes.put(error)
