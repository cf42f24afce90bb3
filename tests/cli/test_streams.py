"""Closed and full streams and readers that went away, for commands that print little, much, and nothing but notes."""

import errno
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from softmaxclf.cli import streams
from softmaxclf.cli.main import cli
from softmaxclf.errors import OutputError

# Trained without pictures, which take most of the time.
DRIVER = """
from softmaxclf.workflows.runs import result
result._draw = result.write_report = lambda *arguments: None
from softmaxclf.__main__ import main
main()
"""
TRAIN = "train --data data.npz --out new --iterations 2 --learning-rate 0.1"
COMMANDS = {
    "help": ("--help", ["-m", "softmaxclf"]),
    "many lines": ("predict model rows.npy --format jsonl", ["-m", "softmaxclf"]),
    "work": (TRAIN, ["-c", DRIVER]),
}
DONE, UNTOLD, GONE = 0, 2, 141
READER_GONE = "| true"  # ended before anything is written
# What the shell is told, the exit code that follows, and what stderr then says where it is there.
STREAMS = {
    "stderr closed": ("2>&-", DONE, None),
    "stderr full": ("2>/dev/full", DONE, None),
    "stdout closed": (">&-", UNTOLD, "Bad file descriptor"),
    "stdout full": (">/dev/full", UNTOLD, "No space left on device"),
    "all closed": ("<&- >&- 2>&-", UNTOLD, None),
    "reader gone": (READER_GONE, GONE, None),
}
CASES = [(kind, command) for kind in STREAMS for command in COMMANDS]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, features_file: Path, undrawn: None) -> Path:
    """A folder with data, a model of them and thousands of rows."""
    place = tmp_path_factory.mktemp("streams")
    (place / "data.npz").write_bytes(features_file.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert CliRunner().invoke(cli, shlex.split(TRAIN.replace("new", "model"))).exit_code == 0
    with np.load(features_file) as file:
        np.save(place / "rows.npy", np.tile(file["X_train"], (20, 1)))
    return place


def start(
    words: str, python: list[str], redirection: str, folder: Path
) -> "subprocess.CompletedProcess[str]":
    """Run the command line as a shell does."""
    gone = redirection == READER_GONE
    command = f"exec {shlex.join([sys.executable, *python])} {words} {'' if gone else redirection}"
    reader, writer = os.pipe()
    os.close(reader)
    stdout = writer if gone else subprocess.PIPE
    try:
        return subprocess.run(
            ["bash", "-c", command], stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=folder, timeout=60
        )
    finally:
        os.close(writer)


@pytest.mark.parametrize(("kind", "command"), CASES)
def test_work_is_done_whatever_the_streams_are(kind: str, command: str, made: Path) -> None:
    redirection, code, said = STREAMS[kind]
    process = start(*COMMANDS[command], redirection, made)
    assert process.returncode == code, process.stderr
    last = process.stderr.splitlines()[-1:]
    if said:
        assert last[0].startswith(f"Error: standard output: cannot be written: {said}; ")
    assert "Traceback" not in process.stderr and "Exception" not in process.stderr
    assert process.stderr.count("Error") == bool(said)
    if command == "work":
        assert (made / "new" / "weights.npz").stat().st_size > 0
        shutil.rmtree(made / "new")


def test_a_file_never_gets_the_number_of_a_closed_stream(made: Path) -> None:
    """Else what is meant for people would be written into it."""
    script = "import os; from softmaxclf.cli import streams; streams.prepare(); print(os.open('rows.npy', 0))"
    process = start("", ["-c", script], "<&- 2>&-", made)
    assert int(process.stdout) > 2


class Refusing(io.RawIOBase):
    """A stream that takes a few bytes, then fails."""

    def __init__(self, error: OSError) -> None:
        self.error, self.taken = error, b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.taken:
            raise self.error
        self.taken = bytes(data[:4])
        return len(self.taken)


def test_an_answer_that_is_cut_ends_the_command_once() -> None:
    raw = Refusing(OSError(errno.EIO, "Input/output error"))
    stream = io.BufferedWriter(streams._Answers(raw))
    stream.write(b"a long answer")
    with pytest.raises(OutputError, match="standard output: cannot be written: Input/output error"):
        stream.flush()
    stream.flush()  # what the end of the program does is no second error
    assert raw.taken == b"a lo"


def test_notes_that_nobody_takes_are_dropped() -> None:
    stream = io.BufferedWriter(streams._Notes(Refusing(OSError(errno.ENOSPC, "full"))))
    for _ in range(3):
        stream.write(b"a note")
        stream.flush()


# --json


def failure(result: Result) -> dict[str, Any]:
    """The one document on stdout of a command that failed."""
    document = json.loads(result.stdout)
    assert (
        list(document) == ["schema_version", "error"] and document["error"]["exit_code"] == result.exit_code
    )
    error: dict[str, Any] = document["error"]
    return error


@pytest.mark.parametrize(
    ("arguments", "code", "messages"),
    [
        (
            ["evaluate", "none"],
            3,
            ["none: expected a run folder or a weights.npz, found no such file or folder"],
        ),
        (["train", "--nonsense"], 2, ["No such option '--nonsense'"]),
        (["nonsense"], 2, ["No such command 'nonsense'"]),
        (["evaluate"], 2, ["Missing argument 'MODEL'"]),
        (["explain", "1", "2", "--scale", "x"], 2, ["--scale: expected a number, got x"]),
        (["train", "--out", ""], 2, ["--out: expected a path, got an empty text"]),
        (
            ["train", "--set", "a.b=1", "--iterations", "-1"],
            2,
            ["--set a.b=1: expected", "--iterations: expected"],
        ),
        (["data", "describe", "two\nlines"], 2, ["--data: expected a name or path, got two\\nlines"]),
    ],
)
def test_a_failure_is_a_json_document_too(
    arguments: list[str], code: int, messages: list[str], run_cli: Callable[..., Result]
) -> None:
    result = run_cli(*arguments, "--json")
    assert result.exit_code == code
    found = failure(result)["messages"]
    assert len(found) == len(messages)
    for text, begin in zip(found, messages, strict=True):
        assert text.startswith(begin) and text.isprintable()
        assert text in result.stderr
    assert run_cli(*arguments).stdout == ""


def test_a_bug_is_a_json_document_too(
    run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("softmaxclf.workflows.runs.train.train", bug)
    result = CliRunner().invoke(cli, ["train", "--json"])
    assert isinstance(result.exception, ZeroDivisionError)
    assert json.loads(result.stdout) == {
        "schema_version": 1,
        "error": {"messages": ["ZeroDivisionError: division by zero"], "exit_code": 1},
    }


def test_an_answer_that_names_what_failed_is_the_only_document(
    made: Path, run_cli: Callable[..., Result], tmp_path: Path
) -> None:
    """predict says of each file what became of it, so nothing follows."""
    pixels = np.arange(60 * 48, dtype=np.uint8).reshape(60, 3, 4, 4)
    np.savez(tmp_path / "pixels.npz", X_train=pixels, y_train=np.arange(60) % 2)
    assert run_cli("train", "--data", "pixels.npz", "--out", "model").exit_code == 0
    Image.fromarray(pixels[0].transpose(1, 2, 0)).save(tmp_path / "one.png")
    result = run_cli("predict", "model", "one.png", "none.png", "--json")
    assert result.exit_code == 3
    assert [set(each) >= {"file", "error"} for each in json.loads(result.stdout)["predictions"]] == [
        False,
        True,
    ]


# What libraries say


@pytest.mark.parametrize(("options", "said"), [([], False), (["-W", "default"], True)])
def test_the_warnings_and_logs_of_libraries_stay_away_unless_asked_for(
    options: list[str], said: bool, made: Path
) -> None:
    script = (
        "import logging, warnings\nfrom softmaxclf.workflows.models import evaluate\n"
        "def noisy(*_, **__):\n"
        "    warnings.warn('raw warning')\n    logging.getLogger('matplotlib').warning('raw log')\n    return {}\n"
        "evaluate.evaluate = noisy\nfrom softmaxclf.__main__ import main\nmain()"
    )
    process = start("evaluate model --json", [*options, "-c", script], "", made)
    assert process.returncode == 0 and json.loads(process.stdout) == {"schema_version": 1}
    assert ("raw warning" in process.stderr) is said
    assert "raw log" not in process.stderr
