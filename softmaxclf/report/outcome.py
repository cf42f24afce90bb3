"""What came out: the headline, the warnings, the splits, the grid and the curves."""

from collections.abc import Sequence

import numpy as np

from softmaxclf.core.numbers import short
from softmaxclf.core.search import Outcome, only_axis
from softmaxclf.core.solvers import SOLVERS
from softmaxclf.plots.coefficients import coefficients, draw_coefficients
from softmaxclf.plots.curves import curves_of_cells, draw_curves, learning_curves
from softmaxclf.plots.path import draw_cells
from softmaxclf.report.drawing import drawing
from softmaxclf.report.facts import Facts
from softmaxclf.report.figures import DASH, count, decimal, interval, percent, setting
from softmaxclf.report.markup import NO_BREAK, Markup, element, join
from softmaxclf.report.page import figure, paragraphs, section
from softmaxclf.report.page import header as page_header
from softmaxclf.report.tables import Cell, Column, captioned, table

MOST_CELLS, MOST_SEEN, BEST_SEEN = (
    1_000,
    60,
    20,
)  # in the table at all, without unfolding, and of more than that
WITHOUT_TEST = "No test rows were scored in this run; where the data have some, softmaxclf evaluate does it."
SPLITS = [
    Column(name, name != "split")
    for name in ("split", "accuracy", f"95{NO_BREAK}% interval", "right", "rows", "loss")
]


def header(facts: Facts, contents: Sequence[tuple[str, str]]) -> Markup:
    """The title, the result in one sentence and the way to the sections (name, heading)."""
    name, manifest = facts.headline, facts.manifest
    split = facts.splits[name]
    sentence = join([
        "of the ", count(split["rows"], f"splits.{name}.rows"), f" {name} {facts.noun} are labelled right ",
        f"(95{NO_BREAK}% interval ", interval(split["interval"], f"splits.{name}.interval"), "). ", *_origin(facts),
    ])  # fmt: skip
    large = element("strong", percent(split["accuracy"], f"splits.{name}.accuracy"))
    return page_header(
        f"softmaxclf {manifest['command']} · {str(manifest['started'])[:10]}",
        f"{manifest['data']['name']}: a {facts.model.loss} linear classifier",
        element("p", large, " ", element("span", sentence), class_="result"),
        links=contents,
    )


def _origin(facts: Facts) -> list[object]:
    """Where the model comes from: chosen from a grid, or trained alone."""
    cells = facts.cells
    if not cells:
        axes = SOLVERS.load(facts.setting_text("training.solver")).axes
        chosen = [f"{_words(name)} {facts.setting_text(f'training.{name}')}" for name in axes]
        return [f"One model, with {' and '.join(chosen)}."]
    folds = facts.setting_text("tuning.folds")
    judged = f"{folds}-fold cross-validated" if folds != "0" else "validation"
    mean = f"the mean over {facts.repeats['count']} repeats of " if facts.repeats else ""
    which = f"the best of {len(cells):,} models by {mean}{judged} {facts.setting_text('tuning.metric')}"
    if facts.setting_text("tuning.select") == "one-se":
        which = f"the strongest regularization within one standard error of {which}"
    refit = ", then trained again on all rows" if facts.metrics["best"].get("refit") else ""
    settings = [
        join([f"{_words(name)} ", setting(value, f"best.{name}")]) for name, value in facts.best.items()
    ]
    return [f"It is {which}{refit}: ", join(settings, ", "), "."]


def _words(name: str) -> str:
    return name.replace("_", " ")


def results(facts: Facts) -> Markup:
    """The table of the splits."""
    rows = [
        [
            name,
            percent(split["accuracy"], f"splits.{name}.accuracy"),
            interval(split["interval"], f"splits.{name}.interval"),
            count(split.get("correct"), f"splits.{name}.correct"),
            count(split["rows"], f"splits.{name}.rows"),
            decimal(split["loss"], f"splits.{name}.loss"),
        ]
        for name, split in facts.splits.items()
    ]
    marked = list(facts.splits).index(facts.headline)
    loss = facts.model.loss_function.title
    notes = [f"{name}: {split['note']}." for name, split in facts.splits.items() if split.get("note")]
    caption = f"Intervals are Wilson's. The loss is the mean {loss}, without the penalty on the weights."
    guess = percent(1 / len(facts.model.class_names), "chance", 1)
    classes = f"{len(facts.model.class_names):,} classes"
    chance = join(
        [f"Guessing one of {classes} would be right for ", guess, " of the rows, were they equally frequent."]
    )
    without = None if "test" in facts.splits else WITHOUT_TEST
    return section(
        "result", "Result", table(caption, SPLITS, rows, marked=marked, label="Result per split"),
        paragraphs(*notes, *_repeats(facts), chance, without),
    )  # fmt: skip


