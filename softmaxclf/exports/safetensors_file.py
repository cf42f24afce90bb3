"""safetensors: arrays by name that any framework maps into memory, the facts in its metadata."""

import json

from softmaxclf.exports.formats import Array, Exported, Format, plain_scores


def to_bytes(exported: Exported) -> bytes:
    """The arrays; `facts` in the metadata."""
    from safetensors.numpy import save

    content: bytes = save(exported.arrays, {"facts": exported.facts_json})
    return content


def scores(content: bytes, rows: Array) -> Array:
    """Scores by the file."""
    from safetensors.numpy import load

    header = json.loads(
        content[8 : 8 + int.from_bytes(content[:8], "little")]
    )  # load leaves the metadata out
    return plain_scores(load(content), json.loads(header["__metadata__"]["facts"]), rows)


SAFETENSORS = Format(
    "safetensors", ".safetensors", to_bytes, scores, ("safetensors",), "safetensors", "safetensors"
)
