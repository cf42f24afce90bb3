"""The engines that tests of a solver run on: NumPy, and PyTorch on the processor where it is installed."""

import pytest

from softmaxclf.core.devices import device_of

NEEDS_TORCH = "torch is not installed, which is too large for the tests' extra"
ENGINES = pytest.mark.parametrize("engine", ["numpy", "torch-cpu"])


def device_named(engine, precision="single"):
    """What a Problem has as its device; skips where PyTorch is not installed."""
    if engine == "numpy":
        return None
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    return device_of(engine, precision)


def accelerator_on_the_processor(*, mixed=False, memory=10**12):
    """A device that does on the processor what is done on a GPU: rows that are kept there or sent, large blocks."""
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    from softmaxclf.core.torch_device import TorchDevice

    class Pretended(TorchDevice):
        free_memory = memory

    device = Pretended("cpu", mixed=mixed)
    device.accelerator = device.doubles = True
    return device