def _repeats(facts: Facts) -> list[Markup]:
    """What other seeds made of the settings; nothing of a run without repeats."""
    told = facts.repeats
    if not told:
        return []
    spreads = [
        join([f"{name} ", percent(told[name]["mean"], f"repeats.{name}.mean"), " ± ",
              percent(told[name]["sd"], f"repeats.{name}.sd")])
        for name in ("validation", "test") if name in told
    ]  # fmt: skip
    shown = percent if told["metric"] == "accuracy" else decimal
    least = shown(told["least_difference"], "repeats.least_difference")
    return [
        join([f"The model and the table are those of the first of {told['count']} repeats with other seeds. Accuracies "
              "of these settings over all repeats, mean ± standard deviation: ", join(spreads, ", "), "."]),
        join([f"Differences of the mean validation {told['metric']} below ", least,
              " cannot be told from chance (paired t-test of the repeats, 5 % level)."]),
    ]  # fmt: skip


def grid(facts: Facts) -> Markup | None:
    """The picture of the grid, of the paths of weights, and the table of all cells; None for a single model."""
    cells = facts.cells
    if not cells:
        return None
    axis, folds = only_axis(cells), int(facts.setting_text("tuning.folds"))
    repeats = facts.repeats.get("count", 1)
    if axis is None:
        alt = f"Heat maps of validation accuracy and loss by {' and '.join(map(_words, cells[0].values))}"
        told = "Brighter is better; the left one decided."
    else:
        alt = f"Curves of accuracy and loss over the {_words(axis)}"
        bands = (
            f"one standard error over {folds} folds to either side" if folds else f"95{NO_BREAK}% intervals"
        )
        if repeats > 1:
            bands = f"one standard deviation over {repeats} repeats to either side"
        told = f"What each {_words(axis)} gives; the star is on the curve that decided. Bands are {bands}."
    metric = facts.setting_text("tuning.metric")
    picture = draw_cells(cells, best=facts.best, metric=metric, folds=folds, repeats=repeats)
    drawn = drawing(picture, "grid", alt)
    shown = captioned(drawn, told, label=alt)
    return section(
        "grid",
        "Grid",
        shown,
        paragraphs(*(f"{note[:1].upper()}{note[1:]}." for note in facts.metrics.get("notes", ()))),
        _coefficients(facts),
        element("h3", "Cells"),
        _cell_tables(facts),
    )


def _coefficients(facts: Facts) -> Markup | None:
    paths = coefficients(facts.cells, best=facts.best)
    if paths is None:
        return None
    alt = "Paths of the weights over the regularization, a panel per class"
    told = (
        f"The weights as they are trained{', means over the folds' if facts.metrics['best']['refit'] else ''}, on the "
        "features as preprocessing makes them; of standardized features they can be compared. Features are counted "
        "from 0, and the largest are named; coefficients.csv has all the numbers."
    )
    drawn = drawing(
        draw_coefficients(paths, facts.model.class_names, facts.model.feature_names), "coefficients", alt
    )
    return captioned(drawn, told, label=alt)


