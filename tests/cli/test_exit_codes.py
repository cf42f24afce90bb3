"""Every exit code with what is said, and the boundary that turns errors into them and lets bugs through."""

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from softmaxclf.cli.main import EXIT_CODES, cli
from softmaxclf.errors import InterruptedRunError
from softmaxclf.runs import claim

TRAIN = ["train", "--data", "data.npz", "--set", "data.validation=50", "--out", "run"]
TUNE = [
    "tune",
    "--data",
    "data.npz",
    "--set",
    "data.validation=50",
    "--out",
    "run",
    "--regularizations",
    "1e300",
]


@pytest.fixture(autouse=True)
def data(features_file: Path, tmp_path: Path) -> Path:
    """The features as data.npz in the folder where the commands run."""
    path = tmp_path / "data.npz"
    path.write_bytes(features_file.read_bytes())
    return path


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_draw", "write_report"):
        monkeypatch.setattr(f"softmaxclf.workflows.runs.result.{name}", lambda *arguments: None)


def prepare_other_run(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "manifest.json").write_text('{"format_version": 7}')


# arguments, exit code, what stderr says, files that the command leaves besides data.npz
CASES: list[tuple[list[str], int, str, set[str]]] = [
    ([*TRAIN, "--iterations", "2"], 0, "data: 350 training + 50 validation rows", {"run"}),
    (["train", "--nonsense"], 2, "Error: No such option", set()),
    (["nonsense"], 2, "No such command 'nonsense'", set()),
    (["evaluate"], 2, "Missing argument 'MODEL'", set()),
    ([*TRAIN, "--iterations", "-1"], 2, "Error: --iterations: expected a whole number", set()),
    (
        [*TRAIN, "--config", "none.yaml"],
        2,
        "Error: none.yaml: expected a configuration file, got nothing there",
        set(),
    ),
    (
        [*TRAIN, "--set", "data.validation=400"],
        2,
        "Error: data.validation: expected fewer than the 400",
        set(),
    ),
    ([*TRAIN[:-1], "data.npz/run"], 2, "Error: data.npz/run: cannot be written: ", set()),
    (["train", "--data", "none.npz"], 3, "Error: none.npz: expected a source, found no such file", set()),
    (
        ["data", "verify"],
        3,
        "Error: data: expected files of CIFAR-10, CIFAR-100, MNIST, Fashion-MNIST, found none",
        set(),
    ),
    (["data", "verify", "--json"], 3, "found none; fetch them with `softmaxclf data download`", set()),
    (["evaluate", "data.npz"], 3, "Error: data.npz: expected a model with format_version", set()),
    (
        ["visualize-weights", "none"],
        3,
        "Error: none: expected a run folder or a weights.npz, found no such",
        set(),
    ),
    ([*TRAIN, "--learning-rate", "1e300"], 4, "Error: training diverged at iteration", set()),
    ([*TUNE, "--learning-rates", "1e299,1e300"], 4, "cells diverged", set()),
    ([*TRAIN[:-1], "."], 5, "Error: .: expected an empty folder or a run, found other files", set()),
]


