"""The text of `softmaxclf explain`: aligned tables, bars and plain sentences, made of its document."""

from collections.abc import Mapping, Sequence
from typing import Any

from softmaxclf.cli import console
from softmaxclf.cli.console import decimals
from softmaxclf.core.numbers import short

MOST_CLASSES = 25  # lines that a screen holds; --json has them all
MOST_JACOBIAN = 12  # columns that a line holds
BAR = 24  # cells
BLOCKS = " ▏▎▍▌▋▊▉█"  # eighths of a cell
AXIS = "│"
VISIBLE = 1e-9  # a change of a probability that is more than the rounding of usual scores

STEPS = (
    ("class", "{class}"),
    ("score", "{score:decimals}"),
    ("score - max", "{shifted:decimals}"),
    ("exp of it", "{exp:decimals}"),
    ("probability", "{probability:decimals}"),
    ("hard max", "{hard_max:.0f}"),
    ("gradient p - y", "{gradient:decimals}"),
)

Document = Mapping[str, Any]


def text(result: Document) -> str:
    """The whole text."""
    shown = shown_classes(result)
    parts = [
        _origin(result, len(shown)),
        _steps(result, shown),
        _chart([result["classes"][k] for k in shown]),
        _decision(result),
        _losses(result),
        _jacobian(result),
        _changes(result, shown),
        f"Wrote {console.quoted(result['picture'])}" if result["picture"] else "",
    ]
    return "\n\n".join(part for part in parts if part)


