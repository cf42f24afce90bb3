"""Features of images in place of their pixels: learned from training rows, computed once, kept for the next run."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.arrays import StoredArray, read_arrays
from softmaxclf.config import Config
from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.codes import Codes
from softmaxclf.core.stages.patches.dictionary import Recipe, learn
from softmaxclf.core.stages.patches.stage import Patches
from softmaxclf.core.stages.stage import Reading
from softmaxclf.datasets.dataset import Rows, Split
from softmaxclf.datasets.image_rows import FOLDER
from softmaxclf.datasets.stored_rows import Fill, in_file, in_memory
from softmaxclf.errors import ConfigError, DataError, OutOfTimeError, OutputError, RunConflictError
from softmaxclf.files import atomic_writer, make_folder, printable
from softmaxclf.locks import held
from softmaxclf.memory import free_memory
from softmaxclf.workflows.observer import Observer, WorkProgress
from softmaxclf.workflows.runs.control import Control
from softmaxclf.workflows.runs.training_data import Front, TrainingData

Array = NDArray[Any]
VERSION = 2  # of how features are made
CODED = 2000  # training rows from which the range of codes is taken
PROBED = 256  # rows that stand for all in a trial


@dataclass(frozen=True, eq=False)
class Encoder:
    """Makes codes of the features of rows."""

    stage: Patches
    codes: Codes

    def __call__(self, X: Array, out: Array) -> None:
        """Fill `out` (n, D') uint8 with those of the rows X (n, D)."""
        self.codes.encode(_read(X, np.arange(len(X)), self.stage), out)


Filling = Callable[[Rows, Encoder], Fill]  # what fills blocks with the codes of rows X (N, D), in their order


def filling_here(X: Rows, encoder: Encoder) -> Fill:
    """By this process."""
    return lambda part, out: encoder(X[part], out)


def extracted(
    config: Config,
    data: TrainingData,
    observer: Observer,
    control: Control | None = None,
    filling: Filling = filling_here,
    *,
    trial: bool = False,
) -> TrainingData:
    """The data with features for rows, where `features.kind` asks for some; else as they are.

    filling: who computes them; the filters are learned here, from a sample, a round of which would be sent as long.
    trial: only as many rows are read as tell how long it takes, and stand for all of them.
    Raises ConfigError where the images are too small or the features too many, InterruptedRunError.
    """
    if config.features.kind == "none":
        return data
    return _Extraction(config, data, observer, control or Control(), filling, trial).run()


class _Extraction:
    def __init__(
        self,
        config: Config,
        data: TrainingData,
        observer: Observer,
        control: Control,
        filling: Filling,
        trial: bool,
    ) -> None:
        self.config, self.data, self.observer, self.control = config, data, observer, control
        self.filling, self.trial = filling, trial
        self.recipe = Recipe.of(config.features, fold=config.preprocessing.mirror)

    def run(self) -> TrainingData:
        data, dataset = self.data, self.data.dataset
        with self._folder() as folder:
            stage, codes = self._stage(folder)
            train = self._split("train", dataset.train, stage, codes, folder)
            unseen = dataset.validation
            if unseen is not None:
                unseen = self._split("validation", unseen, stage, codes, folder)
        features = replace(dataset, read_train=lambda: train, validation=unseen, image_shape=None)
        fitting = replace(
            data.fitting, X=train.X, image_shape=None, base=codes.base, gathered=None, outside={}
        )
        shared = data.validation_X is dataset.train.X or unseen is None
        return replace(
            data,
            dataset=features,
            validation_X=train.X if shared else unseen.X,  # type: ignore[union-attr]
            fitting=fitting,
            front=Front(stage, codes, data),
        )

    # What is learned

    def _stage(self, folder: Path | None) -> tuple[Patches, Codes]:
        place = None if folder is None else folder / "stage.npz"
        found = None if place is None else self._kept_stage(place)
        if found is None:
            found = stage, codes = self._learned()
            if place is not None:
                with suppress(OutputError), atomic_writer(place) as file:  # the rows will say so
                    np.savez(file, low=codes.low, step=codes.step, **stage.arrays())  # type: ignore[arg-type]
        return found

    def _learned(self) -> tuple[Patches, Codes]:
        data = self.data
        X, rows = data.dataset.train.X, data.train_rows
        assert data.dataset.image_shape is not None, "see Recipe.check"
        progress = WorkProgress(self.observer, "filters", "round")
        stage = learn(X, rows, data.dataset.image_shape, self.recipe, progress)
        some = rows[:: -(-len(rows) // (PROBED if self.trial else CODED))]
        return stage, Codes.of(_read(X, some, stage))

    def _kept_stage(self, place: Path) -> tuple[Patches, Codes] | None:
        try:
            arrays = read_arrays(place, error=DataError)
            codes = Codes(arrays.pop("low"), arrays.pop("step"))
            stage = Patches.from_arrays(arrays, self.data.dataset.image_shape)
        except (DataError, ValueError, KeyError):
            return None
        known = codes.low.shape == codes.step.shape == (stage.columns,) and bool((codes.step > 0).all())
        return (stage, codes) if known else None

    # What is computed

    def _split(self, name: str, own: Split, stage: Patches, codes: Codes, folder: Path | None) -> Split:
        """The split with features for rows."""
        X = self._rows(name, own.X, stage, codes, folder)
        return Split(X, own.y, stored=isinstance(X, StoredArray))

    def _rows(self, name: str, X: Array, stage: Patches, codes: Codes, folder: Path | None) -> Rows:
        shape, memory = (len(X), stage.columns), self._memory()
        if self.trial:
            some = np.arange(min(PROBED, len(X)))
            out = np.empty((len(some), stage.columns), np.uint8)
            codes.encode(_read(X, some, stage), out)
            return out[np.arange(len(X)) % len(some)]
        fill = partial(self._fill, self.filling(X, Encoder(stage, codes)), len(X))
        progress = WorkProgress(self.observer, f"features of {name} images", "image")
        if folder is not None:
            try:
                return in_file(folder / f"{name}.rows", shape, fill, memory=memory, progress=progress)
            except OutputError as error:
                self.observer.note(f"{error} (the features are kept in memory)")
        if math.prod(shape) > memory:
            raise ConfigError(
                f"features.memory: expected features of at most {memory:,} bytes, as they are not kept in a file, got "
                f"{shape[0]:,} x {shape[1]:,}; lower features.filters, or use data.cache and a data.directory with room"
            )
        return in_memory(shape, fill, progress=progress)

    def _fill(self, fill: Fill, total: int, part: slice, out: Array) -> None:
        if self.control.out_of_time(0):
            raise OutOfTimeError(
                f"--max-time: expected time for the features of {total:,} images, which take the first part of a run, "
                f"got as far as {part.start:,}; give more, the same command continues"
            )
        fill(part, out)

    def _memory(self) -> int:
        bound = self.config.features.memory
        return free_memory() // 2 if bound is None else bound

    # Where it is kept

    @contextmanager
    def _folder(self) -> Iterator[Path | None]:
        """The folder of these features, held for this process; None where nothing can be kept."""
        if self.trial or not self.config.data.cache:
            yield None
            return
        path = Path(self.config.data.directory) / FOLDER / f"features-{self._key()}"
        busy = RunConflictError(f"{path}: another softmaxclf process makes these features")
        with ExitStack() as stack:
            try:
                make_folder(path)
                stack.enter_context(held(path / ".lock", busy))
            except (OutputError, RunConflictError) as error:
                self.observer.note(f"{error}; here they are kept in memory")
                yield None
                return
            fresh = not (path / "train.rows").exists()
            yield path
            if fresh:
                self.observer.note(f"the features are kept in {printable(path)} for the next run")

    def _key(self) -> str:
        """Equal for equal rows, in the same order, of which the same are trained on, and equal settings."""
        digest = hashlib.sha256(json.dumps([VERSION, self.data.fingerprint, self.recipe]).encode())
        digest.update(np.ascontiguousarray(self.data.train_rows, "<i8").data)
        return digest.hexdigest()[:16]


def _read(X: Array, rows: Array, stage: Reading) -> Array:
    """(n, D') float32 features of those rows."""
    return RowReader(X, (stage,)).read(rows, np.empty((len(rows), stage.columns), np.float32))
