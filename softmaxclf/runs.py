"""Run folders: who works in one, what it holds, and the checkpoints from which an unfinished one continues.

Every file is written whole and moved into place (files.py); nothing is ever appended to, so a process that
dies at any moment leaves a folder that loads. The manifest says whose run it is (command, settings, data), which files
are the run's own, each before it is there, and how far it has come:

    running    the same command continues
    partial    it has a result, of a run that --max-time ended; the same command continues
    written    it has its result; checkpoints may be left, which whoever comes next deletes
    finished   it has its result and nothing else
    cleared    the files that it lists are no one's and are to be deleted; the folder is free for any run
"""

import csv
import io
import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmaxclf import SCHEMA_VERSION, __version__
from softmaxclf.arrays import read_arrays
from softmaxclf.core.search import FURTHER
from softmaxclf.errors import DataError, OutputError, RunConflictError
from softmaxclf.files import atomic_writer, open_regular, read_bytes, remnants, remove
from softmaxclf.locks import held

FORMAT_VERSION = 1
CONFIG, MANIFEST, WEIGHTS, METRICS = "config.yaml", "manifest.json", "weights.npz", "metrics.json"
HISTORY, HISTORIES = "history.csv", "histories.csv"
RESULTS, COEFFICIENTS, LOCK = "results.csv", "coefficients.csv", ".lock"
REPORT, CALIBRATED = "report.html", "weights-calibrated.npz"
EXPORTS = tuple(f"export.{form}" for form in ("npz", "json", "safetensors", "onnx", "pt", "skops"))
RUNNING, PARTIAL, WRITTEN, FINISHED, CLEARED = "running", "partial", "written", "finished", "cleared"
# The files of a run whose manifest lists none, or is torn.
UNLISTED = (CONFIG, WEIGHTS, METRICS, HISTORY, RESULTS, COEFFICIENTS, REPORT, CALIBRATED)


class Maybe(NamedTuple):
    """The form of what a key holds that may be missing, see `has_form`."""

    form: Any


NUMBER = int | float | None
FORMULAS = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    *"＝＋－＠",  # in full width, which some spreadsheets take for the same
)  # how they begin: https://owasp.org/www-community/attacks/CSV_Injection
_NUMBER = re.compile(r"[+-][0-9.]+(e[+-]?[0-9]+)?")
# What a manifest and a metrics.json hold at the least, see `has_form`.
_MANIFEST_FORM = {
    "format_version": int, "command": str, "status": str, "sittings": int, "command_line": [str],
    "data": {"name": str, "fingerprint": str}, "settings": Maybe({str: str}), "files": Maybe([str]),
}  # fmt: skip
_SPLIT_FORM = {"accuracy": NUMBER, "interval": [NUMBER, NUMBER], "loss": NUMBER, "rows": int, "correct": int}
_SPREAD_FORM = {"mean": NUMBER, "sd": NUMBER, "accuracies": [int | float]}
_REPEATS_FORM = {
    "count": int, "metric": str, "least_difference": NUMBER, "validation": _SPREAD_FORM, "test": Maybe(_SPREAD_FORM),
}  # fmt: skip
_METRICS_FORM = {"splits": {str: _SPLIT_FORM}, "warnings": [str], "repeats": Maybe(_REPEATS_FORM)}
_CELL_FORM = {
    "train_accuracy": NUMBER, "validation_accuracy": NUMBER, "validation_loss": NUMBER,
    "validation_interval": [NUMBER, NUMBER], "status": str, **dict.fromkeys(FURTHER, Maybe(NUMBER)),
}  # fmt: skip
_TUNE_FORM = {
    "splits": {"train": _SPLIT_FORM, "validation": _SPLIT_FORM},
    "best": {str: int | float | bool, "refit": bool},
    "cells": [_CELL_FORM],
    "chosen_by": Maybe({"metric": str}),
    "notes": Maybe([str]),
}

Arrays = Mapping[str, NDArray[Any]]


