"""The sections of the page in their order: what came out, what the model does, then what it was made from and how."""

from softmaxclf.report import confusions, outcome, record, understanding
from softmaxclf.report.facts import Facts
from softmaxclf.report.markup import Markup, element
from softmaxclf.report.page import page, paragraphs, section, warnings

CONTENTS = {
    "warnings": "Warnings", "result": "Result", "grid": "Grid", "unscored": "Left out", "confusion": "Confusions",
    "mistakes": "Most wrong", "templates": "Weights", "curves": "Curves", "calibration": "Calibration", "data": "Data",
    "asked": "Settings", "environment": "Environment", "reproduce": "Repeat it", "files": "Files",
}  # fmt: skip


def report_page(facts: Facts) -> str:
    """The whole page of a run as HTML text; equal facts give equal text."""
    sections = {
        "warnings": warnings(facts.metrics.get("warnings", ())),
        "result": outcome.results(facts),
        "grid": outcome.grid(facts),
        **_scored(facts),
        "templates": understanding.templates(facts),
        "curves": outcome.curves(facts),
        "data": record.data(facts),
        "asked": record.asked(facts),
        "environment": record.environment(facts),
        "reproduce": record.reproduce(facts),
        "files": record.files_of(facts),
    }
    present = {name: sections[name] for name in CONTENTS if sections.get(name) is not None}
    contents = [(name, CONTENTS[name]) for name in present]
    title = f"{facts.manifest['data']['name']} · softmaxclf {facts.manifest['command']}"
    main = element("main", *present.values())
    return page(title, [outcome.header(facts, contents), main, record.footer(facts)])


def _scored(facts: Facts) -> dict[str, Markup]:
    """What only rows can show, or why it is left out."""
    if facts.scored is None:
        told = f"Confusions, calibration and the most wrong rows are left out: {facts.unscored}."
        return {"unscored": section("unscored", "Left out", paragraphs(told))}
    parts = {
        "confusion": confusions.confusion,
        "calibration": understanding.calibration,
        "mistakes": understanding.mistakes,
    }
    return {name: part(facts, facts.scored) for name, part in parts.items()}
