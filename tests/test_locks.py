"""One lock for all work that only one process may do; flock keeps two open files of one process apart too."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from softmaxclf import locks
from softmaxclf.errors import DataError, OutputError, RunConflictError
from softmaxclf.locks import held
from softmaxclf.runs import LOCK, claim

fcntl = pytest.importorskip("fcntl")


@contextmanager
def hold(path: Path) -> Iterator[None]:
    with held(path, DataError("busy")):
        yield


def test_a_lock_is_gone_after_use_and_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with hold(tmp_path / "lock"):
            with pytest.raises(DataError, match="busy"), hold(tmp_path / "lock"):
                pass
            assert (tmp_path / "lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_refused_process_leaves_the_lock_to_its_holder(tmp_path: Path) -> None:
    with claim(tmp_path / "run"):
        for _ in range(3):  # the second would get in if the first had removed the lock
            with pytest.raises(RunConflictError, match="another softmaxclf process"), claim(tmp_path / "run"):
                pytest.fail("two processes hold one folder")
            assert [path.name for path in (tmp_path / "run").iterdir()] == [LOCK]
    assert not (tmp_path / "run").exists()


def test_a_lock_file_that_was_left_behind_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with hold(tmp_path / "lock"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_was_removed_while_it_was_taken_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, calls = fcntl.flock, []

    def flock_of_a_removed_file(handle: int, operation: int) -> None:
        calls.append(handle)
        if len(calls) == 1:
            (tmp_path / "lock").unlink()
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", flock_of_a_removed_file)
    with hold(tmp_path / "lock"), pytest.raises(DataError), hold(tmp_path / "lock"):
        pass
    assert len(calls) == 3


def test_the_lock_of_another_holder_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path):
        path.unlink()  # somebody tidied up, and another process came
        other = hold(path)
        other.__enter__()
    with pytest.raises(DataError), hold(path):
        pass
    other.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_a_lock_file_that_is_none_of_ours_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "lock"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="lock: "), hold(path):
        pass
    assert os.path.lexists(path) and not (tmp_path / "elsewhere").exists()


def test_without_locks_in_the_file_system_or_in_python_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with hold(tmp_path / "lock"):
        pass
    monkeypatch.setattr(locks, "fcntl", None)
    with hold(tmp_path / "lock"):
        pass
    assert list(tmp_path.iterdir()) == []
