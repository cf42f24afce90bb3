"""The fuzz script runs, finds nothing in a few inputs, and does find a reader that is broken."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "fuzz"
READERS = ("batch", "model", "configuration", "archive", "features", "idx", "image")
# Runs the script with a reader that raises, waits or takes memory where it should refuse.
BROKEN = """
import runpy, signal, sys
set_timer = signal.setitimer
signal.setitimer = lambda which, seconds: set_timer(which, seconds / 25)
sys.path.insert(0, {folder!r})
from dataclasses import replace
from fuzzing import readers
read = readers.READERS["configuration"].read
def broken(path):
    if b"\\0" in path.read_bytes():
        {problem}
    return read(path)
readers.READERS["configuration"] = replace(readers.READERS["configuration"], read=broken)
sys.argv = [{script!r}, *sys.argv[1:]]
runpy.run_path({script!r}, run_name="__main__")
"""
PROBLEMS = {
    "another exception": ("raise KeyError('a bug')", "KeyError: 'a bug'"),
    "a hang": ("while True: pass", "no answer after"),
    "memory": ("value = b'x' * (250 << 20)", "MB of memory"),
    "two lines": ("raise readers.DataError('one\\ntwo')", "not one printable line"),
}


def run(*command: object, folder: Path) -> "subprocess.CompletedProcess[str]":
    texts = [sys.executable, *map(str, command)]
    return subprocess.run(texts, capture_output=True, text=True, cwd=folder, timeout=120)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.slow
def test_a_few_inputs_find_nothing(reader: str, tmp_path: Path) -> None:
    process = run(SCRIPT, "--reader", reader, "--inputs", 300, "--seconds", 60, folder=tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stdout.startswith(f"{reader}: 300 inputs in ") and process.stdout.endswith("found: 0\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_broken_reader_is_found_and_the_input_can_be_read_again(problem: str, tmp_path: Path) -> None:
    code, said = PROBLEMS[problem]
    script = BROKEN.format(folder=str(SCRIPT.parent), script=str(SCRIPT), problem=code)
    process = run(
        "-c", script, "--reader", "configuration", "--inputs", 60, "--save", "found", folder=tmp_path
    )
    assert process.returncode == 1, process.stdout + process.stderr
    assert (
        said in process.stderr
        and "found: scripts/fuzz --reader configuration --replay found/" in process.stderr
    )
    kept = sorted((tmp_path / "found").iterdir())
    assert [path.name for path in kept] == [f"configuration-{number + 1}" for number in range(len(kept))]
    assert all(b"\0" in path.read_bytes() for path in kept)


def test_one_input_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("training: {seed: 1}\n")
    (tmp_path / "bad.yaml").write_text("training: {sead: 1}\n")
    good, bad = (
        run(SCRIPT, "--reader", "configuration", "--replay", name, folder=tmp_path)
        for name in ("good.yaml", "bad.yaml")
    )
    assert (good.returncode, good.stdout) == (0, "value: \n")
    assert bad.returncode == 0 and bad.stdout.startswith(
        "refusal: ConfigError: bad.yaml:1: training.sead: expected"
    )


def test_the_same_seed_gives_the_same_inputs(tmp_path: Path) -> None:
    outputs = [
        run(SCRIPT, "--reader", "features", "--inputs", 100, "--seed", seed, folder=tmp_path).stdout.split(
            " s, "
        )[1]
        for seed in (3, 3, 4)
    ]
    assert outputs[0] == outputs[1] != outputs[2]
