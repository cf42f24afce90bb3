"""Features of images by workers: blocks go out ahead of the one that is wanted, and come back in their order."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from distributed import CancelledError, Future, get_worker

from softmaxclf import __version__
from softmaxclf.core.problem import Array
from softmaxclf.datasets.dataset import Rows
from softmaxclf.engines.cluster import Cluster, Retries, lost, said
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.extraction import Encoder

AHEAD = 2  # blocks for each worker: one that it works on, and the next


class Failed(NamedTuple):
    """Which worker made nothing of a block, and why."""

    worker: str
    error: str


class Ahead:
    """Fills blocks with codes that workers make. Its size is that of the first block; the last may be smaller.

    On other processors a product may round a feature otherwise, and its code be one more or less.
    """

    def __init__(self, cluster: Cluster, observer: Observer, X: Rows, encoder: Encoder) -> None:
        self._cluster, self._X, self._encoder = cluster, X, encoder
        self._sent: Future | None = None
        self._coming: dict[int, Future | Failed] = {}  # by the first row of a block
        self._retries = Retries(observer)

    def __call__(self, part: slice, out: Array) -> None:
        """Fill `out` with the codes of those rows; raises EngineError where that keeps failing."""
        size = part.stop - part.start
        ahead = min(len(self._X), part.start + AHEAD * self._cluster.size * size)
        for start in range(part.start, ahead, size):
            if start not in self._coming:
                self._coming[start] = self._begun(slice(start, min(start + size, len(self._X))))
        while isinstance(found := self._outcome(self._coming.pop(part.start)), Failed):
            failed = self._retries.count(
                part.start, f"encoding rows {part.start:,} to {part.stop - 1:,}", *found,
                "mend that, and the same command goes on from here",
            )  # fmt: skip
            self._coming[part.start] = self._begun(part, failed)
        out[:] = found

    def _begun(self, part: slice, without: Collection[str] = ()) -> Future | Failed:
        """A block on its way to a worker: none of `without`, where there is another."""
        rows = np.asarray(self._X[part])
        others = [each for each in self._cluster.living() if each not in without] if without else []
        try:
            if self._sent is None or self._sent.status != "finished":
                self._sent = self._cluster.send(self._encoder)
            there = self._cluster.send(rows, others or None)
            return self._cluster.submit(encoded, __version__, self._sent, there, workers=others)
        except OSError as error:  # a worker may be gone before the scheduler knows
            return Failed("unknown", said(error))

    def _outcome(self, future: Future | Failed) -> Array | Failed:
        if isinstance(future, Failed):
            return future
        try:
            while not self._cluster.next_done([future]):
                self._cluster.raise_if_gone()
            found: Array | Failed = future.result() if future.status == "finished" else Failed(*lost(future))
        except (OSError, CancelledError) as error:  # it may die with what it has made
            return Failed("unknown", said(error))
        return found


def encoded(version: str, encoder: Encoder, rows: Array) -> Array | Failed:
    """(n, D') uint8 by a worker, or why not."""
    try:
        if version != __version__:
            raise RuntimeError(f"expected softmaxclf {version}, found {__version__}; install the same there")
        out = np.empty((len(rows), encoder.stage.columns), np.uint8)
        encoder(rows, out)
        return out
    except Exception as error:  # noqa: BLE001 - the client decides what becomes of it, and says it
        return Failed(get_worker().address, said(error))
