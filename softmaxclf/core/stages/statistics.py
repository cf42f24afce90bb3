"""Centering, standardizing, unit norm: stages that are moved into weights, biases and factors of rows."""

from dataclasses import replace

import numpy as np

from softmaxclf.core.stages.fitting import FittingRows
from softmaxclf.core.stages.stage import Array, Preprocessing, Stage
from softmaxclf.errors import DataError

DEVIATIONS = (1e-18, 1e18)  # the engine needs 1 / deviation^2 in float32


class Center(Stage):
    """Subtracts the mean of the training rows."""

    moments = True

    @classmethod
    def fit(cls, before: list[Preprocessing], rows: FittingRows) -> list[Preprocessing]:
        """The stages `before` with the mean of each fold's rows as offset."""
        moments = rows.moments(before[0].reading)
        return [replace(each, offset=mean) for each, (mean, _) in zip(before, moments, strict=True)]


class Standardize(Stage):
    """Divides each column by its standard deviation, a constant one by 1."""

    moments = squares = True

    @classmethod
    def fit(cls, before: list[Preprocessing], rows: FittingRows) -> list[Preprocessing]:
        """The stages `before` with each fold's deviations as scale. Raises DataError for one beyond DEVIATIONS."""
        moments = rows.moments(before[0].reading)
        fitted = []
        for each, (_, deviation) in zip(before, moments, strict=True):
            _check(deviation)
            fitted.append(replace(each, scale=np.where(deviation > 0, deviation, 1.0)))
        return fitted


class UnitNorm(Stage):
    """Divides each row by its Euclidean norm."""

    @classmethod
    def fit(cls, before: list[Preprocessing], rows: FittingRows) -> list[Preprocessing]:
        """The stages `before`, and the division."""
        return [replace(each, unit_norm=True) for each in before]


def _check(deviations: Array) -> None:
    low, high = DEVIATIONS
    wrong = np.flatnonzero((deviations > 0) & ~((deviations >= low) & (deviations <= high)))
    if len(wrong):
        raise DataError(
            f"feature {wrong[0]} (counted from 0): expected a standard deviation of 0 or from {low:g} to {high:g}, "
            f"found {deviations[wrong[0]]:.3g}; multiply the feature by a constant, or do not standardize"
        )
