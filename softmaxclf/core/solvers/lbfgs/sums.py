"""Everything that a solver needs from the rows: three sums over them, by blocks, in threads.

The problem, for weights W (D, K) and bias b (K,), row weights w (N,), y one-hot Y (N, K), P = softmax(X W + b):

    f(W, b) = sum_n w_n (logsumexp(Z_n) - Z_n,y) / sum_n w_n + 0.5 reg ||W||^2,        Z = X W + b

`RowSums` is that interface; no array of N x K is ever kept. In all of it `weights` is U (D + 1, K): W with the bias as
its last row. `AddedRows` makes it of parts that are only added up, whoever has the rows: threads of this process
(`ArrayRows`), or other machines that have an ArrayRows each, of a block of the rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from softmaxclf.core import blas
from softmaxclf.core.namespace import like, namespace_of, widest
from softmaxclf.core.rows import Reads, RowReader
from softmaxclf.core.stages.stage import NEAR

Array = NDArray[Any]
Curved = Callable[[Array, Array, Array | None], None]
Summing = Callable[..., "AddedRows"]  # takes the arguments of AddedRows
ALL_ROWS = -1  # in place of a fold: nothing is held out
BLOCK_NUMBERS = (
    2**21
)  # of a block's features, and of its scores: smaller ones leave threads waiting for Python
MOST_COUPLED = 4  # classes per feature up to which K x K numbers are kept
COUPLED = 0.5  # one row in COUPLED K / D tells how classes are coupled: half a reading at the most
MOMENT_ROWS = 512  # of a block whose moments are taken
LARGE = 1024  # features beyond which their covariance is a rougher one
COPIED = 2**25  # numbers of float16 that become float32 once, in 134 MB, and not in each reading
SAMPLE = 2000  # rows that variances are taken over
LOWEST = {
    4: -40.0,
    8: -300.0,
}  # by bytes: the square of exp of less would be a denormal number, slow to work with


@dataclass(frozen=True)
class Point:
    """A place where sums are wanted.

    weights: (D + 1, K) float64; a bias of -inf takes its class out. fold: rows of this fold have weight 0.
    spread: also how the curvature of each class lies. hessian: also all second derivatives.
    """

    weights: Array
    fold: int = ALL_ROWS
    spread: bool = False
    hessian: bool = False


@dataclass(frozen=True)
class Spread:
    """The rows as each class sees them, row n with curvature c_nk = p_nk (1 - p_nk): weighted means over rows, float64.

    masses: (K,) mean of c. means: (D, K) sum of c x / sum of c. variances: (K,) mean of c ||x - mean||^2.
    coupling: (K, K) mean of p p^T, of many classes over a part of the rows; of very many (0, 0).
    """

    masses: Array
    means: Array
    variances: Array
    coupling: Array


@dataclass(frozen=True)
class Sums:
    """Weighted means over the rows, float64. The penalty is not in them.

    loss: cross-entropy. gradient: (D + 1, K), X^T (P - Y) and, last, delta = colmean(P - Y).
    hessian: ((D + 1) K, (D + 1) K), rows of U one after another.
    """

    loss: float
    gradient: Array
    spread: Spread | None = None
    hessian: Array | None = None


@dataclass(frozen=True)
class Moments:
    """What does not depend on weights. shares: (K,) pi. mean: (D,). products: (D, K) X^T Y; weighted means, float64."""

    shares: Array
    mean: Array
    products: Array

    @property
    def present(self) -> Array:
        """(K,) which classes have any weight."""
        return self.shares > 0


class RowSums(Protocol):
    """What a solver needs from the rows. features: D. classes: K. single: sums are in float32 unless `precise`."""

    @property
    def features(self) -> int: ...
    @property
    def classes(self) -> int: ...
    @property
    def single(self) -> bool: ...

    def moments(self, fold: int = ALL_ROWS) -> Moments:
        """Class shares and means."""

    def covariance(self) -> Array:
        """(D, D) X^T X / N, of so many rows as cost no more than a few evaluations, at least 4 D."""

    def evaluate(self, points: Sequence[Point], precise: bool = False) -> list[Sums]:
        """The sums at each point, all in one reading of the rows; products in float64 if `precise` or not `single`."""


class AddedRows(ABC):
    """The sums over features (X - shift) / scale, which are never made for all rows, from parts that are added up.

    X: (M, D) uint8, float16, float32 or float64, read through the steps `reading`; rows: (N,) the indices of those that
    count, default all. y: (M,) ints in [0, K). weights: (N,) >= 0, default 1. norms: (M,) factors of the features.
    shift, scale: (D,), or (F + 1, D) with one line per fold and, last, that of all rows. folds: (N,) ints in [0, F).
    ones: one more feature that is 1 everywhere, after scaling: the regularized bias. fold_count: F, where these rows
    may not be of all folds. common: (D,) what is subtracted from rows as they are read, default the shift if it is
    large. Products are in float32 except where X is float64.
    """

    def __init__(
        self,
        X: Array,
        y: Array,
        classes: int,
        *,
        shift: Array | None = None,
        scale: Array | None = None,
        weights: Array | None = None,
        folds: Array | None = None,
        ones: bool = False,
        rows: Array | None = None,
        reading: Sequence[Reads] = (),
        norms: Array | None = None,
        fold_count: int = 0,
        common: Array | None = None,
    ) -> None:
        self._X, self._reading, self._norms = X, tuple(reading), norms
        self._rows = None if rows is None or len(rows) == len(X) else rows
        self.y = y if self._rows is None else y[self._rows]
        self.count, self.classes = len(self.y), classes
        self.width = reading[-1].columns if reading else X.shape[1]
        self.features = self.width + ones
        self.single = X.dtype != np.float64
        self._ones, self._weights, self._folds = ones, weights, folds
        self._fold_count = fold_count or (1 if folds is None else int(folds.max()) + 1)
        self._shift = np.zeros(self.width) if shift is None else np.asarray(shift, np.float64)
        self._scale = (
            np.ones(self.width)
            if scale is None
            else np.broadcast_to(np.asarray(scale, np.float64), self._shift.shape)
        )
        self._common = self._shift if self._shift.ndim == 1 else self._shift[ALL_ROWS]
        if common is not None:
            self._common = common
        elif norms is None and (np.abs(self._common) <= NEAR * self._common_scale).all():
            self._common = np.zeros(self.width)  # features near 0 keep their digits: the bias takes the shift
        self._moments: dict[int, Moments] = {}
        self._masses: dict[int, float] = {}

    def part(self, places: slice) -> dict[str, Any]:
        """The arguments, but for X, of an AddedRows of the rows at those places among all that count."""
        chosen = places if self._rows is None else self._rows[places]
        return {
            "y": self.y[places], "classes": self.classes, "shift": self._shift, "scale": self._scale,
            "weights": None if self._weights is None else self._weights[places],
            "folds": None if self._folds is None else self._folds[places],
            "norms": None if self._norms is None else self._norms[chosen],
            "ones": self._ones, "reading": self._reading, "fold_count": self._fold_count,
            "common": self._common,
        }  # fmt: skip

    @abstractmethod
    def class_sums(self) -> Array:
        """(F K, D) float64 weighted sums of the rows of each fold and class, as they are read."""

    @abstractmethod
    def products(self, chosen: Array, dtype: np.dtype[Any]) -> Array:
        """(D, D) weighted sum of x x^T over the features x of those rows, by their places among all."""

    @abstractmethod
    def squares(self, chosen: Array) -> Array:
        """(D,) float64 sum of the squared features of those rows, by their places among all."""

    @abstractmethod
    def totals(self, points: Sequence[Point], precise: bool) -> "Totals":
        """What `evaluate` is made of."""

    def moments(self, fold: int = ALL_ROWS) -> Moments:
        if not self._moments:
            self._moments = self._all_moments()
        return self._moments[fold]

    def covariance(self) -> Array:
        rows, D = self.count, self.features
        wanted = max((2 if D > LARGE else 4) * D, 16 * rows * self.classes // D)  # fewer cost passes
        chosen = np.arange(rows)
        if rows > wanted:
            chosen = np.sort(np.random.default_rng(0).choice(rows, wanted, replace=False))
        dtype = np.dtype(np.float32 if self.single and D > LARGE else np.float64)
        products = self.products(chosen, dtype)
        products /= len(chosen) if self._weights is None else self._weights[chosen].sum()
        return products

    def variances(self) -> Array:
        """(D,) mean squares of the features, over a sample of rows."""
        chosen = np.linspace(0, self.count - 1, min(self.count, SAMPLE)).astype(np.int64)
        return self.squares(chosen) / len(chosen)

    def evaluate(self, points: Sequence[Point], precise: bool = False) -> list[Sums]:
        self.moments()
        totals = self.totals(points, precise)
        return [self._finish(points, totals, place) for place in range(len(points))]

    def _finish(self, points: Sequence[Point], totals: "Totals", place: int) -> Sums:
        fold = points[place].fold
        mass, (offset, scale) = self.mass(fold), self._affine(fold)
        columns = slice(place * self.classes, (place + 1) * self.classes)
        delta = totals.delta[columns] / mass
        gradient = totals.gradient[columns].T / mass / scale[:, None] + np.outer(offset, delta)
        hessian, spread = totals.hessians[place], totals.spreads[place]
        if hessian is not None:
            hessian = _transformed(hessian / mass, offset, scale, self.classes)
        if spread is not None:
            spread = spread / mass
        told = _spread(spread, totals.couplings[place], offset, scale)
        return Sums(float(totals.loss[place]) / mass, np.vstack([gradient, delta]), told, hessian)

    @property
    def _common_scale(self) -> Array:
        return self._scale if self._scale.ndim == 1 else self._scale[ALL_ROWS]

    def _affine(self, fold: int) -> tuple[Array, Array]:
        """(offset, scale), each (D,), with which the features of a fold are what `_read` gives / scale + offset."""
        if self._norms is not None:
            return np.zeros(self.features), np.ones(self.features)
        scale = self._scale if self._scale.ndim == 1 else self._scale[fold]
        shift = self._shift if self._shift.ndim == 1 else self._shift[fold]
        offset = (self._common - shift) / scale
        return (np.append(offset, 0), np.append(scale, 1)) if self._ones else (offset, scale)

    def mass(self, fold: int) -> float:
        """The sum of the row weights outside a fold."""
        if fold not in self._masses:
            kept = np.ones(len(self.y), bool)
            if fold != ALL_ROWS and self._folds is not None:
                kept = self._folds != fold
            self._masses[fold] = float(kept.sum() if self._weights is None else self._weights[kept].sum())
        return self._masses[fold]

    def _all_moments(self) -> dict[int, Moments]:
        """Those of all rows and of the rows outside each fold."""
        count = self._fold_count
        weights = np.ones(len(self.y)) if self._weights is None else self._weights
        masses = np.bincount(self._groups(), weights, count * self.classes).reshape(count, self.classes)
        sums = self.class_sums().reshape(count, self.classes, self.features)
        outside = {fold: (masses.sum(0) - masses[fold], sums.sum(0) - sums[fold]) for fold in range(count)}
        outside = {ALL_ROWS: (masses.sum(0), sums.sum(0)), **(outside if count > 1 else {})}
        return {fold: self._moments_of(fold, *each) for fold, each in outside.items()}

    def _groups(self) -> Array:
        """(N,) ints in [0, F K): the fold and class of each row."""
        return self.y if self._folds is None else self._folds.astype(np.int64) * self.classes + self.y

    def _moments_of(self, fold: int, masses: Array, sums: Array) -> Moments:
        offset, scale = self._affine(fold)
        shares = masses / masses.sum()
        products = (sums / masses.sum() / scale).T + np.outer(offset, shares)
        return Moments(shares, products.sum(axis=1), products)


class ArrayRows(AddedRows):
    """The sums over rows of an array, or a StoredArray, by threads, each of which takes every T-th block.

    threads: T. Sums are added in that order: equal calls give equal bits.
    """

    def __init__(
        self, X: Array, y: Array, classes: int, *, threads: int | None = None, **settings: Any
    ) -> None:
        super().__init__(X, y, classes, **settings)
        self.threads = threads or blas.threads()
        if X.dtype == np.float16 and self.y.size * X.shape[1] <= COPIED:
            chosen = slice(None) if self._rows is None else self._rows
            self._X = X[chosen].astype(np.float32)
            self._norms = None if self._norms is None else self._norms[chosen]
            self._rows = None
        self._class_sums: Array | None = None
        self._squares: Array = np.empty(0)  # (N,) ||features||^2 before their shift by fold, float64
        self._memory: dict[tuple[int, str, str], Array] = {}
        self._readers: dict[tuple[int, str], RowReader] = {}  # of each thread

    def products(self, chosen: Array, dtype: np.dtype[Any]) -> Array:
        offset, scale = self._affine(ALL_ROWS)
        return self._products(chosen, (offset * scale).astype(dtype), scale.astype(dtype))

    def _products(self, chosen: Array, shift: Array, divisor: Array) -> Array:
        """(D, D) sum over the chosen rows of w x^T x, x = (what `_read` gives + shift) / divisor, in their dtype."""
        D, dtype = self.features, shift.dtype
        # Of many features one matrix is enough: then the product has all threads.
        threads = self.threads if D <= LARGE else 1
        parts = np.array_split(
            chosen, threads * max(1, -(-len(chosen) // (threads * (4096 if D <= LARGE else 1024))))
        )

        def summed(lane: int) -> Array:
            room, total = np.empty((len(parts[0]), D), dtype), np.zeros((D, D), dtype)
            product = np.empty((D, D), dtype)
            for part in parts[lane::threads]:
                x = np.add(self._read(part, room[: len(part)], lane), shift, out=room[: len(part)])
                x /= divisor
                if self._weights is not None:
                    x *= np.sqrt(self._weights[part])[:, None].astype(dtype)
                np.matmul(x.T, x, out=product)
                total += product
            return total

        with blas.single_threaded() if threads > 1 else nullcontext(), ThreadPoolExecutor(threads) as pool:
            lanes = list(pool.map(summed, range(threads)))
        for lane in lanes[1:]:
            lanes[0] += lane
        return lanes[0]

    def squares(self, chosen: Array) -> Array:
        x = self._read(chosen, np.empty((len(chosen), self.features)))
        offset, scale = self._affine(ALL_ROWS)
        squares: Array = np.square(x / scale + offset).sum(axis=0)
        return squares

    def totals(self, points: Sequence[Point], precise: bool) -> "Totals":
        self.class_sums()
        job = _Job(self, points, np.dtype(np.float32 if self.single and not precise else np.float64))
        with blas.single_threaded(), ThreadPoolExecutor(self.threads) as pool:
            first, *others = pool.map(lambda lane: self._sum_lane(job, lane), range(self.threads))
        for each in others:
            first.add(each)
        return first

    def class_sums(self) -> Array:
        if self._class_sums is None:
            self._class_sums = self._sum_classes()
        return self._class_sums

    def _sum_classes(self) -> Array:
        """One reading, no product, in which `_squares` are found too."""
        group, count = self._groups(), self._fold_count * self.classes
        weights = np.ones(len(self.y)) if self._weights is None else self._weights
        factors = 1 / self._affine(ALL_ROWS)[1]
        self._squares = np.empty(len(self.y))

        def summed(lane: int) -> Array:
            sums = np.zeros((count, self.features))
            room, scaled = np.empty((2, MOMENT_ROWS, self.features))
            for start in range(lane * MOMENT_ROWS, len(self.y), self.threads * MOMENT_ROWS):
                part = slice(start, min(start + MOMENT_ROWS, len(self.y)))
                x = self._read(part, room[: part.stop - start], lane)
                z = np.multiply(x, factors, out=scaled[: len(x)])
                self._squares[part] = np.einsum("ij,ij->i", z, z)
                names, places = np.unique(group[part], return_inverse=True)
                chosen = np.zeros((len(names), len(x)))
                chosen[places, np.arange(len(x))] = weights[part]
                sums[names] += chosen @ x
            return sums

        with blas.single_threaded(), ThreadPoolExecutor(self.threads) as pool:
            lanes = list(pool.map(summed, range(self.threads)))
        return np.asarray(sum(lanes[1:], lanes[0]))

    def columns(self, part: slice, fold: int = ALL_ROWS) -> Array:
        """(N, width of the part) features, float64, of these columns."""
        offset, scale = self._affine(fold)
        width = self.width
        whole = self._read(slice(0, self.count), np.empty((self.count, self.features)))
        x = whole[:, part.start : min(part.stop, width)]
        if self._ones and part.stop > width:
            x = np.column_stack([x, np.ones(len(x))])
        return x / scale[part] + offset[part]

    def replaced(self, X: Array) -> "ArrayRows":
        """The same rows with X (N, D') as their features, as they are."""
        return ArrayRows(
            X, self.y, self.classes, weights=self._weights, folds=self._folds, threads=self.threads
        )

    def _sum_lane(self, job: "_Job", lane: int) -> "Totals":
        totals = Totals(job, self.features, self.classes)
        room = self._room(lane, "rows", job.dtype, job.block * _padded(self.features, job.dtype))
        buffer = room.reshape(job.block, -1)[:, : self.features]
        scores = self._room(lane, "scores", job.dtype, job.block * len(job.V))
        other = self._room(lane, "transposed", job.dtype, scores.size)
        product = self._room(lane, "product", job.dtype, job.V.size).reshape(job.V.shape)
        for start in range(lane * job.block, self.count, self.threads * job.block):
            part = slice(start, min(start + job.block, self.count))
            x = self._read(part, buffer[: part.stop - start], lane)
            S = scores[: len(job.V) * len(x)].reshape(len(job.V), len(x))
            if job.dtype == np.float64:
                np.matmul(job.V, x.T, out=S)
                S += job.bias
            else:  # of few columns this product is the quicker one
                transposed = other[: S.size].reshape(len(x), len(S))
                np.add(np.matmul(x, job.V.T, out=transposed).T, job.bias, out=S)
            stack = S.reshape(-1, self.classes, len(x))
            weight = self._row_weights(job.points, part, job.dtype)
            curved = totals.curved(x, self._squares[part]) if job.curved else None
            totals.loss += _to_residuals(stack, self.y[part], weight, curved)
            totals.gradient += np.matmul(S, x, out=product)
            totals.delta += S.sum(axis=1)
        return totals

    def _read(self, rows: Array | slice, out: Array, lane: int = 0) -> Array:
        """Rows minus the common shift, and a last column of ones if asked for; X itself, not to be written, where that
        is the same.

        With norms the features are made in full: shifted, scaled and multiplied.
        """
        chosen = rows if self._rows is None else _as_slice(self._rows[rows])
        plain = not self._ones and self._norms is None and not self._reading and not self._common.any()
        if plain and self._X.dtype == out.dtype:
            rows_themselves: Array = self._X[chosen]
            rows_themselves.flags.writeable = False
            return rows_themselves
        key = (lane, out.dtype.char)
        if key not in self._readers:
            self._readers[key] = RowReader(self._X, self._reading, out.dtype)
        self._readers[key].read(chosen, out[:, : self.width])
        return self._changed(chosen, out)

    def _changed(self, chosen: Array | slice, out: Array) -> Array:
        """`out` with what is done to rows after they were read."""
        part = out[:, : self.width]
        if self._common.any():
            part -= like(self._common, part)  # casting inside np.subtract is slow
        if self._norms is not None:
            part /= like(self._common_scale, part)
            part *= like(self._norms[chosen, None], part)
        if self._ones:
            out[:, -1] = 1
        return out

    def _row_weights(self, points: Sequence[Point], rows: slice, dtype: DTypeLike) -> Array | None:
        """(G, n), or None where all are 1."""
        if self._weights is None and all(point.fold == ALL_ROWS for point in points):
            return None
        shared = np.ones(1) if self._weights is None else self._weights[rows]
        if self._folds is None:
            return np.broadcast_to(shared, (len(points), len(shared))).astype(dtype)
        folds = np.array([[point.fold] for point in points])
        kept: Array = (shared * (self._folds[rows] != folds)).astype(dtype)
        return kept

    def _room(self, lane: int, name: str, dtype: np.dtype[Any], size: int) -> Array:
        """Memory that is kept: fresh pages cost as much as what is computed in them."""
        key = (lane, name, dtype.char)
        if key not in self._memory or self._memory[key].size < size:
            self._memory[key] = np.empty(size, dtype)
        return self._memory[key][:size]


class _Job:
    """What all lanes of one evaluation share. V: (G K, D), the weights on what `_read` gives. bias: (G K, 1)."""

    def __init__(self, rows: ArrayRows, points: Sequence[Point], dtype: np.dtype[Any]) -> None:
        self.points, self.dtype = points, dtype
        V, bias = [], []
        for point in points:
            offset, scale = rows._affine(point.fold)
            V.append((point.weights[:-1] / scale[:, None]).T)
            bias.append(point.weights[-1] + offset @ point.weights[:-1])
        self.V = np.concatenate(V).astype(dtype)
        self.bias = np.concatenate(bias).astype(dtype)[:, None]
        widest = max(rows.features, len(self.V))
        self.block = int(np.clip(BLOCK_NUMBERS // widest, 128, 2048))
        self.curved = any(point.spread or point.hessian for point in points)
        if any(point.hessian for point in points):
            self.block = 256


class Totals:
    """Sums over some of the rows, in float64, which `add` adds up.

    spreads: per point None or (K, D + 2): sums of c x, c, c ||x / scale||^2.
    """

    def __init__(
        self, job: _Job, features: int, classes: int, zeros: Callable[[tuple[int, ...]], Array] = np.zeros
    ) -> None:
        self.loss = zeros((len(job.points),))
        self.gradient = zeros(job.V.shape)
        self.delta = zeros((len(job.V),))
        size = (features + 1) * classes
        self.spreads = [zeros((classes, features + 2)) if point.spread else None for point in job.points]
        self.hessians = [zeros((size, size)) if point.hessian else None for point in job.points]
        self.coupled = classes <= MOST_COUPLED * features
        size = classes if self.coupled else 0
        self.couplings = [zeros((size, size)) if point.spread else None for point in job.points]
        self.stride = max(1, round(COUPLED * classes / features))

    def add(self, other: "Totals") -> None:
        """Take what `other` has of other rows, at the same points, into this."""
        for name in ("loss", "gradient", "delta"):
            getattr(self, name).__iadd__(getattr(other, name))
        for name in ("spreads", "hessians", "couplings"):
            for own, each in zip(getattr(self, name), getattr(other, name), strict=True):
                if own is not None:
                    own += each

    def curved(self, x: Array, norms: Array) -> Curved:
        """What adds second derivatives where they are wanted. norms: (n,) ||x / scale||^2."""
        xp = namespace_of(x)

        def add(P: Array, C: Array, weight: Array | None) -> None:
            if weight is not None:
                C *= weight[:, None]
            wanted = [place for place, spread in enumerate(self.spreads) if spread is not None]
            if wanted:
                c = C[wanted].reshape(-1, len(x))
                sums = xp.column_stack([c @ x, c.sum(axis=1), c @ norms])
                for place, each in zip(wanted, sums.reshape(len(wanted), -1, sums.shape[1]), strict=True):
                    spread = self.spreads[place]
                    assert spread is not None
                    spread += each
            for place in wanted if self.coupled else ():
                p = xp.asarray(P[place, :, :: self.stride], copy=True)
                w = 1 if weight is None else weight[place, :: self.stride]
                coupling = self.couplings[place]
                assert coupling is not None
                coupling += (p * w) @ p.T
            for place, hessian in enumerate(self.hessians):
                if hessian is not None:
                    _add_hessian(hessian, x, P[place], None if weight is None else weight[place])

        return add


def _spread(sums: Array | None, coupling: Array | None, offset: Array, scale: Array) -> Spread | None:
    """For features x / scale + offset. The variances are those of the scale of all rows: near enough for a guess."""
    if sums is None or coupling is None:
        return None
    masses = np.maximum(sums[:, -2], np.finfo(np.float32).tiny)
    means = (sums[:, :-2] / masses[:, None] / scale).T
    variances = np.maximum(sums[:, -1] - masses * np.square(means).sum(axis=0), 1e-6 * sums[:, -1])
    coupling = coupling / max(coupling.sum(), np.finfo(float).tiny)  # a row of it sums to the mean of p
    return Spread(masses, means + offset[:, None], variances, coupling)


def _add_hessian(hessian: Array, x: Array, p: Array, weight: Array | None) -> None:
    """Adds sum_n w_n (x, 1) (x, 1)^T kron (diag(p) - p p^T): row i K + k is feature i, class k."""
    extended = np.column_stack([x, np.ones(len(x), x.dtype)])
    if weight is not None:
        extended *= np.sqrt(weight)[:, None]
    spread = (extended[:, :, None] * p.T[:, None, :]).reshape(len(x), -1)
    hessian -= spread.T @ spread
    D, K = extended.shape[1], len(p)
    blocks = hessian.reshape(D, K, D, K)
    for k in range(K):
        blocks[:, k, :, k] += (extended * p[k][:, None]).T @ extended


def _transformed(hessian: Array, offset: Array, scale: Array, K: int) -> Array:
    """The hessian for features x / scale + offset, from that for x (each with a last 1)."""
    D = len(scale)
    M = np.zeros((D + 1, D + 1))
    M[:D, :D], M[:D, D], M[D, D] = np.diag(1 / scale), offset, 1
    if offset.any():
        full = np.kron(M, np.eye(K))
        return np.asarray(full @ hessian @ full.T)
    factor = np.repeat(np.append(1 / scale, 1), K)
    return np.asarray(hessian * factor * factor[:, None])


def _to_residuals(S: Array, labels: Array, weight: Array | None, curved: Curved | None) -> Array:
    """Turns scores S (G, K, n) into w (P - Y) in place; returns the weighted sums (G,) of the cross-entropies.

    For the label's own class p - 1 is computed as -(sum of the other exponentials) / (sum of all), and the loss of a
    row whose label scores highest as log1p of the others: a row that is nearly certain keeps all its digits in float32.
    """
    xp = namespace_of(S)
    own = (slice(None), labels, xp.arange(len(labels), device=S.device))
    top = xp.amax(S, axis=1)
    behind = S[own] - top
    S -= top[:, None]
    xp.clip(S, LOWEST[S.dtype.itemsize], None, out=S)
    xp.exp(S, out=S)
    mine = S[own]
    S[own] = 0
    others = S.sum(axis=1)
    total = others + mine
    losses = xp.where(behind == 0, xp.log1p(others), xp.log(total) - behind)
    S /= total[:, None]
    if curved is not None:
        C = S * (1 - S)
        C[own] = mine * others / xp.square(total)
        S[own] = mine / total
        curved(S, C, weight)
    S[own] = -others / total
    if weight is not None:
        S *= weight[:, None]
        losses[weight == 0] = 0  # they are infinite where a fold has taken the label's class out
        losses *= weight
    total_losses: Array = losses.sum(axis=1, dtype=widest(losses))
    return total_losses


def _as_slice(rows: Array) -> Array | slice:
    """Ascending indices, as a slice where they leave none out: no copy is then made of what they choose."""
    if len(rows) and int(rows[-1]) - int(rows[0]) == len(rows) - 1:
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _padded(columns: int, dtype: np.dtype[Any]) -> int:
    """An odd number of cache lines: rows whole pages apart would evict each other from the cache."""
    numbers = 64 // dtype.itemsize
    return (-(-columns // numbers) | 1) * numbers
