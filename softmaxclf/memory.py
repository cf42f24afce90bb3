"""How much memory there is: what the machine, the control group and the shell's limit leave."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

UNKNOWN = 4 * 2**30  # bytes, where the system does not say
# Of versions 2 and 1 of control groups: the files of the limit and of what is used, and what of that can be given back.
_GROUP_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def free_memory(root: Path = Path("/")) -> int:
    """Bytes that the system could give to this process now; 4 GiB where it does not say. root: of /proc and /sys."""
    bounds = [*_of_machine(root), *_of_groups(root), *_of_address_space(root)]
    return max(0, min(bounds, default=UNKNOWN))


def _of_machine(root: Path) -> Iterator[int]:
    with suppress(OSError, ValueError, AttributeError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024
                return
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def _of_groups(root: Path) -> Iterator[int]:
    """Of the process's group and of those around it, as far as they are mounted (man 7 cgroups)."""
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers not in ("", "memory"):
                continue
            for mount in ("sys/fs/cgroup/memory", "sys/fs/cgroup/unified", "sys/fs/cgroup"):
                inside = Path(path.strip("/"))
                for group in (inside, *inside.parents):
                    yield from _of_group(root / mount / group)


def _of_group(group: Path) -> Iterator[int]:
    for limit, used, cached in _GROUP_FILES:
        with suppress(OSError, ValueError):  # another version, the root, or a limit called "max"
            bound = int((group / limit).read_text()) - int((group / used).read_text())
            statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            yield bound + int(statistics.get(cached, 0))


def _of_address_space(root: Path) -> Iterator[int]:
    """Of `ulimit -v`."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            pages = int((root / "proc/self/statm").read_text().split()[0])
            yield limit - pages * resource.getpagesize()
