"""The rows that a run works with: the data set, its split into training and validation rows, its fingerprint."""

import time
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmaxclf.config import Config
from softmaxclf.core.model import LinearModel
from softmaxclf.core.scoring import SplitRows
from softmaxclf.core.splits import count_of, drawn_shots, stratified_folds, validation_split
from softmaxclf.core.stages import chosen
from softmaxclf.core.stages.codes import Codes
from softmaxclf.core.stages.fitting import FittingRows, gather
from softmaxclf.core.stages.patches.dictionary import Recipe
from softmaxclf.core.stages.stage import Reading, Stage
from softmaxclf.datasets.dataset import Dataset, Progress, Split, ignored
from softmaxclf.datasets.duplicates import shared_rows
from softmaxclf.datasets.labels import MAX_GAPPED
from softmaxclf.datasets.sources import DataSettings, MissingDataError, open_source
from softmaxclf.errors import ConfigError, DataError
from softmaxclf.files import printable
from softmaxclf.workflows.observer import Observer, WorkProgress
from softmaxclf.workflows.runs.device import own_device

Array = NDArray[Any]
# Stored training rows larger than this are visited block by block, since random rows of a file that does not
# fit in memory come at the speed of the disk's random reads. A fixed bound: the same rows give the same run.
BLOCK_BYTES = 4 * 2**30
BLOCK_ROWS = 256
VALIDATION_ROWS = 1000  # where nothing else is said and they are at most a fifth
MOST_NAMED = 10  # classes without a row
FEW = 10  # rows: fewer are too few for a share of them to be held out


class Front(NamedTuple):
    """What made the features in place of the rows, the bytes that keep them, and the data with its own rows."""

    stage: Reading
    codes: Codes
    images: "TrainingData"


class Draw(NamedTuple):
    """Which rows train (n,), which validate (m,), and the fold (N,) of each or None; -1 of those that do not train."""

    train_rows: Array
    validation_rows: Array
    fold_of_row: Array | None

    def fitting(self, dataset: Dataset, weights: Array | None = None) -> FittingRows:
        """The training rows as stages are fitted on them."""
        groups = None if self.fold_of_row is None else self.fold_of_row[self.train_rows]
        return FittingRows(dataset.train.X, self.train_rows, groups, dataset.image_shape, weights=weights)


@dataclass(frozen=True)
class TrainingData:
    """A data set made ready for training.

    train_rows: (n,) indices into dataset.train. validation_rows: (m,) indices into validation_X, which is
    dataset.train.X when the rows were split off from it; m is 0 without validation.
    fold_of_row: (N,) or None. fitting: the training rows as stages are fitted on them. weights: (N,) how much each row
    of dataset.train counts, positive in train_rows, or None. front: where the rows are features of others, how they
    were made. progress: of rows that are scored slowly.
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
    weights: Array | None = None
    front: Front | None = None
    progress: Progress = ignored

    @property
    def own(self) -> "TrainingData":
        """The data with their own rows, where these are features of them."""
        return self if self.front is None else self.front.images

    def stages(self, config: Config) -> list[type[Stage]]:
        """The stages that are fitted on these rows: on features, those that come after."""
        stages = chosen(config.preprocessing)
        return stages if self.front is None else [each for each in stages if not issubclass(each, Reading)]

    def deployed(self, model: LinearModel) -> LinearModel:
        """A model of these rows as one of the data's own rows."""
        if self.front is None:
            return model
        preprocessing = self.front.codes.decoded(model.preprocessing, self.front.stage)
        return replace(model, preprocessing=preprocessing, image_shape=self.own.dataset.image_shape)

    def split(self, name: str) -> SplitRows:
        """The rows of train, validation or test; the test split is read now. Raises DataError when there is none."""
        path, train = self.dataset.path, self.dataset.train
        if name == "test":
            return self._test_rows
        if name == "train":
            return SplitRows(name, path, train.X, train.y, self.train_rows, self.progress)
        return SplitRows(
            name, path, self.validation_X, self.validation_y, self.validation_rows, self.progress
        )

    def together(self) -> "TrainingData":
        """All rows that a chosen model may be trained on, validation rows too; none is held out."""
        dataset = self.dataset
        if dataset.validation is not None and self.fold_of_row is None:
            both = (dataset.train, dataset.validation)
            X, y = (np.concatenate([getattr(split, name) for split in both]) for name in "Xy")
            dataset = replace(dataset, read_train=lambda: Split(X, y), validation=None)
        # Folds hold out no row for good: all that there are, or all shots, are trained on already.
        rows = np.arange(len(dataset.train.y)) if self.fold_of_row is None else self.train_rows
        fitting = replace(self.fitting, X=dataset.train.X, rows=rows, groups=None, gathered=None, outside={})
        front = None if self.front is None else self.front._replace(images=self.own.together())
        return replace(
            self,
            front=front,
            dataset=dataset,
            train_rows=rows,
            validation_rows=rows[:0],
            fold_of_row=None,
            fitting=fitting,
        )

    def redrawn(self, config: Config) -> "TrainingData":
        """The data's own rows, divided anew by the seed of `config` into training and validation rows, and folds."""
        own = self.own
        drawn = _drawn(config, own.dataset, config.tuning.folds if own.fold_of_row is not None else 0)
        return replace(own, **drawn._asdict(), fitting=drawn.fitting(own.dataset))

    def redrawn_share(self, config: Config) -> float:
        """The share of the rows that is held out at a time where another seed holds out others; 0 where it does not."""
        if self.fold_of_row is not None:
            return 1 / (int(self.fold_of_row.max()) + 1)
        if config.data.validation_rows != "drawn" or self.dataset.validation is not None:
            return 0.0
        return len(self.validation_rows) / len(self.dataset.train.y)

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

    @cached_property
    def _test_rows(self) -> SplitRows:
        return SplitRows("test", self.dataset.path, self._test.X, self._test.y, progress=self.progress)

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
    if fit:
        own_device(config)  # what is not there is told before rows are read
    dataset = load_dataset(config, observer, **reading)
    if dataset.drawing():
        observer.note(dataset.drawing())
    data = split_up(config, dataset, observer, folds=folds, fit=fit)
    progress = WorkProgress(observer, "score", "image")
    return replace(data, seconds=time.perf_counter() - started, progress=progress)


