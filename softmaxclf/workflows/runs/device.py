"""Where this process makes its products."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from softmaxclf.config import Config
from softmaxclf.core.devices import device_of
from softmaxclf.core.problem import Array, Problem
from softmaxclf.core.rows import Reads
from softmaxclf.workflows.observer import Observer

if TYPE_CHECKING:
    from softmaxclf.core.torch_device import TorchDevice


def own_device(config: Config) -> "TorchDevice | None":
    """What engine.device and engine.precision name, None for NumPy; where there are workers, they have it.

    Raises ConfigError where it is not there.
    """
    engine = config.engine
    return None if engine.elsewhere else device_of(engine.device, engine.precision)


def device_for(config: Config, X: Array, reading: Sequence[Reads]) -> "TorchDevice | None":
    """The same, as it is best for rows X (N, D) read so."""
    device = own_device(config)
    return None if device is None else device.suiting(X, reading)


def tell_device(problem: Problem, observer: Observer) -> None:
    """Note where products are made, if not by NumPy, and how."""
    if problem.device is not None:
        observer.note(problem.device.describe(problem.X))
