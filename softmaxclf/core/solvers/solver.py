"""What a solver is: it trains a stack of cells to a last point, can be stopped anywhere, stored and gone on with."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self

import numpy as np

from softmaxclf.core.problem import Array, Cells, History, Problem

Stop = Callable[[int], bool]  # asked with the point that was reached


@dataclass(kw_only=True)
class State:
    """What every solver carries along; each adds arrays (..., G) of its own, a column per cell, and whole numbers.

    iteration: the point that was reached. diverged_at: (G,) the point at which a cell left the finite numbers, or -1.
    """

    cells: Cells
    iteration: int = 0
    diverged_at: Array
    history: History = field(default_factory=History)

    def columns(self) -> dict[str, Array]:
        """Its arrays (..., G) by name."""
        return {name: value for name, value in self._values() if isinstance(value, np.ndarray)}

    def keep(self, kept: Array) -> Self:
        """The state of the cells at those indices, repacked."""
        arrays: dict[str, Any] = {
            name: np.ascontiguousarray(array[..., kept]) for name, array in self.columns().items()
        }
        return replace(self, cells=self.cells.keep(kept), history=self.history.keep(kept), **arrays)

    def arrays(self) -> dict[str, Array]:
        """All that `restored` needs to go on from here with the same bits."""
        cells = {**self.cells.values, "fold": self.cells.fold, "index": self.cells.index}
        return {
            **{name: np.array(value) for name, value in self._values() if isinstance(value, int)},
            **self.columns(),
            **{f"cells_{name}": column for name, column in cells.items()},
            **{f"history_{name}": lines for name, lines in self.history.arrays().items()},
        }

    def restored(self, arrays: Mapping[str, Array]) -> Self:
        """The state that `arrays` were taken of; `self` is fresh, and may have more cells.

        Raises ValueError where the arrays are of other cells, or of other shapes or types.
        """
        try:
            fresh = self.keep(np.array(_places(arrays, self.cells)))
            history = {name.removeprefix("history_"): value for name, value in arrays.items()}
            held: dict[str, Any] = {n: _like(arrays[n], array) for n, array in fresh.columns().items()}
            held |= {n: int(arrays[n]) for n, value in self._values() if isinstance(value, int)}
            return replace(fresh, history=History.from_arrays(history, len(fresh.cells)), **held)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{error} is missing or of another kind") from error

    def _values(self) -> list[tuple[str, Any]]:
        return [(item.name, getattr(self, item.name)) for item in fields(self)]


class Solver(ABC):
    """Trains the cells of `state`, in place, on the rows of a problem.

    axes: the settings that a grid may vary, each a column of `cells.values`. settings_type: a dataclass of the other
    settings that it follows, by the names that they have in the configuration's training section.
    unit: what its points are counted in. figures: names of what `report` adds to the table of cells.
    divides_rows: whether it needs from the rows nothing but sums, see lbfgs/sums.py, so that others may have them.
    """

    axes: ClassVar[tuple[str, ...]]
    settings_type: ClassVar[type]
    unit: ClassVar[str] = "it"
    figures: ClassVar[tuple[str, ...]] = ()
    divides_rows: ClassVar[bool] = False

    def __init__(self, problem: Problem, settings: Any, state: Any) -> None:
        self.problem, self.settings, self.state = problem, settings, state

    @classmethod
    @abstractmethod
    def start(cls, problem: Problem, settings: Any, cells: Cells) -> State:
        """The state before the first step."""

    @classmethod
    def bytes_per_cell(cls, problem: Problem, settings: Any) -> int:
        """Bytes of memory that a cell takes while it is trained; this one counts weights in float64."""
        return np.dtype(np.float64).itemsize * problem.classes * problem.columns

    @property
    @abstractmethod
    def length(self) -> int:
        """The point at which it has finished."""

    @property
    def width(self) -> int:
        """How many models share each reading of the rows."""
        return len(self.state.cells)

    @property
    def readings(self) -> int:
        """How many readings of all rows to expect, of a solver that makes such."""
        return self.length

    @abstractmethod
    def run(self, until: int, stop: Stop = lambda point: False) -> bool:
        """Train up to the point `until`, asking `stop` now and then; returns whether it was reached."""

    @abstractmethod
    def weights(self, place: int) -> tuple[Array, Array]:
        """(W (D', K), b (K,)), float64, in units of the features, of the cell at that place of the stack."""

    def judged(self, place: int) -> bool:
        """Whether the cell at that place has come so far that it can be scored."""
        return True

    def on_all_rows(self, place: int) -> "Solver | None":
        """A solver of that cell alone, trained on the rows of all folds, where that was done beside the folds."""
        return None

    def told(self) -> str:
        """Where it stands, in a few words for a progress bar; empty where the history says it."""
        return ""

    def pace(self, place: int, point: int) -> dict[str, float]:
        """How fast that cell went at a point, by name, such as its learning rate; nothing where the solver chooses."""
        return {}

    def report(self, place: int) -> dict[str, Any]:
        """What it has to say of that cell, by the names in `figures`."""
        return {}

    def loss_curve(self, place: int) -> list[float]:
        """What that cell brought down, as far as it was written down: by the history, its mean losses."""
        return [float(line[place]) for line in self.state.history.loss]

    def validate(self) -> Array:
        """The share (G,) of its validation rows that each cell labels right, quickly; NaN where it cannot say."""
        return np.full(len(self.state.cells), np.nan)


def _like(found: Array, fresh: Array) -> Array:
    if found.shape != fresh.shape or found.dtype != fresh.dtype:
        raise ValueError(f"expected {fresh.shape} of {fresh.dtype}, found {found.shape} of {found.dtype}")
    return np.array(found)


def _places(arrays: Mapping[str, Array], among: Cells) -> list[int]:
    """Where the stored cells stand among others, by place in the grid and fold; their values must be the same."""
    index, fold = arrays["cells_index"], arrays["cells_fold"]
    known = {pair: n for n, pair in enumerate(zip(among.index.tolist(), among.fold.tolist(), strict=True))}
    if not index.ndim == fold.ndim == 1 or len(index) != len(fold) or not len(index):
        raise ValueError("the cells are no list")
    places = [known.get(pair, -1) for pair in zip(index.tolist(), fold.tolist(), strict=True)]
    own = among.keep(np.array(places))
    if -1 in places or not all(np.array_equal(arrays[f"cells_{n}"], own.values[n]) for n in own.values):
        raise ValueError("the cells are others")
    return places
