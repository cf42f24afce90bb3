"""How much memory a stack takes and may take."""

import os
from pathlib import Path

from softmaxclf.config import Config


def free_memory() -> int:
    """Bytes that the system could give to this process now; 4 GiB where it does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return 4 * 2**30


def stack_bound(config: Config) -> int:
    """tuning.memory, or a quarter of the memory that is free now, in bytes."""
    return config.tuning.memory if config.tuning.memory is not None else free_memory() // 4
