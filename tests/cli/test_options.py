"""Numbers are read by one rule, in whatever option they are typed, and paths are texts that can be one."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

from softmaxclf.cli import options
from softmaxclf.cli.main import cli
from softmaxclf.config import load_config
from softmaxclf.config.schema import SCHEMA
from softmaxclf.config.values import Kind, Number, Size, Unset
from softmaxclf.errors import ConfigError


def parameters(group: click.Group) -> list[click.Parameter]:
    """Of every command in the group and in the groups in it."""
    commands = group.commands.values()
    inside = [each for one in commands if isinstance(one, click.Group) for each in parameters(one)]
    return inside + [each for one in commands for each in one.params]


PARAMETERS = parameters(cli)
CLICKS_OWN = (click.types.IntParamType, click.types.FloatParamType, click.Path, click.File)


def test_no_option_has_a_reader_of_its_own() -> None:
    """click's take digits of all scripts, and ask what a path is before we do."""
    assert [each.name for each in PARAMETERS if isinstance(each.type, CLICKS_OWN)] == []


# A command line that needs one more number.
TYPED = (
    "explain 1 2 --scale",
    "explain 1 2 --add",
    "explain 1",
    "gradcheck --rows",
    "gradcheck --seed",
    "predict model image --top",
    "train --max-time",
    "train --iterations",
    "train --learning-rate",
    "tune --folds",
    "tune --regularizations",
    "visualize-weights model --columns",
    "data sample folder --seed",
)


@pytest.mark.parametrize("number", ["٣", "３", "1²", "0x3", "three", "1 000"])
@pytest.mark.parametrize("command", TYPED)
def test_what_is_no_number_is_refused_wherever_it_is_typed(
    command: str, number: str, run_cli: Callable[..., Result], tmp_path: Path
) -> None:
    result = run_cli(*command.split(), number)
    option = command.split()[-1] if "--" in command else "SCORES"
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {option}: expected ") and result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def whole(kind: Kind) -> bool:
    """Whether it counts something."""
    kind = kind.kind if isinstance(kind, Unset) else kind.side if isinstance(kind, Size) else kind
    return isinstance(kind, Number) and kind.whole


COUNTS = [key for key, each in SCHEMA.items() if whole(each.kind)]
NUMBERS = [
    *COUNTS,
    "training.learning_rate",
    "training.regularization",
    "training.tolerance",
    "training.momentum",
    "tuning.learning_rates",
    "tuning.regularizations",
]


@pytest.mark.parametrize("zero", ["-0", "-0.0", "-0e3", -0.0])
@pytest.mark.parametrize("key", COUNTS)
def test_a_count_is_no_negative_zero(key: str, zero: object) -> None:
    with pytest.raises(ConfigError, match=f"expected .*, got {zero}"):
        load_config(options={key: zero})


@pytest.mark.parametrize("number", ["1e-400", "0.1e-330", "-1e-999", ".001e-400"])
@pytest.mark.parametrize("key", NUMBERS)
def test_a_number_that_would_become_zero_is_refused(key: str, number: str) -> None:
    with pytest.raises(ConfigError, match=f"got {number}; it is too small to be told from 0"):
        load_config(options={key: number})


@pytest.mark.parametrize("zero", ["0", "0.0", "0e-999", "-0"])
def test_zero_itself_is_a_number(zero: str) -> None:
    value = load_config(options={"training.regularization": zero}).training.regularization
    assert str(value) == "0.0"


def test_typed_numbers_are_what_the_configuration_reads(run_cli: Callable[..., Result]) -> None:
    kind = options.number(Number(0, 10**6, whole=True))
    parameter = click.Option(["--n", "-n"], type=kind)
    assert kind.convert("3e3", parameter, None) == 3000 and kind.convert(7, parameter, None) == 7
    with pytest.raises(ConfigError, match=r"^--n: expected a whole number .*, got 0\.5; it must be whole$"):
        kind.convert("0.5", parameter, None)
    assert run_cli("explain", "-3", "1_0", "--add", "-1e2", "--scale", ".5").exit_code == 0
