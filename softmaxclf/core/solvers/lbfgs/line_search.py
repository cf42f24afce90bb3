"""The step along a direction: where the slope of a convex function of one variable is about zero."""

import math
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LEFT = 0.8  # the share of the slope at 0 that may be left
TRIALS = 12


@dataclass
class LineSearch:
    """phi(t) = f(weights + t direction). slope: phi'(0) < 0. step: the t tried.

    (low, at_low), (high, at_high): a bracket, steps with phi' < 0 and phi' > 0.
    """

    slope: float
    step: float = 1.0
    low: float = 0.0
    at_low: float = -math.inf
    high: float = math.inf
    at_high: float = math.inf
    trials: int = 0

    def good(self, slope: float) -> bool:
        """Whether the step tried is taken, phi' there being `slope`: from the second on also one that is too short."""
        self.trials += 1
        return abs(slope) <= -LEFT * self.slope or (self.trials > 1 and self.slope < slope <= 0)

    def narrow(self, slope: float) -> bool:
        """Chooses another step: where the line through the slopes at the bracket's ends is 0, kept off the ends.

        Returns whether there is any use in it.
        """
        if slope < 0:
            self.low, self.at_low = self.step, slope
        else:
            self.high, self.at_high = self.step, slope
        if math.isinf(self.high):
            self.step *= (
                min(max(self.slope / (self.slope - slope), 2.0), 10.0) if slope > self.slope else 10.0
            )
        else:
            at_low = self.at_low if self.low else self.slope
            guess = self.low + (self.high - self.low) * at_low / (at_low - self.at_high)
            edge = 0.05 * (self.high - self.low)
            self.step = min(max(guess, self.low + edge), self.high - edge)
        return self.trials < TRIALS and math.isfinite(slope)

    def numbers(self) -> Array:
        """(7,) all of it."""
        return np.array(astuple(self))

    @classmethod
    def of(cls, numbers: Array) -> "LineSearch":
        """The inverse of `numbers`."""
        slope, step, low, at_low, high, at_high, trials = numbers.tolist()
        return cls(slope, step, low, at_low, high, at_high, int(trials))
