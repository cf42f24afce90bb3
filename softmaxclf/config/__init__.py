"""What a run is told to do: YAML, `--set` and options -> frozen dataclasses, checked as a whole.

File format: the sections `data`, `features`, `preprocessing`, `training`, `tuning` and `engine`, each a mapping of the
keys that schema declares; all may be left out, and an empty file means the defaults. See yaml_reader for the YAML that
is taken, values for how values are written, axis for grid axes.

Whatever the bytes, the texts and the options are, `load_config` returns a Config or raises ConfigError.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from softmaxclf.config.axis import MOST_CELLS
from softmaxclf.config.reader import Reading
from softmaxclf.config.schema import (
    LOCAL,
    PATH_VALUES,
    RATE_MULTIPLES,
    SCHEMA,
    SECTIONS,
    Config,
    DataConfig,
    EngineConfig,
    FeaturesConfig,
    PreprocessingConfig,
    TrainingConfig,
    TuningConfig,
)
from softmaxclf.config.values import AUTO
from softmaxclf.config.yaml_reader import shown
from softmaxclf.core.solvers import OPTIMAL
from softmaxclf.errors import ConfigError

__all__ = [
    "LOCAL",
    "Config",
    "DataConfig",
    "EngineConfig",
    "FeaturesConfig",
    "PreprocessingConfig",
    "TrainingConfig",
    "TuningConfig",
    "differences",
    "dump_config",
    "load_config",
    "resolved",
    "texts_of",
    "to_dict",
    "values_of",
]

MOST_PROBLEMS_SHOWN = 20
_ADDRESS = re.compile(r"((tcp|tls|ws|wss|ucx)://)?[^\s/]+:\d+")  # of a Dask scheduler
COMMENT_COLUMN = 35  # of dump_config
# Who gives one of these wants minibatch descent.
_OF_DESCENT = (
    "training.learning_rate",
    "training.iterations",
    "training.batch_size",
    "training.momentum",
    "training.schedule",
    "tuning.learning_rates",
)


def load_config(
    path: Path | None = None,
    settings: Sequence[str] = (),
    options: Mapping[str, object] | None = None,
) -> Config:
    """The configuration from defaults < the file at `path` < `section.key=value` texts < named options.

    `options` maps dotted keys to Python values or to text as it was typed; None means "not given". Raises
    ConfigError with one line per problem, all of them found in one pass (20 are shown).
    """
    return resolved(path, settings, options)[0]


def resolved(
    path: Path | None = None,
    settings: Sequence[str] = (),
    options: Mapping[str, object] | None = None,
    environment: Mapping[str, tuple[str, object]] | None = None,
) -> tuple[Config, dict[str, str]]:
    """What `load_config` gives, and by dotted key where each value came from that was given.

    `environment` maps keys to a variable's name and value, which count above the file and below what was typed.
    """
    reading = Reading()
    if path is not None:
        reading.take_file(path)
    for key, (place, value) in (environment or {}).items():
        reading.take_given(key, value, place)
    for text in settings:
        reading.take_assignment(text)
    for key, value in (options or {}).items():
        reading.take_given(key, value, SCHEMA[key].option)
    config, decided = _with_solver(_from_values(reading.values), reading.values)
    problems = reading.problems or _misfits(config, reading.places)
    if problems:
        rest = len(problems) - MOST_PROBLEMS_SHOWN
        more = [f"... and {rest} more problems"] if rest > 0 else []
        raise ConfigError(*problems[:MOST_PROBLEMS_SHOWN], *more)
    return config, {key: place.removesuffix(f": {key}") for key, place in (reading.places | decided).items()}


def _misfits(config: Config, places: Mapping[str, str]) -> list[str]:
    """The problems of values that are fine alone but not together, each at one of the `places` they were set."""
    tuning = config.tuning
    rates = 1 if config.training.solver in OPTIMAL else len(tuning.learning_rates or RATE_MULTIPLES)
    regularizations = PATH_VALUES if tuning.regularizations is None else len(tuning.regularizations)
    folds = max(1, tuning.folds)
    grid = rates * regularizations
    found = []
    if grid * folds > MOST_CELLS:
        keys = ("tuning.folds", "tuning.regularizations", "tuning.learning_rates")
        place = next(places[key] for key in keys if key in places)
        got = f"got {grid * folds:,} ({rates} x {regularizations} x {folds} folds)"
        found.append(f"{place}: expected at most {MOST_CELLS:,} cells in all, {got}; shorten the grid")
    if tuning.halving and grid < 2:
        problem = "expected at least 2 grid cells to halve, got 1; widen the grid or write false"
        found.append(f"{places['tuning.halving']}: {problem}")
    if tuning.refit and config.data.shots is not None:
        problem = "expected false with data.shots, got true: validation rows are no shots; write false"
        found.append(f"{places['tuning.refit']}: {problem}")
    scheduler = config.engine.scheduler
    if scheduler is not None and not _ADDRESS.fullmatch(scheduler):
        problem = f"expected an address such as tcp://127.0.0.1:8786, got {shown(scheduler)}"
        found.append(f"{places['engine.scheduler']}: {problem}")
    for key in ("engine.scheduler", "engine.workers"):
        unheeded = not config.engine.elsewhere and "engine.kind" not in places
        if unheeded and values_of(config)[key] is not None:
            found.append(f"{places[key]}: expected engine.kind dask with it, got none; add --engine dask")
    return found + (_misfits_of_optimum(config, places) if config.training.solver in OPTIMAL else [])


def _misfits_of_optimum(config: Config, places: Mapping[str, str]) -> list[str]:
    """What a solver of the optimum cannot do."""
    training, tuning, solver = config.training, config.tuning, config.training.solver
    found = []
    if training.loss != "softmax":
        expected = f"expected softmax with training.solver {solver}, got {training.loss}"
        found.append(f"{places['training.loss']}: {expected}; use solver sgd for it")
    if tuning.halving:
        expected = f"expected false with training.solver {solver}, got true"
        found.append(
            f"{places['tuning.halving']}: {expected}; the path begins each value from the one before"
        )
    for key, values in (
        ("training.regularization", (training.regularization,)),
        ("tuning.regularizations", tuning.regularizations or ()),
    ):
        if 0 in values:
            expected = f"expected values above 0 with training.solver {solver}, got 0"
            found.append(f"{places[key]}: {expected}; without a penalty there may be no optimum")
    return found


def dump_config(config: Config, comments: Mapping[str, str] | None = None) -> str:
    """YAML text that `load_config` reads back as an equal configuration, with a comment on each key that has one."""
    lines: list[str] = []
    for key, text in texts_of(config).items():
        section, name = key.split(".")
        if f"{section}:" not in lines:
            lines.append(f"{section}:")
        comment = (comments or {}).get(key)
        line = f"  {name}: {text}"
        lines.append(f"{line:<{COMMENT_COLUMN}} # {comment}" if comment else line)
    return "\n".join(lines) + "\n"


def to_dict(config: Config) -> dict[str, dict[str, Any]]:
    """The configuration as dictionaries of numbers, texts, booleans, None and lists, fit for JSON."""
    return {
        name: {key: list(value) if isinstance(value, tuple) else value for key, value in section.items()}
        for name, section in asdict(config).items()
    }


def texts_of(config: Config) -> dict[str, str]:
    """Every value by dotted key, as the text that `config.yaml` has of it."""
    return {key: SCHEMA[key].kind.text(value) for key, value in values_of(config).items()}


def differences(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """One text per key whose values differ in what `texts_of` made: `training.seed: 0 -> 1` (first's, then second's).

    A key that one of them lacks has its default there, or is unknown.
    """
    known = {**texts_of(Config()), **dict.fromkeys(sorted({*first, *second} - SCHEMA.keys()), "unknown")}
    pairs = {key: (first.get(key, text), second.get(key, text)) for key, text in known.items()}
    return [f"{key}: {shown(one)} -> {shown(other)}" for key, (one, other) in pairs.items() if one != other]


def values_of(config: Config) -> dict[str, object]:
    """Every value by dotted key."""
    return {key: getattr(getattr(config, key.split(".")[0]), key.split(".")[1]) for key in SCHEMA}


def _with_solver(config: Config, given: Mapping[str, object]) -> tuple[Config, dict[str, str]]:
    """The configuration with `auto` of training.solver decided, and why: the optimum, unless what was given asks for
    descent.
    """
    training, tuning = config.training, config.tuning
    if training.solver != AUTO:
        return config, {}
    reasons = [key for key in _OF_DESCENT if given.get(key) is not None]
    reasons += ["tuning.halving"] * tuning.halving
    reasons += ["training.regularization 0"] * (training.regularization == 0)
    reasons += ["tuning.regularizations 0"] * (0 in (tuning.regularizations or ()))
    reasons += [f"training.loss {training.loss}"] * (training.loss != "softmax")
    decided = replace(config, training=replace(training, solver="sgd" if reasons else OPTIMAL[0]))
    return decided, {"training.solver": f"auto, by {reasons[0]}" if reasons else "auto"}


def _from_values(values: Mapping[str, object]) -> Config:
    """A Config of these values by dotted key, defaults elsewhere."""
    sections = {
        name: section(
            **{key.split(".")[1]: value for key, value in values.items() if key.split(".")[0] == name}
        )
        for name, section in SECTIONS.items()
    }
    return Config(**sections)
