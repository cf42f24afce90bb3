"""Features kept as bytes: a number per column, of 256 steps between four deviations below its mean and eight above.

    feature = low + step code

What is fitted on codes is what would be fitted on features, since an offset and a scale per column are only renamed.
Rounding adds noise of 0.014 deviations of a column, a hundredth of what a feature varies.
"""

from dataclasses import dataclass, replace

import numpy as np

from softmaxclf.core.stages.stage import Array, Preprocessing, Reading

BELOW, ABOVE = 4, 8  # deviations from the mean that codes reach
LARGEST = 255


@dataclass(frozen=True, eq=False)
class Codes:
    """low, step: (D',) float64, step above 0."""

    low: Array
    step: Array

    @classmethod
    def of(cls, features: Array) -> "Codes":
        """Those that suit features like these (n, D'); features that are never below 0 have no codes below 0."""
        mean, deviation = (each.astype(np.float64) for each in (features.mean(axis=0), features.std(axis=0)))
        low = mean - BELOW * deviation
        low = np.where(features.min(axis=0) >= 0, np.maximum(low, 0), low)
        step = (mean + ABOVE * deviation - low) / LARGEST
        return cls(low, np.where(step > 0, step, 1.0))

    def encode(self, features: Array, out: Array) -> None:
        """Fill `out` (n, D') uint8; `features` (n, D') are overwritten."""
        features -= self.low.astype(features.dtype)
        features /= self.step.astype(features.dtype)
        np.rint(features, out=features)
        np.clip(features, 0, LARGEST, out=features)
        np.copyto(out, features, casting="unsafe")

    @property
    def base(self) -> Preprocessing:
        """What turns codes into features."""
        return Preprocessing(-self.low / self.step, 1 / self.step)

    def decoded(self, fitted: Preprocessing, reading: Reading) -> Preprocessing:
        """The stages `fitted` on codes, as they are on rows of which `reading` makes features."""
        assert fitted.offset is not None, "see base"
        scale = fitted.divisor * self.step
        return replace(fitted, offset=fitted.offset * self.step + self.low, scale=scale, reading=(reading,))
