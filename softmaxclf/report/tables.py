"""Tables of the page, plain and sortable, in boxes that scroll."""

from collections.abc import Sequence
from typing import NamedTuple

from softmaxclf.report.markup import Attribute, Markup, element, join

SORTING = "Choose a column's name to sort by it."


class Column(NamedTuple):
    """A column's name, whether it holds numbers (set to the right), and whether a table may be sorted by it."""

    name: str
    numeric: bool = True
    sorts: bool = True


class Cell(NamedTuple):
    """A cell's content and its class."""

    content: object
    class_: str | None = None


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[object]],
    *,
    sortable: bool = False,
    marked: int | None = None,
    label: str | None = None,
) -> Markup:
    """A table with its caption; `label` names it for those who do not see it, by default the caption.

    The first cell of a row is its header. `marked` is the row that stands out. A sortable table is complete
    without the page's script, which only adds buttons to its headers, and shows the hint that tells of them.
    """
    heads = [
        element("th", column.name, scope="col", class_=_side(column), data_unsorted=not column.sorts)
        for column in columns
    ]
    body = [
        element("tr", *_cells(row, columns), class_="marked" if number == marked else None)
        for number, row in enumerate(rows)
    ]
    parts = element("thead", element("tr", *heads)), element("tbody", *body)
    content = element("table", *parts, class_="sortable" if sortable else None)
    hint = element("span", f" {SORTING}", class_="hint", hidden=True) if sortable else None
    return captioned(content, join([caption, hint]), label=label or caption, class_="listing")


def captioned(
    content: Markup, caption: str, *, label: str | None = None, class_: str | None = None
) -> Markup:
    """A table or drawing in a box that scrolls when it is wider than the page, and its caption, which stays in view.

    The box takes the keyboard's focus, so that the arrow keys move it.
    """
    box = element("div", content, class_="scroll", tabindex=0, role="region", aria_label=label or caption)
    return element("figure", box, element("figcaption", caption), class_=class_)


def _cells(row: Sequence[object], columns: Sequence[Column]) -> list[Markup]:
    cells = []
    for place, (value, column) in enumerate(zip(row, columns, strict=True)):
        cell = value if isinstance(value, Cell) else Cell(value)
        class_: Attribute = " ".join(filter(None, (_side(column), cell.class_))) or None
        if place == 0:
            cells.append(element("th", cell.content, scope="row", class_=class_))
        else:
            cells.append(element("td", cell.content, class_=class_))
    return cells


def _side(column: Column) -> str | None:
    return "number" if column.numeric else None


def terms(pairs: Sequence[tuple[object, object]]) -> Markup:
    """A list of names and their values."""
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in pairs]
    return element("dl", join(rows))
