"""One CIFAR batch or class-name file, python or binary, to checked arrays and names."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.datasets.checks import checked_class_names, checked_labels
from softmaxclf.datasets.cifar.layouts import MAX_ROWS, PIXELS, Layout
from softmaxclf.datasets.cifar.members import Member
from softmaxclf.datasets.dataset import Split
from softmaxclf.datasets.pickles import read_pickle
from softmaxclf.datasets.pickles.values import described
from softmaxclf.errors import DataError

MAX_NAMES_BYTES = 1 << 16  # of a file of class names
_REMEDY = "fetch or write the file again (softmaxclf data download)"


def read_batch(member: Member, layout: Layout) -> Split:
    """Rows (n, 3072) uint8 and labels (n,) in [0, K) of one batch file, n <= 100,000. Raises DataError."""
    return _python_batch(member, layout) if layout.form == "python" else _binary_batch(member, layout)


def read_class_names(member: Member, layout: Layout) -> tuple[str, ...]:
    """The K class names of `batches.meta` and its like. Raises DataError unless they are K distinct names."""
    content, key = member.content(MAX_NAMES_BYTES), f"{layout.key}label_names"
    if layout.form == "python":
        found = read_pickle(content, member.place).get(key)
        names = found if type(found) is list else None
    else:
        names = [line for line in bytes(content).splitlines() if line.strip()]
    if names is None:
        raise _broken(member, f"a list {key!r} of class names", "none")
    return checked_class_names(names, member.place, len(layout.classes))


def _python_batch(member: Member, layout: Layout) -> Split:
    """A pickled dictionary with `data` and `labels` (CIFAR-100: `fine_labels`); other keys are not looked at.

    The rows are a view of the file's bytes where they are stored row by row.
    """
    batch, labels_key = read_pickle(member.content(layout.max_bytes), member.place), f"{layout.key}labels"
    for key in ("data", labels_key):
        if key not in batch:
            raise _broken(
                member, f"the key {key!r}", f"only {', '.join(map(ascii, list(batch)[:8])) or 'no key'}"
            )
    rows = batch["data"]
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.shape[1:] != (PIXELS,):
        raise _broken(member, f"'data' as an array of bytes (n, {PIXELS})", described(rows))
    if len(rows) > MAX_ROWS:
        raise _broken(member, f"at most {MAX_ROWS:,} rows", f"{len(rows):,}")
    labels = _label_array(batch[labels_key], member, labels_key)
    return Split(rows, checked_labels(labels, len(rows), len(layout.classes), member.place))


def _label_array(labels: object, member: Member, key: str) -> NDArray[Any]:
    """A list of integers or an integer array (n,), as an array of integers or, for huge ones, of objects."""
    if isinstance(labels, np.ndarray) and labels.ndim == 1:
        return labels
    if type(labels) is not list or set(map(type, labels)) != {int}:
        raise _broken(member, f"{key!r} as a list of integers", described(labels))
    return np.array(labels)


def _binary_batch(member: Member, layout: Layout) -> Split:
    """Records of 1 or 2 label bytes (coarse, fine) and 3072 pixels, one after another."""
    content = member.content(layout.max_bytes)
    if not content or len(content) % layout.record:
        raise _broken(member, f"a multiple of {layout.record} bytes", f"{member.size} bytes")
    records = np.frombuffer(content, np.uint8).reshape(-1, layout.record)
    rows, labels = np.ascontiguousarray(records[:, layout.label_bytes :]), records[:, layout.label_bytes - 1]
    return Split(rows, checked_labels(labels, len(rows), len(layout.classes), member.place))


def _broken(member: Member, expected: str, found: str) -> DataError:
    return DataError(f"{member.place}: expected {expected}, found {found}; {_REMEDY}")
