"""Where settings come from: file, environment, --set and options, in this order, and what `config` says of it."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from softmaxclf.cli.main import cli
from softmaxclf.config import dump_config, load_config
from softmaxclf.config.schema import Config
from tests.cli.test_help import COMMANDS

Run = Callable[..., Result]
FILE = "training:\n  batch_size: 10\n  seed: 1\ntuning:\n  halving: true\n"


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(FILE)
    return path


def origins(result: Result) -> dict[str, tuple[str, str]]:
    """Text and origin of each setting that `config` prints."""
    assert result.exit_code == 0, result.output
    found, section = {}, ""
    for line in result.stdout.splitlines():
        setting, _, origin = line.partition(" # ")
        name, _, text = setting.strip().partition(": ")
        if line.startswith("  "):
            found[f"{section}.{name}"] = text.strip(), origin
        else:
            section = line.rstrip(":")
    return found


def test_a_later_place_counts_for_more(
    run_cli: Run, configured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ("config", "-c", configured.name)
    assert origins(run_cli("config"))["training.batch_size"] == ("200", "default")
    assert origins(run_cli(*file))["training.batch_size"] == ("10", "c.yaml:2")
    monkeypatch.setenv("SOFTMAXCLF_CONFIG_BATCH_SIZE", "20")
    assert origins(run_cli(*file))["training.batch_size"] == ("20", "SOFTMAXCLF_CONFIG_BATCH_SIZE")
    assigned = (*file, "--set", "training.batch_size=30")
    assert origins(run_cli(*assigned))["training.batch_size"] == ("30", "--set training.batch_size=30")
    assert origins(run_cli(*assigned, "--batch-size", 40))["training.batch_size"] == ("40", "--batch-size")


def test_what_is_not_typed_leaves_a_file_as_it_is(run_cli: Run, configured: Path) -> None:
    """A flag of two names has a default of its own in click."""
    assert origins(run_cli("config", "-c", configured.name))["tuning.halving"] == ("true", "c.yaml:5")
    told = run_cli("config", "-c", configured.name, "--no-halving")
    assert origins(told)["tuning.halving"] == ("false", "--halving")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), ("lbfgs", "auto")),
        (("--momentum", "0"), ("sgd", "auto, by training.momentum")),
        (("--halving",), ("sgd", "auto, by tuning.halving")),
        (("--loss", "hinge"), ("sgd", "auto, by training.loss hinge")),
        (("--regularization", "0"), ("sgd", "auto, by training.regularization 0")),
        (("--solver", "sgd"), ("sgd", "--solver")),
    ],
)
def test_the_solver_says_why(run_cli: Run, words: tuple[str, ...], told: tuple[str, str]) -> None:
    assert origins(run_cli("config", *words))["training.solver"] == told


PRINTED = {
    "data.source": "a: #b",
    "data.validation": 0.1,
    "preprocessing.scale": "none",
    "training.schedule": "constant",
    "tuning.learning_rates": [1e-7, 1e-6],
}


def test_what_is_printed_is_a_configuration(run_cli: Run, tmp_path: Path) -> None:
    words = (
        "--learning-rates",
        "1e-7,1e-6",
        "--scale",
        "none",
        "--validation",
        "0.1",
        "--schedule",
        "constant",
    )
    result = run_cli("config", "--data", "a: #b", *words)
    assert yaml.safe_load(result.stdout)["data"]["source"] == "a: #b"
    (tmp_path / "again.yaml").write_text(result.stdout)
    again = load_config(tmp_path / "again.yaml")
    assert dump_config(again) == dump_config(load_config(None, (), PRINTED))


def test_a_file_of_an_odd_name_makes_one_comment(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "odd\nname.yaml").write_text(FILE)
    result = run_cli("config", "-c", "odd\nname.yaml")
    assert yaml.safe_load(result.stdout)["training"]["seed"] == 1
    assert origins(result)["training.seed"] == ("1", "odd\\nname.yaml:3")


def test_what_a_variable_holds_is_checked_under_its_name(
    run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOFTMAXCLF_TRAIN_BATCH_SIZE", "none")
    result = run_cli("train", "--data", "nothere")
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith("Error: SOFTMAXCLF_TRAIN_BATCH_SIZE: expected a whole number")


@pytest.mark.parametrize("value", ["1", "true"])
def test_json_by_a_variable_holds_for_errors_too(
    run_cli: Run, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SOFTMAXCLF_DATA_DESCRIBE_JSON", value)
    assert '"exit_code": 3' in run_cli("data", "describe", "nothere").stdout
    assert run_cli("data", "verify", "--directory", "nothere").stdout == ""


def test_every_option_has_a_variable_of_its_own_and_the_help_says_how() -> None:
    names = []
    for words, command in COMMANDS.items():
        if isinstance(command, click.Group):
            continue
        variables = [str(each.envvar) for each in command.params if isinstance(each, click.Option)]
        prefix = "_".join(["SOFTMAXCLF", *words]).replace("-", "_").upper()
        assert all(each.startswith(f"{prefix}_") for each in variables)
        assert variables[0] in CliRunner().invoke(cli, [*words, "--help"]).stdout
        names += variables
    assert len(names) == len(set(names))
    assert {"SOFTMAXCLF_TUNE_LEARNING_RATES", "SOFTMAXCLF_VISUALIZE_WEIGHTS_JSON"} <= set(names)


def test_options_change_what_they_are_named_for() -> None:
    assert Config().training.momentum != 0.25  # else the next line would show nothing
    result = CliRunner().invoke(cli, ["config", "--momentum", "0.25", "--folds", "3", "--select", "one-se"])
    found = origins(result)
    assert [found[f"{key}"][0] for key in ("training.momentum", "tuning.folds", "tuning.select")] == [
        "0.25", "3", "one-se",
    ]  # fmt: skip
