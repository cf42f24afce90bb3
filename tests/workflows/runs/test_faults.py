"""Every operation on files fails, or is the last: nothing is lost, nothing half passes, one line says what is wrong.

The counts that tests/README.md tells are the least that these tests may find.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softmaxclf.workflows.runs import train
from tests.conftest import ROOT
from tests.faults import (
    MINE,
    OPENS,
    SCENARIOS,
    TRAIN,
    WRITES,
    Faults,
    entries,
    raising,
    result_of,
    run,
    status_of,
    undrawn,
)

FIRST, OVERWRITING, REST = (
    "a first run",
    "the overwriting of another run",
    "the rest of a run that was out of time",
)
HERE = {**os.environ, "PYTHONPATH": str(ROOT)}


def counts() -> dict[str, dict[str, int]]:
    """The table of tests/README.md: for each fault the points of what is done."""
    page = (ROOT / "tests" / "README.md").read_text()
    lines = [line.strip("| \n").split("|") for line in page.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line] for line in lines]
    header = next(line for line in cells if "killed" in line)
    table = cells[cells.index(header) + 2 :]
    table = table[: next(place for place, line in enumerate(table) if line[0] == "all") + 1]
    return {
        fault: {line[0]: int(line[column]) for line in table if column < len(line) and line[column]}
        for column, fault in enumerate(header[1:], 1)
    }


def test_the_page_adds_up_what_it_counts() -> None:
    found = counts()
    assert found["killed"].keys() == {*SCENARIOS, "all"}
    for points in found.values():
        assert points.pop("all") == sum(points.values())


@pytest.mark.parametrize(
    ("scenario", "extent"),
    [(OVERWRITING, "few"), *(pytest.param(each, "all", marks=pytest.mark.slow) for each in SCENARIOS)],
)
def test_a_run_killed_at_any_operation_leaves_nothing_half_and_the_same_command_ends_it(
    scenario: str, extent: str, features_file: Path, tmp_path: Path
) -> None:
    driver = str(ROOT / "tests" / "faults.py")
    command = [sys.executable, driver, scenario, str(features_file), str(tmp_path), extent]
    process = subprocess.run(command, capture_output=True, text=True, env=HERE)
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)
    assert not found["problems"]
    assert found["points"] >= (counts()["killed"][scenario] if extent == "all" else 100)


@pytest.fixture
def quick() -> Iterator[None]:
    with undrawn():
        yield


@pytest.fixture
def data(features_file: Path, tmp_path: Path) -> Path:
    """Data that a test may spoil."""
    return Path(shutil.copy(features_file, tmp_path / "data.npz"))


# A fault, and at which operations: every one from some on, as on a full disk, or a single one.
FAULTS: dict[str, tuple[int, frozenset[str], bool]] = {
    "no space left": (errno.ENOSPC, WRITES, True),
    "permission denied": (errno.EACCES, OPENS, False),
    "an I/O error": (errno.EIO, WRITES, False),
}


@pytest.mark.parametrize(
    ("scenario", "fault"),
    [
        pytest.param(scenario, fault, marks=pytest.mark.slow if fault == "an I/O error" else ())
        for scenario in (FIRST, OVERWRITING, REST)
        for fault in FAULTS
    ],
)
@pytest.mark.slow
def test_a_file_system_that_fails_at_any_operation_is_one_line_and_loses_nothing(
    scenario: str, fault: str, data: Path, tmp_path: Path, quick: None
) -> None:
    number, kinds, lasting = FAULTS[fault]
    before, command = SCENARIOS[scenario]
    given = ["--data", str(data), "--quiet", "--out"]
    start, whole, folder = (tmp_path / name for name in ("start", "whole", "run"))
    for each in before:
        assert run([*each, *given, str(start)])[0] == 0
        for name, content in MINE.items():
            (start / name).write_bytes(content)
    begin(start, whole)
    assert run([*command, *given, str(whole)])[0] == 0
    for point in count(1):
        begin(start, folder)
        faults = Faults(tmp_path, kinds, raising(number), point, lasting, few=True)
        with faults.installed():
            code, said = run([*command, *given, str(folder)])
        if not faults.met:
            break
        if code:  # all is well where only the tidying after the result failed
            assert code in (2, 3, 5) and said.count("Error: ") == said.count("\n") == 1, (point, code, said)
            assert os.strerror(number) in said, (point, said)
        assert result_of(folder) in (None, result_of(start), result_of(whole)), point
        assert not [name for name in entries(folder) if name.endswith(".tmp")], point
        code, said = run([*command, *given, str(folder)])
        assert code == 0, (point, said)
        assert (result_of(folder), entries(folder)) == (result_of(whole), entries(whole)), point
        assert status_of(folder) == "finished"
    assert point > counts()[fault][scenario]


def begin(start: Path, folder: Path) -> None:
    """Make `folder` what lies there before."""
    shutil.rmtree(folder, ignore_errors=True)
    if start.is_dir():
        shutil.copytree(start, folder)


COMMANDS = {
    "evaluate": ["evaluate", "run", "--out", "out"],
    "calibrate": ["evaluate", "run", "--calibrate"],
    "compare": ["compare", "run", "other", "--out", "out"],
    "predict": ["predict", "run", "rows.npy", "--out", "out/table.csv"],
    "visualize-weights": ["visualize-weights", "run", "--out", "out/weights.png"],
    "report": ["report", "run"],
    "describe": ["data", "describe", "data.npz"],
    "the finding of a finished run": [*TRAIN, "--data", "data.npz", "--test", "--out", "run"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_has_a_bug_or_leaves_a_part_where_an_operation_on_files_fails(
    name: str, data: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", np.load(data)["X_test"])
    for folder, seed in (("run", "0"), ("other", "1")):
        assert run([*TRAIN, "--seed", seed, "--data", "data.npz", "--test", "--out", folder])[0] == 0
    for number, kinds, lasting in FAULTS.values():
        for point in count(1):
            shutil.rmtree("out", ignore_errors=True)
            faults = Faults(tmp_path, kinds, raising(number), point, lasting, few=True)
            with faults.installed():
                code, said = run(COMMANDS[name])
            if not faults.met:
                assert code == 0, said
                break
            assert code in (0, 2, 3, 5) and said.count("Error: ") == (code > 0), (point, code, said)
            assert not [*tmp_path.rglob("*.tmp")]
            assert status_of(Path("run")) == "finished"


# Several processes

ROUNDS = 60
# Each takes the folder again and again, and would find the mark of another that is in it.
CONTENDER = """
import sys
from pathlib import Path
from softmaxclf.errors import RunConflictError
from softmaxclf.runs import claim
folder, taken = Path(sys.argv[1]), 0
while taken < int(sys.argv[2]):
    try:
        with claim(folder):
            (folder / "inside").touch(exist_ok=False)
            (folder / "inside").unlink()
            taken += 1
    except RunConflictError:
        pass
