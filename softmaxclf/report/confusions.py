"""Which classes are taken for which: the matrix, the most confused pairs with images, the figures per class."""

from collections.abc import Mapping

from softmaxclf.core.metrics import FEW_CLASSES, tied_pairs
from softmaxclf.plots.confusion import draw_confusion
from softmaxclf.report.drawing import drawing
from softmaxclf.report.facts import Facts, Scored
from softmaxclf.report.figures import count, percent
from softmaxclf.report.images import strip
from softmaxclf.report.markup import Markup, element, join
from softmaxclf.report.page import paragraphs, section
from softmaxclf.report.tables import Column, captioned, table

CLASSES = (Column("class", False), Column("precision"), Column("recall"), Column("F1"), Column("rows"))


def confusion(facts: Facts, scored: Scored) -> Markup:
    """The confusion matrix with the figures of each class."""
    rows = count(int(scored.confusion.sum()), f"splits.{scored.split}.rows")
    heading = join(["Confusion on the ", rows, f" {scored.split} {facts.noun}"])
    return section(
        "confusion", heading, _extremes(facts, scored), _matrix(facts, scored),
        element("h3", "Most frequent confusions"), _pairs(facts, scored),
        element("h3", "Per class"), _class_table(facts, scored),
    )  # fmt: skip


def _extremes(facts: Facts, scored: Scored) -> Markup | None:
    known = [(each.recall, k) for k, each in enumerate(scored.classes) if each.recall is not None]
    if len(known) < 2:
        return None
    (high, best), (low, worst) = max(known), min(known)
    return paragraphs(join([
        "Best recognized is ", element("strong", facts.model.class_names[best]), " (",
        percent(high, f"per_class.{best}.recall", 1), " of its rows), worst ",
        element("strong", facts.model.class_names[worst]), " (", percent(low, f"per_class.{worst}.recall", 1), ").",
    ]))  # fmt: skip


def _matrix(facts: Facts, scored: Scored) -> Markup:
    heading = "Rows of each true class by predicted class"
    told = "True classes down, predicted classes across; the colour is the share of the true class."
    if len(facts.model.class_names) > FEW_CLASSES:
        told += " Classes that are often confused stand side by side, and the diagonal is left out."
    links = _links(facts, scored)
    if links:
        told += f" A framed entry leads to its {facts.noun if _pictured(scored) else 'line'} below."
    places = dict(zip(scored.confused, links, strict=True))
    matrix = draw_confusion(scored.confusion, facts.model.class_names, heading=heading, links=places)
    drawn = drawing(matrix, "matrix", f"Confusion matrix. {told}", links=links)
    return captioned(drawn, told, label="Confusion matrix")


def _links(facts: Facts, scored: Scored) -> Mapping[str, str]:
    """Where each confused pair stands on the page, and what that link is called."""
    names = facts.model.class_names
    return {_anchor(*pair): f"{names[pair[0]]} taken for {names[pair[1]]}" for pair in scored.confused}


def _anchor(true: int, predicted: int) -> str:
    return f"confused-{true}-{predicted}"


def _pictured(scored: Scored) -> bool:
    return any(images is not None for images in scored.confused.values())


def _pairs(facts: Facts, scored: Scored) -> Markup:
    if not scored.confused:
        return paragraphs("There are none: every row is labelled right.")
    tied, _ = tied_pairs(scored.confusion, len(scored.confused))
    told = f"{tied:,} more pairs are confused in as many rows as the last." if tied else None
    surest = f"Of each the {facts.noun} of which the model is surest." if _pictured(scored) else None
    items = [
        element("li", _pair(facts, scored, *pair), _examples(facts, scored, pair), id=_anchor(*pair))
        for pair in scored.confused
    ]
    return join([paragraphs(surest), element("ol", *items, class_="confused"), paragraphs(told)])


def _examples(facts: Facts, scored: Scored, pair: tuple[int, int]) -> Markup | None:
    images, (true, predicted) = scored.confused[pair], (facts.model.class_names[k] for k in pair)
    if images is None:
        return None
    return strip(images, f"{len(images)} {facts.noun} of {true} that are taken for {predicted}")


def _pair(facts: Facts, scored: Scored, true: int, predicted: int) -> Markup:
    names, errors = facts.model.class_names, int(scored.confusion[true, predicted])
    share = errors / int(scored.confusion[true].sum())
    return join([
        element("strong", names[true]), " taken for ", element("strong", names[predicted]),
        f": {errors:,} {'row' if errors == 1 else 'rows'}, ",
        percent(share, f"confusion.{true}.{predicted}", 1), f" of all {names[true]}",
    ])  # fmt: skip


def _class_table(facts: Facts, scored: Scored) -> Markup:
    rows = [
        [
            name,
            *(
                percent(getattr(each, which), f"per_class.{k}.{which}")
                for which in ("precision", "recall", "f1")
            ),
            count(each.support, f"per_class.{k}.support"),
        ]
        for k, (name, each) in enumerate(zip(facts.model.class_names, scored.classes, strict=True))
    ]
    caption = (
        "Precision: of the rows given this label, the share that has it. Recall: of the rows of this class, the share "
        "that was found. F1: their harmonic mean."
    )
    content = table(caption, CLASSES, rows, sortable=True, label="Figures per class")
    if len(rows) <= FEW_CLASSES:
        return content
    return element("details", element("summary", f"The figures of all {len(rows):,} classes"), content)
