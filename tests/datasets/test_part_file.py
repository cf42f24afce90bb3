import hashlib
import os
from pathlib import Path

import pytest

from softmaxclf.datasets import part_file as module
from softmaxclf.datasets.part_file import locked, part_file, part_path
from softmaxclf.errors import DataError, OutputError

fcntl = pytest.importorskip("fcntl")


def test_an_empty_part_leaves_nothing_behind(tmp_path: Path) -> None:
    with part_file(tmp_path / "f") as part:
        assert part.path.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_was_appended_is_on_the_disk_at_once_and_hashed(tmp_path: Path) -> None:
    with part_file(tmp_path / "f") as part:
        part.append(b"abc")
        assert part_path(tmp_path / "f").read_bytes() == b"abc"
        assert part.sha256() == hashlib.sha256(b"abc").hexdigest()
    with part_file(tmp_path / "f") as part:
        part.reread(10, lambda done: None)
        part.append(b"de")
        assert (part.size, part.sha256()) == (5, hashlib.sha256(b"abcde").hexdigest())
        part.move_to(tmp_path / "f")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_bytes() == b"abcde"


def test_a_part_keeps_to_the_permissions_that_the_user_set(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with part_file(tmp_path / "f") as part:
            part.append(b"abc")
    finally:
        os.umask(before)
    assert part_path(tmp_path / "f").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_a_part_that_is_not_a_file_of_ours_is_refused(tmp_path: Path, kind: str) -> None:
    path = part_path(tmp_path / "f")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"f\.part"), part_file(tmp_path / "f"):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_lock_is_gone_after_use_and_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path / "f"):
            with pytest.raises(DataError, match="another process"), locked(tmp_path / "f"):
                pass
            assert (tmp_path / "f.lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_was_removed_while_it_was_taken_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, calls = fcntl.flock, []

    def flock_of_a_removed_file(handle: int, operation: int) -> None:
        calls.append(handle)
        if len(calls) == 1:
            (tmp_path / "f.lock").unlink()
        flock(handle, operation)

    monkeypatch.setattr(module.fcntl, "flock", flock_of_a_removed_file)
    with locked(tmp_path / "f"), pytest.raises(DataError), locked(tmp_path / "f"):
        pass
    assert len(calls) == 3


def test_without_locks_in_the_file_system_or_in_python_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(module.fcntl, "flock", unsupported)
    with locked(tmp_path / "f"):
        pass
    monkeypatch.setattr(module, "fcntl", None)
    with locked(tmp_path / "f"):
        assert list(tmp_path.iterdir()) == []
