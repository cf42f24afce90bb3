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
    provenance      ()        text: a JSON object of at most 100 brackets, how the model was made
    feature_names   (D,)      text: names of the columns of raw rows, where they have some
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
from softmaxclf.datasets.checks import checked_class_names, checked_names
from softmaxclf.errors import DataError, ModelError
from softmaxclf.files import exists, is_folder, write_bytes

FORMAT_VERSION = 1
FILE_NAME = "weights.npz"
LIMIT_BYTES = 2**30  # more than 1,000 classes on 65,000 features take; bounds what a hostile file can ask for
FREE_BYTES, RATIO = 2**24, 4  # what any file may unpack to; beyond that, the multiple of its size
MOST_BRACKETS = 100  # in a provenance
TEMPERATURES = (1e-6, 1e6)  # far beyond what calibration gives; scores stay finite when divided by them
LARGEST = float(np.finfo(np.float32).max)
# The type of each array, U for text, and its shapes: K classes, D columns of W.
FORMS = {
    "format_version": ("i8", ""), "W": ("f4", "DK"), "b": ("f4", "K"), "class_names": ("U", "K"),
    "offset": ("f8", "0", "D"), "scale": ("f8", "0", "1", "D"), "unit_norm": ("b1", ""), "mirror": ("b1", ""),
    "image_shape": ("i8", "0", "3"), "loss": ("U", ""), "temperature": ("f8", ""), "provenance": ("U", ""),
    "checksum": ("U", ""),
}  # fmt: skip
KEYS = tuple(key for key in FORMS if key != "checksum")
FEATURE_NAMES = (
    "feature_names"  # left out where columns have none, so that such files are what they always were
)

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
    try:
        return _model_of(arrays)
    except (ModelError, DataError) as error:
        raise ModelError(f"{path}: {error}") from error