def shown_classes(result: Document) -> list[int]:
    """The classes that the text shows, ascending: all, or those of highest score and the label."""
    scores = [each["score"] for each in result["classes"]]
    order = sorted(range(len(scores)), key=lambda k: -scores[k])
    chosen = order[:MOST_CLASSES]
    label = result["label"]
    if label is not None and label["index"] not in chosen:
        chosen[-1] = label["index"]
    return sorted(chosen)


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """A count with its noun: "1 margin", "2 margins"."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def bar(share: float) -> str:
    """A bar of `share` (0 to 1) of BAR cells, to the eighth of a cell."""
    whole, eighths = divmod(round(share * BAR * 8), 8)
    return BLOCKS[-1] * whole + BLOCKS[eighths].strip()


def score_bar(score: float, low: float, high: float) -> str:
    """A bar to the left or to the right of an axis at 0, on a scale from low <= 0 to high >= 0, of BAR + 1 letters."""
    span = (high - low) or 1.0
    left = round(-low / span * BAR)
    full = BLOCKS[-1] * round(abs(score) / span * BAR)
    negative, positive = (full[:left], "") if score < 0 else ("", full)
    return f"{negative:>{left}}{AXIS}{positive:<{BAR - left}}"[: BAR + 1]


def _origin(result: Document, shown: int) -> str:
    lines = []
    if result["model"] is not None:
        lines.append(f"Scores that {result['model']} gives {result['image']}")
        if result["temperature"] != 1:
            lines[0] += f", divided by its temperature {result['temperature']:.4g}"
    if shown < len(result["classes"]):
        lines.append(
            f"The {shown} classes of highest score, of {len(result['classes']):,}; --json shows them all"
        )
    return "\n".join(lines)


def _steps(result: Document, shown: Sequence[int]) -> str:
    """The table of all steps, a class per line, and the sums over all classes."""
    sums = {"exp": result["sum_of_exp"], "probability": 1.0, "hard_max": 1, "gradient": 0.0}
    total = {"class": "sum", "score": None, "shifted": None, **sums}
    columns = STEPS if result["label"] is not None else STEPS[:-1]
    return console.listed([*(result["classes"][k] for k in shown), total], columns)


def _chart(classes: Sequence[Document]) -> str:
    """Scores and probabilities as bars, side by side."""
    scores = [0.0, *(each["score"] for each in classes)]
    rows = [
        [
            each["class"],
            decimals(each["score"]),
            score_bar(each["score"], min(scores), max(scores)),
            f"{100 * each['probability']:5.1f} % {AXIS}{bar(each['probability'])}",
        ]
        for each in classes
    ]
    return console.table(["class", "score", "", "probability"], rows, left=(0, 3))


def _decision(result: Document) -> str:
    ties = result["ties"]
    if ties:
        decided = (
            f"classes {', '.join(ties)} tie for the highest score; hard max takes the first, softmax none"
        )
    else:
        decided = f"hard max gives all to class {result['winner']}, the only one with the highest score"
    return (
        f"Decision: {decided}.\n"
        f"Softness: entropy {decimals(result['entropy'])} nats, as uncertain as {result['effective_classes']:.2f} "
        f"equally likely classes of {len(result['classes']):,}."
    )


def _losses(result: Document) -> str:
    """The losses of the label, where they come from, and what their gradients do to the scores."""
    if result["label"] is None:
        return "Losses and gradient: name the right class with --label."
    own = result["classes"][result["label"]["index"]]
    close = sum((each["hinge_margin"] or 0) > 0 for each in result["classes"])
    shifted = decimals(own["shifted"]) if own["shifted"] >= 0 else f"({decimals(own['shifted'])})"
    sums = f"sum of {counted(close, 'margin')} s_j - ({decimals(own['score'])}) + 1 above 0"
    rows = [
        [
            "cross-entropy",
            decimals(result["cross_entropy"]),
            f"log {decimals(result['sum_of_exp'])} - {shifted} = -log p",
        ],
        ["hinge", decimals(result["hinge"]), sums],
    ]
    table = console.table(["loss", f"class {own['class']}", "how"], rows, left=(0, 2))
    return f"{table}\n{_push_and_pull(own, close)}"


def _push_and_pull(own: Mapping[str, Any], close: int) -> str:
    name = f"class {own['class']}"
    hinge = (
        f"The hinge pushes only {counted(close, 'class', 'classes')}, by 1 each, and pulls {name} up by {close}."
        if close
        else f"The hinge is content and moves nothing: {name} leads every other class by 1 or more."
    )
    return (
        "Push all, pull one: a step against p - y pushes every score down by its probability and pulls\n"
        f"that of {name} up by 1, in all by 1 - p = {decimals(-own['gradient'])}.\n{hinge}"
    )


def _jacobian(result: Document) -> str:
    names = [each["class"] for each in result["classes"]]
    if len(names) > MOST_JACOBIAN:
        return f"Jacobian dp_i/ds_j: {len(names):,} x {len(names):,} numbers, with --json."
    rows = [[name, *map(decimals, line)] for name, line in zip(names, result["jacobian"], strict=True)]
    note = "Jacobian: how much the probability of a line moves per unit of a column's score, p_i (1[i = j] - p_j)"
    return f"{note}\n{console.folded(['dp_i/ds_j', *names], rows)}"


def _changes(result: Document, shown: Sequence[int]) -> str:
    """Scores and probabilities as they are, with a constant added, and multiplied, side by side."""
    added, scaled = result["adding"], result["scaling"]
    columns = [
        "class",
        "score",
        "p",
        f"score {added['constant']:+g}",
        "p",
        f"score x {short(scaled['factor'])}",
        "p",
    ]
    rows = []
    for k in shown:
        each = result["classes"][k]
        numbers = [each["score"], each["probability"]]
        numbers += [part[key][k] for part in (added, scaled) for key in ("scores", "probabilities")]
        rows.append([each["class"], *map(decimals, numbers)])
    entropies = [cell for part in (result, added, scaled) for cell in ("", decimals(part["entropy"]))]
    table = console.table(columns, [*rows, ["entropy", *entropies]])
    return f"{table}\n{_adding_says(added)}\n{_scaling_says(result)}"


def _adding_says(added: Document) -> str:
    change = added["largest_change"]
    if change > VISIBLE:
        return (
            f"Adding {short(added['constant'])} should change nothing, but 64-bit numbers of this size hold only 16 "
            f"digits\nand the differences are lost: probabilities move by up to {decimals(change)}."
        )
    seen = "not one digit" if change == 0 else f"nothing but rounding ({change:.0e} at most)"
    return f"Adding {short(added['constant'])} to every score changes {seen}: softmax sees differences only."


def _scaling_says(result: Document) -> str:
    scaled = result["scaling"]
    before, after = result["effective_classes"], scaled["effective_classes"]
    if scaled["factor"] == 0:
        return "Multiplying by 0, as an endless regularization does, makes all classes equally likely."
    if scaled["factor"] == 1:
        return "Multiplying by 1 changes nothing."
    how = "softer" if after > before else "sharper" if after < before else "neither softer nor sharper"
    why = (
        "as smaller weights under a larger regularization do"
        if scaled["factor"] < 1
        else "as larger weights do"
    )
    return (
        f"Multiplying by {short(scaled['factor'])}, {why}, keeps the order\n"
        f"and makes the answer {how}: {before:.2f} before, {after:.2f} equally likely classes after."
    )
