"""`softmaxclf export`: a model as another program reads it, read back and compared before it is written."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.model import LinearModel
from softmaxclf.errors import ConfigError, ModelError, lacking
from softmaxclf.exports import FORMATS
from softmaxclf.exports.formats import Exported, Format
from softmaxclf.files import exists, is_file, write_bytes
from softmaxclf.model_file import load_model, model_path

Array = NDArray[Any]
NAME = "export"
ROWS, TOLERANCE = (
    256,
    1e-4,
)  # rows that are compared, and how far scores may be apart, relative to the largest


def export(
    model: str | Path, *, form: str, out: Path | None = None, overwrite: bool = False
) -> dict[str, Any]:
    """Write the model to `out`, default export.<ending> beside its weights; returns what was written.

    Raises ModelError, OutputError, and ConfigError where a library is missing, the format cannot hold the model, or the
    file exists and may not be replaced.
    """
    chosen: Format = FORMATS.load(form)
    weights = model_path(model)
    path = weights.with_name(f"{NAME}{chosen.suffix}") if out is None else out
    _refuse_existing(path, weights, overwrite=overwrite)
    loaded = load_model(weights)
    content, apart = exported_bytes(loaded, form, str(weights))
    write_bytes(path, content)
    return {
        "model": str(model), "format": form, "file": str(path), "bytes": len(content),
        "formula": Exported.of(loaded).folded.formula, "rows": ROWS, "largest_difference": apart,
    }  # fmt: skip


def _refuse_existing(path: Path, weights: Path, *, overwrite: bool) -> None:
    """Raise ConfigError where the file exists and may not be replaced, as a folder and the model itself never may."""
    if not exists(path):
        return
    replaceable = is_file(path) and not path.samefile(weights)
    if not (overwrite and replaceable):
        more = ", or replace it with --overwrite" if replaceable else ""
        raise ConfigError(f"{path}: expected no such file, found one; choose another name with --out{more}")


def exported_bytes(model: LinearModel, form: str, place: str) -> tuple[bytes, float]:
    """(the content of a file, the largest difference of its scores from the model's on drawn rows).

    Raises ConfigError where the format cannot hold the model or a library is missing, ModelError where scores differ.
    """
    chosen: Format = FORMATS.load(form)
    try:
        exported = Exported.of(model)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}, which no format but weights.npz holds") from error
    if reason := chosen.refuses(exported.folded):
        able = [name for name in FORMATS if not FORMATS.load(name).refuses(exported.folded)]
        raise ConfigError(f"{place}: --format {form} cannot hold it: {reason}; choose {' or '.join(able)}")
    for module in chosen.modules:
        if find_spec(module) is None:
            raise ConfigError(
                lacking(f"--format {form}", chosen.package, f"writes {chosen.title}", chosen.extra)
            )
    content, rows = chosen.write(exported), drawn_rows(model)
    expected, found = model.scores(rows), chosen.scores(content, rows)
    if found.ndim == 1:  # of two classes, as scikit-learn has it
        expected = expected[:, 1] - expected[:, 0]
    apart, largest = float(np.abs(found - expected).max()), float(np.abs(expected).max())
    if not apart <= TOLERANCE * max(1.0, largest):
        raise ModelError(
            f"{place}: expected the same scores from the {chosen.title} file, found them {apart:.2g} apart; "
            "nothing was written, use another format"
        )
    return content, apart


def drawn_rows(model: LinearModel) -> Array:
    """Rows (ROWS, D) such as the model may meet: noise for images, else about the training mean; always the same."""
    generator = np.random.default_rng(0)
    if model.image_shape is not None:
        return generator.integers(0, 256, (ROWS, model.features)).astype(np.uint8)
    rows = generator.standard_normal((ROWS, model.features))
    preprocessing = model.preprocessing
    rows = rows * preprocessing.divisor
    return (rows if preprocessing.offset is None else rows + preprocessing.offset).astype(np.float32)
