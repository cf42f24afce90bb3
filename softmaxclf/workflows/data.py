"""`softmaxclf data`: fetching, checking and writing data sets."""

from pathlib import Path
from typing import Any

from softmaxclf.datasets.cifar.layouts import LAYOUTS, OFFICIAL_SOURCES
from softmaxclf.datasets.cifar.verify import verify as verify_cifar
from softmaxclf.datasets.cifar.writer import write_cifar_folder
from softmaxclf.datasets.download import download_source
from softmaxclf.datasets.mnist import MNISTS, verify_mnist
from softmaxclf.datasets.sample import draw_sample
from softmaxclf.datasets.sources import find_official, open_source
from softmaxclf.errors import DataError, RunConflictError, SoftmaxclfError
from softmaxclf.files import make_folder, writing
from softmaxclf.workflows.observer import Observer, WorkProgress


def download(source: str, directory: Path, form: str, mirror: str | None, observer: Observer) -> Path:
    """Fetch the official files of `source` into `directory`; returns the archive, or the folder of several files."""
    mirrors = () if mirror is None else (mirror,)
    progress = WorkProgress(observer, source)
    return download_source(
        source, directory, form=form, progress=progress, log=observer.note, mirrors=mirrors
    )


def verify(directory: Path) -> list[dict[str, Any]]:
    """What lies in `directory`, whether it is the official file, and whether it can be read.

    Raises DataError when nothing that is published lies there.
    """
    findings = verify_cifar(directory) + verify_mnist(directory)
    if not findings:
        names = dict.fromkeys([*(each.name for each in LAYOUTS), *(each.name for each in MNISTS)])
        raise DataError(
            f"{directory}: expected files of {', '.join(names)}, found none; "
            "fetch them with `softmaxclf data download`, or give another --directory"
        )
    return [each._asdict() for each in findings] + _readable(directory)


def _readable(directory: Path) -> list[dict[str, Any]]:
    found = []
    for name in (*OFFICIAL_SOURCES, *(each.source for each in MNISTS)):
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
    make_folder(directory)
    with writing(directory):
        empty = not any(directory.iterdir())
    if not (empty or overwrite):
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
