"""What a loss is: a function of scores and labels with its gradient, in the forms in which they are needed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike, NDArray

from softmaxclf.core.namespace import namespace_of

Array = NDArray[Any]
LossFunction = Callable[[Array, Array, Array, float], tuple[float, Array]]  # (W, X, y, reg) -> (loss, dW)


@dataclass(frozen=True)
class Loss:
    """One loss. Its formulas, with the gradient by the scores, are in the file that makes it.

    title: what texts call it. of_rows(scores (N, K), y (N,)): losses (N,). vectorized: the classic function.
    stacked(scores (K, G, n), y (n,)): losses (G, n) of a stack; it may write over the scores.
    descend(scores (K, G, n), y (n,), step (G, n) or (G, 1)): the same, and the scores become step * gradient.
    These two take arrays of NumPy and tensors of PyTorch alike.
    at_zero(K): of scores that are all equal; at_zero_formula: in words, with K to be filled in.
    kinks(scores (N, K), y (N,)): values that change sign where the loss bends, or None where it is smooth.
    caution: what to know of probabilities made of its scores; empty where it trains them.
    """

    name: str
    title: str
    of_rows: Callable[[ArrayLike, ArrayLike], Any]
    vectorized: LossFunction
    stacked: Callable[[Array, Array], Array]
    descend: Callable[[Array, Array, Array], Array]
    at_zero: Callable[[int], float]
    at_zero_formula: str
    kinks: Callable[[ArrayLike, ArrayLike], Array] | None = None
    caution: str = ""

    @property
    def trains_probabilities(self) -> bool:
        """Whether the softmax of its scores is what it trains."""
        return not self.caution


def of_labels(scores: Array, y: Array) -> Array:
    """The scores (G, n) of each row's own class, of scores (K, G, n): a copy."""
    own: Array = scores[label_places(scores, y)].T
    return own


def label_places(scores: Array, y: Array) -> tuple[Any, ...]:
    """Where the scores (n, G) of each row's own class stand in scores (K, G, n)."""
    return y, slice(None), namespace_of(scores).arange(len(y), device=scores.device)
