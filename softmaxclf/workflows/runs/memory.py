"""How much memory a stack may take."""

from softmaxclf.config import Config
from softmaxclf.memory import free_memory


def stack_bound(config: Config) -> int:
    """tuning.memory, or a quarter of the memory that is free now, in bytes."""
    return config.tuning.memory if config.tuning.memory is not None else free_memory() // 4
