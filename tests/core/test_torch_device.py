"""Products of parts, and rows that are read into tensors."""

import gc

import numpy as np
import pytest

from softmaxclf.core.rows import RowReader
from softmaxclf.core.stages.mirror import Mirror
from tests.core.engines import NEEDS_TORCH, accelerator_on_the_processor, device_named

torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
from softmaxclf.core.torch_device import ALL_DIGITS, TensorReader, middle_of  # noqa: E402

IMAGE = (3, 4, 6)
ROWS = np.random.default_rng(0).integers(0, 256, (50, 72)).astype(np.uint8)
SOME = np.array([7, 0, 49, 7])


def error_of(found, exact):
    return float(np.sqrt(np.square(found.double().numpy() - exact).mean()))


def test_two_parts_hold_a_number_to_2_to_the_minus_17_and_three_all_of_it():
    device, A = device_named("torch-cpu", "mixed"), torch.randn(100, 50, generator=torch.manual_seed(0))
    hi, lo = (part.bfloat16().double() for part in device.parts(A))  # as units multiply them
    assert ((A - hi - lo).abs() <= 2.0**-17 * A.abs()).all() and not torch.equal(A.double(), hi + lo)
    every = device.parts(A, ALL_DIGITS)
    assert torch.equal(sum(part.bfloat16().double() for part in every), A.double())
    again = device.parts(2 * A, ALL_DIGITS, room=every)
    assert again is every and torch.equal(sum(part.double() for part in every), 2 * A.double())
    (itself,) = device_named("torch-cpu").parts(A)
    assert itself is A


@pytest.mark.parametrize("bytes_", [True, False])
def test_a_product_in_mixed_precision_is_as_exact_as_float32s_where_all_digits_are_kept(bytes_):
    """As long as those of training are; of bytes in three products, of other numbers in six."""
    device, generator = device_named("torch-cpu", "mixed"), torch.manual_seed(1)
    X = torch.randint(0, 256, (200, 3072), generator=generator).float()
    X = X if bytes_ else X + torch.rand(X.shape, generator=generator)
    W = torch.randn(3072, 40, generator=generator)
    exact = X.double().numpy() @ W.double().numpy()
    with device.computing():
        parts = device.parts(X, 1 if bytes_ else ALL_DIGITS)
        found = device.product(parts, device.parts(W, ALL_DIGITS))
        rougher = device.product(parts, device.parts(W))
    with device_named("torch-cpu").computing():
        single = X @ W
    assert error_of(found, exact) < 3 * error_of(single, exact)
    assert 3 * error_of(single, exact) < error_of(rougher, exact) < 20 * error_of(single, exact)


def test_a_product_is_added_to_what_is_there():
    for precision in ("single", "mixed"):
        device, total = device_named("torch-cpu", precision), torch.ones(2, 3)
        left, right = (device.parts(torch.full(shape, 2.0)) for shape in ((2, 4), (4, 3)))
        assert device.product(left, right, total) is total
        assert (total == 17).all()


def test_how_products_are_made_is_as_before_after_a_block():
    before = torch.get_float32_matmul_precision()
    with pytest.raises(ZeroDivisionError), device_named("torch-cpu", "mixed").computing():
        assert torch.get_float32_matmul_precision() == "highest"
        raise ZeroDivisionError
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("memory", [10**12, 0])
@pytest.mark.parametrize("reading", [(), (Mirror(IMAGE),)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_rows_that_are_kept_on_a_device_or_sent_there_are_read_as_numpy_reads_them(memory, reading, dtype):
    X = ROWS.astype(dtype)
    expected = RowReader(X, reading).all()
    for device in (device_named("torch-cpu"), accelerator_on_the_processor(memory=memory)):
        reader = TensorReader(X, reading, device)
        assert (device.accelerator and device.resident(X) is not None) == (device.accelerator and memory > 0)
        for rows in (SOME, SOME[::-1].copy(), slice(3, 20)):
            out = torch.full(expected[rows].shape, torch.nan)
            assert reader.read(rows, out) is out
            assert np.array_equal(out.numpy(), expected[rows])
        less = reader.read(SOME, torch.empty(4, expected.shape[1]), 5).numpy()
        assert np.array_equal(less, expected[SOME] - 5)


def test_a_stage_that_is_no_linear_map_changes_rows_before_they_are_sent():
    class Squares:
        columns = 72

        def read(self, rows, out):
            assert isinstance(rows, np.ndarray)
            np.square(rows, out=out)

    reader = TensorReader(ROWS, (Squares(),), accelerator_on_the_processor())
    found = reader.read(SOME, torch.empty(4, 72)).numpy()
    assert np.array_equal(found, np.square(ROWS[SOME].astype(np.float32)))


def test_rows_are_kept_once_for_all_who_read_them_and_freed_with_them():
    device, X = accelerator_on_the_processor(), ROWS.copy()
    assert device.resident(X) is device.resident(X)
    del X
    gc.collect()
    device.resident(ROWS)
    assert len(device._known) == 1


def test_bytes_and_folded_bytes_are_whole_numbers_that_a_part_holds():
    assert middle_of(ROWS, ()) == 0
    assert middle_of(ROWS, (Mirror(IMAGE),)) == 255
    assert middle_of(ROWS, (Mirror(IMAGE), Mirror((3, 4, 3)))) is None  # sums of four take ten binary digits
    assert middle_of(ROWS.astype(np.float32), ()) is None


def test_what_is_computed_and_how_is_said():
    mixed, gpu = device_named("cpu", "mixed"), accelerator_on_the_processor()
    assert mixed.describe(ROWS).endswith(" on cpu: products of bfloat16 parts, summed up in float32")
    features = ROWS.astype(np.float32)
    suited = mixed.suiting(features, ())
    assert suited.describe(features).endswith(
        ": float32 products, since mixed precision pays for bytes alone"
    )
    assert mixed.suiting(ROWS, ()) is mixed
    assert gpu.describe(ROWS).endswith(": float32 products; 0 MB of rows kept there")
    lacking = accelerator_on_the_processor(memory=0)
    assert lacking.describe(ROWS).endswith("streamed, since they do not fit there")
