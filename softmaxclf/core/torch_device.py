"""Products by PyTorch, and the rows where it makes them. Imported only where a device is asked for that needs it.

Mixed precision: the matrix units of processors and GPUs multiply bfloat16 numbers, of 8 binary digits, and add up in
float32, at several times the speed of float32. A float32 number is the sum of two of them to 2^-17 of itself, or of
three to its last digit:

    hi = bfloat16(a)        lo = bfloat16(a - hi)        a = hi + lo

Bytes are exact in one part, and so are folded pixels, once the middle of their range is subtracted. Weights take two,
so that scores are two products. A gradient takes three, its steps having all their digits: with two, weights that were
trained gave scores 15 times as far from those of float64 as float32 does, so 1.8 times at the most. So do the sums
of lbfgs, which must tell small gaps. Other features would take as many: five products and six, which pay nowhere, not
on a GPU either. They are multiplied in float32; see `suiting`.

On the processor, PyTorch has no product of bfloat16 that gives float32. There the parts are kept as float32, and it
is allowed to round them for its matrix units, which changes nothing in them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cache, cached_property
from itertools import pairwise
from typing import Any
from weakref import ref

import numpy as np
import torch
from numpy.typing import NDArray

from softmaxclf.core.rows import Reads, RowReader
from softmaxclf.errors import ConfigError

Array = NDArray[Any]
Tensor = Any  # torch.Tensor
Parts = Sequence[Tensor]  # their sum is a matrix
PARTS, ALL_DIGITS = 2, 3  # of float32 in bfloat16: to 2^-17 of a number, and to its last digit
EXACT = 256  # whole numbers up to it are exact in bfloat16
KEPT_SHARE = 0.5  # of a device's free memory that rows may take to be kept there
SENT_BYTES = 2**26  # in which rows are sent there
OUT_DTYPE = "2.8"  # the version of PyTorch since which bfloat16 products give float32 on a GPU


class TorchDevice:
    """A device of PyTorch. kind: cpu, cuda or mps. mixed: products of bfloat16 parts. Raises ConfigError without it."""

    def __init__(self, kind: str, *, mixed: bool = False) -> None:
        self.device, self.mixed = torch.device(kind), mixed
        self.name = "torch-cpu" if kind == "cpu" else kind  # in a configuration
        self.accelerator = kind != "cpu"
        self.doubles = kind == "cuda"  # multiplies float64, better than NumPy does beside it
        self._rounds = mixed and not self.accelerator
        self.part_dtype = torch.bfloat16 if self.accelerator else torch.float32
        self.why = ""
        self._known: dict[int, tuple[Any, Tensor | None]] = {}
        self._check(kind)
        _settle_functions()

    def _check(self, kind: str) -> None:
        found = f"PyTorch {torch.__version__} finds none"
        if kind == "cuda" and not torch.cuda.is_available():
            raise ConfigError(
                f"engine.device: expected an NVIDIA or AMD GPU for cuda, but {found}; install its driver and a PyTorch "
                "that is built for it, or use device cpu"
            )
        if kind == "mps" and not torch.backends.mps.is_available():
            raise ConfigError(f"engine.device: expected an Apple GPU for mps, but {found}; use device cpu")
        if self.mixed and kind == "mps":
            raise ConfigError("engine.precision: expected single on mps, got mixed; use it on cuda or cpu")
        if self.mixed and kind == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise ConfigError(
                "engine.precision: expected a GPU with bfloat16 for mixed, found none; use single"
            )
        version = torch.__version__
        if self.mixed and kind == "cuda" and version < torch.torch_version.TorchVersion(OUT_DTYPE):
            raise ConfigError(
                f"engine.precision: expected PyTorch {OUT_DTYPE} for mixed on cuda, found {version}; upgrade it"
            )

    def suiting(self, X: Any, reading: Sequence[Any]) -> "TorchDevice":
        """The device as it is best for rows X (N, D) read so: mixed precision is for those that are one part."""
        return self if middle_of(X, reading) is not None else self.in_float32

    @cached_property
    def in_float32(self) -> "TorchDevice":
        """The same device, where mixed precision does not pay."""
        if not self.mixed:
            return self
        other = copy(self)
        other.mixed = other._rounds = False
        other.why = ", since mixed precision pays for bytes alone"
        return other

    def describe(self, X: Any) -> str:
        """In words: the library, the device, the products, and where rows X (N, D) are."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type
        products = (
            "products of bfloat16 parts, summed up in float32"
            if self.mixed
            else f"float32 products{self.why}"
        )
        rows = "" if not self.accelerator else f"; {X.nbytes / 1e6:,.0f} MB of rows "
        if rows:
            rows += "kept there" if self.resident(X) is not None else "streamed, since they do not fit there"
        return f"PyTorch {torch.__version__} on {name}: {products}{rows}"

    @property
    def free_memory(self) -> int:
        """Bytes that an accelerator has left."""
        if self.device.type == "cuda":
            return int(torch.cuda.mem_get_info(self.device)[0])
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())

    @contextmanager
    def computing(self) -> Iterator[None]:
        """In this block nothing is recorded for derivatives, and float32 is multiplied as that."""
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            with torch.inference_mode():
                yield
        finally:
            torch.set_float32_matmul_precision(before)

    def sent(self, array: Array) -> Tensor:
        """A tensor there; on the processor it shares the memory of the array."""
        if self.device.type == "mps" and array.dtype == np.float64:
            array = array.astype(np.float32)
        return torch.from_numpy(array).to(self.device)

    def holds(self, X: Any) -> bool:
        """Whether it has the numbers that X is stored in; Apple's GPUs have no float64."""
        return bool(self.device.type != "mps" or X.dtype != np.float64)

    def resident(self, X: Any) -> Tensor | None:
        """Rows X (N, D) as they are stored, kept on an accelerator as long as X lives; None where they do not fit."""
        known = self._known.get(id(X))
        if known is None or known[0]() is not X:
            self._known = {key: each for key, each in self._known.items() if each[0]() is not None}
            known = self._known[id(X)] = (ref(X), self._copied(X))
        return known[1]

    def _copied(self, X: Any) -> Tensor | None:
        if not self.holds(X) or X.nbytes > KEPT_SHARE * self.free_memory:
            return None
        there = torch.empty(X.shape, dtype=dtype_of(X.dtype), device=self.device)
        step = max(1, SENT_BYTES * len(X) // X.nbytes)
        for start in range(0, len(X), step):
            there[start : start + step] = torch.tensor(np.ascontiguousarray(X[start : start + step]))
        return there

    def parts(self, A: Tensor, count: int = PARTS, room: list[Tensor] | None = None) -> list[Tensor]:
        """A matrix as it is multiplied: itself, or of float32 with mixed precision so many parts.

        room: what an earlier call for a matrix of that shape gave, to be written over: new memory costs the processor
        as much as what is computed in it.
        """
        if not self.mixed or A.dtype == torch.float64:
            return [A]
        room = room or [torch.empty_like(A, dtype=self.part_dtype) for _ in range(count)]
        room[0].copy_(A)
        rest = A
        for part, following in pairwise(room):
            if self._rounds:  # what is left lies in the part that follows
                rounded = rest.bfloat16()
                rest = torch.sub(rest, rounded, out=following)
                part.copy_(rounded)
            elif following is room[-1]:
                torch.sub(rest, part, out=following)
            else:
                rest = rest - part
                following.copy_(rest)
        return room

    def product(
        self, left: Parts, right: Parts, total: Tensor | None = None, out: Tensor | None = None
    ) -> Tensor:
        """left right of matrices in parts, added to `total` in place, or in `out`; small times small is left out.

        To be asked for in a block of `computing`.
        """
        if self._rounds:
            torch.set_float32_matmul_precision("medium")
        for place, p in enumerate(left):
            for q in right[: ALL_DIGITS - place]:
                total = self._added(total, p, q, out)
        if self._rounds:
            torch.set_float32_matmul_precision("highest")
        assert total is not None
        return total

    def _added(self, total: Tensor | None, p: Tensor, q: Tensor, out: Tensor | None) -> Tensor:
        wider: dict[str, Any] = {"out_dtype": torch.float32} if p.dtype == torch.bfloat16 else {}
        if total is None:
            return torch.mm(p, q, out=out, **wider)
        return torch.addmm(total, p, q, out=total, **wider)


@cache
def _settle_functions() -> None:
    """Call once, in one thread, what the threads of a processor call.

    MKL chooses the code of a function at its first call, and where threads make that at the same time one of them may
    get code of three digits (PyTorch's issue 188792).
    """
    for dtype in (torch.float32, torch.float64):
        for function in (torch.exp, torch.log, torch.log1p):
            function(torch.ones(64, dtype=dtype))


def best_device(mixed: bool) -> str:
    """What auto stands for, by the name that it has in a configuration: a GPU that can, else the processor."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() and not mixed else "cpu"


def middle_of(X: Any, reading: Sequence[Any]) -> int | None:
    """What to subtract from rows X that are read so, to have whole numbers that bfloat16 holds; None for others."""
    most = 255 if X.dtype == np.uint8 else None
    for step in reading:
        most = None if most is None else getattr(step, "most", lambda _: None)(most)
    if most is None or most > 2 * EXACT:
        return None
    return 0 if most <= EXACT else most // 2


def dtype_of(dtype: Any) -> Any:
    """PyTorch's name of a dtype of NumPy."""
    return torch.from_numpy(np.empty(0, dtype)).dtype


class Feed:
    """Arrays on their way to a device, all in one copy, from pinned memory that is filled while others are copied."""

    AHEAD = 4  # copies under way at the most

    def __init__(self, device: TorchDevice) -> None:
        self._device = device
        self._lanes: dict[Any, tuple[list[Tensor], Tensor, dict[str, Any], list[Any]]] = {}
        self._turn = 0

    def sent(self, arrays: Mapping[str, Array | None]) -> dict[str, Any]:
        """They as tensors, valid until others are sent; those of the same shapes come to the same place in memory."""
        given = {name: array for name, array in arrays.items() if array is not None}
        if not self._device.accelerator:
            return {**arrays, **{name: self._device.sent(array) for name, array in given.items()}}
        key = tuple((name, array.dtype.char, array.shape) for name, array in given.items())
        if key not in self._lanes:
            self._lanes[key] = self._lane(given)
        pinned, there, tensors, copied = self._lanes[key]
        self._turn = (self._turn + 1) % self.AHEAD
        if copied:
            copied[self._turn].synchronize()
        block, at = pinned[self._turn].numpy(), 0
        for array in given.values():
            block[at : at + array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            at += _whole_lines(array.nbytes)
        there.copy_(pinned[self._turn], non_blocking=bool(copied))
        if copied:
            copied[self._turn].record()
        return {**arrays, **tensors}

    def _lane(self, given: Mapping[str, Array]) -> tuple[list[Tensor], Tensor, dict[str, Any], list[Any]]:
        size = sum(_whole_lines(array.nbytes) for array in given.values())
        cuda = self._device.device.type == "cuda"
        pinned = [torch.empty(size, dtype=torch.uint8, pin_memory=cuda) for _ in range(self.AHEAD)]
        there = torch.empty(size, dtype=torch.uint8, device=self._device.device)
        tensors, at = {}, 0
        for name, array in given.items():
            tensors[name] = there[at : at + array.nbytes].view(dtype_of(array.dtype)).view(array.shape)
            at += _whole_lines(array.nbytes)
        return pinned, there, tensors, [torch.cuda.Event() for _ in pinned] if cuda else []


def _whole_lines(count: int) -> int:
    """So many bytes, in whole lines of a cache."""
    return -(-count // 128) * 128


class Recorder:
    """Work that is the same each time, on tensors that stay where they are.

    On a GPU by CUDA it is recorded, as a graph, when it comes for the second time, and from then on repeated as one.
    """

    def __init__(self, device: TorchDevice) -> None:
        cuda = device.device.type == "cuda"
        self._graphs: dict[Any, Any] | None = {} if cuda else None
        self._pool = torch.cuda.graph_pool_handle() if cuda else None  # one graph runs at a time

    def run(self, key: Any, work: Callable[[], None]) -> None:
        """Do the work that has that key. The first time makes what is made once."""
        if self._graphs is None or key not in self._graphs:
            work()
            if self._graphs is not None:
                self._graphs[key] = None
            return
        if self._graphs[key] is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                work()
            self._graphs[key] = graph
        self._graphs[key].replay()


class TensorReader:
    """RowReader's twin, which reads rows of X (N, D) into tensors (n, D').

    On the processor it is RowReader. On an accelerator rows are kept as they are stored, cast and changed there; those
    that do not fit are sent in blocks of pinned memory, of which there are two, so that one is filled while the other
    is on its way. A stage that is no linear map changes rows before they are sent.
    """

    def __init__(
        self, X: Any, reading: Sequence[Reads], device: TorchDevice, dtype: Any = np.float32
    ) -> None:
        self.columns = reading[-1].columns if reading else int(X.shape[1])
        self._device = device
        linear = all(getattr(step, "linear", False) for step in reading)
        self._there = device.accelerator and linear and device.holds(X)
        self._reading = tuple(reading) if self._there else ()
        self._resident = device.resident(X) if self._there else None
        self.resident = self._resident is not None
        self._reader = RowReader(X, () if self._there else reading, X.dtype if self._there else dtype)
        self._pinned: list[Tensor] = [torch.empty(0)] * 2
        self._sent = [torch.cuda.Event() for _ in self._pinned] if device.device.type == "cuda" else []
        self._turn = 0

    def read(self, rows: Array | Tensor | slice, out: Tensor, less: float = 0) -> Tensor:
        """`out` (n, D'), filled with the rows of those indices, a number less; of resident rows they may be there."""
        if not self._device.accelerator:
            self._reader.read(rows, out.numpy())
            return out.sub_(less) if less else out
        stored, dtype = self._stored(rows, len(out)), torch.promote_types(out.dtype, torch.float32)
        for step in self._reading:
            read = torch.empty((len(out), step.columns), dtype=dtype, device=out.device)
            step.read(stored.to(dtype), read)
            stored = read
        return out.copy_(
            stored.to(dtype) - less if less else stored
        )  # bfloat16 may hold the difference alone

    def _stored(self, rows: Any, count: int) -> Tensor:
        if self._resident is not None:
            if isinstance(rows, slice):
                return self._resident[rows]
            there = torch.tensor(rows, device=self._device.device) if isinstance(rows, np.ndarray) else rows
            return self._resident.index_select(0, there)
        self._turn ^= 1
        if self._sent:
            self._sent[self._turn].synchronize()
        if len(self._pinned[self._turn]) < count:
            shape, dtype = (count, self._reader.columns), dtype_of(self._reader.dtype)
            self._pinned[self._turn] = torch.empty(shape, dtype=dtype, pin_memory=bool(self._sent))
        block = self._pinned[self._turn][:count]
        self._reader.read(rows, block.numpy())
        there = block.to(self._device.device, non_blocking=bool(self._sent))
        if self._sent:
            self._sent[self._turn].record()
        return there
