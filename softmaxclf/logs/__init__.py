"""Where a run can also be followed: `--log NAME`. Imports no NumPy, so that the names can be checked without.

A new one is one file with a `log.Log`, and one line here.
"""

from softmaxclf.core.registry import Registry

LOGS = Registry(
    {
        "tensorboard": "softmaxclf.logs.tensorboard_log:TensorBoard",
        "mlflow": "softmaxclf.logs.mlflow_log:MLflow",
    }
)
