"""A file that is written is whole or not there, and what stood there before stays until then."""

import errno
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from softmaxclf.errors import OutputError
from softmaxclf.files import atomic_writer, digest_of_file, write_bytes, write_text

# Python ends with an error instead of dying of SIGXFSZ when a file grows beyond the limit.
SMALL_DISK = """
import resource, signal, sys
from pathlib import Path
from softmaxclf.errors import OutputError
from softmaxclf.files import write_bytes
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    write_bytes(Path(sys.argv[1]), bytes(int(sys.argv[2])))
except OutputError as error:
    sys.exit(str(error))
"""


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_whole_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "größe und Maß 漢字.txt"
    write_text(path, "naïve\n")
    assert path.read_bytes() == "naïve\n".encode()
    assert names(path.parent) == [path.name]


def test_a_file_is_replaced_only_when_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with atomic_writer(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), ZeroDivisionError(), SystemExit(3)], ids=type)
def test_an_interruption_leaves_the_old_file_and_no_other(tmp_path: Path, problem: BaseException) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(type(problem)), atomic_writer(path) as file:
        file.write(b"half of the new")
        raise problem
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("function", ["os.fsync", "os.fdopen", "pathlib.Path.replace", "pathlib.Path.chmod"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT], ids=os.strerror)
def test_whatever_the_system_refuses_is_one_line_and_the_old_file_stays(
    function: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(function, refuse)
        with pytest.raises(OutputError) as caught:
            write_bytes(path, b"new")
    assert str(caught.value) == (
        f"{path}: cannot be written: {os.strerror(number)}; "
        "free some space, fix the permissions or choose another folder with --out"
    )
    assert caught.value.exit_code == 2
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_disk_that_is_full_after_a_thousand_bytes_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    full = subprocess.run([sys.executable, "-c", SMALL_DISK, path, "100000"], capture_output=True, text=True)
    assert full.returncode == 1 and full.stderr.startswith(f"{path}: cannot be written: File too large; ")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]
    small = subprocess.run([sys.executable, "-c", SMALL_DISK, path, "1000"], capture_output=True, text=True)
    assert small.returncode == 0, small.stderr
    assert path.read_bytes() == bytes(1000)


@pytest.mark.parametrize(
    "place",
    ["/proc/softmaxclf/file", "/proc/self/status/file", "file/inside", "folder", "x" * 300],
    ids=["a read-only system", "below a file of it", "below a file", "a folder", "a name too long"],
)
def test_a_place_where_no_file_can_be_is_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    before = names(tmp_path)
    with pytest.raises(OutputError, match="cannot be written"):
        write_bytes(tmp_path / place, b"new")
    assert names(tmp_path) == before
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_new_file_has_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "file", b"")
        assert os.umask(0o027) == 0o027  # looked at, not changed
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    write_bytes(tmp_path / "file", content)
    assert digest_of_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    assert digest_of_file(tmp_path / "file", "md5") == hashlib.md5(content, usedforsecurity=False).hexdigest()
