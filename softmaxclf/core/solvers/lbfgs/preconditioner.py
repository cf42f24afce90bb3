"""First guesses of the inverse Hessian, with which L-BFGS begins."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.solvers.lbfgs.sums import LARGE, Moments, Spread

Array = NDArray[Any]
LEADING, ROUNDS = 512, 2  # of a covariance of more than LARGE features: directions, and products to find them


class Preconditioner(Protocol):
    """A symmetric positive definite map from gradients (D + 1, K) to steps."""

    def apply(self, gradient: Array) -> Array:
        """About H^-1 gradient."""


@dataclass(frozen=True)
class Basis:
    """Covariance = V diag(values) V^T + rest (I - V V^T).

    values: (R,). vectors: V (D, R), or None for features taken as uncorrelated, R = D.
    """

    values: Array
    vectors: Array | None
    rest: float = 1.0

    @classmethod
    def of(cls, covariance: Array) -> "Basis":
        """By eigendecomposition; of a large one by LEADING directions, found by subspace iteration in float32."""
        D = len(covariance)
        if D <= LARGE:
            values, vectors = np.linalg.eigh(covariance)
            values = np.maximum(values, 0)  # from rounding noise
            return cls(values, vectors, float(values[-1]))
        C = covariance.astype(np.float32)
        Q = np.random.default_rng(0).standard_normal((D, LEADING), np.float32)
        for _ in range(ROUNDS):
            Q = np.linalg.qr(C @ Q)[0]
        values, vectors = np.linalg.eigh(Q.T @ (C @ Q))
        values = np.maximum(values, 0).astype(np.float64)
        rest = (float(np.trace(covariance)) - values.sum()) / (D - LEADING)
        return cls(values, Q @ vectors, max(rest, 0.0))

    @property
    def variance(self) -> float:
        """The trace of the covariance."""
        D = len(self.values) if self.vectors is None else len(self.vectors)
        return float(self.values.sum()) + (D - len(self.values)) * self.rest

    def solve(self, R: Array, factors: Array, reg: float) -> Array:
        """(D, K) (factors_k covariance + reg)^-1 R_k for each column k."""
        divisors = np.outer(self.values, factors) + reg
        if self.vectors is None:
            return np.asarray(R / divisors)
        rest = self.rest * factors + reg
        parts = (self.vectors.T @ R.astype(self.vectors.dtype)) * (1 / divisors - 1 / rest)
        return np.asarray(R / rest + self.vectors @ parts.astype(self.vectors.dtype))


class Centered:
    """The Hessian's diagonal blocks, one per class: block k is that of features centered where class k has curvature.

    With c_nk = p_nk (1 - p_nk), block k in (w_k, b_k) is sum_n c_nk (x_n, 1) (x_n, 1)^T / N. About its own mean mu_k
    the bias separates from w_k, and the covariance that is left is taken to be that of all rows, V diag(values) V^T,
    times the share of variance that class k sees:

        r = g_w - mu_k g_b,    w = V [(V^T r) / (values s_k + reg)],    b = g_b / c_k - <mu_k, w>.

    The mean over the classes is taken out; absent classes stay. Against covariance kron A (A the mean of
    diag(p) - p p^T) it halves the passes at weak regularizations, where only rows between classes have curvature left.
    """

    def __init__(
        self, basis: Basis, spread: Spread, moments: Moments, reg: float, *, free_bias: bool
    ) -> None:
        self._free = free_bias
        self._present = moments.present if free_bias else np.ones(len(moments.shares), bool)
        self._basis, self._spread = basis, spread
        self._means = spread.means if free_bias else np.zeros_like(spread.means)
        variances = spread.variances
        if not free_bias:
            variances = variances + spread.masses * np.square(spread.means).sum(axis=0)
        self._factors, self._reg = variances / max(basis.variance, np.finfo(float).tiny), reg

    def apply(self, gradient: Array) -> Array:
        g = self._without_mean(gradient)
        step = np.zeros_like(g)
        step[:-1] = self._basis.solve(g[:-1] - self._means * g[-1], self._factors, self._reg)
        if self._free:
            step[-1] = g[-1] / self._spread.masses - (self._means * step[:-1]).sum(axis=0)
        return self._without_mean(step)

    def _without_mean(self, rows: Array) -> Array:
        mean = rows[:, self._present].mean(axis=1, keepdims=True)
        return np.where(self._present, rows - mean, 0)


def bias_step(delta: Array, coupling: Array, present: Array) -> Array:
    """(K,) Newton's step of the bias alone, -A^-1 delta with A = mean of diag(p) - p p^T.

    coupling: (K, K) mean of p p^T.
    """
    A = -coupling[np.ix_(present, present)]
    np.fill_diagonal(A, 0)
    np.fill_diagonal(A, -A.sum(axis=1))  # so that nothing cancels
    norms = np.sqrt(np.maximum(np.diag(A), np.finfo(np.float32).tiny))
    A /= np.outer(norms, norms)
    A += np.outer(norms, norms) / (norms @ norms)  # fixes the constant that may be added
    A[np.diag_indices(len(A))] += 1e-9
    step = np.zeros(len(delta))
    step[present] = -np.linalg.solve(A, delta[present] / norms) / norms
    step[present] -= step[present].mean()
    return step


class Exact:
    """H itself, by Cholesky: Newton's method, or nearly where H is that of a point nearby. D K up to 2,000 or so."""

    def __init__(self, hessian: Array, moments: Moments, reg: float, *, free_bias: bool) -> None:
        K = len(moments.shares)
        D = len(hessian) // K - 1
        kept = np.ones((D + 1, K), bool)
        kept[-1] = free_bias
        if free_bias:
            kept &= moments.present
        self._kept = kept.ravel()
        H = hessian.copy()
        H[np.diag_indices(D * K)] += reg
        H[-K:, -K:] += 1 / K  # fixes the constant that may be added to all biases
        H = H[np.ix_(self._kept, self._kept)]
        self._norms = np.sqrt(np.diag(H))
        scaled = H / self._norms / self._norms[:, None]
        self._inverse = np.linalg.inv(np.linalg.cholesky(scaled + 1e-14 * len(H) * np.eye(len(H))))

    def apply(self, gradient: Array) -> Array:
        step = np.zeros(gradient.size)
        g = gradient.ravel()[self._kept] / self._norms
        step[self._kept] = self._inverse.T @ (self._inverse @ g) / self._norms
        return step.reshape(gradient.shape)
