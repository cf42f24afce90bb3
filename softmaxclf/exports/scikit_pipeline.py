"""scikit-learn: a LogisticRegression, behind what centers and normalizes where that is needed, stored by skops."""

from typing import Any

import numpy as np

from softmaxclf.core.folding import FoldedModel
from softmaxclf.exports.formats import Array, Exported, Format, no_matrix


def to_bytes(exported: Exported) -> bytes:
    """A fitted estimator of raw rows in skops's format, without pickle; its attribute `softmaxclf_` holds the facts."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Normalizer, StandardScaler
    from skops.io import dumps

    folded = exported.folded
    steps: list[Any] = []
    if folded.center is not None:
        steps.append(StandardScaler(with_std=False).fit(folded.center[None]))
    if folded.unit:
        steps.append(Normalizer().fit(folded.W.T))
    steps.append(_regression(folded, exported.facts["class_names"]))
    estimator = steps[0] if len(steps) == 1 else make_pipeline(*steps)
    estimator.softmaxclf_ = exported.facts_json
    content: bytes = dumps(estimator)
    return content


def _regression(folded: FoldedModel, class_names: list[str]) -> Any:
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression()
    found.classes_, found.n_features_in_ = np.array(class_names), len(folded.W)
    found.coef_, found.intercept_ = folded.W.T.copy(), folded.b.copy()
    found.n_iter_ = np.zeros(1, np.int32)
    if len(class_names) == 2:
        found.coef_, found.intercept_ = np.diff(found.coef_, axis=0), np.diff(found.intercept_)
    return found


def scores(content: bytes, rows: Array) -> Array:
    """The decision function of the file, opened by skops with no type trusted but those that it knows."""
    from skops.io import loads

    found: Array = loads(content, trusted=[]).decision_function(rows)
    return found


def refuses(folded: FoldedModel) -> str:
    """scikit-learn has no step that mirrors images."""
    if folded.reflection is not None:
        return "mirror folding with unit norm has no step in scikit-learn"
    return no_matrix(folded)


SKLEARN = Format("scikit-learn", ".skops", to_bytes, scores, ("sklearn", "skops"), "skops", "skops", refuses)
