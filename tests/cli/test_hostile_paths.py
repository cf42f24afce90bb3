"""Every place where a command takes a path, given what no file should be.

One line, exit 2 or 3; nothing waits, and nothing is replaced or left behind.
"""

import os
import shlex
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from softmaxclf.cli.main import cli

# A question mark stands for the path. The model is one of a table, pixels one of images.
INPUTS = (
    "train --data ? --out new",
    "train --data data.npz --config ? --out new",
    "train --data cifar10 --set data.download=false --set data.directory=? --out new",
    "tune --data ? --out new",
    "tune --data data.npz --config ? --out new",
    "evaluate ?",
    "evaluate model --data ?",
    "predict ? photo.png",
    "predict pixels ?",
    "predict pixels ?.png",
    "predict model ?.csv",
    "predict model ?.parquet",
    "predict model ?.npy",
    "visualize-weights ?",
    "visualize-weights pixels --examples --data ?",
    "report ?",
    "page ?",
    "compare ? model",
    "compare model pixels --data ?",
    "explain --model ? --image photo.png",
    "explain --model pixels --image ?",
    "gradcheck --data ?",
    "gradcheck --data ?.csv",
    "data describe ?",
    "data describe ?.parquet",
    "data verify --directory ?",
)
# Folders of which one file is what no file should be.
MEMBERS = {
    "weights.npz": ("evaluate folder", "report folder", "page folder"),
    "manifest.json": ("report folder", "train --data data.npz --out folder", "evaluate model --out folder"),
    "config.yaml": ("report folder",),
    "metrics.json": ("report folder",),
    "history.csv": ("report folder", "compare folder pixels --data data.npz"),
    "X_train.npy": ("data describe folder",),
    "y_train.txt": ("data describe folder",),
    "train.csv": ("data describe folder",),
    "data_batch_1": ("data describe folder",),
    "train-images-idx3-ubyte": ("data describe folder",),
    "class/photo.png": ("data describe folder", "predict pixels folder"),
}
OUTPUTS = (
    "train --data data.npz --out ?",
    "tune --data data.npz --out ?",
    "evaluate model --out ?",
    "evaluate model --calibrate --calibrated-out ?.npz",
    "predict pixels photo.png --out ?",
    "predict model rows.csv --out ?.csv",
    "predict model rows.csv --out ?.jsonl",
    "visualize-weights model --out ?.png",
    "visualize-weights model --csv ?.csv --out new.png",
    "report model --out ?",
    "page model --out ?",
    "compare model other --out ?",
    "explain 1 2 --out ?.png",
    "data describe pixels.npz --out ?.png",
    "data sample ?",
    "data download --mirror http://127.0.0.1:9 --directory ?",
)


def closed(path: Path) -> None:
    path.mkdir()
    (path / "mine").touch()
    path.chmod(0)


