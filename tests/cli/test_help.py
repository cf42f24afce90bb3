"""What --help says, and what it takes to say it."""

import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from softmaxclf.cli.main import cli

SLOW = {"numpy", "matplotlib", "PIL", "ssl"}


def commands(group: click.Group, *path: str) -> dict[tuple[str, ...], click.Command]:
    """Every command of the group and of the groups in it, by the words that call it."""
    found: dict[tuple[str, ...], click.Command] = {}
    for name, command in group.commands.items():
        found[(*path, name)] = command
        if isinstance(command, click.Group):
            found |= commands(command, *path, name)
    return found


COMMANDS = commands(cli)


def help_of(*words: str) -> str:
    result = CliRunner().invoke(cli, [*words, "--help"])
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("words", [(), *COMMANDS], ids=" ".join)
def test_help_imports_neither_numpy_nor_matplotlib(words):
    script = (
        "import sys\nfrom softmaxclf.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('LOADED', *{name.split('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-c", script, *words, "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    text, _, loaded = result.stdout.rpartition("LOADED")
    assert "Usage: softmaxclf" in text
    assert not set(loaded.split()) & SLOW


def test_the_first_page_names_every_command_with_what_it_does():
    text = help_of()
    for words, command in COMMANDS.items():
        if len(words) == 1:
            assert re.search(rf"^  {words[0]} +\S", text, re.MULTILINE), words
            assert command.get_short_help_str(), words


def test_the_commands_are_those_of_the_design():
    expected = {
        "train",
        "tune",
        "visualize-weights",
        "evaluate",
        "predict",
        "explain",
        "gradcheck",
        "data",
        "compare",
    }
    assert expected <= set(cli.commands), f"missing: {expected - set(cli.commands)}"
    assert {"download", "verify", "sample", "describe"} == set(cli.commands["data"].commands)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 130, 143])
def test_the_first_page_lists_the_exit_codes(code):
    assert re.search(rf"^ +{code} +[a-z]", help_of().partition("Exit codes:")[2], re.MULTILINE)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_does(words):
    for parameter in COMMANDS[words].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("words", [(), *COMMANDS], ids=" ".join)
def test_no_line_of_help_is_wider_than_its_page(words):
    assert max(map(len, help_of(*words).splitlines())) <= 100


def test_short_help_and_version_work():
    assert CliRunner().invoke(cli, ["-h"]).stdout == help_of()
    assert re.fullmatch(r"softmaxclf, version \d+\.\d+\.\d+\n", CliRunner().invoke(cli, ["-V"]).stdout)


def test_the_penalty_is_stated_with_its_half_where_the_number_is_set():
    """Other texts use reg * |W|^2, where the same number means twice the penalty."""
    for command in ("train", "tune"):
        assert "0.5" in help_of(command) and "|W|^2" in help_of(command), command


def test_an_unknown_command_suggests_the_nearest():
    result = CliRunner().invoke(cli, ["trian"])
    assert result.exit_code == 2 and "train" in result.stderr
