"""A reader of the few pickle opcodes that a CIFAR batch needs, with no power to import or run anything.

The `pickle` module is not used. A pickle is a program for a small stack machine; this module is that machine
with every dangerous instruction left out. What it accepts, byte by byte (`n4` is a little-endian length in
four bytes, `line` ends at a newline):

    80 version          PROTO, first in the file only, version 0 to 5
    95 n8               FRAME, must fit the file
    2e                  STOP, must be the last byte, with exactly one value: a dictionary
    ( t ) 85 86 87      MARK, TUPLE, EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3
    ] l a e             EMPTY_LIST, LIST, APPEND, APPENDS
    } d s u             EMPTY_DICT, DICT, SETITEM, SETITEMS; keys are texts, none twice
    N 88 89             None, True, False
    K M J I L 8a        integers of 1, 2, 4 bytes, two decimal lines, LONG1 of at most 8 bytes
    U T S               Python 2 strings: n1, n4, quoted line
    C B 8e 96           byte strings: n1, n4, n8, and BYTEARRAY8
    8c X 8d V           texts: n1, n4, n8 in UTF-8, and a line in raw-unicode-escape
    q r p 94            BINPUT, LONG_BINPUT, PUT, MEMOIZE: remember the top value
    h j g               BINGET, LONG_BINGET, GET: a remembered value again, but never a list, a dictionary
                        or an array that is not finished
    c 93                GLOBAL, STACK_GLOBAL: only the exact pairs of `values.ROLES`
    R b                 REDUCE, BUILD: only the array-making forms of `values`

Every other byte in an opcode's place is refused: INST, OBJ, NEWOBJ, PERSID, BINPERSID, EXT1..4, floats, sets,
DUP, POP, NEXT_BUFFER and the rest. Why nothing else can happen:

- Nothing runs. A (module, name) pair is looked up as text in a fixed table and gives a member of an enum.
- Work is linear in the bytes. Each opcode consumes at least one byte and does bounded work, or work on bytes
  or values that it consumes; there are no loops or jumps, and at most `MAX_OPCODES` opcodes are carried out.
- Memory is bounded. A declared length is compared with the bytes that are left before anything is made of
  it; long strings and arrays are views of the file's bytes; a long text is decoded at most once.
- Nothing refers to itself. A list or dictionary can be changed only while it is on the stack, and the memo
  does not give it back, so no value can be put into itself. Nothing here or in the callers walks nested
  values.
"""

from typing import Any

from softmaxclf.datasets.pickles.machine import Content, Machine
from softmaxclf.datasets.pickles.opcodes import HANDLERS
from softmaxclf.datasets.pickles.values import described


def read_pickle(content: Content, place: str) -> dict[str, Any]:
    """The dictionary that a batch file's bytes hold; its arrays are read-only views of `content`.

    place: the file's name for messages. Keys become text whichever way they were written. Values are None,
    bool, int, str, bytes, lists, tuples, dictionaries, integer arrays, and `Text` or memoryview for what is
    longer than a label. Raises DataError with the byte where anything else is met.
    """
    machine = Machine(content, place)
    value = machine.run(HANDLERS)
    if type(value) is not dict:
        raise machine.refusal(f"expected a dictionary, found {described(value)}")
    return value
