"""The sections of the page in their order."""

from softmaxclf.report import outcome, record, understanding
from softmaxclf.report.facts import Facts
from softmaxclf.report.markup import Markup, element
from softmaxclf.report.page import page, paragraphs, section, warnings

CONTENTS = {
    "warnings": "Warnings", "result": "Result", "asked": "Settings", "data": "Data", "grid": "Grid", "curves": "Curves",
    "templates": "Weights", "confusion": "Confusion", "calibration": "Calibration", "mistakes": "Most wrong",
    "unscored": "Left out", "environment": "Environment", "reproduce": "Reproduce",
}  # fmt: skip


def report_page(facts: Facts) -> str:
    """The whole page of a run as HTML text; equal facts give equal text."""
    sections = {
        "warnings": warnings(facts.metrics.get("warnings", ())),
        "result": outcome.results(facts),
        "asked": record.asked(facts),
        "data": understanding.data(facts),
        "grid": outcome.grid(facts),
        "curves": outcome.curves(facts),
        "templates": understanding.templates(facts),
        **_scored(facts),
        "environment": record.environment(facts),
        "reproduce": record.reproduce(facts),
    }
    present = {name: part for name, part in sections.items() if part is not None}
    contents = [(name, CONTENTS[name]) for name in present]
    title = f"{facts.manifest['data']['name']} · softmaxclf {facts.manifest['command']}"
    main = element("main", *present.values())
    return page(title, [outcome.header(facts, contents), main, record.footer(facts)])


def _scored(facts: Facts) -> dict[str, Markup]:
    """What only rows can show, or why it is left out."""
    if facts.scored is None:
        told = f"Confusion, calibration and the most wrong rows are left out: {facts.unscored}."
        return {"unscored": section("unscored", "Left out", paragraphs(told))}
    parts = {
        "confusion": understanding.confusion,
        "calibration": understanding.calibration,
        "mistakes": understanding.mistakes,
    }
    return {name: part(facts, facts.scored) for name, part in parts.items()}
