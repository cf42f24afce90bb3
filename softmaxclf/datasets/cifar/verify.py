"""What of CIFAR lies in a folder, and whether it is what the official hashes say."""

from pathlib import Path

from softmaxclf.datasets.cifar.layouts import LAYOUTS, Layout, batch_folders
from softmaxclf.datasets.published import OFFICIAL, Finding, compared, findings
from softmaxclf.files import is_file


def verify(directory: Path) -> list[Finding]:
    """What is known about every CIFAR file in `directory`; empty where there is none.

    Looks for the official archives, downloads that were cut (`.part`) and folders of unpacked batches, in
    `directory` or `directory` itself. A file that differs may still be sound data in the same form: reading it is
    the caller's affair.
    """
    found: list[Finding] = []
    for layout in LAYOUTS:
        found += findings(directory, layout.published, f"{layout.name} {layout.form} archive")
    return found + [each for home, layout in batch_folders(directory) for each in _of_folder(home, layout)]


def is_official(place: Path, layout: Layout) -> bool:
    """Whether an archive, or all batches of a folder, are the official ones, as far as hashes of them are known."""
    if is_file(place):
        return compared(place, "", "sha256", layout.sha256).status == OFFICIAL
    return not layout.md5 or all(each.status == OFFICIAL for each in _of_folder(place, layout)[:-1])


def _of_folder(home: Path, layout: Layout) -> list[Finding]:
    """Each batch, and the class names last."""
    what, known = f"{layout.name} {layout.form} batch", layout.md5 or [""] * len(layout.files)
    return [compared(home / name, what, "md5", md5) for name, md5 in zip(layout.files, known, strict=True)]
