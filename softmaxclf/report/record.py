"""What a run was made from and how to make it again: data, settings, environment, commands, files."""

import shlex
from collections.abc import Sequence
from pathlib import PurePath

from softmaxclf.plots.figure import left_out
from softmaxclf.report.facts import Facts, Setting
from softmaxclf.report.figures import count, decimal
from softmaxclf.report.images import strip
from softmaxclf.report.markup import Markup, element, join
from softmaxclf.report.page import WHOLE, copyable, figure, files, paragraphs, section
from softmaxclf.report.tables import Cell, Column, table, terms

MOST_SHEET = 40
CHANNELS = {1: "grey", 3: "colour"}
# What the files of a run hold, in the order in which they are listed.
FILES = {
    "weights.npz": "the model",
    "weights-calibrated.npz": "the model with honest probabilities",
    "metrics.json": "the result, as --json prints it",
    "results.csv": "the cells of the grid",
    "history.csv": "what was measured during training",
    "histories.csv": "the same of the other cells",
    "coefficients.csv": "the weights along the path",
    "config.yaml": "all settings",
    "manifest.json": "versions, times, the data's fingerprint",
}
SETTINGS = [Column(name, False) for name in ("setting", "value", "default", "meaning")]


def data(facts: Facts) -> Markup:
    """Where the rows come from, how many there are, and examples of each class."""
    told = facts.manifest["data"]
    shape = facts.model.image_shape
    what = (
        f"{shape[2]} × {shape[1]} pixels, {CHANNELS.get(shape[0], f'{shape[0]} channels')}"
        if shape
        else "features"
    )
    rows = terms([
        ("Data set", told["name"]),
        ("Read from", element("code", told["path"])),
        *([("Origin", told["remark"])] if told.get("remark") else []),
        ("Rows", _row_counts(facts)),
        ("Columns", f"{told['features']:,} ({what})"),
        ("Classes", f"{len(facts.model.class_names):,}"),
    ])  # fmt: skip
    return section("data", "Data", rows, _contact_sheet(facts))


def _row_counts(facts: Facts) -> Markup:
    told = facts.manifest["data"]
    counts = [(f"{told[f'{name}_rows']:,}", name) for name in ("train", "validation") if told[f"{name}_rows"]]
    if "test" in facts.splits:
        counts.append((count(facts.splits["test"]["rows"], "splits.test.rows"), "test"))
    return join([join([rows, f" {name}"]) for rows, name in counts], ", ")


def _contact_sheet(facts: Facts) -> Markup | None:
    scored = facts.scored
    if facts.model.image_shape is None:
        return None
    if scored is None or scored.examples is None:
        return paragraphs(f"There is no contact sheet: {facts.unscored}.")
    lines: list[Markup] = []
    for name, images in list(zip(facts.model.class_names, scored.examples, strict=True))[:MOST_SHEET]:
        if len(images):
            alt = f"{len(images)} {scored.split} images of class {name}"
            lines += [element("dt", name), element("dd", strip(images, alt))]
    caption = f"The first {scored.split} images of each class, as they are stored"
    note = left_out(MOST_SHEET, len(facts.model.class_names))
    return figure(element("dl", *lines, class_="sheet"), f"{caption}{note}.")


def asked(facts: Facts) -> Markup:
    """The settings that counted, those that differ from the defaults first and marked."""
    counted = [each for each in facts.settings if each.counted]
    changed = [each for each in counted if each.value != each.default]
    told = f"{len(changed)} of the {len(counted)} settings that counted in this run differ from the defaults."
    first = _settings_table(changed, "Settings that differ from the defaults.") if changed else None
    marked = "All settings that counted; those that differ from the defaults are marked."
    return section(
        "asked", "What was asked", paragraphs(told), first,
        element("details", element("summary", f"All {len(counted)} settings"),
                _settings_table(counted, marked, mark=True)),
    )  # fmt: skip


def _settings_table(settings: Sequence[Setting], caption: str, *, mark: bool = False) -> Markup:
    rows = []
    for each in settings:
        changed = each.value != each.default
        value = element("strong", each.value) if changed else each.value
        badge = join([" ", element("span", "changed", class_="badge")]) if changed and mark else None
        shown, meaning = Cell(join([value, badge]), class_="prose"), Cell(each.help, class_="prose")
        rows.append([element("code", each.key), shown, Cell(each.default, class_="muted"), meaning])
    return table(caption, SETTINGS, rows)


def environment(facts: Facts) -> Markup:
    """Versions, threads and times."""
    manifest, seconds = facts.manifest, facts.metrics["seconds"]
    started = str(manifest["started"]).replace("T", " ").replace("+00:00", " UTC")
    told = [(name, manifest[key]) for name, key in (
        ("softmaxclf", "softmaxclf"), ("Python", "python"), ("NumPy", "numpy"), ("BLAS", "blas"),
        ("Threads", "threads"), ("Machine", "machine"), ("Sittings", "sittings"),
    ) if key in manifest]  # fmt: skip
    times = [
        (name, join([decimal(seconds.get(key), f"seconds.{key}", 1), " s"]))
        for name, key in (("Loading", "load"), ("Training", "train"), ("In all", "total"))
    ]
    return section("environment", "Environment", terms([*told, ("Started", started), *times]))


def reproduce(facts: Facts) -> Markup:
    """The commands, the configuration and the fingerprint of the data, each to be copied."""
    run, manifest = facts.folder, facts.manifest
    config = str(PurePath(run) / "config.yaml")
    test = ["--test"] if manifest["command"] == "train" and "test" in facts.splits else []
    again = ["softmaxclf", manifest["command"], "--config", config, "--out", "again", *test]
    further = [
        ["softmaxclf", "evaluate", run, "--split", facts.headline],
        ["softmaxclf", "visualize-weights", run, "--view", "signed"],
        ["softmaxclf", "report", run],
    ]
    return section(
        "reproduce", "How to repeat it",
        paragraphs("This run was made by"), _commands([manifest["command_line"]]),
        paragraphs("The same from its saved settings, in another folder:"), _commands([again]),
        paragraphs("Look at it further:"), _commands(further),
        paragraphs("config.yaml of the run:"), copyable(facts.config_text.rstrip()),
        paragraphs("Fingerprint of the training data (SHA-256 over types, shapes, rows and labels):"),
        copyable(manifest["data"]["fingerprint"]),
    )  # fmt: skip


def _commands(commands: list[list[str]]) -> Markup:
    return copyable(*(shlex.join(map(str, command)) for command in commands))


def files_of(facts: Facts) -> Markup | None:
    """Links to the files of the run folder."""
    if not facts.files:
        return None
    known = [name for name in FILES if name in facts.files]
    named = {name: FILES.get(name, "") for name in [*known, *sorted({*facts.files} - {*known})]}
    told = "They lie in the run folder; where this page was sent alone, the links lead nowhere."
    return section("files", "Files of the run", paragraphs(told), files(facts.beside, named))


def footer(facts: Facts) -> Markup:
    """Which folder the page belongs to."""
    return element(
        "footer",
        "Run folder: ",
        element("code", facts.folder),
        f". {WHOLE}",
    )