@pytest.mark.parametrize(
    ("arguments", "code", "said", "files"), CASES, ids=[" ".join(case[0]) for case in CASES]
)
def test_each_end_has_its_code_its_words_and_its_files(
    arguments: list[str],
    code: int,
    said: str,
    files: set[str],
    run_cli: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quick(monkeypatch)
    result = run_cli(*arguments)
    assert result.exit_code == code, result.stderr
    assert said in result.stderr and "Traceback" not in result.stderr
    assert (result.stdout == "") is (code != 0 and "--json" not in arguments)
    assert {entry.name for entry in tmp_path.iterdir()} == {"data.npz", *files}


def test_a_folder_of_another_run_or_in_use_is_5(run_cli: Callable[..., Result], tmp_path: Path) -> None:
    prepare_other_run(tmp_path)
    result = run_cli(*TRAIN)
    assert result.exit_code == 5 and "expected format version 1, found 7" in result.stderr
    with claim(tmp_path / "used"):
        result = run_cli(*TRAIN[:-1], "used")
    assert result.exit_code == 5 and "another softmaxclf process works in this folder" in result.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_has_the_code_of_its_signal(
    number: int, code: int, run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: Any) -> None:
        raise InterruptedRunError("stopped; the same command continues", number)

    monkeypatch.setattr("softmaxclf.workflows.runs.train.train", stop)
    result = run_cli(*TRAIN)
    assert (result.exit_code, result.stderr) == (code, "Error: stopped; the same command continues\n")


def test_ctrl_c_outside_of_a_run_is_130(
    run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("softmaxclf.model_file.read_arrays", stop)
    result = run_cli("evaluate", "data.npz")
    assert result.exit_code == 130
    assert result.stderr.startswith("Error: interrupted") and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),  # of a mapping
        ImportError("libscipy_openblas64_.so: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8000000000 bytes"),
        None,
    ],
    ids=repr,
)
def test_too_little_memory_is_2(
    error: Exception | None, run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def allocate(*arguments: Any) -> None:
        if error is not None:
            raise error
        np.empty(2**55)

    monkeypatch.setattr("softmaxclf.workflows.runs.train.train", allocate)
    result = run_cli(*TRAIN)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: expected enough memory, found too little")
    assert ("Unable to allocate 256. PiB for an array" in result.stderr) is (error is None)
    assert "lower tuning.memory" in result.stderr


def start(script: str, *arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the command line in a process of its own, after `script`."""
    code = f"{script}\nfrom softmaxclf.__main__ import main\nmain()\n"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60)


BUG = """
import softmaxclf.workflows.runs.train
def bug(*arguments):
    return 1 / 0
softmaxclf.workflows.runs.train.train = bug
"""


def test_a_bug_of_ours_is_1_with_its_traceback(tmp_path: Path) -> None:
    process = start(BUG, *TRAIN, folder=tmp_path)
    assert process.returncode == 1 and process.stdout == ""
    assert process.stderr.startswith("Traceback (most recent call last):")
    assert process.stderr.rstrip().endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    "error", [ValueError, TypeError, KeyError, OSError, RuntimeError, RecursionError, AssertionError]
)
def test_no_exception_that_is_not_ours_is_caught(
    error: type[Exception], run_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*arguments: Any) -> None:
        raise error("a bug")

    monkeypatch.setattr("softmaxclf.workflows.runs.train.train", bug)
    with pytest.raises(error, match="a bug"):
        run_cli(*TRAIN)


def test_debug_adds_the_traceback_and_nothing_else_does(tmp_path: Path) -> None:
    plain = start("", "evaluate", "none", folder=tmp_path)
    debug = start("", "evaluate", "none", "--debug", folder=tmp_path)
    assert plain.returncode == debug.returncode == 3
    assert plain.stderr.count("\n") == 1
    assert (
        debug.stderr.startswith("Traceback (most recent call last):")
        and "ModelError: none: expected" in debug.stderr
    )
    assert debug.stderr.endswith(plain.stderr)


@pytest.mark.parametrize("arguments", [["--help"], ["explain", "1", "2"], ["train", "--help"]], ids=" ".join)
def test_a_reader_who_has_seen_enough_gets_no_traceback(arguments: list[str], tmp_path: Path) -> None:
    """As in `softmaxclf ... | head -1`: the pipe is closed before anything is written."""
    script = (
        "import os, sys; reader, writer = os.pipe(); os.dup2(writer, 1); os.close(reader); os.close(writer)"
    )
    process = start(script, *arguments, folder=tmp_path)
    assert (process.returncode, process.stderr) == (141, "")


def test_all_problems_of_a_configuration_come_at_once_with_file_and_line(
    run_cli: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(
        "training:\n  learning_rate: fast\n  batch_sise: 3\ntuning:\n  folds: 1\n  folds: 2\ntraning: {}\n"
    )
    result = run_cli(*TRAIN, "--config", "mine.yaml", "--set", "training.seed=x", "--iterations", "-1")
    assert result.exit_code == 2 and result.stdout == ""
    lines = result.stderr.splitlines()
    expected = [
        "mine.yaml:2: training.learning_rate: expected auto or a number",
        "mine.yaml:3: training.batch_sise: expected a known key",
        "mine.yaml:5: tuning.folds: expected",
        "mine.yaml:6: tuning.folds: expected this key once",
        "mine.yaml:7: traning: expected a section",
        "--set training.seed=x: expected",
        "--iterations: expected",
    ]
    assert len(lines) == len(expected)
    for line, start_of_line in zip(lines, expected, strict=True):
        assert line.startswith(f"Error: {start_of_line}")


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[2J", "a\rb", "\u202etxt", "\udcff"])
def test_a_name_that_would_move_the_cursor_is_shown_escaped(
    name: str, run_cli: Callable[..., Result]
) -> None:
    for arguments in (["evaluate", name], ["train", "--data", "data.npz", "--config", name]):
        result = run_cli(*arguments)
        assert result.exit_code in (2, 3)
        assert result.stderr.count("\n") == 1 and result.stderr.rstrip("\n").isprintable()


def test_the_help_lists_every_exit_code() -> None:
    output = CliRunner().invoke(cli, ["--help"]).output
    listed = [
        int(line.split()[0])
        for line in EXIT_CODES.splitlines()
        if line.split()[:1] and line.split()[0].isdigit()
    ]
    assert listed == [0, 1, 2, 3, 4, 5, 130, 141, 143]
    for line in EXIT_CODES.splitlines()[1:]:
        assert line in output


@pytest.mark.parametrize("seconds", ["nan", "inf", "0", "-1"])
def test_a_time_limit_is_a_finite_number_of_seconds(seconds):
    result = CliRunner().invoke(cli, ["train", "--data", "sample", f"--max-time={seconds}"])
    assert result.exit_code == 2 and "--max-time" in result.stderr


def test_an_unquoted_pattern_is_told_to_need_quotes(run_cli):
    result = run_cli("train", "--data", *(f"rows/part-{n}.npy" for n in range(1000)))
    assert result.exit_code == 2
    assert "(rows/part-1.npy rows/part-2.npy" in result.stderr
    assert len(result.stderr) < 500
    assert result.stderr.endswith(
        "; files that are one SOURCE are a pattern in quotes, such as 'rows/*.npy'\n"
    )
