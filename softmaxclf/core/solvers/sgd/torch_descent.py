"""The descent of descent.py with its weights on a device of PyTorch: the same steps, other products and memory.

A step asks the device nothing, so that it is never waited for: a cell's divergence is noted there, step by step, and
looked at when a line of the history is written and when a run ends. On a GPU by CUDA a narrow stack's step takes less
time than telling its forty operations to the device one by one: it is recorded, and repeated as one.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from softmaxclf.core.namespace import fetched
from softmaxclf.core.problem import Array, Problem
from softmaxclf.core.solvers.sgd.columns import StepInputs
from softmaxclf.core.solvers.sgd.descent import Descent
from softmaxclf.core.solvers.sgd.state import Settings, SGDState
from softmaxclf.core.solvers.solver import Stop
from softmaxclf.core.torch_device import (
    ALL_DIGITS,
    Feed,
    Recorder,
    TensorReader,
    TorchDevice,
    dtype_of,
    middle_of,
)

Tensor = Any  # torch.Tensor
ON_DEVICE = ("V", "b", "velocity", "b_velocity", "loss_sum", "hits", "seen")
ALIGNED = 8  # rows of a batch in which matrix units are quick


class TorchDescent(Descent):
    """Trains a copy of `state` on the device; its own `state` has tensors in place of the arrays ON_DEVICE."""

    def __init__(self, problem: Problem, settings: Settings, state: SGDState, device: TorchDevice) -> None:
        device = self._device = device.suiting(problem.X, problem.preprocessing[0].reading)
        own = state.keep(np.arange(len(state.cells)))
        tensors: dict[str, Any] = {name: device.sent(getattr(own, name)) for name in ON_DEVICE}
        self._feed, self._recorder = Feed(device), Recorder(device)
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
        return TensorBuffer(self.problem, X, rows, self._device, self.settings.batch_size)

    def _lay_out(self, state: SGDState) -> None:
        stacks: Any = state.V, state.velocity
        self._V, self._velocity = (each.flatten(1) for each in stacks)
        self._parts: list[Tensor] | None = None
        self._moved: Tensor | None = None
        # By rows, since what is recorded keeps its place in memory.
        self._scores: dict[int, Tensor] = {}
        self._steps: dict[int, Tensor] = {}
        self._finite_until = torch.full((len(state.cells),), state.iteration, device=self._device.device)
        self._finite = self._device.sent(state.diverged_at < 0)

    def _descend(self, rows: Array, rate: float) -> Any:
        """The step, with its losses taken into account there."""
        inputs, counting, batch = vars(self._inputs(rows, rate)), self._counting, self._batch
        given = self._feed.sent({**inputs, "rows": rows if batch.resident else None})
        there = given.pop("rows")

        def work() -> None:
            Z = batch.gather(rows if there is None else there)
            losses: Any = self._advance(Z, StepInputs(**given), counting)
            self._finite &= torch.isfinite(losses)  # which cells are finite still
            self._finite_until += self._finite
            self.state.loss_sum += losses

        if batch.resident:
            self._recorder.run((id(there), counting), work)
        else:
            work()

    def _account(self, losses: Any) -> None:
        """Done on the device already."""

    def _products(self, Z: Tensor, shrinkage: Any) -> Any:
        count, b = len(Z), self.state.b
        if count not in self._scores:
            self._scores[count] = torch.empty((*b.shape, count), dtype=b.dtype, device=self._device.device)
        scores = self._scores[count]
        self._parts = self._device.parts(self._V, room=self._parts if self._device.mixed else None)
        others = scores[1:]
        self._device.product([v.T for v in self._parts], [Z.T], out=others.flatten(0, 1))
        others *= shrinkage[:, None]
        torch.sum(others, 0, out=scores[0]).neg_()
        return scores

    def _move_weights(self, Z: Tensor, decay: Any) -> None:
        """As in Descent; without scale and momentum the second product is added to V as it is made."""
        state, inverse_square, momentum = self.state, self._columns.inverse_square, self.settings.momentum
        steps = self._scores[len(Z)][1:].flatten(0, 1)
        if self._device.mixed and self._device.accelerator:
            parts, Z = [self._side_by_side(steps)], Z.repeat(ALL_DIGITS, 1)
        else:
            parts = self._device.parts(steps, ALL_DIGITS)
        added = not momentum and inverse_square is None
        if self._moved is None and not added:
            self._moved = torch.empty_like(self._V)
        total, out = (self._V, None) if added else (None, self._moved)
        change: Any = self._device.product([Z.T], [part.T for part in parts], total, out)
        if added:
            return
        shaped = change.view(state.V.shape)
        if inverse_square is not None:
            shaped *= inverse_square
        if momentum:
            shaped -= state.V * decay
        self._move(self._V, self._velocity, change)

    def _side_by_side(self, steps: Tensor) -> Tensor:
        """The parts of dS (C, n) as one matrix (C, parts n), so that V is read and written once for all."""
        rows, count = steps.shape
        if count not in self._steps:
            dtype = self._device.part_dtype
            self._steps[count] = torch.empty((rows, ALL_DIGITS * count), dtype=dtype, device=steps.device)
        self._device.parts(steps, room=list(self._steps[count].split(count, 1)))
        return self._steps[count]

    def _multiply_weights(self, factors: Any) -> None:
        self.state.V *= factors

    def _settle(self) -> None:
        """Mark and give up the cells that have diverged since this was done last."""
        state = self.state
        last = fetched(self._finite_until)
        lost = last < state.iteration
        if state.iteration == self.settings.iterations:
            weights: Any = torch.isfinite(self._V).view(state.V.shape).all(0).all(0)
            lost |= ~fetched(weights & torch.isfinite(state.b).all(0))
        lost &= state.diverged_at < 0
        if lost.any():
            state.diverged_at[lost] = np.minimum(last[lost] + 1, state.iteration)
            self._finite &= ~self._device.sent(lost)
            self._give_up(lost)

    def _write_history(self) -> None:
        self._settle()
        super()._write_history()


class TensorBuffer:
    """RowBuffer's twin: rows of X as a part of Z (offsets + n, D'), where blank rows of zeros count as offsets.

    With mixed precision rows are whole numbers, and an offset takes three rows, which together have all its digits.
    batch_size: that of steps, for which the rows of Z are a multiple of ALIGNED on an accelerator. resident: whether X
    lies there.
    """

    def __init__(self, problem: Problem, X: Any, rows: int, device: TorchDevice, batch_size: int) -> None:
        reading = problem.preprocessing[0].reading
        first = [each.offset for each in problem.preprocessing if each.offset is not None]
        self._reader = TensorReader(X, reading, device, problem.dtype)
        self.resident = self._reader.resident
        middle = (middle_of(X, reading) or 0) if device.mixed else 0
        self._middle = middle if first else 0  # which an offset takes in
        self.offset_parts = ALL_DIGITS if device.mixed else 1
        taken = self.offset_parts * len(first)
        self.blank = -(taken + batch_size) % ALIGNED if device.accelerator else 0
        self.offsets = taken + self.blank
        self._rows = torch.zeros(
            (self.offsets + rows, self._reader.columns),
            dtype=device.part_dtype if device.mixed else dtype_of(problem.dtype),
            device=device.device,
        )
        if first:
            lines = torch.from_numpy((np.array(first) - self._middle).astype(problem.dtype))
            self._rows[:taken] = torch.cat(device.parts(lines, ALL_DIGITS))

    def gather(self, rows: Array | Tensor) -> Tensor:
        """Z of the rows of those indices, a tensor of them where they are resident; valid until others are gathered."""
        Z = self._rows[: self.offsets + len(rows)]
        self._reader.read(rows, Z[self.offsets :], self._middle)
        return Z
