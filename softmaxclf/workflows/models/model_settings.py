"""How saved models were made, as texts to set side by side."""

from collections.abc import Mapping, Sequence

from softmaxclf.config import Config, load_config, to_dict
from softmaxclf.config.schema import SCHEMA
from softmaxclf.core.model import LinearModel
from softmaxclf.core.numbers import exact
from softmaxclf.errors import ConfigError
from softmaxclf.workflows.models.model_rows import fingerprint_of, provenance_of

# Where rows lie does not matter once they are known to be the same.
_NO_SETTINGS = ("data.source", "data.directory", "data.download")
SEEDS = tuple(key for key in SCHEMA if key.endswith(".seed"))
_OF_A_CELL = ("learning_rate", "regularization")
# What changes neither the grid nor how the best of it is chosen.
_BESIDE_THE_GRID = ("tuning.repeats", "tuning.memory")


def data_of(model: LinearModel) -> str:
    """The name of the data that a model was made from, with the first digits of their fingerprint."""
    name, fingerprint = provenance_of(model, "data").get("name"), fingerprint_of(model)
    return f"{name} ({fingerprint[:8]})" if fingerprint else "unknown data"


def settings_of(model: LinearModel) -> dict[str, str]:
    """How the model was made, by key; a model of `tune` has the chosen values and not the grid."""
    stored = _stored_settings(model)
    provenance, config = model.provenance, _config_of(stored)
    settings = {"data": data_of(model)}
    if config is not None:
        for section, values in to_dict(config).items():
            for name, value in values.items():
                key = f"{section}.{name}"
                if section != "tuning" and key not in _NO_SETTINGS and key in stored:
                    settings[key] = SCHEMA[key].kind.text(None) if value is None else _text(value)
    for name in _OF_A_CELL:
        if name in provenance:
            settings[f"training.{name}"] = _text(provenance[name])
    if "iterations" in provenance:
        settings["iterations done"] = _text(provenance["iterations"])
    settings["made by"] = {None: "train", False: "tune"}.get(
        provenance.get("refit"), "tune, then trained again"
    )
    settings["temperature"] = _text(model.temperature)
    return settings


def asked_of(model: LinearModel) -> dict[str, str]:
    """What was asked for but for seeds: the same of models that differ in nothing else.

    Of a model of `tune` the grid, since another seed may choose another cell of it.
    """
    asked = {key: value for key, value in settings_of(model).items() if key not in SEEDS}
    if "refit" not in model.provenance:
        return asked
    for name in _OF_A_CELL:
        asked.pop(f"training.{name}", None)
    grid = {key: str(value) for key, value in _stored_settings(model).items() if key.startswith("tuning.")}
    return {**asked, **{key: value for key, value in grid.items() if key not in _BESIDE_THE_GRID}}


def counted_of(model: LinearModel) -> set[str]:
    """The keys of the settings by which the model was made; none where its file does not say.

    In a grid its axes take the place of the training settings of that name, and other axes do not count.
    """
    counted = set(_stored_settings(model))
    if "refit" in model.provenance:
        for name in _OF_A_CELL:
            counted.discard(f"training.{name}" if name in model.provenance else f"tuning.{name}s")
    return counted


def _stored_settings(model: LinearModel) -> dict[str, object]:
    """Those in the model's provenance, by key: its solver heeds no others."""
    return {
        f"{section}.{name}": value
        for section, values in provenance_of(model, "config").items()
        if isinstance(values, Mapping)
        for name, value in values.items()
    }


def _config_of(stored: Mapping[str, object]) -> Config | None:
    """Settings by key, read; None when they cannot be."""
    try:
        return load_config(options={key: value for key, value in stored.items() if key in SCHEMA})
    except ConfigError:
        return None


def differing(settings: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """Per key that is not the same everywhere, each model's value; "-" where it has none."""
    keys = dict.fromkeys(key for each in settings for key in each)
    table = {key: [each.get(key, "-") for each in settings] for key in keys}
    return {key: values for key, values in table.items() if len(set(values)) > 1}


def _text(value: object) -> str:
    """A setting's value; numbers are exact, so that different ones never look the same."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return exact(value)
