"""`--engine dask`: stacks of a grid on the workers of a cluster, sums over rows by workers that keep a block each."""

from collections.abc import Sequence

from softmaxclf.config import Config, EngineConfig
from softmaxclf.core.problem import Cells, Problem
from softmaxclf.core.search import Outcome
from softmaxclf.core.solvers.sgd.solver import GROUP_COLUMNS
from softmaxclf.engines.cluster import Cluster
from softmaxclf.engines.stacks import bring
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.runs.engine import Engine
from softmaxclf.workflows.runs.grid import GridTraining
from softmaxclf.workflows.runs.training import Recipe

ROUNDS = 2  # stacks for each worker, where there are cells enough: a slow one then takes fewer


class DaskEngine(Engine):
    """Workers start when they are first needed."""

    def __init__(self, settings: EngineConfig, observer: Observer) -> None:
        self._observer = observer
        self.cluster = Cluster(settings, observer)

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

    def close(self) -> None:
        """Let the workers go."""
        self.cluster.close()
