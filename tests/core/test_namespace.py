import numpy as np
import pytest

from softmaxclf.core.namespace import beside, fetched, like, namespace_of, widest
from tests.core.engines import NEEDS_TORCH


def test_an_array_stays_what_it_is():
    array = np.arange(3, dtype=np.float32)
    assert namespace_of(array) is np and beside(array, array) is array and fetched(array) is array
    assert like(np.arange(3.0), array).dtype == np.float32
    assert widest(array) is np.float64


def test_what_is_put_beside_a_tensor_is_a_copy_in_its_own_or_the_tensors_dtype():
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    tensor, values = torch.zeros(2, dtype=torch.bfloat16), np.arange(3)[::-1]
    values.flags.writeable = False
    assert namespace_of(tensor) is torch and widest(tensor) is torch.float64
    assert beside(values, tensor).dtype == torch.int64 and like(values, tensor).dtype == torch.bfloat16
    assert fetched(beside(values, tensor)).tolist() == [2, 1, 0]
