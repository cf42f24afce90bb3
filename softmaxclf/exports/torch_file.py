"""PyTorch: the state of a torch.nn.Linear, and what else the formula names, loadable with weights_only=True."""

import inspect
import io
from typing import Any

import numpy as np

from softmaxclf.core.stages.patches.stage import Patches
from softmaxclf.exports.convolution import convolutions
from softmaxclf.exports.formats import Array, Exported, Format, by_blocks


def to_bytes(exported: Exported) -> bytes:
    """What `code` makes scores of, which is the text of torch_scores.py.

    {"state_dict": {"weight" (K, D), "bias" (K,)}, "facts": JSON text, "code": text}, and center, reflection and patches
    where there are.
    """
    import torch

    from softmaxclf.exports import torch_scores

    tensors = {name: torch.from_numpy(array) for name, array in exported.arrays.items()}
    state = {"weight": tensors.pop("W").T.contiguous(), "bias": tensors.pop("b")}
    patches = exported.folded.patches
    more = {} if patches is None else {"patches": _patches(patches)}
    text = {"facts": exported.facts_json, "code": inspect.getsource(torch_scores)}
    content = io.BytesIO()
    torch.save({"state_dict": state, **tensors, **more, **text}, content)
    return content.getvalue()


def _patches(stage: Patches) -> dict[str, Any]:
    """Numbers, and tensors of each scale: see convolution.py; rows and columns where it is smaller than the image."""
    from torch import from_numpy

    scales = []
    for scale in convolutions(stage):
        arrays = {name: getattr(scale, name) for name in ("filters", "constants", "regions")}
        arrays |= {} if scale.shrink is None else dict(zip(("rows", "columns"), scale.shrink, strict=True))
        scales.append({name: from_numpy(array) for name, array in arrays.items()})
    numbers = {name: getattr(stage, name) for name in ("patch", "threshold", "contrast", "fold")}
    return {"image_shape": list(stage.shape), **numbers, "scales": scales}


def scores(content: bytes, rows: Array) -> Array:
    """Scores by the file, computed by PyTorch."""
    import torch

    from softmaxclf.exports import torch_scores

    file = torch.load(io.BytesIO(content), weights_only=True)
    with torch.no_grad():
        return by_blocks(
            lambda part: torch_scores.scores(file, torch.from_numpy(part)).numpy(), rows.astype(np.float32)
        )


TORCH = Format("PyTorch", ".pt", to_bytes, scores, ("torch",), "torch", "torch", lambda folded: "")
