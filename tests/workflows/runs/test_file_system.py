"""Full disks, folders without rights, odd names: nothing is lost, one line says why, the same command continues."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from softmaxclf.model_file import load_model

TRAIN = ["train", "--iterations", "30", "--batch-size", "20", "--learning-rate", "0.1", "--regularization", "0.01",
         "--set", "data.validation=50", "--set", "training.momentum=0.9"]  # fmt: skip
# Checkpoints at every iteration; files of at most LIMIT bytes, as on a disk with no more room; no pictures, no report.
DRIVER = """
import resource, signal, sys
from softmaxclf.workflows.runs import result, training
training.CHECKPOINT_SECONDS = 0
result._draw = result.write_report = lambda *arguments: None
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
from softmaxclf.__main__ import main
main()
"""


@pytest.fixture
def run(
    run_cli: Callable[..., Result], features_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Train into ./run, or where --out says, without pictures and report, which take most of the time."""
    for name in ("_draw", "write_report"):
        monkeypatch.setattr(f"softmaxclf.workflows.runs.result.{name}", lambda *arguments: None)
    return lambda *more: run_cli(*TRAIN, "--data", features_file, *(more or ("--out", "run")))


@pytest.fixture
def undisturbed(run: Callable[..., Result], tmp_path: Path) -> dict[str, bytes]:
    """The weights, history and configuration that a run without trouble leaves."""
    assert run("--out", "undisturbed").exit_code == 0
    return artifacts(tmp_path / "undisturbed")


def artifacts(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("weights.npz", "history.csv", "config.yaml")}


def refused(result: Result, *said: str) -> None:
    assert result.exit_code == 2
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, result.stderr
    assert all(each in errors[0] for each in ("cannot be written", *said)), errors


def parts(folder: Path) -> list[str]:
    """What a write that was given up may have left: nothing."""
    return [entry.name for entry in folder.rglob("*") if entry.name.endswith(".tmp")]


@pytest.mark.parametrize("place", ["/proc/run", "/sys/run", "a file", "a file/run"])
def test_a_place_where_no_folder_can_be_is_refused_before_any_work(
    place: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "a file").write_text("mine")
    refused(run("--out", place), place, "--out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a file"]
    assert (tmp_path / "a file").read_text() == "mine"


@pytest.mark.parametrize("name", ["manifest.json", "config.yaml", "checkpoint.npz", "weights.npz", "history.csv",
                                  "metrics.json"])  # fmt: skip
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS], ids=os.strerror)
def test_a_disk_that_fails_at_any_file_costs_nothing_but_time(
    name: str,
    number: int,
    run: Callable[..., Result],
    undisturbed: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if Path(target).name == name:
            raise OSError(number, os.strerror(number))
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing)
        refused(run(), name, os.strerror(number))
    assert not parts(tmp_path) and not (tmp_path / "run" / name).exists()
    result = run()
    assert result.exit_code == 0, result.stderr
    assert artifacts(tmp_path / "run") == undisturbed


def limited(limit: int, data: Path, out: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", DRIVER, str(limit), *TRAIN, "--data", str(data), "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", ["checkpoint.npz", "weights.npz"])
def test_a_full_disk_during_a_write_leaves_whole_files_and_the_same_command_continues(
    name: str, run: Callable[..., Result], undisturbed: dict[str, bytes], features_file: Path, tmp_path: Path
) -> None:
    """The checkpoint is the largest file and comes first; where it is small enough, the weights fail in its place."""
    out = tmp_path / "run"
    if name == "weights.npz":
        whole = limited(10**9, features_file, out)
        assert whole.returncode == 0, whole.stderr
        (out / "weights.npz").unlink()
        manifest = json.loads((out / "manifest.json").read_text())
        (out / "manifest.json").write_text(json.dumps({**manifest, "status": "running"}))
    limit = 1800 if name == "checkpoint.npz" else 1000
    process = limited(limit, features_file, out)
    assert process.returncode == 2 and "Traceback" not in process.stderr
    assert "cannot be written: File too large; free some space" in process.stderr
    assert not parts(tmp_path) and not (out / name).exists()
    result = run("--out", out)
    assert result.exit_code == 0, result.stderr
    assert artifacts(out) == undisturbed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB, where one can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_on_a_disk_that_is_really_full_nothing_that_was_there_is_lost(
    run: Callable[..., Result], undisturbed: dict[str, bytes], small_disk: Path
) -> None:
    filler = small_disk / "filler"
    room = os.statvfs(small_disk)
    filler.write_bytes(
        bytes(room.f_bavail * room.f_frsize - 3 * 4096)
    )  # three blocks: not enough for all files
    result = run("--out", small_disk / "run")
    refused(result, "No space left on device")
    assert not parts(small_disk)
    filler.unlink()
    assert run("--out", small_disk / "run").exit_code == 0
    assert artifacts(small_disk / "run") == undisturbed


def test_a_failed_overwrite_says_so_and_the_same_command_makes_the_new_run(
    run: Callable[..., Result], undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run().exit_code == 0

    def failing(self: Path, *arguments: Any, **options: Any) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", failing)
        result = run("--out", "run", "--overwrite")
    assert result.exit_code == 2 and "Permission denied" in result.stderr
    assert artifacts(tmp_path / "run") == undisturbed  # nothing could be deleted, nothing is lost
    assert run("--out", "run", "--overwrite").exit_code == 0
    assert artifacts(tmp_path / "run") == undisturbed


@pytest.mark.parametrize("name", ["weights.npz", "metrics.json", "checkpoint.npz"])
def test_a_folder_where_a_file_belongs_is_named(
    name: str, run: Callable[..., Result], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    assert run().exit_code == 0
    folder = tmp_path / "run"
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "status": "running"}))
    (folder / name).unlink(missing_ok=True)
    (folder / name / "inside").mkdir(parents=True)
    result = run()
    assert result.exit_code == 2 and result.stderr.count("Error: ") == 1
    assert f"{name}: cannot be " in result.stderr
    assert (folder / name / "inside").is_dir() and not parts(tmp_path)
    shutil.rmtree(folder / name)
    assert run().exit_code == 0
    assert artifacts(folder) == undisturbed