"""
TRAINER = """
import sys
from tests.faults import run, undrawn
with undrawn():
    code, said = run(sys.argv[1:])
sys.stderr.write(said)
sys.exit(code)
"""


def three(script: str, *arguments: str) -> list[tuple[int, str]]:
    """The exit codes of three processes that run this at once, and what they said."""
    command = [sys.executable, "-c", script, *arguments]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=HERE) for _ in range(3)]
    said = [process.communicate()[1] for process in started]
    return [(process.returncode, each) for process, each in zip(started, said, strict=True)]


def test_of_three_processes_one_at_a_time_holds_a_folder_and_none_is_left(tmp_path: Path) -> None:
    """The folder is made and removed each time, so that they meet at every step of that."""
    assert three(CONTENDER, str(tmp_path / "run"), str(ROUNDS)) == [(0, "")] * 3
    assert not (tmp_path / "run").exists()


def test_of_three_commands_in_one_folder_one_makes_the_run_and_the_others_say_so(
    data: Path, tmp_path: Path, quick: None
) -> None:
    given = ["--data", str(data), "--quiet", "--out"]
    assert run([*TRAIN, *given, str(tmp_path / "whole")])[0] == 0
    ended = three(TRAINER, *TRAIN, *given, str(tmp_path / "run"))
    assert 0 in [code for code, _ in ended]
    for code, said in ended:
        assert code == 0 or (code == 5 and "another softmaxclf process works in this folder" in said), said
    assert result_of(tmp_path / "run") == result_of(tmp_path / "whole")
    assert entries(tmp_path / "run") == entries(tmp_path / "whole")


# Data that change


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def written_over(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    os.utime(path, (9, 9))


@pytest.mark.parametrize("change", [cut_short, emptied, written_over])
@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_data_that_change_at_any_reading_of_a_file_larger_than_memory_are_one_line(
    solver: str,
    change: Callable[[Path], None],
    data: Path,
    features_file: Path,
    tmp_path: Path,
    quick: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At each of the first readings, and then at some: they are alike."""
    monkeypatch.setattr("softmaxclf.arrays.free_memory", lambda: 0)
    command = TRAIN if solver == "sgd" else ["train", "--set", "data.validation=50", "--test"]
    preadv, readings, tried = os.preadv, 0, 0

    def watched(*arguments: Any) -> int:
        nonlocal readings
        readings += 1
        if readings == point:
            change(data)
        return preadv(*arguments)

    monkeypatch.setattr(os, "preadv", watched)
    for point in [*range(1, 11), *range(40, 1_000_000, 90)]:
        readings, out = 0, tmp_path / f"run{point}"
        shutil.copy(features_file, data)
        code, said = run([*command, "--data", str(data), "--quiet", "--out", str(out)])
        if readings < point:
            assert code == 0, said
            break
        tried += 1
        assert code == 3 and said.count("Error: ") == said.count("\n") == 1, (point, code, said)
        assert "expected the file to stay as it was when it was opened, found it changed" in said
        assert status_of(out) != "finished"
    assert 3 * tried >= counts()["data changed"][f"training by {solver} on rows in a file"]


