"""`softmaxclf data`: fetching, checking and writing data sets."""

from pathlib import Path
from typing import Any

from softmaxclf.datasets.cifar.layouts import OFFICIAL_SOURCES
from softmaxclf.datasets.cifar.verify import verify as verify_files
from softmaxclf.datasets.cifar.writer import write_cifar_folder
from softmaxclf.datasets.download import download_source
from softmaxclf.datasets.sample import draw_sample
from softmaxclf.datasets.sources import find_official, open_source
from softmaxclf.errors import DataError, RunConflictError, SoftmaxclfError
from softmaxclf.workflows.observer import Observer, WorkProgress


def download(source: str, directory: Path, form: str, mirror: str | None, observer: Observer) -> Path:
    """Fetch the official archive of `source` into `directory`; returns its path."""
    mirrors = {} if mirror is None else {"mirrors": (mirror,)}
    progress = WorkProgress(observer, source)
    return download_source(source, directory, form=form, progress=progress, log=observer.note, **mirrors)


def verify(directory: Path) -> list[dict[str, Any]]:
    """What lies in `directory`, whether it is the official file, and whether it can be read.

    Raises DataError when nothing of CIFAR lies there.
    """
    findings = verify_files(directory)
    if not findings:
        raise DataError(
            f"{directory}: expected files of CIFAR-10 or CIFAR-100, found none; "
            "fetch them with `softmaxclf data download`, or give another --directory"
        )
    return [each._asdict() for each in findings] + _readable(directory)


def _readable(directory: Path) -> list[dict[str, Any]]:
    found = []
    for name in OFFICIAL_SOURCES:
        if find_official(name, directory) is None:
            continue
        try:
            dataset = open_source(name, directory)
            train, test = dataset.train, dataset.test()  # in this order an archive is unpacked once
            names = dataset.class_names
        except SoftmaxclfError as error:
            found.append(
                {"file": str(directory), "what": name, "status": "not readable", "detail": str(error)}
            )
            continue
        detail = f"{len(train.y):,} training and {len(test.y):,} test rows, {len(names)} classes"
        found.append({"file": dataset.path, "what": name, "status": "readable", "detail": detail})
    return found


def write_sample(directory: Path, form: str, seed: int, overwrite: bool) -> dict[str, Any]:
    """Write the sample set in CIFAR-10's own layout into `directory`."""
    if directory.exists() and any(directory.iterdir()) and not overwrite:
        raise RunConflictError(
            f"{directory}: expected an empty folder, found files; choose another or add --overwrite"
        )
    dataset = draw_sample(seed)
    test = dataset.test()
    write_cifar_folder(directory, dataset.train, test, dataset.class_names, form=form)
    return {
        "folder": str(directory),
        "form": form,
        "seed": seed,
        "train_rows": len(dataset.train.y),
        "test_rows": len(test.y),
    }
