"""Where products are made: by NumPy, or by PyTorch on its device. Imports neither, so that settings can be checked."""

from functools import cache
from typing import TYPE_CHECKING

from softmaxclf.errors import ConfigError, lacking

if TYPE_CHECKING:
    from softmaxclf.core.torch_device import TorchDevice

NUMPY, AUTO = "cpu", "auto"
# cpu is NumPy; torch-cpu is PyTorch on the same processor, for what it does otherwise, and for tests.
DEVICES = (NUMPY, "torch-cpu", "cuda", "mps", AUTO)
SINGLE, MIXED = "single", "mixed"
PRECISIONS = (SINGLE, MIXED)


@cache
def device_of(name: str, precision: str = SINGLE) -> "TorchDevice | None":
    """What engine.device and engine.precision name; None is NumPy in float32. Raises ConfigError where it is not there.

    auto is a GPU that can do what is asked for, else the processor. Mixed precision on the processor is PyTorch's.
    """
    if name == NUMPY and precision == SINGLE:
        return None
    try:
        from softmaxclf.core.torch_device import TorchDevice, best_device
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        if name == AUTO and precision == SINGLE:
            return None
        place = "engine.precision mixed" if name in (NUMPY, AUTO) else f"engine.device {name}"
        raise ConfigError(lacking(place, "torch", "computes there", "torch")) from error
    if name == AUTO:
        name = best_device(precision == MIXED)
        return device_of(name, precision)
    return TorchDevice("cpu" if name in (NUMPY, "torch-cpu") else name, mixed=precision == MIXED)
