"""What a terminal shows: tables that fit it, colours where they help, sentences wrapped and commands whole."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from softmaxclf.cli import console
from tests.cli.test_schemas import RIGHT, invoke, place

__all__ = ["place"]  # a fixture
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
DRIVER = """
from softmaxclf.workflows.runs import result
result._draw = result.write_report = lambda *arguments: None
from softmaxclf.__main__ import main
main()
"""
TUNE = "tune --data data.npz --solver sgd --iterations 20 --learning-rates 0.001,0.01,0.1,1e30 --out grid"
OTHERS = (
    "schema",
    "completion",
    "config",
    "data verify",
    "data sample",
    "data describe drawn",
)  # have no tables
LINES = [line for line in RIGHT if not line.startswith(OTHERS)]
NARROW = [
    line
    for line in LINES
    if line.startswith(("train", "tune", "evaluate", "predict")) and "--dry-run" not in line
]


@pytest.mark.parametrize(
    ("line", "width"),
    [*((line, 80) for line in (*LINES, f"{TUNE} --all")), *((line, 60) for line in (*NARROW, TUNE))],
)
def test_a_table_fits_the_screen(line: str, width: int, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    result = invoke(line)
    assert result.exit_code == 0
    wide = [
        each for each in result.stdout.splitlines() if len(each) > width and re.search(r"\S {2,}\S", each)
    ]
    assert wide == []


def on_terminal(line: str, place: Path, **environment: str) -> str:
    """What a pseudo-terminal of 80 columns shows of stdout."""
    ours, theirs = pty.openpty()
    asked = {**os.environ, "COLUMNS": "80", "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *line.split()],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        cwd=place,
        env=asked,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait() == 0
    return shown.decode().replace("\r\n", "\n")


def test_on_a_terminal_the_winner_has_a_colour_and_sentences_are_wrapped(place: Path) -> None:
    shown = on_terminal(f"{TUNE} --regularizations 0.1,0.01 --out shown", place)
    winner, legend = [line for line in shown.splitlines() if ESCAPE.sub("", line).startswith("* ")]
    assert ESCAPE.search(winner) and legend.startswith("* best")
    plain = ESCAPE.sub("", shown)
    assert max(map(len, plain.splitlines())) <= 80
    assert "\nOpen shown/report.html\n" in plain and "Next: softmaxclf visualize-weights shown" in plain


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {}])
def test_colours_are_off_where_they_are_not_wanted(environment: dict[str, str], place: Path) -> None:
    line = f"{TUNE} --regularizations 0.1,0.01 --out shown"
    shown = on_terminal(line, place, **environment) if environment else invoke(line).stdout
    assert not ESCAPE.search(shown) and "\n* 0.0" in shown


def test_texts_lose_their_middle_before_they_pass_the_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    table = console.table(["name", "rows", "more"], [["x" * 30 + "end", "1,000", "1"], ["y", "2", "2"]])
    assert max(map(len, table.splitlines())) <= 40 and "..." in table and "end " in table
    fewer = console.table(["name", "rows", "more"], [["x" * 25, "1,000,000", "1"]], optional=("more",))
    assert fewer.splitlines()[0].split() == ["name", "rows"]


def test_a_square_table_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    names = [f"column{n}" for n in range(5)]
    parts = console.folded(["row", *names], [["a", *"12345"], ["b", *"67890"]]).split("\n\n")
    assert [part.splitlines()[0].split() for part in parts] == [["row", *names[:3]], ["row", *names[3:]]]
    assert [part.split()[-1] for part in parts] == ["8", "0"]
    assert max(len(line) for part in parts for line in part.splitlines()) <= 30
