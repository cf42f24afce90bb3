"""The least of what machine, control group and shell leave bounds a stack."""

import subprocess
import sys
from pathlib import Path

import pytest

from softmaxclf.memory import UNKNOWN, free_memory

GIB = 2**30


def system(root: Path, files: dict[str, str]) -> Path:
    """A system with 8 GiB free and these files."""
    for name, content in {
        "proc/meminfo": f"MemTotal: 1 kB\nMemAvailable: {8 * GIB // 1024} kB\n",
        **files,
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 8 * GIB),
        # version 2: its own limit, less what is used, plus what can be given back
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/memory.max": f"{3 * GIB}\n",
                "sys/fs/cgroup/a/b/memory.current": f"{2 * GIB}\n",
                "sys/fs/cgroup/a/b/memory.stat": f"anon 5\ninactive_file {GIB}\n",
            },
            2 * GIB,
        ),
        # none of its own, but one of a group around it
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/memory.max": "max\n",
                "sys/fs/cgroup/a/b/memory.current": "5\n",
                "sys/fs/cgroup/a/b/memory.stat": "",
                "sys/fs/cgroup/a/memory.max": f"{GIB}\n",
                "sys/fs/cgroup/a/memory.current": "0\n",
                "sys/fs/cgroup/a/memory.stat": "",
            },
            GIB,
        ),
        # version 1 in a container, which sees its own group as the root
        (
            {
                "proc/self/cgroup": "5:cpu:/x\n4:memory:/docker/1f\n0::/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB}\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "24\n",
                "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 0\n",
            },
            GIB - 24,
        ),
        # more used than the limit, which may be lowered any time
        (
            {
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/memory.max": "5\n",
                "sys/fs/cgroup/memory.current": "9\n",
                "sys/fs/cgroup/memory.stat": "",
            },
            0,
        ),
        ({"proc/self/cgroup": "nonsense\n"}, 8 * GIB),
    ],
    ids=["machine", "version 2", "around it", "version 1", "overdrawn", "nonsense"],
)
def test_the_narrowest_bound_counts(files: dict[str, str], free: int, tmp_path: Path) -> None:
    assert free_memory(system(tmp_path, files)) == free


def test_a_system_that_says_nothing_gets_a_guess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr("os.sysconf", unknown)
    assert free_memory(tmp_path) == UNKNOWN


def limited(kilobytes: int, script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Python under `ulimit -v`."""
    command = [
        "bash",
        "-c",
        f'ulimit -v {kilobytes}; exec "$@"',
        "bash",
        sys.executable,
        "-c",
        script,
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_limit_of_the_shell_counts() -> None:
    process = limited(4 * 2**20, "from softmaxclf.memory import free_memory; print(free_memory())")
    assert 0 < int(process.stdout) < 4 * GIB


def test_too_little_memory_is_one_line_where_python_still_can_say_it(tmp_path: Path) -> None:
    """Where a library ends the process by itself, nothing can."""
    script = "from softmaxclf.__main__ import main\nmain()"
    data = ["gradcheck", "--data", "sample", "--rows", "5000", "--json"]
    process = limited(300_000, script, *data)
    assert process.returncode == 2 and "Traceback" not in process.stderr, process.stderr
    assert process.stderr.splitlines()[-1].startswith("Error: expected enough memory, found too little")
