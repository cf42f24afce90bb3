"""Folders and files that a command was asked to fill, and what must not be written over."""

from pathlib import Path

from softmaxclf.errors import ConfigError, RunConflictError
from softmaxclf.files import exists, make_folder, open_regular, refuse_no_file, writing
from softmaxclf.runs import MANIFEST, OutputFolder

# How the files that pictures are saved in begin: PNG, JPEG, PDF, SVG, WebP.
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"%PDF", b"<?xml", b"<svg", b"RIFF")


def output_folder(path: Path) -> OutputFolder:
    """The folder for a command's tables and pictures, made if need be.

    Raises RunConflictError for the folder of a run, whose own files would be replaced, and OutputError where the
    system refuses.
    """
    with writing(path):
        holds_run = exists(path / MANIFEST)
    if holds_run:
        raise RunConflictError(
            f"{path}: holds a run, whose own pictures would be replaced; choose another folder, e.g. "
            f"--out {path / 'evaluation'}"
        )
    make_folder(path)
    return OutputFolder(path)


def refuse_other(path: Path, begins: tuple[bytes, ...], found: str) -> None:
    """Raise ConfigError when the file `path` begins with none of `begins`, whatever its name says.

    found: what it then holds. An empty file, or none yet, may be written over. Raises OutputError where no file can be.
    """
    refuse_no_file(path)
    with writing(path):
        if not exists(path):
            return
        with open_regular(path) as (file, _):
            begin = file.read(max(map(len, begins)))
    if begin and not begin.startswith(begins):
        raise ConfigError(f"{path}: holds {found}; choose another name")


def refuse_no_picture(path: Path) -> None:
    """Raise ConfigError when `path` holds something that is no picture."""
    refuse_other(path, _PICTURES, "something that is no picture")


def refuse_other_table(path: Path, header: str) -> None:
    """Raise ConfigError when `path` holds anything but a table that begins with `header`."""
    if path.suffix.lower() != ".csv":
        raise ConfigError(f"{path}: expected a file name ending in .csv; choose another name")
    refuse_other(path, (header.encode(),), "another table, which stays")
