"""What lies between raw rows and the linear layer. Imports no NumPy, so that settings can be checked without.

A new stage is one file with a class that has what `stage.Stage` describes, and one line in STAGES. One that
`preprocessing.scale` may name has its name in SCALES too.
"""

from collections.abc import Callable
from typing import Any

from softmaxclf.core.registry import Registry

# In the order in which a row meets them.
STAGES = Registry(
    {
        "patches": "softmaxclf.core.stages.patches.stage:Patches",
        "mirror": "softmaxclf.core.stages.mirror:Mirror",
        "center": "softmaxclf.core.stages.statistics:Center",
        "standardize": "softmaxclf.core.stages.statistics:Standardize",
        "unit-norm": "softmaxclf.core.stages.statistics:UnitNorm",
    }
)
SCALES = ["none", "standardize", "unit-norm"]


def chosen(settings: Any) -> list[Any]:
    """The stages that these settings ask for: a switch of a stage's name, or `scale` naming it."""
    asked: Callable[[str], bool] = lambda name: settings.scale == name or bool(getattr(settings, name, False))  # noqa: E731
    return [STAGES.load(name) for name in STAGES if asked(name)]
