"""softmaxclf: train, tune, inspect and understand softmax linear classifiers.

The names below are resolved on first use, so that importing the package stays quick.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
SCHEMA_VERSION = 1  # of what --json prints; raised when something that was there goes or changes its meaning

_HOMES = {
    "softmax": "softmaxclf.core.losses.softmax",
    "log_softmax": "softmaxclf.core.losses.softmax",
    "cross_entropy": "softmaxclf.core.losses.softmax",
    "softmax_loss_naive": "softmaxclf.core.checks.reference",
    "softmax_loss_vectorized": "softmaxclf.core.losses.softmax",
    "hinge_loss_naive": "softmaxclf.core.checks.reference",
    "hinge_loss_vectorized": "softmaxclf.core.losses.hinge",
    "fit": "softmaxclf.workflows.fit",
    "load_model": "softmaxclf.model_file",
    "SoftmaxClassifier": "softmaxclf.estimators.classifier",
    "SoftmaxClassifierCV": "softmaxclf.estimators.search",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'softmaxclf' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
