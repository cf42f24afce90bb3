"""Every setting, declared once: a field of a frozen dataclass with its default, kind and help text.

Reading, checking, writing, comparing and describing all follow these declarations. A setting that is None is `auto`
(but tuning.memory): workflows/runs/automatic.py decides it once the data are known; the solver, load_config does.
"""

# ruff: noqa: RUF009 - _setting() is dataclasses.field() with our metadata, not a shared default.

from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple, get_args

from softmaxclf.config.axis import Axis
from softmaxclf.config.values import (
    AUTO,
    Choice,
    Flag,
    Kind,
    Memory,
    Number,
    Rows,
    Several,
    Size,
    Text,
    Unset,
)
from softmaxclf.core.devices import DEVICES, PRECISIONS
from softmaxclf.core.losses import LOSSES
from softmaxclf.core.solvers import SOLVERS
from softmaxclf.core.stages import SCALES

ValidationRows = Literal["drawn", "last"]
Color = Literal["rgb", "grey"]
Schedule = Literal["constant", "cosine"]
Metric = Literal["accuracy", "loss"]
Select = Literal["best", "one-se"]
EngineKind = Literal["local", "dask"]
LOCAL: EngineKind = "local"

SEED = Number(low=0, high=2**32 - 1, whole=True)
_LEARNING_RATE = Number(low=1e-300, high=1e300)
REGULARIZATION = Number(low=0, high=1e300)
# What auto stands for on the axes of a grid: so many regularizations over so many decades, these multiples of a rate.
PATH_VALUES, PATH_DECADES = 25, 6
RATE_MULTIPLES = (0.1, 0.3, 1.0)


def _setting(default: object, kind: Kind, help_text: str, option: str = "") -> Any:
    """A dataclass field that knows what it accepts, what it means and which option sets it."""
    return field(default=default, metadata={"kind": kind, "help": help_text, "option": option})


@dataclass(frozen=True)
class DataConfig:
    """Where the rows come from and which of them are held out for validation."""

    source: str = _setting(
        "cifar10",
        Text(),
        "cifar10, cifar100, mnist, fashion-mnist, sample, or the path of a folder or file, or 'features/*.npy'",
        "--data",
    )
    directory: str = _setting("data", Text(), "folder that holds what is downloaded or cached")
    download: bool = _setting(True, Flag(), "fetch what is named when it is not in the folder")
    validation: float | None = _setting(
        None,
        Unset(Rows(0, 10**9, whole=True)),
        "training rows held out for validation, or their share; auto is 1,000, at most a fifth of the rows",
    )
    validation_rows: ValidationRows = _setting(
        "drawn", Choice(get_args(ValidationRows)), "a seeded draw, stratified by class, or the last rows"
    )
    test: float = _setting(
        0.2,
        Rows(0, 10**9, whole=True),
        "rows that become the test split where a table or folder has none, or their share",
    )
    seed: int = _setting(0, SEED, "seed of these draws, of the folds, the shots and the sample set")
    image_size: int | tuple[int, int] = _setting(
        32, Size(Number(1, 4096, whole=True)), "image files: what they are cropped and resized to"
    )
    color: Color = _setting("rgb", Choice(get_args(Color)), "image files: their colour planes")
    skip_unreadable: bool = _setting(False, Flag(), "image files: leave out those that cannot be read")
    cache: bool = _setting(True, Flag(), "keep decoded image files in data.directory for the next run")
    label: str | None = _setting(
        None, Unset(Text(), "null"), "tables: the column of labels; null is label, target, class or y"
    )
    ignore: tuple[str, ...] = _setting((), Several(Text()), "tables: columns to leave out")
    shots: int | None = _setting(
        None,
        Unset(Number(1, 10**9, whole=True), "null"),
        "train on so many training rows of each class, drawn by the seed, and on no others; null is on all",
    )


@dataclass(frozen=True)
class FeaturesConfig:
    """What lies between images and the linear layer: nothing, or patch features, learned from training rows alone."""

    kind: str = _setting("none", Choice(("none", "patches")), "pixels, or what filters find in small patches")
    filters: tuple[int, ...] = _setting(
        (800,),
        Several(Number(2, 2**16, whole=True)),
        "filters, half of them mirror images of the others: one number for all scales, or one for each",
    )
    patch: int = _setting(6, Number(2, 64, whole=True), "side of a patch, in pixels")
    scales: tuple[int, ...] = _setting(
        (1, 2),
        Several(Number(1, 64, whole=True)),
        "the image is also averaged to 1 / 2, 1 / 3 ... of its size",
    )
    threshold: float = _setting(0.25, Number(0, 1e6), "what a filter's response must exceed to count")
    pooling: int = _setting(
        2, Number(1, 16, whole=True), "responses are averaged over so many by so many regions"
    )
    contrast: float = _setting(
        1000.0, Number(0, 1e9), "added to a patch's variance before it is divided by; pixels are 0 to 255"
    )
    whitening: float = _setting(0.1, Number(1e-9, 1e6), "added to the variances that whitening divides by")
    seed: int = _setting(0, SEED, "seed of the patches that filters are learned from")
    memory: int | None = _setting(
        None,
        Unset(Memory(), "null"),
        "features above it are read from their file; null is half of what is free",
    )


@dataclass(frozen=True)
class PreprocessingConfig:
    """What is done to the rows; fitted on training rows only, stored in the model."""

    center: bool = _setting(True, Flag(), "subtract the mean of the training rows")
    scale: str = _setting(
        "standardize", Choice(tuple(SCALES)), "divide features by their deviation, or rows by their length"
    )
    mirror: bool = _setting(
        False, Flag(), "train on every image and its mirror image, at half the arithmetic"
    )


