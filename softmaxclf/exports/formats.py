"""What a format of exported models is, and what goes into every one of them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.folding import FoldedModel
from softmaxclf.core.model import LinearModel

Array = NDArray[Any]
ROWS_AT_ONCE = 4


@dataclass(frozen=True)
class Exported:
    """What is written. folded: the map of raw rows, in float32 as `arrays`; facts: what JSON holds of the model."""

    folded: FoldedModel
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, model: LinearModel) -> "Exported":
        """A model of rows or of patch features of them. Raises ValueError for one that no FoldedModel can be."""
        folded = FoldedModel.of(model, single=True)
        facts = {
            "class_names": list(model.class_names),
            "feature_names": None if model.feature_names is None else list(model.feature_names),
            "image_shape": None if model.image_shape is None else list(model.image_shape),
            "loss": model.loss,
            "temperature": model.temperature,
            "formula": folded.formula,
            "unit_norm": folded.unit,
            "provenance": dict(model.provenance),
        }
        return cls(folded, facts)

    @property
    def arrays(self) -> dict[str, Array]:
        """W (D, K) and b (K,), float32, and center and reflection (D,) where the formula has them."""
        found = {"W": self.folded.W, "b": self.folded.b, "center": self.folded.center}
        arrays = {name: np.ascontiguousarray(a, np.float32) for name, a in found.items() if a is not None}
        if self.folded.reflection is not None:
            arrays["reflection"] = self.folded.reflection.astype(np.int64)
        return arrays

    @property
    def facts_json(self) -> str:
        """The facts as text."""
        return json.dumps(dict(self.facts), ensure_ascii=False)


def no_matrix(folded: FoldedModel) -> str:
    """Why what holds matrices alone cannot hold this map; empty where it can."""
    return "" if folded.patches is None else "patch features take a convolution"


@dataclass(frozen=True)
class Format:
    """One format. write(exported): the bytes of a file. scores(content, rows (N, D)): what they compute, (N, K), or of
    two classes (N,) the second's less the first's where the format has no more; the library reads them back.

    title: what a file of it is called; suffix: its ending. package: the library that writes it, with its extra and what
    it is for; none for what NumPy and Python write. refuses(folded): why it cannot hold such a map, empty where it can,
    as it cannot, unless it says otherwise, what is no matrix.
    """

    title: str
    suffix: str
    write: Callable[[Exported], bytes]
    scores: Callable[[bytes, Array], Array]
    modules: tuple[str, ...] = ()
    package: str = ""
    extra: str = ""
    refuses: Callable[[FoldedModel], str] = no_matrix


def by_blocks(scores: Callable[[Array], Array], rows: Array) -> Array:
    """The scores of rows, of a few at a time: responses of patch features take megabytes each."""
    starts = range(0, len(rows), ROWS_AT_ONCE)
    return np.concatenate([scores(rows[start : start + ROWS_AT_ONCE]) for start in starts])


def plain_scores(arrays: Mapping[str, Array], facts: Mapping[str, Any], rows: Array) -> Array:
    """The scores of rows by arrays and facts that were read back."""
    optional = arrays.get("center"), facts["unit_norm"], arrays.get("reflection")
    return FoldedModel(arrays["W"], arrays["b"], *optional).scores(rows)
