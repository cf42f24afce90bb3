"""ONNX: a graph from raw rows to scores and probabilities."""

from typing import Any

import numpy as np

from softmaxclf.core.stages.patches.stage import Patches
from softmaxclf.exports.convolution import Convolution, convolutions
from softmaxclf.exports.formats import Array, Exported, Format, by_blocks

OPSET, IR_VERSION = 18, 10  # what runtimes of 2024 read
TINY = np.float32(1e-30)  # what a norm of 0 is divided by
FLOAT, DOUBLE = 1, 11  # as ONNX numbers types


class Graph:
    """Nodes and constants while they become more; a value is known by its name."""

    def __init__(self, constants: dict[str, Any]) -> None:
        self.nodes: list[tuple[str, list[str], str, dict[str, Any]]] = []
        self.constants = constants

    def then(self, kind: str, *inputs: Any, name: str = "", **settings: Any) -> str:
        """The name of what an operator gives of values and arrays, which become constants."""
        names = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        self.nodes.append((kind, names, name or f"x{len(self.nodes)}", settings))
        return self.nodes[-1][2]

    def _constant(self, array: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name


def to_bytes(exported: Exported) -> bytes:
    """A checked model: input `rows` (N, D) float32, outputs `scores` and `probabilities` (N, K)."""
    from onnx import checker, helper, numpy_helper

    graph, patches = Graph(dict(exported.arrays)), exported.folded.patches
    x = "rows" if patches is None else _features(graph, "rows", patches)
    graph.then("Gemm", _prepared(graph, x, exported), "W", "b", name="scores")
    scaled = graph.then("Div", "scores", np.float32(exported.facts["temperature"]))
    graph.then("Softmax", scaled, name="probabilities", axis=1)
    columns, classes = exported.arrays["W"].shape

    def value(name: str, columns: int) -> Any:
        return helper.make_tensor_value_info(name, FLOAT, ["N", columns])

    made = helper.make_graph(
        [
            helper.make_node(kind, inputs, [output], **settings)
            for kind, inputs, output, settings in graph.nodes
        ],
        "softmaxclf",
        [value("rows", columns if patches is None else patches.width)],
        [value("scores", classes), value("probabilities", classes)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in graph.constants.items()],
        doc_string=exported.facts["formula"],
    )
    model = helper.make_model(
        made,
        producer_name="softmaxclf",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, {"facts": exported.facts_json})
    checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def _prepared(graph: Graph, x: str, exported: Exported) -> str:
    """x after the steps before the weights."""
    if exported.folded.reflection is not None:
        x = graph.then(
            "Div", graph.then("Add", x, graph.then("Gather", x, "reflection", axis=1)), np.float32(2)
        )
    if exported.folded.center is not None:
        x = graph.then("Sub", x, "center")
    if exported.folded.unit:
        norm = graph.then("ReduceL2", x, np.array([1]), keepdims=1)
        x = graph.then("Div", x, graph.then("Max", norm, TINY))
    return x


def _features(graph: Graph, rows: str, stage: Patches) -> str:
    """Patch features (N, D') of rows."""
    images = graph.then("Reshape", rows, np.array([0, *stage.shape]))
    parts = [_scale(graph, images, stage, scale) for scale in convolutions(stage)]
    return graph.then("Concat", *parts, axis=1)


def _scale(graph: Graph, x: str, stage: Patches, scale: Convolution) -> str:
    """Those of one scale, of images (N, C, H, W): see convolution.py."""
    if scale.shrink is not None:
        down, across = scale.shrink
        x = graph.then("MatMul", graph.then("MatMul", down, x), across)
    normalized = graph.then("Div", graph.then("Conv", x, scale.filters), _deviations(graph, x, stage, scale))
    z = graph.then("Add", normalized, scale.constants)
    # (N, view, sign, filter, position)
    z = graph.then("Reshape", z, np.array([0, 2, 1, len(scale.filters) // 2, scale.regions.shape[1]]))
    both = graph.then("Concat", z, graph.then("Neg", z), axis=2)
    active = graph.then("Relu", graph.then("Sub", both, np.float32(stage.threshold)))
    means = graph.then("MatMul", active, scale.regions[:, None])
    if stage.fold:
        means = graph.then("ReduceSum", means, np.array([1]), keepdims=0)
    return graph.then("Flatten", means, axis=1)


def _deviations(graph: Graph, x: str, stage: Patches, scale: Convolution) -> str:
    """(N, 1, rows, columns): what patches of images (N, C, h, w) are divided by.

    In float64, since the mean of squares less the square of the mean loses digits; by matrices, since runtimes pool in
    float32 alone.
    """
    down, across = (_windows(side, stage.patch) for side in scale.sides)

    def mean(values: str) -> str:
        planes = graph.then("ReduceMean", values, np.array([1]), keepdims=1)
        return graph.then("MatMul", graph.then("MatMul", down, planes), across.T)

    exact = graph.then("Cast", x, to=DOUBLE)
    first, second = mean(exact), mean(graph.then("Mul", exact, exact))
    variances = graph.then("Sub", second, graph.then("Mul", first, first))
    positive = graph.then("Add", graph.then("Max", variances, np.float64(0)), np.float64(stage.contrast))
    return graph.then("Cast", graph.then("Sqrt", positive), to=FLOAT)


def _windows(side: int, patch: int) -> Array:
    """(side - patch + 1, side) float64, whose product with a line gives its means over all windows of a patch."""
    first = np.arange(side - patch + 1)[:, None]
    inside = (np.arange(side) >= first) & (np.arange(side) < first + patch)
    return np.asarray(inside / patch)


def scores(content: bytes, rows: Array) -> Array:
    """Scores by the file, computed by ONNX's own evaluator."""
    from onnx import load_from_string
    from onnx.reference import ReferenceEvaluator

    session: Any = ReferenceEvaluator(load_from_string(content))
    return by_blocks(lambda part: session.run(["scores"], {"rows": part})[0], rows.astype(np.float32))


ONNX = Format("ONNX", ".onnx", to_bytes, scores, ("onnx",), "onnx", "onnx", lambda folded: "")
