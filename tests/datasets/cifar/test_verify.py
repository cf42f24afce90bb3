import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from softmaxclf.datasets.cifar import layouts, verify
from softmaxclf.datasets.cifar.layouts import CIFAR10_CLASSES, LAYOUTS, Layout
from softmaxclf.datasets.cifar.reader import read_cifar
from softmaxclf.datasets.cifar.writer import write_cifar_folder
from softmaxclf.datasets.published import DIFFERS, OFFICIAL, Finding

PYTHON, BINARY = LAYOUTS[:2]
UNKNOWN, MISSING = "no official hash is known", "missing member"


@pytest.fixture(autouse=True)
def small_official_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each archive holds its own name 100 times; each python batch its own name."""
    small = tuple(
        replace(
            layout,
            size=len(content_of(layout.archive)),
            sha256=hashlib.sha256(content_of(layout.archive)).hexdigest(),
            md5=tuple(md5(name.encode()) for name in layout.files) if layout.md5 else (),
        )
        for layout in LAYOUTS
    )
    for module in (layouts, verify):
        monkeypatch.setattr(module, "LAYOUTS", small)


def content_of(archive: str) -> bytes:
    return archive.encode() * 100


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def write_python_batches(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in PYTHON.files:
        (folder / name).write_bytes(name.encode())


def by_name(findings: list[Finding]) -> dict[str, str]:
    return {Path(finding.file).name: finding.status for finding in findings}


def test_nothing_is_found_in_an_empty_missing_or_strange_place(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("cifar")
    assert verify.verify(tmp_path) == []
    assert verify.verify(tmp_path / "nowhere") == []
    assert verify.verify(tmp_path / "notes.txt") == []


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.archive)
def test_an_archive_is_official_by_its_hash_alone(tmp_path: Path, layout: Layout) -> None:
    path = tmp_path / layout.archive
    path.write_bytes(content_of(layout.archive))
    (found,) = verify.verify(tmp_path)
    assert (found.file, found.status) == (str(path), OFFICIAL)
    assert found.what == f"{layout.name} {layout.form} archive"
    assert hashlib.sha256(path.read_bytes()).hexdigest() in found.detail


def test_one_other_bit_is_seen_and_both_hashes_are_named(tmp_path: Path) -> None:
    content = bytearray(content_of(PYTHON.archive))
    content[7] ^= 1
    (tmp_path / PYTHON.archive).write_bytes(content)
    (found,) = verify.verify(tmp_path)
    assert found.status == DIFFERS == "differs from the official file"
    assert hashlib.sha256(content).hexdigest() in found.detail
    assert hashlib.sha256(content_of(PYTHON.archive)).hexdigest() in found.detail


def test_a_cut_download_is_incomplete_with_its_percentage(tmp_path: Path) -> None:
    content = content_of(PYTHON.archive)
    (tmp_path / f"{PYTHON.archive}.part").write_bytes(content[: len(content) * 4 // 10])
    (found,) = verify.verify(tmp_path)
    assert (Path(found.file).name, found.status) == (f"{PYTHON.archive}.part", "incomplete")
    assert f"880 of {len(content):,} bytes (40 %)" in found.detail


@pytest.mark.parametrize("inside", [False, True], ids=["the folder above", "the folder itself"])
def test_unpacked_batches_are_checked_one_by_one(tmp_path: Path, inside: bool) -> None:
    home = tmp_path / PYTHON.folder
    write_python_batches(home)
    (home / "data_batch_2").write_bytes(b"other")
    (home / "data_batch_4").unlink()
    found = by_name(verify.verify(home if inside else tmp_path))
    assert found.pop("data_batch_2") == DIFFERS
    assert found.pop("data_batch_4") == MISSING
    assert len(found) == 5 and set(found.values()) == {OFFICIAL}


def test_binary_batches_have_no_hash_to_compare_with(tmp_path: Path) -> None:
    (tmp_path / BINARY.folder).mkdir()
    (tmp_path / BINARY.folder / BINARY.test).write_bytes(b"abc")
    found = verify.verify(tmp_path)
    assert by_name(found)[BINARY.test] == UNKNOWN
    assert [f.detail for f in found if f.status == UNKNOWN] == [f"md5 {md5(b'abc')}"]
    assert sum(f.status == MISSING for f in found) == len(BINARY.train) + 1


def test_a_folder_a_dead_link_and_a_pipe_in_place_of_files_are_unreadable(tmp_path: Path) -> None:
    (tmp_path / LAYOUTS[0].archive).mkdir()
    (tmp_path / LAYOUTS[1].archive).symlink_to("nowhere")
    os.mkfifo(tmp_path / LAYOUTS[2].archive)
    assert [f.status for f in verify.verify(tmp_path)] == ["unreadable"] * 3


def test_only_what_is_known_to_differ_is_remarked_on(
    batches: Path, small_splits: Any, tmp_path: Path
) -> None:
    write_cifar_folder(tmp_path / "binary", *small_splits, CIFAR10_CLASSES, form="binary")
    assert read_cifar(batches).remark() == "CIFAR-10 layout, not the official files"
    assert read_cifar(tmp_path / "binary").remark() == ""
