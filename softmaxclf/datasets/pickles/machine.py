"""The stack machine under `pickles`: the bytes, the stack with its marks, the memo. It knows no opcode."""

from collections.abc import Callable, Sequence
from typing import Any

from softmaxclf.datasets.pickles.values import Refused, Shell, described
from softmaxclf.errors import DataError

MAX_OPCODES = (
    1_500_000  # a batch of 100,000 rows with NumPy labels needs fewer; empty dictionaries stay < 150 MB
)
MAX_MARKS = 100  # nesting of open containers
STOP = 0x2E
Content = bytes


class Machine:
    """The state of reading: where in the bytes, the stack with its marks, and the memo."""

    __slots__ = ("content", "end", "marks", "memo", "place", "position", "stack", "start", "view")

    def __init__(self, content: Content, place: str) -> None:
        self.content = content
        self.view = memoryview(content).toreadonly()
        self.end = len(content)
        self.place = place
        self.position = self.start = 0
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []  # the stacks below the open marks
        self.memo: list[Any] = []

    def run(self, handlers: Sequence["Handler"]) -> object:
        """The one value that is left at STOP, by carrying out opcode after opcode. handlers: one per byte."""
        content, end = self.content, self.end
        for _ in range(MAX_OPCODES):
            self.start = position = self.position
            if position >= end:
                raise self.refusal("expected the next opcode, found the end of the file")
            opcode = content[position]
            self.position = position + 1
            if opcode == STOP:
                return self.result()
            try:
                handlers[opcode](self)
            except Refused as refused:
                raise self.refusal(str(refused)) from None
        raise self.refusal(f"expected at most {MAX_OPCODES:,} opcodes, found more")

    def result(self) -> object:
        """What STOP leaves: exactly one value, nothing open, nothing after it."""
        if self.marks or len(self.stack) != 1:
            raise self.refusal(
                f"expected one value at the end, found {len(self.stack)} and {len(self.marks)} open"
            )
        if self.position != self.end:
            raise self.refusal(
                f"expected the end of the file after STOP, found {self.end - self.position} more bytes"
            )
        return self.stack[0]

    def refusal(self, reason: str) -> DataError:
        """The DataError for what stands at the current opcode."""
        return DataError(
            f"{self.place}: byte {self.start}: {reason}; "
            "this is no whole CIFAR batch: fetch or write the file again (softmaxclf data download)"
        )

    def take(self, count: int) -> memoryview:
        """The next `count` bytes, without a copy."""
        start, stop = self.position, self.position + count
        if stop > self.end:
            raise Refused(f"expected {count} more bytes, found {self.end - start} until the end of the file")
        self.position = stop
        return self.view[start:stop]

    def number(self, size: int) -> int:
        """The next `size` bytes as an unsigned little-endian number."""
        return int.from_bytes(self.take(size), "little")

    def line(self, limit: int | None = None) -> memoryview:
        """The bytes up to the next newline, which is passed over; at most `limit` of them."""
        stop = self.end if limit is None else min(self.end, self.position + limit + 1)
        newline = self.content.find(b"\n", self.position, stop)
        if newline < 0:
            raise Refused("expected a line that ends in time, found no newline")
        taken = self.take(newline - self.position)
        self.position += 1
        return taken

    def push(self, value: object) -> None:
        """Put a value on top of the stack."""
        self.stack.append(value)

    def pop(self) -> Any:
        """The value on top of the stack."""
        if not self.stack:
            raise Refused("expected a value on the stack, found none")
        return self.stack.pop()

    def pop_mark(self) -> list[Any]:
        """The values above the last mark."""
        if not self.marks:
            raise Refused("expected an open mark, found none")
        values, self.stack = self.stack, self.marks.pop()
        return values

    def top(self, wanted: type) -> Any:
        """The list or dictionary on top of the stack, which stays there."""
        if not self.stack or type(self.stack[-1]) is not wanted:
            found = described(self.stack[-1]) if self.stack else "nothing"
            raise Refused(f"expected a {wanted.__name__} to fill, found {found}")
        return self.stack[-1]

    def remember(self, index: int) -> None:
        """Put the top value into the memo, whose numbers follow one another."""
        if not self.stack:
            raise Refused("expected a value to remember, found none")
        memo = self.memo
        if index > len(memo) + 1:
            raise Refused(f"expected memo number {len(memo)}, found {index}")
        if index == len(memo) + 1:  # Python 2 counts from 1
            memo.append(None)
        if index == len(memo):
            memo.append(self.stack[-1])
        else:
            memo[index] = self.stack[-1]

    def recall(self, index: int) -> None:
        """Push a value of the memo. A list or dictionary is refused: it could be put into itself."""
        if index >= len(self.memo):
            raise Refused(f"expected a memo number below {len(self.memo)}, found {index}")
        value = self.memo[index]
        if type(value) is Shell:
            value = value.array
        if value is None or type(value) in (list, dict):
            raise Refused(f"expected a finished value in memo number {index}, found {described(value)}")
        self.stack.append(value)

    def open_mark(self) -> None:
        """Begin a container's values."""
        if len(self.marks) >= MAX_MARKS:
            raise Refused(f"expected at most {MAX_MARKS} open marks, found more")
        self.marks.append(self.stack)
        self.stack = []


Handler = Callable[[Machine], None]
