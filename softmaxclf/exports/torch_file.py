"""PyTorch: the state of a torch.nn.Linear, and what else the formula names, loadable with weights_only=True."""

import io
import json

import numpy as np

from softmaxclf.exports.formats import Array, Exported, Format


def to_bytes(exported: Exported) -> bytes:
    """{"state_dict": {"weight" (K, D), "bias" (K,)}, "facts": JSON text}, and center and reflection where there are."""
    import torch

    tensors = {name: torch.from_numpy(array) for name, array in exported.arrays.items()}
    state = {"weight": tensors.pop("W").T.contiguous(), "bias": tensors.pop("b")}
    content = io.BytesIO()
    torch.save({"state_dict": state, **tensors, "facts": exported.facts_json}, content)
    return content.getvalue()


def scores(content: bytes, rows: Array) -> Array:
    """Scores by the file, computed by PyTorch."""
    import torch

    file = torch.load(io.BytesIO(content), weights_only=True)
    layer = torch.nn.Linear(*reversed(file["state_dict"]["weight"].shape))
    layer.load_state_dict(file["state_dict"])
    x = torch.from_numpy(rows.astype(np.float32))
    if "reflection" in file:
        x = (x + x[:, file["reflection"]]) / 2
    if "center" in file:
        x = x - file["center"]
    if json.loads(file["facts"])["unit_norm"]:
        x = torch.nn.functional.normalize(x, eps=1e-30)
    with torch.no_grad():
        found: Array = layer(x).numpy()
    return found


TORCH = Format("PyTorch", ".pt", to_bytes, scores, ("torch",), "torch", "torch")
