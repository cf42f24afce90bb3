"""Folders and files that a command was asked to fill, and what must not be written over."""

from pathlib import Path

from softmaxclf.errors import ConfigError, RunConflictError
from softmaxclf.files import cannot_write
from softmaxclf.runs import MANIFEST, RunFolder, make_folder

# How the files that pictures are saved in begin: PNG, JPEG, PDF, SVG, WebP.
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"%PDF", b"<?xml", b"<svg", b"RIFF")


def output_folder(path: Path) -> RunFolder:
    """The folder for a command's tables and pictures, made if need be.

    Raises RunConflictError for the folder of a run, whose own files would be replaced, and OutputError where the
    system refuses.
    """
    if (path / MANIFEST).exists():
        raise RunConflictError(
            f"{path}: holds a run, whose own pictures would be replaced; choose another folder, e.g. "
            f"--out {path / 'evaluation'}"
        )
    make_folder(path)
    return RunFolder(path)


def refuse_no_picture(path: Path) -> None:
    """Raise ConfigError when `path` holds something that is no picture, whatever its name says."""
    begin = _begin(path)
    if begin and not begin.startswith(_PICTURES):
        raise ConfigError(f"{path}: holds something that is no picture; choose another name with --out")


def refuse_other_table(path: Path, header: str) -> None:
    """Raise ConfigError when `path` holds anything but a table that begins with `header`."""
    if path.suffix.lower() != ".csv":
        raise ConfigError(f"{path}: expected a file name ending in .csv; choose another name")
    begin = _begin(path)
    if begin and not begin.startswith(header.encode()):
        raise ConfigError(f"{path}: holds another table, which stays; choose another name")


def _begin(path: Path) -> bytes:
    """The first bytes of a file; none when there is none yet."""
    if not path.exists():
        return b""
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise cannot_write(path, error) from error
