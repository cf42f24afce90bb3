"""Damage behind the checksums: an archive is opened, damaged inside, and its checksums are made right again."""

import gzip
import io
import struct
import warnings
import zipfile
import zlib
from typing import Any

import numpy as np
from fuzzing.damage import LONGEST, Random, damaged
from fuzzing.words import NPY_WORDS, TAR_WORDS

from softmaxclf import model_file


def repaired_zip(content: bytes, generator: Random) -> bytes:
    """The members of a valid `.npz`, one of them damaged, some left out or doubled, in a valid archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()][:50]
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, RuntimeError, EOFError,
            struct.error, UnicodeDecodeError):  # fmt: skip
        return content
    if members:
        place = generator.randrange(len(members))
        name, member = members[place]
        changed = damaged(member, [each for _, each in members], NPY_WORDS, generator)
        members[place] = (generator.choice((name, name, name, members[0][0])), changed)
        if generator.random() < 0.1:
            del members[generator.randrange(len(members))]
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", generator.choice((0, 8))) as archive:
        warnings.simplefilter("ignore")  # of names that stand there twice
        for name, member in members:
            archive.writestr(name.replace("\0", "_") or "_", member)
    return packed.getvalue()


def repaired_model(content: bytes, generator: Random) -> bytes:
    """A model with one array replaced and a right checksum; or as repaired_zip does it."""
    if generator.random() < 0.5:
        return repaired_zip(content, generator)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {key: np.asarray(file[key]) for key in model_file.KEYS}
    except Exception:  # noqa: BLE001 - NumPy may raise anything on a damaged file; the file itself is tried then
        return content
    key = generator.choice(model_file.KEYS)
    arrays[key] = other_array(arrays[key], generator)
    packed = io.BytesIO()
    np.savez(packed, **arrays, checksum=np.array(model_file._checksum(arrays)))  # type: ignore[arg-type]
    return packed.getvalue()


def other_array(array: np.ndarray[Any, Any], generator: Random) -> np.ndarray[Any, Any]:
    """Another value, type or shape."""
    values = (
        0,
        -1,
        1,
        2,
        1e-320,
        1e-40,
        1e300,
        np.inf,
        np.nan,
        "",
        "{",
        "[" * 5000,
        "hinge",
        '{"config": 1}',
    )
    value = np.array(generator.choice(values))
    if generator.random() < 0.3:
        return np.resize(array, generator.choice(((), (0,), (1,), (2, 2), (3, 1, 1), array.shape[::-1])))
    if generator.random() < 0.5 or array.dtype.kind == "U" != value.dtype.kind:
        return np.full(array.shape, value)
    changed = array.copy()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            changed.reshape(-1)[: generator.choice((1, None))] = value
        except (ValueError, OverflowError):
            return value
    return changed


def repaired_tar(content: bytes, generator: Random) -> bytes:
    """The tar inside a gzip file, damaged, its header checksums and the gzip made right again."""
    try:
        tar = bytearray(zlib.decompressobj(31).decompress(content, LONGEST))
    except zlib.error:
        return content
    changed = bytearray(damaged(bytes(tar), [bytes(tar)], TAR_WORDS, generator))
    if generator.random() < 0.5 and changed:  # into a header, where it matters
        place = generator.randrange(0, len(changed), 512) + generator.choice(
            (0, 100, 124, 148, 156, 257, 345)
        )
        changed[place : place + generator.choice((1, 8, 12))] = generator.choice(TAR_WORDS)
    if generator.random() < 0.9:
        for start in range(0, len(changed) - 511, 512):
            if changed[start + 257 : start + 262] == b"ustar":
                changed[start + 148 : start + 156] = b" " * 8
                changed[start + 148 : start + 156] = b"%06o\0 " % sum(changed[start : start + 512])
    return gzip.compress(bytes(changed), 1, mtime=0)


def repaired_png(content: bytes, generator: Random) -> bytes:
    """A PNG whose chunks have right checksums; other files as they are."""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return content
    changed, place = bytearray(content), 8
    while place + 12 <= len(changed):
        end = place + 8 + int.from_bytes(changed[place : place + 4], "big")
        if end + 4 > len(changed):
            break
        changed[end : end + 4] = zlib.crc32(changed[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(changed)
