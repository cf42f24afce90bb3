"""What a configuration accepts, where values come from, and that what is written is read back."""

import json
import math
from dataclasses import fields, replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from softmaxclf.config import (
    Config,
    DataConfig,
    PreprocessingConfig,
    TrainingConfig,
    TuningConfig,
    differences,
    dump_config,
    load_config,
    texts_of,
    to_dict,
)
from softmaxclf.config.schema import SCHEMA
from softmaxclf.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
CLASSIC_GRID = TuningConfig(
    learning_rates=(1.4e-7, 1.5e-7, 1.6e-7),
    regularizations=(8e3, 9e3, 10e3, 11e3, 18e3, 19e3, 20e3, 21e3),
)
DEFAULTS = replace(Config(), training=TrainingConfig(solver="lbfgs"))  # once loaded


def problems_of(action):
    with pytest.raises(ConfigError) as caught:
        action()
    return caught.value.problems


# --- defaults and the shipped files ------------------------------------------------------------------------


def test_without_file_and_options_the_defaults_hold():
    assert load_config() == DEFAULTS
    assert Config().data == DataConfig(
        "cifar10", "data", True, None, "drawn", 0.2, 0, 32, "rgb", False, True, None, ()
    )
    assert Config().preprocessing == PreprocessingConfig(True, "standardize", False)
    assert Config().training == TrainingConfig(
        "softmax", "auto", None, None, False, 1e-4, 1000, 3000, 200, 0.9, "cosine", 0
    )
    assert Config().tuning == TuningConfig(None, None, 0, 1, False, False, "accuracy", "best", None)


@pytest.mark.parametrize(
    "key_and_value",
    [
        "training.learning_rate=1e-3",
        "training.iterations=3000",
        "training.batch_size=200",
        "training.momentum=0.9",
        "training.schedule=cosine",
        "tuning.learning_rates=1,2",
        "tuning.halving=true",
        "training.loss=hinge",
        "training.regularization=0",
        "tuning.regularizations=0,1",
        "training.solver=sgd",
    ],
)
def test_what_asks_for_descent_decides_the_solver_even_where_it_is_a_default(load, key_and_value):
    assert load_config(None, [key_and_value]).training.solver == "sgd"
    section, key = key_and_value.split("=")[0].split(".")
    assert load(f"{section}:\n  {key}: {key_and_value.split('=')[1]}\n").training.solver == "sgd"


@pytest.mark.parametrize(
    "key_and_value",
    [
        "training.learning_rate=auto",
        "training.regularization=1",
        "tuning.learning_rates=auto",
        "tuning.regularizations=auto",
        "training.seed=1",
        "tuning.folds=5",
        "training.solver=lbfgs",
        "training.solver=auto",
    ],
)
def test_whatever_else_is_given_the_solver_is_that_of_the_optimum(key_and_value):
    assert load_config(None, [key_and_value]).training.solver == "lbfgs"


@pytest.mark.parametrize(
    ("text", "value"), [("auto", None), ("0.25", 0.25), ("0", 0), ("1", 1), ("5e2", 500), (".5", 0.5)]
)
def test_validation_rows_are_a_count_a_share_or_auto(load, text, value):
    assert load(f"data: {{validation: {text}}}").data.validation == value
    config = load_config(None, [f"data.validation={text}"])
    assert config.data.validation == value and load(dump_config(config)) == config


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# only a comment\n", "---\n", "training:\n", "data: null\n", "{}"]
)
def test_an_empty_file_or_section_means_the_defaults(load, text):
    assert load(text) == DEFAULTS


@pytest.mark.parametrize("name", ["sample", "classic", "cifar10", "linear-probe"])
def test_a_shipped_configuration_loads_and_round_trips(load, name):
    config = load_config(CONFIGS / f"{name}.yaml")
    assert load(dump_config(config)) == config


def test_the_classic_configuration_is_the_recipe_of_the_design():
    config = load_config(CONFIGS / "classic.yaml")
    assert config.data == DataConfig(source="cifar10", validation=1000, validation_rows="last")
    assert config.preprocessing == PreprocessingConfig(scale="none")
    assert config.training == TrainingConfig(
        solver="sgd", learning_rate=1.5e-7, regularization=9e3, regularize_bias=True, iterations=3000,
        batch_size=200, momentum=0.0, schedule="constant",
    )  # fmt: skip
    assert config.tuning == CLASSIC_GRID


def test_the_shipped_configurations_use_what_they_are_for():
    assert load_config(CONFIGS / "sample.yaml").data.source == "sample"
    assert load_config(CONFIGS / "cifar10.yaml").data.source == "cifar10"


# --- precedence --------------------------------------------------------------------------------------------


