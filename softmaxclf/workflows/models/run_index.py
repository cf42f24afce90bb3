"""`index.html` of a folder of runs: what each found, on one page."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from softmaxclf.errors import ConfigError, DataError, SoftmaxclfError
from softmaxclf.files import exists, is_file, is_folder, printable, write_text
from softmaxclf.model_file import load_model
from softmaxclf.runs import (
    CONFIG,
    FINISHED,
    MANIFEST,
    METRICS,
    PARTIAL,
    REPORT,
    WEIGHTS,
    WRITTEN,
    read_manifest,
    read_metrics,
)
from softmaxclf.workflows.models.comparison_files import PAGE
from softmaxclf.workflows.observer import Observer
from softmaxclf.workflows.output import refuse_other

INDEX = "index.html"
FEW = 5  # folders that a message lists


def is_folder_of_runs(path: Path) -> bool:
    """Whether it is a folder, and none of a run, not even of a broken one."""
    return is_folder(path) and not any(exists(path / name) for name in (MANIFEST, METRICS, WEIGHTS, CONFIG))


def write_index(
    folder: Path, source: str | None, observer: Observer, *, out: Path | None = None
) -> dict[str, Any]:
    """Write the page of the runs in `folder`, to index.html in it or to `out`; returns what is on it.

    Folders that hold no finished run, and what cannot be read, are left out, with a warning. Raises DataError where
    no run is left, ConfigError for a source, which one run may have, and for a file that is no page of ours.
    """
    from softmaxclf.report.index import Index, index_page
    from softmaxclf.report.page import BEGIN

    if source is not None:
        raise ConfigError(f"--data: expected one run, whose rows they are, found {folder}, a folder of runs")
    out = out or folder / INDEX
    refuse_other(out, (BEGIN.encode(),), "something that is no page of softmaxclf")
    runs, comparisons, left_out = _found(folder, observer)
    if not runs:
        raise DataError(f"{folder}: expected a run folder or a folder of runs, found neither; name one")
    if left_out:
        more = f" and {len(left_out) - FEW:,} more" if len(left_out) > FEW else ""
        observer.warn(f"{folder}: left out, without a finished run: {', '.join([*left_out][:FEW])}{more}")
    index = Index(
        str(folder), folder.resolve().name, os.path.relpath(folder, out.parent), runs, comparisons, left_out
    )
    write_text(out, index_page(index))
    return {
        "folder": str(folder),
        "index": str(out),
        "runs": [run.name for run in runs],
        "left_out": [{"folder": name, "reason": why} for name, why in left_out.items()],
    }


def _found(folder: Path, observer: Observer) -> tuple[list[Any], list[str], dict[str, str]]:
    """(the runs, the newest first; the pages of comparisons; why other folders are left out, by name)."""
    runs, comparisons, left_out = [], [], {}
    names = _folders(folder)
    observer.begin("reading runs", len(names), unit="run")
    for done, name in enumerate(names, 1):
        if is_file(folder / name / PAGE):
            comparisons.append(f"{name}/{PAGE}")
            continue
        try:
            runs.append(_run(folder / name))
        except (SoftmaxclfError, OSError) as error:
            left_out[name] = _reason(error, folder / name)
        observer.advance(done)
    observer.end()
    runs.sort(key=lambda run: str(run.manifest.get("started", "")), reverse=True)
    return runs, comparisons, left_out


def _reason(error: Exception, path: Path) -> str:
    """The first line of an error without the folder that it is about."""
    told = str(error).splitlines()[0]
    return printable(told.removeprefix(f"{path}: ").removeprefix(f"{path}/"))


def _folders(folder: Path) -> list[str]:
    """The names of the folders in it that are not hidden. Raises DataError."""
    try:
        entries = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}; name another folder") from error
    return [name for name in entries if not name.startswith(".") and is_folder(folder / name)]


def _run(path: Path) -> Any:
    from softmaxclf.report.index import ListedRun

    manifest = read_manifest(path)
    if manifest is None:
        raise DataError(f"expected a run's {MANIFEST}, found none")
    _check_finished(manifest)
    metrics = read_metrics(path, manifest["command"])
    report = REPORT if is_file(path / REPORT) else None
    return ListedRun(path.name, report, metrics, manifest, load_model(path))


def _check_finished(manifest: Mapping[str, Any]) -> None:
    if manifest["status"] not in (PARTIAL, WRITTEN, FINISHED):
        raise DataError(f"the run is {manifest['status']}, not finished; the same command continues it")