def model_path(path: str | Path) -> Path:
    """The weights file that MODEL stands for: the path itself, or weights.npz in that folder. Raises ModelError."""
    path = Path(path)
    try:
        path = path.expanduser()
        inside = path / FILE_NAME if is_folder(path) else path
        found = exists(inside)
    except (
        OSError,
        RuntimeError,
    ) as error:  # a name that is too long, no permission, no such user as in ~name
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(
            f"{path}: expected a run folder or a {FILE_NAME}, found: {reason}; check the path"
        ) from error
    if found:
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
    if model.feature_names is not None:
        values[FEATURE_NAMES] = np.array(model.feature_names)
    return {key: np.asarray(value) for key, value in values.items()} | _stage_arrays(preprocessing.reading)


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
    named = [FEATURE_NAMES] * (FEATURE_NAMES in arrays)
    for key in (*KEYS, *named, *sorted(name for name in arrays if _is_of_stage(name))):
        array = arrays[key]
        digest.update(f"{key} {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _is_of_stage(name: str) -> bool:
    return name == "stages" or name.startswith("stage.")


def _model_of(arrays: Arrays) -> LinearModel:
    """The model that the arrays are. Each check may rely on those before it. Raises ModelError, DataError."""
    _check_contents(arrays)
    columns, classes = arrays["W"].shape
    if columns < 1 or classes < 2:
        raise _wrong("weights (features, 2 or more classes)", f"shape {arrays['W'].shape}")
    low, high = TEMPERATURES
    if not low <= arrays["temperature"] <= high:
        raise _wrong(f"a temperature from {low:g} to {high:g}", f"{arrays['temperature']:g}")
    loss = str(arrays["loss"])
    if loss not in LOSSES:
        raise _wrong(f"loss {' or '.join(LOSSES)}", repr(loss[:40]))
    image_shape = _image_shape(arrays)
    preprocessing = _preprocessing(arrays, image_shape)
    return LinearModel(
        arrays["W"],
        arrays["b"],
        checked_class_names(arrays["class_names"].tolist(), "class_names"),
        preprocessing,
        image_shape,
        loss,
        float(arrays["temperature"]),
        _provenance(str(arrays["provenance"])),
        _feature_names(arrays, preprocessing.width(columns)),
    )


def _check_contents(arrays: Arrays) -> None:
    """Refuse arrays that are not those of a model, each of its type and shape, with the checksum of the others."""
    if missing := [key for key in FORMS if key not in arrays]:
        raise _wrong(f"a model with {', '.join(missing)}", ", ".join(sorted(arrays)[:8]) or "nothing")
    sizes = dict(zip("DK", arrays["W"].shape, strict=False))
    _check_form("format_version", arrays["format_version"], sizes)
    if (version := int(arrays["format_version"])) != FORMAT_VERSION:
        remedy = "use the softmaxclf that wrote it, or train the model again"
        raise _wrong(f"format version {FORMAT_VERSION}", f"version {version}", remedy)
    known = {*FORMS, FEATURE_NAMES}
    if more := sorted(name for name in arrays if name not in known and not _is_of_stage(name)):
        raise _wrong("only the arrays of a model", f"{', '.join(more[:8])} too")
    if str(arrays["checksum"]) != _checksum(arrays):
        remedy = "the file is damaged: copy it again"
        raise _wrong("contents that match the checksum", "others", remedy)
    for key in FORMS:
        _check_form(key, arrays[key], sizes)


def _check_form(key: str, array: NDArray[Any], sizes: Mapping[str, int]) -> None:
    expected, *forms = FORMS[key]
    shapes = [tuple(sizes.get(axis) if axis in "DK" else int(axis) for axis in form) for form in forms]
    found = "U" if array.dtype.kind == "U" else array.dtype.str[1:]
    if found != expected or array.shape not in shapes:
        name = "text" if expected == "U" else str(np.dtype(expected))
        shape = " or ".join(map(str, shapes))
        raise _wrong(f"{key} {shape} of type {name}", f"{array.shape} of {array.dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise _wrong(f"finite numbers in {key}", "NaN or infinity", "train the model again")


def _image_shape(arrays: Arrays) -> ImageShape | None:
    values = arrays["image_shape"].tolist()
    if not all(0 < value <= 2**20 for value in values):
        raise _wrong("a positive image_shape", f"{values}")
    return tuple(values) or None


def _feature_names(arrays: Arrays, features: int) -> tuple[str, ...] | None:
    names = arrays.get(FEATURE_NAMES)
    if names is None:
        return None
    if names.dtype.kind != "U" or names.shape != (features,):
        raise _wrong(f"{FEATURE_NAMES} ({features},) of text", f"{names.shape} of {names.dtype}")
    return checked_names(names.tolist(), FEATURE_NAMES, "names of columns")


def _preprocessing(arrays: Arrays, image_shape: ImageShape | None) -> Preprocessing:
    offset, scale, W = arrays["offset"], arrays["scale"], arrays["W"]
    if (scale <= 0).any():
        raise _wrong("positive scales", f"{scale.min()}")
    reading = _stages(arrays, image_shape)
    width = reading[0].width if reading else len(W)
    if image_shape is not None and width != math.prod(image_shape):
        raise _wrong(f"weights for images {image_shape}", f"rows of {width} columns")
    # Values on raw columns, and the offset's scores, must be such as float32 can hold.
    with np.errstate(over="ignore"):
        reach = np.abs(W).max(axis=1).astype(np.float64) / (scale if len(scale) else 1)
        shift = np.abs(offset) @ reach if len(offset) else 0
    if not (reach.max() <= LARGEST and shift <= LARGEST):
        raise _wrong("weights / scale within float32", "larger ones", "train the model again")
    return Preprocessing(
        offset if len(offset) else None, scale if len(scale) else None, bool(arrays["unit_norm"]), reading
    )


def _stages(arrays: Arrays, image_shape: ImageShape | None) -> tuple[Reading, ...]:
    """The stages that change rows as they are read: each takes what the one before it gives."""
    folded = bool(arrays["mirror"])
    listed = arrays.get("stages", np.array(["mirror"] * folded))
    names = [str(name) for name in listed.flat]
    known = [name for name in STAGES if issubclass(STAGES.load(name), Reading)]
    once = listed.ndim == 1 and len(set(names)) == len(names) and set(names) <= set(known)
    if not once or folded != ("mirror" in names) or ("stages" in arrays and set(names) <= {"mirror"}):
        raise _wrong(f"stages out of {', '.join(known)}, each once", ascii(names[:9])[:60])
    stages = [_stage(name, arrays, image_shape) for name in names]
    owned = {f"stage.{stage.name}.{key}" for stage in stages for key in stage.arrays()}
    if stray := {key for key in arrays if key.startswith("stage.")} ^ owned:
        raise _wrong("the arrays of its stages and no others", ascii(sorted(stray))[:60])
    widths = [*(stage.width for stage in stages), len(arrays["W"])]
    for stage, width in zip(stages, widths[1:], strict=True):
        if stage.columns != width:
            raise _wrong(f"{stage.columns} columns after the stage {stage.name}", f"{width}")
    return tuple(stages)


def _stage(name: str, arrays: Arrays, image_shape: ImageShape | None) -> Reading:
    prefix = f"stage.{name}."
    own = {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
    try:
        stage: Reading = STAGES.load(name).from_arrays(own, image_shape)
    except (ValueError, KeyError) as error:
        raise _wrong(str(error), "none") from error
    return stage


def _provenance(text: str) -> dict[str, Any]:
    """The JSON object. Few brackets are few levels, which everything that goes through it later can stand."""
    try:
        provenance = json.loads(text) if text.count("[") + text.count("{") <= MOST_BRACKETS else None
    except ValueError:
        provenance = None
    if not isinstance(provenance, dict):
        raise _wrong(f"a JSON object of at most {MOST_BRACKETS} brackets in provenance", "something else")
    return provenance


def _wrong(expected: str, found: str, remedy: str = "name a weights.npz that softmaxclf wrote") -> ModelError:
    return ModelError(f"expected {expected}, found {found}; {remedy}")