def test_an_option_beats_set_which_beats_the_file_which_beats_the_default(load):
    text = "training: {iterations: 1, batch_size: 1, momentum: 0.1}"
    settings = ["training.batch_size=2", "training.momentum=0.2"]
    training = load(text, settings, {"training.momentum": 0.3}).training
    assert (training.iterations, training.batch_size, training.momentum) == (1, 2, 0.3)
    assert training.seed == TrainingConfig().seed


def test_the_last_of_two_equal_set_options_wins():
    assert load_config(None, ["data.seed=1", "data.seed=2"]).data.seed == 2


def test_an_option_that_is_none_was_not_given():
    assert load_config(None, ["data.seed=1"], {"data.seed": None}).data.seed == 1


def test_options_may_be_text_or_python_values():
    typed = {"training.learning_rate": "3e-7", "data.source": "a b", "tuning.regularizations": "1:100:log3"}
    values = {
        "training.learning_rate": 3e-7,
        "data.source": Path("a b"),
        "tuning.regularizations": [100, 1, 10.0],
    }
    assert load_config(None, (), typed) == load_config(None, (), values)
    assert load_config(None, (), typed).tuning.regularizations == (1.0, 10.0, 100.0)


def test_a_set_value_may_hold_any_text_that_its_key_takes():
    config = load_config(None, ["data.source=C:\\a = b: #c, [d].npz", "tuning.learning_rates=[1e-7, 2e-7]"])
    assert config.data.source == "C:\\a = b: #c, [d].npz"
    assert config.tuning.learning_rates == (1e-7, 2e-7)
    assert load_config(None, ["tuning.regularizations={log: [1, 100, 3]}"]).tuning.regularizations == (
        1,
        10,
        100,
    )


def test_an_option_unknown_to_the_schema_is_a_bug_of_the_caller():
    with pytest.raises(KeyError):
        load_config(None, (), {"training.unknown": 1})


# --- values that do not fit together -----------------------------------------------------------------------


def test_too_many_cells_are_refused_where_they_were_asked_for(load):
    text = "tuning:\n  learning_rates: 1:2:lin101\n  regularizations: 1:2:lin100\n"
    (problem,) = problems_of(lambda: load(text))
    assert (
        ":3: tuning.regularizations: expected at most 10,000 cells in all, got 10,100 (101 x 100 x 1"
        in problem
    )
    (problem,) = problems_of(
        lambda: load_config(
            None, ["tuning.regularizations=1:2:lin50", "training.iterations=9"], {"tuning.folds": 100}
        )
    )
    assert problem.startswith(
        "--folds: expected at most 10,000 cells in all, got 15,000 (3 x 50 x 100 folds)"
    )
    assert load_config(None, ["tuning.regularizations=1:2:lin50"], {"tuning.folds": 100}).tuning.folds == 100


def test_ten_thousand_cells_are_taken(load):
    text = "tuning: {learning_rates: {lin: [1, 2, 100]}, regularizations: {lin: [1, 2, 100]}}"
    assert len(load(text).tuning.learning_rates) == 100


def test_halving_needs_two_cells(load):
    text = "tuning:\n  halving: true\n  learning_rates: [1]\n  regularizations: [0]\n"
    (problem,) = problems_of(lambda: load(text))
    assert ":2: tuning.halving: expected at least 2 grid cells to halve, got 1" in problem
    assert load(text, ["tuning.regularizations=0,1"]).tuning.halving


def test_folds_without_validation_rows_are_fine():
    assert load_config(None, ["data.validation=0", "tuning.folds=5"]).tuning.folds == 5


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("training.learning_rate", math.nan),
        ("training.learning_rate", math.inf),
        ("training.batch_size", True),
        ("training.seed", 10**400),
        ("training.loss", 3),
        ("preprocessing.center", 1),
        ("data.source", b"a"),
        ("data.source", Path("a\nb")),
        ("tuning.learning_rates", ()),
        ("tuning.learning_rates", ["1e-7"]),
        ("tuning.learning_rates", [[1e-7]]),
        ("tuning.learning_rates", {1e-7}),
        ("tuning.memory", [1]),
    ],
)
def test_a_python_value_is_checked_like_a_text(key, value):
    (problem,) = problems_of(lambda: load_config(None, (), {key: value}))
    assert problem.startswith(f"--{key.split('.')[1].replace('_', '-').replace('source', 'data')}: expected ")


# --- writing, comparing, describing ------------------------------------------------------------------------


