"""Sources of several files that one pattern names, as 'features/part-*.npy'.

The name alone may hold * ? or [ ], not the folder; what exists under the very name is no pattern. Hidden files, labels
and class names that lie beside are not of it.
"""

import re
from fnmatch import fnmatchcase
from pathlib import Path

from softmaxclf.errors import DataError
from softmaxclf.files import exists, is_folder, printable

_BESIDE = re.compile(r"\..*|(.+\.)?labels\.npy|class_names\.npy")


def is_pattern(path: Path) -> bool:
    """Whether that is a pattern. Raises OSError as `exists` does."""
    return not {*"*?["}.isdisjoint(path.name) and not exists(path)


def matching(path: Path) -> list[Path]:
    """The files of a pattern, in natural order: part-2 before part-10. Raises DataError where there are none."""
    folder = path.parent
    names = [each.name for each in folder.iterdir()] if is_folder(folder) else []
    found = [name for name in names if fnmatchcase(name, path.name) and not _BESIDE.fullmatch(name)]
    if not found:
        where = f"in {len(names):,} names there" if names else f"nothing in the folder {printable(folder)}"
        raise DataError(
            f"{printable(path)}: expected files of that pattern, found none ({where}); check the path, of which only "
            "the last part may be a pattern"
        )
    return [folder / name for name in sorted(found, key=_natural)]


def title_of(path: Path) -> str:
    """The name of a data set: that of its file without endings, of a pattern its folder's."""
    name = path.absolute().parent.name if is_pattern(path) else path.name.split(".")[0]
    return name or str(path)


def _natural(name: str) -> tuple[list[int | str], str]:
    parts = re.split("([0-9]+)", name)
    return [int(part) if n % 2 else part for n, part in enumerate(parts)], name
