"""Scores by a file that `softmaxclf export --format torch` wrote.

The file holds this text as `code`: copy it into a program, which needs PyTorch and nothing more. scores(file, rows) is
differentiable, and runs where the tensors of the file are, as map_location of torch.load says.
"""

import json
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def scores(file: dict[str, Any], rows: Tensor) -> Tensor:
    """Scores (N, K) of raw rows (N, D) of floats. file: what torch.load(path, weights_only=True) gives."""
    x = patch_features(file["patches"], rows) if "patches" in file else rows
    if "reflection" in file:
        x = (x + x[:, file["reflection"]]) / 2
    if "center" in file:
        x = x - file["center"]
    if json.loads(file["facts"])["unit_norm"]:
        x = functional.normalize(x, eps=1e-30)
    return functional.linear(x, **file["state_dict"])


def patch_features(patches: dict[str, Any], rows: Tensor) -> Tensor:
    """What filters find in the patches of images, averaged over regions: (N, D'), of rows of pixels (N, D)."""
    images = rows.reshape(-1, *patches["image_shape"])
    return torch.cat([_scale(patches, scale, images) for scale in patches["scales"]], dim=1)


def _scale(patches: dict[str, Any], scale: dict[str, Tensor], x: Tensor) -> Tensor:
    """Those of the images (N, C, H, W) at one scale."""
    if "rows" in scale:
        x = scale["rows"] @ x @ scale["columns"]
    p, filters, regions = patches["patch"], scale["filters"], scale["regions"]
    variances = x.unfold(2, p, 1).unfold(3, p, 1).var((1, 4, 5), correction=0)
    divisors = (variances + patches["contrast"]).sqrt().unsqueeze(1)
    z = functional.conv2d(x, filters) / divisors + scale["constants"]
    z = z.reshape(len(x), 2, len(filters) // 2, regions.shape[1])  # (N, view, filter, position)
    signs = [torch.relu(each - patches["threshold"]) @ regions for each in (z, -z)]
    means = torch.stack(signs, dim=2)  # (N, view, sign, filter, region)
    return (means.sum(1) if patches["fold"] else means).flatten(1)