@dataclass(frozen=True)
class TrainingConfig:
    """One model: the least mean loss + 0.5 * regularization * |W|^2, and how it is looked for."""

    loss: str = _setting(
        "softmax", Choice(tuple(LOSSES)), "cross-entropy of the softmax, or multi-class hinge"
    )
    solver: str = _setting(
        AUTO,
        Choice((AUTO, *SOLVERS)),
        "the optimum over all rows with its proof (lbfgs), or minibatch descent (sgd); auto is lbfgs where no setting "
        "of sgd is given",
    )
    learning_rate: float | None = _setting(
        None, Unset(_LEARNING_RATE), "sgd: size of one step along the gradient"
    )
    regularization: float | None = _setting(
        None, Unset(REGULARIZATION), "L2 strength: the objective has 0.5 * it * |W|^2"
    )
    regularize_bias: bool = _setting(False, Flag(), "penalize the bias too, as the classic bias trick does")
    tolerance: float = _setting(
        1e-4, Number(1e-8, below=1), "lbfgs: how far above the optimum the objective may be, relative, proven"
    )
    max_passes: int = _setting(
        1000, Number(1, 10**9, whole=True), "lbfgs: readings of all rows for a model, at the most"
    )
    iterations: int = _setting(3000, Number(0, 10**9, whole=True), "sgd: number of steps, one batch each")
    batch_size: int = _setting(200, Number(1, 10**9, whole=True), "sgd: rows per step")
    momentum: float = _setting(0.9, Number(0, below=1), "sgd: Nesterov momentum; 0 is plain SGD")
    schedule: Schedule = _setting(
        "cosine",
        Choice(get_args(Schedule)),
        "sgd: learning rate over time: fixed, or falling to 0 along a cosine",
    )
    seed: int = _setting(0, SEED, "sgd: seed of the order in which rows are visited")


@dataclass(frozen=True)
class TuningConfig:
    """The grid of models that `tune` trains at once, and how the winner is chosen."""

    learning_rates: tuple[float, ...] | None = _setting(
        None, Unset(Axis(_LEARNING_RATE)), "sgd: learning rates of the grid"
    )
    regularizations: tuple[float, ...] | None = _setting(
        None,
        Unset(Axis(REGULARIZATION)),
        f"regularizations of the grid; auto is {PATH_VALUES} over {PATH_DECADES} decades",
    )
    folds: int = _setting(
        0, Number(2, 100, whole=True, also=0), "folds of cross-validation; 0 uses the validation rows"
    )
    repeats: int = _setting(
        1,
        Number(1, 100, whole=True),
        "train the grid so often, with other seeds of draw, folds and order, and choose by the mean",
    )
    refit: bool = _setting(
        False,
        Flag(),
        "train the winner again on training and validation rows; with folds that is always done",
    )
    halving: bool = _setting(False, Flag(), "sgd: stop losing cells early")
    metric: Metric = _setting("accuracy", Choice(get_args(Metric)), "validation figure that decides")
    select: Select = _setting(
        "best",
        Choice(get_args(Select)),
        "the best cell, or the strongest regularization within one standard error of it",
    )
    memory: int | None = _setting(
        None, Unset(Memory(), "null"), "bound of a stack's memory; null is a quarter of what is free"
    )


@dataclass(frozen=True)
class EngineConfig:
    """Who computes, and where. It decides how long a run takes, and of what it finds no more than the last digits: so
    it is no part of what a run is.
    """

    kind: EngineKind = _setting(
        LOCAL,
        Choice(get_args(EngineKind)),
        "threads of this process, or workers of a Dask cluster",
        "--engine",
    )
    scheduler: str | None = _setting(
        None,
        Unset(Text("the address of a scheduler, such as tcp://127.0.0.1:8786"), "null"),
        "dask: a scheduler to be trusted; null starts workers on this machine",
    )
    workers: int | None = _setting(
        None,
        Unset(Number(1, 4096, whole=True), "null"),
        "dask: processes to start, null is one a processor; of a scheduler, how many to wait for",
    )
    device: str = _setting(
        "cpu",
        Choice(DEVICES),
        "where products are made: by NumPy (cpu), or by PyTorch on a GPU (cuda, mps) or the processor (torch-cpu); "
        "auto is a GPU if there is one",
    )
    precision: str = _setting(
        "single",
        Choice(PRECISIONS),
        "products of float32, or by PyTorch of bfloat16 parts (mixed), which matrix units multiply faster",
    )

    @property
    def elsewhere(self) -> bool:
        """Whether others compute, not this process."""
        return self.kind != LOCAL


@dataclass(frozen=True)
class Config:
    """Everything that decides what a run computes, and who does, and where."""

    data: DataConfig = field(default_factory=DataConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    tuning: TuningConfig = field(default_factory=TuningConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)


class Setting(NamedTuple):
    """One declared setting: dotted key, kind, default as text, what it means, its option."""

    key: str
    kind: Kind
    default: str
    help: str
    option: str

    @property
    def expected(self) -> str:
        """What is expected, in words."""
        return self.kind.expected


SECTIONS: dict[str, type] = {
    section.name: type(getattr(Config(), section.name)) for section in fields(Config)
}
SCHEMA: dict[str, Setting] = {
    f"{name}.{item.name}": Setting(
        f"{name}.{item.name}",
        item.metadata["kind"],
        item.metadata["kind"].text(item.default),
        item.metadata["help"],
        item.metadata["option"] or "--" + item.name.replace("_", "-"),
    )
    for name, section in SECTIONS.items()
    for item in fields(section)
}
