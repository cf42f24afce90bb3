"""Features of images by workers: blocks go out ahead of the one that is wanted, and come back in their order."""

from collections import Counter

import numpy as np
from distributed import Future

from softmaxclf import __version__
from softmaxclf.core.problem import Array
from softmaxclf.datasets.dataset import Rows
from softmaxclf.engines.cluster import TRIES, Cluster, lost, said
from softmaxclf.errors import EngineError
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.extraction import Encoder

AHEAD = 2  # blocks for each worker: one that it works on, and the next


class Ahead:
    """Fills blocks with codes that workers make. Its size is that of the first block; the last may be smaller.

    With other threads and processors a product may round a feature otherwise, and its code be one more or less.
    """

    def __init__(self, cluster: Cluster, observer: Observer, X: Rows, encoder: Encoder) -> None:
        self._cluster, self._observer, self._X, self._encoder = cluster, observer, X, encoder
        self._sent: Future | None = None
        self._coming: dict[int, Future] = {}  # by the first row of a block
        self._failures: Counter[int] = Counter()

    def __call__(self, part: slice, out: Array) -> None:
        """Fill `out` with the codes of those rows; raises EngineError where that keeps failing."""
        size = part.stop - part.start
        ahead = min(len(self._X), part.start + AHEAD * self._cluster.size * size)
        for start in range(part.start, ahead, size):
            if start not in self._coming:
                self._coming[start] = self._begun(slice(start, min(start + size, len(self._X))))
        out[:] = self._awaited(part)

    def _begun(self, part: slice) -> Future:
        if self._sent is None or self._sent.status != "finished":
            self._sent = self._cluster.send(self._encoder)
        rows = self._cluster.send(np.asarray(self._X[part]))
        return self._cluster.client.submit(encoded, __version__, self._sent, rows, pure=False)

    def _awaited(self, part: slice) -> Array:
        while True:
            future = self._coming[part.start]
            if not self._cluster.next_done([future]):
                self._cluster.raise_if_gone()
                continue
            try:
                if future.status == "finished":
                    found: Array = future.result()
                    del self._coming[part.start]
                    return found
                worker, why = lost(future)
            except Exception as error:  # noqa: BLE001 - the worker may die with what it has
                worker, why = "unknown", said(error)
            self._failures[part.start] += 1
            told = f"features of rows {part.start:,} to {part.stop - 1:,} failed on worker {worker}: {why}"
            if self._failures[part.start] > TRIES:
                raise EngineError(
                    f"{told}; that was the last of {TRIES} times that they were made again; the same command goes on "
                    "from here"
                )
            self._observer.warn(f"{told}; they are made again ({self._failures[part.start]} of {TRIES})")
            self._coming[part.start] = self._begun(part)


def encoded(version: str, encoder: Encoder, rows: Array) -> Array:
    """(n, D') uint8, by a worker."""
    if version != __version__:
        raise RuntimeError(f"expected softmaxclf {version}, found {__version__}; install the same there")
    out = np.empty((len(rows), encoder.stage.columns), np.uint8)
    encoder(rows, out)
    return out
