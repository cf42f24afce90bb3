"""Who trains the stacks of a grid, sums over rows and makes features: this process, or others that engines/ knows."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from softmaxclf.config import Config
from softmaxclf.core.problem import Cells, Problem
from softmaxclf.core.search import Outcome
from softmaxclf.core.solvers.lbfgs.sums import Summing
from softmaxclf.datasets.dataset import Rows
from softmaxclf.datasets.stored_rows import Fill
from softmaxclf.workflows.runs.control import Control
from softmaxclf.workflows.runs.extraction import Encoder, filling_here
from softmaxclf.workflows.runs.memory import stack_bound
from softmaxclf.workflows.runs.training import Recipe

if TYPE_CHECKING:
    from softmaxclf.workflows.runs.grid import GridTraining

Plan = Mapping[str, Any]


class Extraction(NamedTuple):
    """What the features of images take: seconds as they are probed, bytes of the images and of what is made of them."""

    seconds: float
    images: int
    features: int


class Engine:
    """Leaves nothing to others: all is done in this process.

    summing: what makes the sums over rows of the solvers that need nothing else; None for threads of this process.
    """

    summing: Summing | None = None

    def heed(self, control: Control) -> None:
        """Let signals and --max-time end what waits for others."""

    def rehearse(self) -> None:
        """Wait for nobody: this is a dry run."""

    def stack_bound(self, config: Config) -> int:
        """Bytes of memory that a stack may take where it is trained."""
        return stack_bound(config)

    def least_stacks(self, recipe: Recipe, problem: Problem, cells: int) -> int:
        """How many stacks there should be at the least of so many cells."""
        return 1

    def bring(
        self, grid: "GridTraining", stacks: Sequence[Cells], halving: bool
    ) -> dict[int, dict[int, Outcome]]:
        """What became of the cells of stacks, by their number, that others have trained; the folder has their states.

        What is not brought is trained here. Raises EngineError, InterruptedRunError.
        """
        return {}

    def filling(self, X: Rows, encoder: Encoder) -> Fill:
        """What fills blocks with the codes of the features of rows X (N, D), asked for in their order."""
        return filling_here(X, encoder)

    def probing(self) -> AbstractContextManager[None]:
        """In which a dry run measures how long work takes."""
        return nullcontext()

    def planned(
        self,
        recipe: Recipe,
        problem: Problem,
        stacks: Sequence[Cells],
        repeats: int,
        seconds: float,
        extraction: Extraction | None,
    ) -> Plan:
        """What a dry run has to say of it: the cut, bytes to move, and the seconds that come of those of a probe."""
        return {}
