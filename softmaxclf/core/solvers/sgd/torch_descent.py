"""The descent of descent.py with its weights on a device of PyTorch: the same steps, other products and memory.

A step asks the device nothing, so that it is never waited for: a cell's divergence is noted there, step by step, and
looked at when a line of the history is written and when a run ends.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from softmaxclf.core.namespace import fetched
from softmaxclf.core.problem import Array, Problem
from softmaxclf.core.solvers.sgd.descent import Descent
from softmaxclf.core.solvers.sgd.state import Settings, SGDState
from softmaxclf.core.solvers.solver import Stop
from softmaxclf.core.torch_device import ALL_DIGITS, TensorReader, TorchDevice, dtype_of, middle_of

Tensor = Any  # torch.Tensor
ON_DEVICE = ("V", "b", "velocity", "b_velocity", "loss_sum", "hits", "seen")


class TorchDescent(Descent):
    """Trains a copy of `state` on the device; its own `state` has tensors in place of the arrays ON_DEVICE."""

    def __init__(self, problem: Problem, settings: Settings, state: SGDState, device: TorchDevice) -> None:
        self._device = device
        own = state.keep(np.arange(len(state.cells)))
        tensors: dict[str, Any] = {name: device.sent(getattr(own, name)) for name in ON_DEVICE}
        super().__init__(problem, settings, replace(own, **tensors))

    def run(self, until: int, stop: Stop = lambda iteration: False) -> bool:
        """Train up to iteration `until`; see Descent."""
        with self._device.computing():
            reached = super().run(until, stop)
            self._settle()
        return reached

    def validate(self) -> Array:
        """See Descent."""
        with self._device.computing():
            return super().validate()

    def _buffer(self, X: Array, rows: int) -> "TensorBuffer":
        return TensorBuffer(self.problem, X, rows, self._device)

    def _lay_out(self, state: SGDState) -> None:
        stacks: Any = state.V, state.velocity
        self._V, self._velocity = (each.flatten(1) for each in stacks)
        self._parts: list[Tensor] | None = None
        self._moved: Tensor | None = None
        self._scores = torch.empty(0, dtype=state.b.dtype, device=self._device.device)
        self._finite_until = torch.full((len(state.cells),), state.iteration, device=self._device.device)
        self._finite = self._device.sent(state.diverged_at < 0)

    def _products(self, Z: list[Tensor]) -> Any:
        shape = (*self.state.b.shape, len(Z[0]))
        if self._scores.shape != shape:
            self._scores = self._scores.new_empty(shape)
        self._parts = self._device.parts(self._V, room=self._parts if self._device.mixed else None)
        others = self._scores[1:]
        self._device.product([v.T for v in self._parts], [z.T for z in Z], out=others.flatten(0, 1))
        others *= self._columns.cast(self.state.shrinkage)[:, None]
        torch.sum(others, 0, out=self._scores[0]).neg_()
        return self._scores

    def _move_weights(self, Z: list[Tensor], decay: Array) -> None:
        """As in Descent; without scale and momentum the second product is added to V as it is made."""
        state, inverse_square, momentum = self.state, self._columns.inverse_square, self.settings.momentum
        dS = self._device.parts(self._scores[1:].flatten(0, 1), ALL_DIGITS)
        added = not momentum and inverse_square is None
        if self._moved is None and not added:
            self._moved = torch.empty_like(self._V)
        total, out = (self._V, None) if added else (None, self._moved)
        change: Any = self._device.product([z.T for z in Z], [part.T for part in dS], total, out)
        if added:
            return
        shaped = change.view(state.V.shape)
        if inverse_square is not None:
            shaped *= inverse_square
        if momentum:
            shaped -= state.V * self._columns.cast(decay)
        self._move(self._V, self._velocity, change)

    def _multiply_weights(self, factors: Array) -> None:
        self.state.V *= self._columns.cast(factors)

    def _mark_diverged(self, losses: Any) -> None:
        """Note which cells are finite still."""
        self._finite &= torch.isfinite(losses)
        self._finite_until += self._finite

    def _settle(self) -> None:
        """Mark and give up the cells that have diverged since this was done last."""
        state = self.state
        last = fetched(self._finite_until)
        lost = last < state.iteration
        if state.iteration == self.settings.iterations:
            finite = torch.isfinite(self._V).view(state.V.shape).all(0).all(0) & torch.isfinite(state.b).all(
                0
            )
            lost |= ~fetched(finite)
        lost &= state.diverged_at < 0
        if lost.any():
            state.diverged_at[lost] = np.minimum(last[lost] + 1, state.iteration)
            self._finite &= ~self._device.sent(lost)
            self._give_up(lost)

    def _write_history(self) -> None:
        self._settle()
        super()._write_history()


class TensorBuffer:
    """RowBuffer's twin: rows of X as parts of Z (offsets + n, D').

    With mixed precision, rows of whole numbers are one part, and an offset takes three rows, which together have all
    its digits. Other rows, with their offsets, are three parts.
    """

    def __init__(self, problem: Problem, X: Any, rows: int, device: TorchDevice) -> None:
        reading = problem.preprocessing[0].reading
        first = [each.offset for each in problem.preprocessing if each.offset is not None]
        self._device, self._reader = device, TensorReader(X, reading, device, problem.dtype)
        middle = middle_of(X, reading) if device.mixed else None
        self._exact = middle is not None and (middle == 0 or len(first) > 0)  # an offset takes the middle in
        self._middle = middle if self._exact and middle else 0
        dtype = device.part_dtype if self._exact else dtype_of(problem.dtype)
        self.offset_parts = ALL_DIGITS if self._exact else 1
        self.offsets = self.offset_parts * len(first)
        shape = (self.offsets + rows, self._reader.columns)
        self._rows = torch.empty(shape, dtype=dtype, device=device.device)
        if first:
            lines = torch.from_numpy(np.array(first) - self._middle)
            lines = torch.cat(device.parts(lines.float(), ALL_DIGITS)) if self._exact else lines
            self._rows[: self.offsets] = lines.to(dtype)

    def gather(self, rows: Array) -> list[Tensor]:
        """The parts of Z of the rows of those indices, valid until others are gathered."""
        Z = self._rows[: self.offsets + len(rows)]
        self._reader.read(rows, Z[self.offsets :], self._middle)
        return [Z] if self._exact else self._device.parts(Z, ALL_DIGITS)
