"""Fixtures for readers of data: small valid folders, and the check that every hostile file must pass."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from softmaxclf.datasets.cifar.layouts import CIFAR10_CLASSES
from softmaxclf.datasets.cifar.writer import write_cifar_folder
from softmaxclf.datasets.dataset import Dataset, Split
from softmaxclf.datasets.sources import open_source
from softmaxclf.errors import DataError

MOST_EXTRA_MEMORY = 200 << 20  # bytes


@pytest.fixture(scope="session")
def small_splits() -> tuple[Split, Split]:
    """Ten training and two test images of noise, with labels 0 to 9."""
    generator = np.random.default_rng(7)
    rows = generator.integers(0, 256, (12, 3072), dtype=np.uint8)
    labels = np.arange(12) % 10
    return Split(rows[:10], labels[:10]), Split(rows[10:], labels[10:])


@pytest.fixture
def batches(tmp_path: Path, small_splits: tuple[Split, Split]) -> Path:
    """A valid folder of python batches, two images each."""
    folder = tmp_path / "batches"
    write_cifar_folder(folder, *small_splits, CIFAR10_CLASSES)
    return folder


def read_all(dataset: Dataset) -> None:
    """Read everything that a data set has."""
    dataset.train.examine()
    assert dataset.class_names
    dataset.test().examine()


@pytest.fixture
def assert_refused(tmp_path: Path) -> Callable[[Path], str]:
    """A function that opens a source, asserts that it is refused as it should be, and returns the message."""

    def check(source: Path) -> str:
        before = sorted(tmp_path.rglob("*"))
        tracemalloc.start()
        try:
            with pytest.raises(DataError) as caught:
                read_all(open_source(str(source), tmp_path))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        message = str(caught.value)
        assert caught.value.exit_code == 3
        assert str(source) in message
        assert message.isprintable()  # one line, and nothing that moves a terminal's cursor
        assert "expected" in message and "found" in message and "; " in message
        assert peak < MOST_EXTRA_MEMORY
        assert sorted(tmp_path.rglob("*")) == before  # no marker file, nothing extracted, nothing written
        return message

    return check
