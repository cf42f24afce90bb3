"""The handlers of the opcodes that `pickles` accepts, in a table at the end; every other byte is refused."""

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


def _proto(machine: Machine) -> None:
    version = machine.number(1)
    if machine.start != 0 or version > 5:
        raise Refused(f"expected one protocol of 0 to 5 at the start, found {version}")


def _frame(machine: Machine) -> None:
    length = machine.number(8)
    if length > machine.end - machine.position:
        raise Refused(f"expected a frame of {length} bytes, found {machine.end - machine.position}")


def _long1(machine: Machine) -> None:
    size = machine.number(1)
    if size > 8:
        raise Refused(f"expected an integer of at most 8 bytes, found {size}")
    machine.stack.append(int.from_bytes(machine.take(size), "little", signed=True))


def _decimal(machine: Machine) -> None:
    line = bytes(machine.line(24))
    if line in (b"00", b"01"):  # Python 2 writes booleans so
        machine.stack.append(line == b"01")
        return
    digits = line.removesuffix(b"L") if machine.content[machine.start] == 0x4C else line
    if not _DECIMAL.fullmatch(digits):
        raise Refused(f"expected a decimal integer, found {described(line)}")
    machine.stack.append(int(digits))


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


def _setitem(machine: Machine) -> None:
    value = machine.pop()
    _fill(machine, [machine.pop(), value])


def _index(machine: Machine) -> int:
    line = bytes(machine.line(10))
    if not line.isdigit():
        raise Refused(f"expected a memo number, found {described(line)}")
    return int(line)


def _push_role(machine: Machine, module: object, name: object) -> None:
    """Push what the exact pair stands for; any other pair ends the reading, unlooked-at."""
    role = ROLES.get((module, name)) if type(module) is str and type(name) is str else None
    if role is None:
        raise Refused(
            f"expected one of the names that rebuild an array, found {described(module)} {described(name)}"
        )
    machine.stack.append(role)


def _name(machine: Machine) -> str:
    return str(machine.line(SHORT), "latin-1")


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    _push_role(machine, module, name)


def _reduce(machine: Machine) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.stack.append(reduced(function, arguments))


def _build(machine: Machine) -> None:
    state, target = machine.pop(), machine.pop()
    machine.stack.append(built(target, state))


def _byte(machine: Machine) -> None:
    """One label: by far the most frequent opcode of a batch, so without `number`."""
    position = machine.position
    if position >= machine.end:
        raise Refused("expected a byte, found the end of the file")
    machine.stack.append(machine.content[position])
    machine.position = position + 1


def _constant(value: Callable[[], object]) -> Handler:
    return lambda machine: machine.stack.append(value())


def _short_tuple(count: int) -> Handler:
    return lambda machine: machine.stack.append(tuple([machine.pop() for _ in range(count)][::-1]))


def _sized(size: int, push: Callable[[Machine, memoryview], None]) -> Handler:
    """For a string whose length stands before it in `size` bytes."""
    return lambda machine: push(machine, machine.take(machine.number(size)))


def _append(machine: Machine) -> None:
    value = machine.pop()
    machine.top(list).append(value)


def _appends(machine: Machine) -> None:
    values = machine.pop_mark()
    machine.top(list).extend(values)


def _dict(machine: Machine) -> None:
    values = machine.pop_mark()
    machine.stack.append({})
    _fill(machine, values)


_TABLE: dict[bytes, Handler] = {
    b"\x80": _proto,
    b"\x95": _frame,
    b"(": Machine.open_mark,
    # numbers and constants
    b"K": _byte,
    b"M": lambda machine: machine.push(machine.number(2)),
    b"J": lambda machine: machine.push(int.from_bytes(machine.take(4), "little", signed=True)),
    b"\x8a": _long1,
    b"I": _decimal,
    b"L": _decimal,
    b"N": _constant(lambda: None),
    b"\x88": _constant(lambda: True),
    b"\x89": _constant(lambda: False),
    # byte strings and texts
    b"S": _string,
    b"U": _sized(1, _push_bytes),
    b"T": _sized(4, _push_bytes),
    b"C": _sized(1, _push_bytes),
    b"B": _sized(4, _push_bytes),
    b"\x8e": _sized(8, _push_bytes),
    b"\x96": _sized(8, _push_bytes),
    b"V": lambda machine: _push_text(machine, machine.line(), "raw_unicode_escape"),
    b"\x8c": _sized(1, _push_text),
    b"X": _sized(4, _push_text),
    b"\x8d": _sized(8, _push_text),
    # containers
    b")": _constant(tuple),
    b"]": _constant(list),
    b"}": _constant(dict),
    b"\x85": _short_tuple(1),
    b"\x86": _short_tuple(2),
    b"\x87": _short_tuple(3),
    b"t": lambda machine: machine.push(tuple(machine.pop_mark())),
    b"l": lambda machine: machine.push(machine.pop_mark()),
    b"d": _dict,
    b"a": _append,
    b"e": _appends,
    b"s": _setitem,
    b"u": lambda machine: _fill(machine, machine.pop_mark()),
    # memo
    b"q": lambda machine: machine.remember(machine.number(1)),
    b"r": lambda machine: machine.remember(machine.number(4)),
    b"p": lambda machine: machine.remember(_index(machine)),
    b"\x94": lambda machine: machine.remember(len(machine.memo)),
    b"h": lambda machine: machine.recall(machine.number(1)),
    b"j": lambda machine: machine.recall(machine.number(4)),
    b"g": lambda machine: machine.recall(_index(machine)),
    # what rebuilds arrays
    b"c": lambda machine: _push_role(machine, _name(machine), _name(machine)),
    b"\x93": _stack_global,
    b"R": _reduce,
    b"b": _build,
}
HANDLERS: list[Handler] = [_TABLE.get(bytes([byte]), _refused) for byte in range(256)]
