"""Folders of images that are no data set, or hold what is no image: refused in one line, and nothing is written."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

from softmaxclf.datasets.sources import open_source

Build = Callable[[Path], object]


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "teal").save(path, "PNG")


def classes(home: Path, *names: str) -> None:
    for name in names:
        for number in range(3):
            image(home / name / f"{number}.png")


def splits(**parts: tuple[str, ...]) -> Build:
    """Splits by their names, each with the classes that it has."""

    def build(mine: Path) -> None:
        for part, names in parts.items():
            (mine / part).mkdir(parents=True)
            classes(mine / part, *names)

    return build


def also(change: Callable[[Path], object], *names: str) -> Build:
    """A folder of the classes ant and bee, or `names`, that is then changed."""

    def build(mine: Path) -> None:
        classes(mine, *(names or ("ant", "bee")))
        change(mine)

    return build


def holding(content: bytes, name: str = "bad.png") -> Build:
    return also(lambda mine: (mine / "ant" / name).write_bytes(content))


def linked(target: str) -> Build:
    return also(lambda mine: (mine / "ant" / "bad.png").symlink_to(target))


def nothing_but(content: bytes) -> Build:
    def change(mine: Path) -> None:
        for path in mine.rglob("*.png"):
            path.write_bytes(content)

    return also(change)


def hidden(mine: Path) -> None:
    for path in (mine / "ant").iterdir():
        path.rename(path.with_name(f".{path.name}"))


def other_ending(mine: Path) -> None:
    for path in (mine / "ant").iterdir():
        path.rename(path.with_suffix(".heic"))


def saved(mode: str) -> Build:
    return also(lambda mine: Image.new(mode, (8, 8)).save(mine / "ant" / "bad.tif"))


def png(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


TRAINING = ("train/ant", "train/bee")
CASES: list[tuple[str, str, Build]] = [
    ("layout", "an empty folder", lambda mine: mine.mkdir()),
    ("layout", "folders without a file", lambda mine: [(mine / name).mkdir(parents=True) for name in "ab"]),
    ("layout", "images without a class folder", lambda mine: image(mine / "ant.png")),
    ("layout", "text in class folders", lambda mine: [image(mine / n / "x.txt") for n in "ab"]),
    ("layout", "hidden class folders", lambda mine: classes(mine, ".ant", ".bee")),
    ("layout", "splits without class folders", lambda mine: [image(mine / p / "x.png") for p in ("train", "test")]),
    ("layout", "an empty train", splits(train=(), test=("ant", "bee"))),
    ("layout", "an empty test", splits(train=("ant", "bee"), test=())),
    ("layout", "an empty validation", splits(train=("ant", "bee"), validation=(), test=("ant", "bee"))),
    ("layout", "validation and val", splits(train=("ant", "bee"), validation=("ant",), val=("ant",))),
    ("layout", "test images without class folders", also(lambda mine: image(mine / "test" / "x.png"), *TRAINING)),
    ("class", "one class", lambda mine: classes(mine, "ant")),
    ("class", "one training class", splits(train=("ant",), test=("ant",))),
    ("class", "one class and a file", also(lambda mine: (mine / "bee").touch(), "ant")),
    ("class", "one class and a link to nowhere", also(lambda mine: (mine / "bee").symlink_to("gone"), "ant")),
    ("class", "an empty class", also(lambda mine: (mine / "cat").mkdir())),
    ("class", "an empty training class", also(lambda mine: (mine / "train" / "cat").mkdir(), *TRAINING)),
    ("class", "a class of hidden images", also(hidden)),
    ("class", "a class of other files", also(other_ending)),
    ("class", "a class that only test has", splits(train=("ant", "bee"), test=("ant", "cat"))),
    ("class", "a class that only validation has", splits(train=("ant", "bee"), val=("cat",))),
    ("class", "a test class in other letters", splits(train=("ant", "bee"), test=("Ant", "bee"))),
    ("name", "a class name of two lines", lambda mine: classes(mine, "ant", "two\nlines")),
    ("name", "a class name that moves the cursor", lambda mine: classes(mine, "ant", "\x1b[2Jbee")),
    ("name", "a class name that is no UTF-8", lambda mine: classes(mine, "ant", os.fsdecode(b"\xff\xfe"))),
    ("name", "a class name of 200 letters", lambda mine: classes(mine, "ant", "b" * 200)),
    ("name", "a test class name of two lines", splits(train=("ant", "bee"), test=("two\nlines",))),
    ("name", "a bad image of two lines", holding(b"", "two\nlines.png")),
    ("name", "a bad image that moves the cursor", holding(b"", "\x1b[2J.png")),
    ("name", "a bad image that is no UTF-8", holding(b"", os.fsdecode(b"\xff.png"))),
    ("link", "a link to nowhere", linked("gone.png")),
    ("link", "a link to itself", linked("bad.png")),
    ("link", "a link to a file that is no image", linked(__file__)),
    ("link", "a link to a device", linked("/dev/zero")),
    ("image", "an empty file", holding(b"")),
    ("image", "text", holding(b"This is not an image.\n")),
    ("image", "HEIC by another name", holding(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")),
    ("image", "a PNG of 20,000 x 20,000", holding(png(20_000, 20_000))),
    ("image", "a PNG without data", holding(png(8, 8))),
    ("image", "a file of 10 GB", also(lambda mine: [os.truncate(each, 10 << 30) for each in mine.rglob("*.png")])),
    ("image", "a pipe", also(lambda mine: os.mkfifo(mine / "ant" / "bad.png"))),
    ("image", "a TIFF of floating-point numbers", saved("F")),
    ("image", "a TIFF of 32-bit numbers", saved("I")),
    ("image", "none that is one", nothing_but(b"no image")),
]  # fmt: skip


@pytest.mark.parametrize(
    "build", [each[2] for each in CASES], ids=[f"{kind}: {name}" for kind, name, _ in CASES]
)
def test_a_hostile_folder_of_images_is_refused_and_nothing_is_written(
    build: Build, tmp_path: Path, assert_refused: Callable[[Path], str], run_cli: Callable[..., Result]
) -> None:
    mine = tmp_path / "mine"
    build(mine)
    message = assert_refused(mine)
    before = sorted(tmp_path.rglob("*"))
    result = run_cli("tune", "--data", mine, "--out", "run")
    assert (result.exit_code, result.stdout) == (3, "")
    (line,) = [each for each in result.stderr.splitlines() if each.startswith("Error: ")]
    assert line == f"Error: {message}" or "cannot be read" in line
    assert sorted(tmp_path.rglob("*")) == before


def test_none_of_many_images_that_is_one_is_refused_even_if_they_may_be_left_out(tmp_path: Path) -> None:
    nothing_but(b"no image")(tmp_path / "mine")
    with pytest.raises(Exception, match=r"found 5 of 5 that cannot be read: .*; save them again as PNG$"):
        _ = open_source(str(tmp_path / "mine"), tmp_path, skip_unreadable=True, test=1).train


def test_the_parts_of_the_cases_make_a_data_set_when_they_are_whole(tmp_path: Path) -> None:
    also(lambda mine: None)(tmp_path / "one")
    splits(train=("ant", "bee"), val=("ant",), test=("bee",))(tmp_path / "two")
    for name, rows in (("one", 5), ("two", 6)):
        dataset = open_source(str(tmp_path / name), tmp_path)
        assert (
            dataset.class_names == ("ant", "bee") and len(dataset.train.y) == rows and len(dataset.test().y)
        )