@pytest.mark.parametrize(
    "command",
    [TRAIN, ["tune", "--folds", "2"], ["tune", "--set", "tuning.refit=true", "--set", "data.validation=50"]],
    ids=["train", "folds", "refit"],
)
def test_rows_that_are_larger_than_memory_give_the_run_that_rows_in_memory_give(
    command: list[str], data: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["--data", str(data), "--quiet", "--out"]
    assert run([*command, *given, str(tmp_path / "memory")])[0] == 0
    monkeypatch.setattr("softmaxclf.arrays.free_memory", lambda: 0)
    for each in (
        [*command, *given, str(tmp_path / "file")],
        ["evaluate", str(tmp_path / "file"), "--quiet", "--split", "train"],
        ["data", "describe", str(data)],
    ):
        code, said = run(each)
        assert code == 0, said
    assert result_of(tmp_path / "file") == result_of(tmp_path / "memory")


@pytest.fixture
def cut_in_training(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data, which are cut short after the training rows were read."""
    build = train.build_problem

    def cutting(*arguments: Any) -> Any:
        os.truncate(data, 100)
        return build(*arguments)

    monkeypatch.setattr(train, "build_problem", cutting)
    return data


def test_data_that_changed_after_they_were_read_are_told_and_the_run_is_of_what_was_read(
    cut_in_training: Path, features_file: Path, tmp_path: Path, quick: None
) -> None:
    out = tmp_path / "run"
    code, said = run([*TRAIN, "--data", str(cut_in_training), "--out", str(out)])
    assert code == 0 and f"{cut_in_training} was written to while the run went on" in said
    assert run([*TRAIN, "--data", str(features_file), "--out", str(tmp_path / "whole")])[0] == 0
    found, expected = result_of(out), result_of(tmp_path / "whole")
    assert found is not None and expected is not None
    assert {**found, "weights.npz": ""} == {**expected, "weights.npz": ""}  # it names the data set


def test_a_test_split_that_changed_while_the_run_trained_is_not_scored(
    cut_in_training: Path, tmp_path: Path, quick: None
) -> None:
    code, said = run([*TRAIN, "--test", "--data", str(cut_in_training), "--out", str(tmp_path / "run")])
    assert code == 3 and "X_test: expected the file to stay as it was when it was opened" in said
    assert status_of(tmp_path / "run") == "running"


@pytest.mark.parametrize("change", ["cut short", "other rows"])
def test_data_that_changed_before_a_run_is_continued_are_refused(
    change: str, data: Path, features_file: Path, tmp_path: Path, quick: None
) -> None:
    command = [*TRAIN, "--data", str(data), "--quiet", "--out", str(tmp_path / "run")]
    assert run([*command, "--max-time", "0.001"])[0] == 0
    if change == "cut short":
        os.truncate(data, 3000)
    else:
        content = bytearray(data.read_bytes())
        place = content.index(b"X_train.npy") + 400
        content[place : place + 4] = bytes(4)
        data.write_bytes(content)
    code, said = run(command)
    assert code == (3 if change == "cut short" else 5), said
    assert said.count("\n") == 1 and (str(data) in said or "holds another run (data: " in said)
    shutil.copy(features_file, data)
    assert run(command)[0] == 0
