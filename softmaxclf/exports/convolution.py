"""Patch features as a convolution, for programs that have one.

    z = conv(x, filters) / s + constants         s^2: variance of the patch + contrast
    a = max(z - threshold, 0), max(-z - threshold, 0)
    features = a @ regions                       means over regions of positions

where the filters are those of core/stages/patches/stage.py and then their mirror images, and `regions` of the latter
stands at the mirrored places where features of both are added (`fold`).
"""

from dataclasses import dataclass

import numpy as np

from softmaxclf.core.stages.patches.stage import Patches, Plan
from softmaxclf.exports.formats import Array


@dataclass(frozen=True, eq=False)
class Convolution:
    """One scale, all in float32.

    filters: (2 M, C, p, p); constants: (2 M, 1, 1). regions: (2, n, R), of n positions, for each half of them.
    shrink: (rows (h, H), columns (W, w)) of which rows @ image @ columns is the image at this scale, or None.
    sides: (h, w) of that image.
    """

    filters: Array
    constants: Array
    regions: Array
    shrink: tuple[Array, Array] | None
    sides: tuple[int, int]

    @classmethod
    def of(cls, plan: Plan) -> "Convolution":
        """That of the plan of a scale."""
        p, G = plan.patch, plan.scale.G
        own = G[:-1].T.reshape(-1, plan.channels, p, p)
        shrink = None
        if plan.shrink is not None:
            down, across = plan.shrink
            shrink = _single(down), _single(across.T)
        return cls(
            _single(np.concatenate([own, own[..., ::-1]])),
            _single(np.tile(G[-1], 2).reshape(-1, 1, 1)),
            _single(np.stack(plan.R)),
            shrink,
            (plan.height, plan.width),
        )


def convolutions(stage: Patches) -> list[Convolution]:
    """One for each scale, in the order of the features."""
    return [Convolution.of(plan) for plan in stage.plans]


def _single(array: Array) -> Array:
    return np.ascontiguousarray(array, np.float32)
