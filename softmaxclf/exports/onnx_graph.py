"""ONNX: a graph from raw rows to scores and probabilities."""

from typing import Any

import numpy as np

from softmaxclf.exports.formats import Array, Exported, Format

OPSET, IR_VERSION = 18, 10  # what runtimes of 2024 read
TINY = np.float32(1e-30)  # what a norm of 0 is divided by


def to_bytes(exported: Exported) -> bytes:
    """A checked model: input `rows` (N, D) float32, outputs `scores` and `probabilities` (N, K)."""
    from onnx import TensorProto, checker, helper, numpy_helper

    constants = {**exported.arrays, "temperature": np.float32(exported.facts["temperature"])}
    nodes, x = _steps(exported, constants)
    nodes += [("Gemm", [x, "W", "b"], "scores", {}), ("Div", ["scores", "temperature"], "scaled", {})]
    nodes.append(("Softmax", ["scaled"], "probabilities", {"axis": 1}))
    features, classes = exported.arrays["W"].shape

    def value(name: str, columns: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", columns])

    graph = helper.make_graph(
        [helper.make_node(kind, inputs, [output], **settings) for kind, inputs, output, settings in nodes],
        "softmaxclf",
        [value("rows", features)],
        [value("scores", classes), value("probabilities", classes)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
        doc_string=exported.facts["formula"],
    )
    model = helper.make_model(
        graph,
        producer_name="softmaxclf",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, {"facts": exported.facts_json})
    checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def _steps(exported: Exported, constants: dict[str, Any]) -> tuple[list[Any], str]:
    """(nodes before the weights, the name of what they give); the constants that they need are added."""
    nodes: list[Any] = []
    x = "rows"

    def then(kind: str, *inputs: str, **settings: Any) -> str:
        nodes.append((kind, list(inputs), f"x{len(nodes)}", settings))
        return str(nodes[-1][2])

    if exported.folded.reflection is not None:
        constants["two"] = np.float32(2)
        x = then("Div", then("Add", x, then("Gather", x, "reflection", axis=1)), "two")
    if exported.folded.center is not None:
        x = then("Sub", x, "center")
    if exported.folded.unit:
        constants |= {"tiny": TINY, "columns": np.array([1])}
        x = then("Div", x, then("Max", then("ReduceL2", x, "columns", keepdims=1), "tiny"))
    return nodes, x


def scores(content: bytes, rows: Array) -> Array:
    """Scores by the file, computed by ONNX's own evaluator."""
    from onnx import load_from_string
    from onnx.reference import ReferenceEvaluator

    session: Any = ReferenceEvaluator(load_from_string(content))
    found: Array = session.run(["scores"], {"rows": rows.astype(np.float32)})[0]
    return found


ONNX = Format("ONNX", ".onnx", to_bytes, scores, ("onnx",), "onnx", "onnx")
