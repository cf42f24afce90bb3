"""How many threads NumPy's matrix product uses, and the right to ask for one, where NumPy carries OpenBLAS."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

_SUFFIXES = ("64_", "")
_PREFIXES = ("scipy_openblas_", "openblas_")


@cache
def _functions() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """(get, set) of the number of threads in the OpenBLAS that came with NumPy's wheel; None for any other BLAS."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for path in sorted(folder.glob("*openblas*")):
            library = ctypes.CDLL(str(path))  # NumPy has loaded it already; this finds the same one
            for prefix in _PREFIXES:
                for suffix in _SUFFIXES:
                    names = [f"{prefix}{verb}_num_threads{suffix}" for verb in ("get", "set")]
                    if all(hasattr(library, name) for name in names):
                        return getattr(library, names[0]), getattr(library, names[1])
    return None


def threads() -> int:
    """How many threads a matrix product uses now; 1 also where that cannot be known or changed."""
    functions = _functions()
    return 1 if functions is None else max(1, int(functions[0]()))


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let every matrix product of this process use one thread while the block runs, so that threads of ours may."""
    functions = _functions()
    before = threads()
    if functions is not None:
        functions[1](1)
    try:
        yield
    finally:
        if functions is not None:
            functions[1](before)
