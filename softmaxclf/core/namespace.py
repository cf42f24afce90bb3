"""One formula for arrays of NumPy and tensors of PyTorch: what the two libraries do not spell alike.

Most operators, slices and reductions are the same (`scores.sum(axis=0)`, `xp.exp(scores, out=scores)`); code that
keeps to them and asks here for the rest serves both. Nothing here imports PyTorch: whoever has a tensor has done so.
"""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def namespace_of(array: Any) -> Any:
    """The library of an array: numpy or torch."""
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]


def beside(values: Array, array: Any) -> Any:
    """`values` where `array` is: themselves for NumPy, a tensor on its device for PyTorch."""
    return values if isinstance(array, np.ndarray) else _tensor(values).to(array.device, non_blocking=True)


def like(values: Array, array: Any) -> Any:
    """`values` where `array` is, in its dtype."""
    if isinstance(array, np.ndarray):
        return values.astype(array.dtype, copy=False)
    return _tensor(values).to(array.dtype).to(array.device, non_blocking=True)


def _tensor(values: Array) -> Any:
    return sys.modules["torch"].from_numpy(
        np.array(values)
    )  # a copy: values may be read-only, or strides negative


def fetched(array: Any) -> Array:
    """An array or tensor as an array of NumPy."""
    return array if isinstance(array, np.ndarray) else np.asarray(array.numpy(force=True))


def widest(array: Any) -> Any:
    """The dtype in which numbers of `array` are summed up: float64, or float32 where a device has no other."""
    xp = namespace_of(array)
    return xp.float32 if xp is not np and array.device.type == "mps" else xp.float64
