"""The rows that a run works with: the data set, its split into training and validation rows, its fingerprint."""

import time
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.config import Config
from softmaxclf.core.scoring import SplitRows
from softmaxclf.core.splits import count_of, stratified_folds, validation_split
from softmaxclf.core.stages import chosen
from softmaxclf.core.stages.fitting import FittingRows, gather
from softmaxclf.datasets.dataset import Dataset, Split
from softmaxclf.datasets.duplicates import shared_rows
from softmaxclf.datasets.sources import DataSettings, MissingDataError, open_source
from softmaxclf.errors import ConfigError
from softmaxclf.files import printable
from softmaxclf.workflows.observer import Observer, WorkProgress

Array = NDArray[Any]
# Stored training rows larger than this are visited block by block, since random rows of a file that does not
# fit in memory come at the speed of the disk's random reads. A fixed bound: the same rows give the same run.
BLOCK_BYTES = 4 * 2**30
BLOCK_ROWS = 256
VALIDATION_ROWS = 1000  # where nothing else is said and they are at most a fifth
MOST_NAMED = 10  # classes without a row
FEW = 10  # rows: fewer are too few for a share of them to be held out


@dataclass(frozen=True)
class TrainingData:
    """A data set made ready for training.

    train_rows: (n,) indices into dataset.train. validation_rows: (m,) indices into validation_X, which is
    dataset.train.X when the rows were split off from it; m is 0 without validation.
    fold_of_row: (N,) or None. fitting: the training rows as stages are fitted on them.
    """

    dataset: Dataset
    train_rows: Array
    validation_X: Array
    validation_y: Array
    validation_rows: Array
    fold_of_row: Array | None
    fitting: FittingRows
    fingerprint: str
    seconds: float = 0.0

    def split(self, name: str) -> SplitRows:
        """The rows of train, validation or test; the test split is read now. Raises DataError when there is none."""
        path, train = self.dataset.path, self.dataset.train
        if name == "test":
            return SplitRows(name, path, self._test.X, self._test.y)
        if name == "train":
            return SplitRows(name, path, train.X, train.y, self.train_rows)
        return SplitRows(name, path, self.validation_X, self.validation_y, self.validation_rows)

    def together(self) -> "TrainingData":
        """All rows that a chosen model may be trained on, validation rows too; none is held out."""
        dataset = self.dataset
        if dataset.validation is not None and self.fold_of_row is None:
            both = (dataset.train, dataset.validation)
            X, y = (np.concatenate([getattr(split, name) for split in both]) for name in "Xy")
            dataset = replace(dataset, read_train=lambda: Split(X, y), validation=None)
        rows = np.arange(len(dataset.train.y))
        fitting = FittingRows(dataset.train.X, rows, image_shape=dataset.image_shape)
        return replace(
            self,
            dataset=dataset,
            train_rows=rows,
            validation_rows=rows[:0],
            fold_of_row=None,
            fitting=fitting,
        )

    def leaks(self) -> list[str]:
        """A line about test rows that stand among the training rows too; none where there are none.

        Files that may not fit in memory are not searched.
        """
        train, test = self.dataset.train, self._test
        if any(_is_large_file(split) for split in (train, test)):
            return []
        count = len(shared_rows(train.X, test.X))
        told = f"{count:,} of the {len(test.X):,} test rows also stand among the training rows, byte for byte, so that "
        return (
            [told + "the test accuracy may be too good; softmaxclf data describe lists them"] if count else []
        )

    def changes(self) -> list[str]:
        """A line where the files of the rows changed after they were read; the run is of the rows as they were then."""
        if self.dataset.is_unchanged():
            return []
        return [
            f"{self.dataset.path} was written to while the run went on, which is of the rows as they were read before; "
            "evaluate needs those too"
        ]

    @cached_property
    def _test(self) -> Split:
        return self.dataset.test()

    @property
    def block(self) -> int | None:
        """The block size of epoch permutations, or None for uniform ones."""
        return BLOCK_ROWS if _is_large_file(self.dataset.train) else None

    def describe(self) -> str:
        """One line: name, rows, columns, classes, seconds."""
        held = f" + {len(self.validation_rows):,} validation" if len(self.validation_rows) else ""
        return (
            f"{self.dataset.name}: {len(self.train_rows):,} training{held} rows of {self.dataset.features:,} columns, "
            f"{len(self.dataset.class_names)} classes ({self.seconds:.1f} s)"
        )


def _is_large_file(split: Split) -> bool:
    """Whether its rows lie in a file that may not fit in memory."""
    return split.stored and split.X.nbytes > BLOCK_BYTES


def prepare(
    config: Config, observer: Observer, *, folds: int = 0, fit: bool = False, **reading: Any
) -> TrainingData:
    """Load (or download) the data of `config`, see `load_dataset`, and split its training rows, see `split_up`."""
    started = time.perf_counter()
    dataset = load_dataset(config, observer, **reading)
    if dataset.drawing():
        observer.note(dataset.drawing())
    data = split_up(config, dataset, observer, folds=folds, fit=fit)
    return replace(data, seconds=time.perf_counter() - started)