class OutputFolder:
    """A folder for what a command makes, and how its files are written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def writer(self, name: str) -> Iterator[BinaryIO]:
        """Yield a binary file that becomes the file `name`, see files.atomic_writer. Raises OutputError."""
        with atomic_writer(self.path / name) as file:
            yield file

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file."""
        with self.writer(name) as file:
            file.write(content)

    def write_text(self, name: str, content: str) -> None:
        """Write a text file."""
        self.write_bytes(name, content.encode())

    def write_answer(self, name: str, content: Mapping[str, Any]) -> None:
        """Write what --json prints of `content`."""
        self.write_text(name, answer_json(content) + "\n")

    def write_json(self, name: str, content: object) -> None:
        """Write `content` as JSON for people: indented, keys in the given order, no NaN (they become null)."""
        self.write_text(name, to_json(content) + "\n")

    def write_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write a CSV file with a header; floats by repr, NaN as an empty field."""
        self.write_text(name, csv_text(columns, rows))


class RunFolder(OutputFolder):
    """One run's folder and its manifest. Made by `claim`, which holds it for this process alone.

    All that a run writes or deletes there goes through here: a file is listed in the manifest before it is there, and
    nothing is touched once the folder was removed or is held by another process.
    """

    def __init__(self, path: Path, is_held: Callable[[], bool]) -> None:
        super().__init__(path)
        self._is_held = is_held
        self.manifest: dict[str, Any] = {}

    @property
    def files(self) -> list[str]:
        """The names of the run's own files, without the manifest. A name that leads elsewhere is none of them."""
        listed = self.manifest.get("files", UNLISTED)
        return [name for name in listed if name not in ("", ".", "..") and Path(name).name == name]

    def holds_other_files(self) -> bool:
        """Whether something lies here that no run of ours began with."""
        return any(not entry.name.endswith(".tmp") and entry.name != LOCK for entry in self.path.iterdir())

    @contextmanager
    def writer(self, name: str) -> Iterator[BinaryIO]:
        """Yield a binary file that becomes the run's file `name`. Raises OutputError."""
        if name != MANIFEST and name not in self.files:
            self.save(files=[*self.files, name])
        self._check_held()
        with atomic_writer(self.path / name, make_folder=False) as file:
            yield file
            self._check_held()

    def save(self, **facts: Any) -> None:
        """Complete the manifest with `facts` and write it."""
        manifest = {"format_version": FORMAT_VERSION, **self.manifest, **facts}
        self.write_json(MANIFEST, manifest)
        self.manifest = manifest

    def remove(self, names: Iterable[str]) -> None:
        """Delete those files, and what is left of writing them, the last first: metrics go before what they describe.

        Raises OutputError.
        """
        for name in reversed([*names]):
            self._check_held()
            remove(self.path / name)

    def sweep(self) -> None:
        """Delete what killed processes left of writing the run's files."""
        for name in (MANIFEST, *self.files):
            for file in remnants(self.path / name):
                with suppress(OSError):
                    file.unlink()

    def free(self) -> None:
        """Delete the run's files and no others. Where others stay, the manifest does too and says that it is free."""
        self.save(status=CLEARED)
        self.remove(self.files)
        self.save(files=[])
        if all(entry.name in (MANIFEST, LOCK) for entry in self.path.iterdir()):
            self.remove([MANIFEST])

    def close(self, status: str, **facts: Any) -> None:
        """Say in the manifest that the result is there. A finished run has no checkpoints."""
        self.save(status=WRITTEN if status == FINISHED else status, **facts)
        if status == FINISHED:
            self.tidy()

    def tidy(self) -> None:
        """Make a written run a finished one; checkpoints that cannot be deleted do no harm, and wait for the next."""
        checkpoints = [name for name in self.files if name.startswith("checkpoint")]
        with suppress(OutputError):
            self.remove(checkpoints)
            self.save(status=FINISHED, files=[name for name in self.files if name not in checkpoints])

    def save_checkpoint(self, name: str, arrays: Arrays, facts: Mapping[str, Any]) -> None:
        """Write the arrays and the JSON-able facts, and whose they are, to one checkpoint file."""
        stored = np.array(json.dumps({**facts, "run": self._identity}))
        with self.writer(name) as file:
            np.savez(file, facts=stored, **arrays)  # type: ignore[arg-type]

    def load_checkpoint(self, name: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """The arrays and facts of that checkpoint, or None when there is none.

        Raises DataError on a broken one and on one of another run, OutputError where it cannot be opened.
        """
        path = self.path / name
        try:
            with open_regular(path):
                pass
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(
                f"{path}: cannot be read: {error.strerror or error}; fix that to continue the run, or begin again with "
                "--overwrite"
            ) from error
        arrays = read_arrays(path, error=DataError)
        try:
            facts = json.loads(str(arrays.pop("facts")))
        except (KeyError, ValueError, RecursionError) as error:
            raise DataError(f"{path}: expected a checkpoint, found none") from error
        if not isinstance(facts, dict):
            raise DataError(f"{path}: expected a checkpoint, found none")
        if facts.get("run") != self._identity:
            raise DataError(f"{path}: expected a checkpoint of this run, found one of other settings or data")
        return arrays, facts

    @property
    def _identity(self) -> dict[str, Any]:
        """What makes a checkpoint this run's: command, settings and data."""
        manifest = self.manifest
        return {
            "command": manifest["command"],
            "settings": manifest.get("settings"),
            "data": manifest["data"]["fingerprint"],
        }

    def _check_held(self) -> None:
        """Raise OutputError where the folder is no longer ours."""
        if not self._is_held():
            raise OutputError(
                f"{self.path}: expected the folder of this run, found it removed, or taken over by another process; "
                "the same command begins again"
            )


@contextmanager
def claim(path: Path) -> Iterator[RunFolder]:
    """Make the folder if need be and hold it; a second process gets RunConflictError. Freed even by SIGKILL."""
    busy = RunConflictError(
        f"{path}: another softmaxclf process works in this folder; wait for it, or choose another with --out"
    )
    try:
        with held(path / LOCK, busy) as is_held:
            yield RunFolder(path, is_held)
    finally:
        with suppress(OSError):
            path.rmdir()  # leaves no empty folder behind when the run was refused


def read_manifest(path: Path) -> dict[str, Any] | None:
    """The manifest of the run folder `path`, or None. Raises RunConflictError when it is not one of ours."""
    try:
        content = read_json(path / MANIFEST)
    except DataError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return None
        raise RunConflictError(f"{error}; or start again with --overwrite") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise RunConflictError(
            f"{path / MANIFEST}: expected format version {FORMAT_VERSION}, found {version!r}; "
            "use the softmaxclf that wrote it, or another folder with --out"
        )
    if not has_form(content, _MANIFEST_FORM):
        raise RunConflictError(
            f"{path / MANIFEST}: expected the manifest of a run, found something else; start again with --overwrite"
        )
    return content  # type: ignore[no-any-return]


def read_metrics(path: Path, command: str = "") -> dict[str, Any]:
    """The content of metrics.json in a run folder, of that command if it is known. Raises DataError when it is none."""
    content = read_json(path / METRICS)
    known = has_form(content, _METRICS_FORM)
    if known and (command == "tune" or "cells" in content):
        known = has_form(content, _TUNE_FORM) and bool(content["cells"])
        axes = {name: int | float for name in content["best"] if name != "refit"} if known else {}
        known = known and has_form([content["best"], *content["cells"]], [axes])
    if not known:
        raise DataError(
            f"{path / METRICS}: expected the metrics of a run, found something else; "
            "run the command again with --overwrite"
        )
    return content  # type: ignore[no-any-return]


def read_table(path: Path, columns: Sequence[str]) -> NDArray[np.float64]:
    """The table of a CSV file with these columns as (T, n) floats, empty fields as NaN. Raises DataError.

    Files that were written earlier may lack the last columns, which are NaN then.
    """
    again = "run the command again to make it"
    try:
        lines = list(csv.reader(io.StringIO(read_bytes(path).decode())))
        known = len(lines[0])
        if tuple(lines[0]) != tuple(columns)[:known] or 2 * known < len(columns):
            raise ValueError
        rows = [[float(field) if field else np.nan for field in line] for line in lines[1:]]
        table = np.array(rows, np.float64).reshape(-1, known)
        return np.pad(table, [(0, 0), (0, len(columns) - known)], constant_values=np.nan)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; {again}") from error
    except (ValueError, IndexError, csv.Error) as error:
        raise DataError(
            f"{path}: expected a table of {','.join(columns)}, found something else; {again}"
        ) from error


def has_form(value: Any, form: Any) -> bool:
    """Whether JSON content is of a form: a type; {key: form} with more keys allowed; {str: form} of every key;
    {key: Maybe(form)} where the key is there; [form] of every element; [form, form] of each of two elements.
    """
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return False
        keys = {*form, *value} - {str} if str in form else form
        return all(_holds(value, key, form.get(key, form.get(str))) for key in keys)
    if isinstance(form, list):
        forms = form * len(value) if isinstance(value, list) and len(form) == 1 else form
        return (
            isinstance(value, list)
            and len(value) == len(forms)
            and all(has_form(each, part) for each, part in zip(value, forms, strict=True))
        )
    return isinstance(value, form) and isinstance(value, bool) == (form is bool)


def _holds(value: Mapping[str, Any], key: str, form: Any) -> bool:
    if key not in value:
        return isinstance(form, Maybe)
    return has_form(value[key], form.form if isinstance(form, Maybe) else form)


def read_json(path: Path) -> Any:
    """The JSON content of a file. Raises DataError when it is missing, not UTF-8 or not JSON."""
    try:
        return json.loads(read_bytes(path))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror}; run the command again to make it"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: expected JSON, found a broken file; run the command again to make it"
        ) from error


