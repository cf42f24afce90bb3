"""Writing data in CIFAR's official layouts, as Python 2 pickled it or as binary records."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from softmaxclf.datasets.checks import checked_labels
from softmaxclf.datasets.cifar.layouts import LAYOUTS, MAX_ROWS, PIXELS, Layout
from softmaxclf.datasets.dataset import Split
from softmaxclf.errors import DataError
from softmaxclf.files import write_bytes


def write_cifar_folder(
    folder: Path,
    train: Split,
    test: Split,
    class_names: Sequence[str],
    *,
    name: str = "CIFAR-10",
    form: str = "python",
) -> None:
    """Write batches and class names into `folder` so that any CIFAR reader, this one included, can read them.

    train, test: X (n, 3072) uint8 in plane order, y (n,) in [0, K); the training rows go into the layout's
    five batches (CIFAR-100: one) in order, as evenly as they divide. name: "CIFAR-10" or "CIFAR-100" (whose
    coarse labels are written as 0). form: "python" or "binary". Raises DataError where the rows do not fit
    the layout, OutputError where the system refuses.
    """
    layout = next(layout for layout in LAYOUTS if (layout.name, layout.form) == (name, form))
    for split in (train, test):
        if split.X.dtype != np.uint8 or split.X.shape[1:] != (PIXELS,) or not 0 < len(split.X) <= MAX_ROWS:
            raise DataError(
                f"{folder}: expected 1 to {MAX_ROWS:,} rows of {PIXELS} bytes for {layout.name} batches, found "
                f"{split.X.shape} of {split.X.dtype}; write other data as an .npz"
            )
        checked_labels(split.y, len(split.X), len(layout.classes), str(folder))
    if len(train.X) < len(layout.train) or len(class_names) != len(layout.classes):
        raise DataError(
            f"{folder}: expected {len(layout.classes)} class names and {len(layout.train)} or more training rows "
            f"for {name}, found {len(class_names)} and {len(train.X)}; write such data as an .npz"
        )
    encode = _python_batch if form == "python" else _binary_batch
    for file_name, title, split in (*_batches(train, layout), (layout.test, "testing batch 1 of 1", test)):
        write_bytes(folder / file_name, encode(split, title, layout))
    write_bytes(folder / layout.names, _names_file(class_names, len(train.X) // len(layout.train), layout))


def _batches(train: Split, layout: Layout) -> Iterator[tuple[str, str, Split]]:
    """The training batches: file name, title, rows with labels."""
    count = len(layout.train)
    rows, labels = np.array_split(train.X, count), np.array_split(train.y, count)
    for number, name in enumerate(layout.train):
        yield name, f"training batch {number + 1} of {count}", Split(rows[number], labels[number])


def _binary_batch(split: Split, title: str, layout: Layout) -> bytes:
    """Records of the label byte (CIFAR-100: a coarse 0 before it) and the pixels."""
    records: NDArray[np.uint8] = np.zeros((len(split.X), layout.record), np.uint8)
    records[:, layout.label_bytes - 1] = split.y
    records[:, layout.label_bytes :] = split.X
    return records.tobytes()


def _python_batch(split: Split, title: str, layout: Layout) -> bytes:
    """The dictionary of batch_label, labels and data."""
    labels = {f"{layout.key}labels": _list(map(_integer, split.y.tolist()))}
    if layout.label_bytes == 2:
        labels["coarse_labels"] = _list([_integer(0)] * len(split.y))
    return _dictionary(
        {
            "batch_label": _text(title),
            **labels,
            "data": _array(split.X),
        }
    )


def _names_file(class_names: Sequence[str], rows: int, layout: Layout) -> bytes:
    """The class names: a line each, or the dictionary of `batches.meta`."""
    if layout.form == "binary":
        return "".join(f"{name}\n" for name in class_names).encode()
    return _dictionary(
        {
            "num_cases_per_batch": _integer(rows),
            f"{layout.key}label_names": _list(map(_text, class_names)),
            "num_vis": _integer(PIXELS),
        }
    )


# Python 2's pickle protocol 2, without the memo numbers that nothing refers to.


def _dictionary(values: dict[str, bytes]) -> bytes:
    pairs = b"".join(_text(key) + value for key, value in values.items())
    return b"\x80\x02}(" + pairs + b"u."


def _text(text: str) -> bytes:
    """A `str` of Python 2, SHORT_BINSTRING or BINSTRING."""
    raw = text.encode()
    return b"U" + bytes([len(raw)]) + raw if len(raw) < 256 else b"T" + len(raw).to_bytes(4, "little") + raw


def _integer(value: int) -> bytes:
    return b"J" + value.to_bytes(4, "little")


def _list(values: Iterable[bytes]) -> bytes:
    return b"](" + b"".join(values) + b"e"


def _array(rows: NDArray[np.uint8]) -> bytes:
    """An array (n, 3072): `_reconstruct(ndarray, (0,), 'b')`, state (1, shape, dtype('u1'), False, bytes)."""
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    shape = _integer(rows.shape[0]) + _integer(rows.shape[1]) + b"\x86"
    kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    pixels = np.ascontiguousarray(rows).tobytes()
    return empty + b"(K\x01" + shape + kind + b"\x89T" + len(pixels).to_bytes(4, "little") + pixels + b"tb"
