"""Model files: `weights.npz`, readable by anyone with numpy.load(path, allow_pickle=False).

    format_version  ()        integer, 1
    W               (D', K)   float32, in units of the preprocessed features
    b               (K,)      float32
    class_names     (K,)      text
    offset          (D',)     float64; (0,) when nothing is subtracted
    scale           (D',)     float64, positive; (1,) for one scale, (0,) for none
    unit_norm       ()        boolean
    mirror          ()        boolean: columns are folded sums of mirrored pixels
    image_shape     (3,)      channels, height, width; (0,) when rows are no images
    loss            ()        text: softmax or hinge
    temperature     ()        float64, positive
    provenance      ()        text: JSON, how the model was made
    checksum        ()        text: SHA-256 over names, types, shapes and bytes of all the others, in this order

The reader (`load_model`) takes exactly these arrays: `arrays.read_arrays` opens the zip without unpickling
anything and checks sizes before it allocates; here each array's type, shape and range is checked, then the
checksum. Whatever else the bytes are, the answer is one ModelError. Nothing in a model file is ever executed,
imported or used as a path.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.arrays import read_arrays
from softmaxclf.core.model import LinearModel
from softmaxclf.core.preprocessing import Preprocessing
from softmaxclf.core.rows import folded_width
from softmaxclf.errors import ModelError
from softmaxclf.files import write_bytes

FORMAT_VERSION = 1
FILE_NAME = "weights.npz"
LIMIT_BYTES = 2**30  # more than 1,000 classes on 65,000 features take; bounds what a hostile file can ask for
KEYS = (
    "format_version", "W", "b", "class_names", "offset", "scale", "unit_norm", "mirror", "image_shape", "loss",
    "temperature", "provenance",
)  # fmt: skip

Arrays = dict[str, NDArray[Any]]


def save_model(path: Path, model: LinearModel) -> None:
    """Write the model to `path`, atomically; equal models give equal bytes. Raises OutputError."""
    write_bytes(path, model_bytes(model))


def model_bytes(model: LinearModel) -> bytes:
    """The content of the model file: equal models give equal bytes."""
    arrays = _arrays_of(model)
    content = io.BytesIO()
    np.savez(content, **arrays, checksum=np.array(_checksum(arrays)))  # type: ignore[arg-type]
    return content.getvalue()


def load_model(path: str | Path) -> LinearModel:
    """The model of a run folder or of a weights.npz. Raises ModelError with one line on anything else."""
    path = model_path(path)
    arrays = read_arrays(path, error=ModelError, limit_bytes=LIMIT_BYTES)
    return _Reading(path, arrays).model()


def model_path(path: str | Path) -> Path:
    """The weights file that MODEL stands for: the path itself, or weights.npz in that folder."""
    path = Path(path).expanduser()
    if path.is_dir():
        inside = path / FILE_NAME
        if not inside.exists():
            raise ModelError(
                f"{path}: expected a run folder with {FILE_NAME}, found none; finish its run first"
            )
        return inside
    if not path.exists():
        raise ModelError(f"{path}: no such file or folder; name a run folder or a {FILE_NAME}")
    return path


def _arrays_of(model: LinearModel) -> Arrays:
    preprocessing = model.preprocessing
    none = np.zeros(0)
    values: dict[str, Any] = {
        "format_version": np.int64(FORMAT_VERSION),
        "W": np.ascontiguousarray(model.W, "<f4"),
        "b": np.ascontiguousarray(model.b, "<f4"),
        "class_names": np.array(model.class_names),
        "offset": none if preprocessing.offset is None else preprocessing.offset,
        "scale": none if preprocessing.scale is None else preprocessing.scale,
        "unit_norm": np.bool_(preprocessing.unit_norm),
        "mirror": np.bool_(preprocessing.mirror is not None),
        "image_shape": np.array(model.image_shape or (), np.int64),
        "loss": np.array(model.loss),
        "temperature": np.float64(model.temperature),
        "provenance": np.array(json.dumps(dict(model.provenance), sort_keys=True)),
    }
    return {key: np.asarray(values[key]) for key in KEYS}


def _checksum(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for key in KEYS:
        array = arrays[key]
        digest.update(f"{key} {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class _Reading:
    """The checks of one file's arrays, in an order in which each may rely on those before it."""

    def __init__(self, path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.path, self.arrays = path, arrays

    def model(self) -> LinearModel:
        self._check_keys()
        W = self._array("W", "f", 2)
        columns, classes = W.shape
        b = self._array("b", "f", 1, (classes,))
        names = self._array("class_names", "U", 1, (classes,))
        image_shape = self._image_shape()
        return LinearModel(
            W.astype(np.float32),
            b.astype(np.float32),
            tuple(str(name) for name in names),
            self._preprocessing(columns, image_shape),
            image_shape,
            self._loss(),
            self._temperature(),
            self._provenance(),
        )

    def _check_keys(self) -> None:
        missing = [key for key in (*KEYS, "checksum") if key not in self.arrays]
        if missing:
            raise self._wrong(
                f"a model with {', '.join(missing)}", f"{', '.join(sorted(self.arrays)[:8]) or 'nothing'}"
            )
        version = self._scalar("format_version", "i")
        if version != FORMAT_VERSION:
            raise self._wrong(
                f"format version {FORMAT_VERSION}", f"version {version}", "use a newer softmaxclf"
            )
        if str(self._scalar("checksum", "U")) != _checksum(self.arrays):
            raise self._wrong(
                "contents that match the checksum", "others", "the file is damaged: copy it again"
            )
        if self.arrays["W"].ndim == 2 and min(self.arrays["W"].shape) < 1:
            raise self._wrong("weights (features, classes)", f"shape {self.arrays['W'].shape}")

    def _array(self, key: str, kinds: str, ndim: int, *shapes: tuple[int, ...]) -> NDArray[Any]:
        array = self.arrays[key]
        if array.dtype.kind not in kinds or array.ndim != ndim or (shapes and array.shape not in shapes):
            shape = " or ".join(map(str, shapes)) if shapes else f"{ndim}-dimensional"
            raise self._wrong(f"{key} {shape} of kind {kinds}", f"{array.dtype} {array.shape}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise self._wrong(f"finite numbers in {key}", "NaN or infinity", "train the model again")
        return array

    def _scalar(self, key: str, kinds: str) -> Any:
        return self._array(key, kinds, 0).item()

    def _image_shape(self) -> tuple[int, int, int] | None:
        values = [int(value) for value in self._array("image_shape", "i", 1, (0,), (3,))]
        if not values:
            return None
        if not all(0 < value <= 2**20 for value in values):
            raise self._wrong("a positive image_shape", f"{values}")
        return values[0], values[1], values[2]

    def _preprocessing(self, columns: int, image_shape: tuple[int, int, int] | None) -> Preprocessing:
        offset = self._array("offset", "f", 1, (0,), (columns,)).astype(np.float64)
        scale = self._array("scale", "f", 1, (0,), (1,), (columns,)).astype(np.float64)
        if (scale <= 0).any():
            raise self._wrong("positive scales", f"{scale.min()}")
        mirror = image_shape if self._scalar("mirror", "b") else None
        if image_shape is not None:
            channels, height, width = image_shape
            expected = channels * height * (folded_width(image_shape) if mirror else width)
            if columns != expected:
                raise self._wrong(f"weights of {expected} rows for images {image_shape}", f"{columns} rows")
        elif self._scalar("mirror", "b"):
            raise self._wrong("an image_shape in a mirror-folded model", "none")
        unit_norm = bool(self._scalar("unit_norm", "b"))
        return Preprocessing(
            offset if len(offset) else None, scale if len(scale) else None, unit_norm, mirror
        )

    def _loss(self) -> str:
        loss = str(self._scalar("loss", "U"))
        if loss not in ("softmax", "hinge"):
            raise self._wrong("loss softmax or hinge", repr(loss[:40]))
        return loss

    def _temperature(self) -> float:
        temperature = float(self._scalar("temperature", "f"))
        if temperature <= 0:
            raise self._wrong("a positive temperature", f"{temperature}")
        return temperature

    def _provenance(self) -> dict[str, Any]:
        try:
            provenance = json.loads(str(self._scalar("provenance", "U")))
        except (ValueError, RecursionError):
            provenance = None
        if not isinstance(provenance, dict):
            raise self._wrong("a JSON object in provenance", "something else")
        return provenance

    def _wrong(
        self, expected: str, found: str, remedy: str = "name a weights.npz that softmaxclf wrote"
    ) -> ModelError:
        return ModelError(f"{self.path}: expected {expected}, found {found}; {remedy}")
