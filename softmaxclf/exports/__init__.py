"""Formats in which a model goes to other programs. Imports no NumPy, so that their names can be checked without.

A new format is one file with a `formats.Format`, and one line here.
"""

from softmaxclf.core.registry import Registry

FORMATS = Registry(
    {
        "npz": "softmaxclf.exports.plain:NPZ",
        "json": "softmaxclf.exports.plain:JSON",
        "safetensors": "softmaxclf.exports.safetensors_file:SAFETENSORS",
        "onnx": "softmaxclf.exports.onnx_graph:ONNX",
        "torch": "softmaxclf.exports.torch_file:TORCH",
        "sklearn": "softmaxclf.exports.scikit_pipeline:SKLEARN",
    }
)
