"""What was asked for and how to ask for it again: settings, environment, commands."""

import shlex
from collections.abc import Sequence
from pathlib import PurePath

from softmaxclf.report.facts import Facts, Setting
from softmaxclf.report.figures import decimal
from softmaxclf.report.markup import Markup, element, join
from softmaxclf.report.page import WHOLE, paragraphs, section
from softmaxclf.report.tables import Cell, Column, table, terms

SETTINGS = [Column(name, False) for name in ("setting", "value", "default", "meaning")]


def asked(facts: Facts) -> Markup:
    """The settings, those that differ from the defaults first and marked."""
    changed = [each for each in facts.settings if each.value != each.default]
    told = f"{len(changed)} of {len(facts.settings)} settings differ from the defaults."
    axes = " and ".join(f"tuning.{name}s" for name in facts.best) if facts.cells else ""
    own = f"In a grid, the values of {axes} take the place of the training settings of that name."
    first = _settings_table(changed, "Settings that differ from the defaults.") if changed else None
    marked = "All settings; those that differ from the defaults are marked."
    return section(
        "asked", "What was asked", paragraphs(told, own if facts.cells else None), first,
        element("details", element("summary", f"All {len(facts.settings)} settings"),
                _settings_table(facts.settings, marked, mark=True)),
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
    """The commands, the configuration and the fingerprint of the data."""
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
        "reproduce", "How to reproduce it",
        paragraphs("This run was made by"), _commands([manifest["command_line"]]),
        paragraphs("The same from its saved settings, in another folder:"), _commands([again]),
        paragraphs("Look at it further:"), _commands(further),
        paragraphs("config.yaml of the run:"), element("pre", facts.config_text.rstrip(), tabindex=0),
        paragraphs("Fingerprint of the training data (SHA-256 over types, shapes, rows and labels):"),
        element("pre", manifest["data"]["fingerprint"], tabindex=0),
    )  # fmt: skip


def _commands(commands: list[list[str]]) -> Markup:
    return element("pre", "\n".join(shlex.join(map(str, command)) for command in commands), tabindex=0)


def footer(facts: Facts) -> Markup:
    """Which folder the page belongs to."""
    return element(
        "footer",
        "Run folder: ",
        element("code", facts.folder),
        f". {WHOLE}",
    )
