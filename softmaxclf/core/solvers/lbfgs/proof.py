"""How far weights can be from the optimum at most: a lower bound on the optimum by a feasible point of the dual.

For any P' (N, K) whose rows are probabilities and, where the bias is free, whose weighted column means are the class
shares pi, Fenchel duality gives (entropies H, means over rows with their weights)

    f* >= mean H(P') - ||X^T (P' - Y) / N||^2 / (2 reg)

since for each row logsumexp(z) >= <p', z> + H(p'), so that f(W, b) >= mean H(P') + <X^T (P' - Y) / N, W> + 0 b
+ 0.5 reg ||W||^2 for all W and b, and the right side is smallest at W = -X^T (P' - Y) / (N reg).

With a regularized bias (a feature that is 1) P' = P does. With a free one the column means of P are pi + delta, and

    theta = max over delta_k > 0 of delta_k / (pi_k + delta_k),       q = pi - ((1 - theta) / theta) delta,
    P' = (1 - theta) P + theta 1 q^T

has the right column means, and q >= 0 by the choice of theta. H is concave, so mean H(P') is at least
(1 - theta) mean H(P) + theta H(q). Nothing of P is needed beyond the sums at (W, b), as

    mean H(P) = loss - <X^T (P - Y) / N, W> - <delta, b>.

Classes without rows (pi_k = 0) and a free bias: f exceeds the objective without these classes for all W, b, and comes
as close to it as one likes with W_k = 0, b_k -> -infinity. The infimum is therefore the optimum over the other
classes, and that is the problem bounded here: weights given to `gap` have b_k = -inf there, so P_k = 0. Weights for
users get a finite b_k (`finite`): with sum_k W_k = 0 over the K' present classes, each row has logsumexp(z) >= mean z +
log K' = mean b + log K', so b_k = mean b - DROP adds at most log(1 + e^-DROP / K') < e^-DROP to the objective.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.solvers.lbfgs.sums import Moments, Sums

Array = NDArray[Any]
ROUNDING = 1e-12  # relative to the objective: more than what float64 sums are off by
DROP = 45.0  # e^-45 = 3e-20


@dataclass(frozen=True)
class Bound:
    """objective: f at the weights. gap: f - f* is at most this, absolute."""

    objective: float
    gap: float

    @property
    def relative(self) -> float:
        """gap / objective; 0 for an objective of 0."""
        return self.gap / self.objective if self.objective > 0 else 0.0


def gap(weights: Array, sums: Sums, moments: Moments, reg: float, *, free_bias: bool) -> Bound:
    """The objective at `weights` (D + 1, K) and a bound on its distance from the optimum, reg > 0.

    It is proven as far as `sums` are exact: those in float64 are, up to ROUNDING; those in float32 give an estimate.
    """
    W, G, delta = weights[:-1], sums.gradient[:-1], sums.gradient[-1]
    objective = sums.loss + 0.5 * reg * float(np.vdot(W, W))
    entropy = sums.loss - float(np.vdot(G, W))
    if free_bias:
        present = moments.present
        entropy -= float(delta[present] @ weights[-1, present])
        entropy, G = _feasible(entropy, G, np.where(present, delta, 0), moments)
    bound = entropy - float(np.vdot(G, G)) / (2 * reg)
    return Bound(objective, max(objective - bound, 0.0) + ROUNDING * objective)


def _feasible(entropy: float, G: Array, delta: Array, moments: Moments) -> tuple[float, Array]:
    """A lower bound on mean H(P'), and X^T (P' - Y) / N, of the mixture P'."""
    pi = moments.shares
    rising = delta > 0
    theta = float((delta[rising] / (pi[rising] + delta[rising])).max(initial=0.0))
    if theta == 0:
        return entropy, G
    q = np.maximum(pi - (1 - theta) / theta * delta, 0)
    of_q = -float(q[q > 0] @ np.log(q[q > 0]))
    G_q = np.outer(moments.mean, q) - moments.products
    return (1 - theta) * entropy + theta * of_q, (1 - theta) * G + theta * G_q


def without_absent(weights: Array, moments: Moments) -> Array:
    """`weights` (D + 1, K) with W_k = 0 and b_k = -inf for classes without rows: for evaluation."""
    out = np.where(moments.present, weights, 0)
    out[-1, ~moments.present] = -math.inf
    return out


def finite(weights: Array, moments: Moments) -> Array:
    """The same with a finite bias, which changes the objective by less than e^-DROP: for users."""
    out = np.where(moments.present, weights, 0)
    out[-1, ~moments.present] = out[-1, moments.present].mean() - DROP
    return out
