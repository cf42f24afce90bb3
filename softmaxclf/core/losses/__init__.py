"""The losses of scores. Imports no NumPy, so that settings can be checked without.

A new loss is one file with a `loss.Loss`, and one line here.
"""

from softmaxclf.core.registry import Registry

LOSSES = Registry(
    {
        "softmax": "softmaxclf.core.losses.softmax:SOFTMAX",
        "hinge": "softmaxclf.core.losses.hinge:HINGE",
    }
)
