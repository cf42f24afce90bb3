"""The handlers of the opcodes that `pickles` accepts; every other byte leads to a refusal."""

import re
from collections.abc import Callable
from typing import Any

from softmaxclf.datasets.pickles.machine import Handler, Machine
from softmaxclf.datasets.pickles.values import (
    ROLES,
    SHORT,
    Refused,
    Text,
    built,
    described,
    latin1_bytes,
    reduced,
)

_DECIMAL = re.compile(rb"-?[0-9]{1,20}")
# A Python 2 string literal's inside, without backtracking: plain bytes, or the escapes that repr writes.
_QUOTED = re.compile(rb"(?:[^\\]++|\\(?:x[0-9a-fA-F]{2}|[\\'\"tnr]))*+", re.DOTALL)
_REFUSED_NAMES = {
    "P": "PERSID", "Q": "BINPERSID", "i": "INST", "o": "OBJ", "\x81": "NEWOBJ", "\x92": "NEWOBJ_EX",
    "\x82": "EXT1", "\x83": "EXT2", "\x84": "EXT4", "\x97": "NEXT_BUFFER", "\x98": "READONLY_BUFFER",
    "0": "POP", "1": "POP_MARK", "2": "DUP", "F": "FLOAT", "G": "BINFLOAT", "\x8b": "LONG4",
    "\x8f": "EMPTY_SET", "\x90": "ADDITEMS", "\x91": "FROZENSET",
}  # fmt: skip


def _refused(machine: Machine) -> None:
    opcode = chr(machine.content[machine.start])
    raise Refused(f"expected an opcode of a CIFAR batch, found {_REFUSED_NAMES.get(opcode, ascii(opcode))}")


HANDLERS: list[Handler] = [_refused] * 256


def _on(*opcodes: bytes) -> Callable[[Handler], Handler]:
    """Enter a function as the handler of these opcodes."""

    def enter(handler: Handler) -> Handler:
        for opcode in opcodes:
            HANDLERS[opcode[0]] = handler
        return handler

    return enter


def _sized(opcode: bytes, size: int, push: Callable[[Machine, memoryview], None]) -> None:
    """Enter a handler for a string whose length stands before it in `size` bytes."""
    HANDLERS[opcode[0]] = lambda machine: push(machine, machine.take(machine.number(size)))


def _push_bytes(machine: Machine, raw: memoryview) -> None:
    machine.stack.append(bytes(raw) if len(raw) <= 255 else raw)


def _push_text(machine: Machine, raw: memoryview, codec: str = "utf-8") -> None:
    if len(raw) > SHORT:
        machine.stack.append(Text(raw, codec))
        return
    try:
        machine.stack.append(str(raw, codec))
    except UnicodeError as error:
        raise Refused(f"expected a text in {codec}, found other bytes") from error


for _opcode, _size in ((b"U", 1), (b"T", 4), (b"C", 1), (b"B", 4), (b"\x8e", 8), (b"\x96", 8)):
    _sized(_opcode, _size, _push_bytes)
for _opcode, _size in ((b"\x8c", 1), (b"X", 4), (b"\x8d", 8)):
    _sized(_opcode, _size, _push_text)


@_on(b"V")
def _unicode(machine: Machine) -> None:
    _push_text(machine, machine.line(), "raw_unicode_escape")


@_on(b"S")
def _string(machine: Machine) -> None:
    raw = machine.line()
    if (
        len(raw) < 2
        or raw[0] not in b"'\""
        or raw[0] != raw[-1]
        or not _QUOTED.fullmatch(raw, 1, len(raw) - 1)
    ):
        raise Refused("expected a quoted string, found another line")
    # unicode_escape gives what Python 2's string_escape gave for the escapes that _QUOTED lets through.
    _push_bytes(machine, memoryview(bytes(latin1_bytes(raw[1:-1], "unicode_escape"))))


@_on(b"\x80")
def _proto(machine: Machine) -> None:
    version = machine.number(1)
    if machine.start != 0 or version > 5:
        raise Refused(f"expected one protocol of 0 to 5 at the start, found {version}")


@_on(b"\x95")
def _frame(machine: Machine) -> None:
    length = machine.number(8)
    if length > machine.end - machine.position:
        raise Refused(f"expected a frame of {length} bytes, found {machine.end - machine.position}")


@_on(b"(")
def _mark(machine: Machine) -> None:
    machine.open_mark()


@_on(b"K")
def _binint1(machine: Machine) -> None:
    position = machine.position
    if position >= machine.end:
        raise Refused("expected a byte, found the end of the file")
    machine.stack.append(machine.content[position])
    machine.position = position + 1


@_on(b"M")
def _binint2(machine: Machine) -> None:
    machine.stack.append(machine.number(2))


