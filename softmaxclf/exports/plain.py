"""Arrays that NumPy reads, and JSON that anything reads."""

import io
import json

import numpy as np

from softmaxclf.exports.formats import Array, Exported, Format, plain_scores


def npz_bytes(exported: Exported) -> bytes:
    """The arrays, and `facts`, a JSON text."""
    content = io.BytesIO()
    np.savez(content, facts=np.array(exported.facts_json), **exported.arrays)  # type: ignore[arg-type]
    return content.getvalue()


def npz_scores(content: bytes, rows: Array) -> Array:
    """Scores by the file, opened without pickle."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = dict(file)
    return plain_scores(arrays, json.loads(str(arrays["facts"])), rows)


def json_bytes(exported: Exported) -> bytes:
    """One object of the facts and of the arrays as lists of numbers, each the shortest that gives its float32 back."""
    lists = {name: _shortest(array) for name, array in exported.arrays.items()}
    return json.dumps({**exported.facts, **lists}, ensure_ascii=False).encode()


def json_scores(content: bytes, rows: Array) -> Array:
    """Scores by the file."""
    document = json.loads(content)
    arrays = {
        name: np.array(document[name]) for name in ("W", "b", "center", "reflection") if name in document
    }
    return plain_scores(arrays, document, rows)


def _shortest(array: Array) -> object:
    if array.dtype.kind != "f":
        return array.tolist()
    if array.ndim > 1:
        return [_shortest(row) for row in array]
    return array.astype(str).astype(np.float64).tolist()


NPZ = Format("NumPy arrays", ".npz", npz_bytes, npz_scores)
JSON = Format("JSON", ".json", json_bytes, json_scores)
