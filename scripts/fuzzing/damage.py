"""Random damage to bytes: flipped bits, truncation, splicing, interesting numbers, a reader's own words."""

import random
import re
from collections.abc import Sequence

LONGEST = 1 << 20  # bytes of an input
NUMBERS = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 1 << 24, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
           1 << 32, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF)  # fmt: skip


Random = random.Random


def damaged(content: bytes, pool: Sequence[bytes], words: Sequence[bytes], generator: Random) -> bytes:
    """`content` after one to eight random changes."""
    changed = bytearray(content)
    for _ in range(generator.choice((1, 1, 1, 2, 3, 8))):
        generator.choice(DAMAGES)(changed, pool, words, generator)
    return bytes(changed[:LONGEST])


def flip(changed: bytearray, pool: Sequence[bytes], words: Sequence[bytes], generator: Random) -> None:
    if changed:
        changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)


def put_byte(changed: bytearray, pool: Sequence[bytes], words: Sequence[bytes], generator: Random) -> None:
    place = generator.randint(0, len(changed))
    changed[place : place + generator.choice((0, 1))] = generator.randbytes(1)


def truncate(changed: bytearray, pool: Sequence[bytes], words: Sequence[bytes], generator: Random) -> None:
    del changed[generator.randint(0, len(changed)) :]


def cut(changed: bytearray, pool: Sequence[bytes], words: Sequence[bytes], generator: Random) -> None:
    place = generator.randint(0, len(changed))
    del changed[place : place + generator.choice((1, 2, 4, 16, 100, 1000))]


def repeat(changed: bytearray, pool: Sequence[bytes], words: Sequence[bytes], generator: Random) -> None:
    place = generator.randint(0, len(changed))
    piece = changed[place : place + generator.choice((1, 4, 16, 512))]
    changed[place:place] = piece * generator.choice((1, 2, 50))


def splice(changed: bytearray, pool: Sequence[bytes], words: Sequence[bytes], generator: Random) -> None:
    other = generator.choice(pool)
    start = generator.randint(0, len(other))
    piece = other[start : start + generator.choice((4, 40, 400, 4000))]
    place = generator.randint(0, len(changed))
    changed[place : place + generator.choice((0, len(piece)))] = piece


def put_number(changed: bytearray, pool: Sequence[bytes], words: Sequence[bytes], generator: Random) -> None:
    width, order = generator.choice((1, 2, 4, 8)), generator.choice(("little", "big"))
    number = generator.choice(NUMBERS) & ((1 << 8 * width) - 1)
    place = generator.randint(0, len(changed))
    changed[place : place + generator.choice((0, width, width))] = number.to_bytes(width, order)


def put_digits(changed: bytearray, pool: Sequence[bytes], words: Sequence[bytes], generator: Random) -> None:
    """Another number where one stands as text."""
    places = [match.span() for match in re.finditer(rb"[0-9]+", changed)]
    if places:
        start, end = generator.choice(places)
        digits = str(generator.choice(NUMBERS)) * generator.choice((1, 1, 1, 20, 300))
        changed[start:end] = digits.encode()


def put_word(changed: bytearray, pool: Sequence[bytes], words: Sequence[bytes], generator: Random) -> None:
    if words:
        word = generator.choice(words) * generator.choice((1, 1, 1, 2, 100, 5000))
        place = generator.randint(0, len(changed))
        changed[place : place + generator.choice((0, len(word)))] = word


DAMAGES = (flip, flip, put_byte, truncate, cut, repeat, splice, put_number, put_digits, put_word)
