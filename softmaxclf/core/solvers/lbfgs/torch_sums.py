"""The sums over rows on a device of PyTorch, in float32; proofs and all else in float64 stay NumPy's, as in sums.py."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from softmaxclf.core.namespace import beside, fetched, like, widest
from softmaxclf.core.problem import Array
from softmaxclf.core.solvers.lbfgs.sums import ArrayRows, Point, Totals, _Job, _to_residuals
from softmaxclf.core.torch_device import ALL_DIGITS, TensorReader, TorchDevice, middle_of

Tensor = Any  # torch.Tensor
BLOCK_NUMBERS, BLOCK_ROWS = (
    2**26,
    2**16,
)  # of a block on an accelerator, which has memory and wants large products


class TorchRows(ArrayRows):
    """ArrayRows with the sums of float32 made by PyTorch: the same formulas, other products and blocks."""

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
        self._device = device
        middle = middle_of(X, self._reading) if device.mixed and self._norms is None else None
        if middle and common is None and not self._common.any():
            self._common = np.full(self.width, float(middle))
        self._exact = middle is not None and bool((self._common == middle).all())
        self._reader = TensorReader(self._X, self._reading, device)

    def totals(self, points: Sequence[Point], precise: bool) -> Totals:
        """See AddedRows; NumPy does it in float64."""
        if precise or not self.single or any(point.hessian for point in points):
            return super().totals(points, precise)
        self.class_sums()
        job = _Job(self, points, np.dtype(np.float32))
        if self._device.accelerator:
            job.block = min(BLOCK_ROWS, max(128, BLOCK_NUMBERS // max(self.features, len(job.V))))
        with self._device.computing():
            return self._summed(job)

    def _summed(self, job: _Job) -> Totals:
        at = torch.empty(0, device=self._device.device)  # where everything is, and of which dtype
        totals = Totals(
            job,
            self.features,
            self.classes,
            lambda shape: torch.zeros(shape, dtype=widest(at), device=at.device),
        )
        V, bias = self._device.parts(like(job.V, at), ALL_DIGITS), like(job.bias, at)
        room = torch.empty((min(job.block, self.count), self.features), device=at.device)
        for start in range(0, self.count, job.block):
            part = slice(start, min(start + job.block, self.count))
            x = self._there(part, room[: part.stop - start])
            parts = self._device.parts(x, 1 if self._exact else ALL_DIGITS)
            S: Any = self._device.product(V, [each.T for each in parts]).add_(bias)
            weight = self._row_weights(job.points, part, np.float32)
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

    def _products(self, chosen: Array, shift: Array, divisor: Array) -> Array:
        """As in ArrayRows; on an accelerator in float32."""
        if not self._device.accelerator:
            return super()._products(chosen, shift, divisor)
        at = torch.empty(0, device=self._device.device)
        total = torch.zeros((self.features, self.features), dtype=widest(at), device=at.device)
        block = min(BLOCK_ROWS, BLOCK_NUMBERS // self.features)
        with self._device.computing():
            for start in range(0, len(chosen), block):
                part = chosen[start : start + block]
                x = self._there(part, torch.empty((len(part), self.features), device=at.device))
                x = (x + like(shift, at)) / like(divisor, at)
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
