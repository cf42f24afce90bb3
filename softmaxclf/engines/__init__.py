"""Who computes where one process is not enough: `--engine NAME`. Imports no NumPy before a name is asked for.

A new one is one file with an Engine (workflows/runs/engine.py) that takes the engine's settings and an observer and has
`close`, a line here, and a word of `engine.kind` in config/schema.py.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from softmaxclf.core.registry import Registry
from softmaxclf.errors import ConfigError, lacking

if TYPE_CHECKING:
    from softmaxclf.config import EngineConfig
    from softmaxclf.workflows.observer import Observer
    from softmaxclf.workflows.runs.engine import Engine

ENGINES = Registry({"dask": "softmaxclf.engines.dask_engine:DaskEngine"})


@contextmanager
def engaged(settings: "EngineConfig", observer: "Observer") -> "Iterator[Engine]":
    """The engine of these settings for the block. Raises ConfigError where its library is not there."""
    from softmaxclf.workflows.runs.engine import Engine

    if not settings.elsewhere:
        yield Engine()
        return
    try:
        made = ENGINES.load(settings.kind)(settings, observer)
    except ImportError as error:
        missing, kind = error.name or settings.kind, settings.kind
        raise ConfigError(lacking(f"--engine {kind}", missing, "runs its workers", kind)) from error
    with closing(made) as engine:
        yield engine
