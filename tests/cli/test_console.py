"""What is said beside the answer: lines of progress where there is no bar, and the log file."""

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from softmaxclf.cli import console
from softmaxclf.cli.console import LOG, Console

Run = Callable[..., Result]
STAMP = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is four seconds after the one before."""
    ticks = itertools.count(0, 4)
    monkeypatch.setattr(console.time, "monotonic", lambda: float(next(ticks)))


def work(**asked: bool) -> None:
    told = Console(**{"quiet": False, "verbose": False, "no_progress": False, "as_json": False, **asked})
    told.begin("train", 100)
    for done in range(10, 70, 10):
        told.advance(done, "loss 1.5")
    told.end()


def test_without_a_terminal_a_line_comes_every_ten_seconds(
    clock: None, capsys: pytest.CaptureFixture[str]
) -> None:
    work()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" [")[0] for line in lines] == ["train: 30/100 it", "train: 60/100 it"]
    assert lines[0].endswith("[00:12<00:28, loss 1.5]")
    assert not re.search(r"[\r\x1b]", "".join(lines))


@pytest.mark.parametrize("asked", ["quiet", "no_progress"])
def test_quiet_and_no_progress_keep_those_lines_away(
    clock: None, capsys: pytest.CaptureFixture[str], asked: str
) -> None:
    work(**{asked: True})
    assert capsys.readouterr().err == ""


def test_a_log_file_gets_what_quiet_hides_and_is_added_to(
    run_cli: Run, tmp_path: Path, features_file: Path, undrawn: None
) -> None:
    train = ("train", "--data", features_file, "--quiet", "--out", "run", "--log-file", "log.txt")
    result = run_cli(*train)
    assert all(line.startswith("Warning: ") for line in result.stderr.splitlines())
    assert run_cli("train", "--data", "nothere", "--log-file", "log.txt").exit_code == 3
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert all(re.match(STAMP, line) for line in lines)
    told = [re.sub(STAMP, "", line) for line in lines]
    assert any(re.match("INFO +features.*training", line) for line in told)
    assert told[-2].startswith("ERROR   nothere: expected") and told[-1] == "INFO    ended with exit code 3"
    assert told.count("INFO    ended with exit code 0") == 1
    assert LOG.handlers == []


@pytest.mark.parametrize("name", ["folder", "folder/missing/log.txt", "pipe"])
def test_a_log_file_that_cannot_be_is_refused(run_cli: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    result = run_cli("explain", "1", "2", "--log-file", name)
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith(f"Error: {name}: ") and result.stderr.count("\n") == 1


def test_a_full_disk_ends_the_log_and_not_the_work(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, *text: str) -> None:
            raise OSError(28, "No space left on device")

        flush = close = write

    monkeypatch.setattr(console.os, "fdopen", lambda *others, **more: Full())
    result = run_cli("explain", "1", "2", "--log-file", "log.txt")
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_pipe_gets_one_document_and_no_byte_that_moves_a_cursor(
    features_file: Path, tmp_path: Path
) -> None:
    words = ["tune", "--data", str(features_file), "--regularizations", "0.1,1", "--json"]
    script = (
        "from softmaxclf.workflows.runs import result\n"
        "result._draw = result.write_report = lambda *arguments: None\n"
        "from softmaxclf.__main__ import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, cwd=tmp_path, check=True
    )
    assert json.loads(done.stdout)["schema_version"] == 1
    assert not re.search(rb"[\r\x1b]", done.stdout + done.stderr)