def inside_closed(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    (path.parent / "there").touch()
    path.parent.chmod(0o600)


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as each:
        each.bind(str(path))


# How each is made at a path that ends as asked for.
KINDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "closed folder": ("odd", closed),
    "in a closed folder": ("closed/odd", inside_closed),
    "name of 300 letters": ("x" * 300, lambda path: None),
    "links in a circle": ("odd", lambda path: path.symlink_to(path.name)),
    "socket": ("odd", bound_socket),
    "pipe": ("odd", os.mkfifo),
    "endless device": ("odd", lambda path: path.symlink_to("/dev/zero")),
    "full device": ("odd", lambda path: path.symlink_to("/dev/full")),
    "in a file": ("photo.png/odd", lambda path: None),
    "no UTF-8": ("odd\udcff", Path.touch),
    "empty": ("", lambda path: None),
}
FIRST_READ = "first read fails"
MADE = {**KINDS, FIRST_READ: ("odd", lambda path: path.symlink_to("/proc/self/mem"))}
CASES = [
    *((kind, "in", command) for kind in MADE for command in INPUTS if kind != "empty" or "?." not in command),
    *((kind, "out", command) for kind in KINDS for command in OUTPUTS),
    *(
        (kind, member, command)
        for member, commands in MEMBERS.items()
        for command in commands
        for kind, (name, _) in MADE.items()
        if name == "odd"
    ),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, features_file: Path, undrawn: None) -> Path:
    """A folder with models of a table (model, other) and of images (pixels), their data and something to predict."""
    place = tmp_path_factory.mktemp("made")
    generator = np.random.default_rng(0)
    Image.fromarray(generator.integers(0, 255, (8, 8, 3)).astype(np.uint8)).save(place / "photo.png")
    X, y = generator.integers(0, 255, (60, 3, 4, 4)).astype(np.uint8), np.arange(60) % 2
    np.savez(place / "pixels.npz", X_train=X, y_train=y, X_test=X, y_test=y)
    (place / "data.npz").write_bytes(features_file.read_bytes())
    with np.load(features_file) as file:
        rows = [",".join(map(str, row)) for row in file["X_test"].tolist()]
    (place / "rows.csv").write_text("\n".join([",".join(f"f{k}" for k in range(12)), *rows]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for data, out in (("data.npz", "model"), ("data.npz", "other"), ("pixels.npz", "pixels")):
            command = ["train", "--data", data, "--out", out, "--set", f"data.seed={len(out)}"]
            assert CliRunner().invoke(cli, command).exit_code == 0
    return place


@pytest.fixture
def workplace(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the same in it by links, in which the command works as a user who is not root."""
    for each in made.iterdir():
        (tmp_path / each.name).symlink_to(each)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for folder in tmp_path.iterdir():
        if folder.is_dir() and not folder.is_symlink():
            folder.chmod(0o700)


def run(command: str, path: str, privileges: "AbstractContextManager[None]") -> Result:
    """What the command line says when the path is given; what hangs is ended."""

    def hangs(*_: object) -> None:
        raise AssertionError("the command waits for ever")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(20)
    try:
        with privileges:
            return CliRunner().invoke(cli, [word.replace("?", path) for word in shlex.split(command)])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def whole_run(place: Path) -> None:
    """A run folder called folder."""
    for each in (place / "model").iterdir():
        (place / "folder" / each.name).write_bytes(each.read_bytes())


def make(kind: str, what: str, command: str, place: Path) -> str:
    """Make what is asked for where the command takes it; returns the path to be given."""
    name, makes = MADE[kind]
    if what in ("in", "out"):
        path = place / f"{name}{command.partition('?')[2].partition(' ')[0]}"
    else:
        path = place / "folder" / what
        for folder in (path.parent, place / "folder" / "a", place / "folder" / "b"):
            folder.mkdir(parents=True, exist_ok=True)
        if what in ("weights.npz", "manifest.json", "config.yaml", "metrics.json", "history.csv"):
            whole_run(place)
            path.unlink()
        if what.endswith(".png"):
            (place / "folder" / "a" / "photo.png").symlink_to(place / "photo.png")
            (place / "folder" / "b" / "photo.png").symlink_to(place / "photo.png")
    if kind != "empty":
        makes(path)
    return name


def state(place: Path) -> dict[str, int]:
    """What lies in the folder, and of which type it is."""
    return {each.name: stat.S_IFMT(each.lstat().st_mode) for each in place.iterdir()}


@pytest.mark.parametrize(("kind", "what", "command"), CASES)
def test_what_is_no_file_is_refused_in_one_line(
    kind: str,
    what: str,
    command: str,
    workplace: Path,
    without_privileges: Callable[[], AbstractContextManager[None]],
) -> None:
    path = make(kind, what, command, workplace)
    before = state(workplace)
    result = run(command, path, without_privileges())
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    others = {5} if what == "manifest.json" else set()  # the place of another run
    assert result.exit_code in {2} if what == "out" else {2, 3} | others, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1 and lines[0].isprintable(), result.stderr
    assert result.stdout == "" or command == "predict pixels folder"  # whose other images are done
    assert state(workplace) == before
