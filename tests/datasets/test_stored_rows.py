"""Rows that are computed block by block: whole, continued, damaged, and where there is no room."""

import json

import numpy as np
import pytest

from softmaxclf.arrays import StoredArray
from softmaxclf.datasets import stored_rows
from softmaxclf.datasets.stored_rows import in_file, in_memory
from softmaxclf.errors import DataError, OutputError

SHAPE = (100, 7)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(stored_rows, "BLOCK_BYTES", 7)  # 16 rows, the least
    monkeypatch.setattr(stored_rows, "SAVED_SECONDS", 0.0)


class Rows:
    """Rows that count how often they are computed, and fail at one."""

    def __init__(self, stop_at=None):
        self.computed, self.stop_at = [], stop_at
        self.whole = np.arange(700).reshape(SHAPE).astype(np.uint8)

    def __call__(self, part, out):
        if self.stop_at is not None and part.start >= self.stop_at:
            raise KeyboardInterrupt
        self.computed += range(part.start, part.stop)
        out[:] = self.whole[part]


def test_rows_are_the_same_in_memory_and_in_a_file_kept_there_or_read(tmp_path):
    rows, told = Rows(), []
    progress = lambda done, of: told.append((done, of))  # noqa: E731
    np.testing.assert_array_equal(in_memory(SHAPE, rows, progress=progress), rows.whole)
    kept = in_file(tmp_path / "a.rows", SHAPE, rows, progress=progress)
    read = in_file(tmp_path / "a.rows", SHAPE, rows, memory=10**6)
    np.testing.assert_array_equal(kept, rows.whole)
    np.testing.assert_array_equal(read, rows.whole)
    assert isinstance(kept, StoredArray) and isinstance(read, np.ndarray)
    assert len(rows.computed) == 200 and told[-1] == (100, 100)


def test_what_stops_the_work_leaves_its_blocks_and_the_rest_is_added(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        in_file(tmp_path / "a.rows", SHAPE, Rows(stop_at=48))
    rest = Rows()
    np.testing.assert_array_equal(in_file(tmp_path / "a.rows", SHAPE, rest), rest.whole)
    assert rest.computed == list(range(48, 100))


@pytest.mark.parametrize(
    "damage",
    [
        lambda rows, facts: rows.write_bytes(b"x" + rows.read_bytes()[1:]),
        lambda rows, facts: rows.write_bytes(rows.read_bytes()[:-1]),
        lambda rows, facts: rows.unlink(),
        lambda rows, facts: facts.unlink(),
        lambda rows, facts: facts.write_text("{"),
        lambda rows, facts: facts.write_text(json.dumps({"rows": 10**9, "crc32": 0})),
        lambda rows, facts: facts.write_text(json.dumps({"rows": "all", "crc32": 0})),
        lambda rows, facts: facts.write_text(json.dumps([1])),
        lambda rows, facts: facts.write_text(json.dumps({"rows": -1, "crc32": 0})),
    ],
)
def test_rows_that_cannot_be_relied_on_are_made_again(damage, tmp_path):
    place = tmp_path / "a.rows"
    in_file(place, SHAPE, Rows())
    damage(place, place.with_suffix(".json"))
    rows = Rows()
    np.testing.assert_array_equal(in_file(place, SHAPE, rows), rows.whole)
    assert rows.computed[0] == 0 and len(rows.computed) == 100


def test_a_file_longer_than_its_rows_is_cut_before_more_are_added(tmp_path):
    place = tmp_path / "a.rows"
    with pytest.raises(KeyboardInterrupt):
        in_file(place, SHAPE, Rows(stop_at=48))
    place.write_bytes(place.read_bytes() + b"half a block")
    np.testing.assert_array_equal(in_file(place, SHAPE, Rows()), Rows().whole)


def test_a_disk_without_room_is_not_filled(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 699})
    monkeypatch.setattr(stored_rows.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OutputError, match="expected 700 bytes of free space, found 699"):
        in_file(tmp_path / "a.rows", SHAPE, Rows())
    assert list(tmp_path.iterdir()) == []


def test_what_lies_in_the_files_place_is_not_followed(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "a.rows").symlink_to(tmp_path / "mine.txt")
    with pytest.raises(OutputError):
        in_file(tmp_path / "a.rows", SHAPE, Rows())
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_rows_whose_file_is_cut_while_they_are_read_are_an_error_and_no_crash(tmp_path):
    rows = in_file(tmp_path / "a.rows", SHAPE, Rows())
    (tmp_path / "a.rows").write_bytes(b"short")
    with pytest.raises(DataError, match=r"a\.rows: expected the file to stay as it was"):
        rows[50:60]
