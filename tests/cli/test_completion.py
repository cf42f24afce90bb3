"""Completion in the shells themselves: what they offer for a line that was begun."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from softmaxclf.cli.main import cli

# What is typed, and what is among the offers. Of fish and bash a function is asked; zsh completes on a terminal.
LINES = (
    ("softmaxclf tr", ["train"]),
    ("softmaxclf train --learn", ["--learning-rate"]),
    ("softmaxclf tune --solver ", ["auto", "lbfgs", "sgd"]),
    ("softmaxclf tune --set training.batch", ["training.batch_size="]),
    ("softmaxclf evaluate --split va", ["validation"]),
    ("softmaxclf data ver", ["verify"]),
    ("softmaxclf train --config one", ["one.yaml"]),
)
ASKING = {
    "bash": """
        COMP_LINE={line}; COMP_WORDS=($COMP_LINE); [[ "$COMP_LINE" == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_POINT=${{#COMP_LINE}}
        _softmaxclf_completion softmaxclf "${{COMP_WORDS[COMP_CWORD]}}" ""
        printf '%s\\n' "${{COMPREPLY[@]}}"
        [ -z "${{COMPREPLY[*]}}" ] && compgen -o default -f -- "${{COMP_WORDS[COMP_CWORD]}}"; true
    """,
    "fish": "complete -C {line}",
    # A zsh in a terminal of its own, to which the line and a tab are typed.
    "zsh": """
        zmodload zsh/zpty; zpty shell zsh -f -i
        ask() {{ zpty -w shell "$1"; }}
        ask 'PS1=READY PS2= RPS1= ; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -D -u'
        ask 'zstyle ":completion:*" menu no; setopt list_ambiguous no_beep; LISTMAX=0'
        ask 'source completion.zsh; echo BEGUN$((1+1))'
        zpty -r -m shell seen '*BEGUN2*'
        zpty -n -w shell {line}$'\\t\\t'
        zpty -n -w shell $'\\C-a echo \\C-e ; echo ENDED$((1+1))\\n'
        zpty -r -m shell seen '*ENDED2*'
        print -r -- "$seen"
    """,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file, the scripts, and the program on the search path."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "one.yaml").touch()
    program = folder / "bin" / "softmaxclf"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m softmaxclf "$@"\n')
    program.chmod(0o755)
    for shell in ASKING:
        result = CliRunner().invoke(cli, ["completion", shell])
        assert result.exit_code == 0 and f"softmaxclf completion {shell}" in result.stdout
        (folder / f"completion.{shell}").write_text(result.stdout)
    return folder


def offers(shell: str, line: str, place: Path) -> str:
    program = shutil.which(shell)
    if program is None:
        if os.environ.get("SOFTMAXCLF_REQUIRE_SHELLS"):
            pytest.fail(f"{shell} is not installed")
        pytest.skip(f"{shell} is not installed")
    sourced = "" if shell == "zsh" else f"source ./completion.{shell}\n"
    path = f"{place / 'bin'}:{os.environ['PATH']}"
    script = sourced + ASKING[shell].format(line=f"'{line}'")
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    result = subprocess.run(
        [program, *plain, "-c", script],
        env={**os.environ, "PATH": path, "HOME": str(place), "TERM": "dumb", "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=place, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("shell", ASKING)
@pytest.mark.parametrize(("line", "expected"), LINES)
def test_a_shell_offers_what_can_follow(shell: str, line: str, expected: list[str], place: Path) -> None:
    found = offers(shell, line, place)
    for word in expected:
        assert word in found, found
    assert "visualize-weights" not in found  # not simply everything
