"""`--engine dask`: stacks of a grid on the workers of a cluster, sums over rows by workers that keep a block each."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from softmaxclf.config import Config, EngineConfig
from softmaxclf.core import blas
from softmaxclf.core.problem import Array, Cells, Problem
from softmaxclf.core.search import Outcome
from softmaxclf.core.solvers.lbfgs.sums import AddedRows
from softmaxclf.core.solvers.sgd.solver import GROUP_COLUMNS
from softmaxclf.datasets.dataset import Rows
from softmaxclf.datasets.stored_rows import Fill
from softmaxclf.engines import cost, row_task, stack_task
from softmaxclf.engines.cluster import Cluster
from softmaxclf.engines.features import Ahead
from softmaxclf.engines.rows import DividedRows
from softmaxclf.engines.shards import bounds_at_shards
from softmaxclf.engines.stacks import bring
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.control import Control
from softmaxclf.workflows.runs.engine import Engine, Extraction, Plan
from softmaxclf.workflows.runs.extraction import Encoder
from softmaxclf.workflows.runs.grid import GridTraining
from softmaxclf.workflows.runs.training import Recipe

ROUNDS = 2  # stacks for each worker, where there are cells enough: a slow one then takes fewer


class DaskEngine(Engine):
    """Workers start when they are first needed."""

    def __init__(self, settings: EngineConfig, observer: Observer) -> None:
        self._observer, self._device = observer, (settings.device, settings.precision)
        self.cluster = Cluster(settings, observer, _forget)
        self._rows: DividedRows | None = None

    def heed(self, control: Control) -> None:
        """While no worker is there."""
        self.cluster.control = control

    def rehearse(self) -> None:
        """With --workers the cluster is not asked for."""
        self.cluster.rehearsing = True

    def stack_bound(self, config: Config) -> int:
        """Of the worker that has least."""
        if config.tuning.memory is not None:
            return config.tuning.memory
        if self.cluster.local:
            return super().stack_bound(config) // self.cluster.size
        return self.cluster.least_memory // 4 or super().stack_bound(config)

    def least_stacks(self, recipe: Recipe, problem: Problem, cells: int) -> int:
        """As many for each worker, as long as they are wide enough to keep its matrix unit busy."""
        if recipe.solver.divides_rows:
            return 1
        wide, workers = cells * problem.classes // GROUP_COLUMNS, self.cluster.size
        return workers * min(ROUNDS, wide // workers) if wide >= workers else max(1, wide)

    def bring(
        self, grid: GridTraining, stacks: Sequence[Cells], halving: bool
    ) -> dict[int, dict[int, Outcome]]:
        """Stacks of solvers that take batches of rows."""
        if grid.recipe.solver.divides_rows:
            return {}
        return bring(self.cluster, self._observer, grid, stacks, halving)

    def probing(self) -> AbstractContextManager[None]:
        """As a worker of one thread does it; those of this machine share its memory and clock as threads do."""
        return nullcontext() if self.cluster.local else blas.single_threaded()

    def planned(
        self,
        recipe: Recipe,
        problem: Problem,
        stacks: Sequence[Cells],
        repeats: int,
        seconds: float,
        extraction: Extraction | None,
    ) -> Plan:
        """By the model in cost.py."""
        machines = cost.Machines(self.cluster.size, self.cluster.local)
        busy = 1.0  # processors in the probe, more where workers have to share them
        if machines.local:
            busy = blas.threads() * max(1.0, machines.workers / (os.cpu_count() or 1))
        seconds *= busy
        widths = [len(stack) for stack in stacks]
        row = problem.X[:1].nbytes
        if recipe.solver.divides_rows:
            solvers = [recipe.start(problem, stack) for stack in stacks]
            readings = repeats * sum(each.readings for each in solvers)
            numbers = problem.columns * problem.classes * max(each.width for each in solvers)
            parts, moved = machines.workers, 8 * numbers * readings * machines.workers
            read_there = bounds_at_shards(problem.X, problem.train_rows, parts) is not None
            rows = 0 if read_there else row * len(problem.train_rows)
            expected = cost.of_sums(machines, seconds, readings, rows, numbers)
        else:
            parts, moved = len(stacks), recipe.bytes_per_cell(problem) * sum(widths) * repeats
            rows = 0 if self.cluster.local and extraction is None else row * len(problem.X)
            expected = cost.of_stacks(machines, seconds, widths, rows, moved)
        told: dict[str, Any] = {
            "kind": "dask",
            "workers": machines.workers,
            "parts": parts,
            "bytes_out": rows,
            "bytes_back": moved,
        }
        planned: dict[str, Any] = {"engine": told, "seconds": round(expected, 3)}
        if extraction is not None:
            told["bytes_out"] += extraction.images
            told["bytes_back"] += extraction.features
            extraction = extraction._replace(seconds=busy * extraction.seconds)
            planned["features_seconds"] = round(cost.of_blocks(machines, *extraction), 3)
        return planned

    def summing(self, X: Array, y: Array, classes: int, **settings: Any) -> AddedRows:
        """The rows in blocks with the workers; in other features, as of folds, they stay where they are."""
        self._rows = DividedRows(
            self.cluster, self._observer, self._rows, X, y, classes, device=self._device, **settings
        )
        return self._rows

    def filling(self, X: Rows, encoder: Encoder) -> Fill:
        """Blocks of images go to the workers, a few at a time."""
        return Ahead(self.cluster, self._observer, X, encoder)

    def close(self) -> None:
        """Let the workers go."""
        self._rows = None
        self.cluster.close()


def _forget() -> None:
    """What a worker that goes on does at the end."""
    row_task.forget()
    stack_task.forget()
