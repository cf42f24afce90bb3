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
    provenance      ()        text: a JSON object, at most 20 levels deep, how the model was made
    stages          (n,)      text: names of the stages that change rows as they are read, where there are others
                              than the mirror; their arrays are called stage.<name>.<array>
    checksum        ()        text: SHA-256 over names, types, shapes and bytes of all the others, in this order,
                              those of stages last and by name

What the reader (`load_model`) accepts: exactly these arrays, no fewer and no more, of exactly these types and
shapes, in a zip archive as `arrays` describes it byte by byte. K is at least 2; class names are different and
printable; all numbers are finite, and so are the weights and the offset's scores on raw columns, in float32
(W / scale, and offset W / scale); scales are positive, a temperature lies between 1e-6 and 1e6; an image shape
has D columns. Byte order, Fortran order and compression are free, since the values are the same. A model file
may unpack to 16 MiB or, where that is more, to four times its size, and never to more than 1 GiB.

Why nothing else can happen. The zip is opened without unpickling anything, and sizes are compared with the
file before anything is allocated. The checksum is compared before any value is used; it finds damage, not
malice, so each array's type, shape and range is checked as well, in an order in which each check relies only
on those before it. Text is text: nothing in a model file is ever executed or imported. Whatever the bytes are,
the answer is a model that can be scored or one ModelError.
"""

import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.arrays import read_arrays
from softmaxclf.core.images import ImageShape
from softmaxclf.core.losses import LOSSES
from softmaxclf.core.model import LinearModel
from softmaxclf.core.stages import STAGES
from softmaxclf.core.stages.mirror import Mirror
from softmaxclf.core.stages.stage import Preprocessing, Reading
from softmaxclf.datasets.checks import checked_class_names
from softmaxclf.errors import DataError, ModelError
from softmaxclf.files import write_bytes

FORMAT_VERSION = 1
FILE_NAME = "weights.npz"
LIMIT_BYTES = 2**30  # more than 1,000 classes on 65,000 features take; bounds what a hostile file can ask for
FREE_BYTES, RATIO = 2**24, 4  # what any file may unpack to; beyond that, the multiple of its size
DEEPEST_PROVENANCE = 20
LONGEST_PROVENANCE = 2**24  # characters
TEMPERATURES = (1e-6, 1e6)  # far beyond what calibration gives; scores stay finite when divided by them
LARGEST = float(np.finfo(np.float32).max)
TYPES = {"W": "f4", "b": "f4", "offset": "f8", "scale": "f8", "temperature": "f8", "unit_norm": "b1",
         "mirror": "b1", "format_version": "i8", "image_shape": "i8"}  # fmt: skip
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
    arrays = read_arrays(path, error=ModelError, limit_bytes=_limit(path))
    return _Reading(path, arrays).model()


def model_path(path: str | Path) -> Path:
    """The weights file that MODEL stands for: the path itself, or weights.npz in that folder. Raises ModelError."""
    path = Path(path)
    try:
        path = path.expanduser()
        inside = path / FILE_NAME if path.is_dir() else path
        exists = inside.exists()
    except (
        OSError,
        RuntimeError,
    ) as error:  # a name that is too long, no permission, no such user as in ~name
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(
            f"{path}: expected a run folder or a {FILE_NAME}, found: {reason}; check the path"
        ) from error
    if exists:
        return inside
    if inside != path:
        raise ModelError(f"{path}: expected a run folder with {FILE_NAME}, found none; finish its run first")
    raise ModelError(
        f"{path}: expected a run folder or a {FILE_NAME}, found no such file or folder; check the path"
    )


def _limit(path: Path) -> int:
    """Bytes that the file may unpack to: softmaxclf stores arrays as they are, and weights hardly shrink."""
    try:
        size = path.stat().st_size
    except OSError:
        size = 0  # read_arrays says what is wrong
    return min(LIMIT_BYTES, max(FREE_BYTES, RATIO * size))


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
        "mirror": np.bool_(any(isinstance(stage, Mirror) for stage in preprocessing.reading)),
        "image_shape": np.array(model.image_shape or (), np.int64),
        "loss": np.array(model.loss),
        "temperature": np.float64(model.temperature),
        "provenance": np.array(json.dumps(dict(model.provenance), sort_keys=True)),
    }
    return {key: np.asarray(values[key]) for key in KEYS} | _stage_arrays(preprocessing.reading)


def _stage_arrays(reading: Sequence[Reading]) -> Arrays:
    """The arrays of reading stages; none where the mirror, which has an array of its own, is the only one."""
    if all(isinstance(stage, Mirror) for stage in reading):
        return {}
    arrays = {"stages": np.array([stage.name for stage in reading])}
    for stage in reading:
        arrays |= {f"stage.{stage.name}.{key}": np.asarray(value) for key, value in stage.arrays().items()}
    return arrays


def _checksum(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for key in (*KEYS, *sorted(name for name in arrays if _is_of_stage(name))):
        array = arrays[key]
        digest.update(f"{key} {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _is_of_stage(name: str) -> bool:
    return name == "stages" or name.startswith("stage.")


class _Reading:
    """The checks of one file's arrays, in an order in which each may rely on those before it."""

    def __init__(self, path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.path, self.arrays = path, arrays

    def model(self) -> LinearModel:
        self._check_keys()
        W = self._array("W", 2)
        columns, classes = W.shape
        if columns < 1 or classes < 2:
            raise self._wrong("weights (features, 2 or more classes)", f"shape {W.shape}")
        b = self._array("b", 1, (classes,))
        image_shape = self._image_shape()
        preprocessing = self._preprocessing(columns, image_shape)
        self._check_reach(W, preprocessing)
        return LinearModel(
            W,
            b,
            self._class_names(classes),
            preprocessing,
            image_shape,
            self._loss(),
            self._temperature(),
            self._provenance(),
        )

    def _check_keys(self) -> None:
        missing = [key for key in (*KEYS, "checksum") if key not in self.arrays]
        found = f"{', '.join(sorted(self.arrays)[:8]) or 'nothing'}"
        if missing:
            raise self._wrong(f"a model with {', '.join(missing)}", found)
        version = self._scalar("format_version")
        if version != FORMAT_VERSION:
            remedy = "use the softmaxclf that wrote it, or train the model again"
            raise self._wrong(f"format version {FORMAT_VERSION}", f"version {version}", remedy)
        if more := sorted(name for name in {*self.arrays} - {*KEYS, "checksum"} if not _is_of_stage(name)):
            raise self._wrong("only the arrays of a model", f"{', '.join(more[:8])} too")
        if self._scalar("checksum") != _checksum(self.arrays):
            raise self._wrong(
                "contents that match the checksum", "others", "the file is damaged: copy it again"
            )

    def _array(self, key: str, ndim: int, *shapes: tuple[int, ...]) -> NDArray[Any]:
        array, expected = self.arrays[key], TYPES.get(key, "U")
        kind = array.dtype.kind if expected == "U" else array.dtype.str[1:]
        if kind != expected or array.ndim != ndim or (shapes and array.shape not in shapes):
            shape = " or ".join(map(str, shapes)) if shapes else f"of {ndim} axes"
            name = "text" if expected == "U" else str(np.dtype(expected))
            raise self._wrong(f"{key} {shape} of type {name}", f"{array.shape} of {array.dtype}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise self._wrong(f"finite numbers in {key}", "NaN or infinity", "train the model again")
        return array

    def _scalar(self, key: str) -> Any:
        return self._array(key, 0).item()

    def _class_names(self, classes: int) -> tuple[str, ...]:
        names = self._array("class_names", 1, (classes,)).tolist()
        if len(set(names)) != classes:
            raise self._wrong("different class names", "one of them twice")
        try:
            return checked_class_names(names, str(self.path))
        except DataError as error:
            raise ModelError(str(error)) from error

    def _image_shape(self) -> ImageShape | None:
        values = [int(value) for value in self._array("image_shape", 1, (0,), (3,))]
        if not values:
            return None
        if not all(0 < value <= 2**20 for value in values):
            raise self._wrong("a positive image_shape", f"{values}")
        return values[0], values[1], values[2]

    def _preprocessing(self, columns: int, image_shape: ImageShape | None) -> Preprocessing:
        offset = self._array("offset", 1, (0,), (columns,))
        scale = self._array("scale", 1, (0,), (1,), (columns,))
        if (scale <= 0).any():
            raise self._wrong("positive scales", f"{scale.min()}")
        reading = self._reading(columns, image_shape)
        width = reading[0].width if reading else columns
        if image_shape is not None and width != math.prod(image_shape):
            raise self._wrong(f"weights for images {image_shape}", f"rows of {width} columns")
        unit_norm = bool(self._scalar("unit_norm"))
        return Preprocessing(
            offset if len(offset) else None, scale if len(scale) else None, unit_norm, reading
        )

    def _reading(self, columns: int, image_shape: ImageShape | None) -> tuple[Reading, ...]:
        """The stages that change rows as they are read: each takes what the one before it gives."""
        folded = bool(self._scalar("mirror"))
        names = self._array("stages", 1).tolist() if "stages" in self.arrays else ["mirror"] * folded
        known = [name for name in STAGES if issubclass(STAGES.load(name), Reading)]
        wrong = len(set(names)) < len(names) or not set(names) <= set(known) or folded != ("mirror" in names)
        if wrong or ("stages" in self.arrays and set(names) <= {"mirror"}):
            raise self._wrong(f"stages out of {', '.join(known)}, each once", ascii(names[:9])[:60])
        stages = [self._stage(name, image_shape) for name in names]
        owned = {f"stage.{stage.name}.{key}" for stage in stages for key in stage.arrays()}
        if stray := {key for key in self.arrays if key.startswith("stage.")} ^ owned:
            raise self._wrong("the arrays of its stages and no others", ascii(sorted(stray))[:60])
        widths = [*(stage.width for stage in stages), columns]
        for stage, width in zip(stages, widths[1:], strict=True):
            if stage.columns != width:
                raise self._wrong(f"{stage.columns} columns after the stage {stage.name}", f"{width}")
        return tuple(stages)

    def _stage(self, name: str, image_shape: ImageShape | None) -> Reading:
        prefix = f"stage.{name}."
        own = {key.removeprefix(prefix): self.arrays[key] for key in self.arrays if key.startswith(prefix)}
        try:
            stage: Reading = STAGES.load(name).from_arrays(own, image_shape)
        except (ValueError, KeyError) as error:
            raise self._wrong(str(error), "none") from error
        return stage

    def _loss(self) -> str:
        loss = str(self._scalar("loss"))
        if loss not in LOSSES:
            raise self._wrong(f"loss {' or '.join(LOSSES)}", repr(loss[:40]))
        return loss

    def _temperature(self) -> float:
        temperature = float(self._scalar("temperature"))
        low, high = TEMPERATURES
        if not low <= temperature <= high:
            raise self._wrong(f"a temperature from {low:g} to {high:g}", f"{temperature:g}")
        return temperature

    def _provenance(self) -> dict[str, Any]:
        text = str(self._scalar("provenance"))
        try:
            provenance = json.loads(text) if len(text) <= LONGEST_PROVENANCE else None
        except (ValueError, RecursionError):
            provenance = None
        if not isinstance(provenance, dict) or _is_deep(provenance):
            expected = f"a JSON object of at most {DEEPEST_PROVENANCE} levels in provenance"
            raise self._wrong(expected, "something else")
        return provenance

    def _check_reach(self, W: NDArray[Any], preprocessing: Preprocessing) -> None:
        """Refuse weights whose values on raw columns, or whose offset's scores, float32 cannot hold."""
        scale, offset = preprocessing.scale, preprocessing.offset
        with np.errstate(over="ignore"):
            reach = np.maximum(W.max(axis=1), -W.min(axis=1)).astype(np.float64) / (
                1 if scale is None else scale
            )
            shift = 0.0 if offset is None else float(np.abs(offset) @ reach)
        if not (reach.max() <= LARGEST and shift <= LARGEST):
            raise self._wrong("weights / scale within float32", "larger ones", "train the model again")

    def _wrong(
        self, expected: str, found: str, remedy: str = "name a weights.npz that softmaxclf wrote"
    ) -> ModelError:
        return ModelError(f"{self.path}: expected {expected}, found {found}; {remedy}")


def _is_deep(value: object) -> bool:
    """Whether lists and objects nest deeper than DEEPEST_PROVENANCE, found without recursion."""
    level = [value]
    for _ in range(DEEPEST_PROVENANCE):
        inside = [
            each.values() if isinstance(each, dict) else each
            for each in level
            if isinstance(each, dict | list)
        ]
        level = [value for values in inside for value in values]
    return any(isinstance(each, dict | list) for each in level)
