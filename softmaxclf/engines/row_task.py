"""What a worker does with its block of the rows: it keeps them, and sums over them when it is asked to."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from softmaxclf import __version__
from softmaxclf.core.devices import device_of
from softmaxclf.core.solvers.lbfgs.solver import rows_on
from softmaxclf.core.solvers.lbfgs.sums import AddedRows, Totals

_BLOCKS: dict[tuple[str, str], AddedRows] = {}  # by what they are rows of, and which rows in which features


def forget() -> None:
    """Let go of all blocks."""
    _BLOCKS.clear()


def block_sum(
    version: str,
    of: str,
    name: str,
    X: Any,
    settings: Mapping[str, Any],
    device: tuple[str, str],
    method: str,
    *arguments: Any,
) -> Any:
    """What a method of AddedRows gives for a block, which is made of X and `settings` once and then kept.

    of: what X is a part of; blocks of anything else are let go. name: the block's, unlike all others. device: what
    engine.device and engine.precision are.
    """
    if version != __version__:
        raise RuntimeError(f"expected softmaxclf {version}, found {__version__}; install the same there")
    if (of, name) not in _BLOCKS:
        for other in [key for key in _BLOCKS if key[0] != of]:
            del _BLOCKS[other]
        _BLOCKS[of, name] = rows_on(device_of(*device))(X, **settings)
    return getattr(_BLOCKS[of, name], method)(*arguments)


def added(first: Any, *others: Any) -> Any:
    """The sum of arrays or Totals, in that order; none of them is changed."""
    total = deepcopy(first)  # a block may keep what it gave
    for each in others:
        if isinstance(total, Totals):
            total.add(each)
        else:
            total += each
    return total
