import builtins

import pytest

from softmaxclf.core import devices
from softmaxclf.core.devices import device_of
from softmaxclf.errors import ConfigError
from tests.core.engines import NEEDS_TORCH


@pytest.fixture(autouse=True)
def fresh():
    """What other tests have found out is not remembered here, nor here for them."""
    device_of.cache_clear()
    yield
    device_of.cache_clear()


@pytest.fixture
def without_torch(monkeypatch):
    real = builtins.__import__

    def refusing(name, *others):
        if name.startswith("softmaxclf.core.torch_device"):
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name, *others)

    monkeypatch.setattr(builtins, "__import__", refusing)


def test_the_processor_in_single_precision_is_numpy(without_torch):
    assert device_of("cpu", "single") is None and device_of("auto", "single") is None


@pytest.mark.parametrize(
    ("name", "precision", "place"),
    [
        ("cuda", "single", "engine.device cuda"),
        ("torch-cpu", "mixed", "engine.device torch-cpu"),
        ("cpu", "mixed", "engine.precision mixed"),
        ("auto", "mixed", "engine.precision mixed"),
    ],
)
def test_without_pytorch_one_line_names_the_extra(name, precision, place, without_torch):
    expected = (
        rf"{place}: expected torch, which computes there, found none; pip install torch \(or .*\[torch\]\)$"
    )
    with pytest.raises(ConfigError, match=expected):
        device_of(name, precision)


def test_auto_is_a_gpu_that_can_what_is_asked_for_and_else_the_processor(monkeypatch):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert device_of("auto", "single") is None
    mixed = device_of("auto", "mixed")
    assert mixed.name == "torch-cpu" and mixed.mixed
    device_of.cache_clear()
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device_of("auto", "single").name == "mps" and device_of("auto", "mixed").name == "torch-cpu"
    device_of.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of("auto", "single").name == "cuda"


def test_a_gpu_that_is_not_there_is_said_in_one_line(monkeypatch):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(
        ConfigError, match=r"an NVIDIA or AMD GPU for cuda, but PyTorch \S+ finds none; install"
    ):
        device_of("cuda")
    with pytest.raises(
        ConfigError, match=r"an Apple GPU for mps, but PyTorch \S+ finds none; use device cpu$"
    ):
        device_of("mps")


def test_mixed_precision_where_a_gpu_or_pytorch_has_none_is_said_in_one_line(monkeypatch):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ConfigError, match=r"expected single on mps, got mixed; use it on cuda or cpu$"):
        device_of("mps", "mixed")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(ConfigError, match=r"expected a GPU with bfloat16 for mixed, found none; use single$"):
        device_of("cuda", "mixed")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion("2.4.1"))
    with pytest.raises(
        ConfigError, match=r"expected PyTorch 2\.8 for mixed on cuda, found 2\.4\.1; upgrade it$"
    ):
        device_of("cuda", "mixed")


def test_every_device_and_precision_of_the_configuration_is_known_here():
    assert devices.DEVICES == ("cpu", "torch-cpu", "cuda", "mps", "auto")
    assert devices.PRECISIONS == ("single", "mixed")