ODD = "Ordner mit Leerzeichen & 'Quotes' $HOME/größe 漢字 🙂"


def test_spaces_and_letters_of_all_scripts_in_a_path_are_letters(
    run_cli: Callable[..., Result], features_file: Path, tmp_path: Path
) -> None:
    data = tmp_path / ODD / "meine Daten.npz"
    data.parent.mkdir(parents=True)
    shutil.copy(features_file, data)
    out = tmp_path / ODD / "run"
    result = run_cli(*TRAIN, "--data", data, "--out", out, "--test")
    assert result.exit_code == 0, result.stderr
    assert run_cli(*TRAIN, "--data", data, "--out", out, "--test").exit_code == 0  # found again
    for arguments in (["evaluate", out, "--json"], ["visualize-weights", out]):
        assert run_cli(*arguments).exit_code == 0
    assert json.loads((out / "metrics.json").read_text())["run"] == str(out)


def test_a_run_folder_behind_a_link_is_a_run_folder(
    run: Callable[..., Result], run_cli: Callable[..., Result], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "run").symlink_to("real")
    assert run().exit_code == 0
    assert (tmp_path / "run").is_symlink() and artifacts(tmp_path / "real") == undisturbed
    assert "finished" in run().stderr
    assert run_cli("evaluate", tmp_path / "run").exit_code == 0
    assert run("--out", "run", "--overwrite").exit_code == 0
    assert (tmp_path / "run").is_symlink() and artifacts(tmp_path / "real") == undisturbed


def test_a_link_to_nowhere_is_no_place_for_a_run(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to("/proc/nowhere")
    refused(run(), "run")


def test_a_link_to_weights_is_replaced_and_what_it_leads_to_stays(
    run: Callable[..., Result], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    assert run().exit_code == 0
    kept = tmp_path / "kept.npz"
    (tmp_path / "run" / "weights.npz").rename(kept)
    (tmp_path / "run" / "weights.npz").symlink_to(kept)
    before = kept.read_bytes()
    assert run("--out", "run", "--overwrite", "--set", "training.seed=1").exit_code == 0
    assert kept.read_bytes() == before
    assert (tmp_path / "run" / "weights.npz").read_bytes() != before


@pytest.mark.slow
def test_data_that_were_removed_between_two_commands_are_named(
    run_cli: Callable[..., Result], features_file: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data.npz"
    shutil.copy(features_file, data)
    assert run_cli(*TRAIN, "--data", data, "--out", "run").exit_code == 0
    data.unlink()
    for arguments in (["evaluate", "run"], [*TRAIN, "--data", data, "--out", "run"]):
        result = run_cli(*arguments)
        assert result.exit_code == 3
        assert str(data) in result.stderr and result.stderr.count("\n") == 1
    load_model(tmp_path / "run")
    assert run_cli("evaluate", "run", "--data", features_file).exit_code == 0
    shutil.copy(features_file, data)
    assert run_cli("evaluate", "run").exit_code == 0


def test_data_that_changed_between_two_commands_are_another_run(
    run_cli: Callable[..., Result], features_file: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data.npz"
    shutil.copy(features_file, data)
    assert run_cli(*TRAIN, "--data", data, "--out", "run").exit_code == 0
    with np.load(features_file) as file:
        np.savez(data, **{**file, "y_train": file["y_train"][::-1]})
    before = (tmp_path / "run" / "weights.npz").read_bytes()
    result = run_cli(*TRAIN, "--data", data, "--out", "run")
    assert result.exit_code == 5 and "data: " in result.stderr
    assert (tmp_path / "run" / "weights.npz").read_bytes() == before


def test_a_working_folder_that_is_gone_is_one_line(features_file: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"import os, shutil, sys; os.chdir({str(gone)!r}); shutil.rmtree({str(gone)!r})\n" + DRIVER
    command = [sys.executable, "-c", script, "1000000000", *TRAIN, "--data", str(features_file)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert process.returncode == 2 and "Traceback" not in process.stderr
    assert "cannot be written: No such file or directory" in process.stderr
