"""Derivatives by differences, and how far two arrays are apart: the oracle of the formulas."""

import numpy as np

from softmaxclf.core.checks.gradcheck import axes, numeric_slope


def numeric_gradient(f, W):
    """Central differences of f at W (at most 300 numbers), float64, of the shape of W."""
    W = np.asarray(W, np.float64)
    lines = axes(np.ones(W.shape, bool))
    return np.array([numeric_slope(f, W, direction) for _, direction in lines]).reshape(W.shape)


def errors(found, expected, floor):
    """|found - expected| / max(|found|, |expected|, floor), element by element."""
    found, expected = np.asarray(found), np.asarray(expected)
    return np.abs(found - expected) / np.maximum(np.maximum(np.abs(found), np.abs(expected)), floor)
