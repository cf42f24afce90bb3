"""Reading rows as floats and folding mirror images, against loops over single pixels."""

import numpy as np
import pytest

from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.mirror import Mirror

SHAPES = [(3, 4, 6), (3, 4, 5), (1, 2, 2), (2, 3, 1), (1, 1, 7)]


def images(shape, count=9, dtype=np.uint8):
    values = np.random.default_rng(7).integers(0, 256, (count, int(np.prod(shape))))
    return values.astype(dtype)


def reading(mirror):
    return () if mirror is None else (Mirror(mirror),)


def folded_by_loop(X, shape):
    """z[c, r, j] = x[c, r, j] + x[c, r, width - 1 - j]; a middle column once. One pixel at a time."""
    channels, height, width = shape
    half = -(-width // 2)
    Z = np.zeros((len(X), channels * height * half))
    for n, row in enumerate(X.tolist()):
        for line in range(channels * height):
            for j in range(half):
                left, right = row[line * width + j], row[line * width + width - 1 - j]
                Z[n, line * half + j] = left if j == width - 1 - j else left + right
    return Z


def flipped(X, shape):
    return X.reshape(len(X), *shape)[..., ::-1].reshape(len(X), -1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("wanted", [np.float32, np.float64])
def test_folding_adds_each_pixel_to_its_mirror_image_and_keeps_a_middle_column(shape, dtype, wanted):
    X = images(shape, dtype=dtype)
    reader = RowReader(X, [Mirror(shape)], wanted)
    out = np.full((len(X), reader.columns), np.nan, wanted)
    assert reader.read(slice(None), out) is out
    assert reader.columns == shape[0] * shape[1] * -(-shape[2] // 2)
    np.testing.assert_array_equal(out, folded_by_loop(X, shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_folded_sums_of_an_image_and_of_its_mirror_image_are_equal(shape):
    X = images(shape)
    read = [
        np.concatenate([Z.copy() for _, Z in RowReader(each, [Mirror(shape)]).chunks()])
        for each in (X, flipped(X, shape))
    ]
    np.testing.assert_array_equal(*read)


@pytest.mark.parametrize("shape", SHAPES)
def test_unfolded_weights_act_on_pixels_as_folded_ones_act_on_sums(shape):
    X = images(shape)
    W = np.random.default_rng(1).normal(size=(shape[0] * shape[1] * -(-shape[2] // 2), 4))
    full = Mirror(shape).unfold(W)
    assert full.shape == (int(np.prod(shape)), 4)
    np.testing.assert_allclose(X @ full, folded_by_loop(X, shape) @ W, rtol=1e-12, atol=1e-10)
    np.testing.assert_array_equal(full, Mirror(shape).unfold(W).reshape(*shape, 4)[:, :, ::-1].reshape(-1, 4))
    np.testing.assert_array_equal(Mirror(shape).unfold(W[:, 0]), full[:, 0])


@pytest.mark.parametrize("shape", SHAPES)
def test_folding_over_its_scale_keeps_the_length_of_a_symmetric_image(shape):
    """(left + mirrored right) / sqrt 2 is an isometry on images that equal their mirror image."""
    X = images(shape).astype(np.float64)
    symmetric = X + flipped(X, shape)
    Z = folded_by_loop(symmetric, shape) / Mirror(shape).scale
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), np.linalg.norm(symmetric, axis=1), rtol=1e-12)


@pytest.mark.parametrize("mirror", [None, (3, 4, 6)])
@pytest.mark.parametrize(
    "rows",
    [slice(None), slice(2, 7), slice(1, 9, 3), np.array([5]), np.array([3, 0, 3, 8]), np.empty(0, np.int64)],
    ids=["all", "range", "steps", "one", "repeated and unsorted", "none"],
)
def test_rows_are_read_by_indices_and_by_slices(rows, mirror):
    X = images((3, 4, 6))
    expected = (X if mirror is None else folded_by_loop(X, mirror))[rows]
    reader = RowReader(X, reading(mirror))
    out = np.full((len(expected), reader.columns), np.nan, np.float32)
    np.testing.assert_array_equal(reader.read(rows, out), expected)
    assert out.dtype == np.float32


def test_a_larger_read_after_a_smaller_one_and_back_gives_the_same_rows():
    X = images((3, 4, 6))
    reader = RowReader(X, [Mirror((3, 4, 6))])
    expected = folded_by_loop(X, (3, 4, 6))
    for rows in ([1], [0, 1, 2, 3, 4, 5, 6, 7, 8], [4, 2], [8, 0, 1]):
        out = np.empty((len(rows), reader.columns), np.float32)
        np.testing.assert_array_equal(reader.read(np.array(rows), out), expected[rows])


def test_reading_into_rows_of_a_wider_buffer_leaves_the_others_alone():
    X = images((3, 4, 6))
    buffer = np.full((4, 36), -1, np.float32)
    RowReader(X, [Mirror((3, 4, 6))]).read(np.array([7, 2]), buffer[1:3])
    np.testing.assert_array_equal(buffer[1:3], folded_by_loop(X, (3, 4, 6))[[7, 2]])
    assert (buffer[[0, 3]] == -1).all()


@pytest.mark.parametrize("size", [1, 4, 9, 100])
@pytest.mark.parametrize("rows", [None, np.array([8, 1, 1, 0]), slice(3, 8)])
def test_chunks_give_every_row_once_in_order(size, rows):
    X = images((3, 4, 6))
    found = [(part.copy(), Z.copy()) for part, Z in RowReader(X).chunks(rows, size)]
    indices = np.arange(9) if rows is None else np.arange(9)[rows]
    np.testing.assert_array_equal(np.concatenate([part for part, _ in found]), indices)
    np.testing.assert_array_equal(np.concatenate([Z for _, Z in found]), X[indices])
    assert all(len(part) == size for part, _ in found[:-1])


def test_chunks_of_no_rows_are_none():
    assert list(RowReader(images((3, 4, 6))).chunks(np.empty(0, np.int64))) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_memory_mapped_file_reads_as_the_array_in_memory(dtype, order, tmp_path):
    X = images((3, 4, 6), dtype=dtype)
    np.save(tmp_path / "X.npy", np.asarray(X, order=order))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for mirror in (None, (3, 4, 6)):
        rows = np.array([5, 1, 8])
        both = [
            RowReader(each, reading(mirror)).read(
                rows, np.empty((3, RowReader(X, reading(mirror)).columns), np.float32)
            )
            for each in (X, mapped)
        ]
        np.testing.assert_array_equal(*both)


def test_float64_rows_are_read_to_the_last_bit_when_float64_is_asked_for():
    X = np.random.default_rng(0).normal(size=(5, 8)) * 1e-9 + 1
    out = RowReader(X, (), np.float64).read(np.array([4, 2]), np.empty((2, 8)))
    np.testing.assert_array_equal(out, X[[4, 2]])
    folded = RowReader(X, [Mirror((1, 2, 4))], np.float64).read(np.array([4, 2]), np.empty((2, 4)))
    lines = X[[4, 2]].reshape(2, 2, 4)
    np.testing.assert_array_equal(folded, (lines[..., :2] + lines[..., :1:-1]).reshape(2, 4))


def test_uint8_sums_do_not_wrap_around():
    X = np.full((2, 6), 255, np.uint8)
    Z = RowReader(X, [Mirror((1, 1, 6))]).read(slice(None), np.empty((2, 3), np.float32))
    assert (Z == 510).all()
