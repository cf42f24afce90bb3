"""A file layer that fails or kills at its nth operation, in the way of SQLite's tests: n = 1, 2, ... until none is met.

`python tests/faults.py SCENARIO DATA FOLDER [few]` kills: each point is tried in a forked process, the folder is looked
at as the kill left it, and then the same command is given again, undisturbed. It prints what it found as JSON.
"""

import fcntl
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

WRITES = frozenset({"create", "write", "fsync", "mkdir"})  # what needs room on the disk
OPENS = frozenset({"open", "create"})
CHANGES = frozenset({"create", "write", "fsync", "mkdir", "replace", "unlink", "rmdir", "chmod", "lock"})


@dataclass
class Faults:
    """Counts the operations of those kinds on files under `root`; at number `point`, counted from 1, it calls `fault`.

    lasting: also at all later ones, as a full disk does. few: of the writes to an open file only the first counts.
    A write is done half before.
    """

    root: Path
    kinds: frozenset[str]
    fault: Callable[[], None]
    point: int = 0
    lasting: bool = False
    few: bool = False
    done: int = 0
    paths: dict[int, str] = field(default_factory=dict)

    def before(self, kind: str, path: Any, halfway: Callable[[], None] = lambda: None) -> None:
        if isinstance(path, int):
            path = self.paths.get(path, "")
        if kind not in self.kinds or not Path(os.fsdecode(path)).absolute().is_relative_to(self.root):
            return
        self.done += 1
        if self.done == self.point or (self.lasting and self.done > self.point > 0):
            halfway()
            self.fault()

    @property
    def met(self) -> bool:
        """Whether the point was reached."""
        return self.done >= self.point

    @contextmanager
    def installed(self) -> Iterator["Faults"]:
        """The layer lies between Python and the system while the block runs."""
        with (
            patch.multiple(os, **self._functions()),
            patch.object(io, "open", self._io_open(io.open)),
            patch.object(fcntl, "flock", self._wrapped("lock", fcntl.flock)),
        ):
            yield self

    def _functions(self) -> dict[str, Any]:
        kinds = {"mkdir": "mkdir", "replace": "replace", "rename": "replace", "unlink": "unlink", "remove": "unlink",
                 "rmdir": "rmdir", "chmod": "chmod", "fsync": "fsync"}  # fmt: skip
        found = {name: self._wrapped(kind, getattr(os, name)) for name, kind in kinds.items()}
        return {**found, "open": self._open(os.open), "fdopen": self._fdopen(os.fdopen)}

    def _wrapped(self, kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(path: Any, *rest: Any, **options: Any) -> Any:
            self.before(kind, path)
            return function(path, *rest, **options)

        return wrapped

    def _open(self, function: Callable[..., int]) -> Callable[..., int]:
        def opened(path: Any, flags: int, *rest: Any, **options: Any) -> int:
            self.before("create" if flags & os.O_CREAT else "open", path)
            handle = function(path, flags, *rest, **options)
            self.paths[handle] = os.fsdecode(path)
            return handle

        return opened

    def _fdopen(self, function: Callable[..., Any]) -> Callable[..., Any]:
        layer = self

        class Raw(io.FileIO):
            written = False

            def write(self, content: Any) -> int:
                half = memoryview(content)[: len(content) // 2]
                if not (layer.few and self.written):
                    layer.before("write", self.fileno(), lambda: super(Raw, self).write(half) and None)
                self.written = True
                return super().write(content) or 0

        def opened(handle: int, mode: str = "r", *rest: Any, **options: Any) -> Any:
            return (
                io.BufferedWriter(Raw(handle, "wb"))
                if mode == "wb"
                else function(handle, mode, *rest, **options)
            )

        return opened

    def _io_open(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def opened(path: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
            if not isinstance(path, int):
                self.before("open" if set(mode) <= set("rbt") else "create", path)
            return function(path, mode, *rest, **options)

        return opened


def raising(number: int) -> Callable[[], None]:
    """A fault that is an error of the system."""

    def fault() -> None:
        raise OSError(number, os.strerror(number))

    return fault


def kill() -> None:
    """The fault that nothing survives."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def undrawn() -> Iterator[None]:
    """Runs write pictures and a report of a few bytes: drawing them takes most of a small run's time."""
    from softmaxclf.plots.figure import new_figure
    from softmaxclf.workflows.runs import result

    def pictures(folder: Any, *rest: Any) -> None:
        for name in ("curves.png", "grid.png"):
            folder.write_bytes(name, b"drawn")

    with (
        patch.object(os, "fsync", lambda handle: None),  # the disk's time is not ours
        patch.multiple(
            result,
            _draw=pictures,
            _save=lambda figure, folder, name, note: folder.write_bytes(name, b"drawn"),
            confusion_figure=lambda *arguments, **options: new_figure(1, 1),
            write_report=lambda path, shown, run, *rest: run.write_text("report.html", "<!DOCTYPE html>"),
        ),
    ):
        yield


# Kills


TRAIN = ["train", "--iterations", "12", "--batch-size", "40", "--learning-rate", "0.1", "--regularization", "0.01",
         "--set", "data.validation=50"]  # fmt: skip
TUNE = ["tune", "--iterations", "12", "--batch-size", "40", "--learning-rates", "0.1,0.2", "--regularizations", "0,1",
        "--folds", "2"]  # fmt: skip
REPEATED = ["tune", "--iterations", "12", "--batch-size", "40", "--learning-rates", "0.1", "--regularizations", "0,1",
            "--repeats", "2", "--set", "data.validation=50"]  # fmt: skip
OTHER = [*TRAIN, "--set", "training.seed=7"]
# What lies in the folder before, made by these commands, and the command that is killed.
SCENARIOS: dict[str, tuple[list[list[str]], list[str]]] = {
    "a first run": ([], TRAIN),
    "a grid with folds": ([], TUNE),
    "a grid with repeats": ([], REPEATED),
    "the overwriting of another run": ([OTHER], [*TRAIN, "--overwrite"]),
    "the overwriting of the same run": ([TRAIN], [*TRAIN, "--overwrite"]),
    "the test split of a finished run": ([TRAIN], [*TRAIN, "--test"]),
    "the rest of a run that was out of time": ([[*TRAIN, "--max-time", "0.001"]], TRAIN),
}
MINE = {"holiday.png": b"mine", "checkpoint-notes.npz": b"mine", "notes.txt": b"mine"}
RESULT = ("weights.npz", "history.csv", "results.csv")


def run(arguments: Sequence[str]) -> tuple[int, str]:
    """The exit code of the command and what it said on stderr, or 1 with the bug's name."""
    from softmaxclf.cli.main import cli

    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as said:
        try:
            cli([*arguments], prog_name="softmaxclf")
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()
        except Exception as bug:  # noqa: BLE001 - whatever it is, it is to be reported
            return 1, f"{type(bug).__name__}: {bug}"
    return 0, said.getvalue()


def result_of(folder: Path) -> dict[str, Any] | None:
    """What a run found, which no disturbance may change; None where it has no metrics, so no result."""
    try:
        metrics = json.loads((folder / "metrics.json").read_text())
    except FileNotFoundError:
        return None
    files = {name: (folder / name).read_bytes().hex() for name in RESULT if (folder / name).exists()}
    return {**files, **{name: metrics.get(name) for name in ("splits", "best", "cells")}}


def status_of(folder: Path) -> str:
    try:
        return str(json.loads((folder / "manifest.json").read_text())["status"])
    except FileNotFoundError:
        return ""


def entries(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []


def in_a_fork(work: Callable[[], Any]) -> tuple[int, Any]:
    """(the number of the signal that ended it, or 0; what it returned) of that work in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        with os.fdopen(writing, "w") as answer:
            json.dump(work(), answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    status = os.waitpid(child, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, json.loads(text) if text else None


@dataclass
class Kills:
    """One scenario: every point of it, and what went wrong there."""

    before: list[list[str]]
    command: list[str]
    folder: Path
    few: bool
    problems: list[str] = field(default_factory=list)
    points: int = 0

    def try_all(self) -> None:
        start, whole, run_folder = (self.folder / name for name in ("start", "whole", "run"))
        self._make(start)
        shutil.copytree(start, whole) if start.is_dir() else None
        code, said = in_a_fork(lambda: run([*self.command, "--out", str(whole)]))[1]
        assert code == 0, said
        old, new = result_of(start), result_of(whole)
        for point in count(1):
            shutil.rmtree(run_folder, ignore_errors=True)
            shutil.copytree(start, run_folder) if start.is_dir() else None
            faults = Faults(run_folder, CHANGES, kill, point, few=self.few)
            ended, found = in_a_fork(lambda faults=faults: self._disturbed(faults, run_folder))
            if ended != signal.SIGKILL:
                self._expect(point, found[0] == 0, f"it ended with {found}")
                break
            self.points = point
            self._look(point, run_folder, old, new)
            code, said = in_a_fork(lambda: run([*self.command, "--out", str(run_folder)]))[1]
            self._expect(point, code == 0, f"the same command said {said!r}")
            self._expect(point, result_of(run_folder) == new, "the result is another")
            self._expect(point, entries(run_folder) == entries(whole), f"left are {entries(run_folder)}")
            self._expect(point, status_of(run_folder) == "finished", status_of(run_folder))

    def _make(self, folder: Path) -> None:
        for command in self.before:
            code, said = in_a_fork(lambda command=command: run([*command, "--out", str(folder)]))[1]
            assert code == 0, said
        if self.before:
            for name, content in MINE.items():
                (folder / name).write_bytes(content)

    def _disturbed(self, faults: Faults, folder: Path) -> tuple[int, str]:
        with faults.installed():
            return run([*self.command, "--out", str(folder)])

    def _look(self, point: int, folder: Path, old: Any, new: Any) -> None:
        """No half result passes for one, none is lost before its run is given up, and what is the user's stays."""
        found, status, left = result_of(folder), status_of(folder), entries(folder)
        self._expect(point, found in (None, old, new), f"a result of parts: {left}")
        if status in ("finished", "written"):
            self._expect(point, found is not None, f"{status} without a result: {left}")
        if status == "finished":
            self._expect(
                point, not any(name in left for name in ("checkpoint.npz",)), f"a checkpoint is left: {left}"
            )
        if self.before:
            mine = {name: (folder / name).read_bytes() for name in MINE if (folder / name).exists()}
            self._expect(point, mine == MINE, f"lost a file of the user: {left}")

    def _expect(self, point: int, holds: bool, otherwise: str) -> None:
        if not holds:
            self.problems.append(f"point {point}: {otherwise}")


def main(scenario: str, data: str, folder: str, extent: str = "all") -> None:
    """Print the number of points of that scenario, and what went wrong at them. extent: all or few, see Faults."""
    before, command = SCENARIOS[scenario]
    given = ["--data", data, "--quiet"]
    kills = Kills([[*each, *given] for each in before], [*command, *given], Path(folder), extent == "few")
    with undrawn():
        run([*command, *given, "--out", f"{folder}/imports"])  # here and not in each process
        kills.try_all()
    print(json.dumps({"points": kills.points, "problems": kills.problems}))


if __name__ == "__main__":
    main(*sys.argv[1:])
