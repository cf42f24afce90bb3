"""What a run is told to do: YAML, `--set` and options -> frozen dataclasses, checked as a whole.

File format: the sections `data`, `preprocessing`, `training` and `tuning`, each a mapping of the keys that
config_schema declares; all may be left out, and an empty file means the defaults. See yaml_reader for the
YAML that is taken, config_values for how values are written, config_axis for grid axes.

Whatever the bytes, the texts and the options are, `load_config` returns a Config or raises ConfigError.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

from softmaxclf.config.axis import MOST_CELLS
from softmaxclf.config.reader import Reading
from softmaxclf.config.schema import (
    SCHEMA,
    SECTIONS,
    Config,
    DataConfig,
    PreprocessingConfig,
    TrainingConfig,
    TuningConfig,
)
from softmaxclf.config.yaml_reader import shown
from softmaxclf.errors import ConfigError

__all__ = [
    "Config",
    "DataConfig",
    "PreprocessingConfig",
    "SettingDescription",
    "TrainingConfig",
    "TuningConfig",
    "config_differences",
    "describe",
    "dump_config",
    "load_config",
    "to_dict",
    "validate",
]

MOST_PROBLEMS_SHOWN = 20


class SettingDescription(NamedTuple):
    """One row of the table of settings, all text."""

    key: str
    default: str
    expected: str
    help: str


def load_config(
    path: Path | None = None,
    settings: Sequence[str] = (),
    options: Mapping[str, object] | None = None,
) -> Config:
    """The configuration from defaults < the file at `path` < `section.key=value` texts < named options.

    `options` maps dotted keys to Python values or to text as it was typed; None means "not given". Raises
    ConfigError with one line per problem, all of them found in one pass (20 are shown).
    """
    reading = Reading()
    if path is not None:
        reading.take_file(path)
    for text in settings:
        reading.take_assignment(text)
    for key, value in (options or {}).items():
        if isinstance(value, str):
            reading.take_text(key, value, SCHEMA[key].option)
        elif value is not None:
            reading.take(key, value, SCHEMA[key].option)
    return _checked(reading)


def validate(config: Config) -> None:
    """Raise ConfigError unless every value is of its kind and the values fit together."""
    reading = Reading()
    for key, value in _values(config).items():
        reading.take(key, value, key)
        if key in reading.values and reading.values[key] != value:
            expected = SCHEMA[key].kind.text(reading.values[key])
            reading.problems.append(f"{key}: expected {shown(expected)}, got {shown(repr(value))}")
    _checked(reading)


def _checked(reading: Reading) -> Config:
    """The configuration that was read. Raises ConfigError for its problems and for values that do not fit."""
    _raise_problems(reading.problems)
    config = _from_values(reading.values)
    problems = []
    for keys, problem in _misfits(config):
        key = next((key for key in keys if key in reading.places), keys[0])
        problems.append(f"{reading.places.get(key, key)}: {problem}")
    _raise_problems(problems)
    return config


def _misfits(config: Config) -> list[tuple[tuple[str, ...], str]]:
    """The keys involved and the problem, for values that are fine alone but not together."""
    tuning = config.tuning
    rates, regularizations = len(tuning.learning_rates), len(tuning.regularizations)
    folds = max(1, tuning.folds)
    grid = rates * regularizations
    found: list[tuple[tuple[str, ...], str]] = []
    if grid * folds > MOST_CELLS:
        keys = ("tuning.folds", "tuning.regularizations", "tuning.learning_rates")
        got = f"got {grid * folds:,} ({rates} x {regularizations} x {folds} folds)"
        found.append((keys, f"expected at most {MOST_CELLS:,} cells in all, {got}; shorten the grid"))
    if tuning.halving and grid < 2:
        problem = "expected at least 2 grid cells to halve, got 1; widen the grid or write false"
        found.append((("tuning.halving",), problem))
    return found


def describe() -> list[SettingDescription]:
    """Every setting in order: dotted key, default, what is expected and what it means, ready to print."""
    return [
        SettingDescription(key, setting.kind.text(setting.default), setting.kind.expected, setting.help)
        for key, setting in SCHEMA.items()
    ]


def dump_config(config: Config) -> str:
    """YAML text that `load_config` reads back as an equal configuration."""
    values = _values(config)
    lines: list[str] = []
    for name, section in SECTIONS.items():
        lines.append(f"{name}:")
        for item in fields(section):
            key = f"{name}.{item.name}"
            lines.append(f"  {item.name}: {SCHEMA[key].kind.text(values[key])}")
    return "\n".join(lines) + "\n"


def to_dict(config: Config) -> dict[str, dict[str, Any]]:
    """The configuration as dictionaries of numbers, texts, booleans, None and lists, fit for JSON."""
    return {
        name: {key: list(value) if isinstance(value, tuple) else value for key, value in section.items()}
        for name, section in asdict(config).items()
    }


def config_differences(first: Config, second: Config) -> list[str]:
    """One text per key that differs: `training.seed: 0 -> 1` (first's value, then second's)."""
    before, after = _values(first), _values(second)
    return [
        f"{key}: {shown(setting.kind.text(before[key]))} -> {shown(setting.kind.text(after[key]))}"
        for key, setting in SCHEMA.items()
        if before[key] != after[key]
    ]


def _values(config: Config) -> dict[str, object]:
    return {key: getattr(getattr(config, key.split(".")[0]), key.split(".")[1]) for key in SCHEMA}


def _from_values(values: Mapping[str, object]) -> Config:
    """A Config of these values by dotted key, defaults elsewhere."""
    sections = {
        name: section(
            **{key.split(".")[1]: value for key, value in values.items() if key.split(".")[0] == name}
        )
        for name, section in SECTIONS.items()
    }
    return Config(**sections)


def _raise_problems(problems: Sequence[str]) -> None:
    """Raise ConfigError with the first problems and the number of the others; do nothing for none."""
    if not problems:
        return
    rest = len(problems) - MOST_PROBLEMS_SHOWN
    more = [f"... and {rest} more problems"] if rest > 0 else []
    raise ConfigError(*problems[:MOST_PROBLEMS_SHOWN], *more)
