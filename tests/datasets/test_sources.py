import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softmaxclf.datasets.cifar.layouts import CIFAR100_CLASSES, LAYOUTS
from softmaxclf.datasets.cifar.writer import write_cifar_folder
from softmaxclf.datasets.sample import draw_sample
from softmaxclf.datasets.sources import MissingDataError, find_official, open_source
from softmaxclf.errors import DataError

FEATURES = {"X_train": np.eye(3), "y_train": np.arange(3)}


def test_sample_is_drawn_from_its_seed(tmp_path: Path) -> None:
    found = open_source("sample", tmp_path, seed=3)
    assert found.train.examine() == draw_sample(3).train.examine()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("source", "name"), [("cifar10", "CIFAR-10"), ("cifar100", "CIFAR-100")])
def test_a_data_set_that_was_not_downloaded_is_told_apart(source: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(
        MissingDataError, match=f"^{tmp_path}: expected {name} as .*softmaxclf data download$"
    ) as caught:
        open_source(source, tmp_path)
    assert caught.value.exit_code == 3


def test_named_data_is_looked_for_as_python_binary_folder_and_archive(batches: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for layout in (layout for layout in LAYOUTS if layout.name == "CIFAR-10"):
        (home / layout.archive).touch()
        (home / layout.folder).mkdir()
    for name in (
        "cifar-10-batches-py",
        "cifar-10-batches-bin",
        "cifar-10-python.tar.gz",
        "cifar-10-binary.tar.gz",
    ):
        found = find_official("cifar10", home)
        assert found == home / name
        found.rmdir() if found.is_dir() else found.unlink()
    assert find_official("cifar10", home) is None


def test_named_data_is_read_from_the_data_folder(batches: Path, small_splits: Any, tmp_path: Path) -> None:
    batches.rename(tmp_path / "cifar-10-batches-py")
    write_cifar_folder(
        tmp_path / "cifar-100-binary", *small_splits, CIFAR100_CLASSES, name="CIFAR-100", form="binary"
    )
    assert open_source("cifar10", tmp_path).name == "CIFAR-10"
    assert open_source("cifar100", tmp_path).name == "CIFAR-100"


def test_named_data_is_read_from_an_archive(batches: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(batches, "cifar-10-batches-py")
    assert open_source("cifar10", tmp_path).path == str(tmp_path / "cifar-10-python.tar.gz")


def test_kinds_are_told_by_content_whatever_the_name(batches: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "features.npz", "w:gz") as archive:
        archive.add(batches, "cifar-10-batches-py")
    assert open_source(str(tmp_path / "features.npz"), tmp_path).name == "CIFAR-10"
    with (tmp_path / "cifar.tar.gz").open("wb") as file:
        np.savez(file, **FEATURES)  # type: ignore[arg-type]
    assert open_source(str(tmp_path / "cifar.tar.gz"), tmp_path).features == 3


def test_folders_are_told_by_the_files_in_them(batches: Path, tmp_path: Path) -> None:
    assert open_source(str(batches), tmp_path).name == "CIFAR-10"
    shutil.move(batches, tmp_path / "deep" / "cifar-10-batches-py")
    assert open_source(str(tmp_path / "deep"), tmp_path).name == "CIFAR-10"
    features = tmp_path / "with spaces and größe"
    features.mkdir()
    for name, array in FEATURES.items():
        np.save(features / f"{name}.npy", array)
    assert open_source(str(features), tmp_path).features == 3


@pytest.mark.parametrize(
    ("source", "near"),
    [("cifar1O", "cifar10"), ("CIFAR-10", "cifar10"), ("samples", "sample"), ("cifar_100", "cifar100")],
)
def test_a_mistyped_name_gets_the_nearest_known_one(source: str, near: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"^{source}: .*did you mean {near}[?]"):
        open_source(source, tmp_path)


@pytest.mark.parametrize(
    "source",
    ["", "no/such/place", "a\0b", "x" * 5000, "line\nline"],
    ids=["empty", "path", "NUL", "long", "newline"],
)
def test_what_is_no_file_is_refused_with_what_is_accepted(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "X_train.npy").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        DataError,
        match=r"cifar10, cifar100, mnist, .* a .csv, .* CIFAR batches, .* X_train\.npy.* images .* for each class",
    ) as caught:
        open_source(source, tmp_path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_files_of_another_kind_are_refused(batches: Path, tmp_path: Path, assert_refused: Any) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello")
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "X_train.npy", np.eye(3))
    assert "found another kind of file; give cifar10" in assert_refused(tmp_path / "empty")
    assert "found another kind of file" in assert_refused(tmp_path / "text")
    assert "found none that is known" in assert_refused(tmp_path / "folder")
    assert "found one array; give the folder" in assert_refused(tmp_path / "X_train.npy")
    assert "found one batch" in assert_refused(batches / "data_batch_1")


def test_devices_are_refused(tmp_path: Path, assert_refused: Any) -> None:
    assert "a folder, pipe or device" in assert_refused(Path("/dev/zero"))
