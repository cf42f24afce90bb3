"""Class folders of images: which files are which rows of which split, and what the cache may and may not answer."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from softmaxclf.core.splits import drawn_test_split
from softmaxclf.datasets import image_rows
from softmaxclf.datasets.dataset import Dataset, Split
from softmaxclf.datasets.images import find_images, read_image, read_images
from softmaxclf.datasets.sources import open_source
from softmaxclf.errors import ConfigError, DataError

SHAPE = (3, 4, 6)
NAMES = ("ant", "bee", "cat")


def write_image(path: Path, seed: int = 0, size: tuple[int, int] = (6, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three classes of six images, no two alike."""
    for number in range(18):
        write_image(tmp_path / "photos" / NAMES[number % 3] / f"{number:02}.png", number)
    return tmp_path / "photos"


class Reader:
    """Opens a folder and keeps what is told; counts the files that are decoded."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch) -> None:
        self.home, self.notes, self.warnings, self.decoded = home, list[str](), list[str](), list[Path]()
        self.steps: list[tuple[int, int]] = []

        def counted(paths: Any, *rest: Any) -> Any:
            self.decoded += paths
            return read_images(paths, *rest)

        patch.setattr(image_rows, "read_images", counted)

    def __call__(self, source: Path, **settings: Any) -> Dataset:
        self.decoded.clear()
        listening = {
            "note": self.notes.append,
            "warn": self.warnings.append,
            "progress": lambda *step: self.steps.append(step),
        }
        return open_source(str(source), self.home, **{"image_size": SHAPE[1:], **listening, **settings})

    def cache(self, part: str = "train") -> Path:
        (found,) = (self.home / "cache").glob(f"*-{part}-*.npz")
        return found


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    return Reader(tmp_path / "data", monkeypatch)


def equal(split: Split, other: Split) -> bool:
    return np.array_equal(split.X, other.X) and np.array_equal(split.y, other.y)


def rows_of(files: list[Path], shape: tuple[int, int, int] = SHAPE) -> Any:
    return np.stack([read_image(file, shape) for file in files])


# Layouts


def test_classes_are_the_sorted_folders_and_rows_what_predict_reads(photos: Path, read: Reader) -> None:
    write_image(photos / "bee" / "sub" / "deeper" / "large.jpg", 99, (90, 70))
    found = read(photos, test=0)
    files = find_images([photos / name for name in NAMES])
    assert found.class_names == NAMES and found.image_shape == SHAPE and found.name == "photos"
    np.testing.assert_array_equal(found.train.X, rows_of(files))
    assert found.train.X.dtype == np.uint8
    assert [NAMES[label] for label in found.train.y] == [file.relative_to(photos).parts[0] for file in files]
    assert found.read_test is None


def test_a_test_part_is_drawn_within_the_classes_from_the_seed(photos: Path, read: Reader) -> None:
    everything = read(photos, test=0).train
    for seed in (0, 1):
        train, test = drawn_test_split(everything.y, 6, seed)
        found = read(photos, test=6, seed=seed)
        assert equal(found.train, Split(everything.X[train], everything.y[train]))
        assert equal(found.test(), Split(everything.X[test], everything.y[test]))
        assert np.bincount(found.test().y).tolist() == [2, 2, 2]
    with pytest.raises(ConfigError, match=r"^data\.test: .*photos: .*fewer than the 18 rows, got 18"):
        read(photos, test=18)


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_the_folders_train_validation_and_test_are_the_splits(
    photos: Path, read: Reader, validation: str, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    for part in ("train", validation, "test"):
        shutil.copytree(photos, mine / part)
    shutil.rmtree(mine / "test" / "ant")
    (mine / validation / "bee" / "empty").mkdir()
    (mine / "more").mkdir()
    found = read(mine)
    assert found.validation is not None and equal(found.validation, found.train)
    assert np.bincount(found.test().y).tolist() == [0, 6, 6]
    assert found.notes == (f"{mine}: not read: more (train, validation or val, and test are)",)


def test_without_a_test_folder_there_is_no_test_split(photos: Path, read: Reader, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "mine" / "train")
    found = read(tmp_path / "mine")
    assert len(found.train.y) == 18
    with pytest.raises(DataError, match=r"mine: no test split found; add one"):
        found.test()


def test_a_class_may_be_called_train(photos: Path, read: Reader) -> None:
    (photos / "ant").rename(photos / "train")
    assert read(photos).class_names == ("bee", "cat", "train")


def test_image_size_and_color_are_those_of_the_settings(photos: Path, read: Reader) -> None:
    found = read(photos, image_size=5, color="grey", test=0)
    assert found.image_shape == (1, 5, 5)
    np.testing.assert_array_equal(found.train.X, rows_of(find_images([photos]), (1, 5, 5)))


def test_hidden_files_links_to_folders_inside_a_class_and_other_files_are_left_out(
    photos: Path, read: Reader
) -> None:
    (photos / ".git").mkdir()
    write_image(photos / "ant" / ".hidden.png")
    write_image(photos / "outside.png")
    (photos / "notes.txt").touch()
    (photos / "cat" / "loop").symlink_to(photos)
    (photos / "cat" / "list.csv").touch()
    (photos / "bee" / "new.HEIC").touch()
    found = read(photos, test=0)
    assert len(found.train.y) == 18
    assert found.notes == (
        f"{photos}: images in no class folder, left out: 1",
        f"{photos}: files that do not end as images do, left out: .heic 1, .csv 1",
    )


def test_links_to_files_and_links_as_class_folders_are_followed(
    photos: Path, read: Reader, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("ant", "bee"):
        (mine / name).symlink_to(photos / name)
    assert len(read(mine, test=0).train.y) == 12
    (mine / "cat").mkdir()
    (mine / "cat" / "x.png").symlink_to(photos / "cat" / "02.png")
    np.testing.assert_array_equal(
        read(mine, test=0).train.X[-1], read_image(photos / "cat" / "02.png", SHAPE)
    )


def test_names_in_any_bytes_are_read_and_shown_on_one_line(photos: Path, read: Reader) -> None:
    for name in ("two\nlines.png", os.fsdecode(b"\xff\xfe.png"), "\x1b[31mred.png"):
        write_image(photos / "ant" / name, 7)
    assert len(read(photos, test=0).train.y) == 21
    (photos / "ant" / "two\nlines.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"two\\nlines") as caught:
        _ = read(photos, test=0).train
    assert str(caught.value).isprintable()


def test_a_folder_of_many_levels_is_read(photos: Path, read: Reader) -> None:
    levels = [photos / "ant" / "d"]
    for _ in range(1200):
        levels[-1].mkdir()
        levels.append(levels[-1] / "d")
    try:
        (photos / "ant" / "00.png").rename(levels[-2] / "00.png")
        assert len(read(photos, test=0).train.y) == 18
    finally:  # what removes the folders of tests calls itself for each level
        (levels[-2] / "00.png").unlink(missing_ok=True)
        for level in reversed(levels[:-1]):
            level.rmdir()


def test_16_bit_cmyk_and_animated_images_are_read_as_predict_reads_them(photos: Path, read: Reader) -> None:
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(photos / "ant" / "animated.gif", save_all=True, append_images=frames[1:])
    Image.new("CMYK", (9, 9), (9, 99, 0, 0)).save(photos / "ant" / "cmyk.jpg")
    Image.fromarray(np.arange(0, 65536, 810, np.uint16).reshape(9, 9)).save(photos / "ant" / "grey16.png")
    np.testing.assert_array_equal(read(photos, test=0).train.X, rows_of(find_images([photos])))


# Images that cannot be read


def test_all_bad_images_are_counted_and_the_first_ten_named(photos: Path, read: Reader) -> None:
    for number in range(12):
        (photos / "bee" / f"bad{number:02}.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        _ = read(photos, test=0).train
    message = str(caught.value)
    assert "found 12 of 30 that cannot be read: bee/bad00.png, " in message
    assert "bee/bad09.png and 2 more (the first: expected an image file of 1 to" in message
    assert "found an empty file)" in message and "--set data.skip_unreadable=true" in message
    assert not (read.home).exists()


def test_skip_unreadable_leaves_them_out_and_says_so(photos: Path, read: Reader) -> None:
    whole = read(photos, test=0).train
    (photos / "ant" / "00a.png").write_bytes(b"no image")
    for decoded in (19, 0):  # the second time, the cache knows which
        found = read(photos, test=0, skip_unreadable=True)
        assert equal(found.train, whole) and len(read.decoded) == decoded
    assert len(read.warnings) == 2
    assert read.warnings[0].startswith(
        f"{photos}: left out of the images: 1 of 19 that cannot be read: ant/00a.png"
    )
    with pytest.raises(DataError, match=r"1 of 19 that cannot be read"):
        _ = read(photos, test=0).train


def test_an_image_that_can_be_read_by_now_is_not_left_out_for_ever(
    photos: Path, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = photos / "ant" / "00.png"
    content, times = closed.read_bytes(), closed.stat()
    closed.write_bytes(bytes(len(content)))
    os.utime(closed, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert len(read(photos, test=0, skip_unreadable=True).train.y) == 17
    closed.write_bytes(content)
    os.utime(closed, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert len(read(photos, test=0, skip_unreadable=True).train.y) == 18


# The cache


def test_each_split_is_decoded_once_and_only_when_asked(photos: Path, read: Reader) -> None:
    found = read(photos)
    assert not read.decoded
    train = found.train
    assert len(read.decoded) == len(train.y) == 14 and read.steps[-1] == (14, 14)
    test = found.test()
    assert len(read.decoded) == 18
    again = read(photos)
    assert equal(again.train, train) and equal(again.test(), test)
    assert again.train.stored and not read.decoded
    assert read.notes == [
        f"{count} images are kept as they were read in {read.cache(part)}"
        for count, part in ((14, "train"), (4, "test"))
    ]


def _touch(photos: Path) -> None:
    os.utime(photos / "ant" / "00.png", ns=(1, 1))


def _rename(photos: Path) -> None:
    (photos / "ant" / "00.png").rename(photos / "ant" / "000.png")


def _enlarge(photos: Path) -> None:
    path = photos / "ant" / "00.png"
    times = path.stat()
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("change", [_touch, _rename, _enlarge])
def test_another_time_name_or_size_of_a_file_is_another_cache(
    photos: Path, read: Reader, change: Callable[[Path], None]
) -> None:
    _ = read(photos).train
    change(photos)
    _ = read(photos).train
    assert len(read.decoded) == 14
    assert len(list((read.home / "cache").iterdir())) == 1  # it took the place of the old one


def test_another_size_color_or_version_of_pillow_is_another_cache(
    photos: Path, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = read(photos).train
    for settings in ({"image_size": 5}, {"color": "grey"}, {"seed": 1}):
        assert read(photos, **settings).train.X is not None and len(read.decoded) == 14
    monkeypatch.setattr("PIL.__version__", "0")
    _ = read(photos).train
    assert len(read.decoded) == 14


def _resealed(path: Path, **changed: Any) -> None:
    """Another cache with other arrays, whole in itself."""
    with np.load(path) as arrays:
        content = {name: arrays[name] for name in arrays.files} | changed
    np.savez(path, **content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "an empty file": lambda path: path.write_bytes(b""),
    "half of it": lambda path: os.truncate(path, path.stat().st_size // 2),
    "another pixel": lambda path: path.write_bytes(_flipped(path.read_bytes())),
    "other rows": lambda path: _resealed(path, rows=np.zeros((14, 71), np.uint8)),
    "fewer rows": lambda path: _resealed(path, rows=np.zeros((13, 72), np.uint8)),
    "rows of floats": lambda path: _resealed(path, rows=np.zeros((14, 72), np.float32)),
    "another key": lambda path: _resealed(path, key=np.array("x")),
    "a key that is no text": lambda path: _resealed(path, key=np.zeros(3)),
    "a file that is not there": lambda path: _resealed(path, unread=np.array([14])),
    "a file before the first": lambda path: _resealed(path, unread=np.array([-1])),
    "a place that is none": lambda path: _resealed(path, unread=np.array([0.5])),
    "one more array": lambda path: _resealed(path, more=np.zeros(1)),
    "rows packed": lambda path: np.savez_compressed(path, rows=np.zeros((14, 72)), unread=[], key=""),
    "a bomb": lambda path: np.savez_compressed(path, rows=np.zeros(50 << 20, np.uint8)),
    "an archive of nothing": lambda path: np.savez(path),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a link to nowhere": lambda path: (path.unlink(), path.symlink_to("nowhere")),
}


def _flipped(content: bytes) -> bytes:
    place = 300
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_cache_is_made_again(photos: Path, read: Reader, damage: Callable[[Path], object]) -> None:
    train = read(photos).train
    whole = Split(np.array(train.X), train.y)
    damage(read.cache())
    assert equal(read(photos).train, whole) and len(read.decoded) == 14
    assert equal(read(photos).train, whole) and not read.decoded


def test_without_a_cache_nothing_is_written(photos: Path, read: Reader) -> None:
    kept = read(photos).train
    shutil.rmtree(read.home)
    assert equal(read(photos, cache=False).train, kept)
    assert not read.home.exists() and read.steps[-1] == (14, 14)


def test_a_folder_that_cannot_be_written_is_a_note(photos: Path, read: Reader) -> None:
    read.home.write_text("a file in place of the folder")
    assert len(read(photos).train.y) == 14
    (note,) = read.notes
    assert "cache" in note and "cannot be written" in note and "\n" not in note


def test_a_full_disk_is_a_note(photos: Path, read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert len(read(photos).train.y) == 14
    assert "No space left on device" in read.notes[0]
    assert not read.home.exists()


def test_a_disk_with_too_little_room_is_not_filled(
    photos: Path, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=1000))
    assert len(read(photos).train.y) == 14 == len(read.decoded)
    assert "expected 1,008 bytes of free space, found 1,000" in read.notes[0]
    assert not read.home.exists()


def test_an_interruption_leaves_nothing_behind(
    photos: Path, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    dataset = read(photos)
    monkeypatch.setattr(image_rows, "read_images", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _ = dataset.train
    assert not read.home.exists()


# Several threads


@pytest.mark.parametrize("count", [0, 1, 64, 65, 300])
def test_many_images_are_read_as_each_alone_in_order(tmp_path: Path, count: int) -> None:
    paths = [tmp_path / f"{number % 9}.{'tif' if number % 9 == 4 else 'png'}" for number in range(count)]
    for number, path in enumerate(dict.fromkeys(paths)):
        write_image(path, number)
    missing = {7, 130} & set(range(count))
    for place in missing:
        paths[place] = tmp_path / "missing.png"
    blocks: list[Any] = []
    threads = threading.active_count()
    errors = read_images(paths, SHAPE, blocks.append)
    assert threading.active_count() == threads
    assert errors.keys() == missing and all("missing.png: expected" in str(each) for each in errors.values())
    X = np.concatenate([np.empty((0, 72), np.uint8), *blocks])
    assert X.shape == (count, 72)
    for place, path in enumerate(paths):
        expected = np.zeros(72) if place in missing else read_image(path, SHAPE)
        np.testing.assert_array_equal(X[place], expected)


def test_broken_tiffs_in_many_threads_leave_standard_error_as_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "whole.tif", 1, (64, 64))
    whole = (tmp_path / "whole.tif").read_bytes()
    paths = [tmp_path / f"{number}.tif" for number in range(40)]
    for number, path in enumerate(paths):
        path.write_bytes(whole[: 3000 + number])
    assert read_images(paths * 10, SHAPE, lambda rows: None)
    os.write(2, b"still here")
    assert capfd.readouterr() == ("", "still here")
