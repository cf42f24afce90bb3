"""`--log mlflow`: a run at MLFLOW_TRACKING_URI, in the experiment MLFLOW_EXPERIMENT_NAME or softmaxclf."""

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from softmaxclf.logs.log import Figures, Log, Settings, final_figures, pictures, table

EXPERIMENT = "softmaxclf"


class MLflow(Log):
    """Metrics while the run goes on; then its pictures, model and report, and a nested run for each cell of a grid."""

    extra, package = "mlflow", "mlflow"

    def begin_run(self, folder: Path, settings: Settings) -> None:
        self._client, self._folder = MlflowClient(), folder
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        found = self._client.get_experiment_by_name(name)
        self._experiment = self._client.create_experiment(name) if found is None else found.experiment_id
        self._run = self._begun(folder.name, {"softmaxclf.folder": str(folder.resolve())})
        self._client.log_batch(self._run, params=[Param(key, value) for key, value in settings.items()])

    def write(self, what: str, point: int, figures: Figures) -> None:
        self._log(self._run, {f"{what}/{name}": value for name, value in figures.items()}, point)

    def end_run(self, summary: Mapping[str, Any]) -> None:
        self._log(self._run, final_figures(summary))
        for number, (axes, measured) in enumerate(table(summary), 1):
            cell = self._begun(f"cell {number}", {"mlflow.parentRunId": self._run})
            self._client.log_batch(cell, params=[Param(name, f"{value:g}") for name, value in axes.items()])
            self._log(cell, measured)
            self._client.set_terminated(cell, "FINISHED")
        for path in (*pictures(self._folder), self._folder / "weights.npz", self._folder / "report.html"):
            if path.is_file():
                self._client.log_artifact(self._run, str(path))

    def close(self, done: bool) -> None:
        self._client.set_terminated(self._run, "FINISHED" if done else "KILLED")

    def _begun(self, name: str, tags: Mapping[str, str]) -> str:
        return str(self._client.create_run(self._experiment, run_name=name, tags=dict(tags)).info.run_id)

    def _log(self, run: str, figures: Figures, point: int = 0) -> None:
        """MLflow's names take letters, digits and - _ . / and blanks."""
        now = int(1000 * time.time())
        metrics = [
            Metric(_name(name), float(value), now, point)
            for name, value in figures.items()
            if math.isfinite(value)
        ]
        self._client.log_batch(run, metrics=metrics)


def _name(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_./ " else "-" for letter in text)
