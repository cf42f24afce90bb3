"""How much memory a stack may take."""

from softmaxclf.config import Config
from softmaxclf.memory import free_memory
from softmaxclf.workflows.runs.device import own_device


def stack_bound(config: Config) -> int:
    """tuning.memory, or a quarter of the memory that is free now, also of a GPU's, in bytes."""
    if config.tuning.memory is not None:
        return config.tuning.memory
    device = own_device(config)
    gpu = [device.free_memory] if device is not None and device.accelerator else []
    return min([free_memory(), *gpu]) // 4