@_on(b"J")
def _binint(machine: Machine) -> None:
    machine.stack.append(int.from_bytes(machine.take(4), "little", signed=True))


@_on(b"\x8a")
def _long1(machine: Machine) -> None:
    size = machine.number(1)
    if size > 8:
        raise Refused(f"expected an integer of at most 8 bytes, found {size}")
    machine.stack.append(int.from_bytes(machine.take(size), "little", signed=True))


@_on(b"I", b"L")
def _decimal(machine: Machine) -> None:
    line = bytes(machine.line(24))
    if line in (b"00", b"01"):  # Python 2 writes booleans so
        machine.stack.append(line == b"01")
        return
    digits = line.removesuffix(b"L") if machine.content[machine.start] == 0x4C else line
    if not _DECIMAL.fullmatch(digits):
        raise Refused(f"expected a decimal integer, found {described(line)}")
    machine.stack.append(int(digits))


@_on(b"N", b"\x88", b"\x89")
def _constant(machine: Machine) -> None:
    machine.stack.append({0x4E: None, 0x88: True, 0x89: False}[machine.content[machine.start]])


@_on(b")", b"]", b"}")
def _empty(machine: Machine) -> None:
    machine.stack.append({0x29: tuple, 0x5D: list, 0x7D: dict}[machine.content[machine.start]]())


@_on(b"t")
def _tuple(machine: Machine) -> None:
    values = machine.pop_mark()
    machine.stack.append(tuple(values))


@_on(b"\x85", b"\x86", b"\x87")
def _short_tuple(machine: Machine) -> None:
    count = machine.content[machine.start] - 0x84
    values = [machine.pop() for _ in range(count)]
    machine.stack.append(tuple(reversed(values)))


@_on(b"l")
def _list(machine: Machine) -> None:
    values = machine.pop_mark()
    machine.stack.append(values)


@_on(b"a")
def _append(machine: Machine) -> None:
    value = machine.pop()
    machine.top(list).append(value)


@_on(b"e")
def _appends(machine: Machine) -> None:
    values = machine.pop_mark()
    machine.top(list).extend(values)


@_on(b"d")
def _dict(machine: Machine) -> None:
    values = machine.pop_mark()
    machine.stack.append({})
    _fill(machine, values)


@_on(b"s")
def _setitem(machine: Machine) -> None:
    value = machine.pop()
    _fill(machine, [machine.pop(), value])


@_on(b"u")
def _setitems(machine: Machine) -> None:
    _fill(machine, machine.pop_mark())


def _fill(machine: Machine, values: list[Any]) -> None:
    """Set keys and values, which follow one another, in the dictionary on top of the stack."""
    target = machine.top(dict)
    if len(values) % 2:
        raise Refused("expected a value for each key, found a key alone")
    for key, value in zip(values[::2], values[1::2], strict=True):
        name = key.decode("latin-1") if type(key) is bytes else key
        if type(name) is not str or name in target:
            raise Refused(f"expected a new text as a key, found {described(key)}")
        target[name] = value


@_on(b"q")
def _binput(machine: Machine) -> None:
    machine.remember(machine.number(1))


@_on(b"r")
def _long_binput(machine: Machine) -> None:
    machine.remember(machine.number(4))


@_on(b"p")
def _put(machine: Machine) -> None:
    machine.remember(_index(machine))


@_on(b"\x94")
def _memoize(machine: Machine) -> None:
    machine.remember(len(machine.memo))


@_on(b"h")
def _binget(machine: Machine) -> None:
    machine.recall(machine.number(1))


@_on(b"j")
def _long_binget(machine: Machine) -> None:
    machine.recall(machine.number(4))


@_on(b"g")
def _get(machine: Machine) -> None:
    machine.recall(_index(machine))


def _index(machine: Machine) -> int:
    line = bytes(machine.line(10))
    if not line.isdigit():
        raise Refused(f"expected a memo number, found {described(line)}")
    return int(line)


@_on(b"c")
def _global(machine: Machine) -> None:
    _push_role(machine, str(machine.line(SHORT), "latin-1"), str(machine.line(SHORT), "latin-1"))


@_on(b"\x93")
def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    _push_role(machine, module, name)


def _push_role(machine: Machine, module: object, name: object) -> None:
    """Push what the exact pair stands for; any other pair ends the reading, unlooked-at."""
    role = ROLES.get((module, name)) if type(module) is str and type(name) is str else None
    if role is None:
        raise Refused(
            f"expected one of the names that rebuild an array, found {described(module)} {described(name)}"
        )
    machine.stack.append(role)


@_on(b"R")
def _reduce(machine: Machine) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.stack.append(reduced(function, arguments))


@_on(b"b")
def _build(machine: Machine) -> None:
    state, target = machine.pop(), machine.pop()
    machine.stack.append(built(target, state))
