"""What a checkpoint of a stack holds, and whether one that was found can be gone on with."""

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.stack import STATE_ARRAYS, Cells, History, State
from softmaxclf.errors import DataError
from softmaxclf.runs import NUMBER, has_form

Array = NDArray[Any]
Departed = list[dict[str, Any]]
# What a checkpoint's JSON holds, see runs.has_form; `departed` is what outcomes.stored makes.
_DEPARTED_FORM = {
    "index": int, "learning_rate": int | float, "regularization": int | float, "train_accuracy": NUMBER,
    "validation_accuracy": NUMBER, "validation_loss": NUMBER, "interval": [NUMBER, NUMBER], "error": NUMBER,
    "iterations": int, "status": str,
}  # fmt: skip
_FACTS_FORM = {"iteration": int, "loss_count": int, "rung": int, "departed": [_DEPARTED_FORM]}


@dataclass
class StackResult:
    """A trained stack. departed: what `on_rung` said of the cells that left early. complete: not out of time."""

    state: State
    departed: Departed = field(default_factory=list)
    complete: bool = True


def stored(result: StackResult, rung: int) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the JSON-able facts of a checkpoint."""
    state = result.state
    arrays = {name: getattr(state, name) for name in STATE_ARRAYS}
    arrays |= {f"cells_{item.name}": getattr(state.cells, item.name) for item in fields(Cells)}
    arrays |= {
        f"history_{item.name}": np.array(getattr(state.history, item.name)) for item in fields(History)
    }
    facts = {
        "iteration": state.iteration,
        "loss_count": state.loss_count,
        "rung": rung,
        "departed": result.departed,
    }
    return arrays, facts


def restored(arrays: dict[str, Array], facts: dict[str, Any], where: str) -> tuple[StackResult, int]:
    """The stack of a checkpoint and the number of rungs behind it. Raises DataError when it is something else."""
    try:
        cells = Cells(*(arrays[f"cells_{item.name}"] for item in fields(Cells)))
        lines = {item.name: list(arrays[f"history_{item.name}"]) for item in fields(History)}
        history = History(**{**lines, "iteration": [int(value) for value in lines["iteration"]]})
        kept = {name: np.array(arrays[name]) for name in STATE_ARRAYS}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where}: expected a checkpoint, found something else ({error})") from error
    if not has_form(facts, _FACTS_FORM):
        raise DataError(f"{where}: expected the facts of a checkpoint, found others")
    state = State(
        cells=cells, iteration=facts["iteration"], loss_count=facts["loss_count"], history=history, **kept
    )
    return StackResult(state, facts["departed"]), facts["rung"]


def continues(state: State, fresh: State, iterations: int) -> bool:
    """Whether `state` is of cells of `fresh`, with arrays as they would have, so that training can go on."""
    places = _places_of(state.cells, fresh.cells)
    if not places or not 0 <= state.iteration <= iterations:
        return False
    expected = fresh.keep(np.array(places))
    pairs = [(getattr(state, name), getattr(expected, name)) for name in STATE_ARRAYS]
    pairs += [(getattr(state.cells, item.name), getattr(expected.cells, item.name)) for item in fields(Cells)]
    history = state.history
    lines = [history.loss, history.train_accuracy, history.validation_accuracy]
    return (
        all(own.shape == other.shape and own.dtype == other.dtype for own, other in pairs)
        and all(len(each) == len(history.iteration) for each in lines)
        and all(np.shape(line) == (len(places),) for each in lines for line in each)
    )


def _places_of(cells: Cells, among: Cells) -> list[int]:
    """Where the cells stand among others, by place in the grid and fold; [] when one is missing."""
    known = {
        pair: place for place, pair in enumerate(zip(among.index.tolist(), among.fold.tolist(), strict=True))
    }
    if not cells.index.ndim == cells.fold.ndim == 1 or len(cells.index) != len(cells.fold):
        return []
    places = [known.get(pair, -1) for pair in zip(cells.index.tolist(), cells.fold.tolist(), strict=True)]
    return [] if -1 in places else places