def _cell_tables(facts: Facts) -> Markup:
    """The table of all cells, the best first; of many, the first ones and the others to be unfolded."""
    cells, metric = facts.cells, facts.setting_text("tuning.metric")
    merits = {
        "accuracy": [-cell.validation_accuracy for cell in cells],
        "loss": [cell.validation_loss for cell in cells],
    }
    decides = merits.pop(metric)
    order = [int(each) for each in np.lexsort([*merits.values(), decides])]  # NaN comes last
    caption = f"By validation {metric}, the best first."
    caption += " A tied cell cannot be told from the best." if any(cell.tied for cell in cells) else ""
    if len(cells) <= MOST_SEEN:
        return _cell_table(facts, order, caption)
    told = f"The best {BEST_SEEN} of {len(cells):,} cells. {caption}"
    rest = order[BEST_SEEN:MOST_CELLS]
    beyond = f" results.csv has the {len(cells) - MOST_CELLS:,} beyond." if len(cells) > MOST_CELLS else ""
    summary = element("summary", f"{len(rest):,} more cells")
    return join([
        _cell_table(facts, order[:BEST_SEEN], told),
        element("details", summary, _cell_table(facts, rest, f"{caption}{beyond}")),
    ])  # fmt: skip


def _cell_table(facts: Facts, order: Sequence[int], caption: str) -> Markup:
    cells, best = facts.cells, facts.best
    figures = list(dict.fromkeys(name for cell in cells for name in cell.figures))
    repeated = bool(facts.repeats)
    rows = [_cell_row(cells[n], f"cells.{n}", figures, cells[n].values == best, repeated) for n in order]
    marked = next((place for place, number in enumerate(order) if cells[number].values == best), None)
    return table(
        caption,
        _cell_columns(cells[0], figures, repeated),
        rows,
        sortable=True,
        marked=marked,
        label="Cells of the grid",
    )


def _cell_columns(cell: Outcome, figures: Sequence[str], repeated: bool) -> list[Column]:
    axes = [Column(_words(name), place > 0) for place, name in enumerate(cell.values)]
    deviation = ["± standard deviation"] if repeated else []
    measured = [
        "train accuracy",
        "validation accuracy",
        *deviation,
        f"95{NO_BREAK}% interval",
        "validation loss",
    ]
    return [*axes, *map(Column, (*measured, *map(_words, figures))), Column("note", False)]


def _cell_row(cell: Outcome, of: str, figures: Sequence[str], chosen: bool, repeated: bool) -> list[object]:
    word = "best" if chosen else "tied" if cell.tied else None
    status = "" if cell.status == "ok" else cell.status
    badge = element("span", word, class_="badge" if chosen else "muted") if word else None
    return [
        *(setting(value, f"{of}.{name}") for name, value in cell.values.items()),
        percent(cell.train_accuracy, f"{of}.train_accuracy"),
        percent(cell.validation_accuracy, f"{of}.validation_accuracy"),
        *([percent(cell.validation_accuracy_sd, f"{of}.validation_accuracy_sd")] if repeated else []),
        interval(cell.interval, f"{of}.validation_interval"),
        decimal(cell.validation_loss, f"{of}.validation_loss"),
        *(_figure(cell.figures.get(name)) for name in figures),
        Cell(join(filter(None, [status, badge]), " "), class_="status"),
    ]


def _figure(value: object) -> str:
    if value is None:
        return DASH
    return short(value, 4) if isinstance(value, float) else str(value)


def curves(facts: Facts) -> Markup | None:
    """Loss and accuracy over the iterations; None of a solver that keeps no history."""
    if not len(facts.history):
        return None
    drawn = learning_curves(facts.history, splits=facts.splits)
    others = curves_of_cells(facts.histories)
    iterations, losses = drawn.loss
    whose = "of the chosen cell " if facts.cells else ""
    falls = f"No loss was measured {whose}in this run."
    if len(losses):
        change = "falls" if losses[-1] < losses[0] else "does not fall: it goes"
        falls = (
            f"The training loss {whose}{change} from {losses[0]:.4g} at iteration {iterations[0]:,.0f} "
            f"to {losses[-1]:.4g} at iteration {iterations[-1]:,.0f}."
        )
    reached = (
        "Training accuracy is measured on the last thousand rows; points at the end are those of all rows."
    )
    loss = drawing(draw_curves([drawn], panels=["loss"], others=others), "loss", falls)
    told = "Training and validation accuracy over the iterations"
    accuracy = drawing(draw_curves([drawn], panels=["accuracy"], others=others), "accuracy", told)
    pictures = element("div", figure(loss, falls), figure(accuracy, reached), class_="pair")
    return section(
        "curves", "Training curves", pictures, paragraphs("The numbers behind them are in history.csv.")
    )
