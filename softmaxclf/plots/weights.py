"""What a model looks for, as a picture: templates of images, or the largest weights of other features."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from softmaxclf.core.images import has_colours
from softmaxclf.core.model import LinearModel
from softmaxclf.plots import features, filters, templates


def draw_weights(
    model: LinearModel,
    *,
    view: str | None = None,
    classes: Sequence[int] | None = None,
    columns: int | None = None,
    examples: Mapping[int, templates.Examples] | None = None,
    rows: tuple[NDArray[Any], NDArray[np.int64]] | None = None,
) -> Figure:
    """Return the figure of a model's weights, see LinearModel.shown_weights.

    view: default "shared", or "signed" for images without colours. The rest as in templates.draw_templates;
    examples are for image models only. Of a model with patch features its filters are drawn, with patches of images
    `rows` if given, see filters.filter_sheet. Raises ConfigError for a view that cannot be drawn.
    """
    if filters.patch_stage(model) is not None:
        sheet = filters.filter_sheet(model, rows, classes)
        return filters.draw_filters(sheet, model.class_names, classes=classes)
    weights, shape = model.shown_weights, model.template_shape
    chosen = templates.check_view(view or ("shared" if shape is None or has_colours(shape) else "signed"))
    if shape is not None:
        images = templates.template_images(weights, shape, chosen)
        return templates.draw_templates(
            images, model.class_names, view=chosen, classes=classes, columns=columns, examples=examples
        )
    if chosen == "difference":
        weights = templates.minus_mean_of_others(weights.T).T
    heading = features.HEADINGS.get(chosen, features.HEADING)
    return features.draw_features(
        weights,
        model.class_names,
        classes=classes,
        columns=columns,
        heading=heading,
        names=model.feature_names,
    )
