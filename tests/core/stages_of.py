"""The stages that settings ask for, as a list of classes."""

from types import SimpleNamespace

from softmaxclf.core.stages import chosen


def stages_of(*, center=True, scale="none", mirror=None):
    """mirror: an image shape, or None."""
    return chosen(SimpleNamespace(center=center, scale=scale, mirror=mirror is not None))