def split_up(
    config: Config, dataset: Dataset, observer: Observer, *, folds: int = 0, fit: bool = False
) -> TrainingData:
    """The rows of a data set made ready for training, read once.

    data.validation of them become validation rows where the data have none. With `folds` all training rows are dealt
    into folds and none is split off. fit: training follows, which takes two classes, and what stages are fitted on is
    summed up in the same reading. Raises DataError, ConfigError.
    """
    stages = chosen(config.preprocessing)
    for stage in stages:
        stage.check(dataset.image_shape)
    y = dataset.train.y
    fold_of_row = _folds(config, y, folds) if folds else None
    if folds or dataset.validation is not None:
        train_rows, unseen = np.arange(len(y)), np.empty(0, np.int64)
    else:
        train_rows, unseen = _split(config, y)
        if fit and config.data.validation is None and 0 < len(unseen) < VALIDATION_ROWS:
            observer.note(
                f"{len(unseen):,} of the {len(y):,} rows, a fifth, are held out for validation (--folds 5 uses all)"
            )
    validation = dataset.train
    if dataset.validation is not None and not folds:
        validation, unseen = dataset.validation, np.arange(len(dataset.validation.y))
    if fit:
        _check_classes(dataset, train_rows)
    if fit and len(unseen) and validation is dataset.train and len(held := np.unique(y[unseen])) < 2:
        observer.warn(
            f"{dataset.path}: all {len(unseen):,} validation rows are of class {dataset.class_names[held[0]]}; "
            "use data.validation_rows: drawn"
        )
    if empty := dataset.empty_classes:
        more = f" and {len(empty) - MOST_NAMED:,} more" if len(empty) > MOST_NAMED else ""
        observer.warn(
            f"{dataset.path}: classes without a training row: {', '.join(empty[:MOST_NAMED])}{more}"
        )
    if folds and (few := _rarer_than(folds, dataset)):
        observer.warn(
            f"{dataset.path}: fewer rows than folds of {printable(', '.join(few[:MOST_NAMED]))}: some folds train "
            "without them, and call their held-out rows impossible"
        )
    groups = None if fold_of_row is None else fold_of_row[train_rows]
    fitting = FittingRows(dataset.train.X, train_rows, groups, dataset.image_shape)
    gathering = gather(stages, fitting) if fit else []
    fingerprint = dataset.train.examine(*gathering)
    if dataset.validation is not None:
        fingerprint += dataset.validation.examine()
    return TrainingData(
        dataset, train_rows, validation.X, validation.y, unseen, fold_of_row, fitting, fingerprint
    )


def load_dataset(config: Config, observer: Observer, **reading: Any) -> Dataset:
    """The data set that `config.data` names; fetched first when it is missing and may be. Raises DataError.

    reading: DataSettings that are in no configuration.
    """
    source, directory = config.data.source, Path(config.data.directory)
    settings = {
        each.name: getattr(config.data, each.name)
        for each in fields(DataSettings)
        if each.name != "directory" and hasattr(config.data, each.name)
    }
    settings |= {
        **reading,
        "progress": WorkProgress(observer, "images", "image"),
        "note": observer.note,
        "warn": observer.warn,
    }
    try:
        dataset = open_source(source, directory, **settings)
    except MissingDataError:
        if not config.data.download:
            raise
    else:
        for note in dataset.notes:
            observer.note(note)
        return dataset
    from softmaxclf.datasets.download import download_source  # brings TLS along, which most runs do not need

    observer.note(f"{source} is not in {directory}: downloading it")
    download_source(source, directory, progress=WorkProgress(observer, "download"), log=observer.note)
    return open_source(source, directory, **settings)


def _split(config: Config, y: Array) -> tuple[Array, Array]:
    wanted = config.data.validation
    count = min(VALIDATION_ROWS, len(y) // 5) if wanted is None else count_of(wanted, len(y))
    if not 0 <= count < len(y):
        raise ConfigError(
            f"data.validation: expected fewer than the {len(y):,} training rows, got {count:,}; ask for fewer"
        )
    return validation_split(y, count, config.data.validation_rows, config.data.seed)


def _folds(config: Config, y: Array, folds: int) -> Array:
    if folds > len(y):
        raise ConfigError(
            f"tuning.folds: expected at most the {len(y):,} training rows, got {folds}; ask for fewer"
        )
    return stratified_folds(y, folds, config.data.seed)


def _rarer_than(folds: int, dataset: Dataset) -> list[str]:
    """The classes of fewer training rows than folds, but of some."""
    counts = np.bincount(dataset.train.y, minlength=len(dataset.class_names))
    return [name for name, rows in zip(dataset.class_names, counts, strict=True) if 0 < rows < folds]


def refuse_few(dataset: Dataset) -> None:
    """Raise ConfigError where that there are hardly any rows is what is wrong with them."""
    if (rows := len(dataset.train.y)) < FEW:
        raise ConfigError(
            f"{dataset.path}: expected training rows enough to hold some out for validation, found too few rows: "
            f"{rows}; add more"
        )


def _check_classes(dataset: Dataset, train_rows: Array) -> None:
    if len(np.unique(dataset.train.y[train_rows])) < 2:
        refuse_few(dataset)
        raise ConfigError(
            f"{dataset.path}: expected training rows of at least 2 classes after splitting off the validation rows, "
            "found 1; lower data.validation or use data.validation_rows: drawn"
        )
