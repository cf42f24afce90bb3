"""What all tests share: small data on disk, the real CIFAR-10 if it is there, the command line in-process."""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import settings

from softmaxclf.cli.main import cli

ROOT = Path(__file__).resolve().parents[1]

if os.environ.get("SOFTMAXCLF_REQUIRE_TORCH") and find_spec("torch") is None:
    raise ImportError("SOFTMAXCLF_REQUIRE_TORCH is set, but torch is not installed")

# Machines of different speed run these tests: no example is too slow.
settings.register_profile("softmaxclf", deadline=None)
settings.load_profile("softmaxclf")


@pytest.fixture(scope="session")
def real_cifar() -> Path:
    """The folder of the real CIFAR-10; skips without it, or fails where SOFTMAXCLF_REQUIRE_REAL_DATA is set."""
    folder = ROOT / "data" / "cifar-10-batches-py"
    if not (folder / "test_batch").exists():
        reason = f"{folder} is missing: fetch it with `softmaxclf data download` and unpack it there"
        if os.environ.get("SOFTMAXCLF_REQUIRE_REAL_DATA"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def features_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An .npz of 400 training and 100 test rows of 12 features in 3 classes that a linear model learns partly."""
    generator = np.random.default_rng(0)
    y = generator.integers(0, 3, 500)
    X = generator.normal(size=(500, 12)).astype(np.float32) + 0.8 * np.eye(3, 12, dtype=np.float32)[y]
    path = tmp_path_factory.mktemp("features") / "features.npz"
    np.savez(
        path, X_train=X[:400], y_train=y[:400], X_test=X[400:], y_test=y[400:], class_names=["a", "b", "c"]
    )
    return path


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in sample in CIFAR-10's layout, which reads faster than the sample is drawn."""
    from softmaxclf.workflows.data import write_sample

    folder = tmp_path_factory.mktemp("sample") / "cifar-10-batches-py"
    write_sample(folder, "python", 0, overwrite=False)
    return folder


def leave_pictures_out(patch: pytest.MonkeyPatch) -> None:
    """Let runs draw nothing: pictures and reports have tests of their own and take most of a small run's time."""
    from softmaxclf.workflows.runs import result

    def blank(folder: Path, *others: object) -> None:
        (folder / "report.html").write_text("<!DOCTYPE html>")

    for name in ("_draw", "_save"):
        patch.setattr(result, name, lambda *arguments: None)
    patch.setattr(result, "write_report", blank)


@pytest.fixture(scope="module")
def undrawn() -> Iterator[None]:
    """The runs of this module draw nothing."""
    with pytest.MonkeyPatch.context() as patch:
        leave_pictures_out(patch)
        yield


@pytest.fixture(scope="session")
def without_privileges() -> Callable[[], AbstractContextManager[None]]:
    """Permissions hold for root too, in a block of this."""
    return _without_capabilities


@contextmanager
def _without_capabilities() -> Iterator[None]:
    """With the effective capabilities set aside (man 2 capset)."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, held = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, held) == 0
    fewer = (ctypes.c_uint32 * 6)(*held)
    fewer[0] = fewer[3] = 0  # effective, of two words each beside permitted and inheritable
    assert libc.capset(header, fewer) == 0
    try:
        yield
    finally:
        assert libc.capset(header, held) == 0


@pytest.fixture
def run_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command line in-process, in an empty folder; an exception that is a bug of ours is raised."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run
