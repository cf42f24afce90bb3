"""How much memory a stack may take."""

from softmaxclf.config import Config
from softmaxclf.core.devices import device_of
from softmaxclf.memory import free_memory


def stack_bound(config: Config) -> int:
    """tuning.memory, or a quarter of the memory that is free now, also of a GPU's, in bytes."""
    if config.tuning.memory is not None:
        return config.tuning.memory
    device = device_of(config.engine.device, config.engine.precision)
    gpu = [device.free_memory] if device is not None and device.accelerator else []
    return min([free_memory(), *gpu]) // 4