def answer_json(content: Mapping[str, Any]) -> str:
    """JSON text of an answer, in one document with the version of its schema."""
    return to_json({"schema_version": SCHEMA_VERSION, **content})


def to_json(content: object) -> str:
    """JSON text of `content`, NaN and infinity as null."""
    return json.dumps(_finite(content), indent=2, ensure_ascii=False)


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    if isinstance(content, float | np.floating):
        return float(content) if np.isfinite(content) else None
    return content.item() if isinstance(content, np.integer | np.bool_) else content


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """CSV text with a header line; floats by repr, NaN as an empty field.

    Text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    return csv_lines([columns, *rows])


def csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    """The same of further rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_field(value) for value in row] for row in rows)
    return text.getvalue()


def _field(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return repr(float(value)) if np.isfinite(value) else ""
    if isinstance(value, str) and value.startswith(FORMULAS) and not _NUMBER.fullmatch(value):
        return "'" + value
    return value


def environment() -> dict[str, Any]:
    """Versions and threads: what, beside configuration and data, may move the last bits of a result."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "softmaxclf": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}",
        "threads": os.environ.get("OPENBLAS_NUM_THREADS") or str(os.cpu_count()),
        "machine": f"{platform.system()} {platform.machine()}",
        "command_line": ["softmaxclf", *sys.argv[1:]],
    }


def now() -> str:
    """The time in UTC, to the second, as the manifest writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
