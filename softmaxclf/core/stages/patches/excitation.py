"""What the filters of patch features are to a model: how much they weigh, and which patches excite them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from softmaxclf.core import blas
from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.patches.stage import Patches, Plan, Room
from softmaxclf.core.stages.stage import Array

SEARCHED = 500  # images in which exciting patches are looked for


class Response(NamedTuple):
    """One sign of one filter: place of the scale, number of the filter, 0 for + and 1 for -."""

    scale: int
    filter: int
    sign: int


def weights_of(stage: Patches, W: Array) -> list[Array]:
    """Per scale (2, M, K): what a response of each sign and filter adds to each score, summed over regions and views.

    W: (D', K) weights on features as they were trained.
    """
    found, start = [], 0
    for plan in stage.plans:
        own = W[start : start + plan.columns].reshape(plan.views, 2, plan.scale.filters, plan.regions, -1)
        found.append(own.sum(axis=(0, 3)))
        start += plan.columns
    return found


def importance(stage: Patches, W: Array) -> list[Array]:
    """Per scale (M,): the length of all weights of each filter's features."""
    found, start = [], 0
    for plan in stage.plans:
        own = W[start : start + plan.columns].reshape(plan.views, 2, plan.scale.filters, -1)
        found.append(np.sqrt(np.square(own, dtype=np.float64).sum(axis=(0, 1, 3))))
        start += plan.columns
    return found


def speaking(weights: Sequence[Array], k: int, count: int) -> tuple[list[Response], list[Response]]:
    """The responses that speak most for class k, and most against it, `count` of each; weights as in `weights_of`."""
    values = np.concatenate([each[:, :, k].ravel() for each in weights])
    places = [
        Response(scale, number, sign)
        for scale, each in enumerate(weights)
        for sign in range(2)
        for number in range(each.shape[1])
    ]
    order = np.argsort(-values, kind="stable")
    return [places[at] for at in order[:count]], [places[at] for at in order[::-1][:count]]


def picture_of(stage: Patches, response: Response) -> Array:
    """(p, p, C) in -1..1: the filter on pixels, as it looks for light and dark."""
    column = stage.scales[response.scale].G[:-1, response.filter].astype(np.float64)
    image = column.reshape(stage.shape[0], stage.patch, stage.patch).transpose(1, 2, 0)
    limit = np.abs(image).max() or 1.0
    return np.asarray(image / limit * (1 - 2 * response.sign))


def exciting(
    stage: Patches, X: Array, rows: Array, wanted: Sequence[Response], count: int
) -> dict[Response, Array]:
    """Patches (count, p, p, C) of largest response, each from another one of some of those rows of images X (N, D)."""
    some = rows[:: -(-len(rows) // SEARCHED)]
    images = RowReader(X).read(some, np.empty((len(some), X.shape[1]), np.float32)).reshape(-1, *stage.shape)
    found = {}
    for scale, plan in enumerate(stage.plans):
        own = [each for each in dict.fromkeys(wanted) if each.scale == scale]
        if not own:
            continue
        room = Room(plan, np.dtype(np.float32))
        filters = np.array([each.filter for each in own])
        signs = np.array([1 - 2 * each.sign for each in own], np.float32)[:, None]
        best, where = (np.empty((len(own), len(some)), kind) for kind in (np.float32, np.int64))
        with blas.single_threaded():
            for place, image in enumerate(images):
                room.load(image[None])
                z = signs * room.responses(filters)
                where[:, place] = z.argmax(axis=1)
                best[:, place] = z[np.arange(len(z)), where[:, place]]
        for each, values, positions in zip(own, best, where, strict=True):
            top = np.argsort(-values, kind="stable")[:count]
            found[each] = np.array([_cut(plan, images[at], int(positions[at])) for at in top])
    return found


def _cut(plan: Plan, image: Array, position: int) -> Array:
    small = plan.reduced(image)
    top, left = divmod(position, plan.columns_of_positions)
    return small[:, top : top + plan.patch, left : left + plan.patch].transpose(1, 2, 0)
