"""The sums over rows on a device of PyTorch, in float32, and in float64, as for proofs, on a GPU that has it.

What a device has not stays NumPy's, as in sums.py, and so do all second derivatives.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from softmaxclf.core.namespace import beside, fetched, like, widest
from softmaxclf.core.problem import Array
from softmaxclf.core.solvers.lbfgs.sums import ALL_ROWS, ArrayRows, Point, Totals, _Job, _to_residuals
from softmaxclf.core.torch_device import ALL_DIGITS, TensorReader, TorchDevice, dtype_of, middle_of

Tensor = Any  # torch.Tensor
BLOCK_NUMBERS, BLOCK_ROWS = (
    2**26,
    2**16,
)  # of a block on an accelerator, which has memory and wants large products


class TorchRows(ArrayRows):
    """ArrayRows with its sums made by PyTorch: the same formulas, other products and blocks."""

    def __init__(
        self,
        X: Any,
        y: Array,
        classes: int,
        *,
        device: TorchDevice,
        common: Array | None = None,
        **others: Any,
    ) -> None:
        super().__init__(X, y, classes, common=common, **others)
        middle = middle_of(X, self._reading) if self._norms is None else None
        if device.mixed and middle and common is None and not self._common.any():
            self._common = np.full(self.width, float(middle))
        exact = middle is not None and bool((self._common == middle).all())
        self._device = device if exact else device.in_float32
        self._reader = TensorReader(self._X, self._reading, self._device)

    def totals(self, points: Sequence[Point], precise: bool) -> Totals:
        dtype = np.dtype(np.float32 if self.single and not precise else np.float64)
        if any(point.hessian for point in points) or not self._suits(dtype):
            return super().totals(points, precise)
        self.class_sums()
        job = _Job(self, points, dtype)
        if self._device.accelerator:
            job.block = self._block(len(job.V))
        with self._device.computing():
            return self._summed(job)

    def _suits(self, dtype: np.dtype[Any]) -> bool:
        return dtype == np.float32 or self._device.doubles

    def _block(self, width: int) -> int:
        """Rows to be read at a time on an accelerator, of each of which there are `width` numbers more."""
        return min(BLOCK_ROWS, max(128, BLOCK_NUMBERS // max(self.features, width)))

    def _blocks(self, size: int, at: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """All rows, so many at a time: their places and features, in memory that the next ones overwrite."""
        room = torch.empty((min(size, self.count), self.features), dtype=at.dtype, device=at.device)
        for start in range(0, self.count, size):
            part = slice(start, min(start + size, self.count))
            yield part, self._there(part, room[: part.stop - start])

    def _at(self, dtype: np.dtype[Any]) -> Tensor:
        """Stands for where everything is, and of which dtype."""
        return torch.empty(0, dtype=dtype_of(dtype), device=self._device.device)

    def _summed(self, job: _Job) -> Totals:
        at = self._at(job.dtype)
        totals = Totals(
            job,
            self.features,
            self.classes,
            lambda shape: torch.zeros(shape, dtype=widest(at), device=at.device),
        )
        V, bias = self._device.parts(like(job.V, at), ALL_DIGITS), like(job.bias, at)
        for part, x in self._blocks(job.block, at):
            parts = self._device.parts(x, 1)
            S: Any = self._device.product(V, [each.T for each in parts]).add_(bias)
            weight = self._row_weights(job.points, part, job.dtype)
            weight = None if weight is None else like(weight, at)
            squares = self._squares[part]
            curved = totals.curved(x, like(squares, at)) if job.curved else None
            stack = S.view(-1, self.classes, len(x))
            totals.loss += _to_residuals(stack, beside(self.y[part], at), weight, curved)
            totals.gradient += self._device.product(self._device.parts(S, ALL_DIGITS), parts)
            totals.delta += S.sum(1)
        return _fetched(totals)

    def _there(self, rows: Array | slice, out: Tensor) -> Tensor:
        """As `_read`, into a tensor."""
        chosen = rows if self._rows is None else self._rows[rows]
        self._reader.read(chosen, out[:, : self.width])
        changed: Any = self._changed(chosen, out)
        return changed

    def _sum_classes(self) -> Array:
        """As in ArrayRows, by products with rows of zeros and a weight: their sums have one order."""
        if not self._device.doubles:
            return super()._sum_classes()
        at, group, count = self._at(np.dtype(np.float64)), self._groups(), self._fold_count * self.classes
        weights = np.ones(self.count) if self._weights is None else self._weights
        factors = like(1 / self._affine(ALL_ROWS)[1], at)
        sums = torch.zeros((count, self.features), dtype=at.dtype, device=at.device)
        squares = torch.empty(self.count, dtype=at.dtype, device=at.device)
        with self._device.computing():
            for part, x in self._blocks(self._block(count), at):
                chosen = torch.zeros((len(x), count), dtype=at.dtype, device=at.device)
                chosen.scatter_(1, beside(group[part, None], at), like(weights[part, None], at))
                sums += chosen.T @ x
                squares[part] = (x * factors).square().sum(1)
        self._squares = fetched(squares)
        return fetched(sums)

    def _products(self, chosen: Array, shift: Array, divisor: Array) -> Array:
        """As in ArrayRows; on an accelerator without float64 in float32."""
        if not self._device.accelerator:
            return super()._products(chosen, shift, divisor)
        at = self._at(shift.dtype if self._suits(shift.dtype) else np.dtype(np.float32))
        total = torch.zeros((self.features, self.features), dtype=widest(at), device=at.device)
        block = self._block(self.features)
        with self._device.computing():
            for start in range(0, len(chosen), block):
                part = chosen[start : start + block]
                room = torch.empty((len(part), self.features), dtype=at.dtype, device=at.device)
                x = (self._there(part, room) + like(shift, at)) / like(divisor, at)
                if self._weights is not None:
                    x *= like(np.sqrt(self._weights[part])[:, None], at)
                total += x.T @ x
        return fetched(total).astype(shift.dtype)


def _fetched(totals: Totals) -> Totals:
    """The totals as arrays of NumPy."""
    for name in ("loss", "gradient", "delta"):
        setattr(totals, name, fetched(getattr(totals, name)).astype(np.float64))
    for name in ("spreads", "couplings"):
        found = getattr(totals, name)
        setattr(totals, name, [None if each is None else fetched(each).astype(np.float64) for each in found])
    return totals
