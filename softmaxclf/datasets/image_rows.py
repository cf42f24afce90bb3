"""The rows of many image files: read once by several threads, then taken from a cache.

The cache is an `.npz` in `cache` of the data folder: the rows, the places of the files that could not be read, and a
key made from the names, sizes and times of the files, the size and colours asked for and Pillow's version. One whose
key, shape, length or checksum is another is made again, as is one that lists a file which can be read by now. It is
opened as any `.npz` of a stranger is, and may not unpack to more than its own size.
"""

import hashlib
import math
import os
import shutil
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import PIL
from numpy.lib import format as npy
from numpy.typing import NDArray

from softmaxclf.arrays import StoredArray, open_arrays
from softmaxclf.core.images import ImageShape
from softmaxclf.datasets.dataset import Log, Progress, Rows
from softmaxclf.datasets.images import read_image, read_images
from softmaxclf.errors import DataError, OutputError
from softmaxclf.files import atomic_writer, printable

Errors = dict[int, DataError]  # by the place of the file
FOLDER = "cache"
MOST_NAMED = 10
VERSION = 1  # of the rule by which a file becomes a row, and of the cache's form


@dataclass(frozen=True)
class ImageRows:
    """The rows that `files`, of the folder `root`, become.

    part: what they are of it. cache: the folder of caches, or None. skip: whether to leave out what cannot be read.
    """

    root: Path
    part: str
    files: Sequence[os.DirEntry[str]]
    image_shape: ImageShape
    cache: Path | None
    skip: bool
    progress: Progress
    note: Log
    warn: Log

    def read(self) -> tuple[Rows | StoredArray, NDArray[np.int64]]:
        """The rows (n, C * H * W) uint8 in plane order, and the places (n,) of their files. Raises DataError."""
        kept = None if self.cache is None else self._kept() or self._keep()
        rows, errors = kept or self._in_memory()
        if errors:
            self._tell(errors)
        places = np.delete(np.arange(len(self.files)), list(errors))
        return (rows[places] if errors else rows), places

    @cached_property
    def _paths(self) -> list[Path]:
        return [Path(each.path) for each in self.files]

    @cached_property
    def _key(self) -> str:
        digest = hashlib.sha256(f"{VERSION} {PIL.__version__} {self.image_shape}".encode())
        start = len(os.path.join(self.root, ""))  # noqa: PTH118 - with a separator at its end
        for each in self.files:
            try:
                status = each.stat()
                facts = f"\0{status.st_size} {status.st_mtime_ns}\0"
            except OSError:  # a link to nowhere: reading it will say so
                facts = "\0\0"
            digest.update(os.fsencode(each.path[start:]) + facts.encode())
        return digest.hexdigest()

    @cached_property
    def _place(self) -> Path:
        """Where the cache of this part, in this size and colours, is: other files in the folder take its place."""
        assert self.cache is not None
        home = f"{self.root.resolve()} {self.part} {self.image_shape}"
        name = "".join(letter if letter.isalnum() else "_" for letter in self.root.resolve().name)[:40]
        digest = hashlib.sha256(home.encode("utf-8", "surrogateescape")).hexdigest()
        return self.cache / f"{name}-{self.part}-{digest[:8]}.npz"

    # Reading

    def _in_memory(self) -> tuple[Rows, Errors]:
        rows = np.empty((len(self.files), math.prod(self.image_shape)), np.uint8)
        done = 0

        def take(block: Rows) -> None:
            nonlocal done
            rows[done : done + len(block)] = block
            done += len(block)
            self.progress(done, len(rows))

        return rows, read_images(self._paths, self.image_shape, take)

    def _kept(self) -> tuple[Rows | StoredArray, Errors] | None:
        """What the cache holds; None where there is none for these very files."""
        try:
            with open_arrays(self._place, error=DataError, limit_bytes=self._place.stat().st_size) as arrays:
                if set(arrays.names) != {"rows", "unread", "key"} or arrays.read("key").tolist() != self._key:
                    return None
                arrays.check("rows")
                rows, unread = arrays.stored("rows"), arrays.read("unread")
        except (DataError, OSError):
            return None
        wanted = (len(self.files), math.prod(self.image_shape))
        if rows.shape != wanted or rows.dtype != np.uint8 or unread.dtype != np.int64:
            return None
        if unread.size and not 0 <= unread.min() <= unread.max() < len(self.files):
            return None
        errors: Errors = {}
        for place in unread.ravel().tolist():
            try:
                read_image(self._paths[place], self.image_shape)
            except DataError as error:
                errors[place] = error
            else:
                return None
        return rows, errors

    def _keep(self) -> tuple[Rows | StoredArray, Errors] | None:
        """Read the files into the cache, and what that holds then. None, told in a note, where it cannot be written."""
        absent = [folder for folder in (self._place.parent, self._place.parent.parent) if not folder.exists()]
        try:
            self._check_room()
            with atomic_writer(self._place) as file, zipfile.ZipFile(file, "w") as archive:
                errors = self._write(archive)
                if errors:
                    self._refuse(errors)
        except OutputError as error:
            self.note(f"{error} (the next run reads the images again, as with data.cache=false)")
            return None
        finally:
            for folder in absent:
                with suppress(OSError):  # those that hold something stay
                    folder.rmdir()
        self.note(f"{len(self.files):,} images are kept as they were read in {printable(self._place)}")
        return self._kept()

    def _check_room(self) -> None:
        """Raise OutputError rather than fill the disk."""
        home = next(folder for folder in (*self._place.parents, Path()) if folder.is_dir())
        wanted = len(self.files) * math.prod(self.image_shape)
        if (free := shutil.disk_usage(home).free) < wanted:
            raise OutputError(
                f"{printable(self._place)}: expected {wanted:,} bytes of free space, found {free:,}"
            )

    def _write(self, archive: zipfile.ZipFile) -> Errors:
        shape, done = (len(self.files), math.prod(self.image_shape)), 0
        with archive.open("rows.npy", "w", force_zip64=True) as member:
            npy.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": shape})

            def take(block: Rows) -> None:
                nonlocal done
                member.write(block.data)
                done += len(block)
                self.progress(done, len(self.files))

            errors = read_images(self._paths, self.image_shape, take)
        for name, value in (("unread", np.array(list(errors), np.int64)), ("key", np.array(self._key))):
            with archive.open(f"{name}.npy", "w") as member:
                npy.write_array(member, value, allow_pickle=False)
        return errors

    # What cannot be read

    def _tell(self, errors: Errors) -> None:
        self._refuse(errors)
        self.warn(f"{printable(self.root)}: left out of the images: {self._listed(errors)}")

    def _refuse(self, errors: Errors) -> None:
        """Raise DataError unless they may be left out, and where nothing remains."""
        if not self.skip or len(errors) == len(self.files):
            remedy = "save them again as PNG" + (
                "" if self.skip else ", or leave them out with --set data.skip_unreadable=true"
            )
            raise DataError(
                f"{printable(self.root)}: expected images, found {self._listed(errors)}; {remedy}"
            )

    def _listed(self, errors: Errors) -> str:
        """How many files, the first by name, and what is wrong with the first."""
        names = [printable(self._paths[place].relative_to(self.root)) for place in list(errors)[:MOST_NAMED]]
        more = f" and {len(errors) - MOST_NAMED:,} more" if len(errors) > MOST_NAMED else ""
        first = str(next(iter(errors.values()))).removeprefix(
            f"{printable(self._paths[next(iter(errors))])}: "
        )
        return (
            f"{len(errors):,} of {len(self.files):,} that cannot be read: {', '.join(names)}{more} "
            f"(the first: {first.rpartition('; ')[0]})"
        )
