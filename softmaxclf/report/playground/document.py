"""What the scripts of the page read: the model as one JSON text.

Weights are whole numbers of 24 bits, in steps that suit the largest weight of each pixel or feature. So CIFAR's 100
classes fit 1.5 MB, which float32 does not, and scores up to 29 are within 2e-6 of those in float64 (float32: 8e-7,
float16: 6e-3).
"""

import base64
import json
from dataclasses import replace
from math import sqrt
from typing import Any

import matplotlib as mpl
import numpy as np
import PIL
from numpy.typing import NDArray

from softmaxclf.core.folding import FoldedModel
from softmaxclf.core.images import ImageShape, has_colours
from softmaxclf.core.model import LinearModel
from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.patches.stage import Patches
from softmaxclf.plots.figure import DIVERGING
from softmaxclf.plots.filters import patch_stage
from softmaxclf.report.markup import Markup, element

Array = NDArray[Any]
LARGEST = 2**23 - 1  # of 24 bits with a sign


def shown_shape(model: LinearModel) -> ImageShape | None:
    """The shape of the images that the page takes; None where it takes features."""
    return model.image_shape if has_colours(model.image_shape) else None


def layer(model: LinearModel) -> FoldedModel:
    """The map of the columns that the last layer sees, raw ones or patch features. Raises ValueError for any other."""
    preprocessing = model.preprocessing
    if patch_stage(model) is not None:
        preprocessing = replace(preprocessing, reading=preprocessing.reading[1:])
    return FoldedModel.of(replace(model, preprocessing=preprocessing), centered=True)


def document(model: LinearModel, name: str) -> Markup:
    """The `<script>` called `name` that is no script but JSON. Raises ValueError for a model that is no linear map."""
    folded, shape = layer(model), shown_shape(model)
    weights, steps = packed(folded.W)
    features = None if shape else [model.column_name(column) for column in range(model.features)]
    spectrum = mpl.colormaps[DIVERGING](np.arange(256), bytes=True)[:, :3]
    told = {
        "classes": model.class_names,
        "shape": shape,
        "features": features,
        "weights": _text(weights),
        "steps": _text(steps),
        "bias": folded.b.tolist(),
        "center": _text(center(folded)),
        "spread": _text(np.empty(0) if shape else spread(model)),
        "unit": folded.unit,
        "mirror": folded.reflection is not None,
        "patches": _patches(patch_stage(model)),
        "colours": _text(spectrum),
        "tall_first": int(PIL.__version__.split(".")[0]) >= 13,  # see pixels.js
    }
    # As JSON text may hold it and HTML may not: a class called </script> would end the element.
    content = json.dumps(told).replace("<", "\\u003c")
    return element("script", Markup(content), id=name, type="application/json")


def _patches(stage: Patches | None) -> dict[str, Any] | None:
    """The filters of each scale, packed as weights are, and the numbers beside them."""
    if stage is None:
        return None
    filters = [(scale.factor, *packed(scale.G.astype(np.float64))) for scale in stage.scales]
    return {
        "patch": stage.patch, "threshold": stage.threshold, "pooling": stage.pooling, "contrast": stage.contrast,
        "fold": stage.fold,
        "scales": [{"factor": factor, "filters": _text(G), "steps": _text(steps)} for factor, G, steps in filters],
    }  # fmt: skip


def center(folded: FoldedModel) -> Array:
    """(D,) what is subtracted from a row."""
    return np.zeros(len(folded.W)) if folded.center is None else folded.center


def spread(model: LinearModel) -> Array:
    """(D,) the deviations of the features as the model stores them, or else a guess."""
    preprocessing = model.preprocessing
    if has_deviations(model):
        return np.broadcast_to(preprocessing.divisor, model.features)
    if preprocessing.unit_norm:
        return np.full(model.features, 1 / sqrt(model.features))
    return np.maximum(np.abs(center(layer(model))), 1)


def stored(model: LinearModel) -> int:
    """How many weights the page holds, those of filters too."""
    stage = patch_stage(model)
    return model.W.size + (0 if stage is None else sum(scale.G.size for scale in stage.scales))


def products(model: LinearModel) -> int:
    """How many multiplications the scores of a row take."""
    stage = patch_stage(model)
    plans = [] if stage is None else stage.plans
    return model.W.size + sum(2 * plan.positions * plan.scale.G.size for plan in plans)


def has_deviations(model: LinearModel) -> bool:
    """Whether it stores how far its columns spread."""
    return model.preprocessing.divisor.size == model.features


def packed(W: Array) -> tuple[NDArray[np.uint8], Array]:
    """Weights (D, K) as multiples of a step per column (D,): bytes (D * K, 3), low ones first, and the steps."""
    steps = np.abs(W).max(axis=1) / LARGEST
    multiples = np.rint(np.divide(W, steps[:, None], out=np.zeros_like(W), where=steps[:, None] > 0))
    return multiples.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3], steps


def unpacked(content: NDArray[np.uint8], steps: Array) -> Array:
    """The weights (D, K), float64, that `packed` made bytes and steps of."""
    whole = np.zeros((len(content), 4), np.uint8)
    whole[:, 1:] = content  # 256 times as large, so that the sign is where it belongs
    return whole.view("<i4").reshape(len(steps), -1) / 256 * steps[:, None]


def page_scores(model: LinearModel, X: Array) -> Array:
    """Scores (N, K), float64, of raw rows X (N, D) as the page computes them, with the weights that it holds."""
    folded, stage = layer(model), patch_stage(model)
    columns = X if stage is None else RowReader(X, (stage,), np.float64).all()
    return replace(folded, W=unpacked(*packed(folded.W))).scores(columns)


def _text(values: Array) -> str:
    stored = values if values.dtype == np.uint8 else np.ascontiguousarray(values, "<f8")
    return base64.b64encode(np.ascontiguousarray(stored).tobytes()).decode()