def config_strategy():
    finite = {"allow_nan": False, "allow_infinity": False}
    rates = st.floats(1e-300, 1e300, **finite)
    penalties = st.floats(0, 1e300, **finite)
    seeds = st.integers(0, 2**32 - 1)
    names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(
        lambda text: text.strip() and text != "~" and not text.startswith("~/")
    )

    def axis(values):
        return st.lists(values, min_size=1, max_size=8, unique=True).map(lambda found: tuple(sorted(found)))

    return st.builds(
        Config,
        data=st.builds(
            DataConfig,
            names,
            names,
            st.booleans(),
            st.none() | st.integers(0, 10**9) | st.floats(0, 1, exclude_min=True, exclude_max=True),
            st.sampled_from(["drawn", "last"]),
            seed=seeds,
            test=st.integers(0, 10**9) | st.floats(0, 1, exclude_min=True, exclude_max=True),
            image_size=st.integers(1, 4096) | st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
            color=st.sampled_from(["rgb", "grey"]),
            label=st.none() | names.filter(lambda text: text.lower() != "null"),
            ignore=st.lists(names, max_size=3).map(tuple),
        ),
        preprocessing=st.builds(
            PreprocessingConfig,
            st.booleans(),
            st.sampled_from(["none", "standardize", "unit-norm"]),
            st.booleans(),
        ),
        training=st.builds(
            TrainingConfig,
            loss=st.sampled_from(["softmax", "hinge"]),
            solver=st.just("sgd"),
            learning_rate=st.none() | rates,
            regularization=st.none() | penalties,
            regularize_bias=st.booleans(),
            iterations=st.integers(0, 10**9),
            batch_size=st.integers(1, 10**9),
            momentum=st.floats(0, 1, exclude_max=True, **finite),
            schedule=st.sampled_from(["constant", "cosine"]),
            seed=seeds,
        ),
        tuning=st.builds(
            TuningConfig,
            learning_rates=st.none() | axis(rates),
            regularizations=st.none() | axis(penalties),
            refit=st.booleans(),
            folds=st.sampled_from([0, 2, 5]),
            halving=st.just(False),
            metric=st.sampled_from(["accuracy", "loss"]),
            select=st.sampled_from(["best", "one-se"]),
            memory=st.none() | st.integers(1, 10**15),
        ),
    )


@settings(deadline=None)
@given(config=config_strategy())
def test_every_configuration_reloads_to_equal_values(tmp_path_factory, config):
    path = tmp_path_factory.getbasetemp() / "round_trip.yaml"
    path.write_text(dump_config(config), encoding="utf-8")
    assert load_config(path) == config
    assert to_dict(load_config(path)) == json.loads(json.dumps(to_dict(config)))


@settings(deadline=None)
@given(config=config_strategy())
def test_other_yaml_readers_see_the_same_numbers(config):
    auto = {"data.validation", "training.learning_rate", "training.regularization"}
    auto |= {"tuning.learning_rates", "tuning.regularizations"}
    expected = {
        section: {
            key: "auto" if value is None and f"{section}.{key}" in auto else value
            for key, value in values.items()
        }
        for section, values in to_dict(config).items()
    }
    assert yaml.safe_load(dump_config(config)) == json.loads(json.dumps(expected))


def test_the_largest_grid_axis_still_reloads(load):
    values = tuple(1e-300 * (1 + i / 3e4) for i in range(10_000))
    tuning = TuningConfig(learning_rates=values, regularizations=(0.0,))
    config = Config(training=TrainingConfig(solver="sgd"), tuning=tuning)
    assert load(dump_config(config)) == config


def test_equal_configurations_differ_in_nothing():
    assert differences(texts_of(DEFAULTS), texts_of(load_config())) == []


def test_differences_name_the_key_and_both_values():
    other = load_config(
        None, ["training.seed=1", "data.source=x", "tuning.memory=2GB", "tuning.learning_rates=1"]
    )
    assert differences(texts_of(DEFAULTS), texts_of(other)) == [
        'data.source: "cifar10" -> "x"',
        "training.solver: lbfgs -> sgd",
        "training.seed: 0 -> 1",
        "tuning.learning_rates: auto -> [1.0]",
        "tuning.memory: null -> 2000000000",
    ]


def test_every_setting_is_described_with_a_default_that_can_be_set():
    rows = list(SCHEMA.values())
    keys = [
        f"{part.name}.{item.name}" for part in fields(Config) for item in fields(getattr(Config(), part.name))
    ]
    assert [row.key for row in rows] == keys
    assert all(row.help and row.expected for row in rows)
    again = load_config(None, [f"{row.key}={row.default.strip(chr(34))}" for row in rows])
    assert again == replace(Config(), training=TrainingConfig(solver="sgd"))  # its settings are given


def test_to_dict_holds_nothing_but_primitives():
    classic = load_config(CONFIGS / "classic.yaml")
    assert to_dict(classic)["tuning"]["learning_rates"] == [1.4e-7, 1.5e-7, 1.6e-7]
    assert json.loads(json.dumps(to_dict(Config()))) == to_dict(Config())
