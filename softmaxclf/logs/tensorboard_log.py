"""`--log tensorboard`: event files in the run folder's `tensorboard`, by tensorboardX."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tensorboardX import SummaryWriter

from softmaxclf.logs.log import Figures, Log, Settings, final_figures, pictures, table

FOLDER, EVENTS = "tensorboard", "events.out.tfevents.*"
FLUSH_SECONDS = 5
MOST_CELLS = 500  # a folder of its own each, the best first


class TensorBoard(Log):
    """Scalars while the run goes on; then its pictures, and for a grid the HParams table. Look: tensorboard --logdir"""

    extra, package = "tensorboard", "tensorboardX"

    def begin_run(self, folder: Path, settings: Settings) -> None:
        """A sitting tells all from the start, so what an earlier one wrote goes."""
        self._folder = folder
        for old in (folder / FOLDER).rglob(EVENTS):
            old.unlink()
        self._writer = SummaryWriter(str(folder / FOLDER), flush_secs=FLUSH_SECONDS)
        told = "".join(f"| {key} | {value} |\n" for key, value in settings.items())
        self._writer.add_text("settings", f"| setting | value |\n|---|---|\n{told}")

    def write(self, what: str, point: int, figures: Figures) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(f"{what}/{name}", value, point)

    def end_run(self, summary: Mapping[str, Any]) -> None:
        for name, value in final_figures(summary).items():
            self._writer.add_scalar(f"final/{name}", value, 0)
        for path in pictures(self._folder):
            with Image.open(path) as picture:
                self._writer.add_image(path.stem, np.asarray(picture.convert("RGB")), dataformats="HWC")
        rows = sorted(table(summary), key=lambda row: -row[1].get("validation_accuracy", -1.0))
        for number, (axes, measured) in enumerate(rows[:MOST_CELLS], 1):
            self._writer.add_hparams(axes, measured, name=f"cells/{number:03}", global_step=0)

    def close(self, done: bool) -> None:
        self._writer.close()
