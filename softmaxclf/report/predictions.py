"""The page of many predictions: a contact sheet by label, so that what does not belong catches the eye."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmaxclf.core.model import LinearModel
from softmaxclf.plots.images import image_pixels
from softmaxclf.plots.mistakes import difference_maps
from softmaxclf.report.figures import percent
from softmaxclf.report.images import picture
from softmaxclf.report.markup import Markup, element, join
from softmaxclf.report.page import WHOLE, figure, header, page, paragraphs, section, warnings

MOST_UNREAD = 200


@dataclass(frozen=True)
class Shown:
    """A prediction that the page shows: its place among all, file, best labels with their probabilities and pixels.

    classes: the label and its runner-up. row: (D,) raw.
    """

    place: int
    file: str
    top: tuple[tuple[str, float], ...]
    classes: tuple[int, int]
    row: NDArray[Any]

    @property
    def anchor(self) -> str:
        """Where it stands on the page."""
        return f"image-{self.place}"


@dataclass(frozen=True)
class Labelled:
    """What the page is about: how many images have each label, those that are shown, and what could not be read."""

    model: LinearModel
    model_path: str
    counts: Counter[str]
    shown: Sequence[Shown]
    unread: Sequence[str] = ()
    cautions: Sequence[str] = field(default_factory=list)


def predictions_page(labelled: Labelled) -> str:
    """The whole page as HTML text; equal predictions give equal text."""
    total = sum(labelled.counts.values())
    title = f"{total:,} images labelled"
    tiles = dict(_tiles(labelled))
    parts = [
        _of_label(name, labelled, [each for each in labelled.shown if each.top[0][0] == name], tiles)
        for name, _ in labelled.counts.most_common()
    ]
    main = element("main", warnings(labelled.cautions), *parts, _unread(labelled.unread))
    return page(title, [_header(title, labelled), main, _footer(labelled)], scripts=())


def _header(title: str, labelled: Labelled) -> Markup:
    links = [
        (f"label-{k}", join([f"{name} ", element("span", f"{count:,}", class_="muted")]))
        for name, count, k in _labels(labelled)
    ]
    told = paragraphs(_choice(labelled), (
        "Beside each image stands what decided between its label and the runner-up: red speaks for the label, blue "
        "for the runner-up. With the difference of the biases, a map's sum is the difference of the two scores."
    ))  # fmt: skip
    return header(f"softmaxclf predict · {labelled.model_path}", title, told, links=links, label="Labels")


def _choice(labelled: Labelled) -> str:
    total, shown = sum(labelled.counts.values()), len(labelled.shown)
    if shown == total:
        return "All of them by label, within a label the least sure first."
    return (
        f"Shown are the {shown} of which the model is least sure, by label, the least sure first; predictions.csv has "
        f"all {total:,}."
    )


def _labels(labelled: Labelled) -> Iterator[tuple[str, int, int]]:
    """Each label with its count and class, the most frequent first."""
    for name, count in labelled.counts.most_common():
        yield name, count, labelled.model.class_names.index(name)


def _of_label(name: str, labelled: Labelled, shown: Sequence[Shown], tiles: Mapping[int, Markup]) -> Markup:
    ordered = sorted(shown, key=lambda each: (each.top[0][1], each.place))
    count = labelled.counts[name]
    note = f"{count:,}" if count == len(shown) else f"{len(shown)} of {count:,}"
    heading = join([f"{name} ", element("span", note, class_="muted")])
    content = element("ul", *(tiles[each.place] for each in ordered), class_="tiles") if shown else None
    return section(f"label-{labelled.model.class_names.index(name)}", heading, content)


def _tiles(labelled: Labelled) -> Iterator[tuple[int, Markup]]:
    """Each shown prediction by its place: the image, the map that decided, the labels."""
    shown, shape = labelled.shown, labelled.model.image_shape
    if not shown:
        return
    assert shape is not None
    X = np.array([each.row for each in shown])
    first, second = zip(*(each.classes for each in shown), strict=True)
    maps = difference_maps(labelled.model, X, first, second)
    for each, pixels, shares in zip(shown, image_pixels(X, shape), maps, strict=True):
        names = labelled.model.class_names
        told = f"What speaks for {names[each.classes[0]]} (red) and for {names[each.classes[1]]} (blue)"
        pictures = element("div", picture(pixels, each.file), picture(shares, told), class_="beside")
        yield each.place, element("li", figure(pictures, _caption(each)), id=each.anchor)


def _caption(shown: Shown) -> Markup:
    lines = [
        element("span", element("span", name), " ", percent(share, f"{shown.place}.{name}", 1), _bar(share))
        for name, share in shown.top
    ]
    return join([element("span", *lines, class_="shares"), element("span", shown.file, class_="muted file")])


def _bar(share: float) -> Markup:
    """A probability as a bar."""
    filled = element("rect", width=f"{100 * share:.1f}", height=4)
    return element("svg", filled, viewBox="0 0 100 4", preserveAspectRatio="none", aria_hidden="true")


def _unread(errors: Sequence[str]) -> Markup | None:
    if not errors:
        return None
    listed = element("ul", *(element("li", each) for each in errors[:MOST_UNREAD]))
    more = len(errors) - MOST_UNREAD
    told = f"And {more:,} more; predictions.csv names all." if more > 0 else None
    return section("unread", f"Not read: {len(errors):,}", listed, paragraphs(told))


def _footer(labelled: Labelled) -> Markup:
    return element("footer", "Model: ", element("code", labelled.model_path), f". {WHOLE}")
