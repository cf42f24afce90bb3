"""Asking NumPy's BLAS for one thread, and giving it back what it had."""

import numpy as np

from softmaxclf.core import blas


def test_a_block_of_one_thread_leaves_the_number_of_threads_as_it_was():
    before = blas.threads()
    with blas.single_threaded():
        assert blas.threads() == 1
        np.testing.assert_allclose(np.ones((300, 300)) @ np.ones((300, 300)), 300)
    assert blas.threads() == before >= 1


def test_any_other_blas_counts_as_one_thread_and_is_left_alone(monkeypatch):
    monkeypatch.setattr(blas, "_functions", lambda: None)
    assert blas.threads() == 1
    with blas.single_threaded():
        assert blas.threads() == 1