def split_up(
    config: Config,
    dataset: Dataset,
    observer: Observer,
    *,
    folds: int | Array = 0,
    fit: bool = False,
    weights: Array | None = None,
) -> TrainingData:
    """The rows of a data set made ready for training, read once.

    data.validation of them become validation rows where the data have none. With `folds`, their number or the fold (N,)
    of each row, all training rows are in folds and none is split off. weights: (N,) how much each row counts; rows of
    weight 0 do not train. fit: training follows, which takes two classes, and what stages are fitted on is
    summed up in the same reading. Raises DataError, ConfigError.
    """
    stages = chosen(config.preprocessing)
    for stage in stages:
        stage.check(dataset.image_shape)
    extracting = config.features.kind != "none"
    if extracting:
        Recipe.of(config.features, fold=config.preprocessing.mirror).check(dataset.image_shape)
    y = dataset.train.y
    drawn = _drawn(config, dataset, folds, weights)
    train_rows, unseen, fold_of_row = drawn
    folds = 0 if fold_of_row is None else int(fold_of_row.max()) + 1
    validation = dataset.train
    if dataset.validation is not None and not folds:
        validation = dataset.validation
    elif fit and config.data.validation is None and 0 < len(unseen) < VALIDATION_ROWS:
        observer.note(
            f"{len(unseen):,} of the {len(y):,} rows, a fifth, are held out for validation (--folds 5 uses all)"
        )
    empty = dataset.empty_classes
    if fit:
        _check_classes(dataset, train_rows)
        _refuse_mostly_empty(dataset, len(empty))
    if fit and len(unseen) and validation is dataset.train and len(held := np.unique(y[unseen])) < 2:
        observer.warn(
            f"{dataset.path}: all {len(unseen):,} validation rows are of class {dataset.class_names[held[0]]}; "
            "use data.validation_rows: drawn"
        )
    if empty:
        more = f" and {len(empty) - MOST_NAMED:,} more" if len(empty) > MOST_NAMED else ""
        observer.warn(
            f"{dataset.path}: classes without a training row: {', '.join(empty[:MOST_NAMED])}{more}"
        )
    if folds and (few := _rarer_than(folds, dataset, train_rows)):
        observer.warn(
            f"{dataset.path}: fewer rows than folds of {printable(', '.join(few[:MOST_NAMED]))}: some folds train "
            "without them, and call their held-out rows impossible"
        )
    fitting = drawn.fitting(dataset, weights)
    gathering = gather(stages, fitting) if fit and not extracting else []
    fingerprint = dataset.train.examine(*gathering)
    if dataset.validation is not None:
        fingerprint += dataset.validation.examine()
    return TrainingData(
        dataset,
        train_rows,
        validation.X,
        validation.y,
        unseen,
        fold_of_row,
        fitting,
        fingerprint,
        weights=weights,
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


def _drawn(config: Config, dataset: Dataset, folds: int | Array, weights: Array | None = None) -> Draw:
    """What `split_up` says of these arguments, by the seed of `config`. Raises ConfigError."""
    y, unseen = dataset.train.y, np.empty(0, np.int64)
    folded = isinstance(folds, np.ndarray) or folds > 0
    train_rows = np.arange(len(y))
    if dataset.validation is None and not folded:
        train_rows, unseen = _split(config, y)
    elif not folded:
        unseen = np.arange(len(dataset.validation.y))  # type: ignore[union-attr]
    if config.data.shots is not None:
        train_rows = _shots(config, dataset, train_rows)
    fold_of_row = _folds(config, y, train_rows, folds)
    if weights is not None:
        train_rows = train_rows[weights[train_rows] > 0]
    return Draw(train_rows, unseen, fold_of_row)


def _shots(config: Config, dataset: Dataset, rows: Array) -> Array:
    """data.shots of these rows of each class that has a row at all. Raises ConfigError where a class has fewer."""
    shots, y = config.data.shots, dataset.train.y
    assert shots is not None
    there, left = (np.bincount(labels, minlength=len(dataset.class_names)) for labels in (y, y[rows]))
    few = np.flatnonzero((there > 0) & (left < shots))
    if len(few):
        rarest = few[left[few].argmin()]
        raise ConfigError(
            f"data.shots: expected at most the {left[rarest]:,} training rows of class "
            f"{printable(dataset.class_names[rarest])} in {dataset.path}, got {shots:,}; ask for fewer"
        )
    return rows[drawn_shots(y[rows], shots, config.data.seed)]


def _split(config: Config, y: Array) -> tuple[Array, Array]:
    wanted = config.data.validation
    count = min(VALIDATION_ROWS, len(y) // 5) if wanted is None else count_of(wanted, len(y))
    if not 0 <= count < len(y):
        raise ConfigError(
            f"data.validation: expected fewer than the {len(y):,} training rows, got {count:,}; ask for fewer"
        )
    return validation_split(y, count, config.data.validation_rows, config.data.seed)


def _folds(config: Config, y: Array, rows: Array, folds: int | Array) -> Array | None:
    """The fold (N,) of each of those rows, -1 of others; None without folds."""
    if isinstance(folds, np.ndarray) or not folds:
        return folds if isinstance(folds, np.ndarray) else None
    if folds > len(rows):
        raise ConfigError(
            f"tuning.folds: expected at most the {len(rows):,} training rows, got {folds}; ask for fewer"
        )
    fold_of_row = np.full(len(y), -1, np.int16)
    fold_of_row[rows] = stratified_folds(y[rows], folds, config.data.seed)
    return fold_of_row


def _rarer_than(folds: int, dataset: Dataset, rows: Array) -> list[str]:
    """The classes of fewer training rows than folds, but of some."""
    counts = np.bincount(dataset.train.y[rows], minlength=len(dataset.class_names))
    return [name for name, rows in zip(dataset.class_names, counts, strict=True) if 0 < rows < folds]


def refuse_few(dataset: Dataset) -> None:
    """Raise ConfigError where that there are hardly any rows is what is wrong with them."""
    if (rows := len(dataset.train.y)) < FEW:
        raise ConfigError(
            f"{dataset.path}: expected training rows enough to hold some out for validation, found too few rows: "
            f"{rows}; add more"
        )


def _refuse_mostly_empty(dataset: Dataset, empty: int) -> None:
    """Raise DataError where more classes have no row than labels without names may leave out."""
    if empty > max(MAX_GAPPED, rows := len(dataset.train.y)):
        raise DataError(
            f"{dataset.path}: expected training rows of most classes, found {empty:,} classes without an example and "
            f"{rows:,} rows; correct the labels, or name the classes that there are"
        )


def _check_classes(dataset: Dataset, train_rows: Array) -> None:
    if len(np.unique(dataset.train.y[train_rows])) < 2:
        refuse_few(dataset)
        raise ConfigError(
            f"{dataset.path}: expected training rows of at least 2 classes after splitting off the validation rows, "
            "found 1; lower data.validation or use data.validation_rows: drawn"
        )
