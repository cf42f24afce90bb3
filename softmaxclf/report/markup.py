"""HTML as text that is safe by construction: whatever is not markup already is escaped when it goes in."""

import html
from collections.abc import Iterable

NO_BREAK = "\u00a0"  # a space at which no line ends, between a number and its %
VOID = frozenset({"meta", "img", "br", "hr", "col"})
Attribute = str | int | float | bool | None


class Markup(str):
    """Text that is HTML already and is put into a page as it is."""

    __slots__ = ()


def text(value: object) -> Markup:
    """`value` as HTML text, fit for an attribute too; what cannot be printed becomes a replacement character.

    That covers lone surrogates, which no file can hold, and marks that turn the direction of writing around.
    """
    if isinstance(value, Markup):
        return value
    printable = "".join(
        letter if letter.isprintable() or letter in ("\n", "\t", NO_BREAK) else "\ufffd"
        for letter in str(value)
    )
    return Markup(html.escape(printable))


def element(tag: str, *children: object, **attributes: Attribute) -> Markup:
    """`<tag attributes>children</tag>`. In names of attributes `class_` means class and `data_of` data-of.

    An attribute that is None or False is left out, one that is True stands alone; a child that is None is
    left out.
    """
    opening = f"<{tag}{''.join(_attribute(name, value) for name, value in attributes.items())}>"
    if tag in VOID:
        return Markup(opening)
    return Markup(f"{opening}{join(children)}</{tag}>")


def join(children: Iterable[object], separator: object = "") -> Markup:
    """The children behind each other, `separator` between them; None is left out."""
    return Markup(text(separator).join(text(child) for child in children if child is not None))


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{text(value)}"'
